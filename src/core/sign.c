/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An attempt to sign what is approved: intents committed, then one frame per token, every outcome
 * committed as it comes. Invariants: intent before HSM, outcome before release, nothing is released
 * that does not verify.
 * Nobody waits for an attempt: the signers' threads note the answers, a job on the core's pool
 * checks them, the writer's thread commits their outcomes and begins the next step or the end.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/internal.h"
#include "format/format.h"

#define BACKOFF_MAX (5 * CS_SECOND)
#define SETTLE_MAX (2 * CS_SECOND) /* to write an outcome; a POST waits for it */

/** What became of one artifact. */
struct outcome {
	enum cs_event_kind kind; /* sign.done, sign.failed or sign.unknown */
	enum cs_artifact_state state;
	const char *code, *message;
	bool reached_hsm;
	struct cs_sha256 raw;
	struct cs_buf signature; /* with sign.done */
};

/** One artifact of an attempt. */
struct job {
	bool planned; /* this attempt signs it */
	int64_t number;
	enum cs_artifact_state before;
	const struct cs_key *key; /* borrowed from the case's policy */
	struct cs_sha256 tbs;
	struct frame *frame; /* that asks for it */

	/* the answer; under the attempt's lock until `due` was seen */
	bool has_answer, due; /* due: to be settled, with an answer or without */
	enum cs_sign_outcome answer;
	char code[CS_NAME_MAX + 1], message[CS_REASON_MAX + 1];
	struct cs_buf raw;

	/* the step's */
	bool settling, settled; /* its outcome is being committed; is committed */
	struct outcome outcome;
	struct cs_err error; /* that the outcome's texts are borrowed from */
};

/** What one token is asked. */
struct frame {
	struct cs_exchange x; /* first */
	struct cs_attempt *attempt;
	const char *token; /* borrowed from the case's policy */
	struct cs_buf bytes;
};

struct cs_attempt {
	struct cs_attempt *next; /* in the core's list of running ones */
	struct cs_attempt
		*next_unsettled; /* in its list of those that the writer must take again */
	struct cs_core *core;
	struct cs_case *k;
	cs_attempt_end_fn *ended;
	void *ended_arg;

	struct cs_job step;         /* on the pool: look at the answers */
	struct cs_command settling; /* at the writer: commit their outcomes */
	int64_t settle_until;
	int64_t revision;   /* of the request after the intents */
	int64_t signed_seq; /* of request.signed, 0 before; it may still be rolled back */
	size_t open;        /* planned and not settled */
	bool lost;          /* an outcome could not be written */

	pthread_mutex_t lock; /* guards what follows, and the answers of the jobs */
	bool is_stepping;     /* a step or its commit is under way */
	bool has_news;        /* since that step looked */

	size_t frame_count;
	struct frame *frames; /* owned */
	struct job jobs[];    /* one for each artifact of the document */
};

static struct cs_bytes document_of(const struct cs_attempt *a)
{
	return cs_buf_bytes(&a->k->row.document);
}

static const char *token_of(const struct cs_attempt *a, size_t i)
{
	return a->k->policy->tokens[a->jobs[i].key->token].name;
}

/* --- planning --- */

static enum cs_rc plan(struct cs_attempt *a, size_t i, struct cs_err *e)
{
	struct job *j = &a->jobs[i];
	struct cs_tbs tbs;
	enum cs_rc rc;

	j->before = a->k->artifacts[i].state;
	if (j->before == CS_AS_SIGNED)
		return CS_OK;
	j->key = cs_policy_key_by_spki(a->k->policy, &a->k->doc.artifacts[i].key_spki);
	if (!j->key)
		return CS_FAIL(e, CS_E_CONFLICT, "key %s is not in the policy any more",
			       a->k->doc.artifacts[i].key);
	rc = cs_format_prepare(&a->k->doc, i, &tbs, e);
	if (rc != CS_OK)
		return rc;
	j->planned = true;
	j->number = a->k->artifacts[i].attempts + 1;
	j->tbs = cs_tbs_sha256(&tbs);
	a->open++;
	return CS_OK;
}

static void set_running(struct cs_attempt *a, bool running)
{
	struct cs_core *c = a->core;

	pthread_mutex_lock(&c->lock);
	if (running) {
		a->next = c->running;
		c->running = a;
	} else {
		struct cs_attempt **p = &c->running;

		while (*p != a)
			p = &(*p)->next;
		*p = a->next;
	}
	pthread_mutex_unlock(&c->lock);
}

