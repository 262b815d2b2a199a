/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Canonical JSON: the streaming writer, and canonical output and input of parsed values.
 * Must not allocate but in the caller's buffer while writing with cs_jw.
 * See jcs.h for the contract.
 */
#include "base/jcs.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_tree.h"
#include "base/text.h"

/* The escapes with a letter; all other controls are \u00xx (RFC 8785 §3.2.2.2). */
static const char short_escape[0x80] = {
	['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n',  ['\f'] = 'f',
	['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\',
};

/* Bytes at the front of s that stand for themselves, as far as they are ASCII. */
static size_t plain_length(const char *s)
{
	size_t len = 0;

	while (cs_json_is_itself[(uint8_t)s[len]])
		len++;
	return len;
}

static void add_escaped(struct cs_buf *out, const char *s, size_t len)
{
	size_t start = 0;

	if (!cs_text_is_utf8((const uint8_t *)s, len)) {
		cs_buf_fail(out, CS_E_INVALID);
		return;
	}
	cs_buf_add_char(out, '"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		cs_buf_add(out, s + start, i - start);
		start = i + 1;
		if (short_escape[c])
			cs_buf_add(out, (char[]){ '\\', short_escape[c] }, 2);
		else
			cs_buf_addf(out, "\\u%04x", (unsigned)c);
	}
	cs_buf_add(out, s + start, len - start);
	cs_buf_add_char(out, '"');
}

void cs_jcs_add_string(struct cs_buf *out, const char *s)
{
	const size_t len = plain_length(s);
	uint8_t *p;

	if (s[len] != '\0') {
		add_escaped(out, s, strlen(s));
		return;
	}
	p = cs_buf_extend(out, len + 2);
	if (!p)
		return;
	p[0] = '"';
	memcpy(p + 1, s, len);
	p[len + 1] = '"';
}

/* "key": and before it, behind another member, a comma; all at once, as there are so many. */
static void add_key(struct cs_buf *out, const char *key, bool comma)
{
	const size_t len = plain_length(key);
	uint8_t *p;

	if (key[len] != '\0') { /* only where a parsed value is written again */
		if (comma)
			cs_buf_add_char(out, ',');
		cs_jcs_add_string(out, key);
		cs_buf_add_char(out, ':');
		return;
	}
	p = cs_buf_extend(out, comma + len + 3);
	if (!p)
		return;
	if (comma)
		*p++ = ',';
	*p++ = '"';
	memcpy(p, key, len);
	memcpy(p + len, "\":", 2);
}

void cs_jw_init(struct cs_jw *w, struct cs_buf *out)
{
	w->out = out;
	w->depth = 0;
}

/* What stands in front of every value: a comma, and in objects the key. */
static void begin_value(struct cs_jw *w, const char *key)
{
	struct cs_jw_level *level;

	assert(w->depth > 0 || !key);
	if (w->depth == 0)
		return;
	level = &w->levels[w->depth - 1];
	assert(level->is_object == (key != NULL));
	if (key) {
		size_t len = strlen(key);

		assert(len <= CS_JCS_KEY_MAX);
		assert(!level->has_members || strcmp(level->last, key) < 0);
		memcpy(level->last, key, len + 1);
		add_key(w->out, key, level->has_members);
	} else if (level->has_members) {
		cs_buf_add_char(w->out, ',');
	}
	level->has_members = true;
}

static void push(struct cs_jw *w, const char *key, bool is_object)
{
	assert(w->depth < CS_JCS_DEPTH_MAX);
	begin_value(w, key);
	w->levels[w->depth].is_object = is_object;
	w->levels[w->depth].has_members = false;
	w->depth++;
	cs_buf_add_char(w->out, is_object ? '{' : '[');
}

static void pop(struct cs_jw *w, bool is_object)
{
	assert(w->depth > 0 && w->levels[w->depth - 1].is_object == is_object);
	w->depth--;
	cs_buf_add_char(w->out, is_object ? '}' : ']');
}

void cs_jw_object(struct cs_jw *w, const char *key)
{
	push(w, key, true);
}

void cs_jw_array(struct cs_jw *w, const char *key)
{
	push(w, key, false);
}

void cs_jw_end_object(struct cs_jw *w)
{
	pop(w, true);
}

void cs_jw_end_array(struct cs_jw *w)
{
	pop(w, false);
}

void cs_jw_str(struct cs_jw *w, const char *key, const char *value)
{
	begin_value(w, key);
	cs_jcs_add_string(w->out, value);
}

static void add_int(struct cs_buf *out, int64_t value)
{
	uint64_t left = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	char digits[20]; /* of INT64_MIN, with its sign */
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + left % 10);
		left /= 10;
	} while (left > 0);
	if (value < 0)
		digits[--at] = '-';
	cs_buf_add(out, digits + at, sizeof(digits) - at);
}

