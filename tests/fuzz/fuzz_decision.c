/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payloads that people sign: decisions and enrolments (model/decision.h).
 */
#include "model/decision.h"

#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cs_bytes in = { data, size };
	struct cs_enrolment enrolment;
	struct cs_decision decision;
	struct cs_err e = { 0 };
	struct cs_buf out;
	enum cs_rc rc;

	cs_buf_init(&out, CS_DSSE_PAYLOAD_MAX);
	rc = cs_decision_parse(in, &decision, &e);
	if (rc == CS_OK) {
		cs_decision_write(&decision, &out);
		fuzz_same(in, &out);
		return 0;
	}
	fuzz_refused(rc, &e);
	rc = cs_enrolment_parse(in, &enrolment, &e);
	if (rc == CS_OK) {
		cs_enrolment_write(&enrolment, &out);
		fuzz_same(in, &out);
		return 0;
	}
	fuzz_refused(rc, &e);
	return 0;
}
