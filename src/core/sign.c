/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An attempt to sign what is approved: intents committed, then one frame per token, every outcome
 * committed as it comes. Invariants: intent before HSM, outcome before release, nothing is released
 * that does not verify.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/internal.h"
#include "format/format.h"

#define BACKOFF_MAX (5 * CS_SECOND)
#define SETTLE_MAX (2 * CS_SECOND) /* to write an outcome; a POST waits for it */

/** One artifact of an attempt. */
struct job {
	bool planned; /* this attempt signs it */
	bool settled; /* its outcome is committed */
	int64_t number;
	enum cs_artifact_state before;
	const struct cs_key *key; /* borrowed from the case's policy */
	struct cs_sha256 tbs;
};

struct cs_attempt {
	struct cs_attempt *next; /* in the core's list of running ones */
	struct cs_core *core;
	struct cs_case *k;
	size_t open; /* planned and not settled */
	bool lost;   /* an outcome could not be written */
	struct job jobs[CS_ARTIFACTS_MAX];
	int64_t revision;   /* of the request after the intents */
	int64_t signed_seq; /* of request.signed, 0 before; it may still be rolled back */
	size_t awaited;     /* answers of the frame that is under way */
	size_t last_index;
	struct cs_buf last_raw; /* the frame's last signature, until its connection is free again */
};

/** What became of one artifact. */
struct outcome {
	size_t index;
	enum cs_event_kind kind; /* sign.done, sign.failed or sign.unknown */
	enum cs_artifact_state state;
	const char *code, *message;
	bool reached_hsm;
	struct cs_sha256 raw;
	struct cs_bytes signature; /* with sign.done */
};

static struct cs_bytes document_of(const struct cs_attempt *a)
{
	return cs_buf_bytes(&a->k->row.document);
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

enum cs_rc cs_attempt_new(struct cs_core *c, struct cs_case *k, struct cs_attempt **ap,
			  struct cs_err *e)
{
	struct cs_attempt *a = calloc(1, sizeof(*a));
	enum cs_rc rc = CS_OK;

	if (!a) {
		cs_case_free(k);
		return CS_FAIL(e, CS_E_NOMEM, "an attempt");
	}
	a->core = c;
	a->k = k;
	set_running(a, true);
	cs_buf_init(&a->last_raw, CS_RAW_SIG_MAX);
	for (size_t i = 0; rc == CS_OK && i < k->doc.count; i++)
		rc = plan(a, i, e);
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
	cs_case_free(a->k);
	cs_buf_done(&a->last_raw);
	free(a);
}

struct cs_case *cs_attempt_case(struct cs_attempt *a)
{
	return a->k;
}

/* --- intents --- */

static const char *token_of(const struct cs_attempt *a, size_t i)
{
	return a->k->policy->tokens[a->jobs[i].key->token].name;
}

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
	enum cs_rc rc;

	rc = cs_store_artifact_move(s, a->k->row.num, i, j->before, CS_AS_SIGNING, e);
	if (rc != CS_OK)
		return rc;
	cs_buf_reset(detail);
	cs_detail_intent(detail, &intent);
	return cs_core_note(a->core, s, CS_EV_SIGN_INTENT, "daemon", a->k->row.id, detail, e);
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
	struct cs_buf detail;
	enum cs_rc rc;

	rc = cs_core_may_use(a->core, a->k, e);
	if (rc == CS_OK)
		rc = cs_core_change(a->core, s, a->k->row.num, &change, e);
	cs_buf_init(&detail, 4096);
	for (size_t i = 0; rc == CS_OK && i < a->k->doc.count; i++)
		if (a->jobs[i].planned)
			rc = write_intent(a, s, i, &detail, e);
	cs_buf_done(&detail);
	if (rc == CS_OK) {
		a->revision = change.new_revision;
		a->k->row.state = CS_ST_SIGNING;
	}
	return rc;
}

/* --- outcomes --- */

struct settle {
	struct cs_attempt *a;
	const struct outcome *outcomes;
	size_t count;
};

static enum cs_rc write_outcome(struct cs_attempt *a, struct cs_store *s, const struct outcome *o,
				struct cs_buf *detail, struct cs_err *e)
{
	const struct job *j = &a->jobs[o->index];
	enum cs_rc rc;

	rc = cs_store_artifact_move(s, a->k->row.num, o->index, CS_AS_SIGNING, o->state, e);
	if (rc != CS_OK)
		return rc;
	cs_buf_reset(detail);
	if (o->kind == CS_EV_SIGN_DONE) {
		const struct cs_sha256 hash = cs_sha256(o->signature);

		rc = cs_store_signature_insert(s, a->k->row.num, o->index, o->signature, e);
		if (rc != CS_OK)
			return rc;
		cs_detail_done(detail, (int64_t)o->index, j->number, &o->raw, &hash);
	} else {
		cs_detail_not_done(detail, (int64_t)o->index, j->number, o->code, o->message,
				   o->reached_hsm);
	}
	return cs_core_note(a->core, s, o->kind, "daemon", a->k->row.id, detail, e);
}

