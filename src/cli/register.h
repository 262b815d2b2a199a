/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register as people and programs read it.
 */
#ifndef CS_CLI_REGISTER_H
#define CS_CLI_REGISTER_H

#include "cli/cli.h"
#include "cli/lines.h"
#include "verify/register.h"

/** Rows go to standard output, as --encoding says. */
struct cs_register_out {
	enum { CS_OUT_TABLE, CS_OUT_NDJSON, CS_OUT_CSV } how;
	bool begun; /* the heading stands */
};

/** By --encoding, or --json. */
struct cs_register_out cs_register_out(const struct cs_cli *cli);
/** An event's line; arg is a struct cs_register. */
cs_line_fn cs_register_take;
/** A row; arg is a struct cs_register_out. */
cs_register_fn cs_register_print;
/** What was looked through and found; to standard error beside ndjson and csv. */
void cs_register_print_end(const struct cs_register_out *out, const struct cs_register *r);

#endif
