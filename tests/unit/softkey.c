/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private keys in software, for tests; by OpenSSL.
 * Must not use the code under test to make signatures, but for encodings.
 * See softkey.h.
 */
#include "unit/softkey.h"

#include <stdio.h>
#include <stdlib.h>

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/der.h"

#define SIG_MAX 1024

/* Outside a test too, where Check's own assertions are not allowed. */
static void must(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "softkey: %s: failed\n", what);
	abort();
}

struct softkey softkey_load(const char *name)
{
	struct softkey k = { 0 };
	const char *srcdir = getenv("CS_SRCDIR");
	uint8_t *spki = NULL;
	char path[4096];
	FILE *f;
	int len;

	must(srcdir != NULL, "CS_SRCDIR, which names the source directory");
	(void)snprintf(path, sizeof(path), "%s/tests/keys/%s.pem", srcdir, name);
	f = fopen(path, "r");
	must(f != NULL, path);
	k.private = PEM_read_PrivateKey(f, NULL, NULL, NULL);
	(void)fclose(f);
	must(k.private != NULL, path);
	len = i2d_PUBKEY(k.private, &spki);
	must(len > 0, path);
	must(cs_pk_from_spki((struct cs_bytes){ spki, (size_t)len }, &k.pk, NULL) == CS_OK, path);
	OPENSSL_free(spki);
	return k;
}

void softkey_done(struct softkey *k)
{
	EVP_PKEY_free(k->private);
	cs_pk_free(k->pk);
	*k = (struct softkey){ 0 };
}

static void set_padding(EVP_PKEY_CTX *ctx, enum cs_scheme scheme, enum cs_hash h)
{
	if (scheme == CS_SCHEME_RSA_PKCS1)
		must(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PADDING) == 1, "signing");
	if (scheme == CS_SCHEME_RSA_PSS) {
		must(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING) == 1, "signing");
		must(EVP_PKEY_CTX_set_signature_md(ctx, EVP_get_digestbyname(cs_hash_name(h))) == 1,
		     "signing");
		must(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, (int)cs_hash_len(h)) == 1, "signing");
	}
}

/* Ecdsa-Sig-Value to r ‖ s of equal halves, as PKCS#11 has it. */
static void add_raw_ecdsa(const uint8_t *der, size_t len, size_t half, struct cs_buf *out)
{
	ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &der, (long)len);
	uint8_t raw[2 * 48];

	must(sig != NULL, "signing");
	must(2 * half <= sizeof(raw), "signing");
	must(BN_bn2binpad(ECDSA_SIG_get0_r(sig), raw, (int)half) == (int)half, "signing");
	must(BN_bn2binpad(ECDSA_SIG_get0_s(sig), raw + half, (int)half) == (int)half, "signing");
	cs_buf_add(out, raw, 2 * half);
	ECDSA_SIG_free(sig);
}

void softkey_sign(const struct softkey *k, enum cs_scheme scheme, enum cs_hash h,
		  struct cs_bytes tbs, struct cs_buf *out)
{
	uint8_t sig[SIG_MAX];
	size_t len = sizeof(sig);

	if (scheme == CS_SCHEME_ED25519) {
		EVP_MD_CTX *md = EVP_MD_CTX_new();

		must(EVP_DigestSignInit(md, NULL, NULL, NULL, k->private) == 1, "signing");
		must(EVP_DigestSign(md, sig, &len, tbs.data, tbs.len) == 1, "signing");
		EVP_MD_CTX_free(md);
	} else {
		EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(k->private, NULL);

		must(EVP_PKEY_sign_init(ctx) == 1, "signing");
		set_padding(ctx, scheme, h);
		must(EVP_PKEY_sign(ctx, sig, &len, tbs.data, tbs.len) == 1, "signing");
		EVP_PKEY_CTX_free(ctx);
	}
	if (scheme == CS_SCHEME_ECDSA)
		add_raw_ecdsa(sig, len, cs_pk_alg(k->pk) == CS_ALG_P384 ? 48 : 32, out);
	else
		cs_buf_add(out, sig, len);
}

void softkey_envelope(const struct softkey *k, const char *payload_type, struct cs_bytes payload,
		      struct cs_buf *out)
{
	softkey_envelope_as(k, cs_pk_spki_sha256(k->pk), payload_type, payload, out);
}

void softkey_envelope_as(const struct softkey *k, const struct cs_sha256 *keyid,
			 const char *payload_type, struct cs_bytes payload, struct cs_buf *out)
{
	uint8_t digest[CS_HASH_MAX_LEN];
	struct cs_buf pae, raw, sig;
	enum cs_scheme scheme;
	struct cs_bytes tbs;
	enum cs_hash h;

	cs_buf_init(&pae, 2 * CS_DSSE_PAYLOAD_MAX);
	cs_buf_init(&raw, SIG_MAX);
	cs_buf_init(&sig, SIG_MAX);
	cs_dsse_scheme(cs_pk_alg(k->pk), &scheme, &h);
	cs_dsse_pae(payload_type, payload, &pae);
	tbs = cs_buf_bytes(&pae);
	if (scheme != CS_SCHEME_ED25519) {
		cs_hash_bytes(h, cs_buf_bytes(&pae), digest);
		tbs = (struct cs_bytes){ digest, cs_hash_len(h) };
	}
	softkey_sign(k, scheme, h, tbs, &raw);
	if (scheme == CS_SCHEME_ECDSA)
		must(cs_der_ecdsa_encode(cs_buf_bytes(&raw), &sig, NULL) == CS_OK, "signing");
	else
		cs_buf_add(&sig, raw.data, raw.len);
	cs_dsse_write(payload_type, payload, keyid, cs_buf_bytes(&sig), out);
	cs_buf_done(&pae);
	cs_buf_done(&raw);
	cs_buf_done(&sig);
}
