/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attempts that no POST waits for: of what people approved, and of what is due again. Judged once
 * more, on the pool, and started.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/internal.h"

#define SCHEDULED_MAX 1024
#define REFUSED_PAUSE (5 * CS_SECOND) /* before what may not be signed now is judged again */
#define AWAY_PAUSE CS_SECOND          /* before a signer that is away is looked at again */

/* --- one attempt --- */

/** The name of its key means another key now: nothing can help. */
static void cancel_by_policy(struct cs_core *c, const struct cs_case *k, const struct cs_err *why)
{
	struct cs_err e = { 0 };
	enum cs_rc rc;

	rc = cs_core_end(c, &k->row, CS_ST_CANCELLED, CS_EV_REQUEST_CANCELLED, "daemon", why->msg,
			 &e);
	if (rc != CS_OK && rc != CS_E_CONFLICT)
		cs_log(CS_LOG_ERROR, "request-not-cancelled", "request %s: %s", k->row.id, e.msg);
}

/** A key that is used up makes no signature any more, so the request is over. */
static bool has_uses_left(struct cs_core *c, const struct cs_case *k)
{
	struct cs_store *s = cs_reader_get(c);
	struct cs_err e = { 0 };
	const enum cs_rc rc = cs_key_uses_check(s, k, &e);

	cs_reader_put(c, s);
	if (rc == CS_E_CONFLICT)
		cancel_by_policy(c, k, &e);
	return rc == CS_OK;
}

/** Lifetimes, key identity and quorum once more, with every decision verified again. */
static bool may_sign(struct cs_core *c, struct cs_case *k)
{
	struct cs_quorum_status q;
	const char *rule = NULL;
	struct cs_err e = { 0 };

	if (cs_quorum_check_document(k->policy, &k->doc, cs_clock_now(), &rule, &e) != CS_OK) {
		if (e.rc == CS_E_CONFLICT)
			cancel_by_policy(c, k, &e);
		return false; /* otherwise the timer expires it, or tries again */
	}
	if (!has_uses_left(c, k))
		return false;
	cs_case_verify_votes(k);
	return cs_quorum_count(k->policy, &k->doc, k->votes, k->vote_count, &q, &e) == CS_OK &&
	       q.met && !q.rejected;
}

/** Would the signers of what is not signed yet take a frame? A try that is bound to fail costs two
 * events. */
static bool signers_are_there(struct cs_core *c, const struct cs_case *k)
{
	bool there = true;

	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < k->doc.count; i++) {
		const struct cs_key *key = cs_policy_key(k->policy, k->doc.artifacts[i].key);
		const int signer = cs_core_signer_index(c, k->policy->tokens[key->token].name);

		if (k->artifacts[i].state != CS_AS_SIGNED)
			there = there && signer >= 0 && !c->seen[signer].away;
	}
	pthread_mutex_unlock(&c->lock);
	return there;
}

struct postpone {
	const struct cs_request_row *row;
	int64_t until;
};

static enum cs_rc postpone_run(struct cs_core *c, struct cs_store *s, void *arg, struct cs_err *e)
{
	const struct postpone *x = arg;
	const struct cs_request_change change = {
		.from = CS_ST_APPROVED,
		.to = CS_ST_APPROVED,
		.revision = x->row->revision,
		.new_revision = x->row->revision,
		.next_attempt = x->until,
	};

	(void)c;
	return cs_store_request_change(s, x->row->num, &change, e);
}

/** Not now. Later than others that are due, or those that wait for long would keep them out. */
static void postpone(struct cs_core *c, const struct cs_request_row *row, int64_t us)
{
	struct postpone x = { row, cs_clock_now() + us };
	struct cs_err e = { 0 };
	const enum cs_rc rc = cs_writer_run(c, postpone_run, &x, &e);

	if (rc != CS_OK && rc != CS_E_CONFLICT)
		cs_log(CS_LOG_WARN, "attempt-not-postponed", "request %s: %s", row->id, e.msg);
}

/** Is it due, and can it be signed now? What cannot is postponed. */
static bool is_worth_a_try(struct cs_core *c, struct cs_case *k)
{
	/* it may be in the queue more than once */
	if (k->row.state != CS_ST_APPROVED || k->row.next_attempt > cs_clock_now())
		return false;
	if (!may_sign(c, k)) {
		postpone(c, &k->row, REFUSED_PAUSE);
		return false;
	}
	if (signers_are_there(c, k))
		return true;
	postpone(c, &k->row, AWAY_PAUSE);
	return false;
}

/* --- turns on the pool --- */

struct turn {
	struct cs_job job; /* first */
	struct cs_command begin;
	struct cs_core *core;
	struct cs_attempt *attempt;
	char id[CS_UUID_TEXT];
};

static void turn_over(struct turn *t)
{
	cs_attempt_free(t->attempt);
	atomic_fetch_sub(&t->core->ongoing, 1);
	free(t);
}

static void free_turn(struct cs_job *job)
{
	turn_over((struct turn *)job);
}

static void attempt_ended(void *arg)
{
	struct turn *t = arg;

	t->job.run = free_turn;
	cs_pool_put(t->core->pool, &t->job);
}

static enum cs_rc begin_run(struct cs_core *c, struct cs_store *s, void *arg, struct cs_err *e)
{
	const struct turn *t = arg;

	(void)c;
	return cs_attempt_begin(t->attempt, s, e);
}

/** On the writer's thread. */
static void begin_done(struct cs_command *cmd)
{
	struct turn *t = cmd->arg;

	if (cmd->rc == CS_OK) {
		cs_attempt_start(t->attempt, attempt_ended, t);
		return;
	}
	if (cmd->rc != CS_E_CONFLICT && cmd->rc != CS_E_EXPIRED)
		cs_log(CS_LOG_ERROR, "attempt-not-begun", "request %s: %s", t->id, cmd->err.msg);
	attempt_ended(t);
}

/** Load and judge. @return true with t->attempt, ready to begin */
static bool prepare(struct turn *t)
{
	struct cs_core *c = t->core;
	struct cs_case *k = cs_case_new(c);
	struct cs_err e = { 0 };
	enum cs_rc rc;

	if (!k)
		return false; /* the timer comes back to it */
	rc = cs_case_read(c, k, t->id, &e);
	if (rc != CS_OK || !is_worth_a_try(c, k)) {
		cs_case_free(k);
		return false;
	}
	rc = cs_attempt_new(c, k, &t->attempt, &e);
	if (rc != CS_OK)
		cs_log(CS_LOG_ERROR, "attempt-not-begun", "request %s: %s", t->id, e.msg);
	return rc == CS_OK;
}

static void take_turn(struct cs_job *job)
{
	struct turn *t = (struct turn *)job;

	atomic_fetch_sub(&t->core->scheduled, 1);
	if (atomic_load(&t->core->draining) || !prepare(t)) {
		turn_over(t);
		return;
	}
	t->begin = (struct cs_command){ .run = begin_run, .arg = t, .done = begin_done };
	cs_writer_put(t->core, &t->begin);
}

void cs_core_schedule(struct cs_core *c, const char *id)
{
	struct turn *t;

	if (atomic_load(&c->draining) || atomic_load(&c->scheduled) >= SCHEDULED_MAX)
		return; /* the timer finds the request again, or the next start */
	t = calloc(1, sizeof(*t));
	if (!t)
		return;
	t->job.run = take_turn;
	t->core = c;
	memcpy(t->id, id, strlen(id) + 1);
	atomic_fetch_add(&c->scheduled, 1);
	atomic_fetch_add(&c->ongoing, 1);
	cs_pool_put(c->pool, &t->job);
}
