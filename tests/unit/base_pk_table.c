/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of base/pk_table: whatever it is given, it says what OpenSSL's own verification says.
 */
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/pk_table.h"
#include "unit/base_unit.h"

#define DIGEST 32
#define ROUNDS 200

static EVP_PKEY *key;
static struct cs_pk_table *table;
static BIGNUM *order;

static void setup(void)
{
	EC_GROUP *curve = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);

	key = EVP_EC_gen("P-256");
	table = cs_pk_table_new(key);
	ck_assert(key && table && curve);
	order = BN_dup(EC_GROUP_get0_order(curve));
	EC_GROUP_free(curve);
}

static void teardown(void)
{
	BN_free(order);
	cs_pk_table_free(table);
	EVP_PKEY_free(key);
}

static bool openssl_says(struct cs_bytes digest, struct cs_bytes sig)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	bool valid = EVP_PKEY_verify_init(ctx) == 1 &&
		     EVP_PKEY_verify(ctx, sig.data, sig.len, digest.data, digest.len) == 1;

	EVP_PKEY_CTX_free(ctx);
	return valid;
}

/* Both must agree. @return what they say */
static bool both_say(const uint8_t *digest, const uint8_t *sig, size_t len)
{
	const struct cs_bytes d = { digest, DIGEST }, s = { sig, len };
	const bool valid = openssl_says(d, s);

	ck_assert_int_eq(cs_pk_table_verify(table, d, s), valid);
	return valid;
}

static size_t sign(const uint8_t *digest, uint8_t sig[static 80])
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	size_t len = 80;

	ck_assert(EVP_PKEY_sign_init(ctx) == 1 &&
		  EVP_PKEY_sign(ctx, sig, &len, digest, DIGEST) == 1);
	EVP_PKEY_CTX_free(ctx);
	return len;
}

static size_t encode(const BIGNUM *r, const BIGNUM *s, uint8_t out[static 160])
{
	ECDSA_SIG *sig = ECDSA_SIG_new();
	uint8_t *end = out;
	int len;

	ck_assert_int_eq(ECDSA_SIG_set0(sig, BN_dup(r), BN_dup(s)), 1);
	len = i2d_ECDSA_SIG(sig, &end);
	ck_assert(len > 0 && len <= 160);
	ECDSA_SIG_free(sig);
	return (size_t)len;
}

START_TEST(signatures_verify_and_their_mutants_do_not)
{
	uint8_t digest[DIGEST], sig[80];

	for (int i = 0; i < ROUNDS; i++) {
		size_t len, at;

		RAND_bytes(digest, sizeof(digest));
		len = sign(digest, sig);
		ck_assert(both_say(digest, sig, len));
		at = (size_t)i % len;
		sig[at] ^= (uint8_t)(1U << (i % 8));
		ck_assert(!both_say(digest, sig, len));
		sig[at] ^= (uint8_t)(1U << (i % 8));
		digest[i % DIGEST] ^= 0x20;
		ck_assert(!both_say(digest, sig, len));
	}
}
END_TEST

/* Digests at the ends of their range. */
START_TEST(any_digest_is_a_number)
{
	uint8_t digest[DIGEST], sig[80];

	for (int byte = 0; byte < 256; byte += 5) {
		memset(digest, byte, sizeof(digest));
		ck_assert(both_say(digest, sig, sign(digest, sig)));
	}
}
END_TEST

START_TEST(other_encodings_are_refused)
{
	uint8_t digest[DIGEST] = { 1 }, sig[80], other[90];
	size_t len = sign(digest, sig);

	for (size_t cut = 0; cut < len; cut++)
		ck_assert(!both_say(digest, sig, cut));
	memcpy(other, sig, len);
	other[len] = 0; /* a byte behind it */
	ck_assert(!both_say(digest, other, len + 1));
	other[0] = 0x30; /* a length in its long form */
	other[1] = 0x81;
	memcpy(other + 2, sig + 1, len - 1);
	ck_assert(!both_say(digest, other, len + 1));
	memcpy(other, sig, len); /* a number with a zero before it */
	other[1]++;
	other[3]++;
	other[4] = 0;
	memcpy(other + 5, sig + 4, len - 4);
	ck_assert(!both_say(digest, other, len + 1));
	ck_assert(!cs_pk_table_verify(table, (struct cs_bytes){ digest, DIGEST - 1 },
				      (struct cs_bytes){ sig, len }));
}
END_TEST

