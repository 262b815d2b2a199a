/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict JSON input: a document is parsed into a tree, and a table of fields maps an object of it
 * onto a struct; unknown, missing, duplicate and mistyped fields are errors that name the field's
 * path. Output that is not hashed may use jansson directly.
 */
#ifndef CS_BASE_JSON_H
#define CS_BASE_JSON_H

#include <jansson.h>

#include "base/buf.h"

enum cs_json_kind {
	CS_JSON_STR,
	CS_JSON_INT,
	CS_JSON_BOOL,
	CS_JSON_OBJECT,
	CS_JSON_ARRAY,
	CS_JSON_REAL, /* this and null are no field's kind */
	CS_JSON_NULL,
};

/** A value of a tree, for reading. All of a tree is one piece of memory, which its root begins. */
struct cs_json {
	enum cs_json_kind kind;
	const char *name;     /* in an object; else NULL */
	struct cs_json *next; /* in an object or array; NULL at its end */
	size_t size;          /* bytes of a string; members or elements */
	union {
		const char *string; /* NUL-terminated, without a NUL inside */
		int64_t number;     /* 0 or 1 for a boolean */
		struct cs_json *first;
	};
};

/**
 * Parse a JSON object (RFC 8259), strictly: no duplicate keys, no NUL, nothing after it, at most
 * CS_JCS_DEPTH_MAX levels.
 *
 * @param max    most bytes; more is CS_E_TOO_LARGE
 * @param what   names the document in errors, beside line and column
 * @param rootp  set on success only; the caller frees it
 */
enum cs_rc cs_json_parse(struct cs_bytes in, size_t max, const char *what, struct cs_json **rootp,
			 struct cs_err *e) CS_MUST_CHECK;
void cs_json_free(struct cs_json *root);
/** The same, as jansson's: for what is shown and not judged. The caller owns a reference. */
enum cs_rc cs_json_load(struct cs_bytes in, size_t max, const char *what, json_t **rootp,
			struct cs_err *e) CS_MUST_CHECK;

/** The first of an object's members or an array's elements; NULL without one, and for others. */
static inline const struct cs_json *cs_json_first(const struct cs_json *v)
{
	return v && (v->kind == CS_JSON_OBJECT || v->kind == CS_JSON_ARRAY) ? v->first : NULL;
}

/** How many there are; 0 for others. */
static inline size_t cs_json_size(const struct cs_json *v)
{
	return v && (v->kind == CS_JSON_OBJECT || v->kind == CS_JSON_ARRAY) ? v->size : 0;
}

/** The text of a string; NULL for others. Borrowed from the tree. */
static inline const char *cs_json_string(const struct cs_json *v)
{
	return v && v->kind == CS_JSON_STR ? v->string : NULL;
}

/** A member by its name, an element by its index; NULL when there is none. Both walk. */
const struct cs_json *cs_json_get(const struct cs_json *object, const char *name);
const struct cs_json *cs_json_at(const struct cs_json *array, size_t index);

/** What a string may hold. */
enum cs_json_text {
	CS_TEXT_NAME, /* [A-Za-z0-9._+/@:-], see base/text.h */
	CS_TEXT_FREE, /* UTF-8 without control, format and bidi characters */
	CS_TEXT_HEX,  /* lower case, whole bytes */
	CS_TEXT_ANY,  /* checked by the caller */
};

/** Address of an output, refused by the compiler when it is not of this type. */
#define CS_JSON_OUT(type, p) (1 ? (p) : (type *)NULL)

/**
 * One field. The value is stored through `out`, whose type follows `kind`:
 * const char **, int64_t *, bool *, const struct cs_json **; text and values are borrowed.
 * min and max are bytes for strings, values for integers, elements for arrays.
 */
struct cs_json_field {
	const char *name;
	enum cs_json_kind kind;
	bool optional; /* absent leaves *out untouched */
	enum cs_json_text text;
	int64_t min, max;
	void *out;
};

/* clang-format off */
#define CS_JSON_STR_FIELD(name, optional, text, min, max, p) \
	{ (name), CS_JSON_STR, (optional), (text), (min), (max), CS_JSON_OUT(const char *, p) }
#define CS_JSON_INT_FIELD(name, optional, min, max, p) \
	{ (name), CS_JSON_INT, (optional), CS_TEXT_ANY, (min), (max), CS_JSON_OUT(int64_t, p) }
#define CS_JSON_BOOL_FIELD(name, optional, p) \
	{ (name), CS_JSON_BOOL, (optional), CS_TEXT_ANY, 0, 1, CS_JSON_OUT(bool, p) }
#define CS_JSON_OBJECT_FIELD(name, optional, p) \
	{ (name), CS_JSON_OBJECT, (optional), CS_TEXT_ANY, 0, 0, CS_JSON_OUT(const struct cs_json *, p) }
#define CS_JSON_ARRAY_FIELD(name, optional, min, max, p) \
	{ (name), CS_JSON_ARRAY, (optional), CS_TEXT_ANY, (min), (max), CS_JSON_OUT(const struct cs_json *, p) }
/* clang-format on */

#define CS_JSON_FIELDS_MAX 32

/**
 * Read an object by its table, of at most CS_JSON_FIELDS_MAX fields; fastest with the fields in
 * ascending order. Nothing is stored unless the whole object is right.
 *
 * @param path  where the object stands ("artifacts[2]"), for errors; "" at the top
 */
enum cs_rc cs_json_read(const struct cs_json *object, const char *path,
			const struct cs_json_field *fields, size_t count,
			struct cs_err *e) CS_MUST_CHECK;

#endif
