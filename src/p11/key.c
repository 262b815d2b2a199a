/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private keys: found by CKA_ID, their attributes and public half checked, then used.
 * A key whose public half is not the pinned one is never used, whatever its label says.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/enc.h"
#include "p11/internal.h"

#define LISTED_MAX 1024

/* What a private key must say of itself. "whole life" holds for keys that were made on this token.
 */
static const struct {
	CK_ATTRIBUTE_TYPE type;
	bool absent; /* what a missing attribute counts as */
	bool wanted;
	bool whole_life;
	const char *problem;
} rules[] = {
	{ CKA_SIGN, false, true, false, "it may not sign (CKA_SIGN)" },
	{ CKA_ALWAYS_AUTHENTICATE, false, false, false,
	  "it asks for the PIN at every use (CKA_ALWAYS_AUTHENTICATE)" },
	{ CKA_SENSITIVE, false, true, false, "its value can be read (CKA_SENSITIVE is false)" },
	{ CKA_EXTRACTABLE, true, false, false, "it can be taken off the token (CKA_EXTRACTABLE)" },
	{ CKA_LOCAL, false, true, true,
	  "it was not made on this token (CKA_LOCAL is false); if it was restored from another HSM, "
	  "say imported: true" },
	{ CKA_ALWAYS_SENSITIVE, false, true, true,
	  "its value could once be read (CKA_ALWAYS_SENSITIVE is false)" },
	{ CKA_NEVER_EXTRACTABLE, false, true, true,
	  "it could once be taken off the token (CKA_NEVER_EXTRACTABLE is false)" },
};

static size_t raw_len(enum cs_alg alg)
{
	static const size_t len[] = {
		[CS_ALG_NONE] = 0,  [CS_ALG_RSA_3072] = 384, [CS_ALG_RSA_4096] = 512,
		[CS_ALG_P256] = 64, [CS_ALG_P384] = 96,      [CS_ALG_ED25519] = 64,
	};

	return len[alg];
}

static enum cs_rc check_attributes(struct cs_p11 *p, CK_OBJECT_HANDLE object, bool imported,
				   struct cs_err *e)
{
	size_t i;

	for (i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		enum cs_rc rc;
		bool value;

		if (imported && rules[i].whole_life)
			continue;
		rc = cs_p11_flag(p, object, rules[i].type, rules[i].absent, &value, e);
		if (rc != CS_OK)
			return rc;
		if (value != rules[i].wanted)
			return CS_FAIL(e, CS_E_FORBIDDEN, "%s", rules[i].problem);
	}
	return CS_OK;
}

static enum cs_rc check_public_half(struct cs_p11 *p, struct cs_bytes cka_id,
				    const struct cs_pk *pinned, struct cs_err *e)
{
	char have[CS_SHA256_HEX], want[CS_SHA256_HEX];
	struct cs_pk *pk = NULL;
	enum cs_rc rc = cs_p11_public_half(p, cka_id, &pk, e);

	if (rc != CS_OK)
		return rc;
	if (!cs_sha256_equal(cs_pk_spki_sha256(pk), cs_pk_spki_sha256(pinned))) {
		cs_sha256_hex(cs_pk_spki_sha256(pk), have);
		cs_sha256_hex(cs_pk_spki_sha256(pinned), want);
		rc = CS_FAIL(e, CS_E_MISMATCH,
			     "it is another key: SPKI SHA-256 %.16s… on the token, %.16s… in the "
			     "policy",
			     have, want);
	}
	cs_pk_free(pk);
	return rc;
}

static enum cs_rc find_private(struct cs_p11 *p, struct cs_bytes cka_id, CK_OBJECT_HANDLE *objectp,
			       struct cs_err *e)
{
	size_t count = 0;
	enum cs_rc rc = cs_p11_objects(p, CKO_PRIVATE_KEY, &cka_id, objectp, 1, &count, e);

	if (rc == CS_E_TOO_LARGE)
		return CS_FAIL(e, CS_E_CONFLICT, "several private keys have its CKA_ID");
	if (rc == CS_OK && count == 0)
		return CS_FAIL(e, CS_E_NOT_FOUND, "no private key on the token has its CKA_ID");
	return rc;
}

