/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signed decisions, and the requester's cancellation. Read and verified on the worker at one
 * revision of the request, recorded by a command that is guarded by that revision: who loses a race
 * looks again.
 */
#include <stdlib.h>
#include <string.h>

#include "core/internal.h"

/** A decision on its way. */
struct decide {
	struct cs_case *k;
	struct cs_bytes envelope;
	const char *comment;
	struct cs_vote vote;
	enum cs_state to;
	int64_t now;
};

/** Does this state still take decisions? */
static enum cs_rc check_state(struct cs_core *c, const struct cs_case *k, struct cs_err *e)
{
	switch (k->row.state) {
	case CS_ST_PENDING:
	case CS_ST_APPROVED:
		if (k->row.expires <= cs_core_expiry_now(c, k->row.num))
			return CS_FAIL(e, CS_E_EXPIRED,
				       "the request has expired; ask for a new one");
		return CS_OK;
	case CS_ST_EXPIRED:
		return CS_FAIL(e, CS_E_EXPIRED, "the request has expired; ask for a new one");
	case CS_ST_SIGNING:
		return CS_FAIL(e, CS_E_CONFLICT, "the request is being signed; look at it again");
	case CS_ST_NONE:
	case CS_ST_DENIED:
	case CS_ST_SIGNED:
	case CS_ST_REJECTED:
	case CS_ST_CANCELLED:
	case CS_ST_FAILED:
	case CS_ST__COUNT: break;
	}
	return CS_FAIL(e, CS_E_CONFLICT, "the request is %s already", cs_state_name(k->row.state));
}

/** The person of the key must be the person of the certificate. */
static enum cs_rc check_person(const struct cs_caller *who, const struct cs_vote *v,
			       struct cs_err *e)
{
	if (who->principal->person_count != 1 ||
	    strcmp(who->principal->persons[0], v->approver->person) != 0)
		return CS_FAIL(
			e, CS_E_FORBIDDEN,
			"the decision is signed by a key of another person than the certificate's");
	return CS_OK;
}

static enum cs_rc check_n(const struct cs_case *k, const struct cs_vote *v, struct cs_err *e)
{
	int64_t highest = 0;

	for (size_t i = 0; i < k->decision_count; i++)
		if (strcmp(k->decisions[i].person, v->approver->person) == 0 &&
		    k->decisions[i].n > highest)
			highest = k->decisions[i].n;
	if (v->decision.n <= highest)
		return CS_FAIL(
			e, CS_E_CONFLICT,
			"n is %lld, but decision %lld of %s is recorded; look at it and decide again",
			(long long)v->decision.n, (long long)highest, v->approver->person);
	if (v->decision.verdict == CS_VERDICT_WITHDRAW && highest == 0)
		return CS_FAIL(e, CS_E_CONFLICT, "%s has no decision to withdraw",
			       v->approver->person);
	if (k->decision_count >= CS_DECISIONS_MAX)
		return CS_FAIL(e, CS_E_CONFLICT,
			       "the request has %d decisions already, the most it may have",
			       CS_DECISIONS_MAX);
	return CS_OK;
}

/** The log that the approver saw must be ours: the same first event, and the same hash at that
 * size. */
static enum cs_rc check_log(struct cs_core *c, const struct cs_log_ref *seen, struct cs_err *e)
{
	struct cs_store *s = cs_reader_get(c);
	struct cs_log_ref log;
	struct cs_sha256 head;
	enum cs_rc rc;

	rc = cs_store_log(s, &log, e);
	if (rc == CS_OK && (!cs_sha256_equal(&log.id, &seen->id) || seen->size > log.size))
		rc = CS_FAIL(e, CS_E_CONFLICT,
			     "the decision names another log than this server's, or a longer one");
	if (rc == CS_OK)
		rc = cs_store_event_hash(s, seen->size, &head, e);
	if (rc == CS_OK && !cs_sha256_equal(&head, &seen->head))
		rc = CS_FAIL(
			e, CS_E_CONFLICT,
			"the decision names another head of the log at size %lld than this server's",
			(long long)seen->size);
	cs_reader_put(c, s);
	return rc;
}

static enum cs_rc check_comment(const struct cs_decision *d, const char *comment, struct cs_err *e)
{
	const struct cs_bytes text = { (const uint8_t *)comment, strlen(comment) };
	struct cs_sha256 hash;

	if (d->has_comment != (text.len > 0))
		return CS_FAIL(e, CS_E_INVALID, "comment: the signed decision %s one, the body %s",
			       d->has_comment ? "names" : "does not name",
			       text.len > 0 ? "does" : "does not");
	if (!d->has_comment)
		return CS_OK;
	hash = cs_sha256(text);
	if (!cs_sha256_equal(&hash, &d->comment_sha256))
		return CS_FAIL(e, CS_E_INVALID, "comment: it is not the one whose hash was signed");
	return CS_OK;
}

/** What the request becomes with this vote added. */
static enum cs_rc next_state(struct cs_case *k, const struct cs_vote *v, enum cs_state *top,
			     struct cs_err *e)
{
	struct cs_quorum_status q;
	enum cs_rc rc;

