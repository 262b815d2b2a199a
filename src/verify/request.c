/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of requests: documents, decisions, and the ends that are no signature.
 * Must not believe a state that the log claims: counting the decisions again says what it is.
 * See docs/PROTOCOL.log, "Rules".
 */
#include <stdlib.h>
#include <string.h>

#include "verify/state.h"

void cs_live_free(struct cs_live *live)
{
	if (!live)
		return;
	cs_policy_unref(live->policy);
	free(live->votes);
	free(live->voters);
	free(live);
}

/* Does an intent from before the last start of the daemon wait for its sign.unknown? */
static bool was_interrupted(const struct cs_audit_verifier *v, const struct cs_live *live)
{
	for (size_t i = 0; live->open > 0 && i < live->doc.count; i++) {
		if (live->slots[i].open && live->slots[i].start < v->starts)
			return true;
	}
	return false;
}

enum cs_rc cs_find_live(struct cs_audit_verifier *v, const struct cs_audited *a,
			struct cs_live **lp, struct cs_err *e)
{
	struct cs_map_key key = cs_map_key(a->ev.request, 0, 0);
	struct cs_map_slot *slot = cs_map_find(&v->requests, &key);
	struct cs_live *live = slot ? slot->value : NULL;

	if (!live)
		return cs_broken(v, "request", e, "%s: request %s %s",
				 cs_event_kind_name(a->ev.kind), a->ev.request,
				 slot ? "has ended" : "was not created");
	if (was_interrupted(v, live) && a->ev.kind != CS_EV_SIGN_UNKNOWN)
		return cs_broken(v, "outcome", e,
				 "%s, but an intent from before the daemon's start still waits for "
				 "its sign.unknown",
				 cs_event_kind_name(a->ev.kind));
	if (live->done == live->doc.count && a->ev.kind != CS_EV_REQUEST_SIGNED)
		return cs_broken(v, "signed", e, "%s, but every artifact is signed",
				 cs_event_kind_name(a->ev.kind));
	*lp = live;
	return CS_OK;
}

void cs_end_request(struct cs_audit_verifier *v, const struct cs_audited *a)
{
	struct cs_map_key key = cs_map_key(a->ev.request, 0, 0);
	struct cs_map_slot *slot = cs_map_find(&v->requests, &key);

	v->sum.open_intents -= (int64_t)((struct cs_live *)slot->value)->open;
	cs_live_free(slot->value);
	slot->value = NULL; /* the id stays known */
}

/* The live request of an event that needs it to be pending or approved. */
static enum cs_rc find_waiting(struct cs_audit_verifier *v, const struct cs_audited *a,
			       struct cs_live **lp, struct cs_err *e)
{
	struct cs_live *live = NULL;
	enum cs_rc rc = cs_find_live(v, a, &live, e);

	if (rc != CS_OK)
		return rc;
	if (live->open > 0)
		return cs_broken(v, "state", e, "%s while the request is signing",
				 cs_event_kind_name(a->ev.kind));
	*lp = live;
	return CS_OK;
}

/* What counting says of the request now. */
static enum cs_rc count(struct cs_audit_verifier *v, const struct cs_live *live,
			enum cs_state *statep, struct cs_err *e)
{
	struct cs_quorum_status st;
	enum cs_rc rc = cs_quorum_count(v->policy, &live->doc, live->votes, live->vote_count, &st,
					e);

	if (rc != CS_OK)
		return cs_broken_by(v, "state", e);
	*statep = st.rejected ? CS_ST_REJECTED : st.met ? CS_ST_APPROVED : CS_ST_PENDING;
	return CS_OK;
}

static enum cs_rc check_state(struct cs_audit_verifier *v, const struct cs_audited *a,
			      enum cs_state counted, struct cs_err *e)
{
	if (a->d.state != counted)
		return cs_broken(v, "state", e, "state is %s, but counting gives %s",
				 cs_state_name(a->d.state), cs_state_name(counted));
	return CS_OK;
}

/* --- beginnings */

static enum cs_rc check_new_id(struct cs_audit_verifier *v, const struct cs_audited *a,
			       struct cs_err *e)
{
	struct cs_map_key key = cs_map_key(a->ev.request, 0, 0);

