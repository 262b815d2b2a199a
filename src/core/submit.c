/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A submission's way: allowance, policy, one command that finds a replay or records the request,
 * for keys that need no approval the attempt, and the answer. Three steps: the caller's thread to
 * the command, the writer's to the attempt, the pool's to the answer. Nobody waits in between.
 */
#include <stdlib.h>
#include <string.h>

#include "core/internal.h"
#include "policy/judge.h"

/** One submission. The first part is the caller's and stays until `done`. */
struct submit {
	struct cs_job job;         /* on the pool */
	struct cs_command command; /* at the writer */
	struct cs_core *core;
	const struct cs_caller *who;
	const struct cs_submission *submission;
	const char *idempotency_key; /* or NULL */
	struct cs_answer *answer;
	cs_core_submitted_fn *done;
	void *arg;

	struct cs_sha256 fingerprint, equality;
	struct cs_verdict verdict;
	int64_t now;
	int tries;
	struct cs_case *k;          /* the new request; the attempt's, if there is one */
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
	rc = cs_store_idempotency(s, principal, x->idempotency_key, x->now - CS_EQUAL_AGE, &before,
				  x->replay, e);
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
	const struct cs_idempotency key = { x->idempotency_key, x->fingerprint };
	const bool approved = x->verdict.judgement == CS_JUDGE_APPROVED;
	struct cs_request_row *row = &x->k->row;
	struct cs_buf detail;
	enum cs_rc rc;

	cs_buf_init(&detail, 2 * CS_DOCUMENT_MAX);
	cs_detail_created(&detail, cs_buf_bytes(&row->document),
			  approved ? CS_ST_APPROVED : CS_ST_PENDING);
	rc = cs_core_note(c, s, CS_EV_REQUEST_CREATED, row->principal, row->id, &detail, e);
	/* what is signed at once goes through approved in the log alone: one statement, not two */
	row->revision = cs_store_next_seq(s) - (x->attempt ? 0 : 1);
	row->state = x->attempt ? CS_ST_SIGNING : approved ? CS_ST_APPROVED : CS_ST_PENDING;
	row->attempts = x->attempt ? 1 : 0;
	if (rc == CS_OK)
		rc = cs_store_request_insert(s, row, &x->k->doc, key.key ? &key : NULL, e);
	if (rc == CS_OK)
		c->changed = row->revision;
	if (rc == CS_OK && x->attempt)
		rc = cs_attempt_begin_new(x->attempt, s, e);
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
		rc = cs_key_uses_check(s, x->k, e);
	if (rc == CS_OK)
		rc = admit(c, x, s, e);
	return rc == CS_OK ? record_request(c, x, s, e) : rc;
}

/** Fill the row of a request that is not denied. */
static enum cs_rc prepare(struct submit *x, struct cs_err *e)
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
	memcpy(row->comment, x->submission->comment, sizeof(row->comment));
	row->environment = doc->environment;
	row->created = doc->created;
	row->expires = doc->expires;
	row->document_sha256 = cs_sha256(cs_buf_bytes(&row->document));
	row->equality = x->equality;
	for (size_t i = 0; i < doc->count; i++)
		x->k->artifacts[i].state = CS_AS_WAITING;
	return CS_OK;
}

static void drop_case(struct submit *x)
{
	if (x->attempt)
		cs_attempt_free(x->attempt); /* with the case */
	else
		cs_case_free(x->k);
	x->attempt = NULL;
	x->k = NULL;
}

static void end(struct submit *x, enum cs_rc rc, const struct cs_err *e)
{
	struct cs_core *c = x->core;

	x->done(x->arg, rc, e);
	drop_case(x);
	free(x);
	atomic_fetch_sub(&c->ongoing, 1);
}

static void judge(struct cs_job *job);

static void put_job(struct submit *x, void (*run)(struct cs_job *))
{
	x->job.run = run;
	cs_pool_put(x->core->pool, &x->job);
}

/* --- the last step: the answer --- */

static enum cs_rc show(struct submit *x, struct cs_err *e)
{
	struct cs_answer *a = x->answer;

	if (x->replay[0]) {
		a->replay = true;
		return cs_view_answer(x->core, x->who, x->replay, a, e);
	}
	if (x->verdict.judgement == CS_JUDGE_DENY) {
		a->rule = x->verdict.rule;
		cs_count_denial(&x->core->counters, x->verdict.rule);
		return CS_FAIL(e, x->verdict.rc, "%s", x->verdict.reason);
	}
	if (x->k->row.state == CS_ST_SIGNED)
		return cs_view_case(x->k, x->who, a, e);
	return cs_view_answer(x->core, x->who, x->k->row.id, a, e);
}

