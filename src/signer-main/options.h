/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Command line of countersign-signer: one table for parsing, --help and the limits.
 * See countersign-signer(8).
 */
#ifndef CS_SIGNER_MAIN_OPTIONS_H
#define CS_SIGNER_MAIN_OPTIONS_H

#include "base/log.h"
#include "base/pk.h"
#include "model/limits.h"
#include "model/names.h"

enum cs_command {
	CS_CMD_RUN = 1,
	CS_CMD_CHECK = 2,
	CS_CMD_CLEAR = 4,
	CS_CMD_KEYGEN = 8,
	CS_CMD_DESCRIBE = 16,
	CS_CMD_BENCH = 32,
	CS_CMD_HELP = 64,
	CS_CMD_VERSION = 128,
};

/** Strings are borrowed from argv and the environment. NULL or 0 where the command has no use for
 * them. */
struct cs_options {
	enum cs_command command;
	const char *token, *module, *label, *serial;
	const char *policy, *pin_file, *pin_origin, *socket, *state;
	const char *name, *id;
	enum cs_env environment;
	enum cs_alg algorithm;
	int64_t least_quorum;
	int64_t children;
	int64_t peer_uid;
	int64_t selftest_us; /* period */
	int64_t call_us;     /* deadline of one PKCS#11 call */
	int64_t seconds;     /* of a benchmark */
	enum cs_log_level log_level;
};

/** Parse and check. CS_E_CONFIG names the option, its limits and what to do. */
enum cs_rc cs_options_parse(int argc, char *const *argv, struct cs_options *out,
			    struct cs_err *e) CS_MUST_CHECK;
/** Text of --help. */
void cs_options_help(struct cs_buf *out);

#endif
