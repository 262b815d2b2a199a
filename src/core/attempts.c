/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attempts that no POST waits for: of what people approved, and of what is due again. Judged once
 * more, then run by a few threads.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/internal.h"

#define REFUSED_PAUSE (5 * CS_SECOND) /* before what may not be signed now is judged again */
#define AWAY_PAUSE CS_SECOND          /* before a signer that is away is looked at again */

/* --- one attempt --- */

static enum cs_rc begin_run(struct cs_core *c, struct cs_store *s, void *arg, struct cs_err *e)
{
	(void)c;
	return cs_attempt_begin(arg, s, e);
}

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

/** Load, judge, begin and run. */
static void try_request(struct cs_core *c, const char *id)
{
	struct cs_case *k = cs_case_new(c);
	struct cs_attempt *a = NULL;
	struct cs_err e = { 0 };
	enum cs_rc rc;

	if (!k)
		return; /* the timer comes back to it */
	rc = cs_case_read(c, k, id, &e);
	if (rc != CS_OK || !is_worth_a_try(c, k)) {
		cs_case_free(k);
		return;
	}
	rc = cs_attempt_new(c, k, &a, &e);
	if (rc == CS_OK)
		rc = cs_writer_run(c, begin_run, a, &e);
	if (rc == CS_OK)
		cs_attempt_run(a);
	else if (rc != CS_E_CONFLICT && rc != CS_E_EXPIRED)
		cs_log(CS_LOG_ERROR, "attempt-not-begun", "request %s: %s", id, e.msg);
	cs_attempt_free(a);
}

/* --- the threads --- */

void cs_core_schedule(struct cs_core *c, const char *id)
{
	char *copy = strdup(id);

	if (copy && cs_queue_put(c->attempts, copy) != CS_OK)
		free(copy); /* full, or stopping: the timer finds the request again */
}

static void *attempts_main(void *arg)
{
	struct cs_core *c = arg;
	char *id;

	while ((id = cs_queue_take(c->attempts)) != NULL) {
		if (!atomic_load(&c->draining))
			try_request(c, id);
		free(id);
	}
	return NULL;
}

enum cs_rc cs_attempts_start(struct cs_core *c, struct cs_err *e)
{
	enum cs_rc rc = cs_queue_new(1024, &c->attempts, e);

	while (rc == CS_OK && c->attempt_thread_count < CS_ATTEMPT_THREADS) {
		const int err = pthread_create(&c->attempt_threads[c->attempt_thread_count], NULL,
					       attempts_main, c);

		if (err)
			return CS_FAIL(e, CS_E_NOMEM, "an attempt thread: %s", strerror(err));
		c->attempt_thread_count++;
	}
	return rc;
}

void cs_attempts_stop(struct cs_core *c)
{
	if (!c->attempts)
		return;
	cs_queue_close(c->attempts);
	while (c->attempt_thread_count > 0)
		pthread_join(c->attempt_threads[--c->attempt_thread_count], NULL);
	cs_queue_free(c->attempts);
	c->attempts = NULL;
}
