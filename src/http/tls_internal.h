/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tls.c loads and peer.c checks by. For these two files only.
 */
#ifndef CS_HTTP_TLS_INTERNAL_H
#define CS_HTTP_TLS_INTERNAL_H

#include <gnutls/x509.h>

#include "http/tls.h"

struct cs_tls {
	int refs;                                /* atomic */
	gnutls_certificate_credentials_t server; /* our certificate, and the names of the CAs */
	gnutls_x509_trust_list_t trust;          /* refers to anchors */
	unsigned anchor_count, crl_count;
	gnutls_x509_crt_t *anchors; /* owned */
	gnutls_x509_crl_t *crls;    /* owned */
	int64_t crl_until;
	gnutls_x509_crt_t certificate; /* ours; owned */
};

/** Why a key or signature algorithm of a certificate is too weak, or NULL. Static storage. */
const char *cs_tls_weakness(gnutls_x509_crt_t crt);

#endif