	if (cs_map_find(&v->requests, &key))
		return cs_broken(v, "request", e, "%s: the id %s was used before",
				 cs_event_kind_name(a->ev.kind), a->ev.request);
	return CS_OK;
}

enum cs_rc cs_check_denied(struct cs_audit_verifier *v, const struct cs_audited *a,
			   struct cs_err *e)
{
	struct cs_map_key key;
	enum cs_rc rc;

	if (a->ev.request[0] == '\0')
		return CS_OK;
	rc = check_new_id(v, a, e);
	if (rc != CS_OK)
		return rc;
	key = cs_map_key(a->ev.request, 0, 0);
	return cs_map_add(&v->requests, &key, NULL, e);
}

static enum cs_rc check_document(struct cs_audit_verifier *v, const struct cs_audited *a,
				 const struct cs_request *doc, struct cs_err *e)
{
	const char *rule = NULL;
	enum cs_rc rc;

	if (strcmp(doc->id, a->ev.request) != 0)
		return cs_broken(v, "document", e, "the document is of request %s", doc->id);
	if (strcmp(doc->principal, a->ev.actor) != 0)
		return cs_broken(v, "document", e, "the document names %s as requester",
				 doc->principal);
	if (!v->policy || doc->policy_version != v->policy->version ||
	    !cs_sha256_equal(&doc->policy_digest, &v->policy->digest))
		return cs_broken(v, "document", e,
				 "the document cites a policy that is not the one in force");
	rc = cs_quorum_check_document(v->policy, doc, a->ev.time, &rule, e);
	if (rc != CS_OK)
		return cs_broken_by(v, "document", e);
	return CS_OK;
}

enum cs_rc cs_check_created(struct cs_audit_verifier *v, const struct cs_audited *a,
			    struct cs_err *e)
{
	struct cs_map_key key = cs_map_key(a->ev.request, 0, 0);
	struct cs_live *live = NULL;
	enum cs_rc rc;

	v->sum.requests++;
	rc = check_new_id(v, a, e);
	if (rc != CS_OK)
		return rc;
	live = calloc(1, sizeof(*live));
	if (!live)
		return CS_FAIL(e, CS_E_NOMEM, "request");
	rc = cs_request_parse(cs_buf_bytes(&a->d.document), &live->doc, e);
	if (rc != CS_OK) {
		rc = cs_broken_by(v, "document", e);
		goto out;
	}
	rc = check_document(v, a, &live->doc, e);
	if (rc != CS_OK)
		goto out;
	rc = count(v, live, &live->state, e);
	if (rc != CS_OK)
		goto out;
	live->doc_sha256 = cs_sha256(cs_buf_bytes(&a->d.document));
	live->policy = cs_policy_ref(v->policy);
	rc = check_state(v, a, live->state, e);
	if (cs_map_add(&v->requests, &key, live, e) != CS_OK) {
		rc = CS_E_NOMEM;
		goto out;
	}
	live = NULL; /* transferred */
out:
	cs_live_free(live);
	return rc;
}

/* --- decisions */

static enum cs_rc check_log_ref(struct cs_audit_verifier *v, const struct cs_audited *a,
				const struct cs_log_ref *ref, struct cs_err *e)
{
	if (!cs_sha256_equal(&ref->id, &v->hashes[0]))
		return cs_broken(v, "decision-log", e, "log.id is another log's");
	if (ref->size >= a->ev.seq || ref->size < 1)
		return cs_broken(v, "decision-log", e, "log.size is %lld", (long long)ref->size);
	if (!cs_sha256_equal(&ref->head, &v->hashes[ref->size - 1]))
		return cs_broken(v, "decision-log", e,
				 "log.head is not the hash of event %lld: this is not the log that "
				 "the approver saw",
				 (long long)ref->size);
	return CS_OK;
}

/* Is n above each of this person's before? */
static enum cs_rc check_n(struct cs_audit_verifier *v, const struct cs_live *live,
			  const struct cs_vote *vote, struct cs_err *e)
{
	for (size_t i = 0; i < live->vote_count; i++) {
		if (strcmp(live->voters[i], vote->approver->person) == 0 &&
		    live->votes[i].decision.n >= vote->decision.n)
			return cs_broken(v, "decision", e, "n is %lld again, after %lld",
					 (long long)vote->decision.n,
					 (long long)live->votes[i].decision.n);
	}
	return CS_OK;
}

