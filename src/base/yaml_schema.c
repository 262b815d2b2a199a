/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The schema of configuration files: a table of fields maps a tree onto a struct.
 * Must not guess: what a value is follows from the table, never from how it looks.
 * See yaml.h for the contract.
 */
#include "base/yaml.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/text.h"

/* One value being read: where it stands, what it should be, where it goes. */
struct value {
	const struct cs_yaml *node;
	const char *where;
	const char *key; /* "" when `where` names the value itself */
	const struct cs_yaml_field *field;
	int64_t min, max;
	void *out;
	struct cs_problems *problems;
};

/* Add a problem at the value; false, so that a reader can return it. */
static bool CS_PRINTF(2, 3) wrong(const struct value *v, const char *fmt, ...)
{
	struct cs_err text;
	va_list ap;

	va_start(ap, fmt);
	cs_err_vset(&text, CS_E_CONFIG, fmt, ap);
	va_end(ap);
	cs_problem_add(v->problems, v->node->line, v->node->column, "%s%s%s: %s", v->where,
		       *v->where && *v->key ? "." : "", v->key, text.msg);
	return false;
}

static bool is_in_range(const struct value *v, int64_t n, const char *unit)
{
	if (n >= v->min && n <= v->max)
		return true;
	return wrong(v, "%" PRId64 "%s; %" PRId64 " to %" PRId64 " are allowed", n, unit, v->min,
		     v->max);
}

/* What all texts have in common. */
static bool is_text(const struct value *v)
{
	const char *s = v->node->scalar;

	if (!v->node->quoted && (*s == '\0' || strcmp(s, "~") == 0 || strcmp(s, "null") == 0))
		return wrong(v, "no value; write one, or leave the key out");
	return is_in_range(v, (int64_t)strlen(s), " bytes");
}

static bool store_text(const struct value *v)
{
	*(const char **)v->out = v->node->scalar;
	return true;
}

static bool read_name(const struct value *v)
{
	if (!is_text(v))
		return false;
	if (!cs_text_is_name(v->node->scalar, SIZE_MAX))
		return wrong(v, "\"%s\": only letters, digits and . _ + / @ : - are allowed",
			     v->node->scalar);
	return store_text(v);
}

static bool read_text(const struct value *v)
{
	if (!is_text(v))
		return false;
	if (!cs_text_is_free(v->node->scalar, SIZE_MAX))
		return wrong(v, "control, format and bidi characters are not allowed");
	return store_text(v);
}

static bool read_hex(const struct value *v)
{
	if (!is_text(v))
		return false;
	if (!cs_text_is_hex(v->node->scalar))
		return wrong(v, "only whole bytes in lower-case hexadecimal are allowed");
	return store_text(v);
}

static bool read_base64(const struct value *v)
{
	struct cs_buf bytes;
	enum cs_rc rc;

	if (!is_text(v))
		return false;
	cs_buf_init(&bytes, CS_YAML_MAX);
	rc = cs_base64_decode(v->node->scalar, strlen(v->node->scalar), &bytes, "", NULL);
	cs_buf_done(&bytes);
	if (rc != CS_OK)
		return wrong(v, "not base64 (RFC 4648 section 4, with padding, in one line)");
	return store_text(v);
}

static bool read_bool(const struct value *v)
{
	bool is_true = strcmp(v->node->scalar, "true") == 0;

	if (v->node->quoted || (!is_true && strcmp(v->node->scalar, "false") != 0))
		return wrong(v, "\"%s\": write true or false, without quotes", v->node->scalar);
	*(bool *)v->out = is_true;
	return true;
}

