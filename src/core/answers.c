/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the signers answered to an attempt, and what it means. Invariant: nothing is released that
 * does not verify.
 */
#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "core/attempt.h"
#include "format/format.h"

/* --- what an answer means --- */

/** Finish and verify; a signature that does not verify is an incident, not a retry. */
static enum cs_rc check_signature(const struct cs_attempt *a, size_t i, struct cs_buf *sig,
				  struct cs_err *e)
{
	const struct cs_attempt_job *j = &a->jobs[i];
	enum cs_rc rc = cs_buf_ok(&j->raw, "a signature", e);

	if (rc == CS_OK)
		rc = cs_format_finish(&a->k->doc, i, cs_buf_bytes(&j->raw), sig, e);
	if (rc == CS_OK)
		rc = cs_format_verify(&a->k->doc, i, j->key->pk, cs_buf_bytes(sig), e);
	return rc;
}

/** May be tried again, but for the one attempt that an artifact has after sign.unknown: once that
 * has reached the token, there may be two signatures, and no third is made. */
static enum cs_artifact_state state_after_failure(const struct cs_attempt *a, size_t i,
						  bool reached_hsm)
{
	return reached_hsm && a->k->artifacts[i].unknowns > 0 ? CS_AS_FAILED : CS_AS_WAITING;
}

/** One that could not be looked at is lost, not wrong. */
static void judge_signature(struct cs_attempt *a, size_t i)
{
	struct cs_attempt_job *j = &a->jobs[i];
	struct cs_outcome *o = &j->outcome;
	const enum cs_rc rc = check_signature(a, i, &o->signature, &j->error);

	if (rc == CS_OK) {
		o->kind = CS_EV_SIGN_DONE;
		o->state = CS_AS_SIGNED;
		o->raw = cs_sha256(cs_buf_bytes(&j->raw));
		return;
	}
	o->kind = CS_EV_SIGN_FAILED;
	o->message = j->error.msg;
	o->reached_hsm = true;
	if (rc == CS_E_NOMEM || rc == CS_E_INTERNAL) {
		o->state = state_after_failure(a, i, true);
		o->code = cs_rc_name(rc);
		return;
	}
	cs_log(CS_LOG_ERROR, "bad-signature", "request %s, artifact %zu: %s; it is not released",
	       a->k->row.id, i, j->error.msg);
	o->state = CS_AS_FAILED;
	o->code = "bad-signature";
}

static void judge_failure(struct cs_attempt *a, size_t i)
{
	struct cs_attempt_job *j = &a->jobs[i];
	struct cs_outcome *o = &j->outcome;

	o->kind = CS_EV_SIGN_FAILED;
	o->reached_hsm = j->answer == CS_SIGN_FAILED;
	o->state = state_after_failure(a, i, o->reached_hsm);
	o->code = j->code;
	o->message = j->message;
}

/** Without an answer. Unless nothing was begun, it is unknown what the token did. */
static void judge_silence(struct cs_attempt_job *j)
{
	const struct cs_exchange *x = &j->frame->x;
	struct cs_outcome *o = &j->outcome;

	o->kind = x->sent ? CS_EV_SIGN_UNKNOWN : CS_EV_SIGN_FAILED;
	o->state = x->sent ? CS_AS_UNKNOWN : CS_AS_WAITING;
	o->reached_hsm = x->sent;
	o->code = cs_rc_name(x->err.rc);
	o->message = x->err.msg;
}

/** Which jobs are due, seen once. */
static size_t take_due(struct cs_attempt *a)
{
	size_t count = 0;

	pthread_mutex_lock(&a->lock);
	a->has_news = false;
	for (size_t i = 0; i < a->k->doc.count; i++) {
		a->jobs[i].settling = a->jobs[i].due && !a->jobs[i].settled;
		count += a->jobs[i].settling;
	}
	pthread_mutex_unlock(&a->lock);
	return count;
}

void cs_attempt_end_step(struct cs_attempt *a)
{
	bool again;

	pthread_mutex_lock(&a->lock);
	again = a->has_news;
	a->has_news = false;
	a->is_stepping = again;
	pthread_mutex_unlock(&a->lock);
	if (again)
		cs_pool_put(a->core->pool, &a->step);
}

void cs_attempt_take_step(struct cs_job *step)
{
	struct cs_attempt *a = CS_OWNER(struct cs_attempt, step, step);

	if (take_due(a) == 0) {
		cs_attempt_end_step(a);
		return;
	}
	for (size_t i = 0; i < a->k->doc.count; i++) {
		struct cs_attempt_job *j = &a->jobs[i];

		if (!j->settling)
			continue;
		if (!j->has_answer)
			judge_silence(j);
		else if (j->answer == CS_SIGN_OK)
			judge_signature(a, i);
		else
			judge_failure(a, i);
	}
	cs_attempt_settle(a);
}

/* --- the answers, on the signers' threads --- */

/** With the lock. @return whether the step is to be put on the pool, once the lock is free */
static bool has_to_step(struct cs_attempt *a)
{
	const bool idle = !a->is_stepping;

	a->is_stepping = true;
	a->has_news = !idle;
	return idle;
}

/** Outcomes are committed as they come, but for a frame's last answer: the frame's end comes with
 * it. */
void cs_attempt_note_answer(struct cs_exchange *x, const struct cs_signer_result *r)
{
	struct cs_attempt *a = ((struct cs_attempt_frame *)x)->attempt;
	struct cs_attempt_job *j = &a->jobs[r->index];
	bool step = false;

	pthread_mutex_lock(&a->lock);
	j->has_answer = true;
	j->answer = r->outcome;
	memcpy(j->code, r->code, sizeof(j->code));
	memcpy(j->message, r->message, sizeof(j->message));
	cs_buf_add(&j->raw, r->raw.data, r->raw.len);
	if (x->missing != 0) {
		j->due = true;
		step = has_to_step(a);
	}
	pthread_mutex_unlock(&a->lock);
	if (step)
		cs_pool_put(a->core->pool, &a->step);
}

void cs_attempt_note_end(struct cs_exchange *x)
{
	struct cs_attempt_frame *f = (struct cs_attempt_frame *)x;
	struct cs_attempt *a = f->attempt;
	bool step;

	if (f->signer >= 0)
		cs_histogram_add(&a->core->counters.sign[f->signer], cs_clock_mono() - f->began);
	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < a->k->doc.count; i++)
		if (a->jobs[i].frame == f)
			a->jobs[i].due = true;
	step = has_to_step(a);
	pthread_mutex_unlock(&a->lock);
	if (step)
		cs_pool_put(a->core->pool, &a->step);
}
