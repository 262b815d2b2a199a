/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes key pairs that never leave the token.
 * PKCS #11 v2.40 §5.13.
 */
#include <string.h>

#include "p11/internal.h"

#define TEMPLATE_MAX 16

/* An attribute template under construction. Values are borrowed: the mechanism's interface wants
 * pointers that are not const, but only reads them. */
struct template
{
	CK_ATTRIBUTE list[TEMPLATE_MAX];
	CK_ULONG count;
};

static void add(struct template *t, CK_ATTRIBUTE_TYPE type, const void *value, size_t len)
{
	t->list[t->count++] = (CK_ATTRIBUTE){ type, (void *)(uintptr_t)value, len };
}

static void add_flag(struct template *t, CK_ATTRIBUTE_TYPE type, bool value)
{
	static const CK_BBOOL values[] = { CK_FALSE, CK_TRUE };

	add(t, type, &values[value], sizeof(values[value]));
}

static CK_MECHANISM_TYPE mechanism(enum cs_alg alg)
{
	if (cs_alg_is_rsa(alg))
		return CKM_RSA_PKCS_KEY_PAIR_GEN;
	return alg == CS_ALG_ED25519 ? CKM_EC_EDWARDS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN;
}

static void add_common(struct template *t, struct cs_bytes cka_id, const char *label)
{
	add_flag(t, CKA_TOKEN, true);
	add(t, CKA_ID, cka_id.data, cka_id.len);
	add(t, CKA_LABEL, label, strlen(label));
}

static void private_template(struct template *t, struct cs_bytes cka_id, const char *label)
{
	add_common(t, cka_id, label);
	add_flag(t, CKA_PRIVATE, true);
	add_flag(t, CKA_SENSITIVE, true);
	add_flag(t, CKA_EXTRACTABLE, false);
	add_flag(t, CKA_SIGN, true);
	add_flag(t, CKA_DECRYPT, false);
	add_flag(t, CKA_UNWRAP, false);
	add_flag(t, CKA_DERIVE, false);
}

static enum cs_rc refuse_taken(struct cs_p11 *p, CK_OBJECT_CLASS class, struct cs_bytes cka_id,
			       struct cs_err *e)
{
	CK_OBJECT_HANDLE object;
	size_t count = 0;
	enum cs_rc rc = cs_p11_objects(p, class, &cka_id, &object, 1, &count, e);

	if (rc == CS_E_TOO_LARGE || (rc == CS_OK && count > 0))
		return CS_FAIL(e, CS_E_CONFLICT,
			       "a key on the token has this CKA_ID already; choose another");
	return rc;
}

enum cs_rc cs_p11_keygen(struct cs_p11 *p, enum cs_alg alg, struct cs_bytes cka_id,
			 const char *label, struct cs_pk **pkp, struct cs_err *e)
{
	static const uint8_t exponent[] = { 0x01, 0x00, 0x01 };
	CK_MECHANISM how = { mechanism(alg), NULL, 0 };
	struct cs_bytes curve = cs_p11_ec_params(alg);
	CK_ULONG bits = alg == CS_ALG_RSA_4096 ? 4096 : 3072;
	CK_OBJECT_HANDLE public_key, private_key;
	struct template public = { .count = 0 };
	struct template private = { .count = 0 };
	enum cs_rc rc;
	CK_RV rv;

	rc = refuse_taken(p, CKO_PRIVATE_KEY, cka_id, e);
	if (rc == CS_OK)
		rc = refuse_taken(p, CKO_PUBLIC_KEY, cka_id, e);
	if (rc != CS_OK)
		return rc;
	private_template(&private, cka_id, label);
	add_common(&public, cka_id, label);
	add_flag(&public, CKA_PRIVATE, false);
	/* no CKA_VERIFY: verifying is ours, and tpm2-pkcs11 refuses it beside a false CKA_DECRYPT
	 */
	if (cs_alg_is_rsa(alg)) {
		add(&public, CKA_MODULUS_BITS, &bits, sizeof(bits));
		add(&public, CKA_PUBLIC_EXPONENT, exponent, sizeof(exponent));
	} else {
		add(&public, CKA_EC_PARAMS, curve.data, curve.len);
	}
	rv = P11_CALL(p, C_GenerateKeyPair, p->session, &how, public.list, public.count,
		      private.list, private.count, &public_key, &private_key);
	if (rv != CKR_OK)
		return cs_p11_fail(e, rv, "C_GenerateKeyPair");
	return cs_p11_public_key(p, public_key, pkp, e);
}