/* A unit and what it stands for, in the base unit. */
struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit no_units[] = { { "", 1 }, { NULL, 0 } };
static const struct unit time_units[] = {
	{ "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 }, { NULL, 0 },
};
static const struct unit byte_units[] = {
	{ "", 1 },   { "KiB", 1024 }, { "MiB", 1024 * 1024 }, { "GiB", 1024 * 1024 * 1024 },
	{ NULL, 0 },
};

/* Digits and a unit. `example` tells the user what to write. */
static bool read_quantity(const struct value *v, const struct unit *unit, const char *example)
{
	const char *s = v->node->scalar;
	size_t digits = strspn(s, "0123456789");
	char number[24];
	int64_t n;

	if (digits > 1 && s[0] == '0')
		return wrong(v, "\"%s\": leading zeros are not allowed", s);
	while (unit->name && strcmp(unit->name, s + digits) != 0)
		unit++;
	if (digits == 0 || digits >= sizeof(number) || !unit->name)
		return wrong(v, "\"%s\" is not %s", s, example);
	memcpy(number, s, digits);
	number[digits] = '\0';
	if (!cs_text_to_int(number, 0, INT64_MAX / unit->factor, &n))
		return wrong(v, "\"%s\" is too large", s);
	n *= unit->factor;
	if (!is_in_range(v, n, ""))
		return false;
	*(int64_t *)v->out = n;
	return true;
}

static bool read_int(const struct value *v)
{
	if (v->node->quoted)
		return wrong(v, "\"%s\": write the number without quotes", v->node->scalar);
	return read_quantity(v, no_units, "a number such as 10");
}

static bool read_seconds(const struct value *v)
{
	return read_quantity(v, time_units, "a duration such as 90s, 15m, 72h or 30d");
}

static bool read_bytes(const struct value *v)
{
	return read_quantity(v, byte_units, "a size such as 512, 64KiB, 10MiB or 2GiB");
}

static bool read_time(const struct value *v)
{
	int64_t us;

	if (!cs_time_parse_any(v->node->scalar, &us))
		return wrong(v, "\"%s\" is not a time such as 2027-01-01 or 2027-01-01T12:00:00Z",
			     v->node->scalar);
	*(int64_t *)v->out = us;
	return true;
}

static bool read_enum(const struct value *v)
{
	const char *const *choices = v->field->choices;
	struct cs_buf list;
	int i;

	for (i = 0; choices[i]; i++) {
		if (strcmp(choices[i], v->node->scalar) == 0) {
			*(int *)v->out = i;
			return true;
		}
	}
	cs_buf_init(&list, 256);
	for (i = 0; choices[i]; i++)
		cs_buf_addf(&list, "%s%s", i ? ", " : "", choices[i]);
	wrong(v, "\"%s\" is none of: %s", v->node->scalar, cs_buf_str(&list));
	cs_buf_done(&list);
	return false;
}

static bool read_node(const struct value *v)
{
	if (!is_in_range(v, (int64_t)v->node->count, " entries"))
		return false;
	*(const struct cs_yaml **)v->out = v->node;
	return true;
}

/* The types: what they are written as, who reads them, and their own limits. */
static const struct {
	enum cs_yaml_kind kind;
	bool (*read)(const struct value *v);
	int64_t min, max;
} types[] = {
	[CS_Y_NAME] = { CS_YAML_SCALAR, read_name, 1, 128 },
	[CS_Y_TEXT] = { CS_YAML_SCALAR, read_text, 1, 1024 },
	[CS_Y_PATH] = { CS_YAML_SCALAR, read_text, 1, 4095 },
	[CS_Y_HEX] = { CS_YAML_SCALAR, read_hex, 2, 65536 },
	[CS_Y_BASE64] = { CS_YAML_SCALAR, read_base64, 4, CS_YAML_MAX },
	[CS_Y_INT] = { CS_YAML_SCALAR, read_int, 0, INT64_MAX },
	[CS_Y_BOOL] = { CS_YAML_SCALAR, read_bool, 0, 0 },
	[CS_Y_SECONDS] = { CS_YAML_SCALAR, read_seconds, 0, INT64_C(100) * 366 * 86400 },
	[CS_Y_BYTES] = { CS_YAML_SCALAR, read_bytes, 0, INT64_MAX },
	[CS_Y_TIME] = { CS_YAML_SCALAR, read_time, 0, 0 },
	[CS_Y_ENUM] = { CS_YAML_SCALAR, read_enum, 0, 0 },
	[CS_Y_LIST] = { CS_YAML_LIST, read_node, 0, CS_YAML_CHILDREN_MAX },
	[CS_Y_MAP] = { CS_YAML_MAP, read_node, 0, CS_YAML_CHILDREN_MAX },
};

static const char *const kind_names[] = {
	[CS_YAML_SCALAR] = "a single value",
	[CS_YAML_LIST] = "a list",
	[CS_YAML_MAP] = "a map of keys",
};

static bool read_value(struct value *v, void *target)
{
	bool own_limits = v->field->min == 0 && v->field->max == 0;

	assert((unsigned)v->field->type < sizeof(types) / sizeof(types[0]));

	if (v->node->refused)
		return false;
	if (v->node->kind != types[v->field->type].kind)
		return wrong(v, "%s; it must be %s", kind_names[v->node->kind],
			     kind_names[types[v->field->type].kind]);
	v->min = own_limits ? types[v->field->type].min : v->field->min;
	v->max = own_limits ? types[v->field->type].max : v->field->max;
	v->out = (char *)target + v->field->offset;
	return types[v->field->type].read(v);
}

bool cs_yaml_read_value(const struct cs_yaml *node, const char *where,
			const struct cs_yaml_field *field, void *target, struct cs_problems *p)
{
	struct value v = { .node = node, .where = where, .key = "", .field = field, .problems = p };

	return read_value(&v, target);
}

static void check_known(const struct cs_yaml *map, const char *where,
			const struct cs_yaml_field *fields, size_t count, struct cs_problems *p)
{
	for (size_t i = 0; i < map->count; i++) {
		size_t k = 0;

		while (k < count && strcmp(fields[k].key, map->keys[i]) != 0)
			k++;
		if (k == count)
			cs_problem_add(p, map->key_pos[i].line, map->key_pos[i].column,
				       "%s%sunknown key \"%s\"", where, *where ? ": " : "",
				       map->keys[i]);
	}
}

void cs_yaml_read(const struct cs_yaml *map, const char *where, const struct cs_yaml_field *fields,
		  size_t count, void *target, struct cs_problems *p)
{
	if (map->refused)
		return;
	if (map->kind != CS_YAML_MAP) {
		cs_problem_add(p, map->line, map->column, "%s%s%s; it must be %s", where,
			       *where ? ": " : "", kind_names[map->kind], kind_names[CS_YAML_MAP]);
		return;
	}
	check_known(map, where, fields, count, p);
	for (size_t i = 0; i < count; i++) {
		const struct cs_yaml_field *f = &fields[i];
		struct value v = {
			.node = cs_yaml_get(map, f->key),
			.where = where,
			.key = f->key,
			.field = f,
			.problems = p,
		};

		if (v.node)
			read_value(&v, target);
		else if (f->required)
			cs_problem_add(p, map->line, map->column, "%s%smissing key \"%s\"%s%s",
				       where, *where ? ": " : "", f->key, f->doc ? ": " : "",
				       f->doc ? f->doc : "");
	}
}