static void answer(struct cs_job *job)
{
	struct submit *x = (struct submit *)job;
	struct cs_err e = { 0 };

	end(x, show(x, &e), &e);
}

static void refuse(struct cs_job *job)
{
	struct submit *x = (struct submit *)job;

	end(x, x->command.rc, &x->command.err);
}

/* --- the step in between, on the writer's thread: take note, and put the next one --- */

static void attempt_ended(void *arg)
{
	put_job(arg, answer);
}

static void record_done(struct cs_command *cmd)
{
	struct submit *x = cmd->arg;

	if (cmd->rc == CS_E_CONFLICT && ++x->tries < CS_RETRIES)
		put_job(x, judge);
	else if (cmd->rc != CS_OK)
		put_job(x, refuse);
	else if (x->attempt && !x->replay[0])
		cs_attempt_start(x->attempt, attempt_ended, x);
	else
		put_job(x, answer);
}

/* --- the first step: policy and command --- */

/** Judge by the policy of this moment; the command is refused with CS_E_CONFLICT when it changed
 * under way. */
static enum cs_rc try_submit(struct submit *x, struct cs_err *e)
{
	struct cs_facts facts = {
		.principal = x->who->principal,
		.submission = x->submission,
		.now = cs_clock_now(),
	};
	enum cs_rc rc;

	x->now = facts.now;
	x->k = cs_case_new(x->core);
	if (!x->k)
		return CS_FAIL(e, CS_E_NOMEM, "a request");
	facts.policy = x->k->policy;
	rc = cs_key_uses_read(x->core, facts.policy, x->submission, facts.used, e);
	if (rc != CS_OK)
		return rc;
	x->verdict = cs_policy_judge(&facts, &x->k->doc);
	if (x->verdict.judgement == CS_JUDGE_DENY)
		return CS_OK;
	rc = prepare(x, e);
	if (rc == CS_OK && x->verdict.judgement == CS_JUDGE_APPROVED) {
		struct cs_case *k = x->k;

		x->k = NULL; /* the attempt owns it from here */
		rc = cs_attempt_new(x->core, k, &x->attempt, e);
		if (rc == CS_OK)
			x->k = k;
	}
	return rc;
}

static void judge(struct cs_job *job)
{
	struct submit *x = (struct submit *)job;
	struct cs_err e = { 0 };
	enum cs_rc rc;

	drop_case(x); /* of a try that met another policy */
	rc = try_submit(x, &e);
	if (rc != CS_OK) {
		end(x, rc, &e);
		return;
	}
	x->command = (struct cs_command){ .run = submit_run, .arg = x, .done = record_done };
	cs_writer_put(x->core, &x->command);
}

static enum cs_rc begin(struct submit *x, struct cs_err *e)
{
	enum cs_rc rc;

	if (atomic_load(&x->core->draining))
		return CS_FAIL(e, CS_E_UNAVAILABLE,
			       "the server is stopping; try again in a moment");
	rc = cs_admission_take(x->core->admission, x->who->principal, cs_clock_mono(),
			       &x->answer->retry_after, e);
	if (rc == CS_OK)
		rc = cs_submission_fingerprint(x->submission, &x->fingerprint, e);
	if (rc == CS_OK)
		rc = cs_submission_equality(x->submission, &x->equality, e);
	return rc;
}

void cs_core_submit(struct cs_core *c, const struct cs_caller *who,
		    const struct cs_submission *submission, const char *idempotency_key,
		    struct cs_answer *a, cs_core_submitted_fn *done, void *arg)
{
	struct submit *x = calloc(1, sizeof(*x));
	struct cs_err e = { 0 };
	enum cs_rc rc;

	if (!x) {
		done(arg, CS_FAIL(&e, CS_E_NOMEM, "a submission"), &e);
		return;
	}
	x->core = c;
	x->who = who;
	x->submission = submission;
	x->idempotency_key = idempotency_key;
	x->answer = a;
	x->done = done;
	x->arg = arg;
	atomic_fetch_add(&c->ongoing, 1);
	rc = begin(x, &e);
	if (rc == CS_OK)
		judge(&x->job);
	else
		end(x, rc, &e);
}
