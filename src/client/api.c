/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The public functions: one exchange after another, repeated while that is safe and the patience
 * lasts.
 * Must not repeat what has no idempotency key. Must not print.
 * See include/countersign/countersign.h for the contract.
 */
#include <countersign/countersign.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/text.h"
#include "client/answer.h"
#include "client/exchange.h"

#define PATIENCE_SECONDS 60
#define ANSWER_SECONDS 30
#define POLL_SECONDS_MAX 60
#define PAUSE_FIRST_MS 250U
#define PAUSE_MAX_MS 10000U

struct countersign {
	struct cs_exchange *exchange;
	unsigned patience;
	countersign_retry_fn *on_retry;
	void *on_retry_arg;
};

/** cs_rc of the layers below as the public code. */
static const struct {
	enum cs_rc rc;
	enum countersign_code code;
} codes[] = {
	{ CS_E_CONFIG, COUNTERSIGN_PROFILE },          { CS_E_INVALID, COUNTERSIGN_INVALID },
	{ CS_E_TOO_LARGE, COUNTERSIGN_PROTOCOL },      { CS_E_VERSION, COUNTERSIGN_PROTOCOL },
	{ CS_E_UNAVAILABLE, COUNTERSIGN_UNAVAILABLE }, { CS_E_CLOSED, COUNTERSIGN_UNAVAILABLE },
	{ CS_E_TIMEOUT, COUNTERSIGN_UNAVAILABLE },     { CS_E_UNAUTHENTICATED, COUNTERSIGN_TRUST },
	{ CS_E_SIGNATURE, COUNTERSIGN_TRUST },         { CS_E_PENDING, COUNTERSIGN_PENDING },
};

/** Fill the caller's error from ours; returns its code. */
static enum countersign_code fail(const struct cs_err *from, struct countersign_error *e)
{
	enum countersign_code code = COUNTERSIGN_SYSTEM;

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		if (codes[i].rc == from->rc)
			code = codes[i].code;
	}
	if (e) {
		*e = (struct countersign_error){ .code = code };
		snprintf(e->message, sizeof(e->message), "%s", from->msg);
	}
	return code;
}

enum countersign_code countersign_open(const struct countersign_profile *profile,
				       struct countersign **cp, struct countersign_error *e)
{
	struct cs_identity id = { 0 };
	struct countersign *c = NULL;
	struct cs_err err = { 0 };
	enum cs_rc rc;

	if (!profile->url || !profile->ca || !profile->certificate ||
	    (!profile->key && !profile->pkey)) {
		rc = CS_FAIL(&err, CS_E_CONFIG,
			     "profile: url, ca, certificate and the client's key are required");
		goto out;
	}
	c = calloc(1, sizeof(*c));
	if (!c) {
		rc = CS_FAIL(&err, CS_E_NOMEM, "client");
		goto out;
	}
	c->patience = PATIENCE_SECONDS;
	rc = cs_identity_load(
		&(struct cs_identity_source){ .certificate = profile->certificate,
					      .key = profile->key,
					      .pkey = profile->pkey,
					      .passphrase = profile->passphrase,
					      .passphrase_arg = profile->passphrase_arg },
		&id, &err);
	if (rc)
		goto out;
	rc = cs_exchange_open(profile->url, profile->ca, &id, &c->exchange, &err);
	if (rc)
		goto out;
	*cp = c;
	c = NULL; /* transferred */
out:
	cs_identity_done(&id);
	countersign_close(c);
	return rc ? fail(&err, e) : COUNTERSIGN_OK;
}

void countersign_close(struct countersign *c)
{
	if (!c)
		return;
	cs_exchange_close(c->exchange);
	free(c);
}

void countersign_set_patience(struct countersign *c, unsigned seconds)
{
	c->patience = seconds;
}

void countersign_on_retry(struct countersign *c, countersign_retry_fn *fn, void *arg)
{
	c->on_retry = fn;
	c->on_retry_arg = arg;
}

/* --- one call, and again ----------------------------------------------------------------- */

/** A pause of round `n`: doubling from a quarter of a second, at least what the server asked for,
 * and half of it by chance so that clients do not come back together. */
static unsigned pause_ms(unsigned n, int64_t retry_after)
{
	unsigned ms = n < 6 ? PAUSE_FIRST_MS << n : PAUSE_MAX_MS;
	uint16_t chance = 0;

	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) < 0)
		chance = UINT16_MAX / 2;
	ms = (ms < PAUSE_MAX_MS ? ms : PAUSE_MAX_MS) / 2;
	ms += (unsigned)((uint64_t)ms * chance / UINT16_MAX);
	return retry_after > 0 && retry_after * 1000 > ms ? (unsigned)retry_after * 1000 : ms;
}

static void rest(unsigned ms)
{
	struct timespec left = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

	nanosleep(&left, NULL); /* woken early by a signal is fine: one more try */
}

