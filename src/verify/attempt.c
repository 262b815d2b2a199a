/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attempts: an intent before the token, its outcome after, and the signatures that are released.
 * Must not take the log's word for what was signed: the document gives the bytes.
 * See docs/PROTOCOL.log, "Rules", intent to signature.
 */
#include <string.h>

#include "format/format.h"
#include "verify/state.h"

/* Under the policy in force, at the time of the event: may this request be signed? */
static enum cs_rc check_quorum(struct cs_audit_verifier *v, const struct cs_audited *a,
			       const struct cs_live *live, struct cs_err *e)
{
	struct cs_quorum_status st;
	const char *rule = NULL;
	enum cs_rc rc;

	rc = cs_quorum_count(v->policy, &live->doc, live->votes, live->vote_count, &st, e);
	if (rc == CS_OK)
		rc = cs_quorum_check_document(v->policy, &live->doc, a->ev.time, &rule, e);
	if (rc != CS_OK)
		return cs_broken_by(v, "intent-quorum", e);
	if (!st.met)
		return cs_broken(v, "intent-quorum", e,
				 "sign.intent, but the quorum lacks %lld approvals",
				 (long long)st.missing);
	if (live->state != CS_ST_APPROVED)
		return cs_broken(v, "state", e, "sign.intent while the request is %s",
				 cs_state_name(live->state));
	return CS_OK;
}

/* May this artifact have this attempt? */
static enum cs_rc check_turn(struct cs_audit_verifier *v, const struct cs_audited *a,
			     const struct cs_live *live, struct cs_err *e)
{
	const struct cs_slot *slot;

	if (a->d.artifact >= (int64_t)live->doc.count)
		return cs_broken(v, "intent", e, "artifact %lld of %zu", (long long)a->d.artifact,
				 live->doc.count);
	slot = &live->slots[a->d.artifact];
	if (slot->done || slot->open)
		return cs_broken(v, "intent", e, "artifact %lld %s", (long long)a->d.artifact,
				 slot->done ? "is signed already" : "has an open intent");
	if (slot->spent)
		return cs_broken(v, "intent", e,
				 "artifact %lld has had its one more attempt after sign.unknown",
				 (long long)a->d.artifact);
	if (a->d.attempt != slot->attempt + 1)
		return cs_broken(v, "intent", e, "attempt %lld after attempt %lld",
				 (long long)a->d.attempt, (long long)slot->attempt);
	return CS_OK;
}

/* Is it the document's key, on its token, over the document's bytes? */
static enum cs_rc check_target(struct cs_audit_verifier *v, const struct cs_audited *a,
			       const struct cs_live *live, struct cs_err *e)
{
	const struct cs_artifact *artifact = &live->doc.artifacts[a->d.artifact];
	const struct cs_key *key = cs_policy_key(v->policy, artifact->key);
	struct cs_sha256 tbs_sha256;
	struct cs_tbs tbs;
	enum cs_rc rc;

	if (!cs_sha256_equal(&a->d.spki, &artifact->key_spki))
		return cs_broken(v, "intent", e, "spki_sha256 is not that of key %s",
				 artifact->key);
	if (strcmp(a->d.token, v->policy->tokens[key->token].name) != 0)
		return cs_broken(v, "intent", e, "key %s is on token %s, not %s", artifact->key,
				 v->policy->tokens[key->token].name, a->d.token);
	rc = cs_format_prepare(&live->doc, (size_t)a->d.artifact, &tbs, e);
	if (rc != CS_OK)
		return cs_broken_by(v, "intent", e);
	tbs_sha256 = cs_tbs_sha256(&tbs);
	if (!cs_sha256_equal(&a->d.tbs, &tbs_sha256))
		return cs_broken(v, "intent", e,
				 "tbs_sha256 is not that of the document's artifact %s",
				 artifact->name);
	return CS_OK;
}

/* The counter of a key; NULL without memory. */
static struct cs_key_use *find_use(struct cs_audit_verifier *v, const struct cs_sha256 *spki)
{
	struct cs_key_use *more;

	for (size_t i = 0; i < v->use_count; i++)
		if (cs_sha256_equal(&v->uses[i].spki, spki))
			return &v->uses[i];
	more = cs_more(v->uses, v->use_count, sizeof(*more));
	if (!more)
		return NULL;
	v->uses = more;
	v->uses[v->use_count] = (struct cs_key_use){ .spki = *spki };
	return &v->uses[v->use_count++];
}

/* May a key that has a limit make one more? */
static enum cs_rc check_uses(struct cs_audit_verifier *v, const struct cs_audited *a,
			     struct cs_live *live, struct cs_err *e)
{
	const struct cs_artifact *artifact = &live->doc.artifacts[a->d.artifact];
	const struct cs_key *key = cs_policy_key(v->policy, artifact->key);
	struct cs_slot *slot = &live->slots[a->d.artifact];
	struct cs_key_use *use;

	slot->counted = key->max_uses > 0;
	if (!slot->counted)
		return CS_OK;
	use = find_use(v, &artifact->key_spki);
	if (!use)
		return CS_FAIL(e, CS_E_NOMEM, "uses of keys");
	if (use->count >= key->max_uses)
		return cs_broken(v, "intent-uses", e,
				 "key %s has had the %lld uses that its max_uses allows", key->name,
				 (long long)key->max_uses);
	use->count++;
	return CS_OK;
}

enum cs_rc cs_check_intent(struct cs_audit_verifier *v, const struct cs_audited *a,
			   struct cs_err *e)
{
	struct cs_live *live = NULL;
	struct cs_slot *slot;
	enum cs_rc rc;

