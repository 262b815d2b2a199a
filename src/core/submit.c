/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A submission's way: allowance, policy, one command that finds a replay or records the request,
 * and for keys that need no approval the attempt, all on the worker that carries the POST.
 */
#include <stdlib.h>
#include <string.h>

#include "core/internal.h"
#include "policy/judge.h"

/** What the command needs and finds out. */
struct submit {
	const struct cs_caller *who;
	const char *idempotency_key; /* or NULL */
	struct cs_sha256 fingerprint, equality;
	struct cs_verdict verdict;
	int64_t now;
	bool waits;                 /* for the signatures, on its own worker */
	struct cs_case *k;          /* the new request; borrowed */
	struct cs_attempt *attempt; /* when it is approved at once */
	char replay[CS_UUID_TEXT];  /* "" = a new request */
};

/** @return CS_OK with x->replay set or empty; CS_E_MISMATCH */
static enum cs_rc find_replay(struct submit *x, struct cs_store *s, struct cs_err *e)
{
	const char *principal = x->who->principal->name;
	struct cs_sha256 before;
	enum cs_rc rc;

	if (!x->idempotency_key) {
		rc = cs_store_equal(s, principal, &x->equality, x->now - CS_EQUAL_AGE, x->replay,
				    e);
		return rc == CS_E_NOT_FOUND ? CS_OK : rc;
	}
	rc = cs_store_idempotency(s, principal, x->idempotency_key, &before, x->replay, e);
	if (rc == CS_E_NOT_FOUND)
		return CS_OK;
	if (rc == CS_OK && !cs_sha256_equal(&before, &x->fingerprint))
		return CS_FAIL(
			e, CS_E_MISMATCH,
			"Idempotency-Key: it came with another body before (request %s); use a "
			"new key for a new request",
			x->replay);
	return rc;
}

static enum cs_rc record_denial(struct cs_core *c, struct submit *x, struct cs_store *s,
				struct cs_err *e)
{
	struct cs_buf detail;
	enum cs_rc rc;

	cs_buf_init(&detail, 4096);
	cs_detail_denied(&detail, &x->fingerprint, x->verdict.reason, x->verdict.rule);
	rc = cs_core_note(c, s, CS_EV_REQUEST_DENIED, x->who->principal->name, "", &detail, e);
	cs_buf_done(&detail);
	return rc;
}

static enum cs_rc admit(struct cs_core *c, struct submit *x, struct cs_store *s, struct cs_err *e)
{
	const struct cs_principal *p = x->who->principal;
	int64_t count = 0;
	enum cs_rc rc;

	if (atomic_load(&c->disk_low))
		return CS_FAIL(e, CS_E_NO_SPACE,
			       "the server's disk is nearly full; requests that wait still finish");
	rc = cs_store_open_count(s, p->name, &count, e);
	if (rc == CS_OK && count >= p->open_max)
		return CS_FAIL(
			e, CS_E_RATE,
			"%s has %lld requests waiting, as many as open_requests in access.yaml "
			"allows; wait for them or cancel some",
			p->name, (long long)count);
	return rc;
}

static enum cs_rc record_request(struct cs_core *c, struct submit *x, struct cs_store *s,
				 struct cs_err *e)
{
	struct cs_request_row *row = &x->k->row;
	struct cs_buf detail;
	enum cs_rc rc;

	row->revision = cs_store_next_seq(s);
	cs_buf_init(&detail, 2 * CS_DOCUMENT_MAX);
	cs_detail_created(&detail, cs_buf_bytes(&row->document), row->state);
	rc = cs_core_note(c, s, CS_EV_REQUEST_CREATED, row->principal, row->id, &detail, e);
	if (rc == CS_OK)
		rc = cs_store_request_insert(s, row, &x->k->doc, e);
	if (rc == CS_OK && x->idempotency_key)
		rc = cs_store_idempotency_insert(s, row->principal, x->idempotency_key,
						 &x->fingerprint, row->num, x->now, e);
	if (rc == CS_OK)
		c->changed = row->revision;
	if (rc == CS_OK && x->attempt)
		rc = cs_attempt_begin(x->attempt, s, e);
	cs_buf_done(&detail);
	return rc;
}

static enum cs_rc submit_run(struct cs_core *c, struct cs_store *s, void *arg, struct cs_err *e)
{
	struct submit *x = arg;
	enum cs_rc rc;

	x->replay[0] = '\0';
	rc = find_replay(x, s, e);
	if (rc != CS_OK || x->replay[0])
		return rc;
	if (x->verdict.judgement == CS_JUDGE_DENY)
		return record_denial(c, x, s, e);
	rc = cs_core_may_use(c, x->k, e);
	if (rc == CS_OK)
		rc = admit(c, x, s, e);
	return rc == CS_OK ? record_request(c, x, s, e) : rc;
}

