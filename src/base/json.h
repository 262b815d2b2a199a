/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Strict JSON input: a table of fields maps an object onto a struct; unknown, missing, duplicate
 * and mistyped fields are errors that name the field's path. Output that is not hashed may use
 * jansson directly. jansson facts: duplicates refused, size limited, depth limited to
 * CS_JCS_DEPTH_MAX.
 */
#ifndef CS_BASE_JSON_H
#define CS_BASE_JSON_H

#include <jansson.h>

#include "base/buf.h"

/** Parse any strict JSON object of at most max bytes. Errors name `what`, line and column. */
enum cs_rc cs_json_parse(struct cs_bytes in, size_t max, const char *what, json_t **rootp,
			 struct cs_err *e) CS_MUST_CHECK;

enum cs_json_kind { CS_JSON_STR, CS_JSON_INT, CS_JSON_BOOL, CS_JSON_OBJECT, CS_JSON_ARRAY };

/** What a string may hold. */
enum cs_json_text {
	CS_TEXT_NAME, /* [A-Za-z0-9._+/@:-], see base/text.h */
	CS_TEXT_FREE, /* UTF-8 without control, format and bidi characters */
	CS_TEXT_HEX,
	CS_TEXT_ANY, /* checked by the caller */
};

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

#define CS_JSON_STR_FIELD(n, opt, t, lo, hi, p)                              \
	{                                                                    \
		(n), CS_JSON_STR, (opt), (t), (lo), (hi), (const char **)(p) \
	}
#define CS_JSON_INT_FIELD(n, opt, lo, hi, p)                                     \
	{                                                                        \
		(n), CS_JSON_INT, (opt), CS_TEXT_ANY, (lo), (hi), (int64_t *)(p) \
	}
#define CS_JSON_BOOL_FIELD(n, opt, p)                                    \
	{                                                                \
		(n), CS_JSON_BOOL, (opt), CS_TEXT_ANY, 0, 1, (bool *)(p) \
	}
#define CS_JSON_OBJECT_FIELD(n, opt, p)                                       \
	{                                                                     \
		(n), CS_JSON_OBJECT, (opt), CS_TEXT_ANY, 0, 0, (json_t **)(p) \
	}
#define CS_JSON_ARRAY_FIELD(n, opt, lo, hi, p)                                     \
	{                                                                          \
		(n), CS_JSON_ARRAY, (opt), CS_TEXT_ANY, (lo), (hi), (json_t **)(p) \
	}

/**
 * Read an object by its table.
 *
 * @param path  where the object stands ("artifacts[2]"), for errors; "" at the top
 */
enum cs_rc cs_json_read(const json_t *object, const char *path, const struct cs_json_field *fields,
			size_t count, struct cs_err *e) CS_MUST_CHECK;

#endif
