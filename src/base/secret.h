/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets: locked in memory where the limit allows, never dumped, wiped when freed, never
 * formatted.
 */
#ifndef CS_BASE_SECRET_H
#define CS_BASE_SECRET_H

#include "base/buf.h"

#define CS_SECRET_MAX 256

struct cs_secret; /* opaque, so that it cannot be printed by accident */

/** A PIN or pass phrase: the file's first line without its newline, 1..CS_SECRET_MAX bytes. */
enum cs_rc cs_secret_from_file(const char *path, struct cs_secret **sp,
			       struct cs_err *e) CS_MUST_CHECK;
enum cs_rc cs_secret_from_bytes(struct cs_bytes in, struct cs_secret **sp,
				struct cs_err *e) CS_MUST_CHECK;
/** A NUL that is not counted follows the bytes. */
struct cs_bytes cs_secret_bytes(const struct cs_secret *s); /* borrowed */
void cs_secret_free(struct cs_secret *s);

#endif
