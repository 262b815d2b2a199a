/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The check of a client's certificates.
 * Must not trust what the client sent beside its own certificate: every link of the path is
 * verified by a signature before the names above it count. See tls.h for the contract.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "http/tls_internal.h"

#define RSA_BITS_MIN 2048
#define EC_BITS_MIN 256

/* Why a client is refused, in the log's words, and what TLS tells it. */
static const struct {
	const char *reason;
	gnutls_alert_description_t alert;
} refusals[] = {
	{ "malformed", GNUTLS_A_BAD_CERTIFICATE },
	{ "weak", GNUTLS_A_BAD_CERTIFICATE },
	{ "unknown-ca", GNUTLS_A_UNKNOWN_CA },
	{ "not-yet-valid", GNUTLS_A_CERTIFICATE_EXPIRED },
	{ "expired", GNUTLS_A_CERTIFICATE_EXPIRED },
	{ "wrong-purpose", GNUTLS_A_UNSUPPORTED_CERTIFICATE },
	{ "revoked", GNUTLS_A_CERTIFICATE_REVOKED },
	{ "crl-stale", GNUTLS_A_CERTIFICATE_UNKNOWN },
	{ "crl-missing", GNUTLS_A_CERTIFICATE_UNKNOWN },
	{ "invalid", GNUTLS_A_BAD_CERTIFICATE },
	/* these show after the handshake */
	{ "no-certificate", GNUTLS_A_CERTIFICATE_REQUIRED },
	{ "key-not-proven", GNUTLS_A_BAD_CERTIFICATE },
	{ "nobody", GNUTLS_A_ACCESS_DENIED },
	/* and this before it */
	{ "too-many-failures", GNUTLS_A_ACCESS_DENIED },
};

_Static_assert(CS_COUNT(refusals) <= CS_TLS_REASONS_MAX, "every reason is counted");

const char *cs_tls_reason(size_t index)
{
	return index < CS_COUNT(refusals) ? refusals[index].reason : NULL;
}

size_t cs_tls_reason_index(const char *reason)
{
	size_t i = 0;

	while (i < CS_COUNT(refusals) && strcmp(refusals[i].reason, reason) != 0)
		i++;
	assert(i < CS_COUNT(refusals));
	return i;
}

gnutls_alert_description_t cs_tls_alert(const char *reason)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		if (strcmp(refusals[i].reason, reason) == 0)
			return refusals[i].alert;
	return GNUTLS_A_BAD_CERTIFICATE;
}

static enum cs_rc refuse(const char **reasonp, const char *reason, struct cs_err *e,
			 const char *text)
{
	*reasonp = reason;
	return CS_FAIL(e, CS_E_UNAUTHENTICATED, "client certificate: %s", text);
}

const char *cs_tls_weakness(gnutls_x509_crt_t crt)
{
	unsigned bits = 0;
	int key = gnutls_x509_crt_get_pk_algorithm(crt, &bits);
	int sign = gnutls_x509_crt_get_signature_algorithm(crt);
	gnutls_digest_algorithm_t hash = sign < 0 ? GNUTLS_DIG_UNKNOWN
						  : gnutls_sign_get_hash_algorithm(
							    (gnutls_sign_algorithm_t)sign);

	if (key == GNUTLS_PK_RSA || key == GNUTLS_PK_RSA_PSS) {
		if (bits < RSA_BITS_MIN)
			return "RSA key of less than 2048 bits";
	} else if (key == GNUTLS_PK_EC) {
		if (bits < EC_BITS_MIN)
			return "EC key of less than 256 bits";
	} else if (key != GNUTLS_PK_EDDSA_ED25519) {
		return "key is none of RSA, EC and Ed25519";
	}
	/* EdDSA has its hash built in, which GnuTLS calls SHA-512 or unknown */
	if (sign == GNUTLS_SIGN_EDDSA_ED25519 || hash == GNUTLS_DIG_SHA256 ||
	    hash == GNUTLS_DIG_SHA384 || hash == GNUTLS_DIG_SHA512)
		return NULL;
	return "signature without SHA-2";
}

enum cs_rc cs_chain_from_session(gnutls_session_t session, struct cs_chain *chain, struct cs_err *e)
{
	unsigned count = 0;
	const gnutls_datum_t *peers = gnutls_certificate_get_peers(session, &count);

