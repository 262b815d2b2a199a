/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every combination of format, key and hash, with a document that asks for it.
 * See formats.h.
 */
#include "unit/formats.h"

#include <stdio.h>
#include <string.h>

const struct format_case format_cases[] = {
	{ "rsa-3072", CS_FORMAT_RSA_PKCS1, CS_HASH_SHA256 },
	{ "rsa-3072", CS_FORMAT_RSA_PKCS1, CS_HASH_SHA384 },
	{ "rsa-3072", CS_FORMAT_RSA_PKCS1, CS_HASH_SHA512 },
	{ "rsa-4096", CS_FORMAT_RSA_PKCS1, CS_HASH_SHA256 },
	{ "rsa-4096", CS_FORMAT_RSA_PKCS1, CS_HASH_SHA512 },
	{ "rsa-3072", CS_FORMAT_RSA_PSS, CS_HASH_SHA256 },
	{ "rsa-3072", CS_FORMAT_RSA_PSS, CS_HASH_SHA384 },
	{ "rsa-4096", CS_FORMAT_RSA_PSS, CS_HASH_SHA512 },
	{ "p-256", CS_FORMAT_ECDSA, CS_HASH_SHA256 },
	{ "p-384", CS_FORMAT_ECDSA, CS_HASH_SHA384 },
	{ "ed25519", CS_FORMAT_ED25519_DIGEST, CS_HASH_SHA256 },
	{ "ed25519", CS_FORMAT_ED25519_DIGEST, CS_HASH_SHA512 },
	{ NULL, CS_FORMAT_NONE, CS_HASH_NONE },
};

const char format_case_image[] = "an image of 22 bytes\r\n";

void format_case_document(const struct format_case *c, const struct softkey *k,
			  struct cs_request *r)
{
	struct cs_bytes image = { (const uint8_t *)format_case_image, strlen(format_case_image) };
	struct cs_artifact *a = &r->artifacts[0];

	memset(r, 0, sizeof(*r));
	r->count = 1;
	(void)snprintf(a->name, sizeof(a->name), "image0");
	(void)snprintf(a->key, sizeof(a->key), "%s", c->key);
	a->digest.hash = c->hash;
	cs_hash_bytes(c->hash, image, a->digest.value);
	a->size = (int64_t)image.len;
	a->format = c->format;
	a->key_alg = cs_pk_alg(k->pk);
	a->key_hash = c->hash;
	a->key_spki = *cs_pk_spki_sha256(k->pk);
}
