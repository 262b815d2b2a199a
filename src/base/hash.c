/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-2 by OpenSSL.
 * Must not return a wrong hash: when OpenSSL fails, the program ends (see hash.h).
 * See hash.h for the contract.
 */
#include "base/hash.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/enc.h"

static const struct {
	const char *name;
	size_t len;
} hashes[] = {
	[CS_HASH_NONE] = { "none", 0 },
	[CS_HASH_SHA256] = { "sha256", 32 },
	[CS_HASH_SHA384] = { "sha384", 48 },
	[CS_HASH_SHA512] = { "sha512", 64 },
};

#define HASHES (sizeof(hashes) / sizeof(hashes[0]))

/* Fetched once: with EVP_sha256() OpenSSL looks the algorithm up at every use, under a lock. */
static EVP_MD *fetched[HASHES];
static pthread_once_t fetched_once = PTHREAD_ONCE_INIT;

struct cs_hash_ctx {
	EVP_MD_CTX *md;
};

static void need(int ok)
{
	if (ok != 1)
		abort();
}

static void fetch(void)
{
	for (size_t i = CS_HASH_SHA256; i < HASHES; i++) {
		fetched[i] = EVP_MD_fetch(NULL, hashes[i].name, NULL);
		need(fetched[i] != NULL);
	}
}

static const EVP_MD *md(enum cs_hash h)
{
	need(pthread_once(&fetched_once, fetch) == 0);
	return fetched[h];
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
	need(EVP_Digest(in.data, in.len, out, NULL, md(h), NULL));
}

struct cs_sha256 cs_sha256(struct cs_bytes in)
{
	struct cs_sha256 h;

	need(EVP_Digest(in.data, in.len, h.b, NULL, md(CS_HASH_SHA256), NULL));
	return h;
}

struct cs_sha256 cs_sha256_leaf(struct cs_bytes in)
{
	static const uint8_t leaf = 0x00;
	struct cs_sha256 h;
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();

	need(ctx != NULL);
	need(EVP_DigestInit_ex(ctx, md(CS_HASH_SHA256), NULL));
	need(EVP_DigestUpdate(ctx, &leaf, 1));
	need(EVP_DigestUpdate(ctx, in.data, in.len));
	need(EVP_DigestFinal_ex(ctx, h.b, NULL));
	EVP_MD_CTX_free(ctx);
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
	need(EVP_DigestInit_ex(c->md, md(h), NULL));
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
