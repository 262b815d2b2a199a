/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signing.yaml and access.yaml: text in, resolved model out, every problem with its line in one
 * run. Pure: reads no file and looks at no clock; the caller gives the bytes. Keys are described in
 * countersign-signing.yaml(5) and countersign-access.yaml(5).
 */
#ifndef CS_POLICY_LOAD_H
#define CS_POLICY_LOAD_H

#include "base/yaml.h"
#include "model/access.h"
#include "model/policy.h"

/** NULL when it added problems to p. The result is sealed; one reference belongs to the caller. */
struct cs_policy *cs_policy_load(struct cs_bytes yaml, struct cs_problems *p);

/**
 * NULL when it added problems to p. One reference belongs to the caller.
 *
 * @param policy  adds the rules that need both files; NULL leaves them out (signing.yaml itself
 *                has problems, say)
 */
struct cs_access *cs_access_load(struct cs_bytes yaml, const struct cs_policy *policy,
				 struct cs_problems *p);

/**
 * The rules on a resolved policy: prod quorum at least two, groups large enough, nothing used
 * twice, formats that their keys can make, enrolments that verify … cs_policy_load applies them;
 * the signer and auditors' tools apply them to a policy that they read back from its canonical
 * bytes.
 *
 * @param where  the tree of signing.yaml, for the lines of problems; NULL: problems carry none
 */
void cs_policy_check(const struct cs_policy *policy, const struct cs_yaml *where,
		     struct cs_problems *p);
/**
 * The rules that need both files: keys that agents name exist, approvers' persons are in a group,
 * no TLS key is an approval or signing key. Applied by cs_access_load.
 *
 * @param where  the tree of access.yaml, or NULL
 */
void cs_policy_check_access(const struct cs_policy *policy, const struct cs_access *access,
			    const struct cs_yaml *where, struct cs_problems *p);

#endif
