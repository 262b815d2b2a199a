/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of hashes, DER, public keys and DSSE, against OpenSSL: it encodes the keys and makes the
 * signatures, by its high-level interface where we use the lower one.
 */
#include <string.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/der.h"
#include "base/dsse.h"
#include "base/enc.h"
#include "unit/base_unit.h"
#include "unit/softkey.h"

/* --- hash.h; "abc" from FIPS 180-4's examples */

static const struct {
	enum cs_hash h;
	const char *name, *abc;
	size_t len;
} hashes[] = {
	{ CS_HASH_SHA256, "sha256",
	  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", 32 },
	{ CS_HASH_SHA384, "sha384",
	  "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
	  "8086072ba1e7cc2358baeca134c825a7",
	  48 },
	{ CS_HASH_SHA512, "sha512",
	  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
	  64 },
};

START_TEST(hashes_are_the_standard_ones)
{
	uint8_t whole[CS_HASH_MAX_LEN], parts[CS_HASH_MAX_LEN];
	struct cs_hash_ctx *c = cs_hash_new(hashes[_i].h);
	char hex[2 * CS_HASH_MAX_LEN + 1];

	ck_assert_str_eq(cs_hash_name(hashes[_i].h), hashes[_i].name);
	ck_assert_int_eq(cs_hash_from_name(hashes[_i].name), hashes[_i].h);
	ck_assert_uint_eq(cs_hash_len(hashes[_i].h), hashes[_i].len);
	cs_hash_bytes(hashes[_i].h, BYTES("abc"), whole);
	cs_hex_encode(whole, hashes[_i].len, hex);
	ck_assert_str_eq(hex, hashes[_i].abc);
	cs_hash_update(c, "a", 1);
	cs_hash_update(c, "bc", 2);
	cs_hash_final(c, parts);
	ck_assert_mem_eq(parts, whole, hashes[_i].len);
	cs_hash_free(c);
}
END_TEST

START_TEST(weak_hashes_do_not_exist)
{
	static const char *const names[] = { "sha1", "md5", "SHA256", "sha-256", "none", "" };

	for (size_t i = 0; i < COUNT(names); i++)
		ck_assert_int_eq(cs_hash_from_name(names[i]), CS_HASH_NONE);
	ck_assert_uint_eq(cs_hash_len(CS_HASH_NONE), 0);
	cs_hash_free(NULL);
}
END_TEST

START_TEST(a_leaf_is_not_its_content)
{
	struct cs_sha256 leaf = cs_sha256_leaf(BYTES("abc")), same = cs_sha256(BYTES("\0abc"));
	struct cs_sha256 plain = cs_sha256(BYTES("abc")), back;
	char hex[CS_SHA256_HEX];

	ck_assert(cs_sha256_equal(&leaf, &same));
	ck_assert(!cs_sha256_equal(&leaf, &plain));
	cs_sha256_hex(&plain, hex);
	ck_assert_str_eq(hex, hashes[0].abc);
	ck_assert(cs_sha256_from_hex(hex, &back) && cs_sha256_equal(&back, &plain));
	ck_assert(!cs_sha256_from_hex(hex + 1, &back));
}
END_TEST

void add_hash_tests(TCase *tc)
{
	tcase_add_loop_test(tc, hashes_are_the_standard_ones, 0, COUNT(hashes));
	tcase_add_test(tc, weak_hashes_do_not_exist);
	tcase_add_test(tc, a_leaf_is_not_its_content);
}

/* --- keys for the rest */

static EVP_PKEY *load_key(const char *name)
{
	struct softkey k = softkey_load(name);
	EVP_PKEY *key = k.private;

	k.private = NULL; /* transferred */
	softkey_done(&k);
	return key;
}

static EVP_PKEY *make_key(enum cs_alg a)
{
	return load_key(cs_alg_name(a));
}

/* Another key of the same algorithm. */
static EVP_PKEY *make_other(enum cs_alg a)
{
	static const char *const names[] = {
		[CS_ALG_RSA_3072] = "approver5",
		[CS_ALG_P256] = "approver1",
		[CS_ALG_P384] = "approver3",
		[CS_ALG_ED25519] = "approver2",
	};

	return load_key(names[a]);
}

static const EVP_MD *md_of(enum cs_hash h)
{
	return h == CS_HASH_NONE ? NULL : EVP_get_digestbyname(cs_hash_name(h));
}

/* Sign a message with OpenSSL's high-level interface; salt_len counts for PSS only. */
static void sign(EVP_PKEY *key, enum cs_scheme scheme, enum cs_hash h, int salt_len,
		 struct cs_bytes message, struct cs_buf *sig)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	EVP_PKEY_CTX *ctx = NULL;
	size_t len = 1024;
	uint8_t out[1024];

	ck_assert_int_eq(EVP_DigestSignInit(md, &ctx, md_of(h), NULL, key), 1);
	if (scheme == CS_SCHEME_RSA_PSS) {
		ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING), 1);
		ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, salt_len), 1);
	}
	ck_assert_int_eq(EVP_DigestSign(md, out, &len, message.data, message.len), 1);
	EVP_MD_CTX_free(md);
	cs_buf_init(sig, CS_SIG_MAX);
	cs_buf_add(sig, out, len);
}

