/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Histograms, and the text format of metrics.
 * Must not know what is counted, nor look at a clock.
 * See prometheus.io/docs/instrumenting/exposition_formats, "Text-based format".
 */
#include "base/metrics.h"

#include <assert.h>
#include <inttypes.h>

/* Upper bounds, µs. */
static const int64_t bounds[CS_HISTOGRAM_BUCKETS] = {
	100,   250,    500,    1000,   2500,    5000,    10000,   25000,
	50000, 100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000,
};

static const char *const type_names[] = {
	[CS_METRIC_COUNTER] = "counter",
	[CS_METRIC_GAUGE] = "gauge",
	[CS_METRIC_HISTOGRAM] = "histogram",
};

void cs_histogram_add(struct cs_histogram *h, int64_t us)
{
	size_t i = 0;

	if (us < 0)
		us = 0;
	while (i < CS_HISTOGRAM_BUCKETS && us > bounds[i])
		i++;
	cs_counter_add(&h->buckets[i], 1);
	cs_counter_add(&h->sum, (unsigned long long)us);
}

void cs_metrics_begin(struct cs_metrics_writer *w, const struct cs_metric *m)
{
	w->metric = m;
	cs_buf_addf(w->out, "# HELP %s %s\n# TYPE %s %s\n", m->name, m->help, m->name,
		    type_names[m->type]);
}

/* A label's value: backslash, quote and newline are escaped. */
static void add_label(struct cs_buf *out, char before, const char *name, const char *value)
{
	cs_buf_addf(out, "%c%s=\"", before, name);
	for (; *value; value++) {
		if (*value == '\n')
			cs_buf_add_str(out, "\\n");
		else if (*value == '"' || *value == '\\')
			cs_buf_addf(out, "\\%c", *value);
		else
			cs_buf_add_char(out, *value);
	}
	cs_buf_add_char(out, '"');
}

/* Name and labels, up to the value. `le` is the bucket's bound, or NULL. */
static void add_head(struct cs_metrics_writer *w, const char *suffix, const char *const *values,
		     const char *le)
{
	char before = '{';

	cs_buf_addf(w->out, "%s%s", w->metric->name, suffix);
	for (size_t i = 0; i < CS_METRIC_LABELS; i++) {
		assert(!values[i] == !w->metric->labels[i]);
		if (!values[i])
			break;
		add_label(w->out, before, w->metric->labels[i], values[i]);
		before = ',';
	}
	if (le) {
		add_label(w->out, before, "le", le);
		before = ',';
	}
	cs_buf_add_str(w->out, before == ',' ? "} " : " ");
}

/* Seconds of µs, without a fraction that says nothing. */
static void add_seconds(struct cs_buf *out, int64_t us)
{
	const uint64_t size = us < 0 ? -(uint64_t)us : (uint64_t)us;
	uint64_t fraction = size % 1000000;
	int digits = 6;

	cs_buf_addf(out, "%s%" PRIu64, us < 0 ? "-" : "", size / 1000000);
	if (fraction == 0)
		return;
	for (; fraction % 10 == 0; fraction /= 10)
		digits--;
	cs_buf_addf(out, ".%0*" PRIu64, digits, fraction);
}

void cs_metrics_int(struct cs_metrics_writer *w, const char *a, const char *b, int64_t value)
{
	add_head(w, "", (const char *const[]){ a, b }, NULL);
	cs_buf_addf(w->out, "%" PRId64 "\n", value);
}

void cs_metrics_time(struct cs_metrics_writer *w, const char *a, const char *b, int64_t us)
{
	add_head(w, "", (const char *const[]){ a, b }, NULL);
	add_seconds(w->out, us);
	cs_buf_add_char(w->out, '\n');
}

void cs_metrics_counter(struct cs_metrics_writer *w, const char *a, const char *b,
			const struct cs_counter *c)
{
	add_head(w, "", (const char *const[]){ a, b }, NULL);
	cs_buf_addf(w->out, "%llu\n", cs_counter_get(c));
}

static void add_bucket(struct cs_metrics_writer *w, const char *const *values, const char *le,
		       unsigned long long count)
{
	add_head(w, "_bucket", values, le);
	cs_buf_addf(w->out, "%llu\n", count);
}

void cs_metrics_histogram(struct cs_metrics_writer *w, const char *a, const struct cs_histogram *h)
{
	const char *const values[CS_METRIC_LABELS] = { a };
	unsigned long long count = 0;
	struct cs_buf le;

	assert(w->metric->type == CS_METRIC_HISTOGRAM);
	cs_buf_init(&le, 32);
	/* the count is that of the buckets: whoever adds meanwhile cannot make them disagree */
	for (size_t i = 0; i < CS_HISTOGRAM_BUCKETS; i++) {
		count += cs_counter_get(&h->buckets[i]);
		cs_buf_reset(&le);
		add_seconds(&le, bounds[i]);
		add_bucket(w, values, cs_buf_str(&le), count);
	}
	cs_buf_done(&le);
	count += cs_counter_get(&h->buckets[CS_HISTOGRAM_BUCKETS]);
	add_bucket(w, values, "+Inf", count);
	add_head(w, "_sum", values, NULL);
	add_seconds(w->out, (int64_t)cs_counter_get(&h->sum));
	cs_buf_add_char(w->out, '\n');
	add_head(w, "_count", values, NULL);
	cs_buf_addf(w->out, "%llu\n", count);
}

void cs_metrics_describe(const struct cs_metric *table, size_t count, struct cs_buf *out)
{
	cs_buf_add_str(out, "| metric | type | labels | |\n|---|---|---|---|\n");
	for (size_t i = 0; i < count; i++) {
		const struct cs_metric *m = &table[i];

		cs_buf_addf(out, "| `%s` | %s | ", m->name, type_names[m->type]);
		for (size_t n = 0; n < CS_METRIC_LABELS && m->labels[n]; n++)
			cs_buf_addf(out, "%s`%s`", n > 0 ? ", " : "", m->labels[n]);
		cs_buf_addf(out, " | %s |\n", m->help);
	}
}
