/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resolved policy as canonical JSON (model/policy.h).
 */
#include "model/policy.h"

#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cs_bytes in = { data, size };
	struct cs_policy *policy = NULL;
	struct cs_err e = { 0 };
	enum cs_rc rc;

	rc = cs_policy_parse(in, &policy, &e);
	if (rc == CS_OK)
		fuzz_holds(cs_bytes_equal(in, cs_buf_bytes(&policy->json)));
	else
		fuzz_refused(rc, &e);
	cs_policy_unref(policy);
	return 0;
}
