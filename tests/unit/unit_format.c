/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of format/: what is prepared, signed as a token would sign it and finished must verify;
 * what does not fit together must not. The openssl program checks the same signatures in
 * tests/vectors/check_formats.py.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/format.h"
#include "unit/formats.h"

static struct cs_request doc;

static struct cs_bytes tbs_bytes(const struct cs_tbs *tbs)
{
	return (struct cs_bytes){ tbs->data, tbs->len };
}

START_TEST(prepared_signed_finished_verifies)
{
	struct softkey k = softkey_load(format_cases[_i].key);
	struct cs_buf raw, sig, back;
	struct cs_err e = { 0 };
	struct cs_tbs tbs;

	format_case_document(&format_cases[_i], &k, &doc);
	cs_buf_init(&raw, CS_SIG_MAX);
	cs_buf_init(&sig, CS_SIG_MAX);
	cs_buf_init(&back, CS_SIG_MAX);
	ck_assert_msg(cs_format_prepare(&doc, 0, &tbs, &e) == CS_OK, "%s", e.msg);
	softkey_sign(&k, tbs.scheme, tbs.hash, tbs_bytes(&tbs), &raw);
	ck_assert_msg(cs_format_finish(&doc, 0, cs_buf_bytes(&raw), &sig, &e) == CS_OK, "%s",
		      e.msg);
	ck_assert_msg(cs_format_verify(&doc, 0, k.pk, cs_buf_bytes(&sig), &e) == CS_OK, "%s",
		      e.msg);
	ck_assert_msg(cs_format_raw(&doc, 0, cs_buf_bytes(&sig), &back, &e) == CS_OK, "%s", e.msg);
	ck_assert(cs_bytes_equal(cs_buf_bytes(&raw), cs_buf_bytes(&back)));
	cs_buf_done(&back);
	for (size_t len = 0; len < sig.len; len++)
		ck_assert_int_eq(
			cs_format_raw(&doc, 0, (struct cs_bytes){ sig.data, len }, &back, &e),
			CS_E_INVALID);
	ck_assert_uint_eq(back.len, 0);
	for (size_t i = 0; i < sig.len; i += 7) {
		sig.data[i] ^= 1;
		ck_assert_int_eq(cs_format_verify(&doc, 0, k.pk, cs_buf_bytes(&sig), &e),
				 CS_E_SIGNATURE);
		sig.data[i] ^= 1;
	}
	doc.artifacts[0].digest.value[0] ^= 1;
	ck_assert_int_eq(cs_format_verify(&doc, 0, k.pk, cs_buf_bytes(&sig), &e), CS_E_SIGNATURE);
	ck_assert_ptr_nonnull(strstr(e.msg, "image0"));
	cs_buf_done(&raw);
	cs_buf_done(&sig);
	softkey_done(&k);
}
END_TEST

/* What each format hands to the token, from the standards and not from the code. */
START_TEST(prepared_bytes_are_what_the_mechanism_takes)
{
	/* DigestInfo up to the digest: RFC 8017 §9.2, note 1 */
	static const char *const digest_info[] = {
		[CS_HASH_SHA256] = "3031300d060960864801650304020105000420",
		[CS_HASH_SHA384] = "3041300d060960864801650304020205000430",
		[CS_HASH_SHA512] = "3051300d060960864801650304020305000440",
	};
	static const enum cs_scheme schemes[] = {
		[CS_FORMAT_RSA_PKCS1] = CS_SCHEME_RSA_PKCS1,
		[CS_FORMAT_RSA_PSS] = CS_SCHEME_RSA_PSS,
		[CS_FORMAT_ECDSA] = CS_SCHEME_ECDSA,
		[CS_FORMAT_ED25519_DIGEST] = CS_SCHEME_ED25519,
	};
	const struct format_case *c = &format_cases[_i];
	struct softkey k = softkey_load(c->key);
	struct cs_sha256 name;
	struct cs_buf want;
	struct cs_err e;
	struct cs_tbs tbs;

	format_case_document(c, &k, &doc);
	ck_assert_int_eq(cs_format_prepare(&doc, 0, &tbs, &e), CS_OK);
	cs_buf_init(&want, sizeof(tbs.data));
	if (c->format == CS_FORMAT_RSA_PKCS1) {
		uint8_t prefix[19];

		ck_assert(cs_hex_decode(digest_info[c->hash], prefix, sizeof(prefix)));
		cs_buf_add(&want, prefix, sizeof(prefix));
	}
	cs_buf_add(&want, doc.artifacts[0].digest.value, cs_hash_len(c->hash));
	ck_assert_int_eq(tbs.scheme, schemes[c->format]);
	ck_assert_int_eq(tbs.hash, c->hash);
	ck_assert_uint_eq(tbs.len, want.len);
	ck_assert_mem_eq(tbs.data, want.data, want.len);
	name = cs_sha256(cs_buf_bytes(&want));
	ck_assert_mem_eq(cs_tbs_sha256(&tbs).b, name.b, CS_SHA256_LEN);
	cs_buf_done(&want);
	softkey_done(&k);
}
END_TEST

