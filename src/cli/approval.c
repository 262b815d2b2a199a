/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signs with an approval key through OpenSSL, wherever the key lives.
 * Must not let a signature go that does not verify.
 * See approval.h for the contract.
 */
#include "cli/approval.h"

#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "cli/term.h"
#include "cli/token.h"
#include "client/identity.h"

static enum cs_rc public_half(EVP_PKEY *key, struct cs_pk **pkp, struct cs_err *e)
{
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(key, &der);
	enum cs_rc rc;

	if (len < 1)
		return CS_FAIL(e, CS_E_UNSUPPORTED, "approval key: it has no public half");
	rc = cs_pk_from_spki((struct cs_bytes){ der, (size_t)len }, pkp, e);
	if (rc)
		cs_err_prefix(e, "approval key");
	OPENSSL_free(der);
	return rc;
}

enum cs_rc cs_approval_open(const struct cs_cli *cli, struct cs_approval *out, struct cs_err *e)
{
	const char *name = cli->profile.approval_key;
	struct cs_approval a = { 0 };
	enum cs_rc rc;

	if (!name)
		return CS_FAIL(e, CS_E_CONFIG,
			       "no approval key: set approval_key in the profile, or say "
			       "--approval-key FILE-OR-URI");
	if (cs_token_is_uri(name))
		rc = cs_token_key(name, cli->profile.pkcs11_module, "approval key", &a.key, e);
	else
		rc = cs_identity_key(name, "approval key", cs_term_secret, NULL, &a.key, e);
	rc = rc ? rc : public_half(a.key, &a.pk, e);
	if (rc)
		goto out;
	*out = a;
	a = (struct cs_approval){ 0 }; /* transferred */
out:
	cs_approval_done(&a);
	return rc;
}

enum cs_rc cs_approval_of(EVP_PKEY *key, struct cs_approval *out, struct cs_err *e)
{
	enum cs_rc rc = public_half(key, &out->pk, e);

	if (rc)
		return rc;
	EVP_PKEY_up_ref(key);
	out->key = key;
	return CS_OK;
}

void cs_approval_done(struct cs_approval *a)
{
	EVP_PKEY_free(a->key);
	cs_pk_free(a->pk);
	*a = (struct cs_approval){ 0 };
}

/** Set up as cs_dsse_scheme says; the salt of PSS is as long as the hash. */
static bool set_up(EVP_MD_CTX *ctx, const struct cs_approval *a)
{
	EVP_PKEY_CTX *pctx = NULL;
	enum cs_scheme scheme;
	enum cs_hash hash;
	const EVP_MD *md;

	cs_dsse_scheme(cs_pk_alg(a->pk), &scheme, &hash);
	md = scheme == CS_SCHEME_ED25519 ? NULL : EVP_get_digestbyname(cs_hash_name(hash));
	if (EVP_DigestSignInit(ctx, &pctx, md, NULL, a->key) != 1)
		return false;
	return scheme != CS_SCHEME_RSA_PSS ||
	       (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
		EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1);
}

/** One signature into out; false when OpenSSL or the token says no. */
static bool sign_with(EVP_MD_CTX *ctx, const struct cs_approval *a, struct cs_bytes in,
		      struct cs_buf *out)
{
	size_t len = 0;
	uint8_t *room;

	if (!ctx || !set_up(ctx, a) || EVP_DigestSign(ctx, NULL, &len, in.data, in.len) != 1)
		return false;
	room = cs_buf_extend(out, len);
	if (!room || EVP_DigestSign(ctx, room, &len, in.data, in.len) != 1)
		return false;
	out->len = len; /* ECDSA signatures may be shorter than announced */
	return true;
}

static enum cs_rc sign_bytes(const struct cs_approval *a, struct cs_bytes in, struct cs_buf *out,
			     struct cs_err *e)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = sign_with(ctx, a, in, out);
	const char *why = ERR_reason_error_string(ERR_peek_last_error());

	EVP_MD_CTX_free(ctx);
	ERR_clear_error();
	return ok ? CS_OK
		  : CS_FAIL(e, CS_E_HSM, "approval key: it could not sign (%s)",
			    why ? why : "no reason given");
}

enum cs_rc cs_approval_sign(const struct cs_approval *a, const char *payload_type,
			    struct cs_bytes payload, struct cs_buf *out, struct cs_err *e)
{
	struct cs_buf pae, sig, envelope;
	struct cs_dsse check = { 0 };
	enum cs_rc rc;

	cs_buf_init(&pae, 2 * CS_DSSE_PAYLOAD_MAX);
	cs_buf_init(&sig, 1024);
	cs_buf_init(&envelope, CS_DSSE_MAX);
	cs_dsse_pae(payload_type, payload, &pae);
	rc = cs_buf_ok(&pae, "envelope", e);
	rc = rc ? rc : sign_bytes(a, cs_buf_bytes(&pae), &sig, e);
	if (rc)
		goto out;
	cs_dsse_write(payload_type, payload, cs_pk_spki_sha256(a->pk), cs_buf_bytes(&sig),
		      &envelope);
	rc = cs_buf_ok(&envelope, "envelope", e);
	rc = rc ? rc : cs_dsse_parse(cs_buf_bytes(&envelope), &check, e);
	rc = rc ? rc : cs_dsse_verify(&check, payload_type, a->pk, e);
	if (rc)
		goto out;
	cs_buf_add(out, envelope.data, envelope.len);
	rc = cs_buf_ok(out, "envelope", e);
out:
	cs_dsse_done(&check);
	cs_buf_done(&pae);
	cs_buf_done(&sig);
	cs_buf_done(&envelope);
	return rc;
}
