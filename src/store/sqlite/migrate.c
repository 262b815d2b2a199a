/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database of an older release: copied, the copy verified, and only then changed, in one
 * transaction. Must not touch a row of the log. The changes are sql/migrate-2.sql.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "store/sqlite/db.h"

static const char migrate_2[] =
#include "store/sqlite/migrate-2.inc"
	;

static const char copying[] = "copying the database before it is migrated";
static const char migrating[] = "migrating the database";

/* --- the copy --- */

/** The one value of a statement must be this text. */
static enum cs_rc expect(sqlite3 *db, const char *sql, const char *want, struct cs_err *e)
{
	sqlite3_stmt *st = NULL;
	enum cs_rc rc = CS_OK;
	int got = sqlite3_prepare_v2(db, sql, -1, &st, NULL);

	if (got == SQLITE_OK)
		got = sqlite3_step(st);
	if (got != SQLITE_ROW)
		rc = sq_fail(NULL, got, "checking the database", e);
	else if (strcmp(sq_text(st, 0), want) != 0)
		rc = CS_FAIL(e, CS_E_CORRUPT, "%s: %s, not %s", sql, sq_text(st, 0), want);
	sqlite3_finalize(st);
	return rc;
}

/** Every page in order, and the log the same as far as it goes. */
static enum cs_rc verify_copy(struct cs_store *s, sqlite3 *copy, struct cs_err *e)
{
	static const char head[] =
		"SELECT seq || ' ' || hex(hash) FROM event ORDER BY seq DESC LIMIT 1";
	sqlite3_stmt *st = NULL;
	enum cs_rc rc = expect(copy, "PRAGMA integrity_check(1)", "ok", e);
	int got;

	if (rc != CS_OK)
		return rc;
	got = sqlite3_prepare_v2(s->db, head, -1, &st, NULL);
	if (got == SQLITE_OK)
		got = sqlite3_step(st);
	if (got == SQLITE_ROW)
		rc = expect(copy, head, sq_text(st, 0), e);
	else if (got != SQLITE_DONE) /* that is an empty log */
		rc = sq_fail(s, got, copying, e);
	sqlite3_finalize(st);
	return rc;
}

static enum cs_rc fill_copy(struct cs_store *s, const char *file, struct cs_err *e)
{
	sqlite3 *copy = NULL;
	const int got = sq_copy_to(s->db, file, &copy);
	enum cs_rc rc;

	rc = got == SQLITE_OK ? verify_copy(s, copy, e) : sq_fail(NULL, got, copying, e);
	sqlite3_close(copy);
	return rc;
}

/** Under a temporary name until it is whole: what has the final name may be relied upon. */
static enum cs_rc keep_copy(struct cs_store *s, const char *temporary, const char *final,
			    struct cs_err *e)
{
	int fd = open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	enum cs_rc rc;

	if (fd < 0)
		return CS_FAIL(e, CS_E_IO, "%s: %s", temporary, strerror(errno));
	rc = fill_copy(s, temporary, e);
	if (rc == CS_OK && (fsync(fd) != 0 || rename(temporary, final) != 0))
		rc = CS_FAIL(e, CS_E_IO, "%s: %s", temporary, strerror(errno));
	close(fd);
	if (rc != CS_OK)
		unlink(temporary);
	return rc == CS_OK ? cs_file_sync_directory(final, e) : rc;
}

/* --- the change --- */

/** place(principal, value), NULL for a value that is NULL. */
static void place(sqlite3_context *context, int count, sqlite3_value **values)
{
	const char *principal = (const char *)sqlite3_value_text(values[0]);
	const uint8_t *data = sqlite3_value_blob(values[1]);
	const int len = sqlite3_value_bytes(values[1]);

	(void)count;
	if (!principal || strlen(principal) > CS_NAME_MAX || len > CS_IDEMPOTENCY_KEY_MAX)
		sqlite3_result_error(context, "a request's principal or key is too long", -1);
	else if (data)
		sqlite3_result_int64(context,
				     sq_place(principal, (struct cs_bytes){ data, (size_t)len }));
}

static enum cs_rc change(struct cs_store *s, struct cs_err *e)
{
	char *sql = sqlite3_mprintf("PRAGMA foreign_keys=OFF; BEGIN IMMEDIATE; %s "
				    "PRAGMA user_version=%d",
				    migrate_2, CS_STORE_SCHEMA);
	int got = sql ? sqlite3_create_function(s->db, "place", 2,
						SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL, place,
						NULL, NULL)
		      : SQLITE_NOMEM;
	enum cs_rc rc = CS_OK;

	if (got == SQLITE_OK)
		got = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
	if (got != SQLITE_OK)
		rc = sq_fail(s, got, migrating, e);
	sqlite3_free(sql);
	if (rc == CS_OK)
		rc = expect(s->db, "SELECT count(*) FROM pragma_foreign_key_check", "0", e);
	if (rc == CS_OK && (got = sqlite3_exec(s->db, "COMMIT", NULL, NULL, NULL)) != SQLITE_OK)
		rc = sq_fail(s, got, migrating, e);
	if (rc != CS_OK && !sqlite3_get_autocommit(s->db))
		sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	sqlite3_create_function(s->db, "place", 2, SQLITE_UTF8, NULL, NULL, NULL, NULL);
	return rc;
}

enum cs_rc sq_migrate(struct cs_store *s, const char *path, struct cs_err *e)
{
	char *temporary = NULL, *final = NULL;
	enum cs_rc rc = CS_OK;

	if (asprintf(&temporary, "%s-schema-1.tmp", path) < 0 ||
	    asprintf(&final, "%s-schema-1", path) < 0)
		rc = CS_FAIL(e, CS_E_NOMEM, "the name of the copy");
	if (rc == CS_OK)
		rc = keep_copy(s, temporary, final, e);
	if (rc == CS_OK)
		rc = change(s, e);
	free(temporary);
	free(final);
	return rc;
}
