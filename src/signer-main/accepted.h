/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which signing.yaml this signer takes: only a trusted file, only what tightens the start-up
 * arguments, and never an older one or another one of the same version. See countersign-signer(8),
 * "The policy".
 */
#ifndef CS_SIGNER_MAIN_ACCEPTED_H
#define CS_SIGNER_MAIN_ACCEPTED_H

#include "model/policy.h"
#include "signer-main/options.h"

/** A policy that was accepted, and which of its tokens is ours. */
struct cs_accepted {
	struct cs_policy *policy; /* owned: one reference */
	size_t token;
};

/** Read and judge; changes nothing. On success the caller owns out->policy. */
enum cs_rc cs_accepted_load(const struct cs_options *o, struct cs_accepted *out,
			    struct cs_err *e) CS_MUST_CHECK;
/** Remember version and digest, synced: from now on nothing older is accepted. */
enum cs_rc cs_accepted_record(const struct cs_options *o, const struct cs_accepted *a,
			      struct cs_err *e) CS_MUST_CHECK;

#endif
