/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counts of latencies in buckets that grow with the value: 64 to a power of two, so a percentile is
 * at most 1.6 % too high. Memory is fixed, a value costs a few instructions.
 */
#ifndef CS_BENCH_HISTOGRAM_H
#define CS_BENCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BUCKETS (64 * 32) /* up to 2^37 µs: more than a day */

struct histogram {
	int64_t count, max;
	int64_t buckets[HISTOGRAM_BUCKETS];
};

/** @param us  0 or more; what is beyond the last bucket counts there */
void histogram_add(struct histogram *h, int64_t us);
/**
 * The least value, in µs, that `percent` of the values do not exceed; 0 when there are none.
 *
 * @param percent  1..100
 */
int64_t histogram_percentile(const struct histogram *h, int percent);

#endif
