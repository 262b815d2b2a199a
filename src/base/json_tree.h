/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where trees come from. Internal to base/: everybody else asks cs_json_parse or cs_jcs_parse.
 */
#ifndef CS_BASE_JSON_TREE_H
#define CS_BASE_JSON_TREE_H

#include <jansson.h>

#include "base/json.h"

/** Printable ASCII without '"' and '\\': what a string holds as itself. By the byte. */
extern const bool cs_json_is_itself[UINT8_MAX + 1];

/**
 * Read a JSON object that is plain: canonical, in ASCII without escapes, its integers of at most 15
 * digits. NULL when it is not, or without memory, and no verdict then. The caller owns it.
 */
struct cs_json *cs_json_plain(struct cs_bytes in);
/** The same tree as jansson's, which nests at most CS_JCS_DEPTH_MAX deep. NULL without memory. */
struct cs_json *cs_json_copy(const json_t *root);

/** For jansson's iterators, which want json_t * although they only read. */
static inline json_t *cs_json_mutable(const json_t *value)
{
	return (json_t *)(uintptr_t)value;
}

#endif
