/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verification of FIPS 186-4, 6.4.2 (SEC 1, 4.1.4), over OpenSSL's points and numbers and GMP's
 * extended Euclid. The table is OpenSSL's own kind: it makes one for the generator of a group, so
 * the key is made the generator of a copy of P-256. Only a "yes" of this file is used; after a "no"
 * the caller asks OpenSSL itself.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* tables and X, Y, Z have no successors in OpenSSL 3 */

#include "base/pk_table.h"

#include <stdlib.h>

#include <gmp.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/obj_mac.h>

#include "base/der.h"

#define DIGEST_LEN 32
#define NUMBER_LEN 32 /* of r, and of s */
#define ORDER_LIMBS (256 / GMP_NUMB_BITS)
#define POINT_LEN 65

struct cs_pk_table {
	EC_GROUP *curve;
	EC_GROUP *key; /* the same curve, with the key as its generator */
};

static bool read_point(EVP_PKEY *key, const EC_GROUP *curve, EC_POINT *point)
{
	uint8_t bytes[POINT_LEN];
	size_t len = 0;

	return EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, bytes, sizeof(bytes),
					       &len) == 1 &&
	       EC_POINT_oct2point(curve, point, bytes, len, NULL) == 1;
}

struct cs_pk_table *cs_pk_table_new(EVP_PKEY *key)
{
	struct cs_pk_table *t = calloc(1, sizeof(*t));
	EC_POINT *point = NULL;
	bool made = false;

	if (!t)
		return NULL;
	t->curve = EC_GROUP_new_by_curve_name(NID_X9_62_prime256v1);
	if (!t->curve)
		goto out;
	t->key = EC_GROUP_dup(t->curve);
	point = EC_POINT_new(t->curve);
	made = t->key && point && read_point(key, t->curve, point) &&
	       EC_GROUP_set_generator(t->key, point, EC_GROUP_get0_order(t->curve),
				      BN_value_one()) == 1 &&
	       EC_GROUP_precompute_mult(t->key, NULL) == 1 &&
	       EC_GROUP_have_precompute_mult(t->key) == 1;
out:
	EC_POINT_free(point);
	if (made)
		return t;
	cs_pk_table_free(t);
	return NULL;
}

void cs_pk_table_free(struct cs_pk_table *t)
{
	if (!t)
		return;
	EC_GROUP_free(t->key);
	EC_GROUP_free(t->curve);
	free(t);
}

static bool is_in_range(const BIGNUM *x, const BIGNUM *order)
{
	return !BN_is_zero(x) && !BN_is_negative(x) && BN_cmp(x, order) < 0;
}

/**
 * w = 1/s modulo the order. OpenSSL's own way shifts bit by bit, for ten times as long; s is
 * public, so the time may depend on it. GMP's numbers are on the stack, as its allocations end the
 * process when there is no memory.
 */
static bool invert(BIGNUM *w, const BIGNUM *s, const BIGNUM *order)
{
	uint8_t bytes[(ORDER_LIMBS + 2) * sizeof(mp_limb_t)];
	mp_limb_t sum[ORDER_LIMBS + 2], modulus[ORDER_LIMBS + 1];
	mp_limb_t gcd[ORDER_LIMBS + 1], inverse[ORDER_LIMBS + 2];
	mp_size_t sum_len, len = 0;
	size_t bytes_len;

	/* mpn_gcdext wants the larger number first: s + order, which has the same inverse */
	if (!BN_add(w, s, order))
		return false;
	bytes_len = (size_t)BN_bn2bin(w, bytes);
	sum_len = mpn_set_str(sum, bytes, bytes_len, 256);
	bytes_len = (size_t)BN_bn2bin(order, bytes);
	if (mpn_set_str(modulus, bytes, bytes_len, 256) != ORDER_LIMBS ||
	    mpn_gcdext(gcd, inverse, &len, sum, sum_len, modulus, ORDER_LIMBS) != 1 || gcd[0] != 1)
		return false;
	bytes_len = mpn_get_str(bytes, 256, inverse, len < 0 ? -len : len);
	return BN_bin2bn(bytes, (int)bytes_len, w) && (len > 0 || BN_sub(w, order, w));
}