enum cs_rc cs_p11_find(struct cs_p11 *p, const struct cs_key *key, struct cs_p11_key **kp,
		       struct cs_err *e)
{
	struct cs_bytes cka_id = { key->cka_id, key->cka_id_len };
	char id[2 * CS_CKA_ID_MAX + 1];
	CK_OBJECT_HANDLE object = 0;
	struct cs_err cause = { 0 };
	struct cs_p11_key *k;
	enum cs_rc rc;

	assert(key->pk && key->cka_id_len > 0);
	rc = find_private(p, cka_id, &object, &cause);
	if (rc == CS_OK)
		rc = check_attributes(p, object, key->imported, &cause);
	if (rc == CS_OK)
		rc = check_public_half(p, cka_id, key->pk, &cause);
	if (rc != CS_OK) {
		cs_hex_encode(key->cka_id, key->cka_id_len, id);
		return CS_FAIL(e, rc, "key %s (CKA_ID %s): %s", key->name, id, cause.msg);
	}
	k = calloc(1, sizeof(*k));
	if (!k)
		return CS_FAIL(e, CS_E_NOMEM, "key %s", key->name);
	k->handle = object;
	k->alg = cs_pk_alg(key->pk);
	k->raw_len = raw_len(k->alg);
	*kp = k;
	return CS_OK;
}

void cs_p11_key_free(struct cs_p11_key *k)
{
	free(k);
}

/* mechanism of a scheme; the parameters of PSS live in the caller's storage */
static bool set_mechanism(enum cs_scheme scheme, enum cs_hash hash, CK_MECHANISM *m,
			  CK_RSA_PKCS_PSS_PARAMS *pss)
{
	static const CK_MECHANISM_TYPE types[] = {
		[CS_SCHEME_NONE] = CK_UNAVAILABLE_INFORMATION,
		[CS_SCHEME_RSA_PKCS1] = CKM_RSA_PKCS,
		[CS_SCHEME_RSA_PSS] = CKM_RSA_PKCS_PSS,
		[CS_SCHEME_ECDSA] = CKM_ECDSA,
		[CS_SCHEME_ED25519] = CKM_EDDSA,
	};
	static const CK_RSA_PKCS_PSS_PARAMS params[] = {
		[CS_HASH_NONE] = { 0, 0, 0 },
		[CS_HASH_SHA256] = { CKM_SHA256, CKG_MGF1_SHA256, 32 },
		[CS_HASH_SHA384] = { CKM_SHA384, CKG_MGF1_SHA384, 48 },
		[CS_HASH_SHA512] = { CKM_SHA512, CKG_MGF1_SHA512, 64 },
	};

	*m = (CK_MECHANISM){ types[scheme], NULL, 0 };
	if (scheme == CS_SCHEME_RSA_PSS) {
		*pss = params[hash];
		m->pParameter = pss;
		m->ulParameterLen = sizeof(*pss);
	}
	return scheme != CS_SCHEME_NONE && (scheme != CS_SCHEME_RSA_PSS || hash != CS_HASH_NONE);
}

enum cs_rc cs_p11_sign(struct cs_p11 *p, struct cs_p11_key *k, enum cs_scheme scheme,
		       enum cs_hash hash, struct cs_bytes tbs, struct cs_buf *raw, const char **rvp,
		       bool *reachedp, struct cs_err *e)
{
	/* the parameter is not const in the standard; modules only read it */
	CK_BYTE_PTR data = (CK_BYTE_PTR)(uintptr_t)tbs.data;
	CK_RSA_PKCS_PSS_PARAMS pss;
	CK_MECHANISM mechanism;
	CK_ULONG len = k->raw_len;
	uint8_t *out;
	CK_RV rv;

	*rvp = "CKR_MECHANISM_INVALID";
	*reachedp = false;
	if (!set_mechanism(scheme, hash, &mechanism, &pss))
		return CS_FAIL(e, CS_E_INVALID, "no mechanism for this scheme and hash");
	*rvp = "CKR_HOST_MEMORY";
	cs_buf_reset(raw);
	out = cs_buf_extend(raw, len);
	if (!out)
		return cs_buf_ok(raw, "signature", e);
	/* not P11_CALL twice: one deadline for both, so half as many system calls */
	cs_p11_arm(p);
	rv = p->f->C_SignInit(p->session, &mechanism, k->handle);
	*reachedp = rv == CKR_OK;
	if (*reachedp)
		rv = p->f->C_Sign(p->session, data, tbs.len, out, &len);
	(void)cs_p11_disarm(p, rv);
	*rvp = cs_p11_rv_name(rv);
	if (rv != CKR_OK)
		return cs_p11_fail(e, rv, *reachedp ? "C_Sign" : "C_SignInit");
	if (len != k->raw_len) {
		*rvp = "CKR_SIGNATURE_LEN_RANGE"; /* it has no better name for it */
		return CS_FAIL(e, CS_E_HSM, "the token's signature has %lu bytes instead of %zu",
			       len, k->raw_len);
	}
	p->doubts = 0;
	return CS_OK;
}

