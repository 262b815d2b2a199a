/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of requests: insert, guard-and-change, and the lists that people and timers ask for.
 */
#include <assert.h>
#include <string.h>

#include "store/sqlite/db.h"

static const char reading[] = "reading a request";
static const char writing[] = "recording a request";

void cs_request_row_init(struct cs_request_row *r)
{
	memset(r, 0, sizeof(*r));
	cs_buf_init(&r->document, CS_DOCUMENT_MAX);
}

void cs_request_row_done(struct cs_request_row *r)
{
	cs_buf_done(&r->document);
}

/** Columns in the order of SQ_REQUEST_COLUMNS. */
static enum cs_rc read_row(sqlite3_stmt *st, struct cs_request_row *r, struct cs_err *e)
{
	enum cs_rc rc;

	if ((rc = sq_copy_text(st, 1, r->id, sizeof(r->id), e)) != CS_OK ||
	    (rc = sq_copy_text(st, 2, r->principal, sizeof(r->principal), e)) != CS_OK ||
	    (rc = sq_copy_text(st, 5, r->reason, sizeof(r->reason), e)) != CS_OK ||
	    (rc = sq_copy_text(st, 11, r->comment, sizeof(r->comment), e)) != CS_OK)
		return rc;
	r->num = sqlite3_column_int64(st, 0);
	r->environment = cs_env_from_name(sq_text(st, 3));
	r->state = cs_state_from_name(sq_text(st, 4));
	r->created = sqlite3_column_int64(st, 6);
	r->expires = sqlite3_column_int64(st, 7);
	r->revision = sqlite3_column_int64(st, 8);
	r->next_attempt = sqlite3_column_int64(st, 9);
	r->attempts = sqlite3_column_int64(st, 10);
	if (r->environment == CS_ENV_NONE || r->state == CS_ST_NONE)
		return CS_FAIL(e, CS_E_CORRUPT, "request %s has an unknown state or environment",
			       r->id);
	return CS_OK;
}

/** The two columns after them. */
static enum cs_rc read_document(sqlite3_stmt *st, struct cs_request_row *r, struct cs_err *e)
{
	const struct cs_bytes document = sq_bytes(st, 13);
	enum cs_rc rc = sq_copy_hash(st, 12, &r->document_sha256, e);

	if (rc != CS_OK)
		return rc;
	cs_buf_reset(&r->document);
	cs_buf_add(&r->document, document.data, document.len);
	return cs_buf_ok(&r->document, "request document", e);
}

enum cs_rc cs_store_request_groups(struct cs_store *s, int64_t num, const struct cs_quorum_list *q,
				   struct cs_err *e)
{
	enum cs_rc rc = CS_OK;

	for (size_t i = 0; rc == CS_OK && i < q->count; i++)
		rc = sq_run(s, sq_bind(s, SQ_REQUEST_GROUP_INSERT, "ti", q->lines[i].group, num),
			    NULL, writing, e);
	return rc;
}

static enum cs_rc insert_artifacts(struct cs_store *s, const struct cs_request_row *r, size_t count,
				   struct cs_err *e)
{
	const bool begun = r->state == CS_ST_SIGNING;
	const char *state = cs_artifact_state_name(begun ? CS_AS_SIGNING : CS_AS_WAITING);
	enum cs_rc rc = CS_OK;

	for (size_t i = 0; rc == CS_OK && i < count; i++)
		rc = sq_run(s,
			    sq_bind(s, SQ_ARTIFACT_INSERT, "iiti", r->num, (int64_t)i, state,
				    (int64_t)begun),
			    NULL, writing, e);
	return rc;
}

static enum cs_rc insert_document(struct cs_store *s, const struct cs_request_row *r,
				  const struct cs_idempotency *key, struct cs_err *e)
{
	const struct cs_bytes equality = { r->equality.b, CS_SHA256_LEN };
	const int64_t equality_place = sq_place(r->principal, equality);
	int64_t key_place = 0;
	sqlite3_stmt *st;
	enum cs_rc rc;

	if (key) {
		key_place = sq_place(r->principal, cs_bytes_of(key->key));
		st = sq_bind(s, SQ_DOCUMENT_INSERT, "ihhitihb", r->num, &r->document_sha256,
			     &r->equality, equality_place, key->key, key_place, &key->fingerprint,
			     cs_buf_bytes(&r->document));
	} else {
		st = sq_bind(s, SQ_DOCUMENT_INSERT, "ihhitnnb", r->num, &r->document_sha256,
			     &r->equality, equality_place, NULL, cs_buf_bytes(&r->document));
	}
	rc = sq_run(s, st, NULL, writing, e);
	return rc == CS_OK ? sq_places_add(s, r->num, equality_place, key ? &key_place : NULL, e)
			   : rc;
}

enum cs_rc cs_store_request_insert(struct cs_store *s, struct cs_request_row *r,
				   const struct cs_request *doc, const struct cs_idempotency *key,
				   struct cs_err *e)
{
	sqlite3_stmt *st;
	enum cs_rc rc;