static struct cs_pk *public_of(EVP_PKEY *key)
{
	struct cs_err e = { 0 };
	struct cs_pk *pk = NULL;
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(key, &der);

	ck_assert_int_gt(len, 0);
	CHECK_OK(cs_pk_from_spki((struct cs_bytes){ der, (size_t)len }, &pk, &e));
	OPENSSL_free(der);
	return pk;
}

/* --- der.h */

START_TEST(digest_info_is_what_openssl_signs)
{
	EVP_PKEY *key = make_key(CS_ALG_RSA_3072);
	uint8_t digest[CS_HASH_MAX_LEN], info[CS_DIGEST_INFO_MAX], recovered[512];
	size_t len = sizeof(recovered);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	struct cs_buf sig;

	for (size_t i = 0; i < COUNT(hashes); i++) {
		sign(key, CS_SCHEME_RSA_PKCS1, hashes[i].h, 0, BYTES("image"), &sig);
		cs_hash_bytes(hashes[i].h, BYTES("image"), digest);
		/* without a signature md, recovery gives the DigestInfo itself */
		len = sizeof(recovered);
		ck_assert_int_eq(EVP_PKEY_verify_recover_init(ctx), 1);
		ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING), 1);
		ck_assert_int_eq(EVP_PKEY_verify_recover(ctx, recovered, &len, sig.data, sig.len),
				 1);
		ck_assert_uint_eq(cs_der_digest_info(hashes[i].h, digest, info), len);
		ck_assert_mem_eq(info, recovered, len);
		cs_buf_done(&sig);
	}
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(key);
}
END_TEST

static const struct {
	const char *raw, *der; /* hex; NULL when it is refused */
} ecdsa[] = {
	{ "0102", "3006020101020102" },
	{ "7f80", "300702017f02020080" },
	{ "00010002", "3006020101020102" },
	{ "008000ff", "300802020080020200ff" },
	{ "0080000000010000", "300b0204008000000203010000" },
	{ "ff00ff01", "300a020300ff00020300ff01" },
	{ "", NULL },
	{ "01", NULL },
	{ "010203", NULL },
	{ "0000", NULL },
	{ "0100", NULL },
	{ "0001", NULL },
	{ "00000001", NULL },
};

START_TEST(ecdsa_signatures_become_der)
{
	size_t len = strlen(ecdsa[_i].raw) / 2;
	struct cs_err e = { 0 };
	uint8_t raw[16] = { 0 };
	struct cs_buf out, hex;

	ck_assert(cs_hex_decode(ecdsa[_i].raw, raw, len));
	cs_buf_init(&out, 100);
	cs_buf_init(&hex, 200);
	if (!ecdsa[_i].der) {
		CHECK_FAILS(cs_der_ecdsa_encode((struct cs_bytes){ raw, len }, &out, &e),
			    CS_E_INVALID, "raw ECDSA signature");
	} else {
		CHECK_OK(cs_der_ecdsa_encode((struct cs_bytes){ raw, len }, &out, &e));
		cs_buf_add_hex(&hex, out.data, out.len);
		ck_assert_str_eq(cs_buf_str(&hex), ecdsa[_i].der);
	}
	cs_buf_done(&out);
	cs_buf_done(&hex);
}
END_TEST

START_TEST(long_ecdsa_signatures_are_openssls)
{
	static const size_t halves[] = { 32, 48, 66 };
	uint8_t raw[134];
	struct cs_err e = { 0 };

	memset(raw, 0xff, sizeof(raw));
	for (size_t i = 0; i < COUNT(halves); i++) {
		ECDSA_SIG *sig = ECDSA_SIG_new();
		uint8_t *der = NULL;
		struct cs_buf out;
		int len;

		ECDSA_SIG_set0(sig, BN_bin2bn(raw, (int)halves[i], NULL),
			       BN_bin2bn(raw, (int)halves[i], NULL));
		len = i2d_ECDSA_SIG(sig, &der);
		cs_buf_init(&out, 200);
		CHECK_OK(cs_der_ecdsa_encode((struct cs_bytes){ raw, 2 * halves[i] }, &out, &e));
		ck_assert(
			cs_bytes_equal(cs_buf_bytes(&out), (struct cs_bytes){ der, (size_t)len }));
		cs_buf_reset(&out);
		CHECK_OK(cs_der_ecdsa_decode((struct cs_bytes){ der, (size_t)len }, 2 * halves[i],
					     &out, &e));
		ck_assert(cs_bytes_equal(cs_buf_bytes(&out),
					 (struct cs_bytes){ raw, 2 * halves[i] }));
		cs_buf_done(&out);
		OPENSSL_free(der);
		ECDSA_SIG_free(sig);
	}
	CHECK_FAILS(cs_der_ecdsa_encode((struct cs_bytes){ raw, 134 }, NULL, &e), CS_E_INVALID,
		    "134 bytes");
}
END_TEST

