/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public keys: parsing, identity, text forms.
 * Must not accept two encodings of one key: its SPKI bytes are its identity.
 * See pk.h for the contract; verifying is in pk_verify.c.
 */
#include "base/pk.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/enc.h"
#include "base/pk_internal.h"

#define PEM_LINE 64

/*
 * The algorithms. spki_len is the only length that the canonical encoding can have: it rules out
 * compressed points, explicit curves and missing NULL parameters before anything else looks.
 */
static const struct {
	const char *name;
	int type;
	int bits;
	size_t spki_len;
	const char *group;
} algs[] = {
	[CS_ALG_NONE] = { "none", 0, 0, 0, NULL },
	[CS_ALG_RSA_3072] = { "rsa-3072", EVP_PKEY_RSA, 3072, 422, NULL },
	[CS_ALG_RSA_4096] = { "rsa-4096", EVP_PKEY_RSA, 4096, 550, NULL },
	[CS_ALG_P256] = { "p-256", EVP_PKEY_EC, 256, 91, "prime256v1" },
	[CS_ALG_P384] = { "p-384", EVP_PKEY_EC, 384, 120, "secp384r1" },
	[CS_ALG_ED25519] = { "ed25519", EVP_PKEY_ED25519, 256, 44, NULL },
};

#define ALGS (sizeof(algs) / sizeof(algs[0]))

const char *cs_alg_name(enum cs_alg a)
{
	assert((unsigned)a < ALGS);
	return algs[a].name;
}

enum cs_alg cs_alg_from_name(const char *name)
{
	for (unsigned i = CS_ALG_NONE + 1; i < ALGS; i++) {
		if (strcmp(name, algs[i].name) == 0)
			return (enum cs_alg)i;
	}
	return CS_ALG_NONE;
}

bool cs_alg_is_rsa(enum cs_alg a)
{
	return a == CS_ALG_RSA_3072 || a == CS_ALG_RSA_4096;
}

bool cs_alg_is_ecdsa(enum cs_alg a)
{
	return a == CS_ALG_P256 || a == CS_ALG_P384;
}

/* OpenSSL's own queue stays empty: what it knew is not for the reader of our message. */
static enum cs_rc refuse(struct cs_err *e, const char *why)
{
	ERR_clear_error();
	return CS_FAIL(e, CS_E_INVALID, "public key: %s", why);
}

static enum cs_rc no_memory(struct cs_err *e)
{
	ERR_clear_error();
	return CS_FAIL(e, CS_E_NOMEM, "public key: out of memory");
}

/* The algorithm of a parsed key, NONE when it is not on our list. */
static enum cs_alg classify(const EVP_PKEY *key)
{
	char group[32] = "";
	size_t len = 0;

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
	    EVP_PKEY_get_group_name(key, group, sizeof(group), &len) != 1)
		return CS_ALG_NONE;
	for (unsigned i = CS_ALG_NONE + 1; i < ALGS; i++) {
		if (algs[i].type == EVP_PKEY_get_base_id(key) &&
		    algs[i].bits == EVP_PKEY_get_bits(key) &&
		    (!algs[i].group || strcmp(algs[i].group, group) == 0))
			return (enum cs_alg)i;
	}
	return CS_ALG_NONE;
}

static bool has_exponent_65537(const EVP_PKEY *key)
{
	BIGNUM *exponent = NULL;
	bool ok = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &exponent) == 1 &&
		  BN_is_word(exponent, RSA_F4);

	BN_free(exponent);
	return ok;
}

/* True when the key encodes to exactly the bytes that it came from. */
static bool encodes_to(const EVP_PKEY *key, struct cs_bytes spki)
{
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(key, &der);
	bool same = len > 0 &&
		    cs_bytes_equal(spki, (struct cs_bytes){ der, len > 0 ? (size_t)len : 0 });

	OPENSSL_free(der);
	return same;
}

/* Points on the curve, a modulus that is odd and composite: what OpenSSL can know. */
static bool is_sound(EVP_PKEY *key)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
	bool ok = ctx && EVP_PKEY_public_check(ctx) == 1;

	EVP_PKEY_CTX_free(ctx);
	return ok;
}

static enum cs_rc check_key(EVP_PKEY *key, struct cs_bytes spki, enum cs_alg *algp,
			    struct cs_err *e)
{
	enum cs_alg alg = classify(key);

	if (alg == CS_ALG_NONE)
		return refuse(e, "not RSA of 3072 or 4096 bits, P-256, P-384 or Ed25519");
	if (cs_alg_is_rsa(alg) && !has_exponent_65537(key))
		return refuse(e, "the RSA exponent must be 65537");
	if (spki.len != algs[alg].spki_len || !encodes_to(key, spki))
		return refuse(e, "not the canonical SubjectPublicKeyInfo of its key");
	if (!is_sound(key))
		return refuse(e, "the point or modulus is not valid");
	*algp = alg;
	return CS_OK;
}

