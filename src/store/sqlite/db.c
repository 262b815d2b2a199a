/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Statements and results: how the files of this directory talk to SQLite.
 * Must not know tables; see open.c for how a connection comes to be.
 */
#include "store/sqlite/db.h"

#include <assert.h>
#include <stdarg.h>
#include <string.h>

enum cs_rc sq_fail(const struct cs_store *s, int sqlite_rc, const char *what, struct cs_err *e)
{
	static const struct {
		int primary;
		enum cs_rc rc;
		const char *help;
	} map[] = {
		{ SQLITE_FULL, CS_E_NO_SPACE, "the disk is full; free some space" },
		{ SQLITE_CORRUPT, CS_E_CORRUPT, "the database is damaged; restore a backup" },
		{ SQLITE_NOTADB, CS_E_CORRUPT, "the file is not a countersign database" },
		{ SQLITE_NOMEM, CS_E_NOMEM, "out of memory" },
		{ SQLITE_BUSY, CS_E_BUSY, "the database is locked by another program" },
		{ SQLITE_LOCKED, CS_E_BUSY, "the database is locked" },
		{ SQLITE_READONLY, CS_E_IO, "the database is read-only; check its owner and mode" },
		{ SQLITE_CANTOPEN, CS_E_IO,
		  "the file cannot be opened; check the path, owner and mode" },
		{ SQLITE_IOERR, CS_E_IO, "input/output error" },
		{ SQLITE_CONSTRAINT, CS_E_CORRUPT, "stored rows contradict each other" },
	};
	const char *detail = s && s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(sqlite_rc);

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (map[i].primary == (sqlite_rc & 0xff))
			return CS_FAIL(e, map[i].rc, "%s: %s (%s)", what, map[i].help, detail);
	return CS_FAIL(e, CS_E_INTERNAL, "%s: %s", what, detail);
}

static void bind_bytes(sqlite3_stmt *st, int place, const void *data, size_t len)
{
	int rc;

	if (len == 0)
		rc = sqlite3_bind_zeroblob(st, place, 0);
	else
		rc = sqlite3_bind_blob64(st, place, data, len, SQLITE_STATIC);
	assert(rc == SQLITE_OK || rc == SQLITE_NOMEM);
}

sqlite3_stmt *sq_bind(struct cs_store *s, enum sq_id id, const char *types, ...)
{
	sqlite3_stmt *st = s->stmt[id];
	va_list ap;

	assert(st); /* a reading connection asked for a writer's statement */
	assert(sqlite3_bind_parameter_count(st) == (int)strlen(types));
	sqlite3_reset(st);
	va_start(ap, types);
	for (int i = 1; types[i - 1]; i++) {
		switch (types[i - 1]) {
		case 't':
			sqlite3_bind_text(st, i, va_arg(ap, const char *), -1, SQLITE_STATIC);
			break;
		case 'i': sqlite3_bind_int64(st, i, va_arg(ap, int64_t)); break;
		case 'n': sqlite3_bind_null(st, i); break;
		case 'h':
			bind_bytes(st, i, va_arg(ap, const struct cs_sha256 *)->b, CS_SHA256_LEN);
			break;
		case 'b': {
			struct cs_bytes b = va_arg(ap, struct cs_bytes);

			bind_bytes(st, i, b.data, b.len);
			break;
		}
		default: assert(!"unknown type letter");
		}
	}
	va_end(ap);
	return st;
}

void sq_reset(sqlite3_stmt *st)
{
	sqlite3_reset(st);
	sqlite3_clear_bindings(st); /* nothing borrowed stays behind */
}

enum cs_rc sq_next(struct cs_store *s, sqlite3_stmt *st, const char *what, struct cs_err *e)
{
	int rc = sqlite3_step(st);
	enum cs_rc result;

	if (rc == SQLITE_ROW)
		return CS_OK;
	if (rc == SQLITE_DONE) {
		sq_reset(st);
		return CS_FAIL(e, CS_E_NOT_FOUND, "%s: no row", what);
	}
	result = sq_fail(s, rc, what, e);
	sq_reset(st);
	return result;
}

enum cs_rc sq_run(struct cs_store *s, sqlite3_stmt *st, int *changedp, const char *what,
		  struct cs_err *e)
{
	int rc = sqlite3_step(st);
	enum cs_rc result = CS_OK;

	if (rc != SQLITE_DONE)
		result = sq_fail(s, rc, what, e);
	else if (changedp)
		*changedp = sqlite3_changes(s->db);
	sq_reset(st);
	return result;
}

struct cs_bytes sq_bytes(sqlite3_stmt *st, int column)
{
	const uint8_t *data = sqlite3_column_blob(st, column);
	int len = sqlite3_column_bytes(st, column);

	return (struct cs_bytes){ data, data && len > 0 ? (size_t)len : 0 };
}

const char *sq_text(sqlite3_stmt *st, int column)
{
	const unsigned char *text = sqlite3_column_text(st, column);

	return text ? (const char *)text : "";
}

enum cs_rc sq_copy_text(sqlite3_stmt *st, int column, char *out, size_t size, struct cs_err *e)
{
	const char *text = sq_text(st, column);
	size_t len = strlen(text);

	if (len >= size)
		return CS_FAIL(e, CS_E_CORRUPT,
			       "column %s holds %zu bytes, at most %zu are allowed",
			       sqlite3_column_name(st, column), len, size - 1);
	memcpy(out, text, len + 1);
	return CS_OK;
}

enum cs_rc sq_copy_hash(sqlite3_stmt *st, int column, struct cs_sha256 *out, struct cs_err *e)
{
	struct cs_bytes b = sq_bytes(st, column);

	if (b.len != CS_SHA256_LEN)
		return CS_FAIL(e, CS_E_CORRUPT, "column %s holds %zu bytes, not a SHA-256 hash",
			       sqlite3_column_name(st, column), b.len);
	memcpy(out->b, b.data, CS_SHA256_LEN);
	return CS_OK;
}

int64_t sq_place(const char *principal, struct cs_bytes value)
{
	uint8_t bytes[CS_NAME_MAX + 1 + CS_IDEMPOTENCY_KEY_MAX];
	const size_t name_len = strlen(principal) + 1;
	struct cs_sha256 hash;
	uint64_t place = 0;

	assert(name_len <= CS_NAME_MAX + 1 && value.len <= CS_IDEMPOTENCY_KEY_MAX);
	memcpy(bytes, principal, name_len);
	memcpy(bytes + name_len, value.data, value.len);
	hash = cs_sha256((struct cs_bytes){ bytes, name_len + value.len });
	for (size_t i = 0; i < sizeof(place); i++)
		place = place << 8 | hash.b[i];
	return (int64_t)place;
}