START_TEST(der_signatures_become_raw_again)
{
	static const uint8_t der[] = { 0x30, 0x08, 0x02, 0x02, 0x00, 0x80, 0x02, 0x02, 0x00, 0xff };
	static const size_t too_short[] = { 0, 1, 2, 3, 5, 6, 8, 9 };
	struct cs_bytes in = { der, sizeof(der) };
	struct cs_err e = { 0 };
	struct cs_buf raw;

	cs_buf_init(&raw, 4);
	CHECK_OK(cs_der_ecdsa_decode(in, 4, &raw, &e));
	ck_assert(cs_bytes_equal(cs_buf_bytes(&raw), BYTES("\x00\x80\x00\xff")));
	CHECK_FAILS(cs_der_ecdsa_decode(in, 2, &raw, &e), CS_E_TOO_LARGE, "4 bytes");
	cs_buf_reset(&raw);
	for (size_t i = 0; i < COUNT(too_short); i++) {
		in.len = too_short[i];
		ck_assert_int_eq(cs_der_ecdsa_decode(in, 4, &raw, NULL), CS_E_INVALID);
	}
	ck_assert_uint_eq(raw.len, 0);
	cs_buf_done(&raw);
}
END_TEST

/* Ecdsa-Sig-Values that are not DER, or not of a curve with halves of 2 bytes; hex. */
static const char *const bad_der[] = {
	"3107020101020101",     /* no SEQUENCE */
	"3006030101020101",     /* no INTEGER */
	"3007020101020101",     /* a longer SEQUENCE than there is */
	"300602010102010100",   /* bytes behind it */
	"308106020101020101",   /* a length in long form that needs none */
	"300702020001020101",   /* a leading zero that it does not need */
	"3006020181020101",     /* negative */
	"3006020100020101",     /* r is zero */
	"3006020101020100",     /* s is zero */
	"30080203010101020101", /* too large for its curve */
	"30050201010200",       /* an empty INTEGER */
	"30800201010201010000", /* indefinite length */
};

START_TEST(loose_der_is_refused)
{
	size_t len = strlen(bad_der[_i]) / 2;
	struct cs_err e = { 0 };
	uint8_t der[16] = { 0 };
	struct cs_buf raw;

	ck_assert(cs_hex_decode(bad_der[_i], der, len));
	cs_buf_init(&raw, 4);
	CHECK_FAILS(cs_der_ecdsa_decode((struct cs_bytes){ der, len }, 4, &raw, &e), CS_E_INVALID,
		    "ECDSA signature: not ");
	ck_assert_uint_eq(raw.len, 0);
	cs_buf_done(&raw);
}
END_TEST

void add_der_tests(TCase *tc)
{
	tcase_add_test(tc, digest_info_is_what_openssl_signs);
	tcase_add_loop_test(tc, ecdsa_signatures_become_der, 0, COUNT(ecdsa));
	tcase_add_test(tc, long_ecdsa_signatures_are_openssls);
	tcase_add_test(tc, der_signatures_become_raw_again);
	tcase_add_loop_test(tc, loose_der_is_refused, 0, COUNT(bad_der));
}

/* --- pk.h */

/* Every scheme that a key can make. */
static const struct {
	enum cs_alg alg;
	enum cs_scheme scheme;
	enum cs_hash hash;
} uses[] = {
	{ CS_ALG_RSA_3072, CS_SCHEME_RSA_PKCS1, CS_HASH_SHA256 },
	{ CS_ALG_RSA_3072, CS_SCHEME_RSA_PKCS1, CS_HASH_SHA512 },
	{ CS_ALG_RSA_3072, CS_SCHEME_RSA_PSS, CS_HASH_SHA256 },
	{ CS_ALG_RSA_3072, CS_SCHEME_RSA_PSS, CS_HASH_SHA384 },
	{ CS_ALG_P256, CS_SCHEME_ECDSA, CS_HASH_SHA256 },
	{ CS_ALG_P384, CS_SCHEME_ECDSA, CS_HASH_SHA384 },
	{ CS_ALG_ED25519, CS_SCHEME_ED25519, CS_HASH_NONE },
};

/* The digest, or the message itself for Ed25519. */
static struct cs_bytes input_of(enum cs_hash h, struct cs_bytes message, uint8_t *digest)
{
	if (h == CS_HASH_NONE)
		return message;
	cs_hash_bytes(h, message, digest);
	return (struct cs_bytes){ digest, cs_hash_len(h) };
}