/* A token that returns too little or too much is not believed. */
START_TEST(raw_signatures_have_one_length)
{
	struct softkey k = softkey_load(format_cases[_i].key);
	static uint8_t raw[1024];
	struct cs_buf sig;
	struct cs_err e;
	size_t right = 0;

	format_case_document(&format_cases[_i], &k, &doc);
	memset(raw, 1, sizeof(raw));
	for (size_t len = 0; len <= sizeof(raw); len++) {
		enum cs_rc rc;

		cs_buf_init(&sig, CS_SIG_MAX);
		rc = cs_format_finish(&doc, 0, (struct cs_bytes){ raw, len }, &sig, &e);
		ck_assert(rc == CS_OK || rc == CS_E_SIGNATURE);
		ck_assert_int_eq(rc == CS_OK, sig.len > 0);
		right += rc == CS_OK;
		cs_buf_done(&sig);
	}
	ck_assert_uint_eq(right, 1);
	softkey_done(&k);
}
END_TEST

START_TEST(no_other_format_accepts_the_signature)
{
	const struct format_case *c = &format_cases[_i];
	struct softkey k = softkey_load(c->key);
	struct cs_buf raw, sig;
	struct cs_err e;
	struct cs_tbs tbs;

	format_case_document(c, &k, &doc);
	cs_buf_init(&raw, CS_SIG_MAX);
	cs_buf_init(&sig, CS_SIG_MAX);
	ck_assert_int_eq(cs_format_prepare(&doc, 0, &tbs, &e), CS_OK);
	softkey_sign(&k, tbs.scheme, tbs.hash, tbs_bytes(&tbs), &raw);
	ck_assert_int_eq(cs_format_finish(&doc, 0, cs_buf_bytes(&raw), &sig, &e), CS_OK);
	for (int f = CS_FORMAT_NONE; f <= CS_FORMAT__COUNT; f++) {
		doc.artifacts[0].format = (enum cs_format)f;
		ck_assert_int_eq(cs_format_verify(&doc, 0, k.pk, cs_buf_bytes(&sig), &e) == CS_OK,
				 f == (int)c->format);
	}
	cs_buf_done(&raw);
	cs_buf_done(&sig);
	softkey_done(&k);
}
END_TEST

static void ask_for_artifact_1(struct cs_request *r)
{
	r->count = 0;
}

static void digest_of_another_hash(struct cs_request *r)
{
	r->artifacts[0].digest.hash = CS_HASH_SHA512;
}

static void digest_without_hash(struct cs_request *r)
{
	r->artifacts[0].digest.hash = CS_HASH_NONE;
	r->artifacts[0].key_hash = CS_HASH_NONE;
}

static void long_digest_for_p256(struct cs_request *r)
{
	r->artifacts[0].digest.hash = CS_HASH_SHA384;
	r->artifacts[0].key_hash = CS_HASH_SHA384;
}

static void format_of_another_key(struct cs_request *r)
{
	r->artifacts[0].format = CS_FORMAT_RSA_PKCS1;
}

