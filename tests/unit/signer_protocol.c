/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of signer/protocol: what is written is read back, and what is not a message is refused by
 * the name of its field.
 */
#include <stdlib.h>
#include <string.h>

#include "unit/unit_signer.h"

#define MESSAGE_MAX (CS_RAW_SIG_MAX + 4096)

static struct cs_buf body;

static void setup(void)
{
	cs_buf_init(&body, MESSAGE_MAX);
}

static void teardown(void)
{
	cs_buf_done(&body);
}

static struct cs_signer_sign sample_sign(void)
{
	struct cs_signer_sign m = { .document = cs_bytes_of("{}"),
				    .decision_count = 2,
				    .decisions = { cs_bytes_of("a"), cs_bytes_of("bb") },
				    .artifact_count = 2 };

	m.artifacts[0].index = 15;
	m.artifacts[0].attempt = 1;
	m.artifacts[1].index = 0;
	m.artifacts[1].attempt = 1000000;
	return m;
}

START_TEST(hello_is_read_back)
{
	struct cs_signer_hello m;
	struct cs_err e = { 0 };

	cs_signer_hello_write(&sample_hello, &body);
	ck_assert_int_eq(cs_signer_hello_parse(cs_buf_bytes(&body), &m, &e), CS_OK);
	ck_assert_int_eq(m.protocol, sample_hello.protocol);
	ck_assert_str_eq(m.instance, sample_hello.instance);
	ck_assert_str_eq(m.token, sample_hello.token);
	ck_assert_int_eq(m.environment, sample_hello.environment);
	ck_assert_str_eq(m.serial, sample_hello.serial);
	ck_assert(m.software_token);
	ck_assert_int_eq(m.policy_version, sample_hello.policy_version);
	ck_assert(cs_sha256_equal(&m.policy_digest, &sample_hello.policy_digest));
}
END_TEST

START_TEST(sign_is_read_back)
{
	struct cs_signer_sign sample = sample_sign();
	struct cs_signer_sign m;
	struct cs_err e = { 0 };

	cs_signer_sign_write(&sample, &body);
	ck_assert_int_eq(cs_signer_sign_parse(cs_buf_bytes(&body), &m, &e), CS_OK);
	ck_assert(cs_bytes_equal(m.document, sample.document));
	ck_assert_uint_eq(m.decision_count, 2);
	ck_assert(cs_bytes_equal(m.decisions[1], sample.decisions[1]));
	ck_assert_uint_eq(m.artifact_count, 2);
	ck_assert_uint_eq(m.artifacts[0].index, 15);
	ck_assert_uint_eq(m.artifacts[1].attempt, 1000000);
}
END_TEST

START_TEST(results_are_read_back)
{
	static const struct cs_signer_result refused = { .index = 3,
							 .outcome = CS_SIGN_REFUSED,
							 .code = "quorum",
							 .message = "2 more approvals" };
	struct cs_signer_result ok = sample_result(15);
	struct cs_signer_result m;
	struct cs_err e = { 0 };

	cs_signer_result_write(&ok, &body);
	ck_assert_int_eq(cs_signer_result_parse(cs_buf_bytes(&body), &m, &e), CS_OK);
	ck_assert_uint_eq(m.index, 15);
	ck_assert(cs_bytes_equal(m.raw, ok.raw));

	cs_buf_reset(&body);
	cs_signer_result_write(&refused, &body);
	ck_assert_int_eq(cs_signer_result_parse(cs_buf_bytes(&body), &m, &e), CS_OK);
	ck_assert_int_eq(m.outcome, CS_SIGN_REFUSED);
	ck_assert_str_eq(m.code, "quorum");
	ck_assert_str_eq(m.message, "2 more approvals");
	ck_assert_uint_eq(m.raw.len, 0);
}
END_TEST

