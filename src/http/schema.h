/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shapes of JSON bodies as tables, for the OpenAPI document. Limits are those of model/limits.h;
 * the parsers enforce them, a unit test compares.
 */
#ifndef CS_HTTP_SCHEMA_H
#define CS_HTTP_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cs_schema_type {
	CS_S_NAME,   /* string of name characters */
	CS_S_TEXT,   /* string without control characters */
	CS_S_HEX,    /* string of lower-case hexadecimal digits */
	CS_S_BASE64, /* string */
	CS_S_UUID,   /* string */
	CS_S_TIME,   /* string, RFC 3339 */
	CS_S_ENUM,   /* string, one of `value` */
	CS_S_INT,
	CS_S_BOOL,
	CS_S_OBJECT, /* `of` */
	CS_S_LIST,   /* of objects `of` */
};

struct cs_schema;

struct cs_schema_field {
	const char *name;
	enum cs_schema_type type;
	bool optional;
	int64_t min, max;            /* bytes, values or elements; both 0 = not stated */
	const char *(*value)(int v); /* CS_S_ENUM: names of min..max */
	const struct cs_schema *of;
	const char *doc;
};

struct cs_schema {
	const char *name;
	bool strict; /* other fields are refused */
	const char *doc;
	size_t count;
	const struct cs_schema_field *fields;
};

/** All of them, for "components"; static storage, ends with NULL. */
extern const struct cs_schema *const cs_schemas[];

extern const struct cs_schema cs_schema_submission, cs_schema_decision_post, cs_schema_request,
	cs_schema_request_list, cs_schema_decision_list, cs_schema_key, cs_schema_key_list,
	cs_schema_head, cs_schema_health, cs_schema_ready, cs_schema_problem;

#endif
