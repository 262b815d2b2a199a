/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private keys in software, for tests: they answer as a PKCS#11 token would, and sign DSSE
 * envelopes. Keys come from tests/keys. A failure aborts.
 */
#ifndef TESTS_UNIT_SOFTKEY_H
#define TESTS_UNIT_SOFTKEY_H

#include <openssl/evp.h>

#include "base/dsse.h"

struct softkey {
	EVP_PKEY *private;
	struct cs_pk *pk;
};

/** Load tests/keys/NAME.pem. */
struct softkey softkey_load(const char *name);
void softkey_done(struct softkey *k);
/**
 * Sign as the mechanism does: RSA over the bytes given (PKCS #1: they are a DigestInfo already),
 * ECDSA as r ‖ s, Ed25519 over the bytes as message. Appended to out.
 */
void softkey_sign(const struct softkey *k, enum cs_scheme scheme, enum cs_hash h,
		  struct cs_bytes tbs, struct cs_buf *out);
/** An envelope with this key's signature over the payload. Appended to out. */
void softkey_envelope(const struct softkey *k, const char *payload_type, struct cs_bytes payload,
		      struct cs_buf *out);
/** The same with another keyid than the key's. */
void softkey_envelope_as(const struct softkey *k, const struct cs_sha256 *keyid,
			 const char *payload_type, struct cs_bytes payload, struct cs_buf *out);

#endif
