/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads events as they are on disk now and compares each with its hash and with the event before.
 * Must not trust what this connection read before, nor stop at the first event that is damaged.
 */
#include <string.h>

#include "store/sqlite/db.h"

/* Events of one page of a b-tree are few; what SQLite cannot read is passed over in such steps. */
#define UNREADABLE_STEP 32

/* What a row should be, and what it says of itself. */
struct row {
	int64_t seq;
	struct cs_bytes bytes, hash, prev;
	struct cs_sha256 computed;
};

static struct row read_row(sqlite3_stmt *st)
{
	struct row r = {
		.seq = sqlite3_column_int64(st, 0),
		.bytes = sq_bytes(st, 1),
		.hash = sq_bytes(st, 2),
		.prev = sq_bytes(st, 3),
	};

	r.computed = cs_event_hash(r.bytes);
	return r;
}

static bool is_hash(struct cs_bytes b, const struct cs_sha256 *h)
{
	return b.len == CS_SHA256_LEN && memcmp(b.data, h->b, CS_SHA256_LEN) == 0;
}

/* A changed hash of the event before is that event's damage: its bytes still say what it was. */
static bool follows(const struct row *r, const struct cs_chain_check *at)
{
	return !at->anchored || is_hash(r->prev, &at->stored) || is_hash(r->prev, &at->computed);
}

static enum cs_rc judge(const struct row *r, const struct cs_chain_check *at, struct cs_err *e)
{
	if (r->seq != at->next)
		return CS_FAIL(e, CS_E_CORRUPT, "it is missing, and %lld follows",
			       (long long)r->seq);
	if (!is_hash(r->hash, &r->computed))
		return CS_FAIL(e, CS_E_CORRUPT, "its bytes do not have its hash");
	if (!follows(r, at))
		return CS_FAIL(e, CS_E_CORRUPT, "it does not follow the event before");
	return CS_OK;
}

static void step(struct cs_chain_check *at, const struct row *r)
{
	at->next = r->seq + 1;
	at->computed = r->computed;
	at->stored = r->computed;
	if (r->hash.len == CS_SHA256_LEN)
		memcpy(at->stored.b, r->hash.data, CS_SHA256_LEN);
	at->anchored = true;
}

/* No row came. Unless the reading may be tried again, the event that was to come is damaged. */
static enum cs_rc pass_over(struct cs_chain_check *at, int64_t to, enum cs_rc rc, struct cs_err *e)
{
	if (rc == CS_E_IO || rc == CS_E_BUSY || rc == CS_E_NOMEM)
		return rc;
	at->bad = at->next;
	at->anchored = false;
	if (rc == CS_E_NOT_FOUND) {
		at->next = to + 1;
		return CS_FAIL(e, CS_E_CORRUPT, "it is missing, and so is what followed it");
	}
	at->next = at->next + UNREADABLE_STEP <= to ? at->next + UNREADABLE_STEP : to + 1;
	e->rc = CS_E_CORRUPT; /* SQLite calls it by several names */
	return CS_E_CORRUPT;
}

enum cs_rc cs_store_check(struct cs_store *s, struct cs_chain_check *at, int64_t to,
			  size_t soft_max, size_t *bytesp, struct cs_err *e)
{
	sqlite3_stmt *st = sq_bind(s, SQ_EVENT_ROWS, "ii", at->next, to);
	enum cs_rc rc = CS_OK;
	size_t bytes = 0;

	sqlite3_db_release_memory(s->db); /* pages read before may have changed on disk since */
	at->bad = 0;
	while (at->next <= to && bytes < soft_max && rc == CS_OK) {
		struct row r;

		rc = sq_next(s, st, "reading events", e);
		if (rc != CS_OK) {
			rc = pass_over(at, to, rc, e);
			break;
		}
		r = read_row(st);
		rc = judge(&r, at, e);
		if (rc != CS_OK)
			at->bad = at->next;
		step(at, &r);
		bytes += r.bytes.len;
	}
	sq_reset(st);
	*bytesp = bytes;
	return rc;
}
