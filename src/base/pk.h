/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public keys: parsing SPKI (RFC 5280 §4.1.2.7), their identity, and the only place that verifies
 * signatures. No private keys here. An algorithm is named by its key type and size; padding and
 * hash belong to the use.
 */
#ifndef CS_BASE_PK_H
#define CS_BASE_PK_H

#include "base/hash.h"

#define CS_SPKI_MAX 2048
#define CS_PEM_MAX 65536
#define CS_SIG_MAX 65536

enum cs_alg {
	CS_ALG_NONE,
	CS_ALG_RSA_3072,
	CS_ALG_RSA_4096,
	CS_ALG_P256,
	CS_ALG_P384,
	CS_ALG_ED25519
};

const char *cs_alg_name(enum cs_alg a); /* "rsa-3072", "rsa-4096", "p-256", "p-384", "ed25519" */
enum cs_alg cs_alg_from_name(const char *name);
bool cs_alg_is_rsa(enum cs_alg a);
bool cs_alg_is_ecdsa(enum cs_alg a);

/** How the signature is made; a padding is part of it, the hash is given beside it. */
enum cs_scheme {
	CS_SCHEME_NONE,
	CS_SCHEME_RSA_PKCS1, /* RSASSA-PKCS1-v1_5 over a digest */
	CS_SCHEME_RSA_PSS,   /* MGF1 with the same hash, salt exactly as long as the hash */
	CS_SCHEME_ECDSA,     /* DER result, over a digest */
	CS_SCHEME_ED25519,   /* pure, over the message given */
};

/** A parsed public key; may be shared between threads. */
struct cs_pk;

/**
 * Parse a DER SubjectPublicKeyInfo. Refused: trailing bytes, a re-encoding that differs, RSA below
 * 3072 bits or of a length other than 3072 and 4096, e other than 65537, curves other than P-256
 * and P-384, points not on the curve. The checks cost an RSA key some 10 ms: parse once, keep it.
 */
enum cs_rc cs_pk_from_spki(struct cs_bytes spki, struct cs_pk **pkp,
			   struct cs_err *e) CS_MUST_CHECK;
/** From PEM with exactly one block, "PUBLIC KEY" or "CERTIFICATE"; same rules. */
enum cs_rc cs_pk_from_pem(struct cs_bytes pem, struct cs_pk **pkp, struct cs_err *e) CS_MUST_CHECK;
/** From a modulus and an exponent, both big-endian; same rules. */
enum cs_rc cs_pk_from_rsa(struct cs_bytes n, struct cs_bytes exponent, struct cs_pk **pkp,
			  struct cs_err *e) CS_MUST_CHECK;
/** From a point: the raw 04… or a DER OCTET STRING of it (CKA_EC_POINT); same rules. */
enum cs_rc cs_pk_from_ec(enum cs_alg curve, struct cs_bytes point, struct cs_pk **pkp,
			 struct cs_err *e) CS_MUST_CHECK;
/** From the 32 raw bytes. */
enum cs_rc cs_pk_from_ed25519(struct cs_bytes raw, struct cs_pk **pkp,
			      struct cs_err *e) CS_MUST_CHECK;
void cs_pk_free(struct cs_pk *pk);

enum cs_alg cs_pk_alg(const struct cs_pk *pk);
struct cs_bytes cs_pk_spki(const struct cs_pk *pk);                /* borrowed */
const struct cs_sha256 *cs_pk_spki_sha256(const struct cs_pk *pk); /* borrowed */
void cs_pk_to_pem(const struct cs_pk *pk, struct cs_buf *out);

/**
 * Verify. For ECDSA and RSA `input` is the digest, whose length must be cs_hash_len(h); for Ed25519
 * it is the message. PSS demands a salt of exactly the hash's length; RSA signatures must be
 * exactly as long as the modulus.
 *
 * @return CS_OK, CS_E_SIGNATURE when it does not verify, CS_E_INVALID when key, scheme and hash do
 * not fit together, CS_E_NOMEM when that could not be found out
 */
enum cs_rc cs_pk_verify(const struct cs_pk *pk, enum cs_scheme scheme, enum cs_hash h,
			struct cs_bytes input, struct cs_bytes sig, struct cs_err *e) CS_MUST_CHECK;

/** Say that this key will verify many signatures: after some, cs_pk_verify spends 40 ms once and is
 * twice as fast from then on (P-256; nothing changes for others). Before the key is shared. */
void cs_pk_expect_many(struct cs_pk *pk);

#endif
