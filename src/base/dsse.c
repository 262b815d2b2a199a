/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DSSE envelopes with one signature.
 * Must not look into the payload: what it says is the caller's business, after it verified.
 * See dsse.h for the contract.
 */
#include "base/dsse.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/jcs.h"
#include "base/json.h"

#define WHAT "DSSE envelope"
#define TYPE_MAX 255
#define BASE64_MAX (int64_t) CS_BASE64_LEN(CS_DSSE_PAYLOAD_MAX)

void cs_dsse_pae(const char *payload_type, struct cs_bytes payload, struct cs_buf *out)
{
	cs_buf_addf(out, "DSSEv1 %zu %s %zu ", strlen(payload_type), payload_type, payload.len);
	cs_buf_add(out, payload.data, payload.len);
}

void cs_dsse_write(const char *payload_type, struct cs_bytes payload, const struct cs_sha256 *keyid,
		   struct cs_bytes sig, struct cs_buf *out)
{
	struct cs_jw w;

	cs_jw_init(&w, out);
	cs_jw_object(&w, NULL);
	cs_jw_base64(&w, "payload", payload);
	cs_jw_str(&w, "payloadType", payload_type);
	cs_jw_array(&w, "signatures");
	cs_jw_object(&w, NULL);
	cs_jw_hex(&w, "keyid", keyid->b, sizeof(keyid->b));
	cs_jw_base64(&w, "sig", sig);
	cs_jw_end_object(&w);
	cs_jw_end_array(&w);
	cs_jw_end_object(&w);
}

/* The texts of an envelope, borrowed from its JSON. */
struct parts {
	const char *payload, *payload_type, *keyid, *sig;
};

static enum cs_rc read_parts(const struct cs_json *root, struct parts *p, struct cs_err *e)
{
	const int64_t hex = CS_SHA256_HEX - 1;
	const struct cs_json *signatures = NULL;
	const struct cs_json_field envelope[] = {
		CS_JSON_STR_FIELD("payload", false, CS_TEXT_ANY, 0, BASE64_MAX, &p->payload),
		CS_JSON_STR_FIELD("payloadType", false, CS_TEXT_NAME, 1, TYPE_MAX,
				  &p->payload_type),
		CS_JSON_ARRAY_FIELD("signatures", false, 1, 1, &signatures),
	};
	const struct cs_json_field signature[] = {
		CS_JSON_STR_FIELD("keyid", false, CS_TEXT_HEX, hex, hex, &p->keyid),
		CS_JSON_STR_FIELD("sig", false, CS_TEXT_ANY, 4, BASE64_MAX, &p->sig),
	};
	enum cs_rc rc = cs_json_read(root, "", envelope, 3, e);

	if (rc != CS_OK)
		return rc;
	return cs_json_read(cs_json_at(signatures, 0), "signatures[0]", signature, 2, e);
}

static enum cs_rc fill(const struct parts *p, struct cs_dsse *d, struct cs_err *e)
{
	enum cs_rc rc;

	rc = cs_base64_decode(p->payload, strlen(p->payload), &d->payload, "payload", e);
	if (rc != CS_OK)
		return rc;
	rc = cs_base64_decode(p->sig, strlen(p->sig), &d->sig, "signatures[0].sig", e);
	if (rc != CS_OK)
		return rc;
	if (!cs_sha256_from_hex(p->keyid, &d->keyid))
		return CS_FAIL(e, CS_E_INVALID, "signatures[0].keyid: not a SHA-256 in hex");
	d->payload_type = strdup(p->payload_type);
	return d->payload_type ? CS_OK : CS_FAIL(e, CS_E_NOMEM, "out of memory");
}

enum cs_rc cs_dsse_parse(struct cs_bytes envelope, struct cs_dsse *d, struct cs_err *e)
{
	struct cs_dsse got = { 0 };
	struct cs_json *root = NULL;
	struct parts p;
	enum cs_rc rc;

	cs_buf_init(&got.payload, CS_DSSE_PAYLOAD_MAX);
	cs_buf_init(&got.sig, CS_SIG_MAX);
	rc = cs_jcs_parse(envelope, CS_DSSE_MAX, WHAT, &root, e);
	if (rc != CS_OK)
		goto out;
	rc = read_parts(root, &p, e);
	if (rc == CS_OK)
		rc = fill(&p, &got, e);
	if (rc != CS_OK) {
		cs_err_prefix(e, WHAT);
		goto out;
	}
	*d = got;
	got = (struct cs_dsse){ 0 }; /* transferred */
out:
	cs_json_free(root);
	cs_dsse_done(&got);
	return rc;
}

void cs_dsse_done(struct cs_dsse *d)
{
	free(d->payload_type);
	d->payload_type = NULL;
	cs_buf_done(&d->payload);
	cs_buf_done(&d->sig);
}

void cs_dsse_scheme(enum cs_alg a, enum cs_scheme *schemep, enum cs_hash *hashp)
{
	static const struct {
		enum cs_scheme scheme;
		enum cs_hash hash;
	} schemes[] = {
		[CS_ALG_NONE] = { CS_SCHEME_NONE, CS_HASH_NONE },
		[CS_ALG_RSA_3072] = { CS_SCHEME_RSA_PSS, CS_HASH_SHA256 },
		[CS_ALG_RSA_4096] = { CS_SCHEME_RSA_PSS, CS_HASH_SHA256 },
		[CS_ALG_P256] = { CS_SCHEME_ECDSA, CS_HASH_SHA256 },
		[CS_ALG_P384] = { CS_SCHEME_ECDSA, CS_HASH_SHA384 },
		[CS_ALG_ED25519] = { CS_SCHEME_ED25519, CS_HASH_NONE },
	};

	assert((unsigned)a < sizeof(schemes) / sizeof(schemes[0]));
	*schemep = schemes[a].scheme;
	*hashp = schemes[a].hash;
}

enum cs_rc cs_dsse_verify(const struct cs_dsse *d, const char *payload_type, const struct cs_pk *pk,
			  struct cs_err *e)
{
	uint8_t digest[CS_HASH_MAX_LEN];
	struct cs_bytes input;
	enum cs_scheme scheme;
	enum cs_hash hash;
	struct cs_buf pae;
	enum cs_rc rc;

	if (strcmp(d->payload_type, payload_type) != 0)
		return CS_FAIL(e, CS_E_INVALID, WHAT ": payloadType is %s; %s is wanted",
			       d->payload_type, payload_type);
	if (!cs_sha256_equal(&d->keyid, cs_pk_spki_sha256(pk)))
		return CS_FAIL(e, CS_E_SIGNATURE, WHAT ": keyid names another key");

	cs_buf_init(&pae, CS_DSSE_MAX);
	cs_dsse_pae(payload_type, cs_buf_bytes(&d->payload), &pae);
	rc = cs_buf_ok(&pae, WHAT, e);
	if (rc != CS_OK)
		goto out;
	cs_dsse_scheme(cs_pk_alg(pk), &scheme, &hash);
	input = cs_buf_bytes(&pae);
	if (hash != CS_HASH_NONE) {
		cs_hash_bytes(hash, input, digest);
		input = (struct cs_bytes){ digest, cs_hash_len(hash) };
	}
	rc = cs_pk_verify(pk, scheme, hash, input, cs_buf_bytes(&d->sig), e);
	if (rc != CS_OK)
		cs_err_prefix(e, WHAT);
out:
	cs_buf_done(&pae);
	return rc;
}
