/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every public key and every certificate has one use and one owner.
 */
#ifndef CS_POLICY_USES_H
#define CS_POLICY_USES_H

#include "base/hash.h"
#include "base/yaml.h"

/** One use of a public key. All borrowed. */
struct cs_use {
	const struct cs_sha256 *spki; /* of the key, or of the CA when there is a uri */
	const char *uri;              /* SAN URI under that CA, or NULL */
	const char *kind;             /* "key", "approver", "principal" */
	const char *owner;            /* its name */
	const struct cs_yaml *at;     /* where the file says so, or NULL */
	size_t order;                 /* the later one of two is the problem */
};

/** A problem for each use of what an earlier use has taken. Sorts the array. */
void cs_uses_check(struct cs_use *uses, size_t count, struct cs_problems *p);

#endif
