/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ECDSA verification on P-256 with a table of multiples of the public key, for keys that verify
 * thousands of signatures: most of a verification is the multiplication of the key's point, and the
 * table makes that as fast as the generator's. For pk_verify.c only.
 */
#ifndef CS_BASE_PK_TABLE_H
#define CS_BASE_PK_TABLE_H

#include <openssl/evp.h>

#include "base/buf.h"

struct cs_pk_table;

/** About 40 ms of CPU and 150 KiB. NULL when this OpenSSL makes no such tables. */
struct cs_pk_table *cs_pk_table_new(EVP_PKEY *key);
void cs_pk_table_free(struct cs_pk_table *t);
/** True only when the DER signature verifies. @param digest  32 bytes */
bool cs_pk_table_verify(const struct cs_pk_table *t, struct cs_bytes digest, struct cs_bytes sig);

#endif
