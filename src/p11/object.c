/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects on the token: finding them, reading attributes, and public keys out of them.
 * CKA_PUBLIC_KEY_INFO is empty on common tokens, so public keys are put together from their parts.
 * PKCS #11 v2.40 §5.7, Current Mechanisms §2.1, §2.3.
 */
#include <string.h>

#include "p11/internal.h"

#define ATTRIBUTE_MAX 2048

static const uint8_t oid_p256[] = { 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07 };
static const uint8_t oid_p384[] = { 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22 };
/* PrintableString "edwards25519": the form that tokens of v2.40 drafts and of v3.0 both take */
static const uint8_t name_ed25519[] = { 0x13, 0x0c, 'e', 'd', 'w', 'a', 'r',
					'd',  's',  '2', '5', '5', '1', '9' };

struct cs_bytes cs_p11_ec_params(enum cs_alg alg)
{
	static const struct {
		enum cs_alg alg;
		struct cs_bytes der;
	} rows[] = {
		{ CS_ALG_P256, { oid_p256, sizeof(oid_p256) } },
		{ CS_ALG_P384, { oid_p384, sizeof(oid_p384) } },
		{ CS_ALG_ED25519, { name_ed25519, sizeof(name_ed25519) } },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].alg == alg)
			return rows[i].der;
	return (struct cs_bytes){ NULL, 0 };
}

enum cs_rc cs_p11_objects(struct cs_p11 *p, CK_OBJECT_CLASS class, const struct cs_bytes *id,
			  CK_OBJECT_HANDLE *out, size_t max, size_t *countp, struct cs_err *e)
{
	CK_ATTRIBUTE template[] = {
		{ CKA_CLASS, &class, sizeof(class) },
		{ CKA_ID, id ? (void *)(uintptr_t)id->data : NULL, id ? id->len : 0 },
	};
	CK_OBJECT_HANDLE extra;
	CK_ULONG count = 0;
	CK_ULONG more = 0;
	CK_RV rv;

	rv = P11_CALL(p, C_FindObjectsInit, p->session, template, id ? 2 : 1);
	if (rv != CKR_OK)
		return cs_p11_fail(e, rv, "C_FindObjectsInit");
	rv = P11_CALL(p, C_FindObjects, p->session, out, max, &count);
	if (rv == CKR_OK && count == max)
		rv = P11_CALL(p, C_FindObjects, p->session, &extra, 1, &more);
	if (rv != CKR_OK) {
		/* or the next search would meet this one */
		(void)P11_CALL(p, C_FindObjectsFinal, p->session);
		return cs_p11_fail(e, rv, "C_FindObjects");
	}
	rv = P11_CALL(p, C_FindObjectsFinal, p->session);
	if (rv != CKR_OK)
		return cs_p11_fail(e, rv, "C_FindObjectsFinal");
	if (more > 0 || count > max)
		return CS_FAIL(e, CS_E_TOO_LARGE, "the token has more than %zu such objects", max);
	*countp = count;
	return CS_OK;
}

static bool is_absent(CK_RV rv, const CK_ATTRIBUTE *attribute)
{
	return rv == CKR_ATTRIBUTE_TYPE_INVALID || rv == CKR_ATTRIBUTE_SENSITIVE ||
	       attribute->ulValueLen == CK_UNAVAILABLE_INFORMATION;
}

enum cs_rc cs_p11_attribute(struct cs_p11 *p, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
			    struct cs_buf *out, struct cs_err *e)
{
	uint8_t value[ATTRIBUTE_MAX];
	CK_ATTRIBUTE attribute = { type, value, sizeof(value) };
	CK_RV rv = P11_CALL(p, C_GetAttributeValue, p->session, object, &attribute, 1);

	if (is_absent(rv, &attribute))
		return CS_FAIL(e, CS_E_NOT_FOUND, "attribute 0x%lx is missing", type);
	if (rv != CKR_OK || attribute.ulValueLen > sizeof(value))
		return cs_p11_fail(e, rv, "C_GetAttributeValue");
	cs_buf_reset(out);
	cs_buf_add(out, value, attribute.ulValueLen);
	return cs_buf_ok(out, "attribute", e);
}

enum cs_rc cs_p11_flag(struct cs_p11 *p, CK_OBJECT_HANDLE object, CK_ATTRIBUTE_TYPE type,
		       bool absent, bool *out, struct cs_err *e)
{
	CK_BBOOL value = CK_FALSE;
	CK_ATTRIBUTE attribute = { type, &value, sizeof(value) };
	CK_RV rv = P11_CALL(p, C_GetAttributeValue, p->session, object, &attribute, 1);

	if (is_absent(rv, &attribute)) {
		*out = absent;
		return CS_OK;
	}
	if (rv != CKR_OK)
		return cs_p11_fail(e, rv, "C_GetAttributeValue");
	*out = value != CK_FALSE;
	return CS_OK;
}