START_TEST(only_the_right_signature_verifies)
{
	enum cs_scheme scheme = uses[_i].scheme;
	enum cs_hash h = uses[_i].hash;
	EVP_PKEY *key = make_key(uses[_i].alg), *other = make_other(uses[_i].alg);
	struct cs_pk *pk = public_of(key), *other_pk = public_of(other);
	uint8_t digest[CS_HASH_MAX_LEN];
	struct cs_bytes input;
	struct cs_err e = { 0 };
	struct cs_buf sig;

	ck_assert_int_eq(cs_pk_alg(pk), uses[_i].alg);
	sign(key, scheme, h, RSA_PSS_SALTLEN_DIGEST, BYTES("image"), &sig);
	input = input_of(h, BYTES("image"), digest);
	for (int again = 0; again < 3; again++)
		CHECK_OK(cs_pk_verify(pk, scheme, h, input, cs_buf_bytes(&sig), &e));
	CHECK_FAILS(cs_pk_verify(other_pk, scheme, h, input, cs_buf_bytes(&sig), &e),
		    CS_E_SIGNATURE, "does not verify");
	for (size_t i = 0; i < sig.len; i += 7) {
		sig.data[i] ^= 0x10;
		ck_assert_int_eq(cs_pk_verify(pk, scheme, h, input, cs_buf_bytes(&sig), NULL),
				 CS_E_SIGNATURE);
		sig.data[i] ^= 0x10;
	}
	sig.len--;
	ck_assert_int_eq(cs_pk_verify(pk, scheme, h, input, cs_buf_bytes(&sig), NULL),
			 CS_E_SIGNATURE);
	sig.len++;
	cs_buf_add_u8(&sig, 0);
	ck_assert_int_eq(cs_pk_verify(pk, scheme, h, input, cs_buf_bytes(&sig), NULL),
			 CS_E_SIGNATURE);
	ck_assert_int_eq(cs_pk_verify(pk, scheme, h, input, BYTES(""), NULL), CS_E_SIGNATURE);
	sig.len--;
	input = input_of(h, BYTES("imagf"), digest);
	ck_assert_int_eq(cs_pk_verify(pk, scheme, h, input, cs_buf_bytes(&sig), NULL),
			 CS_E_SIGNATURE);
	cs_buf_done(&sig);
	cs_pk_free(pk);
	cs_pk_free(other_pk);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}
END_TEST

START_TEST(pss_demands_its_salt_length)
{
	static const int salts[] = { 0, 20, 31, 33, 64, RSA_PSS_SALTLEN_MAX };
	EVP_PKEY *key = make_key(CS_ALG_RSA_3072);
	uint8_t digest[CS_HASH_MAX_LEN];
	struct cs_pk *pk = public_of(key);
	struct cs_bytes input = input_of(CS_HASH_SHA256, BYTES("image"), digest);
	struct cs_err e = { 0 };
	struct cs_buf sig;

	for (size_t i = 0; i < COUNT(salts); i++) {
		sign(key, CS_SCHEME_RSA_PSS, CS_HASH_SHA256, salts[i], BYTES("image"), &sig);
		CHECK_FAILS(cs_pk_verify(pk, CS_SCHEME_RSA_PSS, CS_HASH_SHA256, input,
					 cs_buf_bytes(&sig), &e),
			    CS_E_SIGNATURE, "does not verify");
		cs_buf_done(&sig);
	}
	/* nor is a signature of one padding one of the other */
	sign(key, CS_SCHEME_RSA_PKCS1, CS_HASH_SHA256, 0, BYTES("image"), &sig);
	ck_assert_int_eq(cs_pk_verify(pk, CS_SCHEME_RSA_PSS, CS_HASH_SHA256, input,
				      cs_buf_bytes(&sig), NULL),
			 CS_E_SIGNATURE);
	cs_buf_done(&sig);
	cs_pk_free(pk);
	EVP_PKEY_free(key);
}
END_TEST

/* What does not go together; each is the caller's fault, whatever the signature. */
static const struct {
	enum cs_alg alg;
	enum cs_scheme scheme;
	enum cs_hash hash;
	size_t len;
} misfits[] = {
	{ CS_ALG_RSA_3072, CS_SCHEME_ECDSA, CS_HASH_SHA256, 32 },
	{ CS_ALG_RSA_3072, CS_SCHEME_ED25519, CS_HASH_SHA256, 32 },
	{ CS_ALG_RSA_3072, CS_SCHEME_RSA_PSS, CS_HASH_NONE, 32 },
	{ CS_ALG_RSA_3072, CS_SCHEME_NONE, CS_HASH_SHA256, 32 },
	{ CS_ALG_RSA_3072, CS_SCHEME_RSA_PKCS1, CS_HASH_SHA256, 20 },
	{ CS_ALG_P256, CS_SCHEME_RSA_PSS, CS_HASH_SHA256, 32 },
	{ CS_ALG_P256, CS_SCHEME_ECDSA, CS_HASH_SHA384, 48 },
	{ CS_ALG_P256, CS_SCHEME_ECDSA, CS_HASH_SHA512, 64 },
	{ CS_ALG_P256, CS_SCHEME_ECDSA, CS_HASH_SHA256, 31 },
	{ CS_ALG_P256, CS_SCHEME_ECDSA, CS_HASH_SHA256, 64 },
	{ CS_ALG_P384, CS_SCHEME_ECDSA, CS_HASH_SHA256, 32 },
	{ CS_ALG_ED25519, CS_SCHEME_ECDSA, CS_HASH_SHA256, 32 },
};

