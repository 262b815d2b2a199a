/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration as text: in force for --print-config, described for the manual page. Both walk
 * the lists of config.h, so neither can forget a key.
 */
#include <string.h>

#include "daemon/config.h"

struct unit {
	int64_t size;
	const char *suffix;
};

/* largest first; the first that divides a value is used */
static const struct unit time_units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "m" }, { 1, "s" } };
static const struct unit byte_units[] = {
	{ CS_KIB * CS_MIB, "GiB" }, { CS_MIB, "MiB" }, { CS_KIB, "KiB" }, { 1, "" }
};
static const struct unit plain[] = { { 1, "" } };

static void print_number(struct cs_buf *out, enum cs_yaml_type type, int64_t value)
{
	const struct unit *u = type == CS_Y_SECONDS ? time_units
			       : type == CS_Y_BYTES ? byte_units
						    : plain;

	while (u->size > 1 && (value == 0 || value % u->size != 0))
		u++;
	cs_buf_addf(out, "%lld%s", (long long)(value / u->size), u->suffix);
}

/** A double-quoted scalar: right for every text, whatever YAML would make of it plain. */
static void print_string(struct cs_buf *out, const char *value)
{
	cs_buf_add_char(out, '"');
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			cs_buf_add_char(out, '\\');
		cs_buf_add_char(out, *value);
	}
	cs_buf_add_char(out, '"');
}

/** One entry's lines: dash before the first. */
static void print_item_key(struct cs_buf *out, bool *first, const char *key)
{
	cs_buf_addf(out, "  %s %s: ", *first ? "-" : " ", key);
	*first = false;
}

#define I_STR(field, key, type, required, def, doc) \
	if (s->field) {                             \
		print_item_key(out, &first, (key)); \
		print_string(out, s->field);        \
		cs_buf_add_char(out, '\n');         \
	}
#define I_NUM(field, key, type, lo, hi, def, doc) \
	print_item_key(out, &first, (key));       \
	print_number(out, (type), s->field);      \
	cs_buf_add_char(out, '\n');

static void print_signers(struct cs_buf *out, const struct cs_config *c)
{
	for (size_t i = 0; i < c->signer_count; i++) {
		const struct cs_config_signer *s = &c->signers[i];
		bool first = true;

		CS_CONFIG_SIGNER(I_STR, I_NUM)
	}
}

#define P_STR(field, key, type, required, def, doc)                          \
	if (c->field) {                                                      \
		cs_buf_addf(out, "# %s\n%s: ", (doc), (key));                \
		print_string(out, c->field);                                 \
		cs_buf_add_str(out, "\n\n");                                 \
	} else {                                                             \
		cs_buf_addf(out, "# %s\n# %s is not set\n\n", (doc), (key)); \
	}
#define P_NUM(field, key, type, lo, hi, def, doc)     \
	cs_buf_addf(out, "# %s\n%s: ", (doc), (key)); \
	print_number(out, (type), c->field);          \
	cs_buf_add_str(out, "\n\n");
#define P_CHOICE(field, key, choices, def, doc) \
	cs_buf_addf(out, "# %s\n%s: %s\n\n", (doc), (key), (choices)[c->field]);
#define P_LIST(field, key, max, doc)                   \
	cs_buf_addf(out, "# %s\n%s:\n", (doc), (key)); \
	print_##field(out, c);                         \
	cs_buf_add_char(out, '\n');

void cs_config_print(const struct cs_config *c, struct cs_buf *out)
{
	CS_CONFIG(P_STR, P_NUM, P_CHOICE, P_LIST)
}

/** What a value looks like, as the argument after the key in the manual page. */
static const char *argument(enum cs_yaml_type type)
{
	return type == CS_Y_PATH      ? "path"
	       : type == CS_Y_NAME    ? "name"
	       : type == CS_Y_SECONDS ? "time"
	       : type == CS_Y_BYTES   ? "size"
	       : type == CS_Y_INT     ? "number"
				      : "text";
}

/** The item's head and its doc; mdoc wants every sentence on a line of its own. */
static void describe_head(struct cs_buf *out, const char *key, const char *value, const char *doc)
{
	cs_buf_addf(out, ".It Cm %s : Ar %s\n", key, value);
	for (; *doc; doc++) {
		bool ends = doc[0] == '.' && doc[1] == ' ';

		cs_buf_add_char(out, *doc);
		if (ends) {
			cs_buf_add_char(out, '\n');
			doc++; /* the space */
		}
	}
	cs_buf_add_char(out, '\n');
}

static void describe_string(struct cs_buf *out, const char *key, enum cs_yaml_type type,
			    bool required, const char *def, const char *doc)
{
	describe_head(out, key, argument(type), doc);
	if (required)
		cs_buf_add_str(out, "Required.\n");
	else if (def)
		cs_buf_addf(out, "Default:\n.Ql %s .\n", def);
}

static void describe_number(struct cs_buf *out, const char *key, enum cs_yaml_type type, int64_t lo,
			    int64_t hi, int64_t def, const char *doc)
{
	describe_head(out, key, argument(type), doc);
	print_number(out, type, lo);
	cs_buf_add_str(out, " to ");
	print_number(out, type, hi);
	cs_buf_add_str(out, ".\nDefault:\n.Ql ");
	print_number(out, type, def);
	cs_buf_add_str(out, " .\n");
}

static void describe_choice(struct cs_buf *out, const char *key, const char *const *choices,
			    int def, const char *doc)
{
	describe_head(out, key, "choice", doc);
	cs_buf_add_str(out, "One of\n");
	for (size_t i = 0; choices[i]; i++)
		cs_buf_addf(out, ".Ql %s%s\n", choices[i], choices[i + 1] ? " ," : " .");
	cs_buf_addf(out, "Default:\n.Ql %s .\n", choices[def]);
}

#define S_STR(field, key, type, required, def, doc) \
	describe_string(out, (key), (type), (required), (def), (doc));
#define S_NUM(field, key, type, lo, hi, def, doc) \
	describe_number(out, (key), (type), (lo), (hi), (def), (doc));
#define S_CHOICE(field, key, choices, def, doc) \
	describe_choice(out, (key), (choices), (def), (doc));
#define S_LIST(field, key, max, doc)                             \
	describe_head(out, (key), "list", (doc));                \
	cs_buf_addf(out, "Required, 1 to %d entries.\n", (max)); \
	describe_##field(out);

static void describe_signers(struct cs_buf *out)
{
	cs_buf_add_str(out, "An entry has:\n.Bl -tag -width Ds\n");
	CS_CONFIG_SIGNER(S_STR, S_NUM)
	cs_buf_add_str(out, ".El\n");
}

void cs_config_describe(struct cs_buf *out)
{
	CS_CONFIG(S_STR, S_NUM, S_CHOICE, S_LIST)
}
