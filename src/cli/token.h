/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Private keys on smart cards and tokens, by pkcs11: URI (RFC 7512): the only user of libp11.
 * Facts about it in ARCHITECTURE.md: once per process, and no Ed25519 key on the token.
 */
#ifndef CS_CLI_TOKEN_H
#define CS_CLI_TOKEN_H

#include <stdbool.h>

#include <openssl/evp.h>

#include "base/err.h"

bool cs_token_is_uri(const char *name);

/**
 * Load the module, log in and find the one private key that the URI names by token, serial, object
 * and id. The PIN comes from `pin-source` (a file), else from the terminal; a refused PIN is not
 * tried again.
 *
 * @param module  for URIs without `module-path`; may be NULL
 * @param what    names the key in errors: "approval key"
 * @param keyp    the caller owns a reference; the module stays loaded until the process ends
 */
enum cs_rc cs_token_key(const char *uri, const char *module, const char *what, EVP_PKEY **keyp,
			struct cs_err *e) CS_MUST_CHECK;

#endif
