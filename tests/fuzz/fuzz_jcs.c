/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Canonical JSON and strict JSON input (base/jcs.h, base/json.h).
 */
#include "base/jcs.h"
#include "base/json.h"

#include "fuzz/fuzz.h"

#define MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cs_bytes in = { data, size };
	struct cs_err e = { 0 };
	json_t *root = NULL, *jansson = NULL;
	struct cs_buf out;
	enum cs_rc rc;

	rc = cs_json_parse(in, MAX, "input", &root, &e);
	if (rc != CS_OK) {
		fuzz_refused(rc, &e);
		return 0; /* canonical JSON is a part of it */
	}
	/* whatever our own reader took */
	jansson = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	fuzz_holds(jansson && json_equal(root, jansson));
	json_decref(jansson);
	json_decref(root);
	rc = cs_jcs_parse(in, MAX, "input", &root, &e);
	if (rc != CS_OK) {
		fuzz_refused(rc, &e);
		return 0;
	}
	cs_buf_init(&out, MAX);
	fuzz_holds(cs_jcs_write(root, &out, &e) == CS_OK);
	fuzz_same(in, &out);
	json_decref(root);
	return 0;
}
