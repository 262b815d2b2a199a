/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of signer/: messages as bytes, and the daemon's pool of connections.
 */
#include "unit/unit_signer.h"

#include <stdlib.h>

const struct cs_signer_hello sample_hello = {
	.protocol = CS_SIGNER_PROTOCOL,
	.instance = "factory",
	.token = "prod",
	.environment = CS_ENV_PROD,
	.serial = "0f 12",
	.software_token = true,
	.policy_version = 7,
	.policy_digest = { { 1, 2, 3 } },
};

struct cs_signer_result sample_result(uint32_t index)
{
	static const uint8_t raw[] = { 9, 8, 7 };

	return (struct cs_signer_result){ .index = index,
					  .outcome = CS_SIGN_OK,
					  .raw = { raw, sizeof(raw) } };
}

int main(void)
{
	Suite *suite = suite_create("signer");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tcase_protocol());
	suite_add_tcase(suite, tcase_client());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