START_TEST(misfits_are_refused)
{
	EVP_PKEY *key = make_key(misfits[_i].alg);
	struct cs_pk *pk = public_of(key);
	uint8_t digest[64] = { 1 };
	struct cs_err e = { 0 };

	CHECK_FAILS(cs_pk_verify(pk, misfits[_i].scheme, misfits[_i].hash,
				 (struct cs_bytes){ digest, misfits[_i].len }, BYTES("sig"), &e),
		    CS_E_INVALID, "");
	cs_pk_free(pk);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(algorithms_have_names)
{
	for (int a = CS_ALG_RSA_3072; a <= CS_ALG_ED25519; a++)
		ck_assert_int_eq((int)cs_alg_from_name(cs_alg_name((enum cs_alg)a)), a);
	ck_assert_int_eq(cs_alg_from_name("none"), CS_ALG_NONE);
	ck_assert_int_eq(cs_alg_from_name("rsa-2048"), CS_ALG_NONE);
	ck_assert(cs_alg_is_rsa(CS_ALG_RSA_4096) && !cs_alg_is_rsa(CS_ALG_P256));
	ck_assert(cs_alg_is_ecdsa(CS_ALG_P384) && !cs_alg_is_ecdsa(CS_ALG_ED25519));
}
END_TEST

/* The same key by every way in: SPKI, PEM, certificate, and the numbers that PKCS#11 gives. */
static void check_same(struct cs_pk *pk, enum cs_rc rc, const struct cs_err *e,
		       const struct cs_pk *want)
{
	ck_assert_msg(rc == CS_OK, "%s", e->msg);
	ck_assert(cs_bytes_equal(cs_pk_spki(pk), cs_pk_spki(want)));
	ck_assert(cs_sha256_equal(cs_pk_spki_sha256(pk), cs_pk_spki_sha256(want)));
	ck_assert_int_eq(cs_pk_alg(pk), cs_pk_alg(want));
	cs_pk_free(pk);
}

START_TEST(numbers_make_the_same_key)
{
	uint8_t n[512], exponent[3] = { 1, 0, 1 }, point[2 + 97], raw[32];
	struct cs_err e = { 0 };
	BIGNUM *modulus = NULL;
	struct cs_pk *want, *pk = NULL;
	enum cs_alg curve;
	EVP_PKEY *key;
	enum cs_rc rc;
	size_t len;

	key = make_key(CS_ALG_RSA_3072);
	want = public_of(key);
	EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_N, &modulus);
	BN_bn2bin(modulus, n);
	rc = cs_pk_from_rsa((struct cs_bytes){ n, 384 }, (struct cs_bytes){ exponent, 3 }, &pk, &e);
	check_same(pk, rc, &e, want);
	exponent[2] = 3;
	CHECK_FAILS(cs_pk_from_rsa((struct cs_bytes){ n, 384 }, (struct cs_bytes){ exponent, 3 },
				   &pk, &e),
		    CS_E_INVALID, "exponent must be 65537");
	exponent[2] = 1;
	CHECK_FAILS(cs_pk_from_rsa((struct cs_bytes){ n, 256 }, (struct cs_bytes){ exponent, 3 },
				   &pk, &e),
		    CS_E_INVALID, "3072 or 4096");
	CHECK_FAILS(cs_pk_from_rsa(BYTES(""), (struct cs_bytes){ exponent, 3 }, &pk, &e),
		    CS_E_INVALID, "length");
	n[383] &= 0xfe;
	CHECK_FAILS(cs_pk_from_rsa((struct cs_bytes){ n, 384 }, (struct cs_bytes){ exponent, 3 },
				   &pk, &e),
		    CS_E_INVALID, "not valid");
	BN_free(modulus);
	cs_pk_free(want);
	EVP_PKEY_free(key);

	for (curve = CS_ALG_P256; curve <= CS_ALG_P384; curve++) {
		key = make_key(curve);
		want = public_of(key);
		EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, point + 2, 97, &len);
		point[0] = 0x04;
		point[1] = (uint8_t)len;
		rc = cs_pk_from_ec(curve, (struct cs_bytes){ point + 2, len }, &pk, &e);
		check_same(pk, rc, &e, want);
		rc = cs_pk_from_ec(curve, (struct cs_bytes){ point, len + 2 }, &pk, &e);
		check_same(pk, rc, &e, want);
		CHECK_FAILS(cs_pk_from_ec(curve, (struct cs_bytes){ point, len + 1 }, &pk, &e),
			    CS_E_INVALID, "uncompressed");
		point[len + 1] ^= 1;
		CHECK_FAILS(cs_pk_from_ec(curve, (struct cs_bytes){ point, len + 2 }, &pk, &e),
			    CS_E_INVALID, "public key");
		cs_pk_free(want);
		EVP_PKEY_free(key);
	}

	key = make_key(CS_ALG_ED25519);
	want = public_of(key);
	len = sizeof(raw);
	EVP_PKEY_get_raw_public_key(key, raw, &len);
	rc = cs_pk_from_ed25519((struct cs_bytes){ raw, 32 }, &pk, &e);
	check_same(pk, rc, &e, want);
	CHECK_FAILS(cs_pk_from_ed25519((struct cs_bytes){ raw, 31 }, &pk, &e), CS_E_INVALID,
		    "32 bytes");
	cs_pk_free(want);
	EVP_PKEY_free(key);
}
END_TEST

/* A self-signed certificate of a key, as PEM. */
static void certificate_of(EVP_PKEY *key, BIO *out)
{
	X509 *cert = X509_new();

	X509_set_pubkey(cert, key);
	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	ck_assert_int_gt(X509_sign(cert, key, EVP_sha256()), 0);
	PEM_write_bio_X509(out, cert);
	X509_free(cert);
}

static struct cs_bytes bio_bytes(BIO *bio)
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);

	return (struct cs_bytes){ (const uint8_t *)data, (size_t)len };
}

