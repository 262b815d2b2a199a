/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server from a command's side: the public client library with our profile and our errors.
 */
#ifndef CS_CLI_REMOTE_H
#define CS_CLI_REMOTE_H

#include "base/json.h"
#include "cli/cli.h"

/** Open the client of the profile, unless that is done; checks that the profile names a server. */
enum cs_rc cs_remote_open(struct cs_cli *cli, struct cs_err *e) CS_MUST_CHECK;

/** A library error as ours; notes the rule. Returns CS_OK for COUNTERSIGN_OK. */
enum cs_rc cs_remote_check(struct cs_cli *cli, enum countersign_code code,
			   const struct countersign_error *from, struct cs_err *e) CS_MUST_CHECK;

/** GET a path; on success countersign_reply_done frees *out. Opens the client. */
enum cs_rc cs_remote_get(struct cs_cli *cli, const char *path, unsigned seconds,
			 struct countersign_reply *out, struct cs_err *e) CS_MUST_CHECK;
/** GET a JSON object; the caller owns a reference to *rootp. */
enum cs_rc cs_remote_get_json(struct cs_cli *cli, const char *path, unsigned seconds,
			      json_t **rootp, struct cs_err *e) CS_MUST_CHECK;

/** A string field of the server's JSON, "" when absent or of another kind. Borrowed. */
const char *cs_remote_str(const json_t *object, const char *key);
int64_t cs_remote_int(const json_t *object, const char *key);
/** Print JSON to standard output, one line of ASCII. */
void cs_remote_print(const json_t *value);

/** The operand that names a request, checked. */
enum cs_rc cs_remote_id(struct cs_cli *cli, const char **idp, struct cs_err *e) CS_MUST_CHECK;

#endif