void cs_jw_int(struct cs_jw *w, const char *key, int64_t value)
{
	begin_value(w, key);
	if (value > CS_JCS_INT_MAX || value < -CS_JCS_INT_MAX)
		cs_buf_fail(w->out, CS_E_INVALID);
	add_int(w->out, value);
}

void cs_jw_bool(struct cs_jw *w, const char *key, bool value)
{
	begin_value(w, key);
	cs_buf_add_str(w->out, value ? "true" : "false");
}

void cs_jw_hex(struct cs_jw *w, const char *key, const uint8_t *data, size_t len)
{
	begin_value(w, key);
	cs_buf_add_char(w->out, '"');
	cs_buf_add_hex(w->out, data, len);
	cs_buf_add_char(w->out, '"');
}

void cs_jw_base64(struct cs_jw *w, const char *key, struct cs_bytes data)
{
	begin_value(w, key);
	cs_buf_add_char(w->out, '"');
	cs_buf_add_base64(w->out, data.data, data.len);
	cs_buf_add_char(w->out, '"');
}

void cs_jw_raw(struct cs_jw *w, const char *key, struct cs_bytes canonical)
{
	begin_value(w, key);
	cs_buf_add(w->out, canonical.data, canonical.len);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp((*(const struct cs_json *const *)a)->name,
		      (*(const struct cs_json *const *)b)->name);
}

static enum cs_rc check_key(const char *key, struct cs_err *e)
{
	size_t len = 0;

	while (key[len] >= 0x20 && key[len] < 0x7f)
		len++;
	if (key[len] != '\0')
		return CS_FAIL(e, CS_E_INVALID, "an object key is not printable ASCII");
	if (len > CS_JCS_KEY_MAX)
		return CS_FAIL(e, CS_E_INVALID, "object key \"%s\" is longer than %d bytes", key,
			       CS_JCS_KEY_MAX);
	return CS_OK;
}

/* The members of an object, their names checked, in ascending order; the caller frees the array. */
static enum cs_rc sorted_members(const struct cs_json *object, const struct cs_json ***membersp,
				 struct cs_err *e)
{
	const struct cs_json **members = calloc(cs_json_size(object) + 1, sizeof(*members));
	enum cs_rc rc = CS_OK;
	size_t count = 0;

	if (!members)
		return CS_FAIL(e, CS_E_NOMEM, "canonical JSON");
	for (const struct cs_json *v = cs_json_first(object); v && rc == CS_OK; v = v->next) {
		members[count++] = v;
		rc = check_key(v->name, e);
	}
	if (rc != CS_OK) {
		free(members);
		return rc;
	}
	qsort(members, count, sizeof(*members), compare_names);
	*membersp = members;
	return CS_OK;
}

static enum cs_rc write_value(struct cs_jw *w, const char *key, const struct cs_json *value,
			      struct cs_err *e);

static enum cs_rc write_object(struct cs_jw *w, const char *key, const struct cs_json *object,
			       struct cs_err *e)
{
	const struct cs_json **members = NULL;
	enum cs_rc rc = sorted_members(object, &members, e);

