/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DSSE envelopes (github.com/secure-systems-lab/dsse, version 1) with exactly one signature.
 * The signature algorithm follows from the key: P-256 with SHA-256, P-384 with SHA-384 (DER),
 * Ed25519 over the PAE, RSA with PSS, SHA-256, salt 32. Envelopes are canonical JSON like
 * everything else.
 */
#ifndef CS_BASE_DSSE_H
#define CS_BASE_DSSE_H

#include "base/pk.h"

#define CS_DSSE_PAYLOAD_MAX 65536
#define CS_DSSE_MAX (2 * CS_DSSE_PAYLOAD_MAX)

struct cs_dsse {
	char *payload_type;     /* owned */
	struct cs_buf payload;  /* decoded */
	struct cs_sha256 keyid; /* SHA-256 of the signer's SPKI; a hint, checked by verifying */
	struct cs_buf sig;
};

/** Pre-authentication encoding: "DSSEv1 SP len(type) SP type SP len(body) SP body". */
void cs_dsse_pae(const char *payload_type, struct cs_bytes payload, struct cs_buf *out);
/** {"payload":…,"payloadType":…,"signatures":[{"keyid":…,"sig":…}]} */
void cs_dsse_write(const char *payload_type, struct cs_bytes payload, const struct cs_sha256 *keyid,
		   struct cs_bytes sig, struct cs_buf *out);
/**
 * Parse strictly: canonical bytes, one signature, keyid of 64 hex digits.
 *
 * @param d  set on success only; the caller ends it with cs_dsse_done
 */
enum cs_rc cs_dsse_parse(struct cs_bytes envelope, struct cs_dsse *d,
			 struct cs_err *e) CS_MUST_CHECK;
/** Safe on a zeroed struct. */
void cs_dsse_done(struct cs_dsse *d);
/** Scheme and hash by which a key of this algorithm signs a PAE. */
void cs_dsse_scheme(enum cs_alg a, enum cs_scheme *schemep, enum cs_hash *hashp);
/**
 * CS_OK when the envelope has this payload type (else CS_E_INVALID) and verifies under pk, whose
 * hash must be the keyid (else CS_E_SIGNATURE).
 */
enum cs_rc cs_dsse_verify(const struct cs_dsse *d, const char *payload_type, const struct cs_pk *pk,
			  struct cs_err *e) CS_MUST_CHECK;

#endif
