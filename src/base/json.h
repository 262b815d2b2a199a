/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict JSON input: a table of fields maps an object onto a struct; unknown, missing, duplicate
 * and mistyped fields are errors that name the field's path. Output that is not hashed may use
 * jansson directly.
 */
#ifndef CS_BASE_JSON_H
#define CS_BASE_JSON_H

#include <jansson.h>

#include "base/buf.h"

/**
 * Parse a JSON object (RFC 8259), strictly: no duplicate keys, no NUL, nothing after it, at most
 * CS_JCS_DEPTH_MAX levels.
 *
 * @param max    most bytes; more is CS_E_TOO_LARGE
 * @param what   names the document in errors, beside line and column
 * @param rootp  set on success only; the caller owns a reference
 */
enum cs_rc cs_json_parse(struct cs_bytes in, size_t max, const char *what, json_t **rootp,
			 struct cs_err *e) CS_MUST_CHECK;

/**
 * Read a JSON object that is plain: canonical, in ASCII without escapes, its integers of at most 15
 * digits. NULL when it is not, or without memory, and no verdict then: the caller asks
 * cs_json_parse. The caller owns a reference.
 */
json_t *cs_json_plain(struct cs_bytes in);

enum cs_json_kind { CS_JSON_STR, CS_JSON_INT, CS_JSON_BOOL, CS_JSON_OBJECT, CS_JSON_ARRAY };

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
 * const char ** (borrowed from the json_t), int64_t *, bool *, json_t ** (borrowed).
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
	{ (name), CS_JSON_OBJECT, (optional), CS_TEXT_ANY, 0, 0, CS_JSON_OUT(json_t *, p) }
#define CS_JSON_ARRAY_FIELD(name, optional, min, max, p) \
	{ (name), CS_JSON_ARRAY, (optional), CS_TEXT_ANY, (min), (max), CS_JSON_OUT(json_t *, p) }
/* clang-format on */

#define CS_JSON_FIELDS_MAX 32

/**
 * Read an object by its table, of at most CS_JSON_FIELDS_MAX fields; fastest with the fields in
 * ascending order. Nothing is stored unless the whole object is right.
 *
 * @param path  where the object stands ("artifacts[2]"), for errors; "" at the top
 */
enum cs_rc cs_json_read(const json_t *object, const char *path, const struct cs_json_field *fields,
			size_t count, struct cs_err *e) CS_MUST_CHECK;

/** For jansson's iterators, which want json_t * although they only read. */
static inline json_t *cs_json_mutable(const json_t *value)
{
	return (json_t *)(uintptr_t)value;
}

#endif
