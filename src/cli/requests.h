/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists of requests, which `requests` prints and `watch` waits on.
 */
#ifndef CS_CLI_REQUESTS_H
#define CS_CLI_REQUESTS_H

#include "base/json.h"
#include "cli/cli.h"

/** "/v1/requests?…" with the filters of the options; with wait > 0 a long poll. */
enum cs_rc cs_requests_path(const struct cs_args *a, int64_t wait, int64_t revision,
			    struct cs_buf *out, struct cs_err *e) CS_MUST_CHECK;
/** One line on standard output. */
void cs_requests_line(const json_t *request);

#endif
