/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UUID version 7 (RFC 9562 §5.7): time-ordered request ids.
 */
#ifndef CS_BASE_UUID_H
#define CS_BASE_UUID_H

#include <stdint.h>

#define CS_UUID_TEXT 37 /* with the NUL */

/** From a wall-clock time in µs; the random bits come from the kernel (getrandom). */
void cs_uuid7(int64_t now_us, char out[static CS_UUID_TEXT]);

#endif
