/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens by itself: waits that end, requests that expire or are due again, refusals of a
 * minute, the disk, the clock.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <time.h>

#include "base/log.h"
#include "base/thread.h"
#include "core/internal.h"

#define TICK_NS (100 * 1000000L)
#define BATCH 64

static enum cs_rc expire_one(struct cs_core *c, const char *id, struct cs_err *e)
{
	struct cs_case *k = cs_case_new(c);
	enum cs_rc rc;

	if (!k)
		return CS_FAIL(e, CS_E_NOMEM, "request %s", id);
	rc = cs_case_read(c, k, id, e);
	if (rc == CS_OK && (k->row.state == CS_ST_PENDING || k->row.state == CS_ST_APPROVED))
		rc = cs_core_end(c, &k->row, CS_ST_EXPIRED, CS_EV_REQUEST_EXPIRED, "daemon", "", e);
	cs_case_free(k);
	return rc;
}

/** Requests first_num to last_num, which are of one span of the clock. What cannot be expired is
 * told and does not keep the others alive. */
static void expire_span(struct cs_core *c, const struct cs_clock_span *span, int64_t last_num)
{
	char ids[BATCH][CS_UUID_TEXT];
	struct cs_store *s = cs_reader_get(c);
	size_t count = 0;
	struct cs_err e = { 0 };
	enum cs_rc rc = cs_store_expired(s, cs_clock_span_now(span), span->first_num, last_num, ids,
					 BATCH, &count, &e);

	cs_reader_put(c, s);
	for (size_t i = 0; rc == CS_OK && i < count; i++) {
		struct cs_err why = { 0 };
		enum cs_rc one = expire_one(c, ids[i], &why);

		/* a conflict: decided or signed in between; the next tick looks again */
		if (one != CS_OK && one != CS_E_CONFLICT)
			cs_log(CS_LOG_ERROR, "expiry", "request %s: %s", ids[i], why.msg);
	}
	if (rc != CS_OK)
		cs_log(CS_LOG_ERROR, "expiry", "%s", e.msg);
}

static void expire(struct cs_core *c)
{
	struct cs_clock_spans spans;

	cs_clock_spans_get(c, &spans);
	for (size_t i = 0; i < spans.count; i++)
		expire_span(c, &spans.span[i],
			    i + 1 < spans.count ? spans.span[i + 1].first_num - 1 : INT64_MAX);
}

static void schedule_due(struct cs_core *c)
{
	char ids[BATCH][CS_UUID_TEXT];
	struct cs_store *s = cs_reader_get(c);
	size_t count = 0;
	enum cs_rc rc = cs_store_due(s, cs_clock_now(), ids, BATCH, &count, NULL);

	cs_reader_put(c, s);
	for (size_t i = 0; rc == CS_OK && i < count; i++)
		cs_core_schedule(c, ids[i]);
}

static enum cs_rc nothing_run(struct cs_core *c, struct cs_store *s, void *arg, struct cs_err *e)
{
	(void)c, (void)s, (void)arg, (void)e;
	return CS_OK;
}

/** The writer notes a jump before the next event; an idle daemon shall not wait for one. */
static void watch_clock(struct cs_core *c)
{
	struct cs_err e = { 0 };

	if (cs_event_clock_jumped(&c->timer_offset) &&
	    cs_writer_run(c, nothing_run, NULL, &e) != CS_OK)
		cs_log(CS_LOG_ERROR, "clock-jump", "not recorded: %s", e.msg);
}

static void watch_disk(struct cs_core *c)
{
	struct statvfs fs;
	struct cs_buf detail;
	struct cs_err e = { 0 };
	int64_t available;
	bool low;

	if (statvfs(c->database, &fs) != 0)
		return;
	available = (int64_t)fs.f_bavail * (int64_t)fs.f_frsize;
	low = available < c->disk_watermark;
	if (atomic_exchange(&c->disk_low, low) == low)
		return;
	cs_log(CS_LOG_WARN, low ? "disk-low" : "disk-back",
	       "%lld bytes are free, the watermark is %lld", (long long)available,
	       (long long)c->disk_watermark);
	cs_buf_init(&detail, 256);
	cs_detail_disk(&detail, available, c->disk_watermark);
	if (cs_core_log_event(c, low ? CS_EV_DISK_LOW : CS_EV_DISK_BACK, "daemon", &detail, &e) !=
	    CS_OK)
		cs_log(CS_LOG_ERROR, "disk", "not recorded: %s", e.msg);
	cs_buf_done(&detail);
}

static enum cs_rc repair_run(struct cs_core *c, struct cs_store *s, void *arg, struct cs_err *e)
{
	(void)arg;
	return cs_core_repair(c, s, e);
}

/** Outcomes were lost while the log could not be written; now it can, or it is tried again. */
static void repair(struct cs_core *c)
{
	struct cs_err e = { 0 };

	if (!atomic_exchange(&c->outcome_lost, false))
		return;
	if (cs_writer_run(c, repair_run, NULL, &e) == CS_OK) {
		cs_waits_notify_all(c);
		return;
	}
	atomic_store(&c->outcome_lost, true);
	if (!atomic_load(&c->log_broken)) /* of that the writer has told */
		cs_log(CS_LOG_ERROR, "repair", "requests whose outcome was lost stay signing: %s",
		       e.msg);
}

/** Not while another program's events may stand at the log's end. */
static void keep_head(struct cs_core *c)
{
	struct cs_store *s;

	if (atomic_load(&c->log_broken))
		return;
	s = cs_reader_get(c);
	cs_head_keep(c, s);
	cs_reader_put(c, s);
}

static void every_second(struct cs_core *c, int64_t second)
{
	repair(c);
	expire(c);
	schedule_due(c);
	watch_disk(c);
	keep_head(c);
	if (second % 60 == 0)
		cs_refusals_flush(c);
}

static void *timer_main(void *arg)
{
	struct cs_core *c = arg;
	int64_t second = 0, next = cs_clock_mono();

	while (!atomic_load(&c->stopping)) {
		const int64_t now = cs_clock_mono();

		watch_clock(c);
		cs_waits_tick(c, now);
		cs_attempts_settle_again(c);
		if (now >= next) {
			every_second(c, ++second);
			next = now + CS_SECOND;
		}
		nanosleep(&(struct timespec){ .tv_nsec = TICK_NS }, NULL);
	}
	return NULL;
}

enum cs_rc cs_timer_start(struct cs_core *c, struct cs_err *e)
{
	enum cs_rc rc;

	/* here: a step of the clock while the thread starts is one that it sees */
	c->timer_offset = cs_clock_now() - cs_clock_mono();
	rc = cs_thread_start(&c->timer, "timer", timer_main, c, e);
	c->timer_runs = rc == CS_OK;
	return rc;
}

void cs_timer_stop(struct cs_core *c)
{
	if (c->timer_runs)
		pthread_join(c->timer, NULL);
	c->timer_runs = false;
}