/** Fill the row of a request that is not denied. */
static enum cs_rc prepare(struct submit *x, const struct cs_submission *submission,
			  struct cs_err *e)
{
	struct cs_request *doc = &x->k->doc;
	struct cs_request_row *row = &x->k->row;
	enum cs_rc rc;

	cs_uuid7(x->now, doc->id);
	cs_request_write(doc, &row->document);
	rc = cs_buf_ok(&row->document, "request document", e);
	if (rc != CS_OK)
		return rc;
	memcpy(row->id, doc->id, sizeof(row->id));
	memcpy(row->principal, doc->principal, sizeof(row->principal));
	memcpy(row->comment, submission->comment, sizeof(row->comment));
	row->environment = doc->environment;
	row->state = x->verdict.judgement == CS_JUDGE_APPROVED ? CS_ST_APPROVED : CS_ST_PENDING;
	row->created = doc->created;
	row->expires = doc->expires;
	row->document_sha256 = cs_sha256(cs_buf_bytes(&row->document));
	row->equality = x->equality;
	for (size_t i = 0; i < doc->count; i++)
		x->k->artifacts[i].state = CS_AS_WAITING;
	return CS_OK;
}

/** Judge by the policy of this moment and record. CS_E_CONFLICT when the policy changed under way.
 */
static enum cs_rc try_submit(struct cs_core *c, struct submit *x,
			     const struct cs_submission *submission, struct cs_err *e)
{
	struct cs_facts facts = {
		.principal = x->who->principal,
		.submission = submission,
		.now = x->now,
	};
	enum cs_rc rc;

	x->k = cs_case_new(c);
	if (!x->k)
		return CS_FAIL(e, CS_E_NOMEM, "a request");
	facts.policy = x->k->policy;
	x->verdict = cs_policy_judge(&facts, &x->k->doc);
	if (x->verdict.judgement == CS_JUDGE_DENY)
		return cs_writer_run(c, submit_run, x, e);
	rc = prepare(x, submission, e);
	if (rc == CS_OK && x->verdict.judgement == CS_JUDGE_APPROVED && !x->waits)
		x->k->row.next_attempt = x->now;
	if (rc == CS_OK && x->verdict.judgement == CS_JUDGE_APPROVED && x->waits) {
		struct cs_case *k = x->k;

		x->k = NULL; /* the attempt owns it from here */
		rc = cs_attempt_new(c, k, &x->attempt, e);
		if (rc == CS_OK)
			x->k = k;
	}
	return rc == CS_OK ? cs_writer_run(c, submit_run, x, e) : rc;
}

static void submit_done(struct submit *x)
{
	if (x->attempt)
		cs_attempt_free(x->attempt); /* with the case */
	else
		cs_case_free(x->k);
	x->attempt = NULL;
	x->k = NULL;
}

/** After the command: sign what may be signed, and show the request. */
static enum cs_rc answer(struct cs_core *c, struct submit *x, struct cs_answer *a, struct cs_err *e)
{
	if (x->replay[0]) {
		a->replay = true;
		return cs_view_answer(c, x->who, x->replay, a, e);
	}
	if (x->verdict.judgement == CS_JUDGE_DENY) {
		a->rule = x->verdict.rule;
		return CS_FAIL(e, x->verdict.rc, "%s", x->verdict.reason);
	}
	if (x->attempt)
		cs_attempt_run(x->attempt);
	else if (x->k->row.state == CS_ST_APPROVED)
		cs_core_schedule(c, x->k->row.id);
	if (x->k->row.state == CS_ST_SIGNED)
		return cs_view_case(x->k, x->who, a, e);
	return cs_view_answer(c, x->who, x->k->row.id, a, e);
}

enum cs_rc cs_core_submit(struct cs_core *c, const struct cs_caller *who,
			  const struct cs_submission *submission, const char *idempotency_key,
			  struct cs_answer *a, struct cs_err *e)
{
	struct submit x = { .who = who, .idempotency_key = idempotency_key };
	enum cs_rc rc;

	if (atomic_load(&c->draining))
		return CS_FAIL(e, CS_E_UNAVAILABLE,
			       "the server is stopping; try again in a moment");
	rc = cs_admission_take(c->admission, who->principal, cs_clock_mono(), &a->retry_after, e);
	if (rc == CS_OK)
		rc = cs_submission_fingerprint(submission, &x.fingerprint, e);
	if (rc == CS_OK)
		rc = cs_submission_equality(submission, &x.equality, e);
	if (rc != CS_OK)
		return rc;
	/* a token that hangs must not take every worker: beyond a share nobody waits for it */
	x.waits = atomic_fetch_add(&c->inline_posts, 1) < c->inline_max;
	for (int i = 0; i < CS_RETRIES; i++) {
		x.now = cs_clock_now();
		rc = try_submit(c, &x, submission, e);
		if (rc != CS_E_CONFLICT)
			break;
		submit_done(&x);
	}
	if (rc == CS_OK)
		rc = answer(c, &x, a, e);
	atomic_fetch_sub(&c->inline_posts, 1);
	submit_done(&x);
	return rc;
}
