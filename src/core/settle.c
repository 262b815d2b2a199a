/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The outcomes of an attempt, committed as they come, and what they make of the request. Invariant:
 * outcome before release.
 */
#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "core/attempt.h"

#define BACKOFF_MAX (5 * CS_SECOND)
#define SETTLE_MAX (2 * CS_SECOND) /* to write an outcome; a POST waits for it */

static enum cs_rc write_outcome(struct cs_attempt *a, struct cs_store *s, size_t i,
				struct cs_buf *detail, struct cs_err *e)
{
	const struct cs_attempt_job *j = &a->jobs[i];
	const struct cs_outcome *o = &j->outcome;
	enum cs_rc rc;

	rc = cs_core_change_artifact(s, a->k->row.num, i, CS_AS_SIGNING, o->state, e);
	if (rc != CS_OK)
		return rc;
	cs_buf_reset(detail);
	if (o->kind == CS_EV_SIGN_DONE) {
		const struct cs_bytes signature = cs_buf_bytes(&o->signature);
		const struct cs_sha256 hash = cs_sha256(signature);

		rc = cs_store_signature_insert(s, a->k->row.num, i, signature, e);
		if (rc != CS_OK)
			return rc;
		cs_detail_done(detail, (int64_t)i, j->number, &o->raw, &hash);
	} else {
		cs_detail_not_done(detail, (int64_t)i, j->number, o->code, o->message,
				   o->reached_hsm);
		if (o->kind == CS_EV_SIGN_FAILED && !o->reached_hsm)
			rc = cs_key_uses_count(s, j->key, -1, e);
		if (rc != CS_OK)
			return rc;
	}
	return cs_core_note(a->core, s, o->kind, "daemon", a->k->row.id, detail, e);
}

/** An artifact as it is once the settling command is committed. While the request is signing nobody
 * else changes it. */
static struct cs_artifact_row row_after(const struct cs_attempt *a, size_t i)
{
	struct cs_artifact_row row = a->k->artifacts[i];

	if (a->jobs[i].settling) {
		row.state = a->jobs[i].outcome.state;
		row.unknowns += row.state == CS_AS_UNKNOWN;
	}
	return row;
}

static enum cs_rc move_signed(struct cs_attempt *a, struct cs_store *s, struct cs_move *m,
			      struct cs_err *e)
{
	struct cs_bytes signatures[CS_ARTIFACTS_MAX];
	struct cs_case *k = a->k;
	struct cs_buf detail;
	enum cs_rc rc;

	if (k->doc.count == 1)
		rc = cs_case_set_signature(k, cs_buf_bytes(&a->jobs[0].outcome.signature), e);
	else
		rc = cs_case_load_signatures(k, s, e);
	if (rc != CS_OK)
		return rc;
	for (size_t i = 0; i < k->signature_count; i++)
		signatures[i] = cs_buf_bytes(&k->signatures[i]);
	cs_buf_init(&detail, CS_EVENT_MAX);
	cs_detail_signed(&detail, signatures, k->signature_count);
	m->to = CS_ST_SIGNED;
	m->kind = CS_EV_REQUEST_SIGNED;
	m->detail = &detail;
	rc = cs_core_move(a->core, s, m, &a->signed_seq, e);
	m->detail = NULL;
	cs_buf_done(&detail);
	return rc;
}

static enum cs_rc move_failed(struct cs_attempt *a, struct cs_store *s, struct cs_move *m,
			      const char *reason, struct cs_err *e)
{
	struct cs_buf detail;
	enum cs_rc rc;

	cs_buf_init(&detail, 4096);
	cs_detail_reason(&detail, reason);
	m->to = CS_ST_FAILED;
	m->kind = CS_EV_REQUEST_FAILED;
	m->reason = reason;
	m->detail = &detail;
	rc = cs_core_move(a->core, s, m, NULL, e);
	m->detail = NULL;
	cs_buf_done(&detail);
	return rc;
}

/** Some artifacts are left: back to approved, and the timer tries again. The outcomes' events say
 * why. A policy that came during the attempt judges it now. */
static enum cs_rc move_back(struct cs_attempt *a, struct cs_store *s, struct cs_err *e)
{
	const int64_t tries = a->k->row.attempts;
	const int64_t delay = tries > 2 ? BACKOFF_MAX : CS_SECOND << tries;
	const struct cs_request_change change = {
		.from = CS_ST_SIGNING,
		.to = CS_ST_APPROVED,
		.revision = a->revision,
		.new_revision = cs_store_next_seq(s) - 1, /* the last outcome's event */
		.next_attempt = cs_clock_now() + (delay < BACKOFF_MAX ? delay : BACKOFF_MAX),
	};
	struct cs_err changed = { 0 };
	enum cs_rc rc = cs_core_change(a->core, s, a->k->row.num, &change, e);