	k->votes[k->vote_count++] = *v;
	rc = cs_quorum_count(k->policy, &k->doc, k->votes, k->vote_count, &q, e);
	if (rc != CS_OK)
		return rc;
	*top = q.rejected ? CS_ST_REJECTED : q.met ? CS_ST_APPROVED : CS_ST_PENDING;
	return CS_OK;
}

static enum cs_rc check(struct cs_core *c, const struct cs_caller *who, struct decide *x,
			struct cs_err *e)
{
	struct cs_case *k = x->k;
	enum cs_rc rc;

	if ((rc = check_state(c, k, e)) != CS_OK ||
	    (rc = cs_vote_verify(k->policy, &k->doc, &k->row.document_sha256, x->envelope, &x->vote,
				 e)) != CS_OK ||
	    (rc = check_person(who, &x->vote, e)) != CS_OK ||
	    (rc = check_n(k, &x->vote, e)) != CS_OK ||
	    (rc = check_log(c, &x->vote.decision.log, e)) != CS_OK ||
	    (rc = check_comment(&x->vote.decision, x->comment, e)) != CS_OK)
		return rc;
	return next_state(k, &x->vote, &x->to, e);
}

static enum cs_rc decide_run(struct cs_core *c, struct cs_store *s, void *arg, struct cs_err *e)
{
	const struct decide *x = arg;
	const struct cs_case *k = x->k;
	struct cs_decision_row row = {
		.n = x->vote.decision.n,
		.verdict = x->vote.decision.verdict,
		.spki = x->vote.key_spki,
		.envelope = x->envelope,
		.comment = x->comment,
	};
	struct cs_buf detail;
	struct cs_move m = {
		.num = k->row.num,
		.id = k->row.id,
		.from = k->row.state,
		.to = x->to,
		.revision = k->row.revision,
		.next_attempt = x->to == CS_ST_APPROVED ? x->now : 0,
		.kind = CS_EV_REQUEST_DECISION,
		.actor = x->vote.approver->person,
		.detail = &detail,
	};
	enum cs_rc rc;

	rc = cs_core_policy_is(c, k->policy, e);
	if (rc != CS_OK)
		return rc;
	cs_buf_init(&detail, 2 * CS_ENVELOPE_MAX);
	cs_detail_decision(&detail, x->envelope, x->vote.approver->person, x->to);
	rc = cs_core_move(c, s, &m, &row.seq, e);
	cs_buf_done(&detail);
	memcpy(row.person, x->vote.approver->person, sizeof(row.person));
	return rc == CS_OK ? cs_store_decision_insert(s, k->row.num, &row, e) : rc;
}

enum cs_rc cs_core_decide(struct cs_core *c, const struct cs_caller *who, const char *id,
			  struct cs_bytes envelope, const char *comment, struct cs_answer *a,
			  struct cs_err *e)
{
	struct decide x = { .envelope = envelope, .comment = comment };
	enum cs_rc rc = CS_E_CONFLICT;
	bool raced = true;

	if (atomic_load(&c->draining))
		return CS_FAIL(e, CS_E_UNAVAILABLE,
			       "the server is stopping; try again in a moment");
	rc = cs_admission_take(c->admission, who->principal, cs_clock_mono(), &a->retry_after, e);
	if (rc != CS_OK)
		return rc;
	for (int i = 0; raced && i < CS_RETRIES; i++) {
		raced = false;
		x.now = cs_clock_now();
		rc = cs_case_open(c, who, id, &x.k, e);
		if (rc == CS_OK && (rc = check(c, who, &x, e)) == CS_OK) {
			rc = cs_writer_run(c, decide_run, &x, e);
			raced = rc == CS_E_CONFLICT;
		}
		cs_case_free(x.k);
		x.k = NULL;
	}
	if (rc != CS_OK)
		return rc;
	if (x.to == CS_ST_APPROVED)
		cs_core_schedule(c, id);
	cs_waits_notify(c, id);
	return cs_view_answer(c, who, id, a, e);
}

enum cs_rc cs_core_cancel(struct cs_core *c, const struct cs_caller *who, const char *id,
			  struct cs_answer *a, struct cs_err *e)
{
	struct cs_case *k = NULL;
	enum cs_rc rc;

	rc = cs_admission_take(c->admission, who->principal, cs_clock_mono(), &a->retry_after, e);
	if (rc != CS_OK)
		return rc;
	rc = CS_E_CONFLICT;
	for (int i = 0; rc == CS_E_CONFLICT && i < CS_RETRIES; i++) {
		rc = cs_case_open(c, who, id, &k, e);
		if (rc != CS_OK)
			return rc;
		rc = check_state(c, k, e);
		if (rc != CS_OK) {
			cs_case_free(k);
			return rc;
		}
		rc = cs_core_end(c, &k->row, CS_ST_CANCELLED, CS_EV_REQUEST_CANCELLED,
				 who->principal->name, "cancelled by the requester", e);
		cs_case_free(k);
	}
	return rc == CS_OK ? cs_view_answer(c, who, id, a, e) : rc;
}
