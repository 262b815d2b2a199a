/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parses option tables with getopt_long.
 * Must not print: getopt's own messages are off, ours name the option.
 * See option.h for the contract.
 */
#include "cli/option.h"

#include <assert.h>
#include <getopt.h>
#include <string.h>

#include "base/text.h"

#define LONG_BASE 256 /* getopt values of rows: above every character */
#define HELP_COLUMN 34

/** Where a row's value goes; the row's kind says which type is there. */
static void *at(void *target, const struct cs_option *o)
{
	return (char *)target + o->offset;
}

static enum cs_rc store_text(const struct cs_option *o, const char *called, const char *value,
			     const char **out, struct cs_err *e)
{
	size_t len = strlen(value);

	if (len < (size_t)o->min || len > (size_t)o->max)
		return CS_FAIL(e, CS_E_INVALID, "%s: %zu bytes, must be %lld to %lld", called, len,
			       (long long)o->min, (long long)o->max);
	if (o->kind == CS_OPT_NAME && !cs_text_is_name(value, (size_t)o->max))
		return CS_FAIL(e, CS_E_INVALID,
			       "%s %.80s: must be a name of the characters A-Z a-z 0-9 . _ + / @ "
			       ": -",
			       called, value);
	if (o->kind == CS_OPT_TEXT && !cs_text_is_free(value, (size_t)o->max))
		return CS_FAIL(e, CS_E_INVALID,
			       "%s: must be UTF-8 text of one line, without control, format and "
			       "bidi characters",
			       called);
	*out = value;
	return CS_OK;
}

static enum cs_rc store_choice(const struct cs_option *o, const char *called, const char *value,
			       const char **out, struct cs_err *e)
{
	struct cs_buf list;
	enum cs_rc rc;

	for (size_t i = 0; o->choices[i]; i++) {
		if (strcmp(o->choices[i], value) == 0) {
			*out = value;
			return CS_OK;
		}
	}
	cs_buf_init(&list, 256);
	for (size_t i = 0; o->choices[i]; i++)
		cs_buf_addf(&list, " %s", o->choices[i]);
	rc = CS_FAIL(e, CS_E_INVALID, "%s %.80s: must be one of:%s", called, value,
		     cs_buf_str(&list));
	cs_buf_done(&list);
	return rc;
}

static enum cs_rc store_int(const struct cs_option *o, const char *called, const char *value,
			    int64_t *out, struct cs_err *e)
{
	if (cs_text_to_int(value, o->min, o->max, out))
		return CS_OK;
	return CS_FAIL(e, CS_E_INVALID, "%s %.80s: must be a number from %lld to %lld", called,
		       value, (long long)o->min, (long long)o->max);
}

static enum cs_rc store_seconds(const struct cs_option *o, const char *called, const char *value,
				int64_t *out, struct cs_err *e)
{
	static const struct {
		char suffix;
		int64_t seconds;
	} units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
	size_t len = strlen(value);
	int64_t unit = 1, n;
	char digits[12];

	for (size_t i = 0; len > 0 && i < sizeof(units) / sizeof(units[0]); i++) {
		if (value[len - 1] == units[i].suffix) {
			unit = units[i].seconds;
			len--;
			break;
		}
	}
	if (len >= 1 && len < sizeof(digits)) {
		memcpy(digits, value, len);
		digits[len] = '\0';
		if (cs_text_to_int(digits, 0, o->max, &n) && n * unit >= o->min &&
		    n * unit <= o->max) {
			*out = n * unit;
			return CS_OK;
		}
	}
	return CS_FAIL(e, CS_E_INVALID,
		       "%s %.80s: must be a duration such as 90s, 15m, 72h or 30d, from %lld to "
		       "%lld seconds",
		       called, value, (long long)o->min, (long long)o->max);
}

static enum cs_rc store_list(const struct cs_option *o, const char *called, const char *value,
			     struct cs_option_list *list, struct cs_err *e)
{
	const char *checked;
	enum cs_rc rc = store_text(o, called, value, &checked, e);

	if (rc)
		return rc;
	if (list->count == CS_OPTION_LIST_MAX)
		return CS_FAIL(e, CS_E_INVALID, "%s: given more than %d times", called,
			       CS_OPTION_LIST_MAX);
	list->values[list->count++] = checked;
	return CS_OK;
}

static enum cs_rc store(const struct cs_option *o, const char *value, void *target,
			struct cs_err *e)
{
	char called[80];