START_TEST(health_is_read_back)
{
	static const struct cs_signer_health sample = {
		.selftest_time = 1,
		.keys = 4,
		.failed = 3,
		.restarts = INT64_MAX,
		.message = "key fw-prod is not on the token",
	};
	struct cs_signer_health m;
	struct cs_err e = { 0 };

	cs_signer_health_write(&sample, &body);
	ck_assert_int_eq(cs_signer_health_parse(cs_buf_bytes(&body), &m, &e), CS_OK);
	ck_assert(!m.ready);
	ck_assert_int_eq(m.selftest_time, 1);
	ck_assert_int_eq(m.keys, 4);
	ck_assert_int_eq(m.failed, 3);
	ck_assert_int_eq(m.restarts, INT64_MAX);
	ck_assert_str_eq(m.message, sample.message);
}
END_TEST

/* An error message may be cut inside a character, or quote what a terminal should not see. */
START_TEST(messages_are_made_clean)
{
	struct cs_signer_health health = { .keys = 1, .failed = 1 };
	struct cs_signer_health m;
	struct cs_err e = { 0 };

	memset(health.message, 'x', CS_REASON_MAX);
	health.message[CS_REASON_MAX - 1] = (char)0xe2; /* the first of three bytes */
	cs_signer_health_write(&health, &body);
	ck_assert_int_eq(cs_signer_health_parse(cs_buf_bytes(&body), &m, &e), CS_OK);
	ck_assert_uint_eq(strlen(m.message), CS_REASON_MAX - 1);
	ck_assert_int_eq(m.failed, 1);
}
END_TEST

START_TEST(signatures_up_to_the_limit)
{
	struct cs_signer_result m = sample_result(0);
	uint8_t *large = calloc(1, CS_RAW_SIG_MAX + 1);
	struct cs_err e = { 0 };

	ck_assert_ptr_nonnull(large);
	m.raw = (struct cs_bytes){ large, CS_RAW_SIG_MAX };
	cs_signer_result_write(&m, &body);
	ck_assert_int_eq(cs_signer_result_parse(cs_buf_bytes(&body), &m, &e), CS_OK);
	cs_buf_reset(&body);
	m.raw = (struct cs_bytes){ large, CS_RAW_SIG_MAX + 1 };
	cs_signer_result_write(&m, &body);
	ck_assert_int_eq(cs_signer_result_parse(cs_buf_bytes(&body), &m, &e), CS_E_INVALID);
	free(large);
}
END_TEST

enum message { HELLO, SIGN, RESULT, HEALTH };

static void write_sample(enum message which)
{
	static const struct cs_signer_health health = { .ready = true,
							.selftest_time = 5,
							.keys = 2 };
	struct cs_signer_sign sign = sample_sign();
	struct cs_signer_result result = sample_result(1);

	cs_buf_reset(&body);
	switch (which) {
	case HELLO: cs_signer_hello_write(&sample_hello, &body); break;
	case SIGN: cs_signer_sign_write(&sign, &body); break;
	case RESULT: cs_signer_result_write(&result, &body); break;
	case HEALTH: cs_signer_health_write(&health, &body); break;
	}
}

static enum cs_rc parse(enum message which, struct cs_bytes in, struct cs_err *e)
{
	static struct cs_signer_sign sign;
	struct cs_signer_hello hello;
	struct cs_signer_result result;
	struct cs_signer_health health;

	switch (which) {
	case HELLO: return cs_signer_hello_parse(in, &hello, e);
	case SIGN: return cs_signer_sign_parse(in, &sign, e);
	case RESULT: return cs_signer_result_parse(in, &result, e);
	case HEALTH: return cs_signer_health_parse(in, &health, e);
	}
	return CS_E_INTERNAL;
}

START_TEST(every_cut_is_refused)
{
	enum message which = (enum message)_i;
	struct cs_err e = { 0 };
	size_t len;

	write_sample(which);
	ck_assert_int_eq(parse(which, cs_buf_bytes(&body), &e), CS_OK);
	for (len = 0; len < body.len; len++)
		ck_assert_int_eq(parse(which, (struct cs_bytes){ body.data, len }, &e),
				 CS_E_INVALID);
	cs_buf_add_u8(&body, 0);
	ck_assert_int_eq(parse(which, cs_buf_bytes(&body), &e), CS_E_INVALID);
	ck_assert_ptr_nonnull(strstr(e.msg, "after its last field"));
}
END_TEST

