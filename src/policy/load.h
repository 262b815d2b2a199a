/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signing.yaml and access.yaml: text in, resolved model out, every problem with its line in one
 * run. Pure: reads no file and looks at no clock; the caller gives the bytes. Keys are described in
 * countersign.yaml(5).
 */
#ifndef CS_POLICY_LOAD_H
#define CS_POLICY_LOAD_H

#include "base/yaml.h"
#include "model/access.h"
#include "model/policy.h"

/** NULL when p has problems. The result is sealed; one reference belongs to the caller. */
struct cs_policy *cs_policy_load(struct cs_bytes yaml, struct cs_problems *p);
struct cs_access *cs_access_load(struct cs_bytes yaml, struct cs_problems *p);

/**
 * Rules on a resolved policy that need no YAML: prod quorum at least two, groups large enough,
 * nothing used twice, formats that their keys can make, enrolments that verify … Used by
 * cs_policy_load, by the signer and by auditors' tools. Problems carry no position unless `where`
 * maps them (see load.c).
 */
void cs_policy_check(const struct cs_policy *policy, struct cs_problems *p);
/** Rules that need both files: keys that agents name exist, no approval key is a TLS key, approvers
 * have a principal. */
void cs_policy_check_access(const struct cs_policy *policy, const struct cs_access *access,
			    struct cs_problems *p);

#endif
