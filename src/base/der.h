/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The little DER that signing needs: DigestInfo (RFC 8017 §9.2) and Ecdsa-Sig-Value (RFC 3279
 * §2.2.3). Written by us, so that what an HSM signs is exactly what was checked.
 */
#ifndef CS_BASE_DER_H
#define CS_BASE_DER_H

#include "base/hash.h"

#define CS_DIGEST_INFO_MAX 83 /* 19 + 64 */

/** DigestInfo of a digest whose length is cs_hash_len(h). Returns its length. */
size_t cs_der_digest_info(enum cs_hash h, const uint8_t *digest,
			  uint8_t out[static CS_DIGEST_INFO_MAX]);
/** r ‖ s of equal halves (PKCS#11) to DER. CS_E_INVALID on odd or zero-valued input. */
enum cs_rc cs_der_ecdsa_encode(struct cs_bytes raw, struct cs_buf *out,
			       struct cs_err *e) CS_MUST_CHECK;
/**
 * The way back: appends r ‖ s.
 *
 * @param der  CS_E_INVALID unless it is exactly what cs_der_ecdsa_encode writes
 * @param len  of r and s together: even, at most 132
 */
enum cs_rc cs_der_ecdsa_decode(struct cs_bytes der, size_t len, struct cs_buf *raw,
			       struct cs_err *e) CS_MUST_CHECK;

#endif
