/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS with required client certificates, by GnuTLS: one generation of credentials per load of the
 * files, and the check of a client's chain, which runs in the handshake and again on open
 * connections after a reload. No session is resumed, no pkcs11: URI is ever resolved.
 */
#ifndef CS_HTTP_TLS_H
#define CS_HTTP_TLS_H

#include <gnutls/gnutls.h>

#include "authn/authn.h"
#include "base/buf.h"

#define CS_CHAIN_MAX 5                 /* certificates a client may send */
#define CS_CERTIFICATE_MAX (16 * 1024) /* bytes of each; they stay as long as the connection */
#define CS_TLS_REASONS_MAX 20

#define CS_TLS_PRIORITY                                                                       \
	"NONE:+VERS-TLS1.3:+VERS-TLS1.2:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305:"        \
	"+ECDHE-ECDSA:+ECDHE-RSA:+AEAD:+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:"      \
	"+CTYPE-SRV-X509:+CTYPE-CLI-X509:+COMP-NULL:+SIGN-ECDSA-SECP256R1-SHA256:"            \
	"+SIGN-ECDSA-SECP384R1-SHA384:+SIGN-ECDSA-SECP521R1-SHA512:+SIGN-EDDSA-ED25519:"      \
	"+SIGN-ECDSA-SHA256:+SIGN-ECDSA-SHA384:+SIGN-ECDSA-SHA512:+SIGN-RSA-PSS-RSAE-SHA256:" \
	"+SIGN-RSA-PSS-RSAE-SHA384:+SIGN-RSA-PSS-RSAE-SHA512:+SIGN-RSA-SHA256:"               \
	"+SIGN-RSA-SHA384:+SIGN-RSA-SHA512:%SERVER_PRECEDENCE"

struct cs_tls_files {
	const char *certificate; /* PEM chain */
	const char *key;         /* PEM; not readable by everybody */
	const char *client_ca;   /* PEM; every CA that issues certificates or CRLs */
	const char *client_crl;  /* PEM, or NULL */
};

/** A generation of credentials: immutable, shared by reference count. */
struct cs_tls;

/** Once, before anything else of GnuTLS: no PKCS#11 module is ever loaded. */
enum cs_rc cs_tls_global_init(struct cs_err *e) CS_MUST_CHECK;

/**
 * Load and check the four files. CS_E_CONFIG names the file and what is wrong with it. A CRL must
 * be signed by a CA of client_ca, be of the past, and not be outdated.
 *
 * @param now  µs since 1970
 */
enum cs_rc cs_tls_load(const struct cs_tls_files *files, int64_t now, struct cs_tls **tp,
		       struct cs_err *e) CS_MUST_CHECK;
struct cs_tls *cs_tls_ref(struct cs_tls *t);
void cs_tls_unref(struct cs_tls *t);
/** When the first of its CRLs is outdated, µs; INT64_MAX without a CRL. */
int64_t cs_tls_crl_until(const struct cs_tls *t);
/** Told of a certificate: kind "server" or "client-ca", its subject, when it expires (µs). */
typedef void cs_certificate_fn(void *arg, const char *kind, const char *name, int64_t not_after);
void cs_tls_each_certificate(const struct cs_tls *t, cs_certificate_fn *fn, void *arg);

/** Give a new server session these credentials and demand a client certificate. The caller keeps a
 * reference for as long as the session lives. */
enum cs_rc cs_tls_attach(struct cs_tls *t, gnutls_session_t session,
			 struct cs_err *e) CS_MUST_CHECK;

/** A client's certificates as DER, its own first. */
struct cs_chain {
	size_t count;
	struct cs_buf certs[CS_CHAIN_MAX];
};

/** Copy the chain out of a session. */
enum cs_rc cs_chain_from_session(gnutls_session_t session, struct cs_chain *chain,
				 struct cs_err *e) CS_MUST_CHECK;
void cs_chain_done(struct cs_chain *chain);

/** What was learnt about a client. */
struct cs_peer {
	struct cs_peer_cert cert;
	int64_t not_after;   /* µs: when its own certificate expires */
	int64_t valid_until; /* µs: the first certificate of its path that expires, or CRL */
};

/**
 * Check a chain: a path to a CA of client_ca with valid signatures, dates, purpose clientAuth (the
 * extension is required), no CA certificate, keys of at least RSA 2048 or P-256, SHA-2, SAN URIs
 * within limits, no certificate revoked or without a CRL of its issuer.
 *
 * @param reasonp  set on failure: a few words of static storage for the log ("revoked")
 * @return CS_OK or CS_E_UNAUTHENTICATED
 */
enum cs_rc cs_tls_check(const struct cs_tls *t, const struct cs_chain *chain, int64_t now,
			struct cs_peer *peer, const char **reasonp, struct cs_err *e) CS_MUST_CHECK;

/** Every reason why a client is refused, by number from 0; NULL behind the last. Static storage. */
const char *cs_tls_reason(size_t index);
/** Its number. @param reason  of cs_tls_check, or one of those that show before or after it */
size_t cs_tls_reason_index(const char *reason);

/** The TLS alert for a reason of cs_tls_check. */
gnutls_alert_description_t cs_tls_alert(const char *reason);

#endif
