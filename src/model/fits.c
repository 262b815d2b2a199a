/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of formats, keys and hashes.
 * Must not know how a signature is made: that is format/.
 */
#include "model/fits.h"

#define H(hash) (1U << (hash))
#define ANY_HASH (H(CS_HASH_SHA256) | H(CS_HASH_SHA384) | H(CS_HASH_SHA512))

static const struct row {
	enum cs_format format;
	enum cs_alg alg;
	unsigned hashes;
} rows[] = {
	{ CS_FORMAT_RSA_PKCS1, CS_ALG_RSA_3072, ANY_HASH },
	{ CS_FORMAT_RSA_PKCS1, CS_ALG_RSA_4096, ANY_HASH },
	{ CS_FORMAT_RSA_PSS, CS_ALG_RSA_3072, ANY_HASH },
	{ CS_FORMAT_RSA_PSS, CS_ALG_RSA_4096, ANY_HASH },
	/* a longer digest would be cut to the order's length without a word: FIPS 186-5 §6.4.1 */
	{ CS_FORMAT_ECDSA, CS_ALG_P256, H(CS_HASH_SHA256) },
	{ CS_FORMAT_ECDSA, CS_ALG_P384, H(CS_HASH_SHA384) },
	{ CS_FORMAT_ED25519_DIGEST, CS_ALG_ED25519, H(CS_HASH_SHA256) | H(CS_HASH_SHA512) },
};

static const char *const wanted[CS_FORMAT__COUNT] = {
	[CS_FORMAT_NONE] = "nothing",
	[CS_FORMAT_RSA_PKCS1] = "an rsa-3072 or rsa-4096 key with sha256, sha384 or sha512",
	[CS_FORMAT_RSA_PSS] = "an rsa-3072 or rsa-4096 key with sha256, sha384 or sha512",
	[CS_FORMAT_ECDSA] = "a p-256 key with sha256 or a p-384 key with sha384",
	[CS_FORMAT_ED25519_DIGEST] = "an ed25519 key with sha256 or sha512",
};

enum cs_rc cs_fits_check(enum cs_format format, enum cs_alg alg, enum cs_hash hash,
			 struct cs_err *e)
{
	if (format <= CS_FORMAT_NONE || format >= CS_FORMAT__COUNT)
		return CS_FAIL(e, CS_E_INVALID, "no such format");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].format == format && rows[i].alg == alg && (rows[i].hashes & H(hash)))
			return CS_OK;
	}
	return CS_FAIL(e, CS_E_INVALID, "format %s needs %s; this is %s with %s",
		       cs_format_name(format), wanted[format], cs_alg_name(alg),
		       cs_hash_name(hash));
}
