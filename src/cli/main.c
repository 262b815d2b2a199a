/* SPDX-License-Identifier: Apache-2.0 */
/*
 * countersign: finds the command, parses its options, runs it, says what went wrong.
 * Must not know any command by name: commands.c is the table.
 * See countersign(1).
 */
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/help.h"
#include "cli/term.h"

/** How many words of argv[1..] are this command's name: 0, 1 or 2. */
static int words_of(const char *name, int argc, char **argv)
{
	const char *space = strchr(name, ' ');
	size_t first = space ? (size_t)(space - name) : strlen(name);

	if (strlen(argv[1]) != first || memcmp(argv[1], name, first) != 0)
		return 0;
	if (!space)
		return 1;
	return argc > 2 && strcmp(argv[2], space + 1) == 0 ? 2 : 0;
}

static const struct cs_command *find(int argc, char **argv, int *wordsp)
{
	for (size_t i = 0; i < cs_command_count; i++) {
		*wordsp = words_of(cs_commands[i].name, argc, argv);
		if (*wordsp > 0)
			return &cs_commands[i];
	}
	return NULL;
}

static enum cs_rc parse(struct cs_cli *cli, const struct cs_command *c, int argc, char **argv,
			struct cs_err *e)
{
	const struct cs_option_table tables[] = { c->options, cs_common_options,
						  cs_profile_options };
	int first;

	if (cs_option_parse(tables, c->needs == CS_NEEDS_NOTHING ? 2 : 3, argc, argv, &cli->args,
			    &first, e)) {
		cli->exit = CS_EXIT_USAGE;
		return cs_err_prefix(e, "%s", c->name);
	}
	cli->operand_count = argc - first;
	cli->operands = argv + first;
	if (cli->args.help)
		return CS_OK;
	if (cli->operand_count < c->operands_min)
		return cs_cli_usage(cli, e, "%s: needs %s", c->name, c->operands);
	if (cli->operand_count > c->operands_max)
		return cs_cli_usage(cli, e, "%s: %.80s is one operand too many", c->name,
				    cli->operands[c->operands_max]);
	return CS_OK;
}

static enum cs_rc run(struct cs_cli *cli, int argc, char **argv, struct cs_err *e)
{
	const struct cs_command *c;
	enum cs_rc rc;
	int words = 0;

	if (argc < 2)
		return cs_cli_usage(cli, e, "name a command; countersign --help lists them");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		cs_help_all(stdout);
		return CS_OK;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("countersign " PACKAGE_VERSION);
		return CS_OK;
	}
	c = find(argc, argv, &words);
	if (!c)
		return cs_cli_usage(cli, e, "%.80s: no such command; countersign --help lists them",
				    argv[1]);
	rc = parse(cli, c, argc - words, argv + words, e);
	if (rc)
		return rc;
	if (cli->args.help) {
		cs_help_command(c, stdout);
		return CS_OK;
	}
	if (c->needs == CS_NEEDS_SERVER ||
	    (c->needs == CS_NEEDS_SERVER_OR_OPERAND && cli->operand_count == 0))
		rc = cs_profile_load(&cli->args.profile, &cli->profile, e);
	return rc ? rc : c->run(cli, e);
}

/** One line on standard error, for people or, with --json, for programs. */
static void report(const struct cs_cli *cli, const struct cs_err *e, int code)
{
	json_t *problem;

	if (!cli->args.json) {
		fprintf(stderr, "countersign: %s\n", e->msg);
		return;
	}
	problem = json_pack("{s:{s:s, s:i, s:s}}", "error", "code", cs_rc_name(e->rc), "exit", code,
			    "message", e->msg);
	if (cli->rule[0])
		json_object_set_new(json_object_get(problem, "error"), "rule",
				    json_string(cli->rule));
	json_dumpf(problem, stderr, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
	fputc('\n', stderr);
	json_decref(problem);
}

int main(int argc, char **argv)
{
	struct cs_cli cli = {
		.args = { .retry = 60,
			  .timeout = 3600,
			  .limit = 50,
			  .security_version = -1,
			  .from = 1,
			  .port = 8443 },
		.tty = isatty(STDERR_FILENO),
	};
	struct cs_err e = { 0 };
	enum cs_rc rc = run(&cli, argc, argv, &e);
	int code = cli.exit ? cli.exit : cs_exit_of(rc);

	cs_term_live_end(&cli);
	if (rc)
		report(&cli, &e, code);
	countersign_close(cli.client);
	cs_profile_done(&cli.profile);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		fprintf(stderr, "countersign: standard output cannot be written\n");
		code = code ? code : CS_EXIT_IO;
	}
	fflush(stderr);
	_exit(code); /* PKCS#11 modules and their libraries may crash in exit handlers */
}