	if (!peers || count == 0)
		return CS_FAIL(e, CS_E_UNAUTHENTICATED, "client certificate: none was sent");
	if (count > CS_CHAIN_MAX)
		return CS_FAIL(e, CS_E_UNAUTHENTICATED,
			       "client certificate: more than %d certificates in the chain",
			       CS_CHAIN_MAX);
	for (chain->count = 0; chain->count < count; chain->count++) {
		const gnutls_datum_t *der = &peers[chain->count];
		struct cs_buf *copy = &chain->certs[chain->count];

		if (der->size > CS_CERTIFICATE_MAX) {
			cs_chain_done(chain);
			return CS_FAIL(e, CS_E_UNAUTHENTICATED,
				       "client certificate: more than %d bytes",
				       CS_CERTIFICATE_MAX);
		}
		cs_buf_init(copy, der->size);
		cs_buf_add(copy, der->data, der->size);
		if (cs_buf_ok(copy, "client certificate", e) != CS_OK) {
			cs_buf_done(copy);
			cs_chain_done(chain);
			return e->rc;
		}
	}
	return CS_OK;
}

void cs_chain_done(struct cs_chain *chain)
{
	for (size_t i = 0; i < chain->count; i++)
		cs_buf_done(&chain->certs[i]);
	chain->count = 0;
}

/* The sent certificates, parsed; then the path among them, ending below an anchor. */
struct path {
	unsigned sent_count, count;
	gnutls_x509_crt_t sent[CS_CHAIN_MAX];
	gnutls_x509_crt_t certs[CS_CHAIN_MAX]; /* borrowed from sent */
	gnutls_x509_crt_t anchor;              /* borrowed from the trust list's */
};

static void path_done(struct path *p)
{
	for (unsigned i = 0; i < p->sent_count; i++)
		gnutls_x509_crt_deinit(p->sent[i]);
}

static enum cs_rc parse_chain(const struct cs_chain *chain, struct path *p, const char **reasonp,
			      struct cs_err *e)
{
	for (size_t i = 0; i < chain->count; i++) {
		const struct cs_buf *copy = &chain->certs[i];
		gnutls_datum_t der = { .data = copy->data, .size = (unsigned)copy->len };
		const char *weakness;

		if (gnutls_x509_crt_init(&p->sent[p->sent_count]) < 0)
			return refuse(reasonp, "malformed", e, "out of memory");
		p->sent_count++;
		if (gnutls_x509_crt_import(p->sent[i], &der, GNUTLS_X509_FMT_DER) < 0)
			return refuse(reasonp, "malformed", e, "not a certificate");
		weakness = cs_tls_weakness(p->sent[i]);
		if (weakness)
			return refuse(reasonp, "weak", e, weakness);
	}
	return CS_OK;
}

/* Names and signature; dates and purposes are checked for the whole path later. */
static bool is_issued_by(gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer)
{
	unsigned status = 0;

	return gnutls_x509_crt_check_issuer(crt, issuer) == 1 &&
	       gnutls_x509_crt_verify(crt, &issuer, 1, GNUTLS_VERIFY_DISABLE_TIME_CHECKS,
				      &status) == 0 &&
	       status == 0;
}

static gnutls_x509_crt_t issuer_among(gnutls_x509_crt_t crt, const gnutls_x509_crt_t *among,
				      unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (is_issued_by(crt, among[i]))
			return among[i];
	return NULL;
}

static enum cs_rc build_path(const struct cs_tls *t, struct path *p, const char **reasonp,
			     struct cs_err *e)
{
	gnutls_x509_crt_t crt = p->sent[0];

	for (p->count = 0; crt && p->count < CS_CHAIN_MAX;) {
		p->certs[p->count++] = crt;
		p->anchor = issuer_among(crt, t->anchors, t->anchor_count);
		if (p->anchor)
			return CS_OK;
		crt = issuer_among(crt, p->sent + 1, p->sent_count - 1);
	}
	return refuse(reasonp, "unknown-ca", e,
		      "not issued by a CA that is trusted here; send the intermediate certificates "
		      "along");
}

