/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of struct cs_pk, for pk.c and pk_verify.c only.
 */
#ifndef CS_BASE_PK_INTERNAL_H
#define CS_BASE_PK_INTERNAL_H

#include <stdatomic.h>

#include <openssl/evp.h>

#include "base/pk.h"
#include "base/pk_table.h"

struct cs_pk {
	enum cs_alg alg;
	EVP_PKEY *key; /* owned; only read after parsing, so threads may share it */
	struct cs_buf spki;
	struct cs_sha256 spki_sha256;
	atomic_int uses; /* to come before a table is worth it; 0 or less: never, or done */
	_Atomic(struct cs_pk_table *) table; /* owned; NULL while there is none */
};

#endif
