/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration files: a strict subset of YAML read through libyaml's events into a tree with
 * positions, and a table-driven schema over that tree. Every problem is collected with line and
 * column; nothing stops at the first. Refused: anchors, aliases, tags, directives, NUL, a second
 * document, duplicate keys, numbers with leading zeros, text over the size and depth limits.
 */
#ifndef CS_BASE_YAML_H
#define CS_BASE_YAML_H

#include "base/buf.h"

#define CS_YAML_MAX (1U << 20)
#define CS_YAML_DEPTH_MAX 12
#define CS_YAML_CHILDREN_MAX 10000 /* of one list or map */
#define CS_YAML_PROBLEMS_MAX 100

/** One problem of a file; the text says what to do. */
struct cs_problem {
	size_t line, column; /* from 1; 0 when the whole file is meant */
	char text[256];
};

/** All problems of a file, in the order found. */
struct cs_problems {
	const char *file;        /* borrowed name, for printing */
	size_t count;            /* may exceed CS_YAML_PROBLEMS_MAX; only that many are kept */
	struct cs_problem *list; /* owned */
};

void cs_problems_init(struct cs_problems *p, const char *file);
void cs_problems_done(struct cs_problems *p);
/** Characters that could deceive a reader are shown as \xNN, whatever the arguments hold. */
void cs_problem_add(struct cs_problems *p, size_t line, size_t column, const char *fmt, ...)
	CS_PRINTF(4, 5);
/** Lines of "file:line:column: text". */
void cs_problems_print(const struct cs_problems *p, struct cs_buf *out);
/** CS_OK when there are none, else CS_E_CONFIG with the first problem and how many follow. */
enum cs_rc cs_problems_check(const struct cs_problems *p, struct cs_err *e) CS_MUST_CHECK;

enum cs_yaml_kind { CS_YAML_SCALAR, CS_YAML_LIST, CS_YAML_MAP };

/** Where something stands in its file, both from 1. */
struct cs_yaml_pos {
	size_t line, column;
};

/** A node; the tree owns everything below it. */
struct cs_yaml {
	enum cs_yaml_kind kind;
	size_t line, column;
	bool quoted;  /* scalars: 'x' or "x" is always a string */
	char *scalar; /* scalars */
	size_t count; /* children of lists and maps */
	char **keys;  /* maps: keys[i] names children[i] */
	struct cs_yaml **children;
	struct cs_yaml_pos *key_pos;
	bool refused; /* a problem was added for it already; cs_yaml_read is silent about it */
};

/** Parse; problems are added to p. NULL when the text is not usable at all. */
struct cs_yaml *cs_yaml_parse(struct cs_bytes text, struct cs_problems *p);
void cs_yaml_free(struct cs_yaml *y);
/** The child of a map by key, or NULL. Borrowed. */
const struct cs_yaml *cs_yaml_get(const struct cs_yaml *map, const char *key);

enum cs_yaml_type {
	CS_Y_NAME,    /* const char *: base/text.h name */
	CS_Y_TEXT,    /* const char *: free text */
	CS_Y_PATH,    /* const char *: absolute, or relative to the file (the caller resolves) */
	CS_Y_HEX,     /* const char *: lower-case hex */
	CS_Y_BASE64,  /* const char * */
	CS_Y_INT,     /* int64_t */
	CS_Y_BOOL,    /* bool: exactly true or false */
	CS_Y_SECONDS, /* int64_t seconds from "90s", "15m", "72h", "30d" */
	CS_Y_BYTES,   /* int64_t from "512", "64KiB", "10MiB", "2GiB" */
	CS_Y_TIME,    /* int64_t µs from "2027-01-01" or RFC 3339 */
	CS_Y_ENUM,    /* int: index into choices */
	CS_Y_LIST,    /* const struct cs_yaml *: a list, given to the caller */
	CS_Y_MAP,     /* const struct cs_yaml *: a map, given to the caller */
};

/**
 * One key of a map. `offset` is into the target struct; strings are borrowed from the tree.
 * min and max are bytes, values, elements or seconds, as the type has it; both 0 for the type's
 * own.
 */
struct cs_yaml_field {
	const char *key;
	enum cs_yaml_type type;
	size_t offset;
	bool required;
	int64_t min, max;
	const char *const *choices; /* NULL-terminated, for CS_Y_ENUM */
	const char *doc;            /* one sentence for --help, --print-config and man pages */
};

/**
 * Read a map into a struct. Unknown keys, missing required keys, wrong types and ranges become
 * problems; fields that are absent or wrong keep what the struct held (its defaults).
 *
 * @param where  names the map in problems: "keys[2]"; "" for the file's own map
 */
void cs_yaml_read(const struct cs_yaml *map, const char *where, const struct cs_yaml_field *fields,
		  size_t count, void *target, struct cs_problems *p);
/**
 * Read one node, such as an element of a list, by the rules of a field; key and required are not
 * looked at.
 *
 * @param where  names the node in problems: "roles[0]"
 * @return       false when a problem was added; then the target is as it was
 */
bool cs_yaml_read_value(const struct cs_yaml *node, const char *where,
			const struct cs_yaml_field *field, void *target, struct cs_problems *p);

#endif
