/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SQLite store's inside: the connection and the small vocabulary its files speak in.
 * Only files of this directory include it.
 */
#ifndef CS_STORE_SQLITE_DB_H
#define CS_STORE_SQLITE_DB_H

#include <sqlite3.h>

#include "store/sqlite/places.h"
#include "store/sqlite/sql.h"
#include "store/store.h"

struct cs_store {
	sqlite3 *db;
	sqlite3_stmt *stmt[SQ__COUNT]; /* NULL where this connection has no use for it */
	enum cs_store_mode mode;
	int lock_fd;               /* −1 for readers */
	struct cs_log_ref log;     /* the writer's head of the log */
	struct cs_log_ref kept;    /* as it was at the savepoint */
	struct cs_log_ref durable; /* as it was at BEGIN */
	bool is_end_checked;       /* in this transaction: the database has that head */
	bool end_differs;          /* as it was seen last: it has another */
	struct cs_buf event;       /* scratch for appending */
	struct sq_places *places;  /* the writer's; NULL for readers */
	int64_t sync_us;           /* that the last commit waited for the disk */
	int64_t wal_pages;         /* as the writer's last commit left them */
};

/** Put the authorizer in force, or lift it for a statement that it does not know. */
void sq_confine(struct cs_store *s, bool on);

/**
 * The whole of a database into an empty file, not synced; an SQLite result.
 *
 * @param copyp  the copy, to be closed whatever the result is
 */
int sq_copy_to(sqlite3 *from, const char *file, sqlite3 **copyp);

/** Translate SQLite's last result. `what` names what was being done. */
enum cs_rc sq_fail(const struct cs_store *s, int sqlite_rc, const char *what, struct cs_err *e);

/**
 * Bind all parameters in order. One letter each: t const char * (NULL allowed), i int64_t, h const
 * struct cs_sha256 *, b struct cs_bytes, n nothing: NULL without an argument. Text and bytes are
 * borrowed until the statement is reset.
 */
sqlite3_stmt *sq_bind(struct cs_store *s, enum sq_id id, const char *types, ...);

/** Run a bound statement that gives no row. @param changedp number of rows changed; may be NULL */
enum cs_rc sq_run(struct cs_store *s, sqlite3_stmt *st, int *changedp, const char *what,
		  struct cs_err *e) CS_MUST_CHECK;
/** Step to the next row: CS_OK with a row, CS_E_NOT_FOUND at the end (then it is reset), or an
 * error (reset, too). */
enum cs_rc sq_next(struct cs_store *s, sqlite3_stmt *st, const char *what,
		   struct cs_err *e) CS_MUST_CHECK;
void sq_reset(sqlite3_stmt *st);

struct cs_bytes sq_bytes(sqlite3_stmt *st, int column);
const char *sq_text(sqlite3_stmt *st, int column); /* "" for NULL */
/** Copy text that fits; CS_E_CORRUPT when it does not. */
enum cs_rc sq_copy_text(sqlite3_stmt *st, int column, char *out, size_t size,
			struct cs_err *e) CS_MUST_CHECK;
enum cs_rc sq_copy_hash(sqlite3_stmt *st, int column, struct cs_sha256 *out,
			struct cs_err *e) CS_MUST_CHECK;

/** Bring a database of schema 1 up to CS_STORE_SCHEMA, after a verified copy to PATH-schema-1. */
enum cs_rc sq_migrate(struct cs_store *s, const char *path, struct cs_err *e) CS_MUST_CHECK;

/** Count the write-ahead log's pages at each commit of this connection. */
void sq_watch_wal(struct cs_store *s);

/** How long the WAL of a connection with that VFS was being synced since the last call, µs. */
int64_t sq_wal_synced(sqlite3 *db);
/** The name of the VFS that a writing connection uses; NULL for SQLite's own. */
const char *sq_writing_vfs(void);

/** Where a value of this principal stands in an index: the first 8 bytes of SHA-256(principal, 0,
 * value). */
int64_t sq_place(const char *principal, struct cs_bytes value);

#endif
