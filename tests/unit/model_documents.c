/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request documents, decisions, enrolments: bytes there and back, and every way to be wrong.
 */
#include <stdlib.h>
#include <string.h>

#include "model/decision.h"
#include "unit/unit_model.h"

#define A64 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define B64 "1111111111111111111111111111111111111111111111111111111111111111"
#define C64 "2222222222222222222222222222222222222222222222222222222222222222"

#define REQUEST_HEAD                                                                              \
	"{\"artifacts\":[{\"digest\":{\"algorithm\":\"sha256\",\"value\":\"" A64                  \
	"\"},\"format\":\"ecdsa\",\"key\":{"                                                      \
	"\"algorithm\":\"p-256\",\"hash\":\"sha256\",\"name\":\"fw-prod\",\"spki_sha256\":\"" B64 \
	"\"},\"name\":\"app\","                                                                   \
	"\"size\":4096}],"
#define REQUEST_TAIL                                                                                   \
	"\"created\":\"2026-01-31T12:00:00.000000Z\",\"environment\":\"prod\","                        \
	"\"expires\":\"2026-02-03T12:00:00.000000Z\",\"id\":\"01890a5d-ac96-774b-bcce-b302099a8057\"," \
	"\"instance\":\"acme\",\"policy\":{\"digest\":\"" C64                                          \
	"\",\"version\":7},\"quorum\":[{\"count\":2,"                                                  \
	"\"group\":\"firmware\"},{\"count\":1,\"group\":\"security\"}],"
#define REQUEST_END                                                                                     \
	"\"requester\":{\"method\":\"mtls\",\"persons\":[\"owner1\",\"owner2\"],\"principal\":\"ci\"}," \
	"\"type\":\"application/vnd.countersign.request+json\",\"v\":1}"

static const char request_sample[] = REQUEST_HEAD
	"\"build\":{\"commit\":\"8f3c2a\",\"pipeline\":\"ci #12\",\"repository\":\"https://git.example/fw\"},"
	"\"comment_sha256\":\"" A64 "\"," REQUEST_TAIL
	"\"release\":{\"component\":\"lock\",\"product\":\"Tür\","
	"\"security_version\":3,\"version\":\"1.2 rc1\"}," REQUEST_END;

/* Nothing optional, no quorum. */
static const char request_least[] = REQUEST_HEAD REQUEST_TAIL REQUEST_END;