START_TEST(pem_has_one_block_that_is_a_key)
{
	EVP_PKEY *key = make_key(CS_ALG_P256);
	struct cs_pk *want = public_of(key), *pk = NULL;
	BIO *openssl = BIO_new(BIO_s_mem()), *cert = BIO_new(BIO_s_mem());
	BIO *private = BIO_new(BIO_s_mem());
	struct cs_err e = { 0 };
	struct cs_buf pem;
	enum cs_rc rc;

	cs_buf_init(&pem, CS_PEM_MAX + 1);
	cs_pk_to_pem(want, &pem);
	PEM_write_bio_PUBKEY(openssl, key);
	ck_assert(cs_bytes_equal(cs_buf_bytes(&pem), bio_bytes(openssl)));
	rc = cs_pk_from_pem(cs_buf_bytes(&pem), &pk, &e);
	check_same(pk, rc, &e, want);
	certificate_of(key, cert);
	rc = cs_pk_from_pem(bio_bytes(cert), &pk, &e);
	check_same(pk, rc, &e, want);

	cs_pk_to_pem(want, &pem);
	CHECK_FAILS(cs_pk_from_pem(cs_buf_bytes(&pem), &pk, &e), CS_E_INVALID, "more than one");
	PEM_write_bio_PrivateKey(private, key, NULL, NULL, 0, NULL, NULL);
	CHECK_FAILS(cs_pk_from_pem(bio_bytes(private), &pk, &e), CS_E_INVALID, "neither PUBLIC");
	CHECK_FAILS(cs_pk_from_pem(BYTES("no key"), &pk, &e), CS_E_INVALID, "not PEM");
	CHECK_FAILS(cs_pk_from_pem(BYTES(""), &pk, &e), CS_E_INVALID, "0 bytes");
	CHECK_FAILS(cs_pk_from_pem(BYTES("-----BEGIN CERTIFICATE-----\nMAA=\n"
					 "-----END CERTIFICATE-----\n"),
				   &pk, &e),
		    CS_E_INVALID, "not a certificate");
	cs_buf_reset(&pem);
	while (pem.failed == CS_OK)
		cs_buf_add_char(&pem, '\n');
	CHECK_FAILS(cs_pk_from_pem(cs_buf_bytes(&pem), &pk, &e), CS_E_INVALID, "65537 bytes");
	cs_buf_done(&pem);
	BIO_free(openssl);
	BIO_free(cert);
	BIO_free(private);
	cs_pk_free(want);
	EVP_PKEY_free(key);
}
END_TEST

static EVP_PKEY *make_p521(void)
{
	return EVP_EC_gen("P-521");
}

static EVP_PKEY *make_secp256k1(void)
{
	return EVP_EC_gen("secp256k1");
}

static EVP_PKEY *make_rsa_2048(void)
{
	return EVP_RSA_gen(2048);
}

static EVP_PKEY *make_rsa_3080(void)
{
	return EVP_RSA_gen(3080);
}

static EVP_PKEY *make_ed448(void)
{
	return EVP_PKEY_Q_keygen(NULL, NULL, "ED448");
}

static EVP_PKEY *make_x25519(void)
{
	return EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
}

static EVP_PKEY *make_rsa_pss(void)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_RSA_PSS, NULL);
	EVP_PKEY *key = NULL;

	EVP_PKEY_keygen_init(ctx);
	EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 3072);
	EVP_PKEY_keygen(ctx, &key);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static EVP_PKEY *make_compressed(void)
{
	EVP_PKEY *key = make_key(CS_ALG_P256);

	EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
				       "compressed");
	return key;
}

static EVP_PKEY *make_explicit_curve(void)
{
	EVP_PKEY *key = make_key(CS_ALG_P256);

	EVP_PKEY_set_utf8_string_param(key, OSSL_PKEY_PARAM_EC_ENCODING, "explicit");
	return key;
}

static const struct {
	EVP_PKEY *(*make)(void);
	const char *part;
} foreign_keys[] = {
	{ make_p521, "not RSA of" },          { make_secp256k1, "not RSA of" },
	{ make_rsa_2048, "not RSA of" },      { make_rsa_3080, "not RSA of" },
	{ make_ed448, "not RSA of" },         { make_x25519, "not RSA of" },
	{ make_rsa_pss, "not RSA of" },       { make_compressed, "canonical" },
	{ make_explicit_curve, "canonical" },
};

