/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A new policy: requests that wait are judged again, in the transaction that records it. What is
 * being signed goes on, and is judged when the attempt has ended without a signature.
 */
#include "core/internal.h"

static enum cs_rc move(struct cs_core *c, struct cs_store *s, const struct cs_case *k,
		       enum cs_state to, const char *reason, struct cs_err *e)
{
	const int64_t now = cs_clock_now();
	struct cs_buf detail;
	struct cs_move m = {
		.num = k->row.num,
		.id = k->row.id,
		.from = k->row.state,
		.to = to,
		.revision = k->row.revision,
		.next_attempt = to == CS_ST_APPROVED ? now : 0,
		.reason = to == CS_ST_CANCELLED ? reason : NULL,
		.kind = to == CS_ST_CANCELLED ? CS_EV_REQUEST_CANCELLED : CS_EV_REQUEST_REJUDGED,
		.actor = "daemon",
		.detail = &detail,
	};
	enum cs_rc rc;

	cs_buf_init(&detail, 4096);
	if (to == CS_ST_CANCELLED)
		cs_detail_reason(&detail, reason);
	else
		cs_detail_rejudged(&detail, reason, to);
	rc = cs_core_move(c, s, &m, NULL, e);
	cs_buf_done(&detail);
	return rc;
}

/** Approvers of groups that the new policy asks shall see the request. */
static enum cs_rc ask_groups(struct cs_store *s, const struct cs_case *k, struct cs_err *e)
{
	enum cs_rc rc = CS_OK;

	for (size_t i = 0; rc == CS_OK && i < k->doc.count; i++) {
		const struct cs_key *key = cs_policy_key_by_spki(k->policy,
								 &k->doc.artifacts[i].key_spki);

		if (key)
			rc = cs_store_request_groups(s, k->row.num, &key->quorum, e);
	}
	return rc;
}

static enum cs_rc rejudge_one(struct cs_core *c, struct cs_store *s, const char *id,
			      enum cs_state state, void *arg, struct cs_err *e)
{
	struct cs_policy *policy = arg;
	struct cs_quorum_status q;
	struct cs_err why = { 0 };
	struct cs_case *k = cs_case_new(c);
	enum cs_rc rc;

	(void)state;
	if (!k)
		return CS_FAIL(e, CS_E_NOMEM, "request %s", id);
	cs_policy_unref(k->policy);
	k->policy = cs_policy_ref(policy);
	rc = cs_case_load(k, s, id, e);
	if (rc != CS_OK || k->row.state == CS_ST_SIGNING)
		goto out;
	rc = ask_groups(s, k, e);
	if (rc != CS_OK)
		goto out;
	if (cs_quorum_count(policy, &k->doc, k->votes, k->vote_count, &q, &why) != CS_OK)
		rc = move(c, s, k, CS_ST_CANCELLED, why.msg, e);
	else if (k->row.state == CS_ST_PENDING && q.met)
		rc = move(c, s, k, CS_ST_APPROVED, "the quorum is met under the new policy", e);
	else if (k->row.state == CS_ST_APPROVED && !q.met)
		rc = move(c, s, k, CS_ST_PENDING, "the quorum is not met under the new policy", e);
out:
	cs_case_free(k);
	return rc;
}

enum cs_rc cs_core_rejudge_one(struct cs_core *c, struct cs_store *s, const char *id,
			       struct cs_err *e)
{
	return rejudge_one(c, s, id, CS_ST_APPROVED, c->policy, e);
}

enum cs_rc cs_core_rejudge(struct cs_core *c, struct cs_store *s, struct cs_policy *policy,
			   struct cs_err *e)
{
	return cs_live_each(c, s, rejudge_one, policy, e);
}