static const struct edit request_edits[] = {
	{ NULL, NULL, CS_OK, NULL },
	/* canonical form */
	{ "{\"artifacts\"", "{ \"artifacts\"", CS_E_INVALID, "request document" },
	{ "\"v\":1}", "\"v\":1}\n", CS_E_INVALID, "request document" },
	{ "\"v\":1}", "\"v\":1,\"v\":1}", CS_E_INVALID, "request document" },
	{ "\"name\":\"app\",\"size\":4096", "\"size\":4096,\"name\":\"app\"", CS_E_INVALID,
	  "request document" },
	{ "T\xc3\xbcr", "T\\u00fcr", CS_E_INVALID, "request document" },
	{ "\"size\":4096", "\"size\":4.096e3", CS_E_INVALID, "request document" },
	/* head */
	{ "vnd.countersign.request", "vnd.countersign.decision", CS_E_INVALID, "type" },
	{ "\"v\":1}", "\"v\":2}", CS_E_VERSION, "version 2" },
	{ "\"v\":1}", "\"v\":0}", CS_E_INVALID, "v: must be 1" },
	{ ",\"v\":1}", "}", CS_E_INVALID, "v: must be 1" },
	{ ",\"v\":1}", ",\"v\":1,\"w\":1}", CS_E_INVALID, "w" },
	/* artifacts */
	{ "\"format\":\"ecdsa\",", "", CS_E_INVALID, "artifacts[0].format" },
	{ "\"format\":\"ecdsa\"", "\"format\":\"none\"", CS_E_INVALID, "artifacts[0].format" },
	{ "\"format\":\"ecdsa\"", "\"format\":\"rsa-pss\"", CS_E_INVALID, "format rsa-pss needs" },
	{ "\"algorithm\":\"p-256\"", "\"algorithm\":\"p-521\"", CS_E_INVALID,
	  "artifacts[0].key.algorithm" },
	{ "\"algorithm\":\"p-256\"", "\"algorithm\":\"p-384\"", CS_E_INVALID,
	  "artifacts[0]: format ecdsa" },
	{ "\"hash\":\"sha256\"", "\"hash\":\"sha1\"", CS_E_INVALID, "artifacts[0].key.hash" },
	{ "\"hash\":\"sha256\"", "\"hash\":\"sha384\"", CS_E_INVALID,
	  "artifacts[0].digest.algorithm" },
	{ "\"spki_sha256\":\"1111", "\"spki_sha256\":\"111", CS_E_INVALID,
	  "artifacts[0].key.spki_sha256" },
	{ "\"size\":4096", "\"size\":0", CS_E_INVALID, "artifacts[0].size" },
	{ "\"artifacts\":[", "\"artifacts\":[5,", CS_E_INVALID, "artifacts[0]" },
	/* who, where */
	{ "\"environment\":\"prod\"", "\"environment\":\"test\"", CS_E_INVALID, "dev, prod" },
	{ "\"environment\":\"prod\"", "\"environment\":\"none\"", CS_E_INVALID, "environment" },
	{ "\"id\":\"01890a5d-ac96", "\"id\":\"01890A5D-ac96", CS_E_INVALID, "id" },
	{ "\"instance\":\"acme\"", "\"instance\":\"ac me\"", CS_E_INVALID, "instance" },
	{ "\"method\":\"mtls\"", "\"method\":\"none\"", CS_E_INVALID, "requester.method" },
	{ "\"owner1\",\"owner2\"", "\"owner2\",\"owner1\"", CS_E_INVALID, "requester.persons[1]" },
	{ "\"owner1\",\"owner2\"", "\"owner1\",\"owner1\"", CS_E_INVALID, "twice" },
	{ "\"owner1\",\"owner2\"", "", CS_E_INVALID, "requester.persons" },
	{ "\"owner1\",\"owner2\"", "\"owner 1\"", CS_E_INVALID, "requester.persons[0]" },
	{ "\"owner1\",\"owner2\"", "1", CS_E_INVALID, "requester.persons[0]" },
	{ "\"owner1\",\"owner2\"", "\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\"",
	  CS_E_INVALID, "requester.persons" },
	{ ",\"principal\":\"ci\"", "", CS_E_INVALID, "requester.principal" },
	/* when */
	{ "2026-01-31T12:00:00.000000Z", "2026-01-31T12:00:00Z", CS_E_INVALID, "created" },
	{ "2026-01-31T12:00:00.000000Z", "2026-02-30T12:00:00.000000Z", CS_E_INVALID, "created" },
	{ "2026-02-03T12:00:00.000000Z", "2026-01-31T12:00:00.000000Z", CS_E_INVALID,
	  "later than created" },
	{ "2026-02-03T12:00:00.000000Z", "2026-03-02T12:00:00.000000Z", CS_OK, NULL },
	{ "2026-02-03T12:00:00.000000Z", "2026-03-02T12:00:00.000001Z", CS_E_INVALID, "30 days" },
	/* policy and quorum */
	{ "\"version\":7", "\"version\":0", CS_E_INVALID, "policy.version" },
	{ "\"digest\":\"2222", "\"digest\":\"222G", CS_E_INVALID, "policy.digest" },
	{ "\"count\":2", "\"count\":0", CS_E_INVALID, "quorum[0].count" },
	{ "\"count\":2", "\"count\":17", CS_E_INVALID, "quorum[0].count" },
	{ "\"group\":\"firmware\"", "\"group\":\"zoo\"", CS_E_INVALID, "ascending" },
	{ "\"group\":\"firmware\"", "\"group\":\"security\"", CS_E_INVALID, "twice" },
	{ "{\"count\":2,\"group\":\"firmware\"},{\"count\":1,\"group\":\"security\"}", "", CS_OK,
	  NULL },
	/* what may be absent may not be empty */
	{ "\"comment_sha256\":\"" A64 "\",", "", CS_OK, NULL },
	{ "\"comment_sha256\":\"" A64 "\"", "\"comment_sha256\":\"\"", CS_E_INVALID,
	  "comment_sha256" },
	{ "\"component\":\"lock\",", "", CS_OK, NULL },
	{ "\"component\":\"lock\"", "\"component\":\"\"", CS_E_INVALID, "release.component" },
	{ "\"component\":\"lock\",\"product\":\"T\xc3\xbcr\",\"security_version\":3,\"version\":\"1.2 rc1\"",
	  "", CS_E_INVALID, "release: is empty" },
	{ "\"commit\":\"8f3c2a\",\"pipeline\":\"ci #12\",\"repository\":\"https://git.example/fw\"",
	  "", CS_E_INVALID, "build: is empty" },
	{ "\"product\":\"T\xc3\xbcr\"", "\"product\":\"\xe2\x80\xaeT\"", CS_E_INVALID,
	  "release.product" },
};

