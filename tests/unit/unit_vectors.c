/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The test vectors of docs/PROTOCOL.decision, read by our code. Another implementation wrote them:
 * tests/vectors/make_decision.py.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "format/format.h"
#include "quorum/quorum.h"

static struct cs_policy *policy;
static struct cs_request request;
static struct cs_buf document;

static struct cs_buf load(const char *name)
{
	const char *srcdir = getenv("CS_SRCDIR");
	struct cs_err e = { 0 };
	struct cs_buf data;
	char path[4096];

	ck_assert_msg(srcdir != NULL, "set CS_SRCDIR to the source directory");
	(void)snprintf(path, sizeof(path), "%s/tests/vectors/decision/%s", srcdir, name);
	cs_buf_init(&data, CS_POLICY_JSON_MAX);
	ck_assert_msg(cs_file_read(path, &data, &e) == CS_OK, "%s", e.msg);
	return data;
}

static void setup(void)
{
	struct cs_buf json = load("policy.json");
	struct cs_err e = { 0 };

	ck_assert_msg(cs_policy_parse(cs_buf_bytes(&json), &policy, &e) == CS_OK, "%s", e.msg);
	cs_buf_done(&json);
	document = load("request.json");
	ck_assert_msg(cs_request_parse(cs_buf_bytes(&document), &request, &e) == CS_OK, "%s",
		      e.msg);
}

static void teardown(void)
{
	cs_policy_unref(policy);
	cs_buf_done(&document);
}

/* What was read is written as it was. */
static void expect_same(struct cs_buf *written, const struct cs_buf *read)
{
	ck_assert_int_eq(cs_buf_ok(written, "document", NULL), CS_OK);
	ck_assert_str_eq(cs_buf_str(written), cs_buf_str(read));
	cs_buf_done(written);
}

START_TEST(documents_are_written_as_they_were_read)
{
	static const char *const payloads[] = { "approver1.payload.json",
						"approver2.payload.json" };
	struct cs_buf out;

	cs_buf_init(&out, CS_DOCUMENT_MAX);
	cs_request_write(&request, &out);
	expect_same(&out, &document);
	cs_buf_init(&out, CS_POLICY_JSON_MAX);
	cs_policy_write(policy, &out);
	expect_same(&out, &policy->json);
	for (size_t i = 0; i < 2; i++) {
		struct cs_buf payload = load(payloads[i]);
		struct cs_decision d;
		struct cs_err e = { 0 };

		ck_assert_msg(cs_decision_parse(cs_buf_bytes(&payload), &d, &e) == CS_OK, "%s",
			      e.msg);
		cs_buf_init(&out, CS_DECISION_MAX);
		cs_decision_write(&d, &out);
		expect_same(&out, &payload);
		cs_buf_done(&payload);
	}
}
END_TEST

START_TEST(request_cites_the_policy)
{
	ck_assert(cs_sha256_equal(&request.policy_digest, &policy->digest));
	ck_assert_int_eq(request.policy_version, policy->version);
}
END_TEST

START_TEST(enrolments_prove_possession)
{
	for (size_t i = 0; i < policy->approver_count; i++) {
		const struct cs_approval_key *k = &policy->approvers[i].keys[0];
		struct cs_enrolment en;
		struct cs_dsse d = { 0 };
		struct cs_err e = { 0 };

		ck_assert_msg(cs_dsse_parse(cs_buf_bytes(&k->enrolment), &d, &e) == CS_OK, "%s",
			      e.msg);
		ck_assert_msg(cs_dsse_verify(&d, CS_ENROLMENT_TYPE, k->pk, &e) == CS_OK, "%s",
			      e.msg);
		ck_assert_msg(cs_enrolment_parse(cs_buf_bytes(&d.payload), &en, &e) == CS_OK, "%s",
			      e.msg);
		ck_assert_str_eq(en.person, policy->approvers[i].person);
		ck_assert_str_eq(en.instance, policy->instance);
		ck_assert(cs_sha256_equal(&en.spki, cs_pk_spki_sha256(k->pk)));
		cs_dsse_done(&d);
	}
}
END_TEST

START_TEST(two_approvals_are_the_quorum)
{
	static const char *const envelopes[] = { "approver1.envelope.json",
						 "approver2.envelope.json" };
	struct cs_sha256 hash = cs_sha256(cs_buf_bytes(&document));
	struct cs_quorum_status st;
	struct cs_vote votes[2];
	struct cs_err e = { 0 };

	for (size_t i = 0; i < 2; i++) {
		struct cs_buf envelope = load(envelopes[i]);

		ck_assert_int_eq(cs_quorum_count(policy, &request, votes, i, &st, &e), CS_OK);
		ck_assert(!st.met);
		ck_assert_msg(cs_vote_verify(policy, &request, &hash, cs_buf_bytes(&envelope),
					     &votes[i], &e) == CS_OK,
			      "%s", e.msg);
		ck_assert_int_eq(
			strncmp(votes[i].approver->person, envelopes[i], strlen("approverN")), 0);
		cs_buf_done(&envelope);
	}
	ck_assert_int_eq(cs_quorum_count(policy, &request, votes, 2, &st, &e), CS_OK);
	ck_assert(st.met);
}
END_TEST

START_TEST(document_may_be_signed_in_its_time)
{
	const char *rule = "";
	struct cs_err e;

	ck_assert_int_eq(cs_quorum_check_document(policy, &request, request.created, &rule, &e),
			 CS_OK);
	ck_assert_int_eq(cs_quorum_check_document(policy, &request, request.expires, &rule, &e),
			 CS_E_EXPIRED);
	ck_assert_str_eq(rule, "expired");
}
END_TEST

START_TEST(signature_is_over_the_image)
{
	struct cs_buf image = load("image.bin"), sig = load("signature.der");
	uint8_t digest[CS_HASH_MAX_LEN];
	struct cs_err e = { 0 };

	ck_assert_int_eq(request.artifacts[0].size, (int64_t)image.len);
	cs_hash_bytes(CS_HASH_SHA384, cs_buf_bytes(&image), digest);
	ck_assert_mem_eq(digest, request.artifacts[0].digest.value, cs_hash_len(CS_HASH_SHA384));
	ck_assert_msg(cs_format_verify(&request, 0, policy->keys[0].pk, cs_buf_bytes(&sig), &e) ==
			      CS_OK,
		      "%s", e.msg);
	cs_buf_done(&image);
	cs_buf_done(&sig);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vectors");
	TCase *tc = tcase_create("vectors");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, documents_are_written_as_they_were_read);
	tcase_add_test(tc, request_cites_the_policy);
	tcase_add_test(tc, enrolments_prove_possession);
	tcase_add_test(tc, two_approvals_are_the_quorum);
	tcase_add_test(tc, document_may_be_signed_in_its_time);
	tcase_add_test(tc, signature_is_over_the_image);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
