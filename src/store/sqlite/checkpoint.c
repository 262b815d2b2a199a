/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The write-ahead log: how much is in it, and how it is brought into the database. Any connection
 * may do that, beside the one that writes. See sqlite.org/wal.html and sqlite.org/c3ref,
 * sqlite3_wal_checkpoint_v2.
 */
#include "store/sqlite/db.h"

#define WAL_PAGES_MAX 15000 /* 62 MB; journal_size_limit in open.c is a little more */

/** Whoever writes and never asks for a checkpoint gets one at last. What it returns becomes the
 * commit's result. */
static int note_commit(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct cs_store *s = arg;
	int rc = SQLITE_OK;

	s->wal_pages = pages;
	if (pages >= WAL_PAGES_MAX)
		rc = sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	return (rc & 0xff) == SQLITE_IOERR ? rc : SQLITE_OK;
}

void sq_watch_wal(struct cs_store *s)
{
	sqlite3_wal_hook(s->db, note_commit, s);
}

int64_t cs_store_wal_pages(const struct cs_store *s)
{
	return s->wal_pages;
}

/** SQLite leaves this to the checkpoint that brings the last page: to the writer's, which would
 * then wait until the disk has all of them. */
static int sync_database(sqlite3 *db)
{
	sqlite3_file *file = NULL;
	const int rc = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);

	if (rc != SQLITE_OK)
		return rc;
	return file->pMethods->xSync(file, SQLITE_SYNC_NORMAL | SQLITE_SYNC_DATAONLY);
}

enum cs_rc cs_store_checkpoint(struct cs_store *s, struct cs_err *e)
{
	int in_log = 0, brought = 0;
	int rc = sqlite3_wal_checkpoint_v2(s->db, "main", SQLITE_CHECKPOINT_PASSIVE, &in_log,
					   &brought);

	if (rc == SQLITE_OK && brought < in_log)
		rc = sync_database(s->db);
	return rc == SQLITE_OK || rc == SQLITE_BUSY ? CS_OK : sq_fail(s, rc, "a checkpoint", e);
}
