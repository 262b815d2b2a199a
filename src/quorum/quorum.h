/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who agreed: verifies decisions and counts them. The same code runs in the daemon, in the signer
 * and in auditors' tools. Pure: time does not matter here, the caller checks lifetimes.
 */
#ifndef CS_QUORUM_QUORUM_H
#define CS_QUORUM_QUORUM_H

#include "model/policy.h"

/** A decision whose signature was verified under a key enrolled in the policy given. */
struct cs_vote {
	const struct cs_approver *approver; /* borrowed from the policy */
	struct cs_sha256 key_spki;
	struct cs_decision decision;
};

/**
 * Verify one envelope against a request document.
 *
 * @param doc_sha256  hash of the document's bytes; must be the payload's request_sha256
 * @return CS_OK; CS_E_INVALID malformed; CS_E_TOO_LARGE; CS_E_CONFLICT for another request;
 * CS_E_FORBIDDEN key not enrolled (now), or the person is one of the requester's; CS_E_SIGNATURE
 * forged
 */
enum cs_rc cs_vote_verify(const struct cs_policy *policy, const struct cs_request *doc,
			  const struct cs_sha256 *doc_sha256, struct cs_bytes envelope,
			  struct cs_vote *out, struct cs_err *e) CS_MUST_CHECK;

struct cs_quorum_status {
	bool met;
	bool rejected;
	char rejected_by[CS_NAME_MAX + 1];
	int64_t missing; /* approvals still needed, all groups together */
	size_t count;
	struct {
		char group[CS_NAME_MAX + 1];
		int64_t need, have;
	} lines[2 * CS_QUORUM_LINES_MAX];
};

/**
 * Count votes: per person the highest n; a person counts once, in the group she has in this policy;
 * requester's persons never; any rejection ends it. Needed is, per group, the larger of the
 * document's line and of the current policy's lines for the document's keys.
 *
 * @return CS_OK with *out filled (met or not); CS_E_CONFLICT when a key of the document is gone
 * from the policy, is another key under the same name, or has another environment, format, or hash
 */
enum cs_rc cs_quorum_count(const struct cs_policy *policy, const struct cs_request *doc,
			   const struct cs_vote *votes, size_t count, struct cs_quorum_status *out,
			   struct cs_err *e) CS_MUST_CHECK;

/**
 * May artifact keys of this document be used now? Instance, environment, key identity, format,
 * hash, disabled, the key's not_before/not_after, created not in the future, not expired, expires −
 * created within max_wait, document's policy version not above the policy's. Used by both processes
 * before signing; `rule` names the first rule that says no.
 *
 * @param now    µs; the caller's own clock
 * @param rulep  set on failure: "instance", "policy-version", "created-in-future", "expired",
 *               "key-unknown", "key-replaced", "key-environment", "key-format", "key-hash",
 *               "key-disabled", "key-not-yet-valid", "key-expired", "max-wait"; static storage
 * @return CS_OK; CS_E_EXPIRED; CS_E_CONFLICT when a key is not the one the document names;
 * CS_E_DENIED for every other rule
 */
enum cs_rc cs_quorum_check_document(const struct cs_policy *policy, const struct cs_request *doc,
				    int64_t now, const char **rulep,
				    struct cs_err *e) CS_MUST_CHECK;

#endif
