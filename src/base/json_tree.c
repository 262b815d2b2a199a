/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A document as a tree in one block of memory. Nearly all are canonical JSON in plain ASCII: those
 * are read here, in one pass. The others are jansson's, and copied. Must not take what jansson
 * would not, nor as another value; tests/fuzz/fuzz_jcs.c compares the two.
 */
#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/jcs.h"
#include "base/json_tree.h"

#define DIGITS_MAX 15 /* below 2^53 */

/* A block that is being filled: nodes from its start, the bytes of names and strings behind them.
 */
struct block {
	struct cs_json *nodes; /* the root first */
	struct cs_json *next;  /* that is free */
	struct cs_json *end;
	char *text; /* that is free */
};

static bool new_block(struct block *b, size_t nodes, size_t text)
{
	b->nodes = malloc(nodes * sizeof(b->nodes[0]) + text);
	if (!b->nodes)
		return false;
	b->next = b->nodes;
	b->end = b->nodes + nodes;
	b->text = (char *)b->end;
	return true;
}

static const char *keep_text(struct block *b, struct cs_bytes s)
{
	char *text = b->text;

	memcpy(text, s.data, s.len);
	text[s.len] = '\0';
	b->text += s.len + 1;
	return text;
}

/* A value of an object or an array, empty. */
static struct cs_json *new_node(struct block *b, const char *name)
{
	struct cs_json *v = b->next++;

	assert(v < b->end);
	*v = (struct cs_json){ .name = name };
	return v;
}

static void set_string(struct block *b, struct cs_json *v, struct cs_bytes s)
{
	v->kind = CS_JSON_STR;
	v->size = s.len;
	v->string = keep_text(b, s);
}

/* --- plain documents --------------------------------------------------------------------- */

const bool cs_json_is_itself[UINT8_MAX + 1] = {
	[0x20 ... '"' - 1] = true,
	['"' + 1 ... '\\' - 1] = true,
	['\\' + 1 ... 0x7e] = true,
};

struct plain {
	const uint8_t *p, *end;
	size_t depth;
	struct block b;
};

static bool read_value(struct plain *t, struct cs_json *v);

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

/* What stands between quotes; it is in the text, so it has no NUL at its end. */
static bool take_string(struct plain *t, struct cs_bytes *out)
{
	const uint8_t *start, *p;

	if (!take(t, '"'))
		return false;
	start = t->p;
	for (p = start; p < t->end && cs_json_is_itself[*p];)
		p++;
	t->p = p;
	*out = (struct cs_bytes){ start, (size_t)(p - start) };
	return take(t, '"');
}

static bool read_string(struct plain *t, struct cs_json *v)
{
	struct cs_bytes s;

	if (!take_string(t, &s))
		return false;
	set_string(&t->b, v, s);
	return true;
}

static bool read_bool(struct plain *t, struct cs_json *v)
{
	v->kind = CS_JSON_BOOL;
	v->number = *t->p == 't';
	return take_word(t, v->number ? "true" : "false");
}

static bool read_integer(struct plain *t, struct cs_json *v)
{
	const bool negative = take(t, '-');
	const uint8_t *start = t->p;
	int64_t n = 0;

	while (t->p < t->end && *t->p >= '0' && *t->p <= '9' && t->p - start < DIGITS_MAX)
		n = n * 10 + (*t->p++ - '0');
	v->kind = CS_JSON_INT;
	v->number = negative ? -n : n;
	/* one zero alone, and no minus before it */
	return t->p > start && (*start != '0' || (!negative && t->p - start == 1));
}

static bool is_ascending(struct cs_bytes last, struct cs_bytes key)
{
	int order = memcmp(last.data, key.data, last.len < key.len ? last.len : key.len);

	return order < 0 || (order == 0 && last.len < key.len);
}

/* The name of a member, behind `last`, and its colon. */
static bool read_name(struct plain *t, struct cs_bytes *last, const char **namep)
{
	struct cs_bytes key;

	if (!take_string(t, &key) || key.len > CS_JCS_KEY_MAX || !take(t, ':') ||
	    (last->data && !is_ascending(*last, key)))
		return false;
	*last = key;
	*namep = keep_text(&t->b, key);
	return true;
}

/* What stands between brackets, behind the opening one. */
static bool read_elements(struct plain *t, struct cs_json *v, bool named, char close)
{
	struct cs_bytes last = { NULL, 0 };
	struct cs_json **tail = &v->first;

	if (take(t, close))
		return true;
	do {
		const char *name = NULL;

		if (named && !read_name(t, &last, &name))
			return false;
		*tail = new_node(&t->b, name);
		if (!read_value(t, *tail))
			return false;
		tail = &(*tail)->next;
		v->size++;
	} while (take(t, ','));
	return take(t, close);
}

