/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration files: libyaml's events into a tree with positions. The only user of libyaml.
 * Must not give a meaning to any scalar: types are the schema's business (yaml_schema.c).
 * See yaml.h for the contract.
 */
#include "base/yaml.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/text.h"

/* A file being read. */
struct parse {
	yaml_parser_t parser;
	yaml_event_t event; /* the current one; of type YAML_NO_EVENT when broken */
	struct cs_problems *problems;
	bool broken; /* libyaml or malloc gave up */
};

static size_t line_of(const struct parse *ps)
{
	return ps->event.start_mark.line + 1;
}

static size_t column_of(const struct parse *ps)
{
	return ps->event.start_mark.column + 1;
}

static void out_of_memory(struct parse *ps)
{
	if (!ps->broken)
		cs_problem_add(ps->problems, 0, 0, "out of memory");
	ps->broken = true;
}

/* Move on to the next event. */
static void next(struct parse *ps)
{
	const yaml_parser_t *parser = &ps->parser;

	yaml_event_delete(&ps->event);
	if (ps->broken || yaml_parser_parse(&ps->parser, &ps->event))
		return;
	ps->event.type = YAML_NO_EVENT;
	if (parser->error == YAML_MEMORY_ERROR) {
		out_of_memory(ps);
		return;
	}
	ps->broken = true;
	cs_problem_add(ps->problems, parser->problem_mark.line + 1, parser->problem_mark.column + 1,
		       "not valid YAML: %s%s%s", parser->context ? parser->context : "",
		       parser->context ? ", " : "", parser->problem ? parser->problem : "");
}

static struct cs_yaml *new_node(struct parse *ps, enum cs_yaml_kind kind)
{
	struct cs_yaml *y = calloc(1, sizeof(*y));

	if (!y) {
		out_of_memory(ps);
		return NULL;
	}
	y->kind = kind;
	y->line = line_of(ps);
	y->column = column_of(ps);
	return y;
}

/* An array with room for one more element; it grows when count is a power of two. */
static void *grown(void *array, size_t count, size_t size)
{
	if (array && (count & (count - 1)) != 0)
		return array;
	return reallocarray(array, count ? 2 * count : 1, size);
}

/* Append a child; key is NULL in lists. Takes both, also when it fails. */
static void add_child(struct parse *ps, struct cs_yaml *parent, char *key, struct cs_yaml_pos pos,
		      struct cs_yaml *child)
{
	struct cs_yaml **children = NULL;
	struct cs_yaml_pos *key_pos = NULL;
	char **keys = NULL;

	children = grown(parent->children, parent->count, sizeof(struct cs_yaml *));
	if (children)
		parent->children = children;
	if (key) {
		keys = grown(parent->keys, parent->count, sizeof(char *));
		if (keys)
			parent->keys = keys;
		key_pos = grown(parent->key_pos, parent->count, sizeof(struct cs_yaml_pos));
		if (key_pos)
			parent->key_pos = key_pos;
	}
	if (!children || (key && (!keys || !key_pos))) {
		out_of_memory(ps);
		cs_yaml_free(child);
		free(key);
		return;
	}
	parent->children[parent->count] = child;
	if (key) {
		parent->keys[parent->count] = key;
		parent->key_pos[parent->count] = pos;
	}
	parent->count++;
}

/* True, with a problem, when the parent has as many children as one may have. */
static bool is_full(struct parse *ps, const struct cs_yaml *parent, const struct cs_yaml_pos *pos)
{
	if (parent->count < CS_YAML_CHILDREN_MAX)
		return false;
	cs_problem_add(ps->problems, pos->line, pos->column, "more than %d entries",
		       CS_YAML_CHILDREN_MAX);
	ps->broken = true; /* one such problem is enough */
	return true;
}

static void refuse_extras(struct parse *ps, const void *anchor, const void *tag)
{
	if (anchor)
		cs_problem_add(
			ps->problems, line_of(ps), column_of(ps),
			"anchors (&name) are not supported; write the value where it is used");
	if (tag)
		cs_problem_add(ps->problems, line_of(ps), column_of(ps),
			       "tags (!name) are not supported; leave it out");
}

static struct cs_yaml *parse_scalar(struct parse *ps)
{
	struct cs_yaml *y = new_node(ps, CS_YAML_SCALAR);
	const char *value = (const char *)ps->event.data.scalar.value;
	size_t len = ps->event.data.scalar.length;

