/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The formats of signatures, one row each: what the token signs and what becomes of its answer.
 * Pure: no key, no token, no clock. Which keys make which format is model/fits.h.
 * See docs/PROTOCOL.decision, "Formats".
 */
#include "format/format.h"

#include <assert.h>
#include <string.h>

#include "base/der.h"
#include "model/fits.h"

/* What a token returns per algorithm: always this many bytes. */
static const size_t raw_len[] = {
	[CS_ALG_RSA_3072] = 384, [CS_ALG_RSA_4096] = 512, [CS_ALG_P256] = 64,
	[CS_ALG_P384] = 96,      [CS_ALG_ED25519] = 64,
};

static size_t input_digest(const struct cs_digest *d, uint8_t *out)
{
	size_t len = cs_hash_len(d->hash);

	memcpy(out, d->value, len);
	return len;
}

static size_t input_digest_info(const struct cs_digest *d, uint8_t *out)
{
	return cs_der_digest_info(d->hash, d->value, out);
}

static enum cs_rc result_as_is(struct cs_bytes raw, struct cs_buf *out, struct cs_err *e)
{
	cs_buf_add(out, raw.data, raw.len);
	return cs_buf_ok(out, "signature", e);
}

static enum cs_rc raw_as_is(struct cs_bytes sig, size_t len, struct cs_buf *raw, struct cs_err *e)
{
	if (sig.len != len)
		return CS_FAIL(e, CS_E_INVALID, "signature of %zu bytes instead of %zu", sig.len,
			       len);
	return result_as_is(sig, raw, e);
}

static const struct row {
	enum cs_scheme scheme;
	size_t (*input)(const struct cs_digest *d, uint8_t *out);
	enum cs_rc (*result)(struct cs_bytes raw, struct cs_buf *out, struct cs_err *e);
	enum cs_rc (*raw)(struct cs_bytes sig, size_t len, struct cs_buf *raw, struct cs_err *e);
} rows[CS_FORMAT__COUNT] = {
	/* what the token signs, what becomes of its answer, and the way back */
	[CS_FORMAT_RSA_PKCS1] = { CS_SCHEME_RSA_PKCS1, input_digest_info, result_as_is, raw_as_is },
	[CS_FORMAT_RSA_PSS] = { CS_SCHEME_RSA_PSS, input_digest, result_as_is, raw_as_is },
	[CS_FORMAT_ECDSA] = { CS_SCHEME_ECDSA, input_digest, cs_der_ecdsa_encode,
			      cs_der_ecdsa_decode },
	[CS_FORMAT_ED25519_DIGEST] = { CS_SCHEME_ED25519, input_digest, result_as_is, raw_as_is },
};

static_assert(sizeof(((struct cs_tbs *)0)->data) >= CS_DIGEST_INFO_MAX, "DigestInfo does not fit");
static_assert(sizeof(((struct cs_tbs *)0)->data) >= CS_HASH_MAX_LEN, "a digest does not fit");

/* The artifact at this index, if its digest, key and format agree with each other. */
static enum cs_rc find_artifact(const struct cs_request *doc, size_t index,
				const struct cs_artifact **ap, struct cs_err *e)
{
	const struct cs_artifact *a;
	enum cs_rc rc;

	if (index >= doc->count)
		return CS_FAIL(e, CS_E_INVALID, "artifact %zu: the request has %zu, from 0", index,
			       doc->count);
	a = &doc->artifacts[index];
	if (a->digest.hash != a->key_hash)
		return CS_FAIL(e, CS_E_INVALID,
			       "artifact \"%s\": a %s digest, but key \"%s\" signs %s", a->name,
			       cs_hash_name(a->digest.hash), a->key, cs_hash_name(a->key_hash));
	rc = cs_format_fits(a->format, a->key_alg, a->key_hash, e);
	if (rc) {
		cs_err_prefix(e, "artifact \"%s\"", a->name);
		return rc;
	}
	*ap = a;
	return CS_OK;
}

enum cs_rc cs_format_fits(enum cs_format f, enum cs_alg alg, enum cs_hash hash, struct cs_err *e)
{
	return cs_fits_check(f, alg, hash, e);
}

enum cs_rc cs_format_prepare(const struct cs_request *doc, size_t index, struct cs_tbs *out,
			     struct cs_err *e)
{
	const struct cs_artifact *a;
	enum cs_rc rc = find_artifact(doc, index, &a, e);

	if (rc)
		return rc;
	memset(out, 0, sizeof(*out));
	out->scheme = rows[a->format].scheme;
	out->hash = a->digest.hash;
	out->len = rows[a->format].input(&a->digest, out->data);
	return CS_OK;
}

enum cs_rc cs_format_finish(const struct cs_request *doc, size_t index, struct cs_bytes raw,
			    struct cs_buf *out, struct cs_err *e)
{
	const struct cs_artifact *a;
	enum cs_rc rc = find_artifact(doc, index, &a, e);

	if (rc)
		return rc;
	if (raw.len != raw_len[a->key_alg])
		return CS_FAIL(
			e, CS_E_SIGNATURE,
			"artifact \"%s\": the token returned %zu bytes, a %s signature has %zu",
			a->name, raw.len, cs_alg_name(a->key_alg), raw_len[a->key_alg]);
	return rows[a->format].result(raw, out, e);
}

enum cs_rc cs_format_raw(const struct cs_request *doc, size_t index, struct cs_bytes sig,
			 struct cs_buf *out, struct cs_err *e)
{
	const struct cs_artifact *a;
	enum cs_rc rc = find_artifact(doc, index, &a, e);

	if (rc)
		return rc;
	rc = rows[a->format].raw(sig, raw_len[a->key_alg], out, e);
	if (rc)
		cs_err_prefix(e, "artifact \"%s\"", a->name);
	return rc;
}

enum cs_rc cs_format_verify(const struct cs_request *doc, size_t index, const struct cs_pk *pk,
			    struct cs_bytes sig, struct cs_err *e)
{
	const struct cs_artifact *a;
	struct cs_bytes digest;
	enum cs_rc rc = find_artifact(doc, index, &a, e);

	if (rc)
		return rc;
	if (!cs_sha256_equal(cs_pk_spki_sha256(pk), &a->key_spki))
		return CS_FAIL(
			e, CS_E_INVALID,
			"artifact \"%s\": this is not the public key of \"%s\" that the request "
			"document names",
			a->name, a->key);
	digest = (struct cs_bytes){ a->digest.value, cs_hash_len(a->digest.hash) };
	rc = cs_pk_verify(pk, rows[a->format].scheme, a->digest.hash, digest, sig, e);
	if (rc)
		cs_err_prefix(e, "artifact \"%s\"", a->name);
	return rc;
}

struct cs_sha256 cs_tbs_sha256(const struct cs_tbs *tbs)
{
	return cs_sha256((struct cs_bytes){ tbs->data, tbs->len });
}