static enum cs_rc rsa_key(struct cs_p11 *p, CK_OBJECT_HANDLE object, struct cs_buf *first,
			  struct cs_pk **pkp, struct cs_err *e)
{
	struct cs_buf exponent;
	enum cs_rc rc;

	cs_buf_init(&exponent, ATTRIBUTE_MAX);
	rc = cs_p11_attribute(p, object, CKA_MODULUS, first, e);
	if (rc == CS_OK)
		rc = cs_p11_attribute(p, object, CKA_PUBLIC_EXPONENT, &exponent, e);
	if (rc == CS_OK)
		rc = cs_pk_from_rsa(cs_buf_bytes(first), cs_buf_bytes(&exponent), pkp, e);
	cs_buf_done(&exponent);
	return rc;
}

static enum cs_rc ec_key(struct cs_p11 *p, CK_OBJECT_HANDLE object, struct cs_buf *first,
			 struct cs_pk **pkp, struct cs_err *e)
{
	enum cs_alg alg = CS_ALG_NONE;
	enum cs_rc rc = cs_p11_attribute(p, object, CKA_EC_PARAMS, first, e);

	if (rc != CS_OK)
		return rc;
	if (cs_bytes_equal(cs_buf_bytes(first), cs_p11_ec_params(CS_ALG_P256)))
		alg = CS_ALG_P256;
	else if (cs_bytes_equal(cs_buf_bytes(first), cs_p11_ec_params(CS_ALG_P384)))
		alg = CS_ALG_P384;
	else
		return CS_FAIL(e, CS_E_UNSUPPORTED, "the curve is neither P-256 nor P-384");
	rc = cs_p11_attribute(p, object, CKA_EC_POINT, first, e);
	if (rc == CS_OK)
		rc = cs_pk_from_ec(alg, cs_buf_bytes(first), pkp, e);
	return rc;
}

static enum cs_rc edwards_key(struct cs_p11 *p, CK_OBJECT_HANDLE object, struct cs_buf *first,
			      struct cs_pk **pkp, struct cs_err *e)
{
	static const uint8_t octet_string[] = { 0x04, 0x20 };
	struct cs_bytes point;
	enum cs_rc rc = cs_p11_attribute(p, object, CKA_EC_POINT, first, e);

	if (rc != CS_OK)
		return rc;
	/* bare, or in a DER OCTET STRING: tokens differ */
	point = cs_buf_bytes(first);
	if (point.len == 34 && memcmp(point.data, octet_string, sizeof(octet_string)) == 0)
		point = (struct cs_bytes){ point.data + 2, point.len - 2 };
	return cs_pk_from_ed25519(point, pkp, e);
}

enum cs_rc cs_p11_public_key(struct cs_p11 *p, CK_OBJECT_HANDLE object, struct cs_pk **pkp,
			     struct cs_err *e)
{
	static const struct {
		CK_KEY_TYPE type;
		enum cs_rc (*read)(struct cs_p11 *p, CK_OBJECT_HANDLE object, struct cs_buf *first,
				   struct cs_pk **pkp, struct cs_err *e);
	} readers[] = {
		{ CKK_RSA, rsa_key },
		{ CKK_EC, ec_key },
		{ CKK_EC_EDWARDS, edwards_key },
	};
	struct cs_buf value;
	CK_KEY_TYPE type;
	enum cs_rc rc;
	size_t i;

	cs_buf_init(&value, ATTRIBUTE_MAX);
	rc = cs_p11_attribute(p, object, CKA_KEY_TYPE, &value, e);
	if (rc != CS_OK)
		goto out;
	rc = CS_FAIL(e, CS_E_UNSUPPORTED, "the key type is none of RSA, EC, Edwards");
	if (value.len != sizeof(type))
		goto out;
	memcpy(&type, value.data, sizeof(type));
	for (i = 0; i < sizeof(readers) / sizeof(readers[0]); i++)
		if (readers[i].type == type)
			rc = readers[i].read(p, object, &value, pkp, e);
out:
	cs_buf_done(&value);
	return rc;
}

enum cs_rc cs_p11_public_half(struct cs_p11 *p, struct cs_bytes cka_id, struct cs_pk **pkp,
			      struct cs_err *e)
{
	CK_OBJECT_HANDLE object;
	size_t count = 0;
	enum cs_rc rc;

	rc = cs_p11_objects(p, CKO_PUBLIC_KEY, &cka_id, &object, 1, &count, e);
	if (rc == CS_E_TOO_LARGE)
		return CS_FAIL(e, CS_E_CONFLICT, "several public keys have its CKA_ID");
	if (rc != CS_OK)
		return rc;
	if (count == 0)
		return CS_FAIL(e, CS_E_NOT_FOUND, "no public key on the token has its CKA_ID");
	return cs_p11_public_key(p, object, pkp, e);
}
