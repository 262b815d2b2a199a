/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of model/: the program, and the edits that its table-driven tests make.
 */
#include "unit/unit_model.h"

#include <stdlib.h>
#include <string.h>

char *edit_apply(const struct edit *edit, const char *sample)
{
	size_t find = edit->replace ? strlen(edit->find) : 0;
	size_t replace = edit->replace ? strlen(edit->replace) : 0;
	size_t len = strlen(sample);
	char *text = calloc(1, len + replace + 1);
	const char *at = edit->replace ? strstr(sample, edit->find) : sample;

	ck_assert_ptr_nonnull(text);
	ck_assert_msg(at != NULL, "\"%s\" is not in the sample", edit->find);
	memcpy(text, sample, (size_t)(at - sample));
	if (replace > 0)
		memcpy(text + (at - sample), edit->replace, replace);
	memcpy(text + (at - sample) + replace, at + find, len - (size_t)(at - sample) - find);
	return text;
}

void edit_expect(const struct edit *edit, enum cs_rc rc, const struct cs_err *e)
{
	const char *what = edit->replace ? edit->replace : "the sample";

	ck_assert_msg(rc == edit->rc, "%s: %s, not %s: %s", what, cs_rc_name(rc),
		      cs_rc_name(edit->rc), rc ? e->msg : "accepted");
	if (rc)
		ck_assert_msg(strstr(e->msg, edit->message) != NULL,
			      "%s: \"%s\" does not say \"%s\"", what, e->msg, edit->message);
}

struct cs_bytes bytes_of(const char *text)
{
	return (struct cs_bytes){ (const uint8_t *)text, strlen(text) };
}

int main(void)
{
	Suite *suite = suite_create("model");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tcase_names());
	suite_add_tcase(suite, tcase_states());
	suite_add_tcase(suite, tcase_submission());
	suite_add_tcase(suite, tcase_request());
	suite_add_tcase(suite, tcase_decision());
	suite_add_tcase(suite, tcase_quorum_list());
	suite_add_tcase(suite, tcase_policy());
	suite_add_tcase(suite, tcase_access());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
