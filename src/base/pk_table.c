/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verification of FIPS 186-4, 6.4.2 (SEC 1, 4.1.4), over OpenSSL's points and numbers and GMP's
 * extended Euclid. The table is OpenSSL's own kind: it makes one for the generator of a group, so
 * the key is made the generator of a copy of P-256. Only a "yes" of this file is used; after a "no"
 * the caller asks OpenSSL itself.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* EC_GROUP_precompute_mult has no successor in OpenSSL 3 */

#include "base/pk_table.h"

#include <stdlib.h>
#include <string.h>

#include <gmp.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/obj_mac.h>

#define DIGEST_LEN 32
#define ORDER_LIMBS (256 / GMP_NUMB_BITS)
#define POINT_LEN 65
#define SIG_MAX 72 /* DER of two numbers of 33 bytes */

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

/* The signature's numbers. Its DER must be the only one that they have. */
static ECDSA_SIG *read_signature(struct cs_bytes sig)
{
	const uint8_t *p = sig.data;
	uint8_t again[SIG_MAX + 8], *end = again;
	ECDSA_SIG *s;
	int len;

	if (sig.len > SIG_MAX)
		return NULL;
	s = d2i_ECDSA_SIG(NULL, &p, (long)sig.len);
	if (!s)
		return NULL;
	len = i2d_ECDSA_SIG(s, NULL);
	if (len == (int)sig.len && i2d_ECDSA_SIG(s, &end) == len &&
	    memcmp(again, sig.data, sig.len) == 0)
		return s;
	ECDSA_SIG_free(s);
	return NULL;
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

/* r and s verify the number e when the point (e/s)·G + (r/s)·Q has r as its x. */
static bool verify(const struct cs_pk_table *t, const BIGNUM *r, const BIGNUM *s, BIGNUM *e,
		   BN_CTX *ctx)
{
	const BIGNUM *order = EC_GROUP_get0_order(t->curve);
	EC_POINT *sum = EC_POINT_new(t->curve), *of_key = EC_POINT_new(t->key);
	BIGNUM *w = BN_CTX_get(ctx), *u1 = BN_CTX_get(ctx), *u2 = BN_CTX_get(ctx);
	BIGNUM *x = BN_CTX_get(ctx);
	bool valid;

	valid = sum && of_key && x && is_in_range(r, order) && is_in_range(s, order) &&
		invert(w, s, order) && BN_mod_mul(u1, e, w, order, ctx) == 1 &&
		BN_mod_mul(u2, r, w, order, ctx) == 1 &&
		EC_POINT_mul(t->curve, sum, u1, NULL, NULL, ctx) == 1 &&
		EC_POINT_mul(t->key, of_key, u2, NULL, NULL, ctx) == 1 &&
		EC_POINT_add(t->curve, sum, sum, of_key, ctx) == 1 &&
		!EC_POINT_is_at_infinity(t->curve, sum) &&
		EC_POINT_get_affine_coordinates(t->curve, sum, x, NULL, ctx) == 1 &&
		BN_nnmod(x, x, order, ctx) == 1 && BN_cmp(x, r) == 0;
	EC_POINT_free(sum);
	EC_POINT_free(of_key);
	return valid;
}

bool cs_pk_table_verify(const struct cs_pk_table *t, struct cs_bytes digest, struct cs_bytes sig)
{
	ECDSA_SIG *s = digest.len == DIGEST_LEN ? read_signature(sig) : NULL;
	BN_CTX *ctx = BN_CTX_new();
	bool valid = false;
	BIGNUM *e;

	if (s && ctx) {
		BN_CTX_start(ctx);
		e = BN_CTX_get(ctx);
		valid = e && BN_bin2bn(digest.data, DIGEST_LEN, e) &&
			verify(t, ECDSA_SIG_get0_r(s), ECDSA_SIG_get0_s(s), e, ctx);
		BN_CTX_end(ctx);
	}
	BN_CTX_free(ctx);
	ECDSA_SIG_free(s);
	return valid;
}
