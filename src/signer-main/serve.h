/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The accept loop of a child: one connection at a time, one frame at a time.
 */
#ifndef CS_SIGNER_MAIN_SERVE_H
#define CS_SIGNER_MAIN_SERVE_H

#include <signal.h>

#include "base/metrics.h"
#include "signer-main/signing.h"

/** Borrowed, for as long as the child lives. */
struct cs_serve {
	int listen_fd; /* shared with the other children; non-blocking */
	int64_t peer_uid;
	struct cs_signer_hello hello;
	struct cs_signing *signing;
	sigset_t wait_mask; /* signals blocked while waiting; elsewhere SIGTERM is blocked too */
	const volatile sig_atomic_t *stop;
	const struct cs_counter *restarts; /* shared by the children; the parent counts */
	/* warnings that strangers can cause are limited; see complain() */
	int64_t complaints_since;
	unsigned complaints;
};

/** Serve until *stop (CS_OK), or the token is lost (CS_E_HSM), or waiting itself fails. */
enum cs_rc cs_serve(struct cs_serve *s, struct cs_err *e) CS_MUST_CHECK;

#endif
