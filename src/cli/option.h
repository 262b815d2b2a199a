/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options as tables: parsing, --help and the bash completion read the same rows.
 * Every value has limits, and an error names the option, the limit and what to do.
 */
#ifndef CS_CLI_OPTION_H
#define CS_CLI_OPTION_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"

#define CS_OPTION_LIST_MAX 64
#define CS_OPTIONS_MAX 64 /* of one command, common ones included */

enum cs_option_kind {
	CS_OPT_FLAG,    /* bool */
	CS_OPT_NAME,    /* const char *: base/text.h name */
	CS_OPT_TEXT,    /* const char *: free text */
	CS_OPT_PATH,    /* const char *: a file */
	CS_OPT_CHOICE,  /* const char *: one of `choices` */
	CS_OPT_INT,     /* int64_t */
	CS_OPT_SECONDS, /* int64_t from "90", "90s", "15m", "72h", "30d" */
	CS_OPT_LIST,    /* struct cs_option_list: repeatable */
};

/** Values of a repeatable option; borrowed from argv. */
struct cs_option_list {
	size_t count;
	const char *values[CS_OPTION_LIST_MAX];
};

struct cs_option {
	const char *name; /* without the dashes */
	char letter;      /* short form, or 0 */
	enum cs_option_kind kind;
	size_t offset;    /* into the target struct */
	int64_t min, max; /* bytes of strings, values of integers and seconds */
	const char *const *choices;
	const char *value; /* what --help calls the value: "FILE"; NULL for flags */
	const char *doc;   /* one sentence */
};

/** A table and its length. */
struct cs_option_table {
	const struct cs_option *rows;
	size_t count;
};

/**
 * Parse argv[1..]; argv is permuted so that operands come last.
 *
 * @param tables   several, searched in order; at most CS_OPTIONS_MAX rows together
 * @param target   the struct that every offset is into; strings are borrowed from argv
 * @param firstp   index of the first operand
 * @return CS_E_INVALID with the option's name
 */
enum cs_rc cs_option_parse(const struct cs_option_table *tables, size_t count, int argc,
			   char **argv, void *target, int *firstp, struct cs_err *e) CS_MUST_CHECK;

/** "  -o, --output FILE   doc" lines. */
void cs_option_help(const struct cs_option_table *table, FILE *out);

#endif
