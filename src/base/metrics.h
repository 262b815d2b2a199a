/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters that any thread may add to, and the text in which Prometheus reads them (exposition
 * format 0.0.4). Knows no metric: each layer has a table of its own. Must not lock or allocate
 * where something is counted.
 */
#ifndef CS_BASE_METRICS_H
#define CS_BASE_METRICS_H

#include <stdatomic.h>

#include "base/buf.h"

#define CS_METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define CS_METRIC_LABELS 2

enum cs_metric_type { CS_METRIC_COUNTER, CS_METRIC_GAUGE, CS_METRIC_HISTOGRAM };

/** A row of a table of metrics; all static storage. */
struct cs_metric {
	const char *name; /* with its unit; a counter's ends with _total */
	enum cs_metric_type type;
	const char *labels[CS_METRIC_LABELS]; /* names; NULL = no more */
	const char *help;                     /* one line */
};

/** A number that only grows. Zeroed storage is a fresh one. */
struct cs_counter {
	atomic_ullong n;
};

static inline void cs_counter_add(struct cs_counter *c, unsigned long long n)
{
	atomic_fetch_add_explicit(&c->n, n, memory_order_relaxed);
}

static inline unsigned long long cs_counter_get(const struct cs_counter *c)
{
	return atomic_load_explicit(&c->n, memory_order_relaxed);
}

#define CS_HISTOGRAM_BUCKETS 16 /* from 0.1 ms to 10 s */

/** Durations, sorted by length. Zeroed storage is a fresh one. */
struct cs_histogram {
	struct cs_counter buckets[CS_HISTOGRAM_BUCKETS + 1]; /* the last: longer than every bound */
	struct cs_counter sum;                               /* µs */
};

/** Count a duration; a negative one, from a clock read on two processors, is none. */
void cs_histogram_add(struct cs_histogram *h, int64_t us);

/** Writes metrics one after the other; errors stick to the buffer. */
struct cs_metrics_writer {
	struct cs_buf *out;
	const struct cs_metric *metric; /* the one that is being written */
};

/** Begin a metric; its samples follow at once. The writer starts zeroed, but for `out`. */
void cs_metrics_begin(struct cs_metrics_writer *w, const struct cs_metric *m);
/**
 * One sample of the metric that was begun. Values of labels are UTF-8 and escaped here.
 *
 * @param a, b  values of the metric's labels; NULL where it has none
 */
void cs_metrics_int(struct cs_metrics_writer *w, const char *a, const char *b, int64_t value);
/** The same with a time in µs, which is written in seconds. */
void cs_metrics_time(struct cs_metrics_writer *w, const char *a, const char *b, int64_t us);
void cs_metrics_counter(struct cs_metrics_writer *w, const char *a, const char *b,
			const struct cs_counter *c);
/** All samples of a histogram. Its metric has at most one label. */
void cs_metrics_histogram(struct cs_metrics_writer *w, const char *a, const struct cs_histogram *h);

/** A table of metrics as rows of a table in Markdown: name, type, labels, help. */
void cs_metrics_describe(const struct cs_metric *table, size_t count, struct cs_buf *out);

#endif
