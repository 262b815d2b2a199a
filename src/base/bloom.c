/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bit for each of a member's probes. A hash whose bits are not all there was never added.
 * Must never deny a member. See bloom.h.
 */
#include "base/bloom.h"

#include <stdlib.h>

#define BITS_PER_MEMBER 8
#define PROBES 2
#define PROBE_SHIFT 20 /* from one probe's 32 bits of the hash to the next one's */

struct cs_bloom {
	size_t capacity, count;
	uint64_t size; /* bits */
	uint64_t words[];
};

struct cs_bloom *cs_bloom_new(size_t capacity)
{
	const size_t words = capacity / (64 / BITS_PER_MEMBER) + 1;
	struct cs_bloom *b = calloc(1, sizeof(*b) + words * sizeof(b->words[0]));

	if (b) {
		b->capacity = capacity;
		b->size = (uint64_t)words * 64;
	}
	return b;
}

/** The bit of a probe: 32 bits of the hash, scaled to the size. */
static uint64_t bit_of(const struct cs_bloom *b, uint64_t hash, unsigned probe)
{
	return (hash >> probe * PROBE_SHIFT & UINT32_MAX) * b->size >> 32;
}

void cs_bloom_add(struct cs_bloom *b, uint64_t hash)
{
	for (unsigned i = 0; i < PROBES; i++) {
		const uint64_t bit = bit_of(b, hash, i);

		b->words[bit / 64] |= UINT64_C(1) << bit % 64;
	}
	b->count++;
}

bool cs_bloom_may_have(const struct cs_bloom *b, uint64_t hash)
{
	for (unsigned i = 0; i < PROBES; i++) {
		const uint64_t bit = bit_of(b, hash, i);

		if (!(b->words[bit / 64] >> bit % 64 & 1))
			return false;
	}
	return true;
}

size_t cs_bloom_count(const struct cs_bloom *b)
{
	return b->count;
}

size_t cs_bloom_capacity(const struct cs_bloom *b)
{
	return b->capacity;
}
