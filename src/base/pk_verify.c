/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only place that verifies signatures.
 * Must not accept a key, scheme and hash that do not belong together, nor lengths that only nearly
 * fit. See pk.h for the contract.
 */
#include <assert.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include "base/pk_internal.h"

#define USES_BEFORE_TABLE 64

static const EVP_MD *openssl_md(enum cs_hash h)
{
	switch (h) {
	case CS_HASH_SHA256: return EVP_sha256();
	case CS_HASH_SHA384: return EVP_sha384();
	case CS_HASH_SHA512: return EVP_sha512();
	case CS_HASH_NONE: break;
	}
	return NULL;
}

/* Which keys and hashes a scheme takes; ECDSA truncates longer digests silently, so none is. */
static bool fits(enum cs_alg alg, enum cs_scheme scheme, enum cs_hash h)
{
	switch (scheme) {
	case CS_SCHEME_RSA_PKCS1:
	case CS_SCHEME_RSA_PSS: return cs_alg_is_rsa(alg) && h != CS_HASH_NONE;
	case CS_SCHEME_ECDSA:
		return (alg == CS_ALG_P256 && h == CS_HASH_SHA256) ||
		       (alg == CS_ALG_P384 && h == CS_HASH_SHA384);
	case CS_SCHEME_ED25519: return alg == CS_ALG_ED25519;
	case CS_SCHEME_NONE: break;
	}
	return false;
}

static bool set_padding(EVP_PKEY_CTX *ctx, enum cs_scheme scheme)
{
	switch (scheme) {
	case CS_SCHEME_RSA_PKCS1: return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1;
	case CS_SCHEME_RSA_PSS:
		/* MGF1 takes the same hash unless told otherwise; "auto" would take any salt */
		return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, RSA_PSS_SALTLEN_DIGEST) == 1;
	case CS_SCHEME_ECDSA:
	case CS_SCHEME_ED25519:
	case CS_SCHEME_NONE: break;
	}
	return true;
}

/* 1 when it verifies, 0 when not, -1 when OpenSSL could not try. */
static int verify_digest(const struct cs_pk *pk, enum cs_scheme scheme, enum cs_hash h,
			 struct cs_bytes digest, struct cs_bytes sig)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pk->key, NULL);
	int result = -1;

	if (ctx && EVP_PKEY_verify_init(ctx) == 1 && set_padding(ctx, scheme) &&
	    EVP_PKEY_CTX_set_signature_md(ctx, openssl_md(h)) == 1)
		result = EVP_PKEY_verify(ctx, sig.data, sig.len, digest.data, digest.len) == 1;
	EVP_PKEY_CTX_free(ctx);
	return result;
}

static int verify_message(const struct cs_pk *pk, struct cs_bytes message, struct cs_bytes sig)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	int result = -1;

	if (md && EVP_DigestVerifyInit(md, NULL, NULL, NULL, pk->key) == 1)
		result = EVP_DigestVerify(md, sig.data, sig.len, message.data, message.len) == 1;
	EVP_MD_CTX_free(md);
	return result;
}

void cs_pk_expect_many(struct cs_pk *pk)
{
	if (pk->alg == CS_ALG_P256)
		atomic_store(&pk->uses, USES_BEFORE_TABLE);
}

/* The key's table, if it is worth having. The one thread that finds it is makes it. */
static const struct cs_pk_table *table_of(struct cs_pk *pk)
{
	struct cs_pk_table *table = atomic_load(&pk->table);

	if (table || atomic_load(&pk->uses) <= 0 || atomic_fetch_sub(&pk->uses, 1) != 1)
		return table;
	table = cs_pk_table_new(pk->key);
	atomic_store(&pk->table, table);
	return table;
}

/* Was there no memory? Then nobody knows whether it verifies. OpenSSL says so in its queue only. */
static bool lacked_memory(void)
{
	unsigned long error;
	bool lacked = false;

	while ((error = ERR_get_error()) != 0)
		lacked |= ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE;
	return lacked;
}

enum cs_rc cs_pk_verify(const struct cs_pk *pk, enum cs_scheme scheme, enum cs_hash h,
			struct cs_bytes input, struct cs_bytes sig, struct cs_err *e)
{
	const struct cs_pk_table *table;
	bool lacked = false;
	int result = 0;

	if (!fits(pk->alg, scheme, h))
		return CS_FAIL(e, CS_E_INVALID, "a key of %s does not go with this scheme and %s",
			       cs_alg_name(pk->alg), cs_hash_name(h));
	if (scheme != CS_SCHEME_ED25519 && input.len != cs_hash_len(h))
		return CS_FAIL(e, CS_E_INVALID, "digest of %zu bytes; %s has %zu", input.len,
			       cs_hash_name(h), cs_hash_len(h));
	if (sig.len == 0 || sig.len > CS_SIG_MAX ||
	    (cs_alg_is_rsa(pk->alg) && sig.len != (size_t)EVP_PKEY_get_size(pk->key)))
		return CS_FAIL(e, CS_E_SIGNATURE, "signature of %zu bytes does not fit %s", sig.len,
			       cs_alg_name(pk->alg));

	table = table_of((struct cs_pk *)(uintptr_t)pk); /* const but for its cache */
	if (table && cs_pk_table_verify(table, input, sig))
		return CS_OK;
	ERR_clear_error();
	/* "no" is asked for twice: OpenSSL 3.0 says it without a reason when PSS finds no memory */
	for (int asked = 0; asked < 2 && result != 1; asked++) {
		result = scheme == CS_SCHEME_ED25519 ? verify_message(pk, input, sig)
						     : verify_digest(pk, scheme, h, input, sig);
		lacked = lacked_memory();
	}
	if (lacked && result != 1)
		return CS_FAIL(e, CS_E_NOMEM, "verifying a signature with %s: out of memory",
			       cs_alg_name(pk->alg));
	if (result < 0)
		return CS_FAIL(e, CS_E_INTERNAL, "OpenSSL cannot verify with %s",
			       cs_alg_name(pk->alg));
	if (result == 0)
		return CS_FAIL(e, CS_E_SIGNATURE, "the signature does not verify under the %s key",
			       cs_alg_name(pk->alg));
	return CS_OK;
}
