/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The continuous check of the log. Reads in small pages on a connection of its own and sleeps
 * between them, so that it never takes more than its share of a processor, and less when all are
 * busy; tells what it finds, and must change nothing. See logcheck.h.
 */
#include "core/logcheck.h"

#include <time.h>

#include "base/log.h"
#include "base/thread.h"
#include "core/internal.h"

#define PAGE_BYTES 65536              /* of events; about half a millisecond of work */
#define STEP (100 * CS_SECOND / 1000) /* of a sleep, so that a stop need not wait */
#define COST_GUESS 5                  /* µs for an event, until it was measured */

/** Sleep, but not through a stop. */
static void rest(const struct cs_core *c, int64_t us)
{
	while (us > 0 && !atomic_load(&c->stopping)) {
		const int64_t part = us < STEP ? us : STEP;

		nanosleep(&(struct timespec){ .tv_nsec = (long)part * 1000 }, NULL);
		us -= part;
	}
}

/* --- what is found --- */

static bool is_known(const struct cs_logcheck *k, int64_t seq)
{
	for (size_t i = 0; i < k->damage_count; i++)
		if (k->damages[i] == seq)
			return true;
	return false;
}

/** An event, a line and a number, once for each place. */
static void alarm_at(struct cs_core *c, struct cs_walk *w, int64_t seq, const char *what)
{
	struct cs_logcheck *k = &c->logcheck;
	struct cs_buf detail;
	struct cs_err e = { 0 };

	w->damaged = k->whole.damaged = true; /* whoever found it, this pass is not clean */
	atomic_store(&k->damaged, true);
	if (is_known(k, seq) || k->damage_count == CS_DAMAGES_MAX)
		return;
	k->damages[k->damage_count++] = seq;
	cs_counter_add(&k->alarms, 1);
	cs_log(CS_LOG_ERROR, "log-damaged",
	       "event %lld of the log is not what was written: %s; keep a copy of the database, and "
	       "compare with exports and heads kept elsewhere",
	       (long long)seq, what);
	cs_buf_init(&detail, 4096);
	cs_detail_damaged(&detail, what, seq);
	if (cs_core_log_event(c, CS_EV_LOG_DAMAGED, "daemon", &detail, &e) != CS_OK)
		cs_log(CS_LOG_ERROR, "log-damaged", "the alarm is not recorded: %s", e.msg);
	cs_buf_done(&detail);
}

/** The log is good again, because it was mended or because it was read wrongly. */
static void all_clear(struct cs_logcheck *k)
{
	k->damage_count = 0;
	if (atomic_exchange(&k->damaged, false))
		cs_log(CS_LOG_WARN, "log-undamaged",
		       "the whole log was read again without a fault");
}

/* --- one way through the log --- */

static enum cs_rc known_log_run(struct cs_core *c, struct cs_store *s, void *arg, struct cs_err *e)
{
	(void)c, (void)e;
	*(struct cs_log_ref *)arg = cs_store_known_log(s);
	return CS_OK;
}

/** Begin with event `first`, or with the log when it is shorter, up to the end as the writer knows
 * it: who rewrote the file's end does not have that. */
static enum cs_rc begin(struct cs_core *c, struct cs_walk *w, int64_t window, struct cs_err *e)
{
	struct cs_log_ref end;
	enum cs_rc rc = cs_writer_run(c, known_log_run, &end, e);

	if (rc != CS_OK)
		return rc;
	*w = (struct cs_walk){ .end = end, .began = cs_clock_mono(), .begun = true };
	w->first = window > 0 && end.size > window ? end.size - window + 1 : 1;
	w->at.next = w->first;
	w->at.anchored = w->first == 1; /* event 1 follows zeros */
	return CS_OK;
}

static void check_end(struct cs_core *c, struct cs_walk *w)
{
	if (w->at.anchored && w->end.size > 0 && !cs_sha256_equal(&w->at.computed, &w->end.head))
		alarm_at(c, w, w->end.size, "it is another one than this daemon wrote or found");
}