/* r and s: 0, 1, n-1, n, n+1, the true ones, one more than those, n more, and n less them. */
START_TEST(numbers_out_of_range_are_refused)
{
	uint8_t digest[DIGEST] = { 7 }, bytes[80], out[160];
	const uint8_t *p = bytes;
	size_t valid = 0;
	ECDSA_SIG *sig;
	BIGNUM *r[9], *s[9];

	sig = d2i_ECDSA_SIG(NULL, &p, (long)sign(digest, bytes));
	for (size_t half = 0; half < 2; half++) {
		const BIGNUM *x = half ? ECDSA_SIG_get0_s(sig) : ECDSA_SIG_get0_r(sig);
		BIGNUM **list = half ? s : r;

		for (size_t i = 0; i < 9; i++)
			list[i] = BN_dup(i < 2 ? BN_value_one() : i < 5 ? order : x);
		BN_zero(list[0]);
		BN_sub_word(list[2], 1);
		BN_add_word(list[4], 1);
		BN_add_word(list[6], 1);
		BN_add(list[7], list[7], order);
		BN_sub(list[8], order, x);
	}
	for (size_t i = 0; i < 9; i++)
		for (size_t j = 0; j < 9; j++)
			valid += both_say(digest, out, encode(r[i], s[j], out));
	ck_assert_uint_eq(valid, 2); /* (r, s), and (r, n-s), which ECDSA takes as well */
	for (size_t i = 0; i < 9; i++) {
		BN_free(r[i]);
		BN_free(s[i]);
	}
	ECDSA_SIG_free(sig);
}
END_TEST

/* Valid signatures whose s is a power of two, or the order less one: for each length there is. The
 * nonce k and s are chosen, and the digest e = s·k - r·secret made to fit. */
START_TEST(an_s_of_any_length_verifies)
{
	BIGNUM *secret = NULL, *k = BN_new(), *r = BN_new(), *s = BN_new(), *e = BN_new();
	EC_GROUP *curve = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	EC_POINT *point = EC_POINT_new(curve);
	BN_CTX *ctx = BN_CTX_new();
	uint8_t digest[DIGEST], out[160];

	ck_assert_int_eq(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &secret), 1);
	for (int i = 0; i < 2 * 256; i++) {
		BN_rand_range(k, order);
		ck_assert(EC_POINT_mul(curve, point, k, NULL, NULL, ctx) == 1 &&
			  EC_POINT_get_affine_coordinates(curve, point, r, NULL, ctx) == 1);
		BN_nnmod(r, r, order, ctx);
		BN_zero(s);
		BN_set_bit(s, i / 2);
		if (i % 2 == 1)
			BN_sub(s, order, s);
		BN_mod_mul(e, s, k, order, ctx);
		BN_mod_mul(k, r, secret, order, ctx);
		BN_mod_sub(e, e, k, order, ctx);
		BN_bn2binpad(e, digest, DIGEST);
		ck_assert(both_say(digest, out, encode(r, s, out)));
		digest[i % DIGEST] ^= 1;
		ck_assert(!both_say(digest, out, encode(r, s, out)));
	}
	BN_CTX_free(ctx);
	EC_POINT_free(point);
	EC_GROUP_free(curve);
	BN_free(secret);
	BN_free(k);
	BN_free(r);
	BN_free(s);
	BN_free(e);
}
END_TEST

/* A digest for which (e/s)G + (r/s)Q is no point: e = -r times the private key. */
START_TEST(the_point_at_infinity_is_refused)
{
	BIGNUM *secret = NULL, *r = BN_new(), *s = BN_new(), *e = BN_new();
	BN_CTX *ctx = BN_CTX_new();
	uint8_t digest[DIGEST], out[160];

	ck_assert_int_eq(EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &secret), 1);
	for (int i = 0; i < 20; i++) {
		BN_rand_range(r, order);
		BN_rand_range(s, order);
		BN_mod_mul(e, r, secret, order, ctx);
		BN_sub(e, order, e);
		BN_bn2binpad(e, digest, DIGEST);
		ck_assert(!both_say(digest, out, encode(r, s, out)));
	}
	BN_CTX_free(ctx);
	BN_free(secret);
	BN_free(r);
	BN_free(s);
	BN_free(e);
}
END_TEST

START_TEST(a_key_of_another_curve_gets_no_table)
{
	EVP_PKEY *other = EVP_EC_gen("P-384");

	ck_assert_ptr_null(cs_pk_table_new(other));
	cs_pk_table_free(NULL);
	EVP_PKEY_free(other);
}
END_TEST

void add_pk_table_tests(TCase *tc)
{
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, signatures_verify_and_their_mutants_do_not);
	tcase_add_test(tc, any_digest_is_a_number);
	tcase_add_test(tc, other_encodings_are_refused);
	tcase_add_test(tc, numbers_out_of_range_are_refused);
	tcase_add_test(tc, an_s_of_any_length_verifies);
	tcase_add_test(tc, the_point_at_infinity_is_refused);
	tcase_add_test(tc, a_key_of_another_curve_gets_no_table);
}
