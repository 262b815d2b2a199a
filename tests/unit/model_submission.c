/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Submissions: what is refused and why, and which bodies count as the same.
 */
#include <stdlib.h>
#include <string.h>

#include "model/request.h"
#include "unit/unit_model.h"

#define HEX64 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static const char sample[] =
	"{\"artifacts\":[{\"name\":\"app\",\"digest\":{\"algorithm\":\"sha256\",\"value\":\"" HEX64
	"\"},\"size\":4096,"
	"\"key\":\"fw-dev\",\"format\":\"ecdsa\"},{\"name\":\"radio\",\"digest\":{\"algorithm\":\"sha512\",\"value\":\"" HEX64
		HEX64
	"\"},\"size\":1,\"key\":\"fw-rsa\"}],\"release\":{\"product\":\"Tür-Schloß\",\"component\":\"lock\","
	"\"version\":\"1.2 rc1\",\"security_version\":0},\"build\":{\"repository\":\"https://git.example/fw\","
	"\"commit\":\"8f3c2a\",\"pipeline\":\"ci #12\"},\"comment\":\"first build\"}";

static const struct edit edits[] = {
	{ NULL, NULL, CS_OK, NULL },
	/* what must be there */
	{ "\"artifacts\"", "\"artifact\"", CS_E_INVALID, "artifact" },
	{ "\"name\":\"app\",", "", CS_E_INVALID, "artifacts[0].name" },
	{ "\"size\":4096,", "", CS_E_INVALID, "artifacts[0].size" },
	{ "\"key\":\"fw-dev\",", "", CS_E_INVALID, "artifacts[0].key" },
	{ "\"algorithm\":\"sha256\",", "", CS_E_INVALID, "artifacts[0].digest.algorithm" },
	/* what must not */
	{ "\"comment\"", "\"remark\"", CS_E_INVALID, "remark" },
	{ "\"format\":\"ecdsa\"", "\"urgent\":true", CS_E_INVALID, "artifacts[0]" },
	{ "\"commit\"", "\"revision\"", CS_E_INVALID, "build" },
	{ "\"component\"", "\"part\"", CS_E_INVALID, "release" },
	{ "\"comment\":\"first build\"", "\"comment\":\"a\",\"comment\":\"b\"", CS_E_INVALID,
	  "duplicate" },
	{ "\"release\":{\"product\":\"Tür-Schloß\",\"component\":\"lock\",\"version\":\"1.2 rc1\","
	  "\"security_version\":0}",
	  "\"release\":{}", CS_E_INVALID, "release: is empty" },
	/* types and ranges */
	{ "\"size\":4096", "\"size\":\"4096\"", CS_E_INVALID, "artifacts[0].size" },
	{ "\"size\":4096", "\"size\":4096.5", CS_E_INVALID, "artifacts[0].size" },
	{ "\"size\":4096", "\"size\":0", CS_E_INVALID, "artifacts[0].size" },
	{ "\"size\":4096", "\"size\":-1", CS_E_INVALID, "artifacts[0].size" },
	{ "\"size\":4096", "\"size\":1099511627776", CS_OK, NULL },
	{ "\"size\":4096", "\"size\":1099511627777", CS_E_INVALID, "artifacts[0].size" },
	{ "\"security_version\":0", "\"security_version\":-1", CS_E_INVALID,
	  "release.security_version" },
	{ "\"security_version\":0", "\"security_version\":9007199254740991", CS_OK, NULL },
	{ "\"security_version\":0", "\"security_version\":9007199254740992", CS_E_INVALID,
	  "release.security_version" },
	{ "\"comment\":\"first build\"", "\"comment\":\"\"", CS_E_INVALID, "comment" },
	{ "\"comment\":\"first build\"", "\"comment\":null", CS_E_INVALID, "comment" },
	/* names and texts */
	{ "\"name\":\"app\"", "\"name\":\"my app\"", CS_E_INVALID, "artifacts[0].name" },
	{ "\"name\":\"app\"", "\"name\":\"\"", CS_E_INVALID, "artifacts[0].name" },
	{ "\"name\":\"app\"", "\"name\":\"" HEX64 "\"", CS_OK, NULL },
	{ "\"name\":\"app\"", "\"name\":\"" HEX64 "x\"", CS_E_INVALID, "artifacts[0].name" },
	{ "\"name\":\"radio\"", "\"name\":\"app\"", CS_E_INVALID,
	  "is the name of artifacts[0] already" },
	{ "\"key\":\"fw-dev\"", "\"key\":\"../fw\\u0000\"", CS_E_INVALID, "" },
	{ "\"comment\":\"first build\"", "\"comment\":\"\\u001b[31mred\"", CS_E_INVALID,
	  "comment" },
	{ "\"comment\":\"first build\"", "\"comment\":\"\\u202eevil\"", CS_E_INVALID, "comment" },
	{ "\"version\":\"1.2 rc1\"", "\"version\":\"1.2\\nrc1\"", CS_E_INVALID, "release.version" },
	{ "\"pipeline\":\"ci #12\"", "\"pipeline\":\"\\u200bci\"", CS_E_INVALID, "build.pipeline" },
	{ "Tür", "T\xfcr", CS_E_INVALID, "unable to decode byte" },
	/* digests */
	{ "\"algorithm\":\"sha256\"", "\"algorithm\":\"sha1\"", CS_E_INVALID,
	  "sha256, sha384, sha512" },
	{ "\"algorithm\":\"sha256\"", "\"algorithm\":\"none\"", CS_E_INVALID,
	  "artifacts[0].digest.algorithm" },
	{ "\"algorithm\":\"sha256\"", "\"algorithm\":\"sha384\"", CS_E_INVALID, "96 lower-case" },
	{ "\"algorithm\":\"sha256\"", "\"algorithm\":\"SHA256\"", CS_E_INVALID,
	  "artifacts[0].digest.algorithm" },
	{ "\"algorithm\":\"sha512\"", "\"algorithm\":\"sha256\"", CS_E_INVALID,
	  "artifacts[1].digest" },
	{ "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"",
	  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4\"", CS_E_INVALID, "artifacts[0].digest.value" },
	{ "e3b0c442", "E3b0c442", CS_E_INVALID, "artifacts[0].digest.value" },
	{ "e3b0c442", "g3b0c442", CS_E_INVALID, "artifacts[0].digest.value" },
	{ "\"digest\":{", "\"digest\":{\"x\":1,", CS_E_INVALID, "artifacts[0].digest" },
	/* formats */
	{ "\"format\":\"ecdsa\"", "\"format\":\"none\"", CS_E_INVALID, "artifacts[0].format" },
	{ "\"format\":\"ecdsa\"", "\"format\":\"cms\"", CS_E_INVALID,
	  "rsa-pkcs1, rsa-pss, ecdsa, ed25519-digest" },
	{ "\"format\":\"ecdsa\"", "\"format\":7", CS_E_INVALID, "artifacts[0].format" },
	/* not even JSON of this shape */
	{ "{\"artifacts\"", "[\"artifacts\"", CS_E_INVALID, "request body" },
	{ "\"comment\":\"first build\"}", "\"comment\":\"first build\"", CS_E_INVALID,
	  "request body" },
	{ "\"comment\":\"first build\"}", "\"comment\":\"first build\"} x", CS_E_INVALID,
	  "request body" },
};

