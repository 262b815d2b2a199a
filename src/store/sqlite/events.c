/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transactions and the event log: appending keeps the head in memory, and the head goes back with
 * every rollback, as the requests in memory do.
 */
#include <assert.h>
#include <string.h>

#include "store/sqlite/db.h"

static const char appending[] = "appending to the log";

/** SQLite ends a transaction by itself after some errors; nothing may be written as if it had not.
 */
static enum cs_rc check_open(const struct cs_store *s, struct cs_err *e)
{
	if (sqlite3_get_autocommit(s->db))
		return CS_FAIL(e, CS_E_IO, "SQLite ended the transaction after an error");
	return CS_OK;
}

/** The last event, for all of the reference but its id; size 0 for an empty log. */
static enum cs_rc read_end(struct cs_store *s, struct cs_log_ref *out, struct cs_err *e)
{
	sqlite3_stmt *st = sq_bind(s, SQ_EVENT_LAST, "");
	enum cs_rc rc = sq_next(s, st, "reading the log's end", e);

	*out = (struct cs_log_ref){ 0 };
	if (rc == CS_E_NOT_FOUND)
		return CS_OK;
	if (rc != CS_OK)
		return rc;
	out->size = sqlite3_column_int64(st, 0);
	rc = sq_copy_hash(st, 1, &out->head, e);
	sq_reset(st);
	return rc;
}

/** Before the first event of a transaction. From here to the commit nobody else writes, so what
 * follows is ours. */
static enum cs_rc check_end(struct cs_store *s, struct cs_err *e)
{
	struct cs_log_ref log;
	enum cs_rc rc = check_open(s, e);

	if (rc != CS_OK || s->is_end_checked)
		return rc;
	rc = read_end(s, &log, e);
	if (rc != CS_OK)
		return rc;
	s->end_differs = log.size != s->log.size || !cs_sha256_equal(&log.head, &s->log.head);
	if (s->end_differs)
		return CS_FAIL(
			e, CS_E_UNAVAILABLE,
			"the log ends with event %lld, and not as this process left it after "
			"event %lld: another program wrote to the database; stop it, and see "
			"`audit verify`",
			(long long)log.size, (long long)s->log.size);
	s->is_end_checked = true;
	return CS_OK;
}

enum cs_rc cs_store_begin(struct cs_store *s, struct cs_err *e)
{
	enum cs_rc rc;

	s->durable = s->log;
	s->is_end_checked = false;
	sq_places_begin(s->places);
	rc = sq_run(s, sq_bind(s, SQ_BEGIN, ""), NULL, "beginning a transaction", e);
	/* is it mended? Whether anything is appended or not */
	if (rc == CS_OK && s->end_differs)
		(void)check_end(s, NULL);
	return rc;
}

bool cs_store_end_differs(const struct cs_store *s)
{
	return s->end_differs;
}

enum cs_rc cs_store_commit(struct cs_store *s, struct cs_err *e)
{
	enum cs_rc rc;

	sq_wal_synced(s->db); /* by a checkpoint */
	rc = sq_run(s, sq_bind(s, SQ_COMMIT, ""), NULL, "committing", e);
	s->sync_us = sq_wal_synced(s->db);
	if (rc == CS_OK)
		sq_places_commit(s->places);
	else
		cs_store_rollback(s);
	return rc;
}

int64_t cs_store_sync_us(const struct cs_store *s)
{
	return s->sync_us;
}

void cs_store_rollback(struct cs_store *s)
{
	s->log = s->durable;
	sq_places_rollback(s->places);
	if (sqlite3_get_autocommit(s->db))
		return; /* SQLite ended the transaction itself */
	if (sq_run(s, sq_bind(s, SQ_ROLLBACK, ""), NULL, "rolling back", NULL) != CS_OK)
		return; /* the next BEGIN reports what is wrong */
}

int64_t cs_store_written(const struct cs_store *s)
{
	return sqlite3_get_autocommit(s->db) ? -1 : sqlite3_total_changes64(s->db);
}

enum cs_rc cs_store_savepoint(struct cs_store *s, struct cs_err *e)
{
	s->kept = s->log;
	sq_places_savepoint(s->places);
	return sq_run(s, sq_bind(s, SQ_SAVEPOINT, ""), NULL, "beginning a command", e);
}

