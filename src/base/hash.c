/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SHA-2 by OpenSSL's own functions, not by EVP: those need no memory, so no hash fails for want of
 * it. Must not return a wrong hash: when OpenSSL fails, the program ends (see hash.h).
 * See hash.h for the contract.
 */
#define OPENSSL_SUPPRESS_DEPRECATED /* as SHA256_Init and its like are since OpenSSL 3.0 */
#include "base/hash.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

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

struct cs_hash_ctx {
	enum cs_hash hash;
	union {
		SHA256_CTX sha256;
		SHA512_CTX sha512; /* and SHA-384 */
	};
};

static void need(int ok)
{
	if (ok != 1)
		abort();
}

static void begin(struct cs_hash_ctx *c, enum cs_hash h)
{
	assert(h != CS_HASH_NONE && (unsigned)h < HASHES);
	c->hash = h;
	if (h == CS_HASH_SHA256)
		need(SHA256_Init(&c->sha256));
	else if (h == CS_HASH_SHA384)
		need(SHA384_Init(&c->sha512));
	else
		need(SHA512_Init(&c->sha512));
}

void cs_hash_update(struct cs_hash_ctx *c, const void *data, size_t len)
{
	if (c->hash == CS_HASH_SHA256)
		need(SHA256_Update(&c->sha256, data, len));
	else
		need(SHA512_Update(&c->sha512, data, len));
}

void cs_hash_final(struct cs_hash_ctx *c, uint8_t out[static CS_HASH_MAX_LEN])
{
	if (c->hash == CS_HASH_SHA256)
		need(SHA256_Final(out, &c->sha256));
	else
		need(SHA512_Final(out, &c->sha512)); /* knows how long it is */
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
	struct cs_hash_ctx c;

	begin(&c, h);
	cs_hash_update(&c, in.data, in.len);
	cs_hash_final(&c, out);
}

struct cs_sha256 cs_sha256(struct cs_bytes in)
{
	struct cs_sha256 h;
	SHA256_CTX c;

	need(SHA256_Init(&c));
	need(SHA256_Update(&c, in.data, in.len));
	need(SHA256_Final(h.b, &c));
	return h;
}

struct cs_sha256 cs_sha256_leaf(struct cs_bytes in)
{
	static const uint8_t leaf = 0x00;
	struct cs_sha256 h;
	SHA256_CTX c;

	need(SHA256_Init(&c));
	need(SHA256_Update(&c, &leaf, 1));
	need(SHA256_Update(&c, in.data, in.len));
	need(SHA256_Final(h.b, &c));
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
	struct cs_hash_ctx *c = calloc(1, sizeof(*c));

	if (c)
		begin(c, h);
	return c;
}

void cs_hash_free(struct cs_hash_ctx *c)
{
	free(c);
}
