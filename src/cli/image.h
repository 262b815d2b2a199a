/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images on this machine: hashed in pieces, with progress on a terminal.
 */
#ifndef CS_CLI_IMAGE_H
#define CS_CLI_IMAGE_H

#include "cli/cli.h"
#include "model/request.h"

/** Hash a regular file of 1..CS_SIZE_MAX bytes. Errors name the path. */
enum cs_rc cs_image_hash(struct cs_cli *cli, const char *path, enum cs_hash hash,
			 struct cs_digest *out, int64_t *sizep, struct cs_err *e) CS_MUST_CHECK;

#endif