/** Is this worth another try? */
static bool passes(enum cs_rc rc, long status)
{
	if (rc)
		return rc == CS_E_UNAVAILABLE || rc == CS_E_CLOSED || rc == CS_E_TIMEOUT;
	return status == 429 || status == 502 || status == 503 || status == 504;
}

/** Ask, and again while that is safe. The reply is initialised by the caller. */
static enum cs_rc ask(struct countersign *c, const struct cs_exchange_request *req,
		      struct cs_exchange_reply *reply, struct cs_err *err)
{
	bool repeatable = req->idempotency_key || strcmp(req->method, "GET") == 0;
	int64_t until = cs_clock_mono() + (int64_t)c->patience * CS_SECOND;

	for (unsigned n = 0;; n++) {
		enum cs_rc rc;
		char why[64];
		unsigned ms;

		cs_buf_reset(&reply->body);
		reply->retry_after = 0;
		reply->replay = false;
		rc = cs_exchange_call(c->exchange, req, reply, err);
		if (!repeatable || !passes(rc, reply->status))
			return rc;
		ms = pause_ms(n, reply->retry_after);
		if (cs_clock_mono() + (int64_t)ms * 1000 > until)
			return rc;
		snprintf(why, sizeof(why), "the server answers %ld", reply->status);
		if (c->on_retry)
			c->on_retry(c->on_retry_arg, rc ? err->msg : why, ms);
		rest(ms);
	}
}

static enum countersign_code hand_over(struct cs_exchange_reply *reply,
				       struct countersign_reply *out, struct countersign_error *e)
{
	struct countersign_error problem;
	struct cs_err err;
	size_t len;

	cs_buf_add(&reply->body, "", 1); /* so that there is storage even for nothing */
	if (cs_buf_ok(&reply->body, "answer", &err))
		return fail(&err, e);
	out->http_status = (int)reply->status;
	out->replay = reply->replay;
	out->data = (char *)cs_buf_steal(&reply->body, &len);
	out->len = len - 1;
	if (reply->status >= 200 && reply->status <= 299)
		return COUNTERSIGN_OK;
	cs_answer_problem(reply->status, (struct cs_bytes){ (const uint8_t *)out->data, out->len },
			  &problem);
	if (e)
		*e = problem;
	return problem.code;
}

enum countersign_code countersign_call(struct countersign *c, const struct countersign_call *call,
				       struct countersign_reply *out, struct countersign_error *e)
{
	const struct cs_exchange_request req = {
		.method = call->method,
		.path = call->path,
		.body = { call->body, call->body_len },
		.idempotency_key = call->idempotency_key,
		.seconds = call->seconds > 0 ? (long)call->seconds : ANSWER_SECONDS,
	};
	struct cs_exchange_reply reply;
	struct cs_err err = { 0 };
	enum countersign_code code;

	*out = (struct countersign_reply){ 0 };
	cs_exchange_reply_init(&reply);
	if (ask(c, &req, &reply, &err))
		code = fail(&err, e);
	else
		code = hand_over(&reply, out, e);
	cs_exchange_reply_done(&reply);
	return code;
}

void countersign_reply_done(struct countersign_reply *r)
{
	free(r->data);
	*r = (struct countersign_reply){ 0 };
}

/* --- requests ---------------------------------------------------------------------------- */

void countersign_request_done(struct countersign_request *r)
{
	free(r->votes);
	free(r->json);
	*r = (struct countersign_request){ 0 };
}

/** Make a call whose answer is a request's view. */
static enum countersign_code call_view(struct countersign *c, const struct countersign_call *call,
				       struct countersign_request *out, struct countersign_error *e)
{
	struct countersign_request view = { 0 };
	struct countersign_reply reply;
	struct cs_err err = { 0 };
	enum countersign_code code;

	code = countersign_call(c, call, &reply, e);
	if (code)
		goto out;
	if (cs_answer_request((struct cs_bytes){ (const uint8_t *)reply.data, reply.len }, &view,
			      &err)) {
		code = fail(&err, e);
		goto out;
	}
	view.replay = reply.replay;
	countersign_request_done(out);
	*out = view;
out:
	countersign_reply_done(&reply);
	return code;
}

/** 1..128 printable ASCII characters. */
static bool is_key(const char *s)
{
	size_t len = strlen(s);

	for (size_t i = 0; i < len; i++) {
		if (s[i] <= ' ' || s[i] > '~')
			return false;
	}
	return len >= 1 && len <= 128;
}

enum countersign_code countersign_submit(struct countersign *c,
					 const struct countersign_submission *submission,
					 const char *idempotency_key,
					 struct countersign_request *out,
					 struct countersign_error *e)
{
	struct countersign_call call = { .method = "POST", .path = "/v1/requests" };
	struct cs_err err = { 0 };
	uint8_t chance[16];
	char made_up[2 * sizeof(chance) + 1];
	enum countersign_code code;
	struct cs_buf body;