START_TEST(submission_says_what_is_wrong)
{
	char *text = edit_apply(&edits[_i], sample);
	static struct cs_submission s;
	struct cs_err e = { 0 };

	edit_expect(&edits[_i], cs_submission_parse(bytes_of(text), &s, &e), &e);
	free(text);
}
END_TEST

START_TEST(submission_is_read_whole)
{
	static struct cs_submission s;
	struct cs_err e;

	ck_assert_int_eq(cs_submission_parse(bytes_of(sample), &s, &e), CS_OK);
	ck_assert_uint_eq(s.count, 2);
	ck_assert_str_eq(s.artifacts[0].name, "app");
	ck_assert_int_eq(s.artifacts[0].digest.hash, CS_HASH_SHA256);
	ck_assert_int_eq(s.artifacts[0].digest.value[0], 0xe3);
	ck_assert_int_eq(s.artifacts[0].digest.value[31], 0x55);
	ck_assert_int_eq(s.artifacts[0].size, 4096);
	ck_assert_str_eq(s.artifacts[0].key, "fw-dev");
	ck_assert_int_eq(s.artifacts[0].format, CS_FORMAT_ECDSA);
	ck_assert_int_eq(s.artifacts[1].format, CS_FORMAT_NONE);
	ck_assert_str_eq(s.release.product, "Tür-Schloß");
	ck_assert_str_eq(s.release.version, "1.2 rc1");
	ck_assert_int_eq(s.release.security_version, 0);
	ck_assert_str_eq(s.build.repository, "https://git.example/fw");
	ck_assert_str_eq(s.build.commit, "8f3c2a");
	ck_assert_str_eq(s.comment, "first build");
}
END_TEST

START_TEST(submission_needs_little)
{
	static const char least[] =
		"{\"artifacts\":[{\"name\":\"a\",\"digest\":{\"algorithm\":\"sha256\",\"value\":\"" HEX64
		"\"},\"size\":1,\"key\":\"k\"}]}";
	static struct cs_submission s;
	struct cs_err e;

	ck_assert_int_eq(cs_submission_parse(bytes_of(least), &s, &e), CS_OK);
	ck_assert_int_eq(s.release.security_version, -1);
	ck_assert_str_eq(s.release.product, "");
	ck_assert_str_eq(s.build.commit, "");
	ck_assert_str_eq(s.comment, "");
}
END_TEST