static void expect_text(struct cs_buf *out, const char *text)
{
	struct cs_err e = { 0 };

	ck_assert_msg(cs_buf_ok(out, "document", &e) == CS_OK, "%s", e.msg);
	ck_assert_str_eq(cs_buf_str(out), text);
	cs_buf_done(out);
}

/* Whatever is accepted is written again byte for byte. */
START_TEST(request_says_what_is_wrong)
{
	char *text = edit_apply(&request_edits[_i], request_sample);
	static struct cs_request r;
	struct cs_err e = { 0 };
	enum cs_rc rc = cs_request_parse(bytes_of(text), &r, &e);

	edit_expect(&request_edits[_i], rc, &e);
	if (!rc) {
		struct cs_buf out;

		cs_buf_init(&out, CS_DOCUMENT_MAX);
		cs_request_write(&r, &out);
		expect_text(&out, text);
	}
	free(text);
}
END_TEST

START_TEST(request_is_read_whole)
{
	static struct cs_request r;
	struct cs_err e = { 0 };
	struct cs_sha256 b;

	memset(b.b, 0x11, sizeof(b.b));
	ck_assert_msg(cs_request_parse(bytes_of(request_sample), &r, &e) == CS_OK, "%s", e.msg);
	ck_assert_str_eq(r.id, "01890a5d-ac96-774b-bcce-b302099a8057");
	ck_assert_str_eq(r.instance, "acme");
	ck_assert_int_eq(r.environment, CS_ENV_PROD);
	ck_assert_str_eq(r.principal, "ci");
	ck_assert_uint_eq(r.person_count, 2);
	ck_assert_str_eq(r.persons[1], "owner2");
	ck_assert_int_eq(r.method, CS_METHOD_MTLS);
	ck_assert_int_eq(r.created, 1769860800 * CS_SECOND);
	ck_assert_int_eq(r.expires - r.created, 72 * 3600 * CS_SECOND);
	ck_assert_uint_eq(r.quorum.count, 2);
	ck_assert_str_eq(r.quorum.lines[1].group, "security");
	ck_assert_int_eq(r.quorum.lines[0].count, 2);
	ck_assert_uint_eq(r.count, 1);
	ck_assert_str_eq(r.artifacts[0].key, "fw-prod");
	ck_assert_int_eq(r.artifacts[0].key_alg, CS_ALG_P256);
	ck_assert_int_eq(r.artifacts[0].key_hash, CS_HASH_SHA256);
	ck_assert(cs_sha256_equal(&r.artifacts[0].key_spki, &b));
	ck_assert_int_eq(r.release.security_version, 3);
	ck_assert_str_eq(r.build.pipeline, "ci #12");
	ck_assert(r.has_comment);
	ck_assert_int_eq(r.policy_version, 7);
	ck_assert_int_eq(r.policy_digest.b[0], 0x22);
}
END_TEST

START_TEST(request_needs_little)
{
	static struct cs_request r, again;
	struct cs_err e = { 0 };
	struct cs_buf out;

	ck_assert_msg(cs_request_parse(bytes_of(request_least), &r, &e) == CS_OK, "%s", e.msg);
	ck_assert(!r.has_comment);
	ck_assert_int_eq(r.release.security_version, -1);
	cs_buf_init(&out, CS_DOCUMENT_MAX);
	cs_request_write(&r, &out);
	ck_assert_int_eq(cs_request_parse(cs_buf_bytes(&out), &again, &e), CS_OK);
	ck_assert_mem_eq(&r, &again, sizeof(r));
	expect_text(&out, request_least);
}
END_TEST

