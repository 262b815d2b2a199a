/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SHA-2 functions that countersign knows, by OpenSSL. SHA-1 and MD5 do not exist here.
 * Fails only when OpenSSL itself fails, which ends the program: a host without SHA-256 cannot keep
 * a log.
 */
#ifndef CS_BASE_HASH_H
#define CS_BASE_HASH_H

#include "base/buf.h"

#define CS_SHA256_LEN 32
#define CS_SHA256_HEX 65 /* with the NUL */
#define CS_HASH_MAX_LEN 64

/** Values are stored and sent by name only. */
enum cs_hash { CS_HASH_NONE, CS_HASH_SHA256, CS_HASH_SHA384, CS_HASH_SHA512 };

const char *cs_hash_name(enum cs_hash h);         /* "sha256" */
enum cs_hash cs_hash_from_name(const char *name); /* CS_HASH_NONE when unknown */
size_t cs_hash_len(enum cs_hash h);               /* 32, 48, 64; 0 for none */

struct cs_sha256 {
	uint8_t b[CS_SHA256_LEN];
};

struct cs_sha256 cs_sha256(struct cs_bytes in);
/** SHA-256(0x00 ‖ in): the leaf hash of RFC 6962 §2.1, which the event chain uses. */
struct cs_sha256 cs_sha256_leaf(struct cs_bytes in);
bool cs_sha256_equal(const struct cs_sha256 *a, const struct cs_sha256 *b);
void cs_sha256_hex(const struct cs_sha256 *h, char out[static CS_SHA256_HEX]);
bool cs_sha256_from_hex(const char *hex, struct cs_sha256 *out);
/** Any of the three; writes cs_hash_len(h) bytes. */
void cs_hash_bytes(enum cs_hash h, struct cs_bytes in, uint8_t out[static CS_HASH_MAX_LEN]);

/** Incremental, for files of any size. */
struct cs_hash_ctx;
struct cs_hash_ctx *cs_hash_new(enum cs_hash h); /* NULL without memory */
void cs_hash_update(struct cs_hash_ctx *c, const void *data, size_t len);
void cs_hash_final(struct cs_hash_ctx *c, uint8_t out[static CS_HASH_MAX_LEN]);
void cs_hash_free(struct cs_hash_ctx *c);

#endif
