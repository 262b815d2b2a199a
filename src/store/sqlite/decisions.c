/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of decisions, and the daemon's marks.
 */
#include "store/sqlite/db.h"

enum cs_rc cs_store_decision_insert(struct cs_store *s, int64_t num,
				    const struct cs_decision_row *d, struct cs_err *e)
{
	return sq_run(s,
		      sq_bind(s, SQ_DECISION_INSERT, "itithbti", num, d->person, d->n,
			      cs_verdict_name(d->verdict), &d->spki, d->envelope, d->comment,
			      d->seq),
		      NULL, "recording a decision", e);
}

static enum cs_rc read_decision(sqlite3_stmt *st, struct cs_decision_row *d, struct cs_err *e)
{
	enum cs_rc rc;

	if ((rc = sq_copy_text(st, 0, d->person, sizeof(d->person), e)) != CS_OK ||
	    (rc = sq_copy_hash(st, 3, &d->spki, e)) != CS_OK)
		return rc;
	d->n = sqlite3_column_int64(st, 1);
	d->verdict = cs_verdict_from_name(sq_text(st, 2));
	d->envelope = sq_bytes(st, 4);
	d->comment = sq_text(st, 5);
	d->seq = sqlite3_column_int64(st, 6);
	if (d->verdict == CS_VERDICT_NONE)
		return CS_FAIL(e, CS_E_CORRUPT, "a decision of %s has an unknown verdict",
			       d->person);
	return CS_OK;
}

enum cs_rc cs_store_decisions(struct cs_store *s, int64_t num, cs_decision_fn *fn, void *arg,
			      struct cs_err *e)
{
	sqlite3_stmt *st = sq_bind(s, SQ_DECISION_LIST, "i", num);
	enum cs_rc rc;

	while ((rc = sq_next(s, st, "reading decisions", e)) == CS_OK) {
		struct cs_decision_row row;

		rc = read_decision(st, &row, e);
		if (rc == CS_OK)
			rc = fn(arg, &row, e);
		if (rc != CS_OK) {
			sq_reset(st);
			return rc;
		}
	}
	return rc == CS_E_NOT_FOUND ? CS_OK : rc;
}

#define CS_USES_NAME (sizeof("uses:") + CS_SHA256_HEX)

static const char *const mark_names[] = {
	[CS_MARK_RUNNING] = "running",
	[CS_MARK_POLICY_SEQ] = "policy_seq",
};

enum cs_rc cs_store_mark_get(struct cs_store *s, enum cs_store_mark mark, int64_t *valuep,
			     struct cs_err *e)
{
	sqlite3_stmt *st = sq_bind(s, SQ_MARK_GET, "t", mark_names[mark]);
	enum cs_rc rc = sq_next(s, st, "reading a mark", e);

	if (rc != CS_OK)
		return rc;
	*valuep = sqlite3_column_int64(st, 0);
	sq_reset(st);
	return CS_OK;
}

enum cs_rc cs_store_mark_set(struct cs_store *s, enum cs_store_mark mark, int64_t value,
			     struct cs_err *e)
{
	return sq_run(s, sq_bind(s, SQ_MARK_SET, "ti", mark_names[mark], value), NULL,
		      "writing a mark", e);
}

/* --- uses of keys */

/** The name of a key's counter among the marks. */
static const char *uses_name(const struct cs_sha256 *spki, char out[static CS_USES_NAME])
{
	char hex[CS_SHA256_HEX];

	cs_sha256_hex(spki, hex);
	snprintf(out, CS_USES_NAME, "uses:%s", hex);
	return out;
}

enum cs_rc cs_store_key_uses(struct cs_store *s, const struct cs_sha256 *spki, int64_t *usesp,
			     struct cs_err *e)
{
	char name[CS_USES_NAME];
	sqlite3_stmt *st = sq_bind(s, SQ_MARK_GET, "t", uses_name(spki, name));
	enum cs_rc rc = sq_next(s, st, "reading the uses of a key", e);

	*usesp = rc == CS_OK ? sqlite3_column_int64(st, 0) : 0;
	sq_reset(st);
	return rc == CS_E_NOT_FOUND ? CS_OK : rc;
}

enum cs_rc cs_store_key_uses_count(struct cs_store *s, const struct cs_sha256 *spki, int64_t by,
				   struct cs_err *e)
{
	char name[CS_USES_NAME];

	return sq_run(s, sq_bind(s, SQ_USES_COUNT, "ti", uses_name(spki, name), by), NULL,
		      "counting a use of a key", e);
}
