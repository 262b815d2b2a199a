/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An attempt to sign what is approved, from its plan to its frames: what is to be signed, the
 * intents in the writer's transaction, then one frame for each token. Invariant: intent before HSM.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/attempt.h"
#include "format/format.h"

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
	struct cs_attempt_job *j = &a->jobs[i];
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

/** The frame of a token; a new one when it has none yet. */
static struct cs_attempt_frame *frame_of(struct cs_attempt *a, const char *token)
{
	struct cs_attempt_frame *f;

	for (f = a->frames; f < a->frames + a->frame_count; f++)
		if (strcmp(f->token, token) == 0)
			return f;
	a->frame_count++;
	f->attempt = a;
	f->token = token;
	f->x.expect = &a->k->policy->digest;
	f->x.on_result = cs_attempt_note_answer;
	f->x.on_end = cs_attempt_note_end;
	cs_buf_init(&f->bytes, CS_FRAME_MAX);
	return f;
}

static enum cs_rc write_frame(const struct cs_attempt *a, struct cs_attempt_frame *f,
			      struct cs_buf *body, struct cs_err *e)
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
	a->step.run = cs_attempt_take_step;
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

/* --- intents --- */

static enum cs_rc write_intent(struct cs_attempt *a, struct cs_store *s, size_t i,
			       struct cs_buf *detail, struct cs_err *e)
{
	const struct cs_attempt_job *j = &a->jobs[i];
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
			rc = cs_core_change_artifact(s, a->k->row.num, i, a->jobs[i].before,
						     CS_AS_SIGNING, e);
		if (rc == CS_OK)
			rc = write_intent(a, s, i, &detail, e);
		if (rc == CS_OK)
			rc = cs_key_uses_count(s, a->jobs[i].key, 1, e);
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
		rc = cs_key_uses_check(s, a->k, e);
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

/* --- the frames go out --- */

void cs_attempt_start(struct cs_attempt *a, cs_attempt_end_fn *ended, void *arg)
{
	/* with the last frame the attempt may end, and be gone */
	const size_t count = a->frame_count;
	struct cs_attempt_frame *frames = a->frames;
	struct cs_core *c = a->core;

	assert(a->k->row.state == CS_ST_SIGNING);
	a->ended = ended;
	a->ended_arg = arg;
	for (size_t i = 0; i < count; i++) {
		struct cs_exchange *x = &frames[i].x;
		const int signer = cs_core_signer_index(c, frames[i].token);

		frames[i].signer = signer;
		frames[i].began = cs_clock_mono();
		if (signer >= 0) {
			cs_signer_put(c->signers[signer], x);
			continue;
		}
		(void)CS_FAIL(&x->err, CS_E_UNAVAILABLE,
			      "no signer is configured for token %s (signers in countersignd.conf)",
			      frames[i].token);
		cs_attempt_note_end(x);
	}
}
