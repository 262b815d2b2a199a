/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hexadecimal and base64 (RFC 4648 §4), strict in both directions.
 * Must not accept what it would not write: lower-case hex only, padded base64 only, no white space,
 * no stray bits.
 */
#ifndef CS_BASE_ENC_H
#define CS_BASE_ENC_H

#include "base/buf.h"

/** Write 2*len lower-case digits and a NUL. */
void cs_hex_encode(const uint8_t *data, size_t len, char *out);
/** Decode exactly outlen bytes from a string of exactly 2*outlen lower-case digits. */
bool cs_hex_decode(const char *hex, uint8_t *out, size_t outlen);
/** Characters that len bytes need, padding included. */
#define CS_BASE64_LEN(len) (((len) + 2) / 3 * 4)
/** Write CS_BASE64_LEN(len) characters and a NUL. */
void cs_base64_encode(const uint8_t *data, size_t len, char *out);
/** Append the decoded bytes to out. CS_E_INVALID names `what`. */
enum cs_rc cs_base64_decode(const char *text, size_t len, struct cs_buf *out, const char *what,
			    struct cs_err *e) CS_MUST_CHECK;

#endif
