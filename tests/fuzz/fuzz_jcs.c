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
	json_t *root = NULL, *lenient = NULL;
	struct cs_buf out;
	enum cs_rc rc;

	rc = cs_json_parse(in, MAX, "input", &lenient, &e);
	if (rc != CS_OK)
		fuzz_refused(rc, &e);
	rc = cs_jcs_parse(in, MAX, "input", &root, &e);
	if (rc != CS_OK) {
		fuzz_refused(rc, &e);
		json_decref(lenient);
		return 0;
	}
	/* canonical JSON is a part of JSON, and means the same */
	fuzz_holds(lenient && json_equal(root, lenient));
	cs_buf_init(&out, MAX);
	fuzz_holds(cs_jcs_write(root, &out, &e) == CS_OK);
	fuzz_same(in, &out);
	json_decref(lenient);
	json_decref(root);
	return 0;
}
