/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of artifacts and of the signatures made for them.
 */
#include "store/sqlite/db.h"

enum cs_rc cs_store_artifacts(struct cs_store *s, int64_t num,
			      struct cs_artifact_row rows[static CS_ARTIFACTS_MAX], size_t *countp,
			      struct cs_err *e)
{
	sqlite3_stmt *st = sq_bind(s, SQ_ARTIFACT_LIST, "i", num);
	size_t count = 0;
	enum cs_rc rc;

	while ((rc = sq_next(s, st, "reading artifacts", e)) == CS_OK) {
		struct cs_artifact_row *row = &rows[count];

		if (count == CS_ARTIFACTS_MAX || sqlite3_column_int64(st, 0) != (int64_t)count) {
			sq_reset(st);
			return CS_FAIL(e, CS_E_CORRUPT,
				       "the artifacts of a request are not numbered "
				       "from 0 without gaps");
		}
		row->state = cs_artifact_state_from_name(sq_text(st, 1));
		row->attempts = sqlite3_column_int64(st, 2);
		row->unknowns = sqlite3_column_int64(st, 3);
		count++;
	}
	if (rc != CS_E_NOT_FOUND)
		return rc;
	*countp = count;
	return CS_OK;
}

enum cs_rc cs_store_artifact_move(struct cs_store *s, int64_t num, size_t index,
				  enum cs_artifact_state from, enum cs_artifact_state to,
				  struct cs_err *e)
{
	int changed = 0;
	sqlite3_stmt *st;
	enum cs_rc rc;

	st = sq_bind(s, SQ_ARTIFACT_MOVE, "iittii", num, (int64_t)index,
		     cs_artifact_state_name(from), cs_artifact_state_name(to),
		     (int64_t)(to == CS_AS_SIGNING), (int64_t)(to == CS_AS_UNKNOWN));
	rc = sq_run(s, st, &changed, "changing an artifact", e);
	if (rc == CS_OK && changed == 0)
		return CS_FAIL(e, CS_E_CONFLICT, "artifact %zu is no longer %s", index,
			       cs_artifact_state_name(from));
	return rc;
}

enum cs_rc cs_store_signature_insert(struct cs_store *s, int64_t num, size_t index,
				     struct cs_bytes sig, struct cs_err *e)
{
	return sq_run(s, sq_bind(s, SQ_SIGNATURE_INSERT, "iib", num, (int64_t)index, sig), NULL,
		      "recording a signature", e);
}

enum cs_rc cs_store_signatures(struct cs_store *s, int64_t num, cs_signature_fn *fn, void *arg,
			       struct cs_err *e)
{
	sqlite3_stmt *st = sq_bind(s, SQ_SIGNATURE_LIST, "i", num);
	enum cs_rc rc;

	while ((rc = sq_next(s, st, "reading signatures", e)) == CS_OK) {
		rc = fn(arg, (size_t)sqlite3_column_int64(st, 0), sq_bytes(st, 1), e);
		if (rc != CS_OK) {
			sq_reset(st);
			return rc;
		}
	}
	return rc == CS_E_NOT_FOUND ? CS_OK : rc;
}

enum cs_rc cs_store_signatures_drop(struct cs_store *s, int64_t num, struct cs_err *e)
{
	return sq_run(s, sq_bind(s, SQ_SIGNATURE_DROP, "i", num), NULL, "deleting signatures", e);
}