/** Read a page. @return processor time that it took, µs */
static int64_t read_page(struct cs_core *c, struct cs_walk *w)
{
	struct cs_logcheck *k = &c->logcheck;
	const int64_t start = cs_clock_thread(), from = w->at.next;
	struct cs_err e = { 0 };
	size_t bytes = 0;
	enum cs_rc rc = cs_store_check(k->store, &w->at, w->end.size, PAGE_BYTES, &bytes, &e);
	int64_t took;

	if (w->at.bad > 0) {
		alarm_at(c, w, w->at.bad, e.msg);
	} else if (rc != CS_OK) {
		if (cs_counter_get(&k->errors) == 0)
			cs_log(CS_LOG_WARN, "log-not-checked", "%s; it is tried again", e.msg);
		cs_counter_add(&k->errors, 1);
		rest(c, CS_SECOND);
	}
	took = cs_clock_thread() - start;
	cs_counter_add(&k->events, (unsigned long long)(w->at.next - from));
	cs_counter_add(&k->bytes, bytes);
	cs_counter_add(&k->cpu_us, (unsigned long long)took);
	return took;
}

/* --- how fast --- */

/** µs of processor time for a thousand events, as measured so far. */
static int64_t cost(const struct cs_logcheck *k)
{
	const unsigned long long events = cs_counter_get(&k->events);

	if (events < 1000)
		return COST_GUESS * 1000;
	return (int64_t)(cs_counter_get(&k->cpu_us) * 1000 / events) + 1;
}

/** How many events can be read in one period by half of the share: two walks take turns. */
static int64_t window_of(const struct cs_logcheck *k)
{
	return k->config.period_us * k->config.share / 100 / 2 * 1000 / cost(k);
}

/** Can all of it be read in one period, by the whole share? */
static bool is_large(const struct cs_logcheck *k)
{
	return k->whole.end.size > 2 * window_of(k);
}

/** How long a pass over all of it takes. */
static int64_t pass_time(const struct cs_logcheck *k)
{
	const int64_t work = k->whole.end.size / 1000 * cost(k);

	return is_large(k) ? 2 * work * 100 / k->config.share : k->config.period_us;
}

/** How far a pass is ahead of one that takes the whole period. */
static int64_t ahead(const struct cs_walk *w, int64_t period_us)
{
	const int64_t all = w->end.size - w->first + 1, done = w->at.next - w->first;
	const int64_t share = all > 0 ? period_us / 1000 * done / all * 1000 : period_us;

	return w->began + share - cs_clock_mono();
}

/** Done with all of it, or with the newest part. */
static void finish(struct cs_core *c, struct cs_walk *w)
{
	struct cs_logcheck *k = &c->logcheck;

	check_end(c, w);
	w->begun = false;
	if (w != &k->whole)
		return;
	if (!w->damaged)
		all_clear(k);
	cs_counter_add(&k->passes, 1);
	atomic_store(&k->last_pass, cs_clock_now());
}

/** One page of a walk, and the sleep that keeps it within its share. */
static void turn(struct cs_core *c, struct cs_walk *w, int64_t window)
{
	struct cs_logcheck *k = &c->logcheck;
	struct cs_err e = { 0 };
	int64_t took;

	if (!w->begun && begin(c, w, window, &e) != CS_OK) {
		rest(c, CS_SECOND); /* the log cannot be written; the writer has said why */
		return;
	}
	took = read_page(c, w);
	if (w->at.next > w->end.size)
		finish(c, w);
	rest(c, took * (100 - k->config.share) / k->config.share);
}

static void *logcheck_main(void *arg)
{
	struct cs_core *c = arg;
	struct cs_logcheck *k = &c->logcheck;

	cs_thread_give_way(); /* signing comes first; last_pass tells when too little is left */
	while (!atomic_load(&c->stopping)) {
		const bool first = cs_counter_get(&k->passes) == 0;

		turn(c, &k->whole, 0);
		if (is_large(k))
			turn(c, &k->newest, window_of(k));
		else if (!first)
			rest(c, ahead(&k->whole, k->config.period_us));
		atomic_store(&k->window, window_of(k));
		atomic_store(&k->pass_us, pass_time(k));
	}
	return NULL;
}

enum cs_rc cs_logcheck_start(struct cs_core *c, const struct cs_logcheck_config *config,
			     struct cs_err *e)
{
	struct cs_logcheck *k = &c->logcheck;
	enum cs_rc rc;

	if (config->period_us == 0)
		return CS_OK;
	k->config = *config;
	rc = cs_store_open(c->database, CS_STORE_READ, &k->store, e);
	if (rc != CS_OK)
		return rc;
	rc = cs_thread_start(&k->thread, "log-check", logcheck_main, c, e);
	k->runs = rc == CS_OK;
	return rc;
}

void cs_logcheck_stop(struct cs_core *c)
{
	struct cs_logcheck *k = &c->logcheck;

	if (k->runs)
		pthread_join(k->thread, NULL);
	k->runs = false;
	cs_store_close(k->store);
	k->store = NULL;
}