static void list_text(struct cs_p11 *p, CK_OBJECT_HANDLE object, struct cs_p11_listed *out)
{
	struct cs_buf value;
	size_t i;

	cs_buf_init(&value, sizeof(out->cka_id) + 1);
	if (cs_p11_attribute(p, object, CKA_ID, &value, NULL) == CS_OK &&
	    value.len <= sizeof(out->cka_id)) {
		out->cka_id_len = value.len;
		for (i = 0; i < value.len; i++)
			out->cka_id[i] = value.data[i];
	}
	cs_buf_done(&value);
	cs_buf_init(&value, sizeof(out->label) - 1);
	if (cs_p11_attribute(p, object, CKA_LABEL, &value, NULL) == CS_OK)
		for (i = 0; i < value.len; i++)
			out->label[i] = value.data[i] >= 0x20 && value.data[i] < 0x7f
						? (char)value.data[i]
						: '?';
	cs_buf_done(&value);
}

static enum cs_rc list_flags(struct cs_p11 *p, CK_OBJECT_HANDLE object, struct cs_p11_listed *out,
			     struct cs_err *e)
{
	enum cs_rc rc;

	rc = cs_p11_flag(p, object, CKA_SENSITIVE, false, &out->sensitive, e);
	if (rc == CS_OK)
		rc = cs_p11_flag(p, object, CKA_NEVER_EXTRACTABLE, false, &out->never_extractable,
				 e);
	if (rc == CS_OK)
		rc = cs_p11_flag(p, object, CKA_LOCAL, false, &out->local, e);
	if (rc == CS_OK)
		rc = cs_p11_flag(p, object, CKA_ALWAYS_AUTHENTICATE, false,
				 &out->always_authenticate, e);
	return rc;
}

static enum cs_rc list_one(struct cs_p11 *p, CK_OBJECT_HANDLE object, cs_p11_list_fn *fn, void *arg,
			   struct cs_err *e)
{
	struct cs_p11_listed listed = { 0 };
	enum cs_rc rc;

	list_text(p, object, &listed);
	rc = list_flags(p, object, &listed, e);
	if (rc != CS_OK)
		return rc;
	/* a key that is none of ours is listed without its public half */
	if (listed.cka_id_len > 0 &&
	    cs_p11_public_half(p, (struct cs_bytes){ listed.cka_id, listed.cka_id_len }, &listed.pk,
			       NULL) != CS_OK)
		listed.pk = NULL;
	fn(arg, &listed);
	cs_pk_free(listed.pk);
	return CS_OK;
}

enum cs_rc cs_p11_list(struct cs_p11 *p, cs_p11_list_fn *fn, void *arg, struct cs_err *e)
{
	CK_OBJECT_HANDLE *objects;
	size_t count = 0;
	enum cs_rc rc;
	size_t i;

	objects = calloc(LISTED_MAX, sizeof(*objects));
	if (!objects)
		return CS_FAIL(e, CS_E_NOMEM, "list of keys");
	rc = cs_p11_objects(p, CKO_PRIVATE_KEY, NULL, objects, LISTED_MAX, &count, e);
	for (i = 0; rc == CS_OK && i < count; i++)
		rc = list_one(p, objects[i], fn, arg, e);
	free(objects);
	return rc;
}
