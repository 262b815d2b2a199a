/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A thin SQLite VFS for the writing connection: the frames of a commit reach the WAL in one write,
 * where SQLite makes two for each page. Must not hold back anything of a commit: its last frame
 * takes all with it. Formats: sqlite.org/walformat.html; interface: sqlite.org/c3ref/vfs.html.
 */
#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "store/sqlite/db.h"

#define FRAME_HEADER_LEN 24
#define BUFFER_LEN (31 * (FRAME_HEADER_LEN + 4096)) /* SQLite writes at most 2^17 - 1 at once */
#define FRAME_COMMIT_AT 4 /* of the header: u32, size of the database; 0 but in a last frame */

/** An open WAL; the file that it stands for follows it in memory. */
struct wal {
	sqlite3_file base;
	uint8_t *buffer;  /* owned */
	sqlite3_int64 at; /* place of the buffer's content in the file */
	int len;
	bool in_last;   /* the header of a commit's last frame was written, its page was not */
	int64_t synced; /* µs that it was being synced, since sq_wal_synced asked */
};

/* SQLite keeps a pointer to what is registered, for as long as the process lives. */
static sqlite3_vfs registered;
static sqlite3_vfs *unix_vfs;

static sqlite3_file *real(sqlite3_file *file)
{
	return (sqlite3_file *)((struct wal *)file + 1);
}

/** What cannot be written is dropped: the commit fails, and its frames are void. */
static int flush(struct wal *w)
{
	sqlite3_file *f = real(&w->base);
	const int len = w->len;

	w->len = 0;
	return len > 0 ? f->pMethods->xWrite(f, w->buffer, len, w->at) : SQLITE_OK;
}

static int wal_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
	struct wal *w = (struct wal *)file;
	const bool is_last = w->in_last && len != FRAME_HEADER_LEN;
	int rc = SQLITE_OK;

	if (at != w->at + w->len || len > BUFFER_LEN - w->len)
		rc = flush(w);
	if (rc != SQLITE_OK || len > BUFFER_LEN)
		return rc != SQLITE_OK ? rc
				       : real(file)->pMethods->xWrite(real(file), data, len, at);
	if (w->len == 0)
		w->at = at;
	memcpy(w->buffer + w->len, data, (size_t)len);
	w->len += len;
	w->in_last = len == FRAME_HEADER_LEN &&
		     memcmp((const uint8_t *)data + FRAME_COMMIT_AT, "\0\0\0\0", 4) != 0;
	return is_last ? flush(w) : SQLITE_OK;
}

static int wal_close(sqlite3_file *file)
{
	struct wal *w = (struct wal *)file;
	const int rc = real(file)->pMethods->xClose(real(file));

	sqlite3_free(w->buffer);
	return rc;
}

static int wal_read(sqlite3_file *file, void *data, int len, sqlite3_int64 at)
{
	const int rc = flush((struct wal *)file);

	return rc == SQLITE_OK ? real(file)->pMethods->xRead(real(file), data, len, at) : rc;
}

static int wal_truncate(sqlite3_file *file, sqlite3_int64 size)
{
	const int rc = flush((struct wal *)file);

	return rc == SQLITE_OK ? real(file)->pMethods->xTruncate(real(file), size) : rc;
}

static int wal_sync(sqlite3_file *file, int flags)
{
	struct wal *w = (struct wal *)file;
	int rc = flush(w);
	int64_t start;

	if (rc != SQLITE_OK)
		return rc;
	start = cs_clock_mono();
	rc = real(file)->pMethods->xSync(real(file), flags);
	w->synced += cs_clock_mono() - start;
	return rc;
}

static int wal_size(sqlite3_file *file, sqlite3_int64 *sizep)
{
	const int rc = flush((struct wal *)file);

	return rc == SQLITE_OK ? real(file)->pMethods->xFileSize(real(file), sizep) : rc;
}

static int wal_lock(sqlite3_file *file, int level)
{
	return real(file)->pMethods->xLock(real(file), level);
}

static int wal_unlock(sqlite3_file *file, int level)
{
	return real(file)->pMethods->xUnlock(real(file), level);
}

static int wal_reserved(sqlite3_file *file, int *resultp)
{
	return real(file)->pMethods->xCheckReservedLock(real(file), resultp);
}

static int wal_control(sqlite3_file *file, int op, void *arg)
{
	return real(file)->pMethods->xFileControl(real(file), op, arg);
}

static int wal_sector_size(sqlite3_file *file)
{
	return real(file)->pMethods->xSectorSize(real(file));
}

static int wal_characteristics(sqlite3_file *file)
{
	return real(file)->pMethods->xDeviceCharacteristics(real(file));
}

static const sqlite3_io_methods wal_methods = {
	.iVersion = 1,
	.xClose = wal_close,
	.xRead = wal_read,
	.xWrite = wal_write,
	.xTruncate = wal_truncate,
	.xSync = wal_sync,
	.xFileSize = wal_size,
	.xLock = wal_lock,
	.xUnlock = wal_unlock,
	.xCheckReservedLock = wal_reserved,
	.xFileControl = wal_control,
	.xSectorSize = wal_sector_size,
	.xDeviceCharacteristics = wal_characteristics,
};

static int open_any(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out)
{
	struct wal *w = (struct wal *)file;
	int rc;

	(void)vfs;
	if (!(flags & SQLITE_OPEN_WAL))
		return unix_vfs->xOpen(unix_vfs, name, file, flags, out);
	memset(w, 0, sizeof(*w));
	w->buffer = sqlite3_malloc(BUFFER_LEN);
	rc = w->buffer ? unix_vfs->xOpen(unix_vfs, name, real(file), flags, out) : SQLITE_NOMEM;
	if (rc == SQLITE_OK)
		w->base.pMethods = &wal_methods;
	else
		sqlite3_free(w->buffer);
	return rc;
}

static void register_once(void)
{
	unix_vfs = sqlite3_vfs_find(NULL);
	if (!unix_vfs)
		return;
	registered = *unix_vfs;
	registered.pNext = NULL;
	registered.zName = "countersign";
	registered.szOsFile += (int)sizeof(struct wal);
	registered.xOpen = open_any;
	if (sqlite3_vfs_register(&registered, 0) != SQLITE_OK)
		unix_vfs = NULL;
}

const char *sq_writing_vfs(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, register_once);
	return unix_vfs ? registered.zName : NULL;
}

int64_t sq_wal_synced(sqlite3 *db)
{
	sqlite3_file *file = NULL;
	struct wal *w;
	int64_t us;

	if (sqlite3_file_control(db, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file) != SQLITE_OK ||
	    !file || file->pMethods != &wal_methods)
		return 0;
	w = (struct wal *)file;
	us = w->synced;
	w->synced = 0;
	return us;
}
