/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signature formats in two pure steps: prepare (document → bytes the token signs) and finish (the
 * token's raw signature → what is released). prepare runs in the signer, finish and verify in the
 * daemon and in auditors' tools. A format with structure (CMS, MCUboot …) is one more row of the
 * table in format.c.
 */
#ifndef CS_FORMAT_FORMAT_H
#define CS_FORMAT_FORMAT_H

#include "model/request.h"

/** Bytes for one C_Sign. */
struct cs_tbs {
	enum cs_scheme scheme; /* which PKCS#11 mechanism; p11/ maps it */
	enum cs_hash hash;     /* parameter of PSS */
	size_t len;
	uint8_t data[128]; /* DigestInfo, digest, or the message for Ed25519 */
};

/** Does a key of this algorithm and hash make this format? e says which ones do. */
enum cs_rc cs_format_fits(enum cs_format f, enum cs_alg alg, enum cs_hash hash,
			  struct cs_err *e) CS_MUST_CHECK;
/** The bytes to sign for one artifact of a request document. CS_E_INVALID when digest, hash and key
 * do not agree. */
enum cs_rc cs_format_prepare(const struct cs_request *doc, size_t index, struct cs_tbs *out,
			     struct cs_err *e) CS_MUST_CHECK;
/** Raw token output to the released form (appended): ECDSA r‖s becomes DER, the others pass with
 * their length checked. */
enum cs_rc cs_format_finish(const struct cs_request *doc, size_t index, struct cs_bytes raw,
			    struct cs_buf *out, struct cs_err *e) CS_MUST_CHECK;
/** The way back from the released form to the token's raw output (appended), for auditors.
 * CS_E_INVALID when no raw output of this key finishes as sig. */
enum cs_rc cs_format_raw(const struct cs_request *doc, size_t index, struct cs_bytes sig,
			 struct cs_buf *out, struct cs_err *e) CS_MUST_CHECK;
/** Verify a released signature against the document and the key. CS_E_SIGNATURE when it does not.
 */
enum cs_rc cs_format_verify(const struct cs_request *doc, size_t index, const struct cs_pk *pk,
			    struct cs_bytes sig, struct cs_err *e) CS_MUST_CHECK;
/** Hash of the bytes to sign: names a signature in intents and journals. */
struct cs_sha256 cs_tbs_sha256(const struct cs_tbs *tbs);

#endif
