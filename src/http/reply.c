/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Responses: an answer of the core, or a problem document.
 * Must not send a response twice or half: without memory there is none, and the connection ends.
 * See conn.h for the contract.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/conn.h"

#define RETRY_AFTER_DEFAULT 2 /* seconds */
#define PROBLEM_MAX 8192

static bool add(struct MHD_Response *r, const char *name, const char *value)
{
	return MHD_add_response_header(r, name, value) == MHD_YES;
}

static bool add_location(struct MHD_Response *r, const char *id)
{
	char path[64];

	snprintf(path, sizeof(path), "/v1/requests/%s", id);
	return add(r, MHD_HTTP_HEADER_LOCATION, path);
}

static bool add_retry_after(struct MHD_Response *r, int64_t seconds)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, seconds);
	return add(r, MHD_HTTP_HEADER_RETRY_AFTER, text);
}

/* The headers that every response has; the body's storage is taken. */
static struct MHD_Response *make(struct cs_conn *c, struct cs_buf *body, const char *type)
{
	size_t len = 0;
	uint8_t *data = cs_buf_steal(body, &len);
	struct MHD_Response *r;

	c->response_len = len;
	if (!data)
		r = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
	else
		r = MHD_create_response_from_buffer(len, data, MHD_RESPMEM_MUST_FREE);
	if (!r)
		return NULL;
	if (add(r, MHD_HTTP_HEADER_CONTENT_TYPE, type) &&
	    add(r, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") &&
	    add(r, "X-Content-Type-Options", "nosniff") &&
	    (!c->close || add(r, MHD_HTTP_HEADER_CONNECTION, "close")))
		return r;
	MHD_destroy_response(r);
	return NULL;
}

void cs_reply_answer(struct cs_conn *c, struct cs_answer *a)
{
	const char *type = a->content_type ? a->content_type : "application/json";
	struct MHD_Response *r;

	if (a->body.failed != CS_OK) {
		cs_reply_problem(c, a->body.failed, "the answer could not be built", NULL, NULL);
		return;
	}
	r = make(c, &a->body, type);
	if (!r)
		return;
	if ((c->call.has_location && !add_location(r, a->id)) ||
	    (a->replay && !add(r, "Idempotent-Replay", "true")) ||
	    (a->retry_after > 0 && !add_retry_after(r, a->retry_after))) {
		MHD_destroy_response(r);
		return;
	}
	c->response = r;
	c->status = c->call.status;
}

/* One line a second for each code; what is left out is counted. */
static void log_incident(unsigned code, const struct cs_problem_row *row, const char *detail)
{
	static atomic_llong last[CS_REFUSE__COUNT];
	static atomic_llong left_out[CS_REFUSE__COUNT];
	long long now = cs_clock_mono();
	long long before = atomic_load(&last[code]);

	if (now - before < CS_SECOND && before != 0) {
		atomic_fetch_add(&left_out[code], 1);
		return;
	}
	if (!atomic_compare_exchange_strong(&last[code], &before, now))
		return;
	cs_log(CS_LOG_ERROR, row->name, "%s (%lld more since the last line)", detail,
	       atomic_exchange(&left_out[code], 0));
}

void cs_reply_problem(struct cs_conn *c, unsigned code, const char *detail,
		      const struct cs_answer *a, const char *allow)
{
	const struct cs_problem_row *row = cs_problem_row(code);
	struct cs_problem_doc doc = {
		.code = code,
		.detail = detail,
		.rule = a ? a->rule : NULL,
		.request = a ? a->id : NULL,
	};
	int64_t retry = a ? a->retry_after : 0;
	struct cs_buf body;
	struct MHD_Response *r;

	cs_counter_add(&c->http->counters.problems[code], 1);
	if (row->incident)
		log_incident(code, row, detail);
	if (retry == 0 && (row->status == MHD_HTTP_SERVICE_UNAVAILABLE ||
			   row->status == MHD_HTTP_TOO_MANY_REQUESTS))
		retry = RETRY_AFTER_DEFAULT;
	cs_buf_init(&body, PROBLEM_MAX);
	cs_problem_write(&doc, &body);
	r = make(c, &body, CS_PROBLEM_CONTENT_TYPE);
	cs_buf_done(&body);
	if (!r)
		return;
	if ((retry > 0 && !add_retry_after(r, retry)) ||
	    (allow && !add(r, MHD_HTTP_HEADER_ALLOW, allow))) {
		MHD_destroy_response(r);
		return;
	}
	c->response = r;
	c->status = row->status;
}