static enum cs_rc move_signed(struct cs_attempt *a, struct cs_store *s, struct cs_move *m,
			      struct cs_err *e)
{
	struct cs_bytes signatures[CS_ARTIFACTS_MAX];
	struct cs_case *k = a->k;
	struct cs_buf detail;
	enum cs_rc rc = cs_case_load_signatures(k, s, e);

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
	struct cs_artifact_row rows[CS_ARTIFACTS_MAX];
	struct cs_move m = {
		.num = a->k->row.num,
		.id = a->k->row.id,
		.from = CS_ST_SIGNING,
		.revision = a->revision,
		.actor = "daemon",
	};
	size_t count = 0, done = 0;
	enum cs_rc rc;

	rc = cs_store_artifacts(s, a->k->row.num, rows, &count, e);
	if (rc != CS_OK)
		return rc;
	for (size_t i = 0; i < count; i++)
		if (rows[i].state == CS_AS_SIGNING)
			return CS_OK; /* its outcome was lost: repair.c makes it unknown first */
	for (size_t i = 0; i < count; i++) {
		if (rows[i].state == CS_AS_FAILED)
			return move_failed(a, s, &m,
					   "a signature could not be made; see sign.failed", e);
		if (rows[i].unknowns > 1)
			return move_failed(a, s, &m,
					   "the signer gave no answer twice; see sign.unknown", e);
		done += rows[i].state == CS_AS_SIGNED;
	}
	return done == count ? move_signed(a, s, &m, e) : move_back(a, s, e);
}

static enum cs_rc settle_run(struct cs_core *c, struct cs_store *s, void *arg, struct cs_err *e)
{
	const struct settle *x = arg;
	struct cs_buf detail;
	enum cs_rc rc = CS_OK;

	(void)c;
	cs_buf_init(&detail, CS_SIG_MAX * 2);
	for (size_t i = 0; rc == CS_OK && i < x->count; i++)
		rc = write_outcome(x->a, s, &x->outcomes[i], &detail, e);
	if (rc == CS_OK && x->a->open == x->count)
		rc = conclude(x->a, s, e);
	cs_buf_done(&detail);
	return rc;
}

/** The case as it was just committed, so that nobody has to read it again. */
static void show_signed(struct cs_attempt *a)
{
	a->k->row.state = CS_ST_SIGNED;
	a->k->row.revision = a->signed_seq;
	for (size_t i = 0; i < a->k->doc.count; i++)
		a->k->artifacts[i].state = CS_AS_SIGNED;
}

/** Commit outcomes. Those that the log cannot take become unknown as soon as it can (repair.c). */
static void settle(struct cs_attempt *a, const struct outcome *outcomes, size_t count)
{
	struct settle x = { a, outcomes, count };
	struct cs_err e = { 0 };
	const int64_t until = cs_clock_mono() + SETTLE_MAX;
	enum cs_rc rc;

	do {
		rc = cs_writer_run(a->core, settle_run, &x, &e);
		if (rc == CS_E_BUSY || rc == CS_E_NO_SPACE || rc == CS_E_UNAVAILABLE)
			nanosleep(&(struct timespec){ .tv_nsec = 100 * 1000000 }, NULL);
		else
			break;
	} while (cs_clock_mono() < until);
	if (rc != CS_OK) {
		a->lost = true;
		cs_log(CS_LOG_ERROR, "outcome-not-recorded", "request %s: %s", a->k->row.id, e.msg);
	} else if (a->signed_seq > 0) {
		show_signed(a);
	}
	for (size_t i = 0; i < count; i++)
		a->jobs[outcomes[i].index].settled = true;
	a->open -= count;
}

/* --- asking the signers --- */

/** Finish and verify; a signature that does not verify is an incident, not a retry. */
static enum cs_rc check_signature(const struct cs_attempt *a, size_t i, struct cs_bytes raw,
				  struct cs_buf *sig, struct cs_err *e)
{
	enum cs_rc rc = cs_format_finish(&a->k->doc, i, raw, sig, e);

	if (rc == CS_OK)
		rc = cs_format_verify(&a->k->doc, i, a->jobs[i].key->pk, cs_buf_bytes(sig), e);
	return rc;
}

/** Check and commit a signature of the token. */
static void take_signature(struct cs_attempt *a, size_t index, struct cs_bytes raw)
{
	struct outcome o = { .index = index };
	struct cs_err e = { 0 };
	struct cs_buf sig;

	cs_buf_init(&sig, CS_SIG_MAX);
	if (check_signature(a, index, raw, &sig, &e) == CS_OK) {
		o.kind = CS_EV_SIGN_DONE;
		o.state = CS_AS_SIGNED;
		o.raw = cs_sha256(raw);
		o.signature = cs_buf_bytes(&sig);
	} else {
		cs_log(CS_LOG_ERROR, "bad-signature",
		       "request %s, artifact %zu: %s; it is not released", a->k->row.id, index,
		       e.msg);
		o.kind = CS_EV_SIGN_FAILED;
		o.state = CS_AS_FAILED;
		o.code = "bad-signature";
		o.message = e.msg;
		o.reached_hsm = true;
	}
	settle(a, &o, 1);
	cs_buf_done(&sig);
}

