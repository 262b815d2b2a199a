/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What would happen and which rule says so, in words: countersignd --explain.
 */
#ifndef CS_POLICY_EXPLAIN_H
#define CS_POLICY_EXPLAIN_H

#include "policy/judge.h"

/** Append readable lines: verdict and rule, then per artifact its key, token, format and quorum,
 * who may approve. */
void cs_policy_explain(const struct cs_facts *facts, struct cs_buf *out);
/** Append the differences between two resolved policies, one line each ("key app-prod: quorum
 * release 1 → 2"). */
void cs_policy_diff(const struct cs_policy *old, const struct cs_policy *new, struct cs_buf *out);

#endif