	if (!y)
		return NULL;
	refuse_extras(ps, ps->event.data.scalar.anchor, ps->event.data.scalar.tag);
	if (memchr(value, '\0', len)) {
		cs_problem_add(ps->problems, y->line, y->column,
			       "NUL characters are not supported");
		y->refused = true;
	}
	y->quoted = ps->event.data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
	y->scalar = strdup(value);
	if (!y->scalar) {
		out_of_memory(ps);
		cs_yaml_free(y);
		return NULL;
	}
	return y;
}

/* Something that a problem was added for, in its place so that the rest can still be read. */
static struct cs_yaml *placeholder(struct parse *ps)
{
	struct cs_yaml *y = new_node(ps, CS_YAML_SCALAR);

	if (!y)
		return NULL;
	y->refused = true;
	y->scalar = strdup("");
	if (!y->scalar) {
		out_of_memory(ps);
		cs_yaml_free(y);
		return NULL;
	}
	return y;
}

static bool is_start(const struct parse *ps)
{
	return ps->event.type == YAML_SEQUENCE_START_EVENT ||
	       ps->event.type == YAML_MAPPING_START_EVENT;
}

static bool is_end(const struct parse *ps)
{
	return ps->event.type == YAML_SEQUENCE_END_EVENT ||
	       ps->event.type == YAML_MAPPING_END_EVENT;
}

/* From the start of a list or map to its end, without going deeper. */
static struct cs_yaml *skip_collection(struct parse *ps)
{
	struct cs_yaml *y = placeholder(ps);
	size_t open = 1;

	cs_problem_add(ps->problems, line_of(ps), column_of(ps), "nested deeper than %d levels",
		       CS_YAML_DEPTH_MAX);
	while (open > 0 && !ps->broken) {
		next(ps);
		open += is_start(ps);
		open -= is_end(ps);
	}
	return y;
}

static struct cs_yaml *parse_node(struct parse *ps, size_t depth);

static struct cs_yaml *parse_list(struct parse *ps, size_t depth)
{
	struct cs_yaml *y = new_node(ps, CS_YAML_LIST);

	if (!y)
		return NULL;
	refuse_extras(ps, ps->event.data.sequence_start.anchor, ps->event.data.sequence_start.tag);
	for (next(ps); !ps->broken && !is_end(ps); next(ps)) {
		struct cs_yaml_pos pos = { line_of(ps), column_of(ps) };
		struct cs_yaml *child;

		if (is_full(ps, y, &pos))
			break;
		child = parse_node(ps, depth + 1);
		if (child)
			add_child(ps, y, NULL, pos, child);
	}
	return y;
}

/* Whether the key may be added to the map; a problem says why not. */
static bool is_new_key(struct parse *ps, const struct cs_yaml *map, const struct cs_yaml *key)
{
	if (key->refused)
		return false;
	if (key->kind != CS_YAML_SCALAR) {
		cs_problem_add(ps->problems, key->line, key->column,
			       "a key must be a name, not a list or map");
		return false;
	}
	for (size_t i = 0; i < map->count; i++) {
		if (strcmp(map->keys[i], key->scalar) != 0)
			continue;
		cs_problem_add(ps->problems, key->line, key->column,
			       "duplicate key \"%s\"; the first one is on line %zu", key->scalar,
			       map->key_pos[i].line);
		return false;
	}
	return true;
}

static struct cs_yaml *parse_map(struct parse *ps, size_t depth)
{
	struct cs_yaml *y = new_node(ps, CS_YAML_MAP);

	if (!y)
		return NULL;
	refuse_extras(ps, ps->event.data.mapping_start.anchor, ps->event.data.mapping_start.tag);
	for (next(ps); !ps->broken && !is_end(ps); next(ps)) {
		struct cs_yaml_pos pos = { line_of(ps), column_of(ps) };
		struct cs_yaml *key = NULL, *child = NULL;

		if (is_full(ps, y, &pos))
			break;
		key = parse_node(ps, depth + 1);
		next(ps);
		child = parse_node(ps, depth + 1);
		if (key && child && is_new_key(ps, y, key)) {
			add_child(ps, y, key->scalar, pos, child);
			key->scalar = NULL; /* transferred */
			child = NULL;
		}
		cs_yaml_free(key);
		cs_yaml_free(child);
	}
	return y;
}

