/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DSSE envelopes (base/dsse.h).
 */
#include "base/dsse.h"

#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cs_bytes in = { data, size };
	struct cs_dsse d = { 0 };
	struct cs_err e = { 0 };
	struct cs_buf out;
	enum cs_rc rc;

	rc = cs_dsse_parse(in, &d, &e);
	if (rc != CS_OK) {
		fuzz_refused(rc, &e);
		return 0;
	}
	cs_buf_init(&out, CS_DSSE_MAX);
	cs_dsse_write(d.payload_type, cs_buf_bytes(&d.payload), &d.keyid, cs_buf_bytes(&d.sig),
		      &out);
	fuzz_same(in, &out);
	cs_dsse_done(&d);
	return 0;
}
