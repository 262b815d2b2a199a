/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of counters, histograms and their text. tests/flow lets promtool and Prometheus read the
 * same text.
 */
#include <pthread.h>
#include <string.h>

#include "base/metrics.h"
#include "unit/base_unit.h"

#define THREADS 4
#define ROUNDS 50000

static struct cs_buf out;

static void open_out(void)
{
	cs_buf_init(&out, 65536);
}

static void close_out(void)
{
	cs_buf_done(&out);
}

static struct cs_metrics_writer writer(const struct cs_metric *m)
{
	struct cs_metrics_writer w = { .out = &out };

	cs_metrics_begin(&w, m);
	cs_buf_reset(&out);
	return w;
}

START_TEST(a_metric_says_what_it_is)
{
	static const struct cs_metric m = { "x_total", CS_METRIC_COUNTER, { NULL }, "Crosses." };
	struct cs_metrics_writer w = { .out = &out };
	struct cs_counter n = { 0 };

	cs_counter_add(&n, 41);
	cs_counter_add(&n, 1);
	cs_metrics_begin(&w, &m);
	cs_metrics_counter(&w, NULL, NULL, &n);
	ck_assert_str_eq(cs_buf_str(&out),
			 "# HELP x_total Crosses.\n# TYPE x_total counter\nx_total 42\n");
}
END_TEST

START_TEST(labels_are_escaped)
{
	static const struct cs_metric m = { "x", CS_METRIC_GAUGE, { "one", "two" }, "" };
	struct cs_metrics_writer w = writer(&m);

	cs_metrics_int(&w, "a\\b\"c\nd", "\xc3\xa9 {}=,", -7);
	cs_metrics_int(&w, "", "", 0);
	ck_assert_str_eq(cs_buf_str(&out), "x{one=\"a\\\\b\\\"c\\nd\",two=\"\xc3\xa9 {}=,\"} -7\n"
					   "x{one=\"\",two=\"\"} 0\n");
}
END_TEST

static const struct {
	int64_t us;
	const char *text;
} times[] = {
	{ 0, "x 0\n" },
	{ 1, "x 0.000001\n" },
	{ 1500000, "x 1.5\n" },
	{ 10000000, "x 10\n" },
	{ -250000, "x -0.25\n" },
	{ INT64_MAX, "x 9223372036854.775807\n" },
	{ INT64_MIN, "x -9223372036854.775808\n" },
};

START_TEST(times_are_seconds)
{
	static const struct cs_metric m = { "x", CS_METRIC_GAUGE, { NULL }, "" };
	struct cs_metrics_writer w = writer(&m);

	cs_metrics_time(&w, NULL, NULL, times[_i].us);
	ck_assert_str_eq(cs_buf_str(&out), times[_i].text);
}
END_TEST

START_TEST(buckets_are_cumulative)
{
	static const struct cs_metric m = { "x_seconds", CS_METRIC_HISTOGRAM, { "t" }, "" };
	static const int64_t durations[] = { -5, 0, 100, 101, 250, 2400000, 10000000, 10000001 };
	struct cs_metrics_writer w = writer(&m);
	struct cs_histogram h = { 0 };

	for (size_t i = 0; i < COUNT(durations); i++)
		cs_histogram_add(&h, durations[i]);
	cs_metrics_histogram(&w, "dev", &h);
	ck_assert_str_eq(cs_buf_str(&out), "x_seconds_bucket{t=\"dev\",le=\"0.0001\"} 3\n"
					   "x_seconds_bucket{t=\"dev\",le=\"0.00025\"} 5\n"
					   "x_seconds_bucket{t=\"dev\",le=\"0.0005\"} 5\n"
					   "x_seconds_bucket{t=\"dev\",le=\"0.001\"} 5\n"
					   "x_seconds_bucket{t=\"dev\",le=\"0.0025\"} 5\n"
					   "x_seconds_bucket{t=\"dev\",le=\"0.005\"} 5\n"
					   "x_seconds_bucket{t=\"dev\",le=\"0.01\"} 5\n"
					   "x_seconds_bucket{t=\"dev\",le=\"0.025\"} 5\n"
					   "x_seconds_bucket{t=\"dev\",le=\"0.05\"} 5\n"
					   "x_seconds_bucket{t=\"dev\",le=\"0.1\"} 5\n"
					   "x_seconds_bucket{t=\"dev\",le=\"0.25\"} 5\n"
					   "x_seconds_bucket{t=\"dev\",le=\"0.5\"} 5\n"
					   "x_seconds_bucket{t=\"dev\",le=\"1\"} 5\n"
					   "x_seconds_bucket{t=\"dev\",le=\"2.5\"} 6\n"
					   "x_seconds_bucket{t=\"dev\",le=\"5\"} 6\n"
					   "x_seconds_bucket{t=\"dev\",le=\"10\"} 7\n"
					   "x_seconds_bucket{t=\"dev\",le=\"+Inf\"} 8\n"
					   "x_seconds_sum{t=\"dev\"} 22.400452\n"
					   "x_seconds_count{t=\"dev\"} 8\n");
}
END_TEST

START_TEST(a_histogram_may_have_no_label)
{
	static const struct cs_metric m = { "x_seconds", CS_METRIC_HISTOGRAM, { NULL }, "" };
	struct cs_metrics_writer w = writer(&m);
	struct cs_histogram h = { 0 };

	cs_metrics_histogram(&w, NULL, &h);
	ck_assert(strstr(cs_buf_str(&out), "x_seconds_bucket{le=\"+Inf\"} 0\n"));
	ck_assert(strstr(cs_buf_str(&out), "x_seconds_sum 0\nx_seconds_count 0\n"));
}
END_TEST

static struct cs_histogram shared;

static void *add_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < ROUNDS; i++)
		cs_histogram_add(&shared, 300);
	return NULL;
}

START_TEST(nothing_is_lost_between_threads)
{
	pthread_t threads[THREADS];

	memset(&shared, 0, sizeof(shared));
	for (size_t i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, add_many, NULL), 0);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(cs_counter_get(&shared.buckets[2]), THREADS * ROUNDS);
	ck_assert_uint_eq(cs_counter_get(&shared.sum), 300ULL * THREADS * ROUNDS);
}
END_TEST

START_TEST(tables_are_described)
{
	static const struct cs_metric table[] = {
		{ "x_total", CS_METRIC_COUNTER, { NULL }, "Crosses." },
		{ "y", CS_METRIC_GAUGE, { "a", "b" }, "Whys." },
	};

	cs_metrics_describe(table, COUNT(table), &out);
	ck_assert_str_eq(cs_buf_str(&out), "| metric | type | labels | |\n|---|---|---|---|\n"
					   "| `x_total` | counter |  | Crosses. |\n"
					   "| `y` | gauge | `a`, `b` | Whys. |\n");
}
END_TEST

void add_metrics_tests(TCase *tc)
{
	tcase_add_checked_fixture(tc, open_out, close_out);
	tcase_add_test(tc, a_metric_says_what_it_is);
	tcase_add_test(tc, labels_are_escaped);
	tcase_add_loop_test(tc, times_are_seconds, 0, COUNT(times));
	tcase_add_test(tc, buckets_are_cumulative);
	tcase_add_test(tc, a_histogram_may_have_no_label);
	tcase_add_test(tc, nothing_is_lost_between_threads);
	tcase_add_test(tc, tables_are_described);
}