enum cs_rc cs_pk_from_spki(struct cs_bytes spki, struct cs_pk **pkp, struct cs_err *e)
{
	const uint8_t *p = spki.data;
	struct cs_pk *pk = NULL;
	enum cs_rc rc;

	if (spki.len == 0 || spki.len > CS_SPKI_MAX)
		return CS_FAIL(e, CS_E_INVALID, "public key: %zu bytes; 1 to %d are allowed",
			       spki.len, CS_SPKI_MAX);
	pk = calloc(1, sizeof(*pk));
	if (!pk)
		return no_memory(e);
	cs_buf_init(&pk->spki, CS_SPKI_MAX);
	pk->key = d2i_PUBKEY(NULL, &p, (long)spki.len);
	if (!pk->key) {
		rc = refuse(e, "not a DER SubjectPublicKeyInfo of a known algorithm");
		goto out;
	}
	if (p != spki.data + spki.len) {
		rc = refuse(e, "bytes follow the SubjectPublicKeyInfo");
		goto out;
	}
	rc = check_key(pk->key, spki, &pk->alg, e);
	if (rc != CS_OK)
		goto out;
	cs_buf_add(&pk->spki, spki.data, spki.len);
	rc = cs_buf_ok(&pk->spki, "public key", e);
	if (rc != CS_OK)
		goto out;
	pk->spki_sha256 = cs_sha256(spki);

	*pkp = pk;
	pk = NULL; /* transferred */
out:
	ERR_clear_error();
	cs_pk_free(pk);
	return rc;
}

/* The SPKI of a certificate, as it stands there. */
static enum cs_rc from_certificate(const uint8_t *der, long len, struct cs_pk **pkp,
				   struct cs_err *e)
{
	X509 *cert = d2i_X509(NULL, &der, len);
	uint8_t *spki = NULL;
	int spki_len = cert ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &spki) : 0;
	enum cs_rc rc;

	if (spki_len <= 0)
		rc = refuse(e, "not a certificate");
	else
		rc = cs_pk_from_spki((struct cs_bytes){ spki, (size_t)spki_len }, pkp, e);
	OPENSSL_free(spki);
	X509_free(cert);
	return rc;
}

/* True when another PEM block follows: then it is not clear which key is meant. */
static bool has_another_block(BIO *bio)
{
	char *name = NULL, *header = NULL;
	uint8_t *data = NULL;
	long len = 0;
	bool found = PEM_read_bio(bio, &name, &header, &data, &len) == 1;

	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_free(data);
	return found;
}

enum cs_rc cs_pk_from_pem(struct cs_bytes pem, struct cs_pk **pkp, struct cs_err *e)
{
	char *name = NULL, *header = NULL;
	struct cs_pk *pk = NULL;
	uint8_t *data = NULL;
	long len = 0;
	BIO *bio;
	enum cs_rc rc;

	if (pem.len == 0 || pem.len > CS_PEM_MAX)
		return CS_FAIL(e, CS_E_INVALID, "public key: %zu bytes of PEM; 1 to %d are allowed",
			       pem.len, CS_PEM_MAX);
	bio = BIO_new_mem_buf(pem.data, (int)pem.len);
	if (!bio)
		return no_memory(e);
	if (PEM_read_bio(bio, &name, &header, &data, &len) != 1)
		rc = refuse(e, "not PEM");
	else if (has_another_block(bio))
		rc = refuse(e, "more than one PEM block; leave the one that is meant");
	else if (strcmp(name, PEM_STRING_PUBLIC) == 0)
		rc = cs_pk_from_spki((struct cs_bytes){ data, (size_t)len }, &pk, e);
	else if (strcmp(name, PEM_STRING_X509) == 0)
		rc = from_certificate(data, len, &pk, e);
	else
		rc = refuse(e, "the PEM block is neither PUBLIC KEY nor CERTIFICATE");
	if (rc == CS_OK)
		*pkp = pk;
	OPENSSL_free(name);
	OPENSSL_free(header);
	OPENSSL_clear_free(data, len > 0 ? (size_t)len : 0);
	BIO_free(bio);
	ERR_clear_error();
	return rc;
}

/* A key from OpenSSL parameters, by way of its SPKI, so that all keys pass the same checks. */
static enum cs_rc from_params(const char *type, OSSL_PARAM *params, struct cs_pk **pkp,
			      struct cs_err *e)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *key = NULL;
	uint8_t *der = NULL;
	int len;
	enum cs_rc rc;

	if (!ctx || !params) {
		rc = no_memory(e);
		goto out;
	}
	if (EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params) != 1) {
		rc = refuse(e, "its numbers make no valid key");
		goto out;
	}
	len = i2d_PUBKEY(key, &der);
	if (len <= 0) {
		rc = refuse(e, "it has no encoding");
		goto out;
	}
	rc = cs_pk_from_spki((struct cs_bytes){ der, (size_t)len }, pkp, e);
