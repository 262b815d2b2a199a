/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One kept HTTPS connection of the load generator, to 127.0.0.1 and nowhere else. Neither sending
 * nor receiving waits; opening does.
 */
#ifndef CS_BENCH_PEER_H
#define CS_BENCH_PEER_H

#include <openssl/ssl.h>

#include "base/buf.h"

#define PEER_ANSWER_MAX 16384

struct peer_tls;

/** Who we are and whom we trust; all three are files in PEM. */
enum cs_rc peer_tls_new(const char *ca, const char *certificate, const char *key,
			struct peer_tls **tp, struct cs_err *e) CS_MUST_CHECK;
void peer_tls_free(struct peer_tls *t);

/** Owned by the caller; zeroed before peer_open. */
struct peer {
	SSL *ssl;
	size_t len;      /* of the answer so far */
	size_t head_len; /* 0 until the head is complete */
	size_t body_len;
	int status;
	char answer[PEER_ANSWER_MAX + 1];
};

/** Connect and shake hands. On failure peer_close is due all the same. */
enum cs_rc peer_open(struct peer *p, struct peer_tls *t, uint16_t port,
		     struct cs_err *e) CS_MUST_CHECK;
/** Safe on a zeroed peer. */
void peer_close(struct peer *p);
int peer_fd(const struct peer *p);

/** Forget the last answer. */
void peer_reset(struct peer *p);
/** Send what is left from *sent, as far as it goes; advances *sent. */
enum cs_rc peer_send(struct peer *p, struct cs_bytes data, size_t *sent,
		     struct cs_err *e) CS_MUST_CHECK;
/** Receive as far as it goes. *done when the answer is whole: one with a Content-Length. */
enum cs_rc peer_receive(struct peer *p, bool *done, struct cs_err *e) CS_MUST_CHECK;
/** Of the whole answer. 100..599 */
int peer_status(const struct peer *p);
/** NUL-terminated; borrowed until peer_reset. */
const char *peer_body(const struct peer *p);

#endif