bool cs_attempt_is_running(struct cs_core *c, const char *id)
{
	bool found = false;

	pthread_mutex_lock(&c->lock);
	for (const struct cs_attempt *a = c->running; a && !found; a = a->next)
		found = strcmp(a->k->row.id, id) == 0;
	pthread_mutex_unlock(&c->lock);
	return found;
}

/* --- frames --- */

static void note_answer(struct cs_exchange *x, const struct cs_signer_result *r);
static void note_end(struct cs_exchange *x);
static void take_step(struct cs_job *step);

/** The frame of a token; a new one when it has none yet. */
static struct frame *frame_of(struct cs_attempt *a, const char *token)
{
	struct frame *f;

	for (f = a->frames; f < a->frames + a->frame_count; f++)
		if (strcmp(f->token, token) == 0)
			return f;
	a->frame_count++;
	f->attempt = a;
	f->token = token;
	f->x.expect = &a->k->policy->digest;
	f->x.on_result = note_answer;
	f->x.on_end = note_end;
	cs_buf_init(&f->bytes, CS_FRAME_MAX);
	return f;
}

static enum cs_rc write_frame(const struct cs_attempt *a, struct frame *f, struct cs_buf *body,
			      struct cs_err *e)
{
	struct cs_signer_sign m = { .document = document_of(a) };
	enum cs_rc rc;

	for (size_t i = 0; i < a->k->decision_count; i++)
		m.decisions[m.decision_count++] = cs_buf_bytes(&a->k->decisions[i].envelope);
	for (size_t i = 0; i < a->k->doc.count; i++) {
		if (a->jobs[i].frame != f)
			continue;
		f->x.asked |= UINT32_C(1) << i;
		m.artifacts[m.artifact_count].index = (uint32_t)i;
		m.artifacts[m.artifact_count++].attempt = (uint32_t)a->jobs[i].number;
	}
	cs_buf_reset(body);
	cs_signer_sign_write(&m, body);
	rc = cs_buf_ok(body, "SIGN frame", e);
	if (rc != CS_OK)
		return rc;
	cs_frame_add(&f->bytes, CS_MSG_SIGN, cs_buf_bytes(body));
	f->x.frame = cs_buf_bytes(&f->bytes);
	return cs_buf_ok(&f->bytes, "SIGN frame", e);
}

static enum cs_rc make_frames(struct cs_attempt *a, struct cs_err *e)
{
	enum cs_rc rc = CS_OK;
	struct cs_buf body;

	a->frames = calloc(a->open, sizeof(*a->frames));
	if (!a->frames)
		return CS_FAIL(e, CS_E_NOMEM, "an attempt");
	for (size_t i = 0; i < a->k->doc.count; i++)
		if (a->jobs[i].planned)
			a->jobs[i].frame = frame_of(a, token_of(a, i));
	cs_buf_init(&body, CS_FRAME_MAX);
	for (size_t i = 0; rc == CS_OK && i < a->frame_count; i++)
		rc = write_frame(a, &a->frames[i], &body, e);
	cs_buf_done(&body);
	return rc;
}

/* --- from plan to end --- */

enum cs_rc cs_attempt_new(struct cs_core *c, struct cs_case *k, struct cs_attempt **ap,
			  struct cs_err *e)
{
	struct cs_attempt *a = calloc(1, sizeof(*a) + k->doc.count * sizeof(a->jobs[0]));
	enum cs_rc rc = CS_OK;

	if (!a) {
		cs_case_free(k);
		return CS_FAIL(e, CS_E_NOMEM, "an attempt");
	}
	a->core = c;
	a->k = k;
	a->step.run = take_step;
	pthread_mutex_init(&a->lock, NULL);
	for (size_t i = 0; i < k->doc.count; i++) {
		cs_buf_init(&a->jobs[i].raw, CS_RAW_SIG_MAX);
		cs_buf_init(&a->jobs[i].outcome.signature, CS_SIG_MAX);
	}
	set_running(a, true);
	for (size_t i = 0; rc == CS_OK && i < k->doc.count; i++)
		rc = plan(a, i, e);
	if (rc == CS_OK)
		rc = make_frames(a, e);
	if (rc != CS_OK) {
		cs_attempt_free(a);
		return rc;
	}
	*ap = a;
	return CS_OK;
}

