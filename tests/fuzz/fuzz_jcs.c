/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Canonical JSON and strict JSON input (base/jcs.h, base/json.h).
 */
#include "base/jcs.h"
#include "base/json.h"

#include "fuzz/fuzz.h"

#define MAX 65536

static void is_same(const struct cs_json *v, const json_t *j);

/* The same elements, or members in the same order. */
static void are_same(const struct cs_json *v, const json_t *j)
{
	const struct cs_json *child = cs_json_first(v);
	json_t *value;
	const char *name;
	size_t i;

	fuzz_holds(cs_json_size(v) == json_array_size(j) + json_object_size(j));
	json_array_foreach (j, i, value) {
		fuzz_holds(!child->name && cs_json_at(v, i) == child);
		is_same(child, value);
		child = child->next;
	}
	json_object_foreach ((json_t *)(uintptr_t)j, name, value) {
		fuzz_holds(strcmp(child->name, name) == 0 && cs_json_get(v, name) == child);
		is_same(child, value);
		child = child->next;
	}
	fuzz_holds(!child);
}

static void is_same(const struct cs_json *v, const json_t *j)
{
	static const enum cs_json_kind kinds[] = {
		[JSON_OBJECT] = CS_JSON_OBJECT, [JSON_ARRAY] = CS_JSON_ARRAY,
		[JSON_STRING] = CS_JSON_STR,    [JSON_INTEGER] = CS_JSON_INT,
		[JSON_REAL] = CS_JSON_REAL,     [JSON_TRUE] = CS_JSON_BOOL,
		[JSON_FALSE] = CS_JSON_BOOL,    [JSON_NULL] = CS_JSON_NULL,
	};

	fuzz_holds(v->kind == kinds[json_typeof(j)]);
	if (json_is_string(j))
		fuzz_holds(v->size == json_string_length(j) &&
			   memcmp(v->string, json_string_value(j), v->size + 1) == 0);
	if (json_is_integer(j))
		fuzz_holds(v->number == json_integer_value(j));
	if (json_is_boolean(j))
		fuzz_holds(v->number == json_is_true(j));
	are_same(v, j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cs_bytes in = { data, size };
	struct cs_err e = { 0 };
	struct cs_json *root = NULL;
	json_t *jansson = NULL;
	struct cs_buf out;
	enum cs_rc rc;

	rc = cs_json_parse(in, MAX, "input", &root, &e);
	if (rc != CS_OK) {
		fuzz_refused(rc, &e);
		return 0; /* canonical JSON is a part of it */
	}
	/* whatever our own reader took */
	jansson = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	fuzz_holds(jansson);
	is_same(root, jansson);
	json_decref(jansson);
	cs_json_free(root);
	rc = cs_jcs_parse(in, MAX, "input", &root, &e);
	if (rc != CS_OK) {
		fuzz_refused(rc, &e);
		return 0;
	}
	cs_buf_init(&out, MAX);
	fuzz_holds(cs_jcs_write(root, &out, &e) == CS_OK);
	fuzz_same(in, &out);
	cs_json_free(root);
	return 0;
}