out:
	OPENSSL_free(der);
	EVP_PKEY_free(key);
	EVP_PKEY_CTX_free(ctx);
	return rc;
}

enum cs_rc cs_pk_from_rsa(struct cs_bytes n, struct cs_bytes exponent, struct cs_pk **pkp,
			  struct cs_err *e)
{
	OSSL_PARAM_BLD *bld = NULL;
	OSSL_PARAM *params = NULL;
	BIGNUM *bn_n = NULL, *bn_e = NULL;
	enum cs_rc rc;

	if (n.len == 0 || n.len > CS_SPKI_MAX || exponent.len == 0 || exponent.len > 8)
		return refuse(e, "the RSA modulus or exponent has an impossible length");
	bld = OSSL_PARAM_BLD_new();
	bn_n = BN_bin2bn(n.data, (int)n.len, NULL);
	bn_e = BN_bin2bn(exponent.data, (int)exponent.len, NULL);
	if (bld && bn_n && bn_e && OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_N, bn_n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(bld, OSSL_PKEY_PARAM_RSA_E, bn_e) == 1)
		params = OSSL_PARAM_BLD_to_param(bld);
	rc = from_params("RSA", params, pkp, e);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(bld);
	BN_free(bn_n);
	BN_free(bn_e);
	return rc;
}

/* CKA_EC_POINT is a DER OCTET STRING; some modules give the bare point. */
static struct cs_bytes unwrap_point(struct cs_bytes point, size_t want)
{
	if (point.len == want + 2 && point.data[0] == 0x04 && point.data[1] == want)
		return (struct cs_bytes){ point.data + 2, want };
	return point;
}

enum cs_rc cs_pk_from_ec(enum cs_alg curve, struct cs_bytes point, struct cs_pk **pkp,
			 struct cs_err *e)
{
	uint8_t raw[1 + 2 * 48];
	char group[16];
	size_t want;
	OSSL_PARAM params[3];

	assert(cs_alg_is_ecdsa(curve));

	want = 1 + 2 * (size_t)algs[curve].bits / 8;
	point = unwrap_point(point, want);
	if (point.len != want || point.data[0] != 0x04)
		return refuse(e, "the EC point is not an uncompressed one of its curve");
	/* copies, because OSSL_PARAM wants writable memory */
	memcpy(raw, point.data, want);
	memcpy(group, algs[curve].group, strlen(algs[curve].group) + 1);
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0);
	params[1] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, raw, want);
	params[2] = OSSL_PARAM_construct_end();
	return from_params("EC", params, pkp, e);
}

enum cs_rc cs_pk_from_ed25519(struct cs_bytes raw, struct cs_pk **pkp, struct cs_err *e)
{
	uint8_t copy[32];
	OSSL_PARAM params[2];

	if (raw.len != sizeof(copy))
		return refuse(e, "an Ed25519 key has 32 bytes");
	memcpy(copy, raw.data, sizeof(copy));
	params[0] = OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy, sizeof(copy));
	params[1] = OSSL_PARAM_construct_end();
	return from_params("ED25519", params, pkp, e);
}

void cs_pk_free(struct cs_pk *pk)
{
	if (!pk)
		return;
	EVP_PKEY_free(pk->key);
	cs_pk_table_free(atomic_load(&pk->table));
	cs_buf_done(&pk->spki);
	free(pk);
}

enum cs_alg cs_pk_alg(const struct cs_pk *pk)
{
	return pk->alg;
}

struct cs_bytes cs_pk_spki(const struct cs_pk *pk)
{
	return cs_buf_bytes(&pk->spki);
}

const struct cs_sha256 *cs_pk_spki_sha256(const struct cs_pk *pk)
{
	return &pk->spki_sha256;
}

void cs_pk_to_pem(const struct cs_pk *pk, struct cs_buf *out)
{
	char text[CS_BASE64_LEN(CS_SPKI_MAX) + 1];
	size_t len = CS_BASE64_LEN(pk->spki.len);

	cs_base64_encode(pk->spki.data, pk->spki.len, text);
	cs_buf_add_str(out, "-----BEGIN PUBLIC KEY-----\n");
	for (size_t i = 0; i < len; i += PEM_LINE)
		cs_buf_addf(out, "%.*s\n", PEM_LINE, text + i);
	cs_buf_add_str(out, "-----END PUBLIC KEY-----\n");
}