	if (rc == CS_OK && cs_core_policy_is(a->core, a->k->policy, &changed) != CS_OK)
		rc = cs_core_rejudge_one(a->core, s, a->k->row.id, e);
	return rc;
}

/** The attempt is over: the artifacts' states decide what the request becomes. */
static enum cs_rc conclude(struct cs_attempt *a, struct cs_store *s, struct cs_err *e)
{
	struct cs_move m = {
		.num = a->k->row.num,
		.id = a->k->row.id,
		.from = CS_ST_SIGNING,
		.revision = a->revision,
		.actor = "daemon",
	};
	const size_t count = a->k->doc.count;
	size_t done = 0;

	for (size_t i = 0; i < count; i++)
		if (row_after(a, i).state == CS_AS_SIGNING)
			return CS_OK; /* its outcome was lost: repair.c makes it unknown first */
	for (size_t i = 0; i < count; i++) {
		const struct cs_artifact_row row = row_after(a, i);

		if (row.state == CS_AS_FAILED)
			return move_failed(a, s, &m,
					   "a signature could not be made; see sign.failed", e);
		if (row.unknowns > 1)
			return move_failed(a, s, &m,
					   "the signer gave no answer twice; see sign.unknown", e);
		done += row.state == CS_AS_SIGNED;
	}
	return done == count ? move_signed(a, s, &m, e) : move_back(a, s, e);
}

/** How many outcomes the settling command commits. */
static size_t count_settling(const struct cs_attempt *a)
{
	size_t count = 0;

	for (size_t i = 0; i < a->k->doc.count; i++)
		count += a->jobs[i].settling;
	return count;
}

static enum cs_rc settle_run(struct cs_core *c, struct cs_store *s, void *arg, struct cs_err *e)
{
	struct cs_attempt *a = arg;
	struct cs_buf detail;
	enum cs_rc rc = CS_OK;

	(void)c;
	a->signed_seq = 0;
	cs_buf_init(&detail, CS_SIG_MAX * 2);
	for (size_t i = 0; rc == CS_OK && i < a->k->doc.count; i++)
		if (a->jobs[i].settling)
			rc = write_outcome(a, s, i, &detail, e);
	if (rc == CS_OK && a->open == count_settling(a))
		rc = conclude(a, s, e);
	cs_buf_done(&detail);
	return rc;
}

/** The case as it was just committed, so that nobody has to read it again. */
static void show_signed(struct cs_attempt *a)
{
	a->k->row.state = CS_ST_SIGNED;
	a->k->row.revision = a->signed_seq;
}

/** Every frame has ended and every outcome is committed, or lost. */
static void finish(struct cs_attempt *a)
{
	cs_waits_notify(a->core, a->k->row.id);
	a->ended(a->ended_arg); /* the attempt may be gone from here on */
}

/* --- the command --- */

/** What the log cannot take now, it may take in a moment; what it cannot take then becomes unknown
 * as soon as it can (repair.c). */
static void settle_done(struct cs_command *cmd)
{
	struct cs_attempt *a = cmd->arg;
	const enum cs_rc rc = cmd->rc;

	if ((rc == CS_E_BUSY || rc == CS_E_NO_SPACE || rc == CS_E_UNAVAILABLE) &&
	    cs_clock_mono() < a->settle_until) {
		pthread_mutex_lock(&a->core->lock);
		a->next_unsettled = a->core->unsettled;
		a->core->unsettled = a;
		pthread_mutex_unlock(&a->core->lock);
		return;
	}
	if (rc != CS_OK) {
		a->lost = true;
		cs_log(CS_LOG_ERROR, "outcome-not-recorded", "request %s: %s", a->k->row.id,
		       cmd->err.msg);
	} else {
		for (size_t i = 0; i < a->k->doc.count; i++)
			a->k->artifacts[i] = row_after(a, i);
		if (a->signed_seq > 0)
			show_signed(a);
	}
	a->open -= count_settling(a);
	for (size_t i = 0; i < a->k->doc.count; i++) {
		a->jobs[i].settled = a->jobs[i].settled || a->jobs[i].settling;
		a->jobs[i].settling = false;
	}
	if (a->open == 0)
		finish(a);
	else
		cs_attempt_end_step(a);
}

static void put_command(struct cs_attempt *a)
{
	struct cs_command *cmd = &a->settling;

	*cmd = (struct cs_command){ .run = settle_run, .arg = a, .done = settle_done };
	cs_writer_put(a->core, cmd);
}

void cs_attempt_settle(struct cs_attempt *a)
{
	a->settle_until = cs_clock_mono() + SETTLE_MAX;
	put_command(a);
}

void cs_attempts_settle_again(struct cs_core *c)
{
	struct cs_attempt *a, *next;

	pthread_mutex_lock(&c->lock);
	a = c->unsettled;
	c->unsettled = NULL;
	pthread_mutex_unlock(&c->lock);
	for (; a; a = next) {
		next = a->next_unsettled;
		put_command(a);
	}
}