enum cs_rc cs_store_release(struct cs_store *s, struct cs_err *e)
{
	return sq_run(s, sq_bind(s, SQ_RELEASE, ""), NULL, "ending a command", e);
}

enum cs_rc cs_store_revert(struct cs_store *s, struct cs_err *e)
{
	enum cs_rc rc;

	s->log = s->kept;
	sq_places_revert(s->places);
	rc = check_open(s, e);
	if (rc == CS_OK)
		rc = sq_run(s, sq_bind(s, SQ_REVERT, ""), NULL, "undoing a command", e);
	return rc == CS_OK ? cs_store_release(s, e) : rc;
}

enum cs_rc cs_store_append(struct cs_store *s, struct cs_event *ev, int64_t *seqp, struct cs_err *e)
{
	struct cs_sha256 hash;
	struct cs_bytes bytes;
	enum cs_rc rc;

	assert(s->mode == CS_STORE_WRITE && ev->kind != CS_EV_NONE);
	rc = check_end(s, e);
	if (rc != CS_OK)
		return rc;
	ev->seq = s->log.size + 1;
	ev->prev = s->log.head;
	cs_buf_reset(&s->event);
	cs_event_write(ev, &s->event);
	rc = cs_buf_ok(&s->event, "event", e);
	if (rc != CS_OK)
		return rc;
	bytes = cs_buf_bytes(&s->event);
	hash = cs_event_hash(bytes);
	rc = sq_run(s, sq_bind(s, SQ_EVENT_INSERT, "ibhh", ev->seq, bytes, &hash, &ev->prev), NULL,
		    appending, e);
	if (rc != CS_OK)
		return rc;
	if (ev->seq == 1)
		s->log.id = hash;
	s->log.size = ev->seq;
	s->log.head = hash;
	if (seqp)
		*seqp = ev->seq;
	return CS_OK;
}

int64_t cs_store_next_seq(const struct cs_store *s)
{
	return s->log.size + 1;
}

struct cs_log_ref cs_store_known_log(const struct cs_store *s)
{
	return s->log;
}

enum cs_rc cs_store_log(struct cs_store *s, struct cs_log_ref *out, struct cs_err *e)
{
	struct cs_log_ref log;
	enum cs_rc rc = read_end(s, &log, e);

	if (rc == CS_OK && log.size > 0)
		rc = cs_store_event_hash(s, 1, &log.id, e);
	if (rc == CS_OK)
		*out = log;
	return rc;
}

enum cs_rc cs_store_event_hash(struct cs_store *s, int64_t seq, struct cs_sha256 *out,
			       struct cs_err *e)
{
	sqlite3_stmt *st = sq_bind(s, SQ_EVENT_HASH, "i", seq);
	enum cs_rc rc = sq_next(s, st, "reading an event's hash", e);

	if (rc != CS_OK)
		return rc;
	rc = sq_copy_hash(st, 0, out, e);
	sq_reset(st);
	return rc;
}

enum cs_rc cs_store_events(struct cs_store *s, int64_t from, int64_t to, size_t soft_max,
			   struct cs_buf *out, int64_t *nextp, struct cs_err *e)
{
	sqlite3_stmt *st = sq_bind(s, SQ_EVENT_RANGE, "ii", from, to);
	size_t start = out->len;
	int64_t next = from;
	enum cs_rc rc;

	while ((rc = sq_next(s, st, "reading events", e)) == CS_OK) {
		struct cs_bytes bytes = sq_bytes(st, 1);

		if (next > from && out->len - start + bytes.len + 1 > soft_max) {
			sq_reset(st);
			break;
		}
		if (sqlite3_column_int64(st, 0) != next) {
			sq_reset(st);
			return CS_FAIL(e, CS_E_CORRUPT, "event %lld is missing", (long long)next);
		}
		cs_buf_add(out, bytes.data, bytes.len);
		cs_buf_add_char(out, '\n');
		next++;
	}
	if (rc != CS_OK && rc != CS_E_NOT_FOUND)
		return rc;
	*nextp = next;
	return cs_buf_ok(out, "export page", e);
}
