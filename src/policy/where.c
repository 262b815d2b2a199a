/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a part of the model to its node in the YAML tree.
 * Must not fail: a missing node falls back to the one around it.
 */
#include "policy/where.h"

#include <string.h>

size_t cs_where_line(const struct cs_yaml *node)
{
	return node ? node->line : 0;
}

size_t cs_where_column(const struct cs_yaml *node)
{
	return node ? node->column : 0;
}

static const struct cs_yaml *get(const struct cs_yaml *map, const char *key, enum cs_yaml_kind kind)
{
	const struct cs_yaml *child;

	if (!map || map->kind != CS_YAML_MAP)
		return NULL;
	child = cs_yaml_get(map, key);
	return child && child->kind == kind ? child : NULL;
}

const struct cs_yaml *cs_where_entry(const struct cs_yaml *map, const char *list, const char *id,
				     const char *name, size_t nth)
{
	const struct cs_yaml *entries = get(map, list, CS_YAML_LIST);

	for (size_t i = 0; entries && i < entries->count; i++) {
		const struct cs_yaml *value = get(entries->children[i], id, CS_YAML_SCALAR);

		if (value && strcmp(value->scalar, name) == 0 && nth-- == 0)
			return entries->children[i];
	}
	return map;
}

const struct cs_yaml *cs_where_field(const struct cs_yaml *map, const char *key)
{
	const struct cs_yaml *child;

	if (!map || !key || map->kind != CS_YAML_MAP)
		return map;
	child = cs_yaml_get(map, key);
	return child ? child : map;
}

const struct cs_yaml *cs_where_item(const struct cs_yaml *list, size_t index)
{
	if (!list || list->kind != CS_YAML_LIST || index >= list->count)
		return list;
	return list->children[index];
}