void cs_attempt_free(struct cs_attempt *a)
{
	if (!a)
		return;
	set_running(a, false);
	if (a->lost) /* from here on repair.c may look at it */
		atomic_store(&a->core->outcome_lost, true);
	for (size_t i = 0; i < a->k->doc.count; i++) {
		cs_buf_done(&a->jobs[i].raw);
		cs_buf_done(&a->jobs[i].outcome.signature);
	}
	for (size_t i = 0; i < a->frame_count; i++)
		cs_buf_done(&a->frames[i].bytes);
	free(a->frames);
	cs_case_free(a->k);
	pthread_mutex_destroy(&a->lock);
	free(a);
}

struct cs_case *cs_attempt_case(struct cs_attempt *a)
{
	return a->k;
}

/* --- intents --- */

static enum cs_rc write_intent(struct cs_attempt *a, struct cs_store *s, size_t i,
			       struct cs_buf *detail, struct cs_err *e)
{
	const struct job *j = &a->jobs[i];
	const struct cs_intent intent = {
		.artifact = (int64_t)i,
		.attempt = j->number,
		.spki = *cs_pk_spki_sha256(j->key->pk),
		.tbs = j->tbs,
		.token = token_of(a, i),
	};

	cs_buf_reset(detail);
	cs_detail_intent(detail, &intent);
	return cs_core_note(a->core, s, CS_EV_SIGN_INTENT, "daemon", a->k->row.id, detail, e);
}

/** @param move  the artifacts' states, too */
static enum cs_rc write_intents(struct cs_attempt *a, struct cs_store *s, bool move,
				struct cs_err *e)
{
	struct cs_buf detail;
	enum cs_rc rc = CS_OK;

	a->revision = cs_store_next_seq(s);
	cs_buf_init(&detail, 4096);
	for (size_t i = 0; rc == CS_OK && i < a->k->doc.count; i++) {
		if (!a->jobs[i].planned)
			continue;
		if (move)
			rc = cs_store_artifact_move(s, a->k->row.num, i, a->jobs[i].before,
						    CS_AS_SIGNING, e);
		if (rc == CS_OK)
			rc = write_intent(a, s, i, &detail, e);
		a->k->artifacts[i].state = CS_AS_SIGNING;
		a->k->artifacts[i].attempts = a->jobs[i].number;
	}
	cs_buf_done(&detail);
	return rc;
}

enum cs_rc cs_attempt_begin(struct cs_attempt *a, struct cs_store *s, struct cs_err *e)
{
	const struct cs_request_change change = {
		.from = CS_ST_APPROVED,
		.to = CS_ST_SIGNING,
		.revision = a->k->row.revision,
		.new_revision = cs_store_next_seq(s),
		.count_attempt = true,
	};
	enum cs_rc rc;

	rc = cs_core_may_use(a->core, a->k, e);
	if (rc == CS_OK)
		rc = cs_core_change(a->core, s, a->k->row.num, &change, e);
	if (rc == CS_OK)
		rc = write_intents(a, s, true, e);
	if (rc == CS_OK)
		a->k->row.state = CS_ST_SIGNING;
	return rc;
}

enum cs_rc cs_attempt_begin_new(struct cs_attempt *a, struct cs_store *s, struct cs_err *e)
{
	assert(a->k->row.state == CS_ST_SIGNING);
	return write_intents(a, s, false, e);
}

/* --- outcomes --- */

static enum cs_rc write_outcome(struct cs_attempt *a, struct cs_store *s, size_t i,
				struct cs_buf *detail, struct cs_err *e)
{
	const struct job *j = &a->jobs[i];
	const struct outcome *o = &j->outcome;
	enum cs_rc rc;

	rc = cs_store_artifact_move(s, a->k->row.num, i, CS_AS_SIGNING, o->state, e);
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
 * why. */
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

	return cs_core_change(a->core, s, a->k->row.num, &change, e);
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

/** The step is over; the next one begins if there is something to look at. */
static void end_step(struct cs_attempt *a)
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

/** On the writer's thread. What the log cannot take now, it may take in a moment; what it cannot
 * take then becomes unknown as soon as it can (repair.c). */
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
		end_step(a);
}

static void settle(struct cs_attempt *a)
{
	struct cs_command *cmd = &a->settling;

	*cmd = (struct cs_command){ .run = settle_run, .arg = a, .done = settle_done };
	cmd->rc = cs_writer_put(a->core, cmd, &cmd->err);
	if (cmd->rc != CS_OK)
		settle_done(cmd);
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
		settle(a);
	}
}

/* --- the step: what the answers mean --- */