	st = sq_bind(s, SQ_REQUEST_INSERT, "ttttiiiiit", r->id, r->principal,
		     cs_env_name(r->environment), cs_state_name(r->state), r->created, r->expires,
		     r->revision, r->next_attempt, r->attempts, r->comment);
	rc = sq_run(s, st, NULL, writing, e);
	if (rc != CS_OK)
		return rc;
	r->num = sqlite3_last_insert_rowid(s->db);
	if ((rc = insert_document(s, r, key, e)) != CS_OK ||
	    (rc = insert_artifacts(s, r, doc->count, e)) != CS_OK)
		return rc;
	return cs_store_request_groups(s, r->num, &doc->quorum, e);
}

enum cs_rc cs_store_request(struct cs_store *s, const char *id, struct cs_request_row *out,
			    struct cs_err *e)
{
	sqlite3_stmt *st = sq_bind(s, SQ_REQUEST_GET, "t", id);
	enum cs_rc rc = sq_next(s, st, reading, e);

	if (rc == CS_E_NOT_FOUND)
		return CS_FAIL(e, CS_E_NOT_FOUND, "no such request, or not yours");
	if (rc != CS_OK)
		return rc;
	rc = read_row(st, out, e);
	if (rc == CS_OK)
		rc = read_document(st, out, e);
	sq_reset(st);
	return rc;
}

enum cs_rc cs_store_request_change(struct cs_store *s, int64_t num,
				   const struct cs_request_change *c, struct cs_err *e)
{
	int changed = 0;
	sqlite3_stmt *st;
	enum cs_rc rc;

	st = sq_bind(s, SQ_REQUEST_CHANGE, "ittiiiit", num, cs_state_name(c->from),
		     cs_state_name(c->to), c->revision, c->new_revision, c->next_attempt,
		     (int64_t)c->count_attempt, c->reason);
	rc = sq_run(s, st, &changed, "changing a request", e);
	if (rc == CS_OK && changed == 0)
		return CS_FAIL(e, CS_E_CONFLICT, "the request is no longer %s; look at it again",
			       cs_state_name(c->from));
	return rc;
}

/** Give every row of a bound statement to fn. */
static enum cs_rc each_request(struct cs_store *s, sqlite3_stmt *st, cs_request_fn *fn, void *arg,
			       struct cs_err *e)
{
	struct cs_request_row row;
	enum cs_rc rc;

	cs_request_row_init(&row);
	while ((rc = sq_next(s, st, reading, e)) == CS_OK) {
		rc = read_row(st, &row, e);
		if (rc == CS_OK)
			rc = fn(arg, &row, e);
		if (rc != CS_OK)
			break;
	}
	sq_reset(st);
	cs_request_row_done(&row);
	return rc == CS_E_NOT_FOUND ? CS_OK : rc;
}

static enum cs_rc find_cursor(struct cs_store *s, const char *after, int64_t *nump,
			      struct cs_err *e)
{
	sqlite3_stmt *st;
	enum cs_rc rc;

	*nump = INT64_MAX;
	if (!after)
		return CS_OK;
	st = sq_bind(s, SQ_REQUEST_NUM, "t", after);
	rc = sq_next(s, st, reading, e);
	if (rc == CS_E_NOT_FOUND)
		return CS_FAIL(e, CS_E_INVALID,
			       "after: no such request; begin again without a cursor");
	if (rc == CS_OK) {
		*nump = sqlite3_column_int64(st, 0);
		sq_reset(st);
	}
	return rc;
}

enum cs_rc cs_store_requests(struct cs_store *s, const struct cs_store_filter *f, cs_request_fn *fn,
			     void *arg, struct cs_err *e)
{
	const char *state = f->state == CS_ST_NONE ? NULL : cs_state_name(f->state);
	const char *env = f->environment == CS_ENV_NONE ? NULL : cs_env_name(f->environment);
	sqlite3_stmt *st;
	int64_t before = 0;
	enum cs_rc rc;

	assert(!(f->principal && f->group));
	rc = find_cursor(s, f->after, &before, e);
	if (rc != CS_OK)
		return rc;
	if (f->principal || f->group)
		st = sq_bind(s, f->group ? SQ_REQUEST_LIST_GROUP : SQ_REQUEST_LIST_OWNER, "ittit",
			     before, state, env, f->limit, f->group ? f->group : f->principal);
	else
		st = sq_bind(s, SQ_REQUEST_LIST, "itti", before, state, env, f->limit);
	return each_request(s, st, fn, arg, e);
}

enum cs_rc cs_store_live(struct cs_store *s, int64_t after_num, int64_t max, cs_request_fn *fn,
			 void *arg, struct cs_err *e)
{
	return each_request(s, sq_bind(s, SQ_REQUEST_LIVE, "ii", after_num, max), fn, arg, e);
}

