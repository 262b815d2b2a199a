/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys whose self-test did not return, so that its child had to be killed: how often, and when to
 * try again. The parent notes them, and each child has them as they were at its fork.
 */
#ifndef CS_SIGNER_MAIN_HUNG_KEYS_H
#define CS_SIGNER_MAIN_HUNG_KEYS_H

#include "base/hash.h"

#define CS_HUNG_KEYS_MAX 64 /* at once; those beyond are tested as if they had not hung */

struct cs_hung_key {
	struct cs_sha256 spki;
	unsigned times; /* in a row, as far as the parent can tell */
	int64_t at;     /* µs, wall clock: the last time */
	int64_t until;  /* µs, cs_clock_mono: not to be tried before */
};

struct cs_hung_keys {
	size_t count;
	struct cs_hung_key list[CS_HUNG_KEYS_MAX];
};

/** It hung, again or for the first time: 2 s are to pass, then 8, up to 15 minutes. A key that did
 * not for an hour begins anew. */
void cs_hung_keys_add(struct cs_hung_keys *h, const struct cs_sha256 *spki);
/** All are tried so much later. */
void cs_hung_keys_delay(struct cs_hung_keys *h, int64_t us);
/** NULL when it did not hang. */
const struct cs_hung_key *cs_hung_keys_find(const struct cs_hung_keys *h,
					    const struct cs_sha256 *spki);

#endif
