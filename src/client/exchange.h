/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTPS connection and one exchange over it: the only user of libcurl.
 * Must not try again on its own: what may be repeated is api.c's decision.
 */
#ifndef CS_CLIENT_EXCHANGE_H
#define CS_CLIENT_EXCHANGE_H

#include "base/buf.h"
#include "client/identity.h"

#define CS_REPLY_MAX (48U << 20) /* a page of the log may end with one large event */

struct cs_exchange;

/**
 * Prepare; connects at the first call.
 *
 * @param url  "https://host[:port]", no path
 * @param ca   PEM file
 * @param id   taken on success
 */
enum cs_rc cs_exchange_open(const char *url, const char *ca, struct cs_identity *id,
			    struct cs_exchange **xp, struct cs_err *e) CS_MUST_CHECK;
void cs_exchange_close(struct cs_exchange *x);

/** All borrowed. */
struct cs_exchange_request {
	const char *method; /* "GET" or "POST" */
	const char *path;   /* with its query */
	struct cs_bytes body;
	const char *idempotency_key; /* or NULL */
	long seconds;                /* the whole exchange may take */
};

struct cs_exchange_reply {
	long status;
	struct cs_buf body;
	bool replay;         /* Idempotent-Replay: true */
	int64_t retry_after; /* seconds; 0 when not said */
};

void cs_exchange_reply_init(struct cs_exchange_reply *r);
void cs_exchange_reply_done(struct cs_exchange_reply *r);

/**
 * Ask once. Any HTTP answer is CS_OK.
 *
 * @return CS_E_UNAVAILABLE no connection; CS_E_CLOSED lost; CS_E_TIMEOUT; CS_E_UNAUTHENTICATED the
 * server refused our certificate; CS_E_SIGNATURE the server's certificate is not to be trusted;
 * CS_E_TOO_LARGE the answer
 */
enum cs_rc cs_exchange_call(struct cs_exchange *x, const struct cs_exchange_request *req,
			    struct cs_exchange_reply *reply, struct cs_err *e) CS_MUST_CHECK;

#endif
