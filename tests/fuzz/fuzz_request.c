/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request documents and submissions (model/request.h).
 */
#include "model/request.h"

#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct cs_submission submission;
	static struct cs_request request;
	const struct cs_bytes in = { data, size };
	struct cs_sha256 hash;
	struct cs_err e = { 0 };
	struct cs_buf out;
	enum cs_rc rc;

	rc = cs_request_parse(in, &request, &e);
	if (rc == CS_OK) {
		cs_buf_init(&out, CS_DOCUMENT_MAX);
		cs_request_write(&request, &out);
		fuzz_same(in, &out);
	} else {
		fuzz_refused(rc, &e);
	}
	rc = cs_submission_parse(in, &submission, &e);
	if (rc == CS_OK) {
		fuzz_holds(cs_submission_fingerprint(&submission, &hash, &e) == CS_OK);
		fuzz_holds(cs_submission_equality(&submission, &hash, &e) == CS_OK);
	} else {
		fuzz_refused(rc, &e);
	}
	return 0;
}
