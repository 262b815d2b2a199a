/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watcher: asks every signer how it is, so that readiness is known and its loss, return and
 * self-tests are events.
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/thread.h"
#include "core/internal.h"

#define PERIOD (2 * CS_SECOND)

static void record(struct cs_core *c, enum cs_event_kind kind, const struct cs_buf *detail)
{
	struct cs_err e = { 0 };

	if (cs_core_log_event(c, kind, "daemon", detail, &e) != CS_OK)
		cs_log(CS_LOG_ERROR, cs_event_kind_name(kind), "not recorded: %s", e.msg);
}

static void record_signer(struct cs_core *c, size_t i, bool ok, const char *message)
{
	struct cs_buf detail;

	cs_counter_add(ok ? &c->counters.back[i] : &c->counters.lost[i], 1);
	cs_log(ok ? CS_LOG_INFO : CS_LOG_ERROR, ok ? "signer-back" : "signer-lost", "token %s: %s",
	       c->signer_names[i], ok ? "ready" : message);
	cs_buf_init(&detail, 4096);
	cs_detail_signer(&detail, message, c->signer_names[i]);
	record(c, ok ? CS_EV_SIGNER_BACK : CS_EV_SIGNER_LOST, &detail);
	cs_buf_done(&detail);
}

static void record_selftest(struct cs_core *c, size_t i, const struct cs_signer_health *h)
{
	struct cs_buf detail;

	if (h->failed > 0)
		cs_log(CS_LOG_ERROR, "selftest", "token %s: %s", c->signer_names[i], h->message);
	cs_buf_init(&detail, 4096);
	cs_detail_selftest(&detail, h->failed, h->keys, h->failed == 0, c->signer_names[i]);
	record(c, CS_EV_SELFTEST, &detail);
	cs_buf_done(&detail);
}

/** Does this signer hold the same policy and token as we do? */
static void compare(struct cs_core *c, size_t i, const struct cs_signer_hello *hello,
		    struct cs_err *e)
{
	struct cs_policy *policy = cs_core_policy_get(c);

	if (strcmp(hello->token, c->signer_names[i]) != 0)
		cs_err_set(e, CS_E_UNAVAILABLE, "its socket belongs to the signer of token %s",
			   hello->token);
	else if (!cs_sha256_equal(&hello->policy_digest, &policy->digest))
		cs_err_set(
			e, CS_E_UNAVAILABLE,
			"its signing policy has version %lld, the daemon's %lld, or the same version "
			"with other content; reload both",
			(long long)hello->policy_version, (long long)policy->version);
	cs_policy_unref(policy);
}

static void look(struct cs_core *c, size_t i)
{
	struct cs_signer_hello hello;
	struct cs_signer_health health;
	struct cs_signer_seen before, now = { .known = true };
	struct cs_err e = { 0 };
	enum cs_rc rc = cs_signer_status(c->signers[i], &hello, &health, &e);

	if (rc == CS_E_BUSY)
		return; /* every connection is signing: alive */
	if (rc == CS_OK)
		compare(c, i, &hello, &e);
	now.away = e.rc != CS_OK;
	if (!now.away && !health.ready)
		cs_err_set(&e, CS_E_UNAVAILABLE, "%s", health.message);
	now.ok = e.rc == CS_OK;
	/* each child has a time of its own: only a later one is news */
	now.selftest_time = c->seen[i].selftest_time;
	now.selftest_failed = c->seen[i].selftest_failed;
	now.answered = rc == CS_OK || c->seen[i].answered;
	now.restarts = rc == CS_OK ? health.restarts : c->seen[i].restarts;
	if (rc == CS_OK && health.selftest_time > now.selftest_time) {
		now.selftest_time = health.selftest_time;
		now.selftest_failed = health.failed;
	}
	if (!now.ok)
		(void)snprintf(now.message, sizeof(now.message), "%.*s", CS_REASON_MAX, e.msg);

	pthread_mutex_lock(&c->lock);
	before = c->seen[i];
	c->seen[i] = now;
	pthread_mutex_unlock(&c->lock);
	if (now.selftest_time != before.selftest_time)
		record_selftest(c, i, &health);
	if (now.ok != before.ok || (!now.ok && !before.known))
		record_signer(c, i, now.ok, now.message);
}

static void *watcher_main(void *arg)
{
	struct cs_core *c = arg;
	int64_t next = 0;

	while (!atomic_load(&c->stopping)) {
		if (cs_clock_mono() >= next) {
			for (size_t i = 0; i < c->signer_count && !atomic_load(&c->stopping); i++)
				look(c, i);
			next = cs_clock_mono() + PERIOD;
		}
		nanosleep(&(struct timespec){ .tv_nsec = 50 * 1000000 }, NULL);
	}
	return NULL;
}

enum cs_rc cs_watcher_start(struct cs_core *c, struct cs_err *e)
{
	const enum cs_rc rc = cs_thread_start(&c->watcher, "signer-watch", watcher_main, c, e);

	c->watcher_runs = rc == CS_OK;
	return rc;
}

void cs_watcher_stop(struct cs_core *c)
{
	if (c->watcher_runs)
		pthread_join(c->watcher, NULL);
	c->watcher_runs = false;
}
