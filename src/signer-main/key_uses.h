/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uses of keys that have a limit, on disk.
 */
#ifndef CS_SIGNER_MAIN_KEY_USES_H
#define CS_SIGNER_MAIN_KEY_USES_H

#include "model/policy.h"

/**
 * Count one more use of a key, before it happens. A key without a limit is not counted.
 *
 * @param state  state directory
 * @return CS_OK once the use is on disk; CS_E_DENIED when the key has no use left; CS_E_IO
 */
enum cs_rc cs_key_uses_take(const char *state, const struct cs_key *key,
			    struct cs_err *e) CS_MUST_CHECK;

#endif
