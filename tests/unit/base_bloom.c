/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the Bloom filter: no member is ever denied, and few others are admitted. Hashes are
 * those of SHA-256 over numbers, so every run sees the same.
 */
#include <string.h>

#include "base/bloom.h"
#include "base/hash.h"
#include "unit/base_unit.h"

#define CAPACITY 10000

static uint64_t hash_of(uint64_t n)
{
	const struct cs_sha256 hash = cs_sha256(
		(struct cs_bytes){ (const uint8_t *)&n, sizeof(n) });
	uint64_t first;

	memcpy(&first, hash.b, sizeof(first));
	return first;
}

/** Of 10,000 hashes that were never added, how many it may have. */
static int wrong(const struct cs_bloom *b)
{
	int n = 0;

	for (uint64_t i = 0; i < 10000; i++)
		n += cs_bloom_may_have(b, hash_of(1000000 + i));
	return n;
}

static void fill(struct cs_bloom *b, uint64_t from, uint64_t to)
{
	for (uint64_t i = from; i < to; i++)
		cs_bloom_add(b, hash_of(i));
	for (uint64_t i = 0; i < to; i++)
		ck_assert(cs_bloom_may_have(b, hash_of(i)));
	ck_assert_uint_eq(cs_bloom_count(b), to);
}

START_TEST(members_are_in_and_few_others)
{
	struct cs_bloom *b = cs_bloom_new(CAPACITY);

	ck_assert_ptr_nonnull(b);
	ck_assert_uint_eq(cs_bloom_capacity(b), CAPACITY);
	ck_assert_int_eq(wrong(b), 0);
	fill(b, 0, CAPACITY / 2);
	ck_assert_int_lt(wrong(b), 200);
	fill(b, CAPACITY / 2, CAPACITY);
	ck_assert_int_lt(wrong(b), 600);
	fill(b, CAPACITY, 4 * CAPACITY);
	ck_assert_int_gt(wrong(b), 600);
	free(b);
}
END_TEST

/* As a store has them: all hashes of one range, which have their highest bits in common. */
START_TEST(the_highest_bits_may_be_the_same)
{
	struct cs_bloom *b = cs_bloom_new(CAPACITY);
	int n = 0;

	ck_assert_ptr_nonnull(b);
	for (uint64_t i = 0; i < CAPACITY / 2; i++)
		cs_bloom_add(b, hash_of(i) >> 12);
	for (uint64_t i = 0; i < 10000; i++)
		n += cs_bloom_may_have(b, hash_of(1000000 + i) >> 12);
	ck_assert_int_lt(n, 200);
	free(b);
}
END_TEST

START_TEST(the_smallest_holds_what_it_is_given)
{
	struct cs_bloom *b = cs_bloom_new(0);

	ck_assert_ptr_nonnull(b);
	ck_assert(!cs_bloom_may_have(b, 0));
	ck_assert(!cs_bloom_may_have(b, UINT64_MAX));
	cs_bloom_add(b, 0);
	cs_bloom_add(b, UINT64_MAX);
	ck_assert(cs_bloom_may_have(b, 0));
	ck_assert(cs_bloom_may_have(b, UINT64_MAX));
	ck_assert_uint_eq(cs_bloom_count(b), 2);
	free(b);
}
END_TEST

void add_bloom_tests(TCase *tc)
{
	tcase_add_test(tc, members_are_in_and_few_others);
	tcase_add_test(tc, the_highest_bits_may_be_the_same);
	tcase_add_test(tc, the_smallest_holds_what_it_is_given);
}