/* One byte of a sample replaced, counted from the beginning. */
static const struct bad_byte {
	enum message which;
	size_t at;
	uint8_t value;
	enum cs_rc rc;
	const char *word;
} bad_bytes[] = {
	{ HELLO, 3, 2, CS_E_VERSION, "install daemon and signer of the same release" },
	{ HELLO, 3, 0, CS_E_VERSION, "protocol 0" },
	{ HELLO, 8, ' ', CS_E_INVALID, "instance" },
	{ HELLO, 8, '\0', CS_E_INVALID, "instance" },
	{ HELLO, 19, '\n', CS_E_INVALID, "token" },
	{ HELLO, 27, 'q', CS_E_INVALID, "environment" },
	{ HELLO, 35, 0x1b, CS_E_INVALID, "serial" },
	{ HELLO, 40, 2, CS_E_INVALID, "software_token" },
	{ HELLO, 41, 0x80, CS_E_INVALID, "policy_version" },
	{ HELLO, 52, 31, CS_E_INVALID, "policy_digest" },
	{ SIGN, 0, 1, CS_E_INVALID, "document" },
	{ SIGN, 9, 65, CS_E_INVALID, "number of decisions" },
	{ SIGN, 13, 0, CS_E_INVALID, "decision" },
	{ SIGN, 24, 0, CS_E_INVALID, "number of artifacts" },
	{ SIGN, 24, 17, CS_E_INVALID, "number of artifacts" },
	{ SIGN, 28, 16, CS_E_INVALID, "index" },
	{ SIGN, 28, 0, CS_E_INVALID, "index" },
	{ SIGN, 32, 0, CS_E_INVALID, "attempt" },
	{ SIGN, 37, 0xff, CS_E_INVALID, "attempt" },
	{ RESULT, 3, 16, CS_E_INVALID, "index" },
	{ RESULT, 4, 4, CS_E_INVALID, "outcome" },
	{ RESULT, 4, 1, CS_E_INVALID, "code" },
	{ HEALTH, 0, 2, CS_E_INVALID, "ready" },
	{ HEALTH, 0, 0, CS_E_INVALID, "message" },
	{ HEALTH, 1, 0xff, CS_E_INVALID, "selftest_time" },
	{ HEALTH, 11, 2, CS_E_INVALID, "number of keys" },
	{ HEALTH, 16, 3, CS_E_INVALID, "number of keys" },
	{ HEALTH, 17, 0x80, CS_E_INVALID, "restarts" },
};

START_TEST(a_bad_byte_is_named)
{
	const struct bad_byte *row = &bad_bytes[_i];
	struct cs_err e = { 0 };

	write_sample(row->which);
	ck_assert_uint_lt(row->at, body.len);
	ck_assert_uint_ne(body.data[row->at], row->value);
	body.data[row->at] = row->value;
	ck_assert_int_eq(parse(row->which, cs_buf_bytes(&body), &e), row->rc);
	ck_assert_msg(strstr(e.msg, row->word) != NULL, "row %d: %s", _i, e.msg);
}
END_TEST

TCase *tcase_protocol(void)
{
	TCase *t = tcase_create("protocol");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, hello_is_read_back);
	tcase_add_test(t, sign_is_read_back);
	tcase_add_test(t, results_are_read_back);
	tcase_add_test(t, health_is_read_back);
	tcase_add_test(t, messages_are_made_clean);
	tcase_add_test(t, signatures_up_to_the_limit);
	tcase_add_loop_test(t, every_cut_is_refused, HELLO, HEALTH + 1);
	tcase_add_loop_test(t, a_bad_byte_is_named, 0,
			    (int)(sizeof(bad_bytes) / sizeof(bad_bytes[0])));
	return t;
}
