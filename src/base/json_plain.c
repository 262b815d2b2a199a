/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A reader for what nearly all documents are: canonical JSON in plain ASCII, in one pass.
 * Must not take what jansson would not, nor as another value; it may leave anything to jansson.
 * tests/fuzz/fuzz_jcs.c compares the two.
 */
#include <string.h>

#include "base/jcs.h"
#include "base/json.h"

#define DIGITS_MAX 15 /* below 2^53 */

struct plain {
	const uint8_t *p, *end;
	size_t depth;
};

static json_t *read_value(struct plain *t);

static bool take(struct plain *t, char c)
{
	if (t->p == t->end || *t->p != (uint8_t)c)
		return false;
	t->p++;
	return true;
}

static bool take_word(struct plain *t, const char *word)
{
	while (*word && take(t, *word))
		word++;
	return *word == '\0';
}

/* Printable ASCII without '"' and '\\': what a string holds as itself. */
static const bool is_itself[UINT8_MAX + 1] = {
	[0x20 ... '"' - 1] = true,
	['"' + 1 ... '\\' - 1] = true,
	['\\' + 1 ... 0x7e] = true,
};

/* What stands between quotes; it is in the text, so it has no NUL at its end. */
static bool take_string(struct plain *t, struct cs_bytes *out)
{
	const uint8_t *start, *p;

	if (!take(t, '"'))
		return false;
	start = t->p;
	for (p = start; p < t->end && is_itself[*p];)
		p++;
	t->p = p;
	*out = (struct cs_bytes){ start, (size_t)(p - start) };
	return take(t, '"');
}

static json_t *read_integer(struct plain *t)
{
	const bool negative = take(t, '-');
	const uint8_t *start = t->p;
	json_int_t n = 0;

	while (t->p < t->end && *t->p >= '0' && *t->p <= '9' && t->p - start < DIGITS_MAX)
		n = n * 10 + (*t->p++ - '0');
	/* one zero alone, and no minus before it */
	if (t->p == start || (*start == '0' && (negative || t->p - start > 1)))
		return NULL;
	return json_integer(negative ? -n : n);
}

static bool is_ascending(struct cs_bytes last, struct cs_bytes key)
{
	int order = memcmp(last.data, key.data, last.len < key.len ? last.len : key.len);

	return order < 0 || (order == 0 && last.len < key.len);
}

static bool read_member(struct plain *t, json_t *object, struct cs_bytes *last)
{
	struct cs_bytes key;

	if (!take_string(t, &key) || key.len > CS_JCS_KEY_MAX || !take(t, ':') ||
	    (last->data && !is_ascending(*last, key)))
		return false;
	*last = key;
	return json_object_setn_new_nocheck(object, (const char *)key.data, key.len,
					    read_value(t)) == 0;
}

static json_t *read_object(struct plain *t)
{
	struct cs_bytes last = { NULL, 0 };
	json_t *object = json_object();
	bool ok = object && take(t, '{');

	if (ok && take(t, '}'))
		return object;
	do {
		ok = ok && read_member(t, object, &last);
	} while (ok && take(t, ','));
	if (ok && take(t, '}'))
		return object;
	json_decref(object);
	return NULL;
}

static json_t *read_array(struct plain *t)
{
	json_t *array = json_array();
	bool ok = array && take(t, '[');

	if (ok && take(t, ']'))
		return array;
	do {
		ok = ok && json_array_append_new(array, read_value(t)) == 0;
	} while (ok && take(t, ','));
	if (ok && take(t, ']'))
		return array;
	json_decref(array);
	return NULL;
}

/* Mutual recursion, bounded by CS_JCS_DEPTH_MAX. */
static json_t *read_nested(struct plain *t, json_t *(*read)(struct plain *t))
{
	json_t *value = NULL;

	if (t->depth < CS_JCS_DEPTH_MAX) {
		t->depth++;
		value = read(t);
		t->depth--;
	}
	return value;
}

static json_t *read_value(struct plain *t)
{
	struct cs_bytes s;

	if (t->p == t->end)
		return NULL;
	switch (*t->p) {
	case '{': return read_nested(t, read_object);
	case '[': return read_nested(t, read_array);
	case '"':
		if (!take_string(t, &s))
			return NULL;
		return json_stringn_nocheck((const char *)s.data, s.len);
	case 't': return take_word(t, "true") ? json_true() : NULL;
	case 'f': return take_word(t, "false") ? json_false() : NULL;
	default: return read_integer(t);
	}
}

json_t *cs_json_plain(struct cs_bytes in)
{
	struct plain t = { .p = in.data, .end = in.data + in.len };
	json_t *root;

	if (in.len == 0 || in.data[0] != '{')
		return NULL;
	root = read_value(&t);
	if (t.p == t.end)
		return root;
	json_decref(root);
	return NULL;
}