/* Mutual recursion, bounded by CS_JCS_DEPTH_MAX. */
static bool read_nested(struct plain *t, struct cs_json *v, enum cs_json_kind kind)
{
	bool named = kind == CS_JSON_OBJECT;
	bool ok;

	if (t->depth == CS_JCS_DEPTH_MAX)
		return false;
	v->kind = kind;
	t->p++;
	t->depth++;
	ok = read_elements(t, v, named, named ? '}' : ']');
	t->depth--;
	return ok;
}

static bool read_value(struct plain *t, struct cs_json *v)
{
	if (t->p == t->end)
		return false;
	switch (*t->p) {
	case '{': return read_nested(t, v, CS_JSON_OBJECT);
	case '[': return read_nested(t, v, CS_JSON_ARRAY);
	case '"': return read_string(t, v);
	case 't':
	case 'f': return read_bool(t, v);
	default: return read_integer(t, v);
	}
}

/* The root stands behind nothing, every other value behind a bracket or a comma, or their name. */
static size_t most_values(struct cs_bytes in)
{
	static const bool is_before_value[UINT8_MAX + 1] = {
		[','] = true,
		['{'] = true,
		['['] = true,
	};
	size_t count = 1;

	for (size_t i = 0; i < in.len; i++)
		count += is_before_value[in.data[i]];
	return count;
}

struct cs_json *cs_json_plain(struct cs_bytes in)
{
	struct plain t = { .p = in.data, .end = in.data + in.len };

	/* a string and its NUL are shorter than the string between its quotes */
	if (in.len == 0 || in.data[0] != '{' || !new_block(&t.b, most_values(in), in.len))
		return NULL;
	if (read_value(&t, new_node(&t.b, NULL)) && t.p == t.end)
		return t.b.nodes;
	free(t.b.nodes);
	return NULL;
}

/* --- other documents --------------------------------------------------------------------- */

static void measure(const json_t *value, size_t *nodes, size_t *text)
{
	json_t *o = cs_json_mutable(value);

	++*nodes;
	if (json_is_string(value))
		*text += json_string_length(value) + 1;
	for (size_t i = 0; i < json_array_size(value); i++)
		measure(json_array_get(value, i), nodes, text);
	for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it)) {
		*text += strlen(json_object_iter_key(it)) + 1;
		measure(json_object_iter_value(it), nodes, text);
	}
}

static void copy_value(struct block *b, const json_t *value, struct cs_json *v);

static void copy_elements(struct block *b, const json_t *value, struct cs_json *v)
{
	struct cs_json **tail = &v->first;
	json_t *o = cs_json_mutable(value);

	for (size_t i = 0; i < json_array_size(value); i++, tail = &(*tail)->next, v->size++) {
		*tail = new_node(b, NULL);
		copy_value(b, json_array_get(value, i), *tail);
	}
	for (void *it = json_object_iter(o); it; it = json_object_iter_next(o, it)) {
		*tail = new_node(b, keep_text(b, cs_bytes_of(json_object_iter_key(it))));
		copy_value(b, json_object_iter_value(it), *tail);
		tail = &(*tail)->next;
		v->size++;
	}
}

static void copy_value(struct block *b, const json_t *value, struct cs_json *v)
{
	static const enum cs_json_kind kinds[] = {
		[JSON_OBJECT] = CS_JSON_OBJECT, [JSON_ARRAY] = CS_JSON_ARRAY,
		[JSON_STRING] = CS_JSON_STR,    [JSON_INTEGER] = CS_JSON_INT,
		[JSON_REAL] = CS_JSON_REAL,     [JSON_TRUE] = CS_JSON_BOOL,
		[JSON_FALSE] = CS_JSON_BOOL,    [JSON_NULL] = CS_JSON_NULL,
	};

	v->kind = kinds[json_typeof(value)];
	if (json_is_string(value))
		set_string(b, v,
			   (struct cs_bytes){ (const uint8_t *)json_string_value(value),
					      json_string_length(value) });
	else if (json_is_integer(value))
		v->number = json_integer_value(value);
	else if (json_is_boolean(value))
		v->number = json_is_true(value);
	else
		copy_elements(b, value, v);
}

struct cs_json *cs_json_copy(const json_t *root)
{
	size_t nodes = 0, text = 0;
	struct block b;

	measure(root, &nodes, &text);
	if (!new_block(&b, nodes, text))
		return NULL;
	copy_value(&b, root, new_node(&b, NULL));
	return b.nodes;
}

/* --- looking at one ---------------------------------------------------------------------- */

void cs_json_free(struct cs_json *root)
{
	free(root);
}

const struct cs_json *cs_json_get(const struct cs_json *object, const char *name)
{
	const struct cs_json *v = cs_json_first(object);

	while (v && (!v->name || strcmp(v->name, name) != 0))
		v = v->next;
	return v;
}

const struct cs_json *cs_json_at(const struct cs_json *array, size_t index)
{
	const struct cs_json *v = cs_json_first(array);

	while (v && index-- > 0)
		v = v->next;
	return v;
}
