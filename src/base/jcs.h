/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Canonical JSON: RFC 8785 restricted to objects, arrays, strings, booleans and integers |n| <
 * 2^53, ASCII keys. What is hashed or signed is written by cs_jw and, on input, re-serialised and
 * compared. No reals, no null.
 */
#ifndef CS_BASE_JCS_H
#define CS_BASE_JCS_H

#include <jansson.h>

#include "base/buf.h"

#define CS_JCS_DEPTH_MAX 16
#define CS_JCS_INT_MAX 9007199254740991LL

/**
 * Streaming writer. The caller writes the keys of an object in ascending order; the writer asserts
 * that, so that every place that builds a document shows its fields in the order of the bytes.
 * Inside arrays, pass key = NULL.
 */
struct cs_jw {
	struct cs_buf *out;
	int depth;
	bool comma[CS_JCS_DEPTH_MAX];
	char last[CS_JCS_DEPTH_MAX][48]; /* last key of each open object */
};

void cs_jw_init(struct cs_jw *w, struct cs_buf *out);
void cs_jw_object(struct cs_jw *w, const char *key);
void cs_jw_array(struct cs_jw *w, const char *key);
void cs_jw_end_object(struct cs_jw *w);
void cs_jw_end_array(struct cs_jw *w);
void cs_jw_str(struct cs_jw *w, const char *key,
	       const char *value); /* valid UTF-8, escaped as RFC 8785 §3.2.2.2 */
void cs_jw_int(struct cs_jw *w, const char *key, int64_t value);
void cs_jw_bool(struct cs_jw *w, const char *key, bool value);
void cs_jw_hex(struct cs_jw *w, const char *key, const uint8_t *data, size_t len);
void cs_jw_base64(struct cs_jw *w, const char *key, struct cs_bytes data);
/** A document that is canonical JSON already, embedded as a value. */
void cs_jw_raw(struct cs_jw *w, const char *key, struct cs_bytes canonical);

/** Serialise a parsed value canonically. CS_E_INVALID for reals, null, big integers and non-ASCII
 * keys. */
enum cs_rc cs_jcs_write(const json_t *value, struct cs_buf *out, struct cs_err *e) CS_MUST_CHECK;

/**
 * Parse bytes that must be canonical: parsed strictly, written again, compared byte for byte.
 *
 * @param what   names the document in errors ("request document")
 * @param rootp  set on success only; the caller owns a reference
 */
enum cs_rc cs_jcs_parse(struct cs_bytes in, size_t max, const char *what, json_t **rootp,
			struct cs_err *e) CS_MUST_CHECK;

#endif
