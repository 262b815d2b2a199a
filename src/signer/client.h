/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's side of a signer: a fixed pool of connections to one token's socket. Blocking calls
 * from worker threads. A connection that fails is closed and opened again on the next use; the pool
 * never starts a signer.
 */
#ifndef CS_SIGNER_CLIENT_H
#define CS_SIGNER_CLIENT_H

#include "signer/protocol.h"

struct cs_signer;

struct cs_signer_config {
	const char *token;   /* name in signing.yaml */
	const char *socket;  /* path */
	int64_t connections; /* as many as the signer has children */
	int64_t timeout_us;  /* for one whole exchange */
	int64_t peer_uid;    /* uid the signer must have; −1 = any */
};

enum cs_rc cs_signer_new(const struct cs_signer_config *config, struct cs_signer **sp,
			 struct cs_err *e) CS_MUST_CHECK;
/** Waits for running exchanges. */
void cs_signer_free(struct cs_signer *s);

/** Called for each result as it comes, on the caller's thread. */
typedef void cs_signer_result_fn(void *arg, const struct cs_signer_result *result);

/**
 * One SIGN exchange. Results arrive through fn; when the exchange breaks, fn has been called for
 * those that came.
 *
 * @param expect  policy digest that the signer must have announced, else CS_E_UNAVAILABLE and
 * nothing is sent
 * @param sentp   set to true once any byte of the frame may have left: from then on a missing
 * result is "unknown"
 * @return CS_OK after DONE; CS_E_UNAVAILABLE (no connection, other policy), CS_E_TIMEOUT,
 * CS_E_CLOSED, CS_E_BUSY (no free connection before the timeout), CS_E_INVALID (the signer broke
 * the protocol)
 */
enum cs_rc cs_signer_sign(struct cs_signer *s, const struct cs_signer_sign *request,
			  const struct cs_sha256 *expect, cs_signer_result_fn *fn, void *arg,
			  bool *sentp, struct cs_err *e) CS_MUST_CHECK;

/** How many exchanges wait for a connection: with many, the HSM is what limits. Any thread. */
size_t cs_signer_waiting(struct cs_signer *s);

/** One STATUS exchange with a fresh hello. */
enum cs_rc cs_signer_status(struct cs_signer *s, struct cs_signer_hello *hello,
			    struct cs_signer_health *health, struct cs_err *e) CS_MUST_CHECK;

#endif