static void no_format(struct cs_request *r)
{
	r->artifacts[0].format = CS_FORMAT_NONE;
}

static void no_algorithm(struct cs_request *r)
{
	r->artifacts[0].key_alg = CS_ALG_NONE;
}

static const struct {
	void (*make)(struct cs_request *r);
	const char *message;
} misfits[] = {
	{ ask_for_artifact_1, "artifact 0" },
	{ digest_of_another_hash, "a sha512 digest, but key \"p-256\" signs sha256" },
	{ digest_without_hash, "format ecdsa needs" },
	{ long_digest_for_p256, "this is p-256 with sha384" },
	{ format_of_another_key, "format rsa-pkcs1 needs" },
	{ no_format, "no such format" },
	{ no_algorithm, "format ecdsa needs" },
};

START_TEST(what_does_not_fit_is_not_prepared)
{
	struct softkey k = softkey_load("p-256");
	uint8_t raw[64] = { 1 };
	struct cs_buf sig;
	struct cs_err e = { 0 };
	struct cs_tbs tbs;

	for (size_t i = 0; format_cases[i].key; i++) {
		if (strcmp(format_cases[i].key, "p-256") == 0)
			format_case_document(&format_cases[i], &k, &doc);
	}
	misfits[_i].make(&doc);
	cs_buf_init(&sig, CS_SIG_MAX);
	ck_assert_int_eq(cs_format_prepare(&doc, 0, &tbs, &e), CS_E_INVALID);
	ck_assert_msg(strstr(e.msg, misfits[_i].message) != NULL, "%s", e.msg);
	ck_assert_int_eq(cs_format_finish(&doc, 0, (struct cs_bytes){ raw, sizeof(raw) }, &sig, &e),
			 CS_E_INVALID);
	ck_assert_int_eq(cs_format_verify(&doc, 0, k.pk, (struct cs_bytes){ raw, sizeof(raw) }, &e),
			 CS_E_INVALID);
	ck_assert_int_eq(cs_format_raw(&doc, 0, (struct cs_bytes){ raw, sizeof(raw) }, &sig, &e),
			 CS_E_INVALID);
	ck_assert_uint_eq(sig.len, 0);
	cs_buf_done(&sig);
	softkey_done(&k);
}
END_TEST

START_TEST(another_public_key_is_no_proof)
{
	struct softkey k = softkey_load("p-256"), other = softkey_load("approver1");
	uint8_t sig[8] = { 0x30, 6, 2, 1, 1, 2, 1, 1 };
	struct cs_err e;

	for (size_t i = 0; format_cases[i].key; i++) {
		if (strcmp(format_cases[i].key, "p-256") == 0)
			format_case_document(&format_cases[i], &k, &doc);
	}
	ck_assert_int_eq(
		cs_format_verify(&doc, 0, other.pk, (struct cs_bytes){ sig, sizeof(sig) }, &e),
		CS_E_INVALID);
	ck_assert_ptr_nonnull(strstr(e.msg, "not the public key of \"p-256\""));
	ck_assert_int_eq(cs_format_verify(&doc, 0, k.pk, (struct cs_bytes){ sig, sizeof(sig) }, &e),
			 CS_E_SIGNATURE);
	softkey_done(&k);
	softkey_done(&other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("format");
	TCase *tc = tcase_create("format");
	SRunner *runner = srunner_create(suite);
	int failed, count = 0;

	while (format_cases[count].key)
		count++;
	suite_add_tcase(suite, tc);
	tcase_add_loop_test(tc, prepared_signed_finished_verifies, 0, count);
	tcase_add_loop_test(tc, prepared_bytes_are_what_the_mechanism_takes, 0, count);
	tcase_add_loop_test(tc, raw_signatures_have_one_length, 0, count);
	tcase_add_loop_test(tc, no_other_format_accepts_the_signature, 0, count);
	tcase_add_loop_test(tc, what_does_not_fit_is_not_prepared, 0,
			    (int)(sizeof(misfits) / sizeof(misfits[0])));
	tcase_add_test(tc, another_public_key_is_no_proof);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
