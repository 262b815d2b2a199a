/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Life cycle of the resolved access list and look-ups in it.
 * No rule of access is decided here: authn/ matches certificates, policy/ judges.
 */
#include "model/access.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct cs_access *cs_access_new(void)
{
	struct cs_access *a = calloc(1, sizeof(*a));

	if (a)
		a->refs = 1;
	return a;
}

struct cs_access *cs_access_ref(struct cs_access *a)
{
	assert(a && __atomic_load_n(&a->refs, __ATOMIC_RELAXED) > 0);
	__atomic_add_fetch(&a->refs, 1, __ATOMIC_RELAXED);
	return a;
}

void cs_access_unref(struct cs_access *a)
{
	if (!a || __atomic_sub_fetch(&a->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; a->principals && i < a->count; i++) {
		struct cs_principal *p = &a->principals[i];

		for (size_t j = 0; p->certs && j < p->cert_count; j++)
			free(p->certs[j].san_uri);
		free(p->certs);
		free(p->keys);
	}
	free(a->principals);
	free(a);
}

static int compare_principal(const void *name, const void *principal)
{
	return strcmp(name, ((const struct cs_principal *)principal)->name);
}

const struct cs_principal *cs_access_principal(const struct cs_access *a, const char *name)
{
	if (a->count == 0)
		return NULL;
	return bsearch(name, a->principals, a->count, sizeof(a->principals[0]), compare_principal);
}

bool cs_principal_may_use(const struct cs_principal *p, const char *key)
{
	for (size_t i = 0; i < p->key_count; i++) {
		if (strcmp(p->keys[i], key) == 0)
			return true;
	}
	return false;
}

bool cs_principal_is_person(const struct cs_principal *p, const char *person)
{
	for (size_t i = 0; i < p->person_count; i++) {
		if (strcmp(p->persons[i], person) == 0)
			return true;
	}
	return false;
}