START_TEST(submission_has_1_to_16_artifacts)
{
	for (size_t n = 0; n <= CS_ARTIFACTS_MAX + 1; n++) {
		static struct cs_submission s;
		struct cs_buf text;
		struct cs_err e;

		cs_buf_init(&text, CS_BODY_MAX);
		cs_buf_add_str(&text, "{\"artifacts\":[");
		for (size_t i = 0; i < n; i++)
			cs_buf_addf(
				&text,
				"%s{\"name\":\"a%zu\",\"digest\":{\"algorithm\":\"sha256\",\"value\":\"" HEX64
				"\"},\"size\":1,\"key\":\"k\"}",
				i > 0 ? "," : "", i);
		cs_buf_add_str(&text, "]}");
		ck_assert_int_eq(cs_submission_parse(cs_buf_bytes(&text), &s, &e),
				 n >= 1 && n <= CS_ARTIFACTS_MAX ? CS_OK : CS_E_INVALID);
		cs_buf_done(&text);
	}
}
END_TEST

START_TEST(body_over_the_limit_is_refused)
{
	static char text[CS_BODY_MAX + 2];
	static struct cs_submission s;
	struct cs_err e;

	memset(text, ' ', sizeof(text) - 1);
	ck_assert_int_eq(cs_submission_parse(bytes_of(text), &s, &e), CS_E_TOO_LARGE);
}
END_TEST

/* What a change does to the two hashes. */
static const struct {
	struct edit edit;
	bool same_fingerprint, same_equality;
} twins[] = {
	{ { "{\"artifacts\"", " {\n \"artifacts\" ", CS_OK, NULL }, true, true },
	{ { "\"size\":4096,\"key\":\"fw-dev\"", "\"key\":\"fw-dev\",\"size\":4096", CS_OK, NULL },
	  true,
	  true },
	{ { "Schlo\xc3\x9f", "Schlo\\u00df", CS_OK, NULL }, true, true },
	{ { "first build", "second build", CS_OK, NULL }, false, true },
	{ { "ci #12", "ci #13", CS_OK, NULL }, false, true },
	{ { "\"repository\":\"https://git.example/fw\",", "", CS_OK, NULL }, false, true },
	{ { "8f3c2a", "8f3c2b", CS_OK, NULL }, false, false },
	{ { "1.2 rc1", "1.2", CS_OK, NULL }, false, false },
	{ { ",\"security_version\":0", "", CS_OK, NULL }, false, false },
	{ { "\"format\":\"ecdsa\"", "\"format\":\"rsa-pss\"", CS_OK, NULL }, false, false },
	{ { ",\"format\":\"ecdsa\"", "", CS_OK, NULL }, false, false },
	{ { "\"size\":4096", "\"size\":4097", CS_OK, NULL }, false, false },
	{ { "e3b0c442", "e3b0c443", CS_OK, NULL }, false, false },
	{ { "fw-dev", "fw-prod", CS_OK, NULL }, false, false },
	{ { "\"app\"", "\"app2\"", CS_OK, NULL }, false, false },
};

static void hashes(const char *text, struct cs_sha256 *fingerprint, struct cs_sha256 *equality)
{
	static struct cs_submission s;
	struct cs_err e = { 0 };

	ck_assert_msg(cs_submission_parse(bytes_of(text), &s, &e) == CS_OK, "%s", e.msg);
	ck_assert_int_eq(cs_submission_fingerprint(&s, fingerprint, &e), CS_OK);
	ck_assert_int_eq(cs_submission_equality(&s, equality, &e), CS_OK);
}

START_TEST(hashes_tell_what_differs)
{
	char *text = edit_apply(&twins[_i].edit, sample);
	struct cs_sha256 fingerprint, equality, fingerprint2, equality2;

	hashes(sample, &fingerprint, &equality);
	hashes(text, &fingerprint2, &equality2);
	ck_assert(!cs_sha256_equal(&fingerprint, &equality));
	ck_assert_int_eq(cs_sha256_equal(&fingerprint, &fingerprint2), twins[_i].same_fingerprint);
	ck_assert_int_eq(cs_sha256_equal(&equality, &equality2), twins[_i].same_equality);
	free(text);
}
END_TEST

TCase *tcase_submission(void)
{
	TCase *tc = tcase_create("submission");

	tcase_add_loop_test(tc, submission_says_what_is_wrong, 0, (int)CS_COUNT(edits));
	tcase_add_test(tc, submission_is_read_whole);
	tcase_add_test(tc, submission_needs_little);
	tcase_add_test(tc, submission_has_1_to_16_artifacts);
	tcase_add_test(tc, body_over_the_limit_is_refused);
	tcase_add_loop_test(tc, hashes_tell_what_differs, 0, (int)CS_COUNT(twins));
	return tc;
}
