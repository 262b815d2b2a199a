/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy in words: what would happen to a request and which rule says so (countersignd --explain),
 * and what a new policy changes (countersignd --check).
 */
#ifndef CS_POLICY_EXPLAIN_H
#define CS_POLICY_EXPLAIN_H

#include "policy/judge.h"

/**
 * Append readable lines: verdict and rule, then per artifact its key, token, format and quorum,
 * then who may approve. For operators: it says whether a key is missing or only not the
 * requester's.
 */
void cs_policy_explain(const struct cs_facts *facts, struct cs_buf *out);
/**
 * Append the differences between two resolved policies, one line each ("key app-prod: quorum: 1 of
 * release -> 2 of release"); nothing when they are the same.
 */
void cs_policy_diff(const struct cs_policy *old, const struct cs_policy *new, struct cs_buf *out);

#endif
