/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signer's judgement, top to bottom. The rules themselves are quorum/'s and format/'s: the same
 * code that the daemon runs, on this process's own policy and clock.
 */
#include "signer-main/signing.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* Why a request is refused: a rule of docs/PROTOCOL.signer, "RESULT". */
struct refusal {
	const char *rule;
	struct cs_err e;
};

/* Every index must be the document's, and its key on this token: a key by that name in the policy;
 * whether it is the same key is judged with the document. */
static enum cs_rc check_artifacts(const struct cs_signing *s, const struct cs_signer_sign *m,
				  struct refusal *why)
{
	size_t i;

	for (i = 0; i < m->artifact_count; i++) {
		uint32_t index = m->artifacts[i].index;
		const struct cs_key *key;

		why->rule = "artifact";
		if (index >= s->doc.count)
			return CS_FAIL(&why->e, CS_E_INVALID,
				       "artifact %u was asked for, the document has %zu", index,
				       s->doc.count);
		why->rule = "token";
		key = cs_policy_key(s->policy, s->doc.artifacts[index].key);
		if (key && key->token != s->token)
			return CS_FAIL(&why->e, CS_E_FORBIDDEN, "key %s is on another token",
				       key->name);
	}
	return CS_OK;
}

/* Decisions that do not count: of people who are not enrolled now, or stand behind the request. */
static enum cs_rc verify_decisions(struct cs_signing *s, const struct cs_signer_sign *m,
				   size_t *countp, struct refusal *why)
{
	struct cs_sha256 hash;
	size_t count = 0;
	size_t i;

	why->rule = "decision";
	if (m->decision_count > 0)
		hash = cs_sha256(m->document);
	for (i = 0; i < m->decision_count; i++) {
		enum cs_rc rc = cs_vote_verify(s->policy, &s->doc, &hash, m->decisions[i],
					       &s->votes[count], &why->e);

		if (rc == CS_OK)
			count++;
		else if (rc != CS_E_FORBIDDEN)
			return cs_err_prefix(&why->e, "decision %zu", i);
	}
	*countp = count;
	return CS_OK;
}

static int64_t approvals(const struct cs_quorum_status *q)
{
	int64_t have = 0;
	size_t i;

	/* a person is in one group, so nobody counts in two lines */
	for (i = 0; i < q->count; i++)
		have += q->lines[i].have;
	return have;
}

static enum cs_rc check_quorum(struct cs_signing *s, const struct cs_signer_sign *m,
			       struct refusal *why)
{
	struct cs_quorum_status q;
	size_t votes = 0;
	enum cs_rc rc;

	rc = verify_decisions(s, m, &votes, why);
	if (rc != CS_OK)
		return rc;
	why->rule = "quorum";
	rc = cs_quorum_count(s->policy, &s->doc, s->votes, votes, &q, &why->e);
	if (rc != CS_OK)
		return rc;
	if (q.rejected) {
		why->rule = "rejected";
		return CS_FAIL(&why->e, CS_E_DENIED, "%s rejected the request", q.rejected_by);
	}
	if (!q.met)
		return CS_FAIL(&why->e, CS_E_DENIED, "%lld more approvals are needed",
			       (long long)q.missing);
	why->rule = "least-quorum";
	if (approvals(&q) < s->least_quorum)
		return CS_FAIL(&why->e, CS_E_DENIED,
			       "%lld approvals; this signer was started with --least-quorum %lld",
			       (long long)approvals(&q), (long long)s->least_quorum);
	return CS_OK;
}

static enum cs_rc judge(struct cs_signing *s, const struct cs_signer_sign *m, struct refusal *why)
{
	enum cs_rc rc;

	why->rule = "document";
	rc = cs_request_parse(m->document, &s->doc, &why->e);
	if (rc == CS_OK)
		rc = check_artifacts(s, m, why);
	if (rc != CS_OK)
		return rc;
	why->rule = "environment";
	if (s->doc.environment != s->environment)
		return CS_FAIL(&why->e, CS_E_FORBIDDEN, "the request is for %s, this signer for %s",
			       cs_env_name(s->doc.environment), cs_env_name(s->environment));
	rc = cs_quorum_check_document(s->policy, &s->doc, cs_clock_now(), &why->rule, &why->e);
	if (rc == CS_OK)
		rc = check_quorum(s, m, why);
	return rc;
}

static void set_refused(struct cs_signer_result *r, const struct refusal *why)
{
	r->outcome = CS_SIGN_REFUSED;
	snprintf(r->code, sizeof(r->code), "%s", why->rule);
	snprintf(r->message, sizeof(r->message), "%.*s", CS_REASON_MAX, why->e.msg);
}

static void sign_one(struct cs_signing *s, uint32_t index, uint32_t attempt,
		     struct cs_signer_result *r)
{
	const struct cs_artifact *a = &s->doc.artifacts[index];
	struct cs_journal_entry use = {
		.request = s->doc.id, .artifact = index, .attempt = attempt, .spki = &a->key_spki
	};
	struct refusal why = { .rule = "prepare" };
	struct cs_tbs tbs;

	if (cs_format_prepare(&s->doc, index, &tbs, &why.e) != CS_OK) {
		set_refused(r, &why);
		return;
	}
	use.tbs = cs_tbs_sha256(&tbs);
	cs_keyring_sign(s->keyring, a->key, &tbs, &use, r);
}

enum cs_rc cs_signing_run(struct cs_signing *s, const struct cs_signer_sign *m,
			  cs_signing_emit_fn *emit, void *arg, struct cs_err *e)
{
	struct refusal why = { .rule = "" };
	enum cs_rc verdict = judge(s, m, &why);
	enum cs_rc rc = CS_OK;
	size_t i;

	for (i = 0; rc == CS_OK && i < m->artifact_count; i++) {
		struct cs_signer_result result = { .index = m->artifacts[i].index };

		if (verdict == CS_OK)
			sign_one(s, result.index, m->artifacts[i].attempt, &result);
		else
			set_refused(&result, &why);
		rc = emit(arg, &result, e);
	}
	return rc;
}
