/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict JSON input by tables, on trees of our own; what is not plain is jansson's to read.
 * Must not let its leniencies through: depth and size are checked before it sees the bytes.
 * See json.h for the contract.
 */
#include "base/json.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/jcs.h"
#include "base/json_tree.h"
#include "base/text.h"

/* Bytes of a stranger's field name or of jansson's explanation that an error repeats. */
#define SHOWN_MAX 160

/*
 * Brackets outside strings, counted before parsing, so that deep nesting is an error of its own
 * and never deep recursion. The text may still be malformed in any other way.
 */
static bool is_too_deep(struct cs_bytes in)
{
	bool in_string = false;
	size_t depth = 0;

	for (size_t i = 0; i < in.len; i++) {
		uint8_t c = in.data[i];

		if (in_string && c == '\\') {
			i++;
		} else if (c == '"') {
			in_string = !in_string;
		} else if (!in_string && (c == '{' || c == '[')) {
			if (++depth > CS_JCS_DEPTH_MAX)
				return true;
		} else if (!in_string && (c == '}' || c == ']') && depth > 0) {
			depth--;
		}
	}
	return false;
}

static enum cs_rc parse_failed(const char *what, const json_error_t *error, struct cs_err *e)
{
	struct cs_buf text;

	if (json_error_code(error) == json_error_out_of_memory)
		return CS_FAIL(e, CS_E_NOMEM, "%s: out of memory", what);
	cs_buf_init(&text, SHOWN_MAX);
	cs_text_show(error->text, &text);
	cs_err_set(e, CS_E_INVALID, "%s: line %d, column %d: %s", what, error->line, error->column,
		   cs_buf_str(&text));
	cs_buf_done(&text);
	return CS_E_INVALID;
}

enum cs_rc cs_json_load(struct cs_bytes in, size_t max, const char *what, json_t **rootp,
			struct cs_err *e)
{
	json_error_t error;
	json_t *root;

	if (in.len > max)
		return CS_FAIL(e, CS_E_TOO_LARGE, "%s: %zu bytes; the limit is %zu", what, in.len,
			       max);
	if (in.len == 0)
		return CS_FAIL(e, CS_E_INVALID, "%s: empty; a JSON object is needed", what);
	if (is_too_deep(in))
		return CS_FAIL(e, CS_E_INVALID, "%s: JSON nests deeper than %d levels", what,
			       CS_JCS_DEPTH_MAX);
	root = json_loadb((const char *)in.data, in.len, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		return parse_failed(what, &error, e);
	if (!json_is_object(root)) {
		json_decref(root);
		return CS_FAIL(e, CS_E_INVALID, "%s: an array; a JSON object is needed", what);
	}
	*rootp = root;
	return CS_OK;
}

enum cs_rc cs_json_parse(struct cs_bytes in, size_t max, const char *what, struct cs_json **rootp,
			 struct cs_err *e)
{
	struct cs_json *root = in.len <= max ? cs_json_plain(in) : NULL;
	json_t *loaded = NULL;
	enum cs_rc rc;

