/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A linear search: installations have dozens of principals, and a lookup on every request makes a
 * removed person's open connections worthless at once.
 */
#include "authn/authn.h"

#include <assert.h>
#include <string.h>

static bool has_issuer(const struct cs_peer_cert *cert, const struct cs_sha256 *ca)
{
	for (size_t i = 0; i < cert->issuer_count; i++) {
		if (cs_sha256_equal(&cert->issuers[i], ca))
			return true;
	}
	return false;
}

static bool has_uri(const struct cs_peer_cert *cert, const char *uri)
{
	for (size_t i = 0; i < cert->san_count; i++) {
		if (strcmp(cert->san_uris[i], uri) == 0)
			return true;
	}
	return false;
}

static bool matches(const struct cs_principal *pr, const struct cs_peer_cert *cert)
{
	for (size_t i = 0; i < pr->cert_count; i++) {
		const struct cs_cert_match *m = &pr->certs[i];

		if (m->by_spki ? cs_sha256_equal(&m->spki, &cert->spki)
			       : has_issuer(cert, &m->spki) && has_uri(cert, m->san_uri))
			return true;
	}
	return false;
}

enum cs_rc cs_authn_find(const struct cs_access *access, const struct cs_peer_cert *cert,
			 const struct cs_principal **pp, struct cs_err *e)
{
	const struct cs_principal *found = NULL;
	char spki[CS_SHA256_HEX];

	assert(cert->issuer_count <= CS_CERT_ISSUERS_MAX && cert->san_count <= CS_CERT_SANS_MAX);

	cs_sha256_hex(&cert->spki, spki);
	for (size_t i = 0; i < access->count; i++) {
		const struct cs_principal *pr = &access->principals[i];

		if (!matches(pr, cert))
			continue;
		if (found)
			return CS_FAIL(e, CS_E_UNAUTHENTICATED,
				       "certificate with SPKI hash %s matches two principals, %s "
				       "and %s; make their entries in access.yaml tell them apart",
				       spki, found->name, pr->name);
		found = pr;
	}
	if (!found)
		return CS_FAIL(e, CS_E_UNAUTHENTICATED,
			       "certificate with SPKI hash %s belongs to no principal; add it to "
			       "one in access.yaml",
			       spki);
	*pp = found;
	return CS_OK;
}