/*
 * The node that begins with the current event; the current event is its last one afterwards. NULL
 * when broken. Recursion is bounded by CS_YAML_DEPTH_MAX.
 */
static struct cs_yaml *parse_node(struct parse *ps, size_t depth)
{
	if (ps->broken)
		return NULL;
	if (is_start(ps) && depth >= CS_YAML_DEPTH_MAX)
		return skip_collection(ps);
	if (ps->event.type == YAML_SEQUENCE_START_EVENT)
		return parse_list(ps, depth);
	if (ps->event.type == YAML_MAPPING_START_EVENT)
		return parse_map(ps, depth);
	if (ps->event.type == YAML_SCALAR_EVENT)
		return parse_scalar(ps);
	/* nothing else can stand here */
	cs_problem_add(ps->problems, line_of(ps), column_of(ps),
		       "aliases (*name) are not supported; write the value where it is used");
	return placeholder(ps);
}

/* The first document and nothing else. */
static struct cs_yaml *parse_stream(struct parse *ps)
{
	struct cs_yaml *y = NULL;

	next(ps); /* stream start */
	next(ps);
	if (ps->event.type == YAML_STREAM_END_EVENT) {
		cs_problem_add(ps->problems, 0, 0, "the file is empty");
		return NULL;
	}
	if (ps->broken)
		return NULL;
	if (ps->event.data.document_start.version_directive ||
	    ps->event.data.document_start.tag_directives.start !=
		    ps->event.data.document_start.tag_directives.end)
		cs_problem_add(ps->problems, line_of(ps), column_of(ps),
			       "directives (%%YAML, %%TAG) are not supported; leave them out");
	next(ps);
	y = parse_node(ps, 0);
	next(ps); /* document end */
	next(ps);
	if (!ps->broken && ps->event.type != YAML_STREAM_END_EVENT)
		cs_problem_add(ps->problems, line_of(ps), column_of(ps),
			       "a second document; the file must hold one");
	return y;
}

/* What libyaml reports without a position, or repairs: size, encoding, control characters. */
static bool is_clean_text(struct cs_bytes text, struct cs_problems *p)
{
	size_t line = 1, column = 1;

	if (text.len > CS_YAML_MAX) {
		cs_problem_add(p, 0, 0, "%zu bytes; the limit is %u", text.len, CS_YAML_MAX);
		return false;
	}
	for (size_t i = 0; i < text.len; i++) {
		uint8_t c = text.data[i];
		bool is_layout = c == '\n' || c == '\r' || c == '\t';

		if ((c < 0x20 && !is_layout) || c == 0x7f) {
			cs_problem_add(p, line, column, "control character 0x%02x", (unsigned)c);
			return false;
		}
		column = c == '\n' ? 1 : column + ((c & 0xc0) != 0x80);
		line += c == '\n';
	}
	if (!cs_text_is_utf8(text.data, text.len)) {
		cs_problem_add(p, 0, 0, "the file is not valid UTF-8");
		return false;
	}
	return true;
}

struct cs_yaml *cs_yaml_parse(struct cs_bytes text, struct cs_problems *p)
{
	struct parse ps = { .problems = p };
	struct cs_yaml *y;

	if (!is_clean_text(text, p))
		return NULL;
	if (!yaml_parser_initialize(&ps.parser)) {
		out_of_memory(&ps);
		return NULL;
	}
	yaml_parser_set_encoding(&ps.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&ps.parser, text.data, text.len);
	y = parse_stream(&ps);
	if (ps.broken) {
		cs_yaml_free(y);
		y = NULL;
	}
	yaml_event_delete(&ps.event);
	yaml_parser_delete(&ps.parser);
	return y;
}

void cs_yaml_free(struct cs_yaml *y)
{
	if (!y)
		return;
	for (size_t i = 0; i < y->count; i++) {
		if (y->keys)
			free(y->keys[i]);
		cs_yaml_free(y->children[i]);
	}
	free(y->children);
	free(y->keys);
	free(y->key_pos);
	free(y->scalar);
	free(y);
}

const struct cs_yaml *cs_yaml_get(const struct cs_yaml *map, const char *key)
{
	for (size_t i = 0; map && map->keys && i < map->count; i++) {
		if (strcmp(map->keys[i], key) == 0)
			return map->children[i];
	}
	return NULL;
}
