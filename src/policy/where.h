/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a part of the resolved model stands in the file it came from, so that rules on the model
 * report lines. Every function takes NULL for "no file" and gives NULL or the nearest thing there
 * is: a problem with a coarse place is better than none.
 */
#ifndef CS_POLICY_WHERE_H
#define CS_POLICY_WHERE_H

#include "base/yaml.h"

/** Line and column of a node as two arguments of cs_problem_add; 0, 0 without one. */
#define CS_AT(node) cs_where_line(node), cs_where_column(node)

size_t cs_where_line(const struct cs_yaml *node);
size_t cs_where_column(const struct cs_yaml *node);

/** The nth (from 0) entry of map[list] whose field `id` is `name`; map when there is none. */
const struct cs_yaml *cs_where_entry(const struct cs_yaml *map, const char *list, const char *id,
				     const char *name, size_t nth);
/** The value of a key; the map itself when it has no such key, or for NULL. */
const struct cs_yaml *cs_where_field(const struct cs_yaml *map, const char *key);
/** An item of a list; the list itself when it is shorter. */
const struct cs_yaml *cs_where_item(const struct cs_yaml *list, size_t index);

#endif