START_TEST(foreign_keys_are_refused)
{
	EVP_PKEY *key = foreign_keys[_i].make();
	struct cs_err e = { 0 };
	struct cs_pk *pk = NULL;
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(key, &der);

	ck_assert_int_gt(len, 0);
	CHECK_FAILS(cs_pk_from_spki((struct cs_bytes){ der, (size_t)len }, &pk, &e), CS_E_INVALID,
		    foreign_keys[_i].part);
	ck_assert_ptr_null(pk);
	OPENSSL_free(der);
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(a_changed_spki_is_no_key_or_another)
{
	static const enum cs_alg list[] = { CS_ALG_RSA_3072, CS_ALG_P256, CS_ALG_ED25519 };
	EVP_PKEY *key = make_key(list[_i]);
	struct cs_pk *want = public_of(key), *pk = NULL;
	uint8_t der[CS_SPKI_MAX + 1] = { 0 };
	size_t len = cs_pk_spki(want).len;
	struct cs_err e = { 0 };

	memcpy(der, cs_pk_spki(want).data, len);
	for (size_t cut = 0; cut < len; cut++)
		ck_assert_int_eq(cs_pk_from_spki((struct cs_bytes){ der, cut }, &pk, NULL),
				 CS_E_INVALID);
	CHECK_FAILS(cs_pk_from_spki((struct cs_bytes){ der, len + 1 }, &pk, &e), CS_E_INVALID,
		    "bytes follow");
	CHECK_FAILS(cs_pk_from_spki((struct cs_bytes){ der, sizeof(der) }, &pk, &e), CS_E_INVALID,
		    "2049 bytes");
	/* the header in front of the numbers is fixed: no change of it is another way to write it
	 */
	for (size_t i = 0; i < (list[_i] == CS_ALG_RSA_3072 ? 24 : 12); i++) {
		der[i] ^= 0x01;
		ck_assert_int_eq(cs_pk_from_spki((struct cs_bytes){ der, len }, &pk, NULL),
				 CS_E_INVALID);
		der[i] ^= 0x01;
	}
	cs_pk_free(want);
	EVP_PKEY_free(key);
}
END_TEST

void add_pk_tests(TCase *tc)
{
	tcase_set_timeout(tc, 60); /* RSA keys are made under sanitizers and valgrind, too */
	tcase_add_loop_test(tc, only_the_right_signature_verifies, 0, COUNT(uses));
	tcase_add_test(tc, pss_demands_its_salt_length);
	tcase_add_loop_test(tc, misfits_are_refused, 0, COUNT(misfits));
	tcase_add_test(tc, algorithms_have_names);
	tcase_add_test(tc, numbers_make_the_same_key);
	tcase_add_test(tc, pem_has_one_block_that_is_a_key);
	tcase_add_loop_test(tc, foreign_keys_are_refused, 0, COUNT(foreign_keys));
	tcase_add_loop_test(tc, a_changed_spki_is_no_key_or_another, 0, 3);
}

/* --- dsse.h */

#define TYPE "application/vnd.countersign.decision+json"

START_TEST(pae_is_the_specifications)
{
	struct cs_buf b;

	cs_buf_init(&b, 200);
	cs_dsse_pae("http://example.com/HelloWorld", BYTES("hello world"), &b);
	ck_assert_str_eq(cs_buf_str(&b), "DSSEv1 29 http://example.com/HelloWorld 11 hello world");
	cs_buf_reset(&b);
	cs_dsse_pae("", BYTES(""), &b);
	ck_assert_str_eq(cs_buf_str(&b), "DSSEv1 0  0 ");
	cs_buf_done(&b);
}
END_TEST

/* An envelope by a key, signed with OpenSSL. */
static void seal(EVP_PKEY *key, const struct cs_pk *pk, const char *type, struct cs_bytes payload,
		 struct cs_buf *out)
{
	enum cs_scheme scheme;
	enum cs_hash hash;
	struct cs_buf pae, sig;

	cs_dsse_scheme(cs_pk_alg(pk), &scheme, &hash);
	cs_buf_init(&pae, CS_DSSE_MAX);
	cs_dsse_pae(type, payload, &pae);
	sign(key, scheme, hash, RSA_PSS_SALTLEN_DIGEST, cs_buf_bytes(&pae), &sig);
	cs_buf_init(out, CS_DSSE_MAX);
	cs_dsse_write(type, payload, cs_pk_spki_sha256(pk), cs_buf_bytes(&sig), out);
	cs_buf_done(&pae);
	cs_buf_done(&sig);
}

static const enum cs_alg dsse_algs[] = { CS_ALG_RSA_3072, CS_ALG_P256, CS_ALG_P384,
					 CS_ALG_ED25519 };

START_TEST(an_envelope_verifies_under_its_key_only)
{
	EVP_PKEY *key = make_key(dsse_algs[_i]), *other = make_other(dsse_algs[_i]);
	struct cs_pk *pk = public_of(key), *other_pk = public_of(other);
	struct cs_err e = { 0 };
	struct cs_buf envelope;
	struct cs_dsse d;

	seal(key, pk, TYPE, BYTES("{\"a\":1}"), &envelope);
	CHECK_OK(cs_dsse_parse(cs_buf_bytes(&envelope), &d, &e));
	ck_assert_str_eq(d.payload_type, TYPE);
	ck_assert_str_eq(cs_buf_str(&d.payload), "{\"a\":1}");
	CHECK_OK(cs_dsse_verify(&d, TYPE, pk, &e));
	CHECK_FAILS(cs_dsse_verify(&d, "text/plain", pk, &e), CS_E_INVALID, "text/plain is wanted");
	CHECK_FAILS(cs_dsse_verify(&d, TYPE, other_pk, &e), CS_E_SIGNATURE, "another key");
	d.keyid = *cs_pk_spki_sha256(other_pk);
	CHECK_FAILS(cs_dsse_verify(&d, TYPE, other_pk, &e), CS_E_SIGNATURE, "does not verify");
	d.keyid = *cs_pk_spki_sha256(pk);
	d.payload.data[5] = '2';
	CHECK_FAILS(cs_dsse_verify(&d, TYPE, pk, &e), CS_E_SIGNATURE, "does not verify");
	d.payload.data[5] = '1';
	/* the type is signed, too */
	free(d.payload_type);
	d.payload_type = strdup("text/plain");
	CHECK_FAILS(cs_dsse_verify(&d, "text/plain", pk, &e), CS_E_SIGNATURE, "does not verify");
	cs_dsse_done(&d);
	cs_buf_done(&envelope);
	cs_pk_free(pk);
	cs_pk_free(other_pk);
	EVP_PKEY_free(key);
	EVP_PKEY_free(other);
}
END_TEST

#define KEYID "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SIG "{\"keyid\":\"" KEYID "\",\"sig\":\"AAAA\"}"
#define ENVELOPE(payload, type, sigs) \
	"{\"payload\":\"" payload "\",\"payloadType\":\"" type "\",\"signatures\":[" sigs "]}"

static const struct {
	const char *text, *part;
} bad_envelopes[] = {
	{ "", "DSSE envelope: empty" },
	{ "{}", "payload: missing" },
	{ ENVELOPE("e30=", "t", ""), "signatures: 0 elements" },
	{ ENVELOPE("e30=", "t", SIG "," SIG), "signatures: 2 elements" },
	{ ENVELOPE("e30=", "t", "7"), "signatures[0]: an integer" },
	{ ENVELOPE("e30=", "t", "{\"keyid\":\"" KEYID "\"}"), "signatures[0].sig: missing" },
	{ ENVELOPE("e30=", "t", "{\"sig\":\"AAAA\"}"), "signatures[0].keyid: missing" },
	{ ENVELOPE("e30=", "t", "{\"keyid\":\"00\",\"sig\":\"AAAA\"}"), "signatures[0].keyid" },
	{ ENVELOPE("e30=", "t", "{\"alg\":\"x\",\"keyid\":\"" KEYID "\",\"sig\":\"AAAA\"}"),
	  "signatures[0].alg: unknown field" },
	{ ENVELOPE("e30=", "t", "{\"keyid\":\"" KEYID "\",\"sig\":\"AA-_\"}"),
	  "signatures[0].sig: no strict base64" },
	{ ENVELOPE("e30", "t", SIG), "payload: 3 characters" },
	{ ENVELOPE("e31=", "t", SIG), "payload: no strict base64" },
	{ ENVELOPE("e30=", "", SIG), "payloadType: 0 bytes" },
	{ ENVELOPE("e30=", "a b", SIG), "payloadType: only letters" },
	{ ENVELOPE("e30=", "t", SIG) " ", "not canonical" },
	{ "{\"payloadType\":\"t\",\"payload\":\"e30=\",\"signatures\":[" SIG "]}",
	  "not canonical" },
	{ "{\"extra\":1,\"payload\":\"e30=\",\"payloadType\":\"t\",\"signatures\":[" SIG "]}",
	  "extra: unknown field" },
};

START_TEST(malformed_envelopes_are_refused)
{
	struct cs_err e = { 0 };
	struct cs_dsse d;

	CHECK_FAILS(cs_dsse_parse(cs_bytes_of(bad_envelopes[_i].text), &d, &e), CS_E_INVALID,
		    bad_envelopes[_i].part);
	ck_assert_ptr_nonnull(strstr(e.msg, "DSSE envelope"));
}
END_TEST

START_TEST(an_envelope_has_limits)
{
	struct cs_sha256 keyid = { { 0 } };
	static uint8_t big[CS_DSSE_PAYLOAD_MAX + 1];
	struct cs_err e = { 0 };
	struct cs_buf envelope;
	struct cs_dsse d;

	cs_buf_init(&envelope, 2 * CS_DSSE_MAX);
	cs_dsse_write("t", (struct cs_bytes){ big, sizeof(big) - 1 }, &keyid, BYTES("sig"),
		      &envelope);
	CHECK_OK(cs_dsse_parse(cs_buf_bytes(&envelope), &d, &e));
	ck_assert_uint_eq(d.payload.len, CS_DSSE_PAYLOAD_MAX);
	cs_dsse_done(&d);
	cs_dsse_done(&d);
	cs_buf_reset(&envelope);
	cs_dsse_write("t", (struct cs_bytes){ big, sizeof(big) }, &keyid, BYTES("sig"), &envelope);
	CHECK_FAILS(cs_dsse_parse(cs_buf_bytes(&envelope), &d, &e), CS_E_TOO_LARGE, "payload");
	cs_buf_reset(&envelope);
	cs_dsse_write("t", (struct cs_bytes){ big, sizeof(big) }, &keyid,
		      (struct cs_bytes){ big, sizeof(big) - 1 }, &envelope);
	CHECK_FAILS(cs_dsse_parse(cs_buf_bytes(&envelope), &d, &e), CS_E_TOO_LARGE,
		    "the limit is 131072");
	cs_buf_done(&envelope);
}
END_TEST

void add_dsse_tests(TCase *tc)
{
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, pae_is_the_specifications);
	tcase_add_loop_test(tc, an_envelope_verifies_under_its_key_only, 0, COUNT(dsse_algs));
	tcase_add_loop_test(tc, malformed_envelopes_are_refused, 0, COUNT(bad_envelopes));
	tcase_add_test(tc, an_envelope_has_limits);
}