	rc = cs_find_live(v, a, &live, e);
	if (rc == CS_OK)
		rc = check_quorum(v, a, live, e);
	if (rc == CS_OK)
		rc = check_turn(v, a, live, e);
	if (rc == CS_OK)
		rc = check_target(v, a, live, e);
	if (rc == CS_OK)
		rc = check_uses(v, a, live, e);
	if (rc != CS_OK)
		return rc;
	slot = &live->slots[a->d.artifact];
	slot->attempt = a->d.attempt;
	slot->open = true;
	slot->start = v->starts;
	slot->opened_at = a->ev.time;
	memcpy(slot->token, a->d.token, strlen(a->d.token) + 1);
	live->open++;
	live->attempted = true;
	v->sum.open_intents++;
	return cs_journal_intent(v, a, e);
}

/* Close the open intent that an outcome names. */
static enum cs_rc close_intent(struct cs_audit_verifier *v, const struct cs_audited *a,
			       struct cs_live **lp, struct cs_slot **slotp, struct cs_err *e)
{
	struct cs_live *live = NULL;
	struct cs_slot *slot;
	enum cs_rc rc = cs_find_live(v, a, &live, e);

	if (rc != CS_OK)
		return rc;
	slot = &live->slots[a->d.artifact];
	if (!slot->open || slot->attempt != a->d.attempt)
		return cs_broken(v, "outcome", e,
				 "%s of artifact %lld, attempt %lld: no such intent is open",
				 cs_event_kind_name(a->ev.kind), (long long)a->d.artifact,
				 (long long)a->d.attempt);
	slot->open = false;
	live->open--;
	v->sum.open_intents--;
	*lp = live;
	*slotp = slot;
	return CS_OK;
}

enum cs_rc cs_check_outcome(struct cs_audit_verifier *v, const struct cs_audited *a,
			    struct cs_err *e)
{
	const bool unknown = a->ev.kind == CS_EV_SIGN_UNKNOWN;
	struct cs_live *live = NULL;
	struct cs_slot *slot = NULL;
	enum cs_rc rc = close_intent(v, a, &live, &slot, e);

	if (rc != CS_OK)
		return rc;
	if (a->ev.kind == CS_EV_SIGN_DONE) {
		slot->done = true;
		slot->raw = a->d.raw;
		slot->signature = a->d.signature;
		live->done++;
	} else {
		if (slot->counted && !unknown && !a->d.reached_hsm)
			find_use(v, &live->doc.artifacts[a->d.artifact].key_spki)->count--;
		slot->spent = slot->unknown && (unknown || a->d.reached_hsm);
		slot->unknown = slot->unknown || unknown;
	}
	return unknown ? CS_OK : cs_journal_outcome(v, a, slot, e);
}

enum cs_rc cs_check_request_failed(struct cs_audit_verifier *v, const struct cs_audited *a,
				   struct cs_err *e)
{
	struct cs_live *live = NULL;
	enum cs_rc rc = cs_find_live(v, a, &live, e);

	if (rc != CS_OK)
		return rc;
	if (live->open > 0 || !live->attempted)
		return cs_broken(v, "state", e, "request.failed %s",
				 live->open > 0 ? "with an open intent" : "without any intent");
	cs_end_request(v, a);
	return CS_OK;
}

static enum cs_rc check_signature(struct cs_audit_verifier *v, const struct cs_live *live, size_t i,
				  struct cs_bytes sig, struct cs_err *e)
{
	const struct cs_artifact *artifact = &live->doc.artifacts[i];
	const struct cs_key *key = cs_policy_key(live->policy, artifact->key);
	struct cs_sha256 hash = cs_sha256(sig);
	struct cs_buf raw;
	enum cs_rc rc;

	cs_buf_init(&raw, CS_SIG_MAX);
	if (!cs_sha256_equal(&hash, &live->slots[i].signature)) {
		rc = cs_broken(v, "signature", e, "signature %zu is not the one of its sign.done",
			       i);
		goto out;
	}
	rc = cs_format_verify(&live->doc, i, key->pk, sig, e);
	if (rc == CS_OK)
		rc = cs_format_raw(&live->doc, i, sig, &raw, e);
	if (rc != CS_OK) {
		rc = cs_broken_by(v, "signature", e);
		goto out;
	}
	hash = cs_sha256(cs_buf_bytes(&raw));
	if (!cs_sha256_equal(&hash, &live->slots[i].raw))
		rc = cs_broken(v, "signature", e,
			       "signature %zu is not the raw one of its sign.done", i);
out:
	cs_buf_done(&raw);
	return rc;
}

enum cs_rc cs_check_signed(struct cs_audit_verifier *v, const struct cs_audited *a,
			   struct cs_err *e)
{
	struct cs_live *live = NULL;
	enum cs_rc rc = cs_find_live(v, a, &live, e);

	if (rc != CS_OK)
		return rc;
	if (live->done != live->doc.count || a->d.signature_count != live->doc.count)
		return cs_broken(v, "signed", e, "%zu signatures, %zu of %zu artifacts are signed",
				 a->d.signature_count, live->done, live->doc.count);
	for (size_t i = 0; i < live->doc.count && rc == CS_OK; i++)
		rc = check_signature(v, live, i, cs_buf_bytes(&a->d.signatures[i]), e);
	v->sum.signatures += (int64_t)a->d.signature_count;
	cs_end_request(v, a);
	return rc;
}
