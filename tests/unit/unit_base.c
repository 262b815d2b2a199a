/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of base/, one test case for each of its headers. The tests are in base_*.c.
 */
#include "unit/base_unit.h"

static const struct {
	const char *name;
	void (*add)(TCase *tc);
} cases[] = {
	{ "err", add_err_tests },         { "buf", add_buf_tests },
	{ "enc", add_enc_tests },         { "text", add_text_tests },
	{ "time", add_time_tests },       { "json", add_json_tests },
	{ "jcs", add_jcs_tests },         { "hash", add_hash_tests },
	{ "der", add_der_tests },         { "pk", add_pk_tests },
	{ "dsse", add_dsse_tests },       { "frame", add_frame_tests },
	{ "unix", add_unix_tests },       { "queue", add_queue_tests },
	{ "file", add_file_tests },       { "secret", add_secret_tests },
	{ "log", add_log_tests },         { "notify", add_notify_tests },
	{ "yaml", add_yaml_tests },       { "schema", add_schema_tests },
	{ "metrics", add_metrics_tests }, { "pk-table", add_pk_table_tests },
	{ "bloom", add_bloom_tests },     { "thread", add_thread_tests },
};

int main(void)
{
	Suite *suite = suite_create("base");
	SRunner *runner;
	int failed;

	for (size_t i = 0; i < COUNT(cases); i++) {
		TCase *tc = tcase_create(cases[i].name);

		cases[i].add(tc);
		suite_add_tcase(suite, tc);
	}
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