/* The largest document that the limits allow stays below its own limit. */
START_TEST(largest_request_fits)
{
	static struct cs_request r;
	struct cs_err e = { 0 };
	struct cs_buf out;

	ck_assert_int_eq(cs_request_parse(bytes_of(request_sample), &r, &e), CS_OK);
	for (size_t i = 0; i < CS_ARTIFACTS_MAX; i++) {
		struct cs_artifact *a = &r.artifacts[i];

		*a = r.artifacts[0];
		memset(a->name, 'a' + (int)i, CS_NAME_MAX);
		memset(a->key, 'k', CS_NAME_MAX);
		a->format = CS_FORMAT_RSA_PKCS1;
		a->key_alg = CS_ALG_RSA_3072;
		a->key_hash = CS_HASH_SHA512;
		a->digest.hash = CS_HASH_SHA512;
		a->size = CS_SIZE_MAX;
	}
	r.count = CS_ARTIFACTS_MAX;
	for (size_t i = 0; i < CS_PERSONS_MAX; i++)
		memset(r.persons[i], 'a' + (int)i, CS_NAME_MAX);
	r.person_count = CS_PERSONS_MAX;
	for (size_t i = 0; i < CS_QUORUM_LINES_MAX; i++) {
		memset(r.quorum.lines[i].group, 'a' + (int)i, CS_NAME_MAX);
		r.quorum.lines[i].count = CS_QUORUM_COUNT_MAX;
	}
	r.quorum.count = CS_QUORUM_LINES_MAX;
	memset(r.release.product, '"', CS_TEXT_MAX);
	memset(r.release.component, '\\', CS_TEXT_MAX);
	memset(r.release.version, '"', CS_TEXT_MAX);
	memset(r.build.commit, '"', CS_TEXT_MAX);
	memset(r.build.pipeline, '"', CS_TEXT_MAX);
	memset(r.build.repository, '"', CS_TEXT_MAX);
	memset(r.instance, 'i', CS_NAME_MAX);
	memset(r.principal, 'p', CS_NAME_MAX);
	cs_buf_init(&out, CS_DOCUMENT_MAX);
	cs_request_write(&r, &out);
	ck_assert_msg(cs_buf_ok(&out, "request document", &e) == CS_OK, "%s", e.msg);
	ck_assert_msg(cs_request_parse(cs_buf_bytes(&out), &r, &e) == CS_OK, "%s", e.msg);
	cs_buf_done(&out);
}
END_TEST

static const char decision_sample[] =
	"{\"comment_sha256\":\"" A64
	"\",\"decision\":\"approve\",\"images_checked\":[\"app\",\"radio\"],\"log\":{\"head\":\"" B64
	"\",\"id\":\"" C64 "\",\"size\":41},\"n\":1,\"request_sha256\":\"" A64
	"\",\"time\":\"2026-01-31T12:30:00.000000Z\",\"type\":\"application/vnd.countersign.decision+json\",\"v\":1}";

static const struct edit decision_edits[] = {
	{ NULL, NULL, CS_OK, NULL },
	{ "\"comment_sha256\":\"" A64 "\",", "", CS_OK, NULL },
	{ "\"decision\":\"approve\"", "\"decision\":\"reject\"", CS_OK, NULL },
	{ "\"decision\":\"approve\"", "\"decision\":\"withdraw\"", CS_OK, NULL },
	{ "\"decision\":\"approve\"", "\"decision\":\"none\"", CS_E_INVALID,
	  "approve, reject, withdraw" },
	{ "\"decision\":\"approve\"", "\"decision\":\"Approve\"", CS_E_INVALID, "decision" },
	{ "\"app\",\"radio\"", "", CS_OK, NULL },
	{ "\"app\",\"radio\"", "\"radio\",\"app\"", CS_E_INVALID, "images_checked[1]" },
	{ "\"app\",\"radio\"", "\"app\",\"app\"", CS_E_INVALID, "twice" },
	{ "\"app\",\"radio\"", "\"a p\"", CS_E_INVALID, "images_checked[0]" },
	{ "\"app\",\"radio\"",
	  "\"a\",\"b\",\"c\",\"d\",\"e\",\"f\",\"g\",\"h\",\"i\",\"j\",\"k\",\"l\",\"m\",\"n\",\"o\",\"p\",\"q\"",
	  CS_E_INVALID, "images_checked" },
	{ "\"size\":41", "\"size\":0", CS_E_INVALID, "log.size" },
	{ "\"head\":\"1111", "\"head\":\"11", CS_E_INVALID, "log.head" },
	{ "\"id\":\"2222", "\"id\":\"X222", CS_E_INVALID, "log.id" },
	{ "\"n\":1", "\"n\":0", CS_E_INVALID, "n" },
	{ "\"n\":1", "\"n\":16", CS_OK, NULL },
	{ "\"n\":1", "\"n\":17", CS_E_INVALID, "n" },
	{ "\"n\":1,", "", CS_E_INVALID, "n" },
	{ "\"request_sha256\":\"e3", "\"request_sha256\":\"E3", CS_E_INVALID, "request_sha256" },
	{ "12:30:00.000000Z", "12:30:00.000000+00:00", CS_E_INVALID, "time" },
	{ "\"n\":1", "\"n\":1,\"person\":\"approver1\"", CS_E_INVALID, "person" },
	{ "decision+json", "request+json", CS_E_INVALID, "type" },
	{ "\"v\":1", "\"v\":2", CS_E_VERSION, "upgrade" },
	{ "{\"comment", " {\"comment", CS_E_INVALID, "decision" },
};

