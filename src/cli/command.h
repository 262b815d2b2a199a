/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands: one table (commands.c) from which the parser, --help and the bash completion are
 * made. A new command is one row and one function.
 */
#ifndef CS_CLI_COMMAND_H
#define CS_CLI_COMMAND_H

#include "cli/cli.h"

typedef enum cs_rc(cs_command_fn)(struct cs_cli *cli, struct cs_err *e);

/** Does a command talk to a server? */
enum cs_command_needs {
	CS_NEEDS_SERVER,
	CS_NEEDS_SERVER_OR_OPERAND, /* only without an operand */
	CS_NEEDS_NOTHING,
};

struct cs_command {
	const char *name;     /* "sign", "audit verify" */
	const char *operands; /* for --help: "IMAGE"; "" for none */
	int operands_min, operands_max;
	enum cs_command_needs needs;
	struct cs_option_table options;
	const char *summary; /* one sentence */
	cs_command_fn *run;
};

extern const struct cs_command cs_commands[];
extern const size_t cs_command_count;
/** The options of every command that talks to a server, and of every command. */
extern const struct cs_option_table cs_profile_options;
extern const struct cs_option_table cs_common_options;

cs_command_fn cs_cmd_approve;
cs_command_fn cs_cmd_audit_export;
cs_command_fn cs_cmd_audit_register;
cs_command_fn cs_cmd_audit_tail;
cs_command_fn cs_cmd_audit_verify;
cs_command_fn cs_cmd_cancel;
cs_command_fn cs_cmd_completion;
cs_command_fn cs_cmd_enroll;
cs_command_fn cs_cmd_fetch;
cs_command_fn cs_cmd_init;
cs_command_fn cs_cmd_key_disable;
cs_command_fn cs_cmd_keys;
cs_command_fn cs_cmd_reject;
cs_command_fn cs_cmd_requests;
cs_command_fn cs_cmd_show;
cs_command_fn cs_cmd_sign;
cs_command_fn cs_cmd_status;
cs_command_fn cs_cmd_submit;
cs_command_fn cs_cmd_verify;
cs_command_fn cs_cmd_wait;
cs_command_fn cs_cmd_watch;
cs_command_fn cs_cmd_withdraw;

#endif
