/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every combination of format, key and hash, with a document that asks for it.
 * Shared by unit_format and the program that writes signatures for openssl to check.
 */
#ifndef TESTS_UNIT_FORMATS_H
#define TESTS_UNIT_FORMATS_H

#include "base/enc.h"
#include "model/request.h"
#include "unit/softkey.h"

struct format_case {
	const char *key; /* of tests/keys; NULL ends the list */
	enum cs_format format;
	enum cs_hash hash;
};

extern const struct format_case format_cases[];

/** What the artifact's digest is the hash of. */
extern const char format_case_image[];

/** A document with one artifact, "image0", for the key. */
void format_case_document(const struct format_case *c, const struct softkey *k,
			  struct cs_request *r);

#endif