	snprintf(called, sizeof(called), "--%s", o->name);
	switch (o->kind) {
	case CS_OPT_FLAG: *(bool *)at(target, o) = true; return CS_OK;
	case CS_OPT_NAME:
	case CS_OPT_TEXT:
	case CS_OPT_PATH: return store_text(o, called, value, at(target, o), e);
	case CS_OPT_CHOICE: return store_choice(o, called, value, at(target, o), e);
	case CS_OPT_INT: return store_int(o, called, value, at(target, o), e);
	case CS_OPT_SECONDS: return store_seconds(o, called, value, at(target, o), e);
	case CS_OPT_LIST: return store_list(o, called, value, at(target, o), e);
	}
	return CS_FAIL(e, CS_E_INTERNAL, "%s: no such kind of option", called);
}

/** getopt's two tables, made from ours. */
struct getopt_form {
	size_t count;
	const struct cs_option *rows[CS_OPTIONS_MAX];
	struct option longs[CS_OPTIONS_MAX + 1];
	char shorts[2 * CS_OPTIONS_MAX + 3];
};

static void make_form(const struct cs_option_table *tables, size_t count, struct getopt_form *f)
{
	size_t used = 0;

	*f = (struct getopt_form){ 0 };
	f->shorts[used++] = ':'; /* a missing value is ':' instead of '?' */
	for (size_t t = 0; t < count; t++) {
		for (size_t i = 0; i < tables[t].count; i++) {
			const struct cs_option *o = &tables[t].rows[i];

			assert(f->count < CS_OPTIONS_MAX);
			f->longs[f->count] = (struct option){
				.name = o->name,
				.has_arg = o->kind == CS_OPT_FLAG ? no_argument : required_argument,
				.val = LONG_BASE + (int)f->count,
			};
			f->rows[f->count++] = o;
			if (o->letter) {
				f->shorts[used++] = o->letter;
				if (o->kind != CS_OPT_FLAG)
					f->shorts[used++] = ':';
			}
		}
	}
}

static const struct cs_option *row_of(const struct getopt_form *f, int value)
{
	if (value >= LONG_BASE)
		return f->rows[value - LONG_BASE];
	for (size_t i = 0; i < f->count; i++) {
		if (f->rows[i]->letter == value)
			return f->rows[i];
	}
	return NULL;
}

/** What getopt did not like: optopt is a letter, a row's value, or 0 for an unknown long option. */
static enum cs_rc refuse(const struct getopt_form *f, int got, const char *word, struct cs_err *e)
{
	const struct cs_option *o = optopt ? row_of(f, optopt) : NULL;

	if (o && got == ':')
		return CS_FAIL(e, CS_E_INVALID, "--%s: needs a value, %s", o->name, o->value);
	if (o)
		return CS_FAIL(e, CS_E_INVALID, "--%s: takes no value", o->name);
	if (optopt)
		return CS_FAIL(e, CS_E_INVALID, "unknown option -%c", optopt);
	return CS_FAIL(e, CS_E_INVALID, "unknown or ambiguous option %.80s", word);
}

enum cs_rc cs_option_parse(const struct cs_option_table *tables, size_t count, int argc,
			   char **argv, void *target, int *firstp, struct cs_err *e)
{
	struct getopt_form f;
	int got;

	make_form(tables, count, &f);
	optind = 0; /* glibc: start afresh, also when called again */
	opterr = 0;
	while ((got = getopt_long(argc, argv, f.shorts, f.longs, NULL)) != -1) {
		const struct cs_option *o;
		enum cs_rc rc;

		if (got == '?' || got == ':')
			return refuse(&f, got, argv[optind - 1], e);
		o = row_of(&f, got);
		assert(o);
		rc = store(o, optarg, target, e);
		if (rc)
			return rc;
	}
	*firstp = optind;
	return CS_OK;
}

void cs_option_help(const struct cs_option_table *table, FILE *out)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct cs_option *o = &table->rows[i];
		int used = o->letter ? fprintf(out, "  -%c, ", o->letter) : fprintf(out, "      ");

		used += fprintf(out, "--%s%s%s", o->name, o->value ? " " : "",
				o->value ? o->value : "");
		if (used >= HELP_COLUMN) {
			fputc('\n', out);
			used = 0;
		}
		fprintf(out, "%*s%s\n", HELP_COLUMN - used, "", o->doc);
	}
}
