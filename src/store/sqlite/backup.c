/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Copies of the database, and a check of its pages, through reading connections.
 * Must not write to the database, nor checkpoint it.
 * See store.h for the contract, sqlite.org/backup.html for how SQLite copies.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "store/sqlite/db.h"

#define INTEGRITY_PROBLEMS "1" /* the first is told, and one is enough */

/* --- backup --- */

static enum cs_rc sync_file(const char *file, struct cs_err *e)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	enum cs_rc rc = CS_OK;

	if (fd < 0 || fsync(fd) != 0)
		rc = CS_FAIL(e, errno == ENOSPC || errno == EDQUOT ? CS_E_NO_SPACE : CS_E_IO,
			     "%s: %s", file, strerror(errno));
	if (fd >= 0)
		close(fd);
	return rc;
}

/** All pages in one step, so under one read transaction: of one moment, and a writer does not make
 * it begin again. */
static int copy_pages(sqlite3 *from, sqlite3 *to)
{
	sqlite3_backup *b = sqlite3_backup_init(to, "main", from, "main");
	int step, end;

	if (!b)
		return sqlite3_extended_errcode(to);
	step = sqlite3_backup_step(b, -1);
	end = sqlite3_backup_finish(b);
	return step == SQLITE_DONE ? end : step;
}

int sq_copy_to(sqlite3 *from, const char *file, sqlite3 **copyp)
{
	int got = sqlite3_open_v2(file, copyp,
				  SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
					  SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_EXRESCODE,
				  NULL);

	/* half a copy is thrown away: no journal, and one fsync at the end */
	if (got == SQLITE_OK)
		got = sqlite3_exec(*copyp, "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF", NULL,
				   NULL, NULL);
	return got == SQLITE_OK ? copy_pages(from, *copyp) : got;
}

enum cs_rc cs_store_backup(struct cs_store *s, const char *file, struct cs_err *e)
{
	sqlite3 *copy = NULL;
	const int got = sq_copy_to(s->db, file, &copy);
	enum cs_rc rc = CS_OK;

	if (got != SQLITE_OK)
		rc = sq_fail(NULL, got, "copying the database", e);
	sqlite3_close(copy);
	return rc == CS_OK ? sync_file(file, e) : rc;
}

/* --- checks --- */

static enum cs_rc read_verdict(struct cs_store *s, sqlite3_stmt *st, struct cs_err *e)
{
	int got = sqlite3_step(st);

	if (got != SQLITE_ROW)
		return sq_fail(s, got, "checking the database", e);
	if (strcmp(sq_text(st, 0), "ok") != 0)
		return CS_FAIL(e, CS_E_CORRUPT, "the database is damaged: %s", sq_text(st, 0));
	return CS_OK;
}

enum cs_rc cs_store_check_pages(struct cs_store *s, struct cs_err *e)
{
	sqlite3_stmt *st = NULL;
	enum cs_rc rc;
	int got;

	/* the authorizer knows no pragma that is harmless; this one reads only */
	sq_confine(s, false);
	got = sqlite3_prepare_v2(s->db, "PRAGMA integrity_check(" INTEGRITY_PROBLEMS ")", -1, &st,
				 NULL);
	rc = got == SQLITE_OK ? read_verdict(s, st, e)
			      : sq_fail(s, got, "checking the database", e);
	sqlite3_finalize(st);
	sq_confine(s, true);
	return rc;
}
