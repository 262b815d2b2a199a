/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The client's certificate and key, checked before anything is sent: under TLS 1.3 a server's
 * refusal shows only at the first read and says little.
 */
#ifndef CS_CLIENT_IDENTITY_H
#define CS_CLIENT_IDENTITY_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/err.h"

struct cs_identity {
	X509 *cert;             /* owned */
	STACK_OF(X509) * chain; /* owned; the certificates behind it in the file */
	EVP_PKEY *key;          /* owned */
};

/** Asked for a pass phrase: see countersign_profile. */
typedef int cs_passphrase_fn(void *arg, const char *path, char *buf, size_t size);

struct cs_identity_source {
	const char *certificate; /* PEM file */
	const char *key;         /* PEM file; unused with pkey */
	EVP_PKEY *pkey;          /* borrowed; a reference is taken */
	cs_passphrase_fn *passphrase;
	void *passphrase_arg;
};

/**
 * Load both and check dates, purpose and that they belong together.
 *
 * @return CS_OK; CS_E_CONFIG with the file and what is wrong with it
 */
enum cs_rc cs_identity_load(const struct cs_identity_source *source, struct cs_identity *out,
			    struct cs_err *e) CS_MUST_CHECK;
void cs_identity_done(struct cs_identity *id);

/**
 * A private key from a PEM file, encrypted or not. The caller owns *keyp.
 *
 * @param what  names the key in errors: "approval key"
 */
enum cs_rc cs_identity_key(const char *path, const char *what, cs_passphrase_fn *fn, void *arg,
			   EVP_PKEY **keyp, struct cs_err *e) CS_MUST_CHECK;

#endif
