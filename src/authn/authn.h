/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a verified client certificate to a principal. TLS and chain verification are http/'s; this
 * is the lookup.
 */
#ifndef CS_AUTHN_AUTHN_H
#define CS_AUTHN_AUTHN_H

#include "model/access.h"

#define CS_CERT_SANS_MAX 8
#define CS_CERT_ISSUERS_MAX 4

/** What http/ took from a certificate whose chain, dates, purpose and revocation it has checked. */
struct cs_peer_cert {
	struct cs_sha256 spki;
	size_t issuer_count; /* SPKI hashes of the CAs above it, nearest first */
	struct cs_sha256 issuers[CS_CERT_ISSUERS_MAX];
	size_t san_count;
	char san_uris[CS_CERT_SANS_MAX][256];
};

/**
 * @param pp  borrowed from access, set on success
 * @return CS_OK, or CS_E_UNAUTHENTICATED: nobody, or two principals match (the message says which
 * of the two)
 */
enum cs_rc cs_authn_find(const struct cs_access *access, const struct cs_peer_cert *cert,
			 const struct cs_principal **pp, struct cs_err *e) CS_MUST_CHECK;

#endif
