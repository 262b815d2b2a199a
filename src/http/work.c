/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The worker threads: a queued connection's handler is run, in blocking calls into the core, and
 * its response handed back to the event loop; or the connection is parked until something changes.
 * Must not touch a connection after it was resumed or parked: it belongs to others then.
 * See ARCHITECTURE.md, "A request's life".
 */
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/conn.h"

static struct cs_queue *queue_of(const struct cs_conn *c)
{
	return cs_route_is_read(c->route) ? c->http->reads : c->http->writes;
}

/* From a thread of the core. */
static void wake(void *arg)
{
	struct cs_conn *c = arg;
	struct cs_http *h = c->http;

	atomic_fetch_sub(&h->long_polls, 1);
	c->woken = true;
	c->queued = cs_clock_mono();
	/* the queue has room for every connection and is closed after the last one */
	if (cs_queue_put(queue_of(c), c) != CS_OK)
		cs_log(CS_LOG_ERROR, "internal", "a woken request found no place in the queue");
}

static bool must_wait(const struct cs_conn *c, const struct cs_answer *a)
{
	const struct cs_query *q = &c->call.query;

	if (c->route->wait == CS_WAIT_NONE || c->woken || q->number[CS_PARAM_WAIT] == 0)
		return false;
	if (c->route->wait == CS_WAIT_REQUEST && cs_state_is_final(a->state))
		return false;
	return !q->has[CS_PARAM_REVISION] || q->number[CS_PARAM_REVISION] == a->revision;
}

/* On success the connection belongs to the core's list of waiters, or already to the next worker.
 */
static enum cs_rc park(struct cs_conn *c, int64_t revision, struct cs_err *e)
{
	struct cs_http *h = c->http;
	const char *id = c->route->wait == CS_WAIT_REQUEST ? c->call.id : NULL;
	int64_t deadline = cs_clock_mono() + c->call.query.number[CS_PARAM_WAIT] * CS_SECOND;
	enum cs_rc rc;

	if (atomic_fetch_add(&h->long_polls, 1) >= h->config.long_polls_max) {
		atomic_fetch_sub(&h->long_polls, 1);
		return CS_FAIL(e, CS_E_BUSY, "%lld requests wait already; ask again without wait",
			       (long long)h->config.long_polls_max);
	}
	rc = cs_core_wait(h->core, &c->call.who, id, revision, deadline, wake, c, e);
	if (rc != CS_OK)
		atomic_fetch_sub(&h->long_polls, 1);
	return rc;
}

/* A woken client may be somebody else by now, or nobody. */
static enum cs_rc recheck(struct cs_conn *c, struct cs_err *e)
{
	enum cs_rc rc = cs_conn_authenticate(c, e);

	if (rc != CS_OK) {
		c->close = true;
		return rc;
	}
	c->call.who.principal = c->principal;
	if (!(c->route->roles & CS_ROLE_BIT(c->principal->role)))
		return CS_FAIL(e, CS_E_FORBIDDEN, "your role has changed");
	return CS_OK;
}

/* The event loop has the connection from here on. It may end, and the stop be over, before
 * libmicrohttpd has returned from this, so the stop waits for that, too. */
static void resume(struct cs_conn *c)
{
	struct cs_http *h = c->http;

	c->step = CS_STEP_REPLY;
	atomic_fetch_add(&h->resuming, 1);
	MHD_resume_connection(c->mhd);
	atomic_fetch_sub(&h->resuming, 1);
}

/* Returns false when the connection was parked. */
static bool serve(struct cs_conn *c)
{
	struct cs_err e = { .rc = CS_OK };
	struct cs_answer a;
	enum cs_rc rc = CS_OK;
	bool ours = true;

	cs_answer_init(&a);
	c->call.answer = &a;
	c->call.status = MHD_HTTP_OK;
	if (c->woken)
		rc = recheck(c, &e);
	if (rc == CS_OK)
		rc = c->route->handler(&c->call, &e);
	if (rc == CS_OK && must_wait(c, &a)) {
		rc = park(c, a.revision, &e);
		ours = rc != CS_OK;
	}
	if (ours && rc == CS_OK)
		cs_reply_answer(c, &a);
	else if (ours)
		cs_reply_problem(c, rc, e.msg, &a, NULL);
	cs_answer_done(&a);
	return ours;
}

/* --- starters --- */

/* On one of the core's threads. */
static void answered(struct cs_call *call, enum cs_rc rc, const struct cs_err *e)
{
	struct cs_conn *c = CS_OWNER(struct cs_conn, call, call);

	if (rc == CS_OK)
		cs_reply_answer(c, &c->answer);
	else
		cs_reply_problem(c, rc, e->msg, &c->answer, NULL);
	cs_answer_done(&c->answer);
	cs_count_handled(&c->http->counters, c->route, cs_clock_mono() - c->queued);
	resume(c);
}

static void start(struct cs_job *job)
{
	struct cs_conn *c = CS_OWNER(struct cs_conn, job, job);

	cs_count_wait(&c->http->counters, CS_COUNTED_SUBMISSIONS, cs_clock_mono() - c->queued);
	cs_answer_init(&c->answer);
	c->call.answer = &c->answer;
	c->call.status = MHD_HTTP_OK;
	c->call.answered = answered;
	c->call.submission = c->submission;
	c->route->starter(&c->call);
}

bool cs_http_begin(struct cs_conn *c)
{
	/* cannot fail: the queue has room for every connection and is closed after the last one */
	if (!c->route->starter)
		return cs_queue_put(queue_of(c), c) == CS_OK;
	if (!c->submission)
		c->submission = malloc(sizeof(*c->submission));
	if (!c->submission)
		return false;
	c->job.run = start;
	cs_core_run(c->http->core, &c->job);
	return true;
}

/* --- the threads --- */

void *cs_http_work(void *arg)
{
	struct cs_worker *w = arg;
	struct cs_conn *c;

	while ((c = cs_queue_take(w->queue)) != NULL) {
		struct cs_http_counters *counters = &c->http->counters;
		const int64_t start = c->queued;

		cs_count_wait(counters,
			      w->queue == c->http->reads ? CS_COUNTED_READS : CS_COUNTED_WRITES,
			      cs_clock_mono() - start);
		if (!serve(c))
			continue;
		cs_count_handled(counters, c->route, cs_clock_mono() - start);
		resume(c);
	}
	return NULL;
}
