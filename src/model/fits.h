/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which keys make which formats: one key, one algorithm, one hash, one format.
 * The one table for all: policy/ refuses a key by it at load, format/ before it computes a byte.
 */
#ifndef CS_MODEL_FITS_H
#define CS_MODEL_FITS_H

#include "base/pk.h"
#include "model/names.h"

/**
 * Does a key of this algorithm and hash make this format?
 *
 * @return CS_OK, or CS_E_INVALID with a message that says which keys and hashes do
 */
enum cs_rc cs_fits_check(enum cs_format format, enum cs_alg alg, enum cs_hash hash,
			 struct cs_err *e) CS_MUST_CHECK;

#endif
