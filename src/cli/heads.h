/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heads of logs that this user has seen: "LOG-ID SIZE HEAD" per line, hashes in hexadecimal.
 * A log that no longer holds an old head was rolled back or rewritten.
 */
#ifndef CS_CLI_HEADS_H
#define CS_CLI_HEADS_H

#include "cli/cli.h"
#include "model/decision.h"

#define CS_HEADS_MAX 1024

struct cs_heads {
	size_t count;
	struct cs_log_ref *list; /* owned */
};

/** Read text; CS_E_INVALID names the line. */
enum cs_rc cs_heads_parse(struct cs_bytes text, const char *path, struct cs_heads *out,
			  struct cs_err *e) CS_MUST_CHECK;
/** Read a file. */
enum cs_rc cs_heads_read(const char *path, struct cs_heads *out, struct cs_err *e) CS_MUST_CHECK;
void cs_heads_done(struct cs_heads *h);

/**
 * Ask for the log's head, make sure that the head seen last is still in the log, and remember the
 * new one in the profile's heads file.
 *
 * @return CS_E_CORRUPT when the old head is gone, or the log is another one than before
 */
enum cs_rc cs_heads_check(struct cs_cli *cli, struct cs_log_ref *out,
			  struct cs_err *e) CS_MUST_CHECK;

#endif