	if (rc != CS_OK)
		return rc;
	cs_jw_object(w, key);
	for (const struct cs_json **m = members; *m && rc == CS_OK; m++)
		rc = write_value(w, (*m)->name, *m, e);
	cs_jw_end_object(w);
	free(members);
	return rc;
}

static enum cs_rc write_array(struct cs_jw *w, const char *key, const struct cs_json *array,
			      struct cs_err *e)
{
	enum cs_rc rc = CS_OK;

	cs_jw_array(w, key);
	for (const struct cs_json *v = cs_json_first(array); v && rc == CS_OK; v = v->next)
		rc = write_value(w, NULL, v, e);
	cs_jw_end_array(w);
	return rc;
}

/* Mutual recursion, bounded by CS_JCS_DEPTH_MAX. */
static enum cs_rc write_value(struct cs_jw *w, const char *key, const struct cs_json *value,
			      struct cs_err *e)
{
	int64_t n = value->number;

	if ((value->kind == CS_JSON_OBJECT || value->kind == CS_JSON_ARRAY) &&
	    w->depth == CS_JCS_DEPTH_MAX)
		return CS_FAIL(e, CS_E_INVALID, "JSON nests deeper than %d levels",
			       CS_JCS_DEPTH_MAX);
	switch (value->kind) {
	case CS_JSON_OBJECT: return write_object(w, key, value, e);
	case CS_JSON_ARRAY: return write_array(w, key, value, e);
	case CS_JSON_STR: cs_jw_str(w, key, value->string); return CS_OK;
	case CS_JSON_INT:
		if (n > CS_JCS_INT_MAX || n < -CS_JCS_INT_MAX)
			return CS_FAIL(e, CS_E_INVALID,
				       "integer %" PRId64 " is over 2^53-1; write it as a string",
				       n);
		cs_jw_int(w, key, n);
		return CS_OK;
	case CS_JSON_BOOL: cs_jw_bool(w, key, n != 0); return CS_OK;
	case CS_JSON_REAL:
		return CS_FAIL(e, CS_E_INVALID, "numbers with a fraction or exponent are refused");
	case CS_JSON_NULL: break;
	}
	return CS_FAIL(e, CS_E_INVALID, "null is refused; leave the field out");
}

enum cs_rc cs_jcs_write(const struct cs_json *value, struct cs_buf *out, struct cs_err *e)
{
	struct cs_jw w;
	enum cs_rc rc;

	cs_jw_init(&w, out);
	rc = write_value(&w, NULL, value, e);
	return rc == CS_OK ? cs_buf_ok(out, "canonical JSON", e) : rc;
}

enum cs_rc cs_jcs_parse(struct cs_bytes in, size_t max, const char *what, struct cs_json **rootp,
			struct cs_err *e)
{
	struct cs_json *root = NULL;
	struct cs_buf again;
	enum cs_rc rc;

	root = in.len <= max ? cs_json_plain(in) : NULL;
	if (root) {
		*rootp = root;
		return CS_OK;
	}
	cs_buf_init(&again, in.len);
	rc = cs_json_parse(in, max, what, &root, e);
	if (rc != CS_OK)
		goto out;
	rc = cs_jcs_write(root, &again, e);
	/* a canonical form that outgrows the input differs from it, too */
	if (rc == CS_E_TOO_LARGE || (rc == CS_OK && !cs_bytes_equal(in, cs_buf_bytes(&again))))
		rc = CS_FAIL(e, CS_E_INVALID, "%s: not canonical JSON (RFC 8785)", what);
	else if (rc != CS_OK)
		cs_err_prefix(e, "%s", what);
	if (rc != CS_OK)
		goto out;
	*rootp = root;
	root = NULL; /* transferred */
out:
	cs_json_free(root);
	cs_buf_done(&again);
	return rc;
}
