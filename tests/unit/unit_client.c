/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of client/ without a server: what is sent, what is understood of an answer, and profiles
 * that are refused before anything is sent. Certificates of every flaw are tests/flow's.
 */
#include <check.h>
#include <countersign/countersign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/answer.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define ID "019aa5e7-3c1f-7a3e-9d55-3d8ab0f6c0f1"

static const uint8_t digest[32] = { 0xab, [31] = 0xcd };

/* --- submissions */

START_TEST(a_submission_is_written)
{
	const struct countersign_artifact artifact = { .name = "app",
						       .algorithm = "sha256",
						       .digest = digest,
						       .digest_len = 32,
						       .size = 7,
						       .key = "k",
						       .format = "ecdsa" };
	const struct countersign_submission s = { .count = 1,
						  .artifacts = &artifact,
						  .product = "p",
						  .security_version = 0,
						  .comment = "c" };
	struct cs_err e = { 0 };
	struct cs_buf out;

	cs_buf_init(&out, 4096);
	ck_assert_msg(cs_answer_submission(&s, &out, &e) == CS_OK, "%s", e.msg);
	ck_assert_str_eq(
		cs_buf_str(&out),
		"{\"artifacts\":[{\"digest\":{\"algorithm\":\"sha256\",\"value\":"
		"\"ab000000000000000000000000000000000000000000000000000000000000cd\"},"
		"\"format\":\"ecdsa\",\"key\":\"k\",\"name\":\"app\",\"size\":7}],"
		"\"comment\":\"c\",\"release\":{\"product\":\"p\",\"security_version\":0}}");
	cs_buf_done(&out);
}
END_TEST

START_TEST(a_bad_submission_is_not_sent)
{
	struct countersign_artifact a = { .name = "app",
					  .algorithm = "sha256",
					  .digest = digest,
					  .digest_len = 32,
					  .size = 7,
					  .key = "k" };
	struct countersign_submission s = { .artifacts = &a, .security_version = -1 };
	struct cs_err e = { 0 };
	struct cs_buf out;

	cs_buf_init(&out, 4096);
	ck_assert_int_eq(cs_answer_submission(&s, &out, &e), CS_E_INVALID); /* none */
	s.count = COUNTERSIGN_ARTIFACTS_MAX + 1;
	ck_assert_int_eq(cs_answer_submission(&s, &out, &e), CS_E_INVALID);
	ck_assert_ptr_nonnull(strstr(e.msg, "artifacts: 17, must be 1 to 16"));
	s.count = 1;
	a.digest_len = COUNTERSIGN_DIGEST_MAX + 1;
	ck_assert_int_eq(cs_answer_submission(&s, &out, &e), CS_E_INVALID);
	a.digest_len = 32;
	s.comment = "\xff";
	ck_assert_int_eq(cs_answer_submission(&s, &out, &e), CS_E_INVALID);
	ck_assert_ptr_nonnull(strstr(e.msg, "UTF-8"));
	s.comment = NULL;
	ck_assert_int_eq(cs_answer_submission(&s, &out, &e), CS_OK);
	cs_buf_done(&out);
}
END_TEST

/* --- views */

#define VIEW                                                                                \
	"{\"id\":\"" ID "\",\"state\":\"pending\",\"environment\":\"prod\",\"revision\":9," \
	"\"missing\":1,\"news\":[null,1.5],"                                                \
	"\"artifacts\":[{\"name\":\"a\",\"key\":\"k\",\"state\":\"waiting\"}],"             \
	"\"quorum\":[{\"group\":\"g\",\"need\":2,\"have\":1}],"                             \
	"\"votes\":[{\"person\":\"p\",\"group\":\"g\",\"decision\":\"approve\",\"n\":1},"   \
	"{\"person\":\"p\",\"group\":\"g\",\"decision\":\"withdraw\",\"n\":2}]}"

START_TEST(a_view_is_read_and_news_pass)
{
	struct countersign_request r = { 0 };
	struct cs_err e = { 0 };

	ck_assert_msg(cs_answer_request(cs_bytes_of(VIEW), &r, &e) == CS_OK, "%s", e.msg);
	ck_assert_str_eq(r.id, ID);
	ck_assert(!r.is_final && !r.is_signed);
	ck_assert_int_eq(r.revision, 9);
	ck_assert_int_eq(r.missing, 1);
	ck_assert_str_eq(r.artifacts[0].key, "k");
	ck_assert_int_eq(r.quorum[0].need, 2);
	ck_assert_uint_eq(r.vote_count, 1); /* a person's latest word */
	ck_assert_str_eq(r.votes[0].decision, "withdraw");
	ck_assert_str_eq(r.json, VIEW);
	countersign_request_done(&r);
}
END_TEST

static const char *const final_states[] = { "denied",  "signed",    "rejected",
					    "expired", "cancelled", "failed" };

