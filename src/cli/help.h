/* SPDX-License-Identifier: Apache-2.0 */
/*
 * --help and the bash completion, from the table of commands.
 */
#ifndef CS_CLI_HELP_H
#define CS_CLI_HELP_H

#include "cli/command.h"

/** All commands, one line each, and the exit codes. */
void cs_help_all(FILE *out);
/** One command with its options. */
void cs_help_command(const struct cs_command *c, FILE *out);

#endif