/* GnuTLS lets a certificate without the extension pass for any purpose. */
static bool is_for_clients(gnutls_x509_crt_t crt)
{
	for (unsigned i = 0;; i++) {
		char oid[128];
		size_t size = sizeof(oid);
		unsigned critical;

		if (gnutls_x509_crt_get_key_purpose_oid(crt, i, oid, &size, &critical) < 0)
			return false;
		if (strcmp(oid, GNUTLS_KP_TLS_WWW_CLIENT) == 0)
			return true;
	}
}

static enum cs_rc check_dates(const struct path *p, int64_t now, int64_t *untilp,
			      int64_t *own_untilp, const char **reasonp, struct cs_err *e)
{
	for (unsigned i = 0; i < p->count; i++) {
		int64_t from = (int64_t)gnutls_x509_crt_get_activation_time(p->certs[i]);
		int64_t to = (int64_t)gnutls_x509_crt_get_expiration_time(p->certs[i]);

		if (from < 0 || now / CS_SECOND < from)
			return refuse(reasonp, "not-yet-valid", e, "not yet valid");
		if (to < 0 || now / CS_SECOND >= to)
			return refuse(reasonp, "expired", e, "expired");
		/* "for ever" (RFC 5280 §4.1.2.5) is beyond what µs can hold */
		if (i == 0)
			*own_untilp = to < INT64_MAX / CS_SECOND ? to * CS_SECOND : INT64_MAX;
		if (to < *untilp / CS_SECOND)
			*untilp = to * CS_SECOND;
	}
	return CS_OK;
}

static enum cs_rc check_trust(const struct cs_tls *t, struct path *p, const char **reasonp,
			      struct cs_err *e)
{
	char purpose[] = GNUTLS_KP_TLS_WWW_CLIENT;
	gnutls_typed_vdata_st data = { .type = GNUTLS_DT_KEY_PURPOSE_OID,
				       .data = (unsigned char *)purpose };
	unsigned status = 0, critical;

	if (!is_for_clients(p->certs[0]))
		return refuse(reasonp, "wrong-purpose", e,
			      "extendedKeyUsage does not name clientAuth");
	if (gnutls_x509_crt_get_ca_status(p->certs[0], &critical) > 0)
		return refuse(reasonp, "wrong-purpose", e, "is a CA's own");
	if (gnutls_x509_trust_list_verify_crt2(t->trust, p->certs, p->count, &data, 1, 0, &status,
					       NULL) < 0)
		return refuse(reasonp, "invalid", e, "cannot be verified");
	if (status & GNUTLS_CERT_PURPOSE_MISMATCH)
		return refuse(reasonp, "wrong-purpose", e, "its CA may not issue for clientAuth");
	if (status & GNUTLS_CERT_INSECURE_ALGORITHM)
		return refuse(reasonp, "weak", e, "a weak algorithm in its path");
	if (status & (GNUTLS_CERT_EXPIRED | GNUTLS_CERT_NOT_ACTIVATED))
		return refuse(reasonp, "expired", e, "its path is not valid now");
	if (status != 0)
		return refuse(reasonp, "invalid", e, "its path does not verify");
	return CS_OK;
}

static bool has_crl(const struct cs_tls *t, gnutls_x509_crt_t crt)
{
	gnutls_datum_t issuer = { NULL, 0 };
	bool found = false;

	if (gnutls_x509_crt_get_raw_issuer_dn(crt, &issuer) < 0)
		return false;
	for (unsigned i = 0; i < t->crl_count && !found; i++) {
		gnutls_datum_t name = { NULL, 0 };

		if (gnutls_x509_crl_get_raw_issuer_dn(t->crls[i], &name) < 0)
			continue;
		found = name.size == issuer.size && memcmp(name.data, issuer.data, name.size) == 0;
		gnutls_free(name.data);
	}
	gnutls_free(issuer.data);
	return found;
}

static enum cs_rc check_revocation(const struct cs_tls *t, const struct path *p, int64_t now,
				   const char **reasonp, struct cs_err *e)
{
	if (t->crl_count == 0)
		return CS_OK;
	if (now >= t->crl_until)
		return refuse(reasonp, "crl-stale", e,
			      "the server's revocation list is outdated, so nobody is let in");
	for (unsigned i = 0; i < p->count; i++) {
		int revoked = gnutls_x509_crt_check_revocation(p->certs[i], t->crls, t->crl_count);

		if (revoked != 0)
			return refuse(reasonp, "revoked", e, "revoked");
		if (!has_crl(t, p->certs[i]))
			return refuse(reasonp, "crl-missing", e,
				      "the server has no revocation list of its issuer");
	}
	return CS_OK;
}

