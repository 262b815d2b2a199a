/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The approver's own key: loads it and signs DSSE envelopes with it.
 */
#ifndef CS_CLI_APPROVAL_H
#define CS_CLI_APPROVAL_H

#include <openssl/evp.h>

#include "base/dsse.h"
#include "cli/cli.h"

struct cs_approval {
	EVP_PKEY *key;    /* owned */
	struct cs_pk *pk; /* owned; its public half */
};

/** Load the profile's approval key: a PEM file or a pkcs11: URI. */
enum cs_rc cs_approval_open(const struct cs_cli *cli, struct cs_approval *out,
			    struct cs_err *e) CS_MUST_CHECK;
/** A key that is at hand; a reference is taken. */
enum cs_rc cs_approval_of(EVP_PKEY *key, struct cs_approval *out, struct cs_err *e) CS_MUST_CHECK;
void cs_approval_done(struct cs_approval *a);

/** Append a DSSE envelope with our signature, which was verified. */
enum cs_rc cs_approval_sign(const struct cs_approval *a, const char *payload_type,
			    struct cs_bytes payload, struct cs_buf *out,
			    struct cs_err *e) CS_MUST_CHECK;

#endif
