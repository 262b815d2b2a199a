/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of a closed list, indexed by the enum's value; entry 0 is not a name.
 * Internal to model/. Must not be case-insensitive or accept prefixes: a name is its exact bytes.
 */
#ifndef CS_MODEL_LIST_H
#define CS_MODEL_LIST_H

#include <stddef.h>

/** The name of value v; "none" for 0 and for anything outside the list. Static storage. */
const char *cs_list_name(const char *const *names, size_t count, size_t v);
/** The value of a name; 0 when it is unknown or NULL. */
size_t cs_list_find(const char *const *names, size_t count, const char *name);

#endif
