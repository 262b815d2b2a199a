/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints help and the bash completion.
 * Must not hold a fact about a command that is not in the table.
 * See help.h for the contract.
 */
#include "cli/help.h"

#include <string.h>

void cs_help_all(FILE *out)
{
	fputs("usage: countersign COMMAND [OPTION]... [OPERAND]...\n\n", out);
	for (size_t i = 0; i < cs_command_count; i++)
		fprintf(out, "  %-15s %s\n", cs_commands[i].name, cs_commands[i].summary);
	fputs("\ncountersign COMMAND --help lists its options; countersign(1) has the exit codes.\n",
	      out);
}

void cs_help_command(const struct cs_command *c, FILE *out)
{
	fprintf(out, "usage: countersign %s [OPTION]...%s%s\n\n%s\n\n", c->name,
		c->operands[0] ? " " : "", c->operands, c->summary);
	cs_option_help(&c->options, out);
	if (c->options.count > 0)
		fputc('\n', out);
	if (c->needs != CS_NEEDS_NOTHING)
		cs_option_help(&cs_profile_options, out);
	cs_option_help(&cs_common_options, out);
}

/** "--a --b …" of one table. */
static void option_words(const struct cs_option_table *t, FILE *out)
{
	for (size_t i = 0; i < t->count; i++)
		fprintf(out, " --%s", t->rows[i].name);
}

/** A case for every option with choices, once: the last row of a name wins nothing. */
static void choice_cases(FILE *out)
{
	for (size_t c = 0; c < cs_command_count; c++) {
		const struct cs_command *command = &cs_commands[c];

		for (size_t i = 0; i < command->options.count; i++) {
			const struct cs_option *o = &command->options.rows[i];

			if (o->kind != CS_OPT_CHOICE)
				continue;
			fprintf(out, "\t'%s --%s') words='", command->name, o->name);
			for (size_t k = 0; o->choices[k]; k++)
				fprintf(out, "%s%s", k > 0 ? " " : "", o->choices[k]);
			fputs("' ;;\n", out);
		}
	}
}

enum cs_rc cs_cmd_completion(struct cs_cli *cli, struct cs_err *e)
{
	FILE *out = stdout;

	(void)cli;
	(void)e;
	fputs("# bash completion of countersign(1); made by `countersign completion`\n"
	      "_countersign()\n{\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	      "\tlocal command=${COMP_WORDS[1]} words=''\n\n"
	      "\tcase $command in\n"
	      "\taudit) [ \"$COMP_CWORD\" -gt 2 ] && command=\"audit ${COMP_WORDS[2]}\" ;;\n"
	      "\tesac\n"
	      "\tcase \"$command $prev\" in\n",
	      out);
	choice_cases(out);
	fputs("\tesac\n"
	      "\tif [ -z \"$words\" ]; then\n"
	      "\t\tcase $command in\n",
	      out);
	for (size_t i = 0; i < cs_command_count; i++) {
		fprintf(out, "\t\t'%s') words='", cs_commands[i].name);
		option_words(&cs_commands[i].options, out);
		if (cs_commands[i].needs != CS_NEEDS_NOTHING)
			option_words(&cs_profile_options, out);
		option_words(&cs_common_options, out);
		fputs("' ;;\n", out);
	}
	fputs("\t\tesac\n"
	      "\t\tcase $COMP_CWORD,$command in\n"
	      "\t\t1,*) words='",
	      out);
	for (size_t i = 0; i < cs_command_count; i++) {
		const char *name = cs_commands[i].name;
		bool repeated = i > 0 && strncmp(name, "audit ", 6) == 0 &&
				strncmp(cs_commands[i - 1].name, "audit ", 6) == 0;

		if (!repeated)
			fprintf(out, "%.*s ", (int)strcspn(name, " "), name);
	}
	fputs("--help --version' ;;\n\t\t2,audit) words='", out);
	for (size_t i = 0; i < cs_command_count; i++) {
		if (strncmp(cs_commands[i].name, "audit ", 6) == 0)
			fprintf(out, "%s ", cs_commands[i].name + 6);
	}
	fputs("' ;;\n"
	      "\t\tesac\n"
	      "\tfi\n"
	      "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
	      "}\n"
	      "complete -o default -F _countersign countersign\n",
	      out);
	return CS_OK;
}
