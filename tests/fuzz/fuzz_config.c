/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signing.yaml and access.yaml (policy/load.h).
 */
#include "policy/load.h"

#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cs_bytes in = { data, size };
	struct cs_policy *policy, *again = NULL;
	struct cs_access *access;
	struct cs_problems problems;
	struct cs_err e = { 0 };

	cs_problems_init(&problems, "signing.yaml");
	policy = cs_policy_load(in, &problems);
	fuzz_holds((policy != NULL) == (problems.count == 0));
	if (policy) {
		fuzz_holds(cs_policy_parse(cs_buf_bytes(&policy->json), &again, &e) == CS_OK);
		cs_policy_unref(again);
	}
	cs_policy_unref(policy);
	cs_problems_done(&problems);

	cs_problems_init(&problems, "access.yaml");
	access = cs_access_load(in, NULL, &problems);
	fuzz_holds((access != NULL) == (problems.count == 0));
	cs_access_unref(access);
	cs_problems_done(&problems);
	return 0;
}
