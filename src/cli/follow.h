/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Waiting for a request with a live line: who approved, how many are missing, when it expires.
 */
#ifndef CS_CLI_FOLLOW_H
#define CS_CLI_FOLLOW_H

#include "base/buf.h"
#include "cli/cli.h"

/** The live line. Pure. */
void cs_follow_line(const struct countersign_request *r, int64_t now, struct cs_buf *out);

/**
 * Wait until the request is final, at most `seconds`.
 *
 * @param r  as it is known, with its id; as it is at the end
 * @return what cs_follow_verdict says, or an error of the way there
 */
enum cs_rc cs_follow(struct cs_cli *cli, int64_t seconds, struct countersign_request *r,
		     struct cs_err *e) CS_MUST_CHECK;

/** CS_OK signed; CS_E_PENDING; CS_E_DENIED; CS_E_CONFLICT for every other end, with the reason. */
enum cs_rc cs_follow_verdict(const struct countersign_request *r, struct cs_err *e) CS_MUST_CHECK;

/** The request, its state and its votes as rows on standard output; with --json its view. */
void cs_follow_print(const struct cs_cli *cli, const struct countersign_request *r);

#endif
