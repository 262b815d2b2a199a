/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sample policy and requests under it, for tests: two tokens, three keys, five approvers.
 * Signing and approval keys are those of tests/keys. A failure ends the test.
 */
#ifndef TESTS_UNIT_SAMPLES_H
#define TESTS_UNIT_SAMPLES_H

#include "model/policy.h"
#include "unit/softkey.h"

#define SAMPLE_TIME (INT64_C(1769860800) * CS_SECOND) /* 2026-01-31T12:00:00Z */

/**
 * Not sealed; the caller owns a reference.
 *
 * key       token  key of tests/keys  format          quorum
 * fw-dev    dev    p-256              ecdsa           none
 * fw-prod   prod   p-384              ecdsa           firmware 1, security 1
 * fw-rsa    prod   rsa-3072           rsa-pss         firmware 2
 *
 * person    group     keys
 * approver1 firmware  approver1, approver1-second
 * approver2 security  approver2
 * approver3 firmware  approver3
 * approver4 security  approver4
 * approver5 release   approver5
 */
struct cs_policy *sample_policy_new(void);
/** The same, sealed. */
struct cs_policy *sample_policy(void);
/** Add a key of tests/keys to what approver number i may sign with. */
void sample_enrol(struct cs_policy *p, size_t i, const char *name);

/** A request by principal ci of owner1 for one artifact per key named (NULL ends the list). */
void sample_request(const struct cs_policy *p, const char *const *keys, struct cs_request *r);
/** SHA-256 of the request document's bytes. */
struct cs_sha256 sample_request_sha256(const struct cs_request *r);
/** The n-th decision of somebody on this document. */
struct cs_decision sample_decision(const struct cs_request *r, int64_t n,
				   enum cs_verdict_kind verdict);

#endif