static bool spki_hash(gnutls_x509_crt_t crt, struct cs_sha256 *out)
{
	size_t size = sizeof(out->b);

	return gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, out->b, &size) == 0 &&
	       size == sizeof(out->b);
}

static enum cs_rc read_uris(gnutls_x509_crt_t crt, struct cs_peer_cert *cert, const char **reasonp,
			    struct cs_err *e)
{
	for (unsigned i = 0;; i++) {
		char uri[sizeof(cert->san_uris[0])];
		size_t size = sizeof(uri) - 1;
		int type = gnutls_x509_crt_get_subject_alt_name(crt, i, uri, &size, NULL);

		if (type == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return CS_OK;
		if (type == GNUTLS_E_SHORT_MEMORY_BUFFER)
			return refuse(reasonp, "malformed", e,
				      "a subjectAltName of more than 255 bytes");
		if (type < 0)
			return refuse(reasonp, "malformed", e, "subjectAltName cannot be read");
		if (type != GNUTLS_SAN_URI)
			continue;
		if (memchr(uri, '\0', size))
			return refuse(reasonp, "malformed", e, "a subjectAltName with a NUL byte");
		if (cert->san_count == CS_CERT_SANS_MAX)
			return refuse(reasonp, "malformed", e,
				      "more than 8 URIs in subjectAltName");
		memcpy(cert->san_uris[cert->san_count], uri, size);
		cert->san_uris[cert->san_count++][size] = '\0';
	}
}

static bool add_issuer(gnutls_x509_crt_t crt, struct cs_peer_cert *cert)
{
	return cert->issuer_count == CS_CERT_ISSUERS_MAX ||
	       spki_hash(crt, &cert->issuers[cert->issuer_count++]);
}

/* Above an anchor there may be others: an intermediate and its root in one file. */
static bool add_anchors(const struct cs_tls *t, gnutls_x509_crt_t anchor, struct cs_peer_cert *cert)
{
	gnutls_x509_crt_t crt = anchor;
	bool ok = true;

	for (unsigned i = 0; ok && crt && i < CS_CERT_ISSUERS_MAX; i++) {
		gnutls_x509_crt_t issuer = issuer_among(crt, t->anchors, t->anchor_count);

		ok = add_issuer(crt, cert);
		crt = issuer && !gnutls_x509_crt_equals(crt, issuer) ? issuer : NULL;
	}
	return ok;
}

static enum cs_rc read_identity(const struct cs_tls *t, const struct path *p,
				struct cs_peer_cert *cert, const char **reasonp, struct cs_err *e)
{
	bool ok = spki_hash(p->certs[0], &cert->spki);

	cert->san_count = cert->issuer_count = 0;
	for (unsigned i = 1; ok && i < p->count; i++)
		ok = add_issuer(p->certs[i], cert);
	if (!ok || !add_anchors(t, p->anchor, cert))
		return refuse(reasonp, "malformed", e, "its public key cannot be read");
	return read_uris(p->certs[0], cert, reasonp, e);
}

enum cs_rc cs_tls_check(const struct cs_tls *t, const struct cs_chain *chain, int64_t now,
			struct cs_peer *peer, const char **reasonp, struct cs_err *e)
{
	struct path p = { .sent_count = 0 };
	enum cs_rc rc;

	assert(chain->count > 0 && chain->count <= CS_CHAIN_MAX);

	peer->valid_until = t->crl_until;
	rc = parse_chain(chain, &p, reasonp, e);
	if (rc == CS_OK)
		rc = build_path(t, &p, reasonp, e);
	if (rc == CS_OK)
		rc = check_dates(&p, now, &peer->valid_until, &peer->not_after, reasonp, e);
	if (rc == CS_OK)
		rc = check_revocation(t, &p, now, reasonp, e);
	if (rc == CS_OK)
		rc = check_trust(t, &p, reasonp, e);
	if (rc == CS_OK)
		rc = read_identity(t, &p, &peer->cert, reasonp, e);
	path_done(&p);
	return rc;
}