static enum cs_rc keep_vote(struct cs_live *live, const struct cs_vote *vote, struct cs_err *e)
{
	struct cs_vote *votes = cs_more(live->votes, live->vote_count, sizeof(*votes));
	char(*voters)[CS_NAME_MAX + 1] = NULL;

	if (!votes)
		return CS_FAIL(e, CS_E_NOMEM, "decisions");
	live->votes = votes;
	voters = cs_more(live->voters, live->vote_count, sizeof(*voters));
	if (!voters)
		return CS_FAIL(e, CS_E_NOMEM, "decisions");
	live->voters = voters;
	memcpy(live->voters[live->vote_count], vote->approver->person, sizeof(*voters));
	live->votes[live->vote_count] = *vote;
	/* counting looks the approver up by the key, under the policy of that moment */
	live->votes[live->vote_count++].approver = NULL;
	return CS_OK;
}

static enum cs_rc check_vote(struct cs_audit_verifier *v, const struct cs_audited *a,
			     const struct cs_live *live, struct cs_vote *vote, struct cs_err *e)
{
	enum cs_rc rc;

	rc = cs_vote_verify(v->policy, &live->doc, &live->doc_sha256, cs_buf_bytes(&a->d.envelope),
			    vote, e);
	if (rc != CS_OK)
		return cs_broken_by(v, "decision", e);
	if (strcmp(vote->approver->person, a->d.person) != 0)
		return cs_broken(v, "decision", e, "the key is %s's, not %s's",
				 vote->approver->person, a->d.person);
	if (live->vote_count == CS_DECISIONS_MAX)
		return cs_broken(v, "decision", e, "more than %d decisions", CS_DECISIONS_MAX);
	rc = check_n(v, live, vote, e);
	if (rc != CS_OK)
		return rc;
	return check_log_ref(v, a, &vote->decision.log, e);
}

enum cs_rc cs_check_decision(struct cs_audit_verifier *v, const struct cs_audited *a,
			     struct cs_err *e)
{
	struct cs_live *live = NULL;
	struct cs_vote vote;
	enum cs_state counted;
	enum cs_rc rc;

	v->sum.decisions++;
	rc = find_waiting(v, a, &live, e);
	if (rc != CS_OK)
		return rc;
	rc = check_vote(v, a, live, &vote, e);
	if (rc != CS_OK)
		return rc;
	rc = keep_vote(live, &vote, e);
	if (rc != CS_OK)
		return rc;
	rc = count(v, live, &counted, e);
	if (rc != CS_OK)
		return rc;
	live->state = counted;
	if (counted == CS_ST_REJECTED)
		cs_end_request(v, a);
	return check_state(v, a, counted, e);
}

enum cs_rc cs_check_rejudged(struct cs_audit_verifier *v, const struct cs_audited *a,
			     struct cs_err *e)
{
	struct cs_live *live = NULL;
	enum cs_rc rc = find_waiting(v, a, &live, e);

	if (rc != CS_OK)
		return rc;
	rc = count(v, live, &live->state, e);
	if (rc != CS_OK)
		return rc;
	return check_state(v, a, live->state, e);
}

/* --- ends */

enum cs_rc cs_check_cancelled(struct cs_audit_verifier *v, const struct cs_audited *a,
			      struct cs_err *e)
{
	struct cs_live *live = NULL;
	enum cs_rc rc = find_waiting(v, a, &live, e);
	bool may;

	if (rc != CS_OK)
		return rc;
	may = strcmp(a->ev.actor, "daemon") == 0 || strcmp(a->ev.actor, live->doc.principal) == 0;
	cs_end_request(v, a);
	if (!may)
		return cs_broken(v, "actor", e, "%s cancelled somebody else's request",
				 a->ev.actor);
	return CS_OK;
}

enum cs_rc cs_check_expired(struct cs_audit_verifier *v, const struct cs_audited *a,
			    struct cs_err *e)
{
	struct cs_live *live = NULL;
	enum cs_rc rc = find_waiting(v, a, &live, e);

	if (rc == CS_OK)
		cs_end_request(v, a);
	return rc;
}
