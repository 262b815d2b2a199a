/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of policy/: both files with every rule broken, verdicts, and policy in words.
 */
#include "unit/unit_policy.h"

#include <stdlib.h>

#include "unit/policy_files.h"

static void add(Suite *suite, TCase *tc)
{
	tcase_add_unchecked_fixture(tc, policy_files_prepare, policy_files_forget);
	tcase_set_timeout(tc, 60);
	suite_add_tcase(suite, tc);
}

int main(void)
{
	Suite *suite = suite_create("policy");
	SRunner *runner;
	int failed;

	add(suite, tcase_signing());
	add(suite, tcase_access());
	add(suite, tcase_judge());
	add(suite, tcase_explain());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