/** Finish and verify; a signature that does not verify is an incident, not a retry. */
static enum cs_rc check_signature(const struct cs_attempt *a, size_t i, struct cs_buf *sig,
				  struct cs_err *e)
{
	const struct job *j = &a->jobs[i];
	enum cs_rc rc = cs_format_finish(&a->k->doc, i, cs_buf_bytes(&j->raw), sig, e);

	if (rc == CS_OK)
		rc = cs_format_verify(&a->k->doc, i, j->key->pk, cs_buf_bytes(sig), e);
	return rc;
}

static void judge_signature(struct cs_attempt *a, size_t i)
{
	struct job *j = &a->jobs[i];
	struct outcome *o = &j->outcome;

	if (check_signature(a, i, &o->signature, &j->error) == CS_OK) {
		o->kind = CS_EV_SIGN_DONE;
		o->state = CS_AS_SIGNED;
		o->raw = cs_sha256(cs_buf_bytes(&j->raw));
		return;
	}
	cs_log(CS_LOG_ERROR, "bad-signature", "request %s, artifact %zu: %s; it is not released",
	       a->k->row.id, i, j->error.msg);
	o->kind = CS_EV_SIGN_FAILED;
	o->state = CS_AS_FAILED;
	o->code = "bad-signature";
	o->message = j->error.msg;
	o->reached_hsm = true;
}

/** May be tried again, but for the one attempt that an artifact has after sign.unknown: once that
 * has reached the token, there may be two signatures, and no third is made. */
static void judge_failure(struct cs_attempt *a, size_t i)
{
	struct job *j = &a->jobs[i];
	struct outcome *o = &j->outcome;

	o->kind = CS_EV_SIGN_FAILED;
	o->reached_hsm = j->answer == CS_SIGN_FAILED;
	o->state = o->reached_hsm && a->k->artifacts[i].unknowns > 0 ? CS_AS_FAILED : CS_AS_WAITING;
	o->code = j->code;
	o->message = j->message;
}

/** Without an answer. Unless nothing was begun, it is unknown what the token did. */
static void judge_silence(struct job *j)
{
	const struct cs_exchange *x = &j->frame->x;
	struct outcome *o = &j->outcome;

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

/** On the pool. */
static void take_step(struct cs_job *step)
{
	struct cs_attempt *a = CS_OWNER(struct cs_attempt, step, step);

	if (take_due(a) == 0) {
		end_step(a);
		return;
	}
	for (size_t i = 0; i < a->k->doc.count; i++) {
		struct job *j = &a->jobs[i];

		if (!j->settling)
			continue;
		if (!j->has_answer)
			judge_silence(j);
		else if (j->answer == CS_SIGN_OK)
			judge_signature(a, i);
		else
			judge_failure(a, i);
	}
	a->settle_until = cs_clock_mono() + SETTLE_MAX;
	settle(a);
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
static void note_answer(struct cs_exchange *x, const struct cs_signer_result *r)
{
	struct cs_attempt *a = ((struct frame *)x)->attempt;
	struct job *j = &a->jobs[r->index];
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

static void note_end(struct cs_exchange *x)
{
	struct frame *f = (struct frame *)x;
	struct cs_attempt *a = f->attempt;
	bool step;

	pthread_mutex_lock(&a->lock);
	for (size_t i = 0; i < a->k->doc.count; i++)
		if (a->jobs[i].frame == f)
			a->jobs[i].due = true;
	step = has_to_step(a);
	pthread_mutex_unlock(&a->lock);
	if (step)
		cs_pool_put(a->core->pool, &a->step);
}

void cs_attempt_start(struct cs_attempt *a, cs_attempt_end_fn *ended, void *arg)
{
	/* with the last frame the attempt may end, and be gone */
	const size_t count = a->frame_count;
	struct frame *frames = a->frames;
	struct cs_core *c = a->core;

	assert(a->k->row.state == CS_ST_SIGNING);
	a->ended = ended;
	a->ended_arg = arg;
	for (size_t i = 0; i < count; i++) {
		struct cs_exchange *x = &frames[i].x;
		const int signer = cs_core_signer_index(c, frames[i].token);

		if (signer >= 0) {
			cs_signer_put(c->signers[signer], x);
			continue;
		}
		(void)CS_FAIL(&x->err, CS_E_UNAVAILABLE,
			      "no signer is configured for token %s (signers in countersignd.conf)",
			      frames[i].token);
		note_end(x);
	}
}
