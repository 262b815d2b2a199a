/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log-linear buckets: the highest seven bits of a value choose the bucket.
 * Allocates nothing and rounds up, never down.
 */
#include "bench/histogram.h"

#include <assert.h>

#define SUB_BITS 6
#define SUB (1 << SUB_BITS) /* buckets to a power of two; below it, one to a value */

/* how far a value is shifted to leave its highest seven bits */
static int shift_of(uint64_t value)
{
	return value < 2 * SUB ? 0 : 63 - SUB_BITS - __builtin_clzll(value);
}

static int bucket_of(int64_t us)
{
	const int shift = shift_of((uint64_t)us);
	const int64_t bucket = shift * SUB + (us >> shift);

	return bucket < HISTOGRAM_BUCKETS ? (int)bucket : HISTOGRAM_BUCKETS - 1;
}

/* the largest value of a bucket */
static int64_t value_of(int bucket)
{
	const int shift = bucket < 2 * SUB ? 0 : bucket / SUB - 1;
	const int64_t top = bucket - shift * SUB;

	return ((top + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, int64_t us)
{
	assert(us >= 0);

	h->buckets[bucket_of(us)]++;
	h->count++;
	if (us > h->max)
		h->max = us;
}

int64_t histogram_percentile(const struct histogram *h, int percent)
{
	int64_t left = (h->count * percent + 99) / 100;

	assert(percent >= 1 && percent <= 100);

	for (int i = 0; i < HISTOGRAM_BUCKETS; i++) {
		left -= h->buckets[i];
		if (left <= 0 && h->count > 0)
			return value_of(i) < h->max ? value_of(i) : h->max;
	}
	return h->max;
}