START_TEST(decision_says_what_is_wrong)
{
	char *text = edit_apply(&decision_edits[_i], decision_sample);
	static struct cs_decision d, again;
	struct cs_err e = { 0 };
	enum cs_rc rc = cs_decision_parse(bytes_of(text), &d, &e);

	edit_expect(&decision_edits[_i], rc, &e);
	if (!rc) {
		struct cs_buf out;

		cs_buf_init(&out, CS_DECISION_MAX);
		cs_decision_write(&d, &out);
		ck_assert_int_eq(cs_decision_parse(cs_buf_bytes(&out), &again, &e), CS_OK);
		ck_assert_mem_eq(&d, &again, sizeof(d));
		expect_text(&out, text);
	}
	free(text);
}
END_TEST

static const char enrolment_sample[] =
	"{\"instance\":\"acme\",\"person\":\"approver1\",\"spki_sha256\":\"" B64
	"\",\"time\":\"2026-01-01T00:00:00.000000Z\",\"type\":\"application/vnd.countersign.enrolment+json\",\"v\":1}";

static const struct edit enrolment_edits[] = {
	{ NULL, NULL, CS_OK, NULL },
	{ "\"instance\":\"acme\",", "", CS_E_INVALID, "instance" },
	{ "\"person\":\"approver1\"", "\"person\":\"a b\"", CS_E_INVALID, "person" },
	{ "\"spki_sha256\":\"11", "\"spki_sha256\":\"1", CS_E_INVALID, "spki_sha256" },
	{ "2026-01-01T", "2026-13-01T", CS_E_INVALID, "time" },
	{ "enrolment+json", "decision+json", CS_E_INVALID, "type" },
	{ "\"v\":1", "\"v\":3", CS_E_VERSION, "version 3" },
	{ ",\"v\":1", ",\"v\":1,\"x\":1", CS_E_INVALID, "x" },
};

START_TEST(enrolment_says_what_is_wrong)
{
	char *text = edit_apply(&enrolment_edits[_i], enrolment_sample);
	struct cs_enrolment en;
	struct cs_err e = { 0 };
	enum cs_rc rc = cs_enrolment_parse(bytes_of(text), &en, &e);

	edit_expect(&enrolment_edits[_i], rc, &e);
	if (!rc) {
		struct cs_buf out;

		cs_buf_init(&out, CS_DECISION_MAX);
		cs_enrolment_write(&en, &out);
		expect_text(&out, text);
	}
	free(text);
}
END_TEST

TCase *tcase_request(void)
{
	TCase *tc = tcase_create("request");

	tcase_add_loop_test(tc, request_says_what_is_wrong, 0, (int)CS_COUNT(request_edits));
	tcase_add_test(tc, request_is_read_whole);
	tcase_add_test(tc, request_needs_little);
	tcase_add_test(tc, largest_request_fits);
	return tc;
}

TCase *tcase_decision(void)
{
	TCase *tc = tcase_create("decision");

	tcase_add_loop_test(tc, decision_says_what_is_wrong, 0, (int)CS_COUNT(decision_edits));
	tcase_add_loop_test(tc, enrolment_says_what_is_wrong, 0, (int)CS_COUNT(enrolment_edits));
	return tc;
}
