/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Find what is used twice by sorting: thousands of principals may have several certificates each.
 */
#include "policy/uses.h"

#include <stdlib.h>
#include <string.h>

#include "policy/where.h"

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static int compare_key(const struct cs_use *a, const struct cs_use *b)
{
	int cmp = memcmp(a->spki->b, b->spki->b, sizeof(a->spki->b));

	return cmp ? cmp : strcmp(or_empty(a->uri), or_empty(b->uri));
}

static int compare(const void *left, const void *right)
{
	const struct cs_use *a = left, *b = right;
	int cmp = compare_key(a, b);

	return cmp ? cmp : (a->order > b->order) - (a->order < b->order);
}

void cs_uses_check(struct cs_use *uses, size_t count, struct cs_problems *p)
{
	if (count == 0)
		return;
	qsort(uses, count, sizeof(*uses), compare);
	for (size_t i = 1; i < count; i++) {
		const struct cs_use *first = &uses[i - 1], *again = &uses[i];

		if (compare_key(first, again) == 0)
			cs_problem_add(p, CS_AT(again->at),
				       "%s %s: this key is used by %s %s already; every key and "
				       "certificate has one use and one owner",
				       again->kind, again->owner, first->kind, first->owner);
	}
}
