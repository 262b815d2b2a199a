/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Open addressing with linear probing, at most half full.
 * Must not own the values.
 * See map.h for the contract.
 */
#include "verify/map.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"

#define FIRST_CAP 64U
#define UUID_BYTES 16

struct cs_map_key cs_map_key(const char *request, int64_t artifact, int64_t attempt)
{
	struct cs_map_key key = { { 0 } };
	char hex[2 * UUID_BYTES + 1];
	size_t n = 0;
	bool ok;

	for (const char *p = request; *p != '\0'; p++) {
		if (*p != '-' && n < 2 * UUID_BYTES)
			hex[n++] = *p;
	}
	hex[n] = '\0';
	ok = cs_hex_decode(hex, key.b, UUID_BYTES);
	assert(ok);
	(void)ok;
	for (size_t i = 0; i < 8; i++) {
		key.b[UUID_BYTES + i] = (uint8_t)((uint64_t)artifact >> 8 * i);
		key.b[UUID_BYTES + 8 + i] = (uint8_t)((uint64_t)attempt >> 8 * i);
	}
	return key;
}

/* FNV-1a, 64 bits. */
static size_t bucket(const struct cs_map_key *key, size_t cap)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < sizeof(key->b); i++)
		h = (h ^ key->b[i]) * UINT64_C(0x100000001b3);
	return (size_t)(h ^ h >> 32) & (cap - 1);
}

/* The slot that has the key, or the empty one where it belongs. */
static struct cs_map_slot *probe(struct cs_map_slot *slots, size_t cap,
				 const struct cs_map_key *key)
{
	size_t i = bucket(key, cap);

	while (slots[i].used && memcmp(&slots[i].key, key, sizeof(*key)) != 0)
		i = (i + 1) & (cap - 1);
	return &slots[i];
}

struct cs_map_slot *cs_map_find(const struct cs_map *m, const struct cs_map_key *key)
{
	struct cs_map_slot *slot;

	if (m->cap == 0)
		return NULL;
	slot = probe(m->slots, m->cap, key);
	return slot->used ? slot : NULL;
}

static enum cs_rc grow(struct cs_map *m, struct cs_err *e)
{
	size_t cap = m->cap > 0 ? 2 * m->cap : FIRST_CAP;
	struct cs_map_slot *slots = calloc(cap, sizeof(*slots));

	if (!slots)
		return CS_FAIL(e, CS_E_NOMEM, "table of %zu entries", cap);
	for (size_t i = 0; i < m->cap; i++) {
		if (m->slots[i].used)
			*probe(slots, cap, &m->slots[i].key) = m->slots[i];
	}
	free(m->slots);
	m->slots = slots;
	m->cap = cap;
	return CS_OK;
}

enum cs_rc cs_map_add(struct cs_map *m, const struct cs_map_key *key, void *value, struct cs_err *e)
{
	struct cs_map_slot *slot;
	enum cs_rc rc;

	if (2 * m->count >= m->cap) {
		rc = grow(m, e);
		if (rc != CS_OK)
			return rc;
	}
	slot = probe(m->slots, m->cap, key);
	assert(!slot->used);
	*slot = (struct cs_map_slot){ .key = *key, .value = value, .used = true };
	m->count++;
	return CS_OK;
}

void cs_map_done(struct cs_map *m)
{
	free(m->slots);
	*m = (struct cs_map){ 0 };
}