/** May be tried again, but for the one attempt that an artifact has after sign.unknown: once that
 * has reached the token, there may be two signatures, and no third is made. */
static void take_failure(struct cs_attempt *a, const struct cs_signer_result *r)
{
	const bool reached = r->outcome == CS_SIGN_FAILED;
	const bool last = reached && a->k->artifacts[r->index].unknowns > 0;
	const struct outcome o = {
		.index = r->index,
		.kind = CS_EV_SIGN_FAILED,
		.state = last ? CS_AS_FAILED : CS_AS_WAITING,
		.code = r->code,
		.message = r->message,
		.reached_hsm = reached,
	};

	settle(a, &o, 1);
}

/** Outcomes are committed as they come, but for the frame's last signature: after it comes only
 * DONE, so it is kept until others can use the connection. */
static void on_result(void *arg, const struct cs_signer_result *r)
{
	struct cs_attempt *a = arg;

	if (r->index >= a->k->doc.count || !a->jobs[r->index].planned ||
	    a->jobs[r->index].settled) {
		cs_log(CS_LOG_ERROR, "signer-answer",
		       "request %s: an answer for artifact %u, not asked", a->k->row.id,
		       (unsigned)r->index);
		return;
	}
	a->awaited--;
	if (r->outcome != CS_SIGN_OK) {
		take_failure(a, r);
		return;
	}
	cs_buf_reset(&a->last_raw);
	if (a->awaited == 0)
		cs_buf_add(&a->last_raw, r->raw.data, r->raw.len);
	if (a->last_raw.len > 0)
		a->last_index = r->index;
	else
		take_signature(a, r->index, r->raw);
}

/** Artifacts of this token that got no answer. */
static void settle_unanswered(struct cs_attempt *a, const struct cs_signer_sign *frame, bool sent,
			      const struct cs_err *e)
{
	struct outcome list[CS_ARTIFACTS_MAX];
	size_t count = 0;

	for (size_t i = 0; i < frame->artifact_count; i++) {
		const size_t index = frame->artifacts[i].index;

		if (a->jobs[index].settled)
			continue;
		list[count++] = (struct outcome){
			.index = index,
			.kind = sent ? CS_EV_SIGN_UNKNOWN : CS_EV_SIGN_FAILED,
			.state = sent ? CS_AS_UNKNOWN : CS_AS_WAITING,
			.code = cs_rc_name(e->rc),
			.message = e->msg,
			.reached_hsm = sent,
		};
	}
	if (count > 0)
		settle(a, list, count);
}

static void ask_token(struct cs_attempt *a, const struct cs_signer_sign *frame, const char *token)
{
	const int signer = cs_core_signer_index(a->core, token);
	struct cs_err e = { 0 };
	bool sent = false;
	enum cs_rc rc;

	a->awaited = frame->artifact_count;
	cs_buf_reset(&a->last_raw);
	if (signer < 0)
		rc = CS_FAIL(&e, CS_E_UNAVAILABLE,
			     "no signer is configured for token %s (signers in countersignd.conf)",
			     token);
	else
		rc = cs_signer_sign(a->core->signers[signer], frame, &a->k->policy->digest,
				    on_result, a, &sent, &e);
	if (a->last_raw.len > 0)
		take_signature(a, a->last_index, cs_buf_bytes(&a->last_raw));
	if (rc == CS_OK) /* all frames came; one that is missing all the same is unknown */
		cs_err_set(&e, CS_E_INTERNAL, "the signer's answer leaves this artifact out");
	settle_unanswered(a, frame, sent, &e);
}

void cs_attempt_run(struct cs_attempt *a)
{
	struct cs_signer_sign frame = { .document = document_of(a) };
	bool asked[CS_ARTIFACTS_MAX] = { false };

	assert(a->k->row.state == CS_ST_SIGNING);
	for (size_t i = 0; i < a->k->decision_count; i++)
		frame.decisions[frame.decision_count++] = cs_buf_bytes(
			&a->k->decisions[i].envelope);
	for (size_t i = 0; i < a->k->doc.count; i++) {
		if (!a->jobs[i].planned || asked[i])
			continue;
		frame.artifact_count = 0;
		for (size_t n = i; n < a->k->doc.count; n++) {
			if (!a->jobs[n].planned || a->jobs[n].key->token != a->jobs[i].key->token)
				continue;
			asked[n] = true;
			frame.artifacts[frame.artifact_count].index = (uint32_t)n;
			frame.artifacts[frame.artifact_count++].attempt =
				(uint32_t)a->jobs[n].number;
		}
		ask_token(a, &frame, token_of(a, i));
	}
	cs_waits_notify(a->core, a->k->row.id);
}
