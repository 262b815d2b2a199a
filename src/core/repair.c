/* SPDX-License-Identifier: Apache-2.0 */
/*
 * After an unclean stop, or when the log could not take an outcome: every intent without one
 * becomes sign.unknown, and its request is tried once more or fails.
 */
#include "base/log.h"
#include "core/internal.h"

static enum cs_rc mark_unknown(struct cs_core *c, struct cs_store *s, const struct cs_case *k,
			       size_t i, struct cs_err *e)
{
	struct cs_buf detail;
	enum cs_rc rc;

	rc = cs_core_change_artifact(s, k->row.num, i, CS_AS_SIGNING, CS_AS_UNKNOWN, e);
	if (rc != CS_OK)
		return rc;
	cs_buf_init(&detail, 4096);
	cs_detail_not_done(&detail, (int64_t)i, k->artifacts[i].attempts, "unclean-stop",
			   "the daemon stopped before the outcome was recorded", true);
	rc = cs_core_note(c, s, CS_EV_SIGN_UNKNOWN, "daemon", k->row.id, &detail, e);
	cs_buf_done(&detail);
	return rc;
}

static enum cs_rc fail(struct cs_core *c, struct cs_store *s, const struct cs_case *k,
		       struct cs_err *e)
{
	const char *reason = "the signer gave no answer twice; see sign.unknown";
	struct cs_buf detail;
	struct cs_move m = {
		.num = k->row.num,
		.id = k->row.id,
		.from = CS_ST_SIGNING,
		.to = CS_ST_FAILED,
		.revision = -1,
		.reason = reason,
		.kind = CS_EV_REQUEST_FAILED,
		.actor = "daemon",
		.detail = &detail,
	};
	enum cs_rc rc;

	cs_buf_init(&detail, 4096);
	cs_detail_reason(&detail, reason);
	rc = cs_core_move(c, s, &m, NULL, e);
	cs_buf_done(&detail);
	return rc;
}

static enum cs_rc repair_one(struct cs_core *c, struct cs_store *s, const char *id,
			     enum cs_state state, void *arg, struct cs_err *e)
{
	size_t *repaired = arg;
	struct cs_request_change back = {
		.from = CS_ST_SIGNING,
		.to = CS_ST_APPROVED,
		.revision = -1,
		.next_attempt = cs_clock_now(),
	};
	struct cs_case *k = NULL;
	bool hopeless = false;
	enum cs_rc rc;

	if (state != CS_ST_SIGNING || cs_attempt_is_running(c, id))
		return CS_OK;
	k = cs_case_new(c);
	if (!k)
		return CS_FAIL(e, CS_E_NOMEM, "request %s", id);
	rc = cs_case_load(k, s, id, e);
	for (size_t i = 0; rc == CS_OK && i < k->doc.count; i++) {
		if (k->artifacts[i].state == CS_AS_SIGNING) {
			rc = mark_unknown(c, s, k, i, e);
			hopeless = hopeless || k->artifacts[i].unknowns >= 1;
		}
		/* an outcome that is recorded already counts as well as the lost one */
		hopeless = hopeless || k->artifacts[i].state == CS_AS_FAILED ||
			   k->artifacts[i].unknowns > 1;
	}
	if (rc == CS_OK && hopeless) {
		rc = fail(c, s, k, e);
	} else if (rc == CS_OK) {
		back.new_revision = cs_store_next_seq(s) - 1;
		rc = cs_core_change(c, s, k->row.num, &back, e);
		/* approved, perhaps, under a policy that was replaced meanwhile */
		if (rc == CS_OK)
			rc = cs_core_rejudge_one(c, s, id, e);
	}
	if (rc == CS_OK)
		++*repaired;
	cs_case_free(k);
	return rc;
}

enum cs_rc cs_core_repair(struct cs_core *c, struct cs_store *s, struct cs_err *e)
{
	size_t repaired = 0;
	enum cs_rc rc = cs_live_each(c, s, repair_one, &repaired, e);

	if (repaired > 0)
		cs_log(CS_LOG_WARN, "repaired",
		       "%zu requests were being signed when the log was last written", repaired);
	return rc;
}
