/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Test keys of well-known projects, whose private halves anybody can download. Internal to policy/.
 */
#ifndef CS_POLICY_PUBLISHED_H
#define CS_POLICY_PUBLISHED_H

#include "base/hash.h"

/** Where the private key is published ("mcuboot, root-rsa-3072.pem"), or NULL for every other key.
 * Static storage. */
const char *cs_published_key(const struct cs_sha256 *spki);

#endif