	cs_buf_init(&body, 65536);
	if (!idempotency_key) {
		if (getrandom(chance, sizeof(chance), 0) != (ssize_t)sizeof(chance)) {
			CS_FAIL(&err, CS_E_INTERNAL, "no random bytes from the kernel");
			code = fail(&err, e);
			goto out;
		}
		cs_hex_encode(chance, sizeof(chance), made_up);
		idempotency_key = made_up;
	}
	if (!is_key(idempotency_key)) {
		CS_FAIL(&err, CS_E_INVALID,
			"idempotency key: must be 1 to 128 printable ASCII characters");
		code = fail(&err, e);
		goto out;
	}
	if (cs_answer_submission(submission, &body, &err)) {
		code = fail(&err, e);
		goto out;
	}
	call.body = body.data;
	call.body_len = body.len;
	call.idempotency_key = idempotency_key;
	code = call_view(c, &call, out, e);
out:
	cs_buf_done(&body);
	return code;
}

/** "/v1/requests/ID" and what follows; false when the id is none. */
static bool path_of(const char *id, const char *rest_of_path, char out[static 160])
{
	if (!cs_text_is_uuid(id))
		return false;
	snprintf(out, 160, "/v1/requests/%s%s", id, rest_of_path);
	return true;
}

static enum countersign_code bad_id(struct countersign_error *e)
{
	struct cs_err err;

	CS_FAIL(&err, CS_E_INVALID,
		"request id: must be a UUID such as 019ab0c4-5f2e-7a31-9d0c-6b1f2e3a4b5c");
	return fail(&err, e);
}

enum countersign_code countersign_get(struct countersign *c, const char *id,
				      struct countersign_request *out, struct countersign_error *e)
{
	char path[160];

	if (!path_of(id, "", path))
		return bad_id(e);
	return call_view(c, &(struct countersign_call){ .method = "GET", .path = path }, out, e);
}

enum countersign_code countersign_poll(struct countersign *c, const char *id, int64_t revision,
				       unsigned seconds, struct countersign_request *out,
				       struct countersign_error *e)
{
	char query[80];
	char path[160];

	seconds = seconds < POLL_SECONDS_MAX ? seconds : POLL_SECONDS_MAX;
	snprintf(query, sizeof(query), "?wait=%u&revision=%lld", seconds, (long long)revision);
	if (!path_of(id, query, path))
		return bad_id(e);
	return call_view(c,
			 &(struct countersign_call){ .method = "GET",
						     .path = path,
						     .seconds = seconds + ANSWER_SECONDS },
			 out, e);
}

enum countersign_code countersign_wait(struct countersign *c, const char *id, unsigned seconds,
				       struct countersign_request *out, struct countersign_error *e)
{
	int64_t until = cs_clock_mono() + (int64_t)seconds * CS_SECOND;
	struct countersign_request now = { 0 };
	struct cs_err err;
	enum countersign_code code = countersign_get(c, id, &now, e);

	while (!code && !now.is_final && cs_clock_mono() < until) {
		int64_t left = (until - cs_clock_mono()) / CS_SECOND + 1;

		code = countersign_poll(
			c, id, now.revision,
			(unsigned)(left < POLL_SECONDS_MAX ? left : POLL_SECONDS_MAX), &now, e);
	}
	if (code) {
		countersign_request_done(&now);
		return code;
	}
	countersign_request_done(out);
	*out = now;
	if (out->is_final)
		return COUNTERSIGN_OK;
	CS_FAIL(&err, CS_E_PENDING, "request %s is still %s after %u s", id, out->state, seconds);
	return fail(&err, e);
}

enum countersign_code countersign_signature(struct countersign *c, const char *id, size_t index,
					    uint8_t signature[COUNTERSIGN_SIGNATURE_MAX],
					    size_t *lenp, struct countersign_error *e)
{
	struct countersign_reply reply = { 0 };
	enum countersign_code code;
	struct cs_err err;
	char rest_of_path[40];
	char path[160];

	snprintf(rest_of_path, sizeof(rest_of_path), "/signatures/%zu", index);
	if (!path_of(id, rest_of_path, path))
		return bad_id(e);
	code = countersign_call(c, &(struct countersign_call){ .method = "GET", .path = path },
				&reply, e);
	if (code)
		goto out;
	if (reply.len < 1 || reply.len > COUNTERSIGN_SIGNATURE_MAX) {
		CS_FAIL(&err, CS_E_VERSION, "a signature of %zu bytes from the server", reply.len);
		code = fail(&err, e);
		goto out;
	}
	memcpy(signature, reply.data, reply.len);
	*lenp = reply.len;
out:
	countersign_reply_done(&reply);
	return code;
}