START_TEST(final_states_are_final)
{
	struct countersign_request r = { 0 };
	struct cs_err e = { 0 };
	char text[128];

	snprintf(text, sizeof(text), "{\"id\":\"" ID "\",\"state\":\"%s\"}", final_states[_i]);
	ck_assert_int_eq(cs_answer_request(cs_bytes_of(text), &r, &e), CS_OK);
	ck_assert(r.is_final);
	ck_assert_int_eq(r.is_signed, strcmp(final_states[_i], "signed") == 0);
	countersign_request_done(&r);
}
END_TEST

static const char *const bad_views[] = {
	"",
	"[]",
	"{}",
	"{\"id\":\"" ID "\"}",
	"{\"id\":1,\"state\":\"pending\"}",
	"{\"id\":\"" ID "0\",\"state\":\"pending\"}",
	"{\"id\":\"" ID "\",\"state\":\"pending\",\"state\":\"signed\"}",
	"{\"id\":\"" ID "\",\"state\":\"a state of more than 15\"}",
	"{\"id\":\"" ID "\",\"state\":\"pending\",\"reason\":\"a\\u0000b\"}",
	"{\"id\":\"" ID
	"\",\"state\":\"pending\",\"artifacts\":[{},{},{},{},{},{},{},{},{},{},{},{},"
	"{},{},{},{},{}]}",
};

START_TEST(what_is_no_view_is_refused)
{
	struct countersign_request r = { 0 };
	struct cs_err e = { 0 };

	ck_assert_int_eq(cs_answer_request(cs_bytes_of(bad_views[_i]), &r, &e), CS_E_VERSION);
	ck_assert_ptr_null(r.json);
}
END_TEST

/* --- problems */

static const struct {
	long status;
	const char *body;
	enum countersign_code code;
	const char *says, *rule;
} problems[] = {
	{ 403,
	  "{\"type\":\"urn:countersign:problem:denied\",\"detail\":\"no\",\"rule\":\"quorum\"}",
	  COUNTERSIGN_REFUSED, "no; rule quorum (status 403)", "quorum" },
	{ 404, "{\"title\":\"There is no such thing\"}", COUNTERSIGN_NOT_FOUND,
	  "There is no such thing", "" },
	{ 409, "{\"type\":\"urn:countersign:problem:pending\",\"detail\":\"wait\"}",
	  COUNTERSIGN_PENDING, "wait", "" },
	{ 409, "{\"type\":\"urn:countersign:problem:conflict\",\"detail\":\"late\"}",
	  COUNTERSIGN_CONFLICT, "late", "" },
	{ 422, "{\"type\":\"urn:countersign:problem:bad-signature\",\"detail\":\"forged\"}",
	  COUNTERSIGN_REFUSED, "forged", "" },
	{ 422, "{}", COUNTERSIGN_CONFLICT, "idempotency key", "" },
	{ 429, "", COUNTERSIGN_UNAVAILABLE, "too many requests, without an explanation", "" },
	{ 503, "<html>", COUNTERSIGN_UNAVAILABLE, "the server has a problem", "" },
	{ 400, "{\"detail\":\"\\u001b[2J\"}", COUNTERSIGN_INVALID, "?[2J", "" },
	{ 400, "{\"detail\":7,\"rule\":[]}", COUNTERSIGN_INVALID, "does not accept", "" },
	{ 302, "", COUNTERSIGN_PROTOCOL, "an answer that no route gives", "" },
};

START_TEST(a_problem_is_understood)
{
	struct countersign_error e;

	cs_answer_problem(problems[_i].status, cs_bytes_of(problems[_i].body), &e);
	ck_assert_int_eq(e.code, problems[_i].code);
	ck_assert_int_eq(e.http_status, problems[_i].status);
	ck_assert_str_eq(e.rule, problems[_i].rule);
	ck_assert_msg(strstr(e.message, problems[_i].says), "\"%s\" not in \"%s\"",
		      problems[_i].says, e.message);
}
END_TEST

/* --- profiles */

START_TEST(an_incomplete_profile_is_refused)
{
	struct countersign_profile p = { .url = "https://localhost", .ca = "ca", .key = "key" };
	struct countersign *c = NULL;
	struct countersign_error e;

	ck_assert_int_eq(countersign_open(&p, &c, &e), COUNTERSIGN_PROFILE);
	ck_assert_ptr_nonnull(strstr(e.message, "certificate"));
	p.certificate = "/nonexistent/cert.pem";
	ck_assert_int_eq(countersign_open(&p, &c, &e), COUNTERSIGN_PROFILE);
	ck_assert_ptr_nonnull(strstr(e.message, "/nonexistent/cert.pem"));
	ck_assert_ptr_null(c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client");
	TCase *tc = tcase_create("client");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, a_submission_is_written);
	tcase_add_test(tc, a_bad_submission_is_not_sent);
	tcase_add_test(tc, a_view_is_read_and_news_pass);
	tcase_add_loop_test(tc, final_states_are_final, 0, COUNT(final_states));
	tcase_add_loop_test(tc, what_is_no_view_is_refused, 0, COUNT(bad_views));
	tcase_add_loop_test(tc, a_problem_is_understood, 0, COUNT(problems));
	tcase_add_test(tc, an_incomplete_profile_is_refused);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