/**
 * Is the point's x the number r? OpenSSL keeps X and Z with x = X/Z² modulo p, so this asks whether
 * r·Z² = X, which saves the division. That x may be r + order, too, for about one number in 2^130,
 * is left to OpenSSL.
 */
static bool has_x(const EC_GROUP *curve, const EC_POINT *point, const BIGNUM *r, BN_CTX *ctx)
{
	const BIGNUM *p = EC_GROUP_get0_field(curve);
	BIGNUM *x = BN_CTX_get(ctx), *y = BN_CTX_get(ctx), *z = BN_CTX_get(ctx);

	return z && EC_POINT_get_Jprojective_coordinates_GFp(curve, point, x, y, z, ctx) == 1 &&
	       BN_mod_sqr(z, z, p, ctx) == 1 && BN_mod_mul(z, z, r, p, ctx) == 1 &&
	       BN_cmp(z, x) == 0;
}

/* r and s verify the number e when the point (e/s)·G + (r/s)·Q has r as its x. */
static bool verify(const struct cs_pk_table *t, const BIGNUM *r, const BIGNUM *s, BIGNUM *e,
		   BN_CTX *ctx)
{
	const BIGNUM *order = EC_GROUP_get0_order(t->curve);
	EC_POINT *sum = EC_POINT_new(t->curve), *of_key = EC_POINT_new(t->key);
	BIGNUM *w = BN_CTX_get(ctx), *u1 = BN_CTX_get(ctx), *u2 = BN_CTX_get(ctx);
	bool valid;

	valid = sum && of_key && u2 && is_in_range(r, order) && is_in_range(s, order) &&
		invert(w, s, order) && BN_mod_mul(u1, e, w, order, ctx) == 1 &&
		BN_mod_mul(u2, r, w, order, ctx) == 1 &&
		EC_POINT_mul(t->curve, sum, u1, NULL, NULL, ctx) == 1 &&
		EC_POINT_mul(t->key, of_key, u2, NULL, NULL, ctx) == 1 &&
		EC_POINT_add(t->curve, sum, sum, of_key, ctx) == 1 &&
		!EC_POINT_is_at_infinity(t->curve, sum) && has_x(t->curve, sum, r, ctx);
	EC_POINT_free(sum);
	EC_POINT_free(of_key);
	return valid;
}

/* The signature is r and s of 32 bytes each. */
static bool verify_numbers(const struct cs_pk_table *t, const uint8_t digest[static DIGEST_LEN],
			   const uint8_t sig[static 2 * NUMBER_LEN], BN_CTX *ctx)
{
	BIGNUM *r = BN_CTX_get(ctx), *s = BN_CTX_get(ctx), *e = BN_CTX_get(ctx);

	return e && BN_bin2bn(digest, DIGEST_LEN, e) && BN_bin2bn(sig, NUMBER_LEN, r) &&
	       BN_bin2bn(sig + NUMBER_LEN, NUMBER_LEN, s) && verify(t, r, s, e, ctx);
}

bool cs_pk_table_verify(const struct cs_pk_table *t, struct cs_bytes digest, struct cs_bytes sig)
{
	BN_CTX *ctx = BN_CTX_new();
	struct cs_buf numbers;
	bool valid = false;

	cs_buf_init(&numbers, 2 * NUMBER_LEN);
	if (ctx && digest.len == DIGEST_LEN &&
	    cs_der_ecdsa_decode(sig, 2 * NUMBER_LEN, &numbers, NULL) == CS_OK) {
		BN_CTX_start(ctx);
		valid = verify_numbers(t, digest.data, numbers.data, ctx);
		BN_CTX_end(ctx);
	}
	cs_buf_done(&numbers);
	BN_CTX_free(ctx);
	return valid;
}