/** Ids given by a bound statement. */
static enum cs_rc list_ids(struct cs_store *s, sqlite3_stmt *st, char (*ids)[CS_UUID_TEXT],
			   size_t max, size_t *countp, struct cs_err *e)
{
	size_t count = 0;
	enum cs_rc rc = CS_E_NOT_FOUND;

	while (count < max && (rc = sq_next(s, st, reading, e)) == CS_OK) {
		rc = sq_copy_text(st, 0, ids[count], CS_UUID_TEXT, e);
		if (rc != CS_OK)
			break;
		count++;
	}
	sq_reset(st);
	if (rc != CS_OK && rc != CS_E_NOT_FOUND)
		return rc;
	*countp = count;
	return CS_OK;
}

enum cs_rc cs_store_expired(struct cs_store *s, int64_t now, int64_t first, int64_t last,
			    char (*ids)[CS_UUID_TEXT], size_t max, size_t *countp, struct cs_err *e)
{
	return list_ids(s, sq_bind(s, SQ_REQUEST_EXPIRED, "iiii", now, first, last, (int64_t)max),
			ids, max, countp, e);
}

enum cs_rc cs_store_due(struct cs_store *s, int64_t now, char (*ids)[CS_UUID_TEXT], size_t max,
			size_t *countp, struct cs_err *e)
{
	return list_ids(s, sq_bind(s, SQ_REQUEST_DUE, "ii", now, (int64_t)max), ids, max, countp,
			e);
}

/** The one number that a bound statement gives. */
static enum cs_rc one_number(struct cs_store *s, sqlite3_stmt *st, const char *what,
			     int64_t *numberp, struct cs_err *e)
{
	enum cs_rc rc = sq_next(s, st, what, e);

	if (rc != CS_OK)
		return rc;
	*numberp = sqlite3_column_int64(st, 0);
	sq_reset(st);
	return CS_OK;
}

enum cs_rc cs_store_last_request(struct cs_store *s, int64_t *nump, struct cs_err *e)
{
	return one_number(s, sq_bind(s, SQ_REQUEST_LAST, ""), "the last request", nump, e);
}

enum cs_rc cs_store_open_count(struct cs_store *s, const char *principal, int64_t *countp,
			       struct cs_err *e)
{
	return one_number(s, sq_bind(s, SQ_REQUEST_OPEN, "t", principal), "counting open requests",
			  countp, e);
}

enum cs_rc cs_store_live_counts(struct cs_store *s,
				struct cs_live_count counts[static CS_ST__COUNT], struct cs_err *e)
{
	sqlite3_stmt *st = sq_bind(s, SQ_REQUEST_LIVE_COUNT, "");
	enum cs_rc rc;

	for (int i = 0; i < CS_ST__COUNT; i++)
		counts[i] = (struct cs_live_count){ 0, 0 };
	while ((rc = sq_next(s, st, "counting live requests", e)) == CS_OK) {
		struct cs_live_count *x = &counts[cs_state_from_name(sq_text(st, 0))];

		x->count = sqlite3_column_int64(st, 1);
		x->oldest = sqlite3_column_int64(st, 2);
	}
	return rc == CS_E_NOT_FOUND ? CS_OK : rc;
}

enum cs_rc cs_store_equal(struct cs_store *s, const char *principal,
			  const struct cs_sha256 *equality, int64_t since,
			  char id[static CS_UUID_TEXT], struct cs_err *e)
{
	const int64_t place = sq_place(principal, (struct cs_bytes){ equality->b, CS_SHA256_LEN });
	struct sq_places_walk walk = sq_places_walk(s, SQ_PLACE_EQUALITY, place);
	sqlite3_stmt *st;
	int64_t num = 0, seen = 0;
	enum cs_rc rc;

	do {
		rc = seen++ < CS_EQUAL_MAX ? sq_places_next(s, &walk, &num, e) : CS_E_NOT_FOUND;
		if (rc != CS_OK)
			return rc;
		st = sq_bind(s, SQ_REQUEST_EQUAL, "ihti", num, equality, principal, since);
		rc = sq_next(s, st, "looking for an equal request", e);
	} while (rc == CS_E_NOT_FOUND);
	if (rc != CS_OK)
		return rc;
	rc = sq_copy_text(st, 0, id, CS_UUID_TEXT, e);
	sq_reset(st);
	return rc;
}

enum cs_rc cs_store_idempotency(struct cs_store *s, const char *principal, const char *key,
				int64_t since, struct cs_sha256 *fingerprint,
				char id[static CS_UUID_TEXT], struct cs_err *e)
{
	const int64_t place = sq_place(principal, cs_bytes_of(key));
	struct sq_places_walk walk = sq_places_walk(s, SQ_PLACE_KEY, place);
	sqlite3_stmt *st;
	int64_t num = 0;
	enum cs_rc rc;

	do {
		rc = sq_places_next(s, &walk, &num, e);
		if (rc != CS_OK)
			return rc;
		st = sq_bind(s, SQ_REQUEST_KEY, "itti", num, key, principal, since);
		rc = sq_next(s, st, "looking up an idempotency key", e);
	} while (rc == CS_E_NOT_FOUND);
	if (rc != CS_OK)
		return rc;
	rc = sq_copy_text(st, 0, id, CS_UUID_TEXT, e);
	if (rc == CS_OK)
		rc = sq_copy_hash(st, 1, fingerprint, e);
	sq_reset(st);
	return rc;
}
