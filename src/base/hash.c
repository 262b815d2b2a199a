/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-2 by OpenSSL.
 * Must not return a wrong hash: when OpenSSL fails, the program ends (see hash.h).
 * See hash.h for the contract.
 */
#include "base/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/enc.h"

static const struct {
	const char *name;
	size_t len;
	const EVP_MD *(*md)(void);
} hashes[] = {
	[CS_HASH_NONE] = { "none", 0, NULL },
	[CS_HASH_SHA256] = { "sha256", 32, EVP_sha256 },
	[CS_HASH_SHA384] = { "sha384", 48, EVP_sha384 },
	[CS_HASH_SHA512] = { "sha512", 64, EVP_sha512 },
};

#define HASHES (sizeof(hashes) / sizeof(hashes[0]))

struct cs_hash_ctx {
	EVP_MD_CTX *md;
};

static void need(int ok)
{
	if (ok != 1)
		abort();
}

const char *cs_hash_name(enum cs_hash h)
{
	assert((unsigned)h < HASHES);
	return hashes[h].name;
}

enum cs_hash cs_hash_from_name(const char *name)
{
	for (unsigned i = CS_HASH_SHA256; i < HASHES; i++) {
		if (strcmp(name, hashes[i].name) == 0)
			return (enum cs_hash)i;
	}
	return CS_HASH_NONE;
}

size_t cs_hash_len(enum cs_hash h)
{
	assert((unsigned)h < HASHES);
	return hashes[h].len;
}

void cs_hash_bytes(enum cs_hash h, struct cs_bytes in, uint8_t out[static CS_HASH_MAX_LEN])
{
	assert(h != CS_HASH_NONE && (unsigned)h < HASHES);
	need(EVP_Digest(in.data, in.len, out, NULL, hashes[h].md(), NULL));
}

struct cs_sha256 cs_sha256(struct cs_bytes in)
{
	struct cs_sha256 h;

	need(EVP_Digest(in.data, in.len, h.b, NULL, EVP_sha256(), NULL));
	return h;
}

struct cs_sha256 cs_sha256_leaf(struct cs_bytes in)
{
	static const uint8_t leaf = 0x00;
	struct cs_sha256 h;
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	need(md != NULL);
	need(EVP_DigestInit_ex(md, EVP_sha256(), NULL));
	need(EVP_DigestUpdate(md, &leaf, 1));
	need(EVP_DigestUpdate(md, in.data, in.len));
	need(EVP_DigestFinal_ex(md, h.b, NULL));
	EVP_MD_CTX_free(md);
	return h;
}

bool cs_sha256_equal(const struct cs_sha256 *a, const struct cs_sha256 *b)
{
	return CRYPTO_memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

void cs_sha256_hex(const struct cs_sha256 *h, char out[static CS_SHA256_HEX])
{
	cs_hex_encode(h->b, sizeof(h->b), out);
}

bool cs_sha256_from_hex(const char *hex, struct cs_sha256 *out)
{
	return cs_hex_decode(hex, out->b, sizeof(out->b));
}

struct cs_hash_ctx *cs_hash_new(enum cs_hash h)
{
	struct cs_hash_ctx *c;

	assert(h != CS_HASH_NONE && (unsigned)h < HASHES);
	c = calloc(1, sizeof(*c));
	if (!c)
		return NULL;
	c->md = EVP_MD_CTX_new();
	if (!c->md) {
		free(c);
		return NULL;
	}
	need(EVP_DigestInit_ex(c->md, hashes[h].md(), NULL));
	return c;
}

void cs_hash_update(struct cs_hash_ctx *c, const void *data, size_t len)
{
	need(EVP_DigestUpdate(c->md, data, len));
}

void cs_hash_final(struct cs_hash_ctx *c, uint8_t out[static CS_HASH_MAX_LEN])
{
	need(EVP_DigestFinal_ex(c->md, out, NULL));
}

void cs_hash_free(struct cs_hash_ctx *c)
{
	if (!c)
		return;
	EVP_MD_CTX_free(c->md);
	free(c);
}
