/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One SIGN frame from its bytes to its results: document, rules, decisions, quorum, then artifact
 * by artifact. Trusts nothing that the daemon says. See docs/PROTOCOL.signer, "SIGN".
 */
#ifndef CS_SIGNER_MAIN_SIGNING_H
#define CS_SIGNER_MAIN_SIGNING_H

#include "quorum/quorum.h"
#include "signer-main/keyring.h"

/** What stays the same from request to request. All borrowed. */
struct cs_signing {
	const struct cs_policy *policy;
	size_t token;
	enum cs_env environment; /* pinned at start, like the next */
	int64_t least_quorum;
	struct cs_keyring *keyring;
	/* storage, too large for the stack */
	struct cs_request doc;
	struct cs_vote votes[CS_DECISIONS_MAX];
};

/** Called with each result, in the order asked. An error ends the work: the rest is not signed. */
typedef enum cs_rc cs_signing_emit_fn(void *arg, const struct cs_signer_result *result,
				      struct cs_err *e);

/** Judge and sign. Fails only when emit does; what is refused is a result. */
enum cs_rc cs_signing_run(struct cs_signing *s, const struct cs_signer_sign *request,
			  cs_signing_emit_fn *emit, void *arg, struct cs_err *e) CS_MUST_CHECK;

#endif
