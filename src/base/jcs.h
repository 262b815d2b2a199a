/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Canonical JSON: RFC 8785 restricted to objects with ASCII keys, arrays, strings, booleans and
 * integers |n| < 2^53. What is hashed or signed is written by cs_jw; on input it is taken in
 * exactly that form. No reals, no null.
 */
#ifndef CS_BASE_JCS_H
#define CS_BASE_JCS_H

#include "base/buf.h"

struct cs_json; /* base/json.h */

#define CS_JCS_DEPTH_MAX 16
#define CS_JCS_INT_MAX 9007199254740991LL

/** Longest key, so that a level fits a struct without allocations. */
#define CS_JCS_KEY_MAX 47

/** An open object or array. */
struct cs_jw_level {
	bool is_object;
	bool has_members;
	char last[CS_JCS_KEY_MAX + 1]; /* objects: the last key */
};

/**
 * Streaming writer. The caller writes the keys of an object in ascending order; the writer asserts
 * that, so that every place that builds a document shows its fields in the order of the bytes.
 * Inside arrays and at the top, pass key = NULL. A value that cannot be canonical (text that is
 * not UTF-8, an integer over CS_JCS_INT_MAX) makes the buffer fail with CS_E_INVALID.
 */
struct cs_jw {
	struct cs_buf *out;
	size_t depth;
	struct cs_jw_level levels[CS_JCS_DEPTH_MAX];
};

void cs_jw_init(struct cs_jw *w, struct cs_buf *out);
/** Objects and arrays nest at most CS_JCS_DEPTH_MAX deep (asserted). */
void cs_jw_object(struct cs_jw *w, const char *key);
void cs_jw_array(struct cs_jw *w, const char *key);
void cs_jw_end_object(struct cs_jw *w);
void cs_jw_end_array(struct cs_jw *w);
void cs_jw_str(struct cs_jw *w, const char *key, const char *value);
void cs_jw_int(struct cs_jw *w, const char *key, int64_t value);
void cs_jw_bool(struct cs_jw *w, const char *key, bool value);
void cs_jw_hex(struct cs_jw *w, const char *key, const uint8_t *data, size_t len);
void cs_jw_base64(struct cs_jw *w, const char *key, struct cs_bytes data);
/** A document that is canonical JSON already, embedded as a value. */
void cs_jw_raw(struct cs_jw *w, const char *key, struct cs_bytes canonical);

/** Append s in quotes, escaped as RFC 8785 §3.2.2.2. CS_E_INVALID in out when it is not UTF-8. */
void cs_jcs_add_string(struct cs_buf *out, const char *s);

/**
 * Append a parsed value in its canonical form; after an error `out` holds a part of it.
 * CS_E_INVALID for reals, null, integers over CS_JCS_INT_MAX, keys that are not printable ASCII or
 * longer than CS_JCS_KEY_MAX, and nesting deeper than CS_JCS_DEPTH_MAX.
 */
enum cs_rc cs_jcs_write(const struct cs_json *value, struct cs_buf *out,
			struct cs_err *e) CS_MUST_CHECK;

/**
 * Parse bytes that must be canonical. What is plain, a reader of that form takes in one pass; other
 * bytes are parsed strictly, written again and compared byte for byte.
 *
 * @param what   names the document in errors ("request document")
 * @param rootp  set on success only; the caller ends it with cs_json_free
 */
enum cs_rc cs_jcs_parse(struct cs_bytes in, size_t max, const char *what, struct cs_json **rootp,
			struct cs_err *e) CS_MUST_CHECK;

#endif
