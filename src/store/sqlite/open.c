/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a connection comes to be: lock, file, pragmas set and read back, schema, statements,
 * authorizer. Refuses whatever could lose a row or change an event. Facts: sqlite.org/pragma.html,
 * sqlite.org/c3ref.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/text.h"
#include "store/sqlite/db.h"

#define APPLICATION_ID INT64_C(0x43534c47) /* "CSLG" */

static const char schema[] =
#include "store/sqlite/schema-2.inc"
	;

static const char *const statements[SQ__COUNT] = {
#define SQ_TEXT(name, sql) [SQ_##name] = sql,
	SQ_STATEMENTS(SQ_TEXT, SQ_TEXT)
#undef SQ_TEXT
};

static const bool writers_only[SQ__COUNT] = {
#define SQ_READ(name, sql) [SQ_##name] = false,
#define SQ_WRITE(name, sql) [SQ_##name] = true,
	SQ_STATEMENTS(SQ_READ, SQ_WRITE)
#undef SQ_READ
#undef SQ_WRITE
};

/** One pragma: how it is set (NULL = only read) and what it must then read as. */
struct pragma {
	const char *name;
	const char *set;
	const char *must_be;
};

static const struct pragma writer_pragmas[] = {
	{ "journal_mode", "WAL", "wal" },
	{ "synchronous", "FULL", "2" }, /* NORMAL loses acknowledged rows in a power cut */
	{ "foreign_keys", "ON", "1" },
	{ "trusted_schema", "OFF", "0" },
	{ "cell_size_check", "ON", "1" },
	{ "wal_autocheckpoint", "0", "0" },               /* see checkpoint.c */
	{ "journal_size_limit", "67108864", "67108864" }, /* bytes; grown beside a long reader */
	{ "temp_store", "MEMORY", "2" },
	{ "cache_size", "-16384", "-16384" },
};

static const struct pragma reader_pragmas[] = {
	{ "journal_mode", NULL, "wal" },    { "query_only", "ON", "1" },
	{ "trusted_schema", "OFF", "0" },   { "cell_size_check", "ON", "1" },
	{ "wal_autocheckpoint", "0", "0" }, { "synchronous", "FULL", "2" }, /* of checkpoints */
	{ "temp_store", "MEMORY", "2" },    { "cache_size", "-512", "-512" },
};

/** One value of a one-row statement, as text; "" when there is none. */
static enum cs_rc query_text(struct cs_store *s, const char *sql, char *out, size_t size,
			     struct cs_err *e)
{
	sqlite3_stmt *st = NULL;
	enum cs_rc rc = CS_OK;
	int sqlite_rc = sqlite3_prepare_v2(s->db, sql, -1, &st, NULL);

	out[0] = '\0';
	if (sqlite_rc == SQLITE_OK)
		sqlite_rc = sqlite3_step(st);
	if (sqlite_rc == SQLITE_ROW)
		rc = sq_copy_text(st, 0, out, size, e);
	else if (sqlite_rc != SQLITE_DONE && sqlite_rc != SQLITE_OK)
		rc = sq_fail(s, sqlite_rc, "opening the database", e);
	sqlite3_finalize(st);
	return rc;
}

static enum cs_rc apply_pragmas(struct cs_store *s, const struct pragma *list, size_t count,
				struct cs_err *e)
{
	char sql[96], got[32];
	enum cs_rc rc;

	for (size_t i = 0; i < count; i++) {
		if (list[i].set) {
			sqlite3_snprintf(sizeof(sql), sql, "PRAGMA %s=%s", list[i].name,
					 list[i].set);
			rc = query_text(s, sql, got, sizeof(got), e);
			if (rc != CS_OK)
				return rc;
		}
		sqlite3_snprintf(sizeof(sql), sql, "PRAGMA %s", list[i].name);
		rc = query_text(s, sql, got, sizeof(got), e);
		if (rc != CS_OK)
			return rc;
		if (strcmp(got, list[i].must_be) != 0)
			return CS_FAIL(
				e, CS_E_CONFIG,
				"the database's %s is '%s' and must be '%s'; is the file system "
				"fit for SQLite's WAL mode?",
				list[i].name, got, list[i].must_be);
	}
	return CS_OK;
}