	if (!root) {
		rc = cs_json_load(in, max, what, &loaded, e);
		if (rc != CS_OK)
			return rc;
		root = cs_json_copy(loaded);
		json_decref(loaded);
	}
	if (!root)
		return CS_FAIL(e, CS_E_NOMEM, "%s: out of memory", what);
	*rootp = root;
	return CS_OK;
}

/* Where a value stands, for errors: path, field and what is wrong there. */
static enum cs_rc CS_PRINTF(4, 5)
	fail(const char *path, const char *name, struct cs_err *e, const char *fmt, ...)
{
	struct cs_err cause;
	va_list ap;

	va_start(ap, fmt);
	cs_err_vset(&cause, CS_E_INVALID, fmt, ap);
	va_end(ap);
	if (!*path && !*name)
		path = "document";
	return CS_FAIL(e, CS_E_INVALID, "%s%s%s: %s", path, *path && *name ? "." : "", name,
		       cause.msg);
}

static enum cs_rc check_string(const char *path, const struct cs_json_field *f,
			       const struct cs_json *value, struct cs_err *e)
{
	const char *s = value->string;
	size_t len = value->size;

	if (len < (size_t)f->min || len > (size_t)f->max)
		return fail(path, f->name, e, "%zu bytes; %" PRId64 " to %" PRId64 " are allowed",
			    len, f->min, f->max);
	switch (f->text) {
	case CS_TEXT_NAME:
		if (len > 0 && !cs_text_is_name(s, len))
			return fail(path, f->name, e,
				    "only letters, digits and . _ + / @ : - are allowed");
		break;
	case CS_TEXT_FREE:
		if (!cs_text_is_free(s, len))
			return fail(path, f->name, e,
				    "control, format and bidi characters are not allowed");
		break;
	case CS_TEXT_HEX:
		if (!cs_text_is_hex(s))
			return fail(path, f->name, e,
				    "only whole bytes in lower-case hexadecimal are allowed");
		break;
	case CS_TEXT_ANY: break;
	}
	return CS_OK;
}

static enum cs_rc check_int(const char *path, const struct cs_json_field *f,
			    const struct cs_json *value, struct cs_err *e)
{
	int64_t n = value->number;

	if (n < f->min || n > f->max)
		return fail(path, f->name, e, "%" PRId64 "; %" PRId64 " to %" PRId64 " are allowed",
			    n, f->min, f->max);
	return CS_OK;
}

static enum cs_rc check_array(const char *path, const struct cs_json_field *f,
			      const struct cs_json *value, struct cs_err *e)
{
	size_t n = value->size;

	if (n < (size_t)f->min || n > (size_t)f->max)
		return fail(path, f->name, e,
			    "%zu elements; %" PRId64 " to %" PRId64 " are allowed", n, f->min,
			    f->max);
	return CS_OK;
}

static void store_string(void *out, const struct cs_json *value)
{
	*(const char **)out = value->string;
}

static void store_int(void *out, const struct cs_json *value)
{
	*(int64_t *)out = value->number;
}

static void store_bool(void *out, const struct cs_json *value)
{
	*(bool *)out = value->number != 0;
}

static void store_node(void *out, const struct cs_json *value)
{
	*(const struct cs_json **)out = value;
}

/* How errors call each kind, what a field of it wants, checks and stores. */
static const struct {
	const char *name, *wanted;
	enum cs_rc (*check)(const char *path, const struct cs_json_field *f,
			    const struct cs_json *value, struct cs_err *e);
	void (*store)(void *out, const struct cs_json *value);
} kinds[] = {
	[CS_JSON_STR] = { "a string", "a string", check_string, store_string },
	[CS_JSON_INT] = { "an integer", "an integer", check_int, store_int },
	[CS_JSON_BOOL] = { "a boolean", "true or false", NULL, store_bool },
	[CS_JSON_OBJECT] = { "an object", "an object", NULL, store_node },
	[CS_JSON_ARRAY] = { "an array", "an array", check_array, store_node },
	[CS_JSON_REAL] = { "a number with a fraction or exponent", NULL, NULL, NULL },
	[CS_JSON_NULL] = { "null", NULL, NULL, NULL },
};

static enum cs_rc check_field(const struct cs_json *value, const char *path,
			      const struct cs_json_field *f, struct cs_err *e)
{
	if (!value)
		return f->optional ? CS_OK : fail(path, f->name, e, "missing");
	if (value->kind != f->kind)
		return fail(path, f->name, e, "%s; it must be %s", kinds[value->kind].name,
			    kinds[f->kind].wanted);
	return kinds[f->kind].check ? kinds[f->kind].check(path, f, value, e) : CS_OK;
}

/* Which field has this name; looked for from `hint` on, round. `count` when none has. */
static size_t find_field(const struct cs_json_field *fields, size_t count, size_t hint,
			 const char *name)
{
	for (size_t i = hint; i < count; i++) {
		if (strcmp(fields[i].name, name) == 0)
			return i;
	}
	for (size_t i = 0; i < hint; i++) {
		if (strcmp(fields[i].name, name) == 0)
			return i;
	}
	return count;
}

/* The value of each field, NULL where there is none. Tables and canonical documents are both in
 * ascending order, so the next member nearly always belongs to the next field. */
static enum cs_rc match(const struct cs_json *object, const char *path,
			const struct cs_json_field *fields, size_t count,
			const struct cs_json **values, struct cs_err *e)
{
	size_t next = 0;

	for (const struct cs_json *v = cs_json_first(object); v; v = v->next) {
		size_t i = find_field(fields, count, next, v->name);
		struct cs_buf shown;

		if (i < count) {
			values[i] = v;
			next = i + 1;
			continue;
		}
		cs_buf_init(&shown, SHOWN_MAX);
		cs_text_show(v->name, &shown);
		fail(path, cs_buf_str(&shown), e, "unknown field");
		cs_buf_done(&shown);
		return CS_E_INVALID;
	}
	return CS_OK;
}

enum cs_rc cs_json_read(const struct cs_json *object, const char *path,
			const struct cs_json_field *fields, size_t count, struct cs_err *e)
{
	const struct cs_json *values[CS_JSON_FIELDS_MAX] = { NULL };
	enum cs_rc rc;

	assert(count <= CS_JSON_FIELDS_MAX);
	if (!object || object->kind != CS_JSON_OBJECT)
		return fail(path, "", e, "%s; it must be an object",
			    object ? kinds[object->kind].name : "missing");
	rc = match(object, path, fields, count, values, e);
	for (size_t i = 0; i < count && rc == CS_OK; i++)
		rc = check_field(values[i], path, &fields[i], e);
	for (size_t i = 0; i < count && rc == CS_OK; i++) {
		if (values[i] && fields[i].out)
			kinds[fields[i].kind].store(fields[i].out, values[i]);
	}
	return rc;
}
