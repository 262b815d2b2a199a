/* SPDX-License-Identifier: Apache-2.0 */
/*
 * countersign-signer: the process that holds the keys.
 * Reads the command line and hands over; see parent.h, tool.h, bench.h.
 */
#include <stdio.h>
#include <unistd.h>

#include "signer-main/bench.h"
#include "signer-main/harden.h"
#include "signer-main/parent.h"
#include "signer-main/tool.h"

#define OUTPUT_MAX (4U << 20)

static enum cs_rc help(const struct cs_options *o, struct cs_buf *out, struct cs_err *e)
{
	(void)o;
	(void)e;
	cs_options_help(out);
	return CS_OK;
}

static enum cs_rc version(const struct cs_options *o, struct cs_buf *out, struct cs_err *e)
{
	(void)o;
	(void)e;
	cs_buf_add_str(out, "countersign-signer " PACKAGE_VERSION "\n");
	return CS_OK;
}

/* Commands that print something and end. */
static const struct {
	enum cs_command command;
	enum cs_rc (*run)(const struct cs_options *o, struct cs_buf *out, struct cs_err *e);
} tools[] = {
	{ CS_CMD_CHECK, cs_tool_check },   { CS_CMD_CLEAR, cs_tool_clear },
	{ CS_CMD_KEYGEN, cs_tool_keygen }, { CS_CMD_DESCRIBE, cs_tool_describe },
	{ CS_CMD_BENCH, cs_bench },        { CS_CMD_HELP, help },
	{ CS_CMD_VERSION, version },
};

static int run_tool(const struct cs_options *o)
{
	struct cs_err e = { 0 };
	struct cs_buf out;
	enum cs_rc rc = CS_OK;
	size_t i;

	cs_buf_init(&out, OUTPUT_MAX);
	for (i = 0; i < sizeof(tools) / sizeof(tools[0]); i++)
		if (tools[i].command == o->command)
			rc = tools[i].run(o, &out, &e);
	if (rc == CS_OK)
		rc = cs_buf_ok(&out, "output", &e);
	if (rc == CS_OK && (fputs(cs_buf_str(&out), stdout) == EOF || fflush(stdout) != 0))
		rc = CS_FAIL(&e, CS_E_IO, "standard output cannot be written");
	if (rc != CS_OK)
		fprintf(stderr, "countersign-signer: %s\n", e.msg);
	cs_buf_done(&out);
	if (rc == CS_E_PIN)
		return CS_EXIT_PIN;
	return rc == CS_OK ? CS_EXIT_OK : CS_EXIT_FAILED;
}

int main(int argc, char **argv)
{
	struct cs_options options;
	struct cs_err e = { 0 };

	if (cs_harden(&e) != CS_OK) {
		fprintf(stderr, "countersign-signer: %s\n", e.msg);
		return CS_EXIT_FAILED;
	}
	if (cs_options_parse(argc, argv, &options, &e) != CS_OK) {
		fprintf(stderr, "countersign-signer: %s\n", e.msg);
		return CS_EXIT_USAGE;
	}
	cs_log_set_program("countersign-signer");
	cs_log_set_level(options.log_level);
	if (options.command == CS_CMD_RUN)
		return (int)cs_parent_run(&options);
	/* not through exit(3): a tool may have loaded a module, whose exit handlers are known to
	 * crash */
	_exit(run_tool(&options));
}