/** No statement of ours may ever touch an event's row again, nor change pragmas or the schema. */
static int authorize(void *arg, int action, const char *a, const char *b, const char *database,
		     const char *trigger)
{
	(void)arg, (void)b, (void)database, (void)trigger;
	switch (action) {
	case SQLITE_UPDATE:
	case SQLITE_DELETE: return a && strcmp(a, "event") == 0 ? SQLITE_DENY : SQLITE_OK;
	case SQLITE_SELECT:
	case SQLITE_READ:
	case SQLITE_INSERT:
	case SQLITE_FUNCTION:
	case SQLITE_RECURSIVE:
	case SQLITE_TRANSACTION:
	case SQLITE_SAVEPOINT: return SQLITE_OK;
	default: return SQLITE_DENY;
	}
}

void sq_confine(struct cs_store *s, bool on)
{
	sqlite3_set_authorizer(s->db, on ? authorize : NULL, NULL);
}

static void limit(struct cs_store *s)
{
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
	/* The triggers are for whoever else opens the file. An INSERT beside one keeps a copy of
	 * each page that it changes; cs_store_append looks once in a transaction where event_chain
	 * looks at every row; the authorizer denies the rest, but for INSERT OR REPLACE, which it
	 * sees as an INSERT: no statement of sql.h may have that. */
	if (s->mode == CS_STORE_WRITE)
		sqlite3_db_config(s->db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
	else
		sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	sqlite3_limit(s->db, SQLITE_LIMIT_LENGTH, (int)CS_EVENT_MAX + 4096);
	sqlite3_limit(s->db, SQLITE_LIMIT_ATTACHED, 0);
	sqlite3_limit(s->db, SQLITE_LIMIT_SQL_LENGTH, 16384);
}

static enum cs_rc prepare_all(struct cs_store *s, struct cs_err *e)
{
	for (size_t i = 0; i < SQ__COUNT; i++) {
		int rc;

		if (writers_only[i] && s->mode != CS_STORE_WRITE)
			continue;
		rc = sqlite3_prepare_v3(s->db, statements[i], -1, SQLITE_PREPARE_PERSISTENT,
					&s->stmt[i], NULL);
		if (rc != SQLITE_OK)
			return sq_fail(s, rc, "reading the database's schema", e);
	}
	return CS_OK;
}

static enum cs_rc query_int(struct cs_store *s, const char *sql, int64_t *out, struct cs_err *e)
{
	char text[32];
	enum cs_rc rc = query_text(s, sql, text, sizeof(text), e);

	if (rc == CS_OK && !cs_text_to_int(text, 0, INT64_MAX, out))
		return CS_FAIL(e, CS_E_CORRUPT, "%s gave '%s'", sql, text);
	return rc;
}

static enum cs_rc create_schema(struct cs_store *s, struct cs_err *e)
{
	char *sql = sqlite3_mprintf("BEGIN IMMEDIATE; %s PRAGMA application_id=%lld; "
				    "PRAGMA user_version=%d; COMMIT",
				    schema, (long long)APPLICATION_ID, CS_STORE_SCHEMA);
	int rc = sql ? sqlite3_exec(s->db, sql, NULL, NULL, NULL) : SQLITE_NOMEM;

	sqlite3_free(sql);
	return rc == SQLITE_OK ? CS_OK : sq_fail(s, rc, "creating the database", e);
}

/** Ours and of this version: brought up to it from an older one, or created in an empty file. */
static enum cs_rc check_schema(struct cs_store *s, const char *path, struct cs_err *e)
{
	int64_t id = 0, version = 0, tables = 0;
	enum cs_rc rc;

	if ((rc = query_int(s, "PRAGMA application_id", &id, e)) != CS_OK ||
	    (rc = query_int(s, "PRAGMA user_version", &version, e)) != CS_OK ||
	    (rc = query_int(s, "SELECT count(*) FROM sqlite_schema", &tables, e)) != CS_OK)
		return rc;
	if (tables == 0 && id == 0 && version == 0) {
		if (s->mode == CS_STORE_WRITE)
			return create_schema(s, e);
		return CS_FAIL(e, CS_E_CORRUPT, "the database is empty");
	}
	if (id != APPLICATION_ID)
		return CS_FAIL(e, CS_E_CORRUPT,
			       "the file is a database of another program "
			       "(application id 0x%llx)",
			       (unsigned long long)id);
	if (version > CS_STORE_SCHEMA)
		return CS_FAIL(e, CS_E_VERSION,
			       "the database has schema %lld, this program knows up to %d; use the "
			       "newer countersignd",
			       (long long)version, CS_STORE_SCHEMA);
	if (version < 1)
		return CS_FAIL(e, CS_E_CORRUPT, "the database has no schema version");
	if (version == CS_STORE_SCHEMA)
		return CS_OK;
	if (s->mode == CS_STORE_WRITE)
		return sq_migrate(s, path, e);
	return CS_FAIL(
		e, CS_E_VERSION,
		"the database has schema %lld, this program reads %d; start countersignd on it "
		"(or on a copy) once, which brings it up to date",
		(long long)version, CS_STORE_SCHEMA);
}

/** A file beside the database is locked for life; the database's own locks belong to SQLite. */
static enum cs_rc take_lock(struct cs_store *s, const char *path, struct cs_err *e)
{
	char *lock = sqlite3_mprintf("%s-lock", path);
	enum cs_rc rc = CS_OK;

	if (!lock)
		return CS_FAIL(e, CS_E_NOMEM, "the lock file's name");
	s->lock_fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (s->lock_fd < 0)
		rc = CS_FAIL(e, CS_E_IO, "%s: %s", lock, strerror(errno));
	else if (flock(s->lock_fd, LOCK_EX | LOCK_NB) != 0)
		rc = CS_FAIL(e, CS_E_BUSY,
			     "%s: another countersignd uses this database; stop it first", path);
	sqlite3_free(lock);
	return rc;
}

static enum cs_rc open_file(struct cs_store *s, const char *path, struct cs_err *e)
{
	int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
		    SQLITE_OPEN_EXRESCODE;
	const char *vfs = NULL;
	int rc;

	if (s->mode == CS_STORE_WRITE) {
		flags |= SQLITE_OPEN_CREATE;
		vfs = sq_writing_vfs();
	}
	rc = sqlite3_open_v2(path, &s->db, flags, vfs);
	if (rc != SQLITE_OK)
		return sq_fail(s, rc, path, e);
	sqlite3_busy_timeout(s->db, 5000);
	limit(s);
	return CS_OK;
}

static enum cs_rc open_all(struct cs_store *s, const char *path, struct cs_err *e)
{
	const struct pragma *pragmas = s->mode == CS_STORE_WRITE ? writer_pragmas : reader_pragmas;
	size_t count = s->mode == CS_STORE_WRITE
			       ? sizeof(writer_pragmas) / sizeof(writer_pragmas[0])
			       : sizeof(reader_pragmas) / sizeof(reader_pragmas[0]);
	enum cs_rc rc;

	if (s->mode == CS_STORE_WRITE && (rc = take_lock(s, path, e)) != CS_OK)
		return rc;
	if ((rc = open_file(s, path, e)) != CS_OK || (rc = check_schema(s, path, e)) != CS_OK ||
	    (rc = apply_pragmas(s, pragmas, count, e)) != CS_OK ||
	    (rc = prepare_all(s, e)) != CS_OK)
		return rc;
	sq_confine(s, true);
	rc = cs_store_log(s, &s->log, e);
	if (rc != CS_OK || s->mode != CS_STORE_WRITE)
		return rc;
	sq_watch_wal(s);
	return sq_places_load(s, &sq_places_shape, e);
}

enum cs_rc cs_store_open(const char *path, enum cs_store_mode mode, struct cs_store **sp,
			 struct cs_err *e)
{
	struct cs_err local = { 0 };
	struct cs_store *s = NULL;
	enum cs_rc rc;

	assert(path && sp);
	if (!e)
		e = &local;
	/* statistics would take a lock at every allocation; too late, and refused, after the first
	 * open
	 */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	s = calloc(1, sizeof(*s));
	if (!s)
		return CS_FAIL(e, CS_E_NOMEM, "the database connection");
	s->mode = mode;
	s->lock_fd = -1;
	cs_buf_init(&s->event, CS_EVENT_MAX);
	rc = open_all(s, path, e);
	if (rc != CS_OK) {
		cs_err_prefix(e, "%s", path);
		cs_store_close(s);
		return rc;
	}
	*sp = s;
	return CS_OK;
}

void cs_store_close(struct cs_store *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < SQ__COUNT; i++)
		sqlite3_finalize(s->stmt[i]);
	if (s->db)
		sq_confine(s, false);
	sqlite3_close(s->db);
	if (s->lock_fd >= 0)
		close(s->lock_fd);
	cs_buf_done(&s->event);
	sq_places_free(s->places);
	free(s);
}
