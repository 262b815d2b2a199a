/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The times of events: the wall clock, but never before the event before. A jump of a second or
 * more is an event itself; after a smaller step back the last time is repeated until the clock has
 * caught up. And the times at which requests expire, by both clocks.
 */

#include "base/log.h"
#include "core/internal.h"

#define JUMP CS_SECOND

static int64_t offset_now(void)
{
	return cs_clock_now() - cs_clock_mono();
}

static bool is_jump(int64_t us)
{
	return us >= JUMP || us <= -JUMP;
}

/* From the next request on, the wall clock is the monotonic one plus `offset`. */
static enum cs_rc begin_span(struct cs_core *c, struct cs_store *s, int64_t offset,
			     struct cs_err *e)
{
	struct cs_clock_spans *spans = &c->spans;
	int64_t last_num = 0;
	enum cs_rc rc = cs_store_last_request(s, &last_num, e);

	if (rc != CS_OK)
		return rc;
	pthread_mutex_lock(&c->lock);
	if (spans->count > 0 && spans->span[spans->count - 1].first_num > last_num)
		spans->count--; /* no request was made in it */
	if (spans->count == CS_CLOCK_SPANS) {
		/* the two oldest become one: by the clock that was ahead, so too early, not late */
		if (spans->span[1].offset < spans->span[0].offset)
			spans->span[1].offset = spans->span[0].offset;
		spans->span[1].first_num = spans->span[0].first_num;
		spans->count--;
		for (size_t i = 0; i < spans->count; i++)
			spans->span[i] = spans->span[i + 1];
	}
	spans->span[spans->count++] = (struct cs_clock_span){ last_num + 1, offset };
	pthread_mutex_unlock(&c->lock);
	return CS_OK;
}

static enum cs_rc note_jump(struct cs_core *c, struct cs_store *s, int64_t jump, struct cs_err *e)
{
	struct cs_buf detail;
	enum cs_rc rc = begin_span(c, s, c->clock.offset, e);

	if (rc != CS_OK)
		return rc;
	cs_log(CS_LOG_WARN, "clock-jump", "the clock was set by %lld us", (long long)jump);
	if (jump < 0)
		c->clock.last = 0; /* from here on time counts anew */
	cs_event_clock_tick(c);
	cs_buf_init(&detail, 256);
	cs_detail_clock_jump(&detail, jump);
	rc = cs_core_note(c, s, CS_EV_CLOCK_JUMP, "daemon", "", &detail, e);
	cs_buf_done(&detail);
	return rc;
}

/** Time of the last event of the log; 0 when it is empty. */
static enum cs_rc last_time(struct cs_store *s, int64_t *timep, struct cs_err *e)
{
	struct cs_log_ref log;
	struct cs_event ev = { 0 };
	struct cs_buf bytes;
	struct cs_json *root = NULL;
	int64_t next = 0;
	enum cs_rc rc = cs_store_log(s, &log, e);

	*timep = 0;
	if (rc != CS_OK || log.size == 0)
		return rc;
	cs_buf_init(&bytes, CS_EVENT_MAX + 1);
	rc = cs_store_events(s, log.size, log.size, CS_EVENT_MAX, &bytes, &next, e);
	if (rc == CS_OK)
		rc = cs_event_parse((struct cs_bytes){ bytes.data, bytes.len - 1 }, &ev, &root, e);
	if (rc == CS_OK)
		*timep = ev.time;
	cs_json_free(root);
	cs_buf_done(&bytes);
	return rc;
}

enum cs_rc cs_event_clock_start(struct cs_core *c, struct cs_store *s, struct cs_err *e)
{
	int64_t ahead;
	enum cs_rc rc = last_time(s, &c->clock.last, e);

	if (rc != CS_OK)
		return rc;
	c->clock.offset = offset_now();
	ahead = c->clock.last - cs_clock_now();
	cs_event_clock_tick(c);
	/* what waits was made by a clock that was at least where the log ends */
	c->spans.span[0].offset = c->clock.offset + (ahead > 0 ? ahead : 0);
	c->spans.count = 1;
	return ahead >= JUMP ? note_jump(c, s, -ahead, e) : CS_OK;
}

enum cs_rc cs_event_clock_check(struct cs_core *c, struct cs_store *s, struct cs_err *e)
{
	const int64_t offset = offset_now();
	const int64_t jump = offset - c->clock.offset;

	if (!is_jump(jump))
		return CS_OK; /* compared with the same offset again: small steps add up */
	c->clock.offset = offset;
	return note_jump(c, s, jump, e);
}

void cs_event_clock_tick(struct cs_core *c)
{
	const int64_t now = cs_clock_now();

	if (now > c->clock.last)
		c->clock.last = now;
}

int64_t cs_event_clock_now(const struct cs_core *c)
{
	return c->clock.last;
}

bool cs_event_clock_jumped(int64_t *offset)
{
	const int64_t now = offset_now();
	const bool jumped = is_jump(now - *offset);

	if (jumped)
		*offset = now;
	return jumped;
}

/* --- expiry --- */

void cs_clock_spans_get(struct cs_core *c, struct cs_clock_spans *out)
{
	pthread_mutex_lock(&c->lock);
	*out = c->spans;
	pthread_mutex_unlock(&c->lock);
}

int64_t cs_clock_span_now(const struct cs_clock_span *span)
{
	const int64_t wall = cs_clock_now();
	const int64_t mono = cs_clock_mono() + span->offset;

	return wall > mono ? wall : mono;
}

int64_t cs_core_expiry_now(struct cs_core *c, int64_t num)
{
	struct cs_clock_spans spans;
	size_t i;

	cs_clock_spans_get(c, &spans);
	for (i = spans.count - 1; i > 0 && spans.span[i].first_num > num; i--)
		;
	return cs_clock_span_now(&spans.span[i]);
}
