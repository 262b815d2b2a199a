/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Bloom filter: a set of 64-bit hashes that can say of most hashes that they are not in it, in
 * one byte a member and two reads of memory. B. H. Bloom, "Space/Time Trade-offs in Hash Coding
 * with Allowable Errors", CACM 13 (7), 1970. Not for several threads at once.
 */
#ifndef CS_BASE_BLOOM_H
#define CS_BASE_BLOOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cs_bloom; /* opaque */

/** Empty, for so many members.
 * @return NULL without memory; free() it */
struct cs_bloom *cs_bloom_new(size_t capacity);
/** Add a hash. Its low 52 bits must be spread evenly. Beyond the capacity the filter stays right,
 * and helps less. */
void cs_bloom_add(struct cs_bloom *b, uint64_t hash);
/** false: it was never added. true of one in twenty others at capacity, of one in seventy at half
 * of it. */
bool cs_bloom_may_have(const struct cs_bloom *b, uint64_t hash);
/** How many were added, and for how many it was made. */
size_t cs_bloom_count(const struct cs_bloom *b);
size_t cs_bloom_capacity(const struct cs_bloom *b);

#endif
