/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metrics of http/: a table, what is counted, and what is looked up when somebody asks.
 * Must not take a lock where a request is counted. docs/METRICS.md is generated from the table.
 */
#include "http/metrics.h"

#include <string.h>

#include "base/clock.h"
#include "http/conn.h"

#define CS_METRICS_OF_HTTP(COUNTER, GAUGE, HISTOGRAM)                                              \
	COUNTER(REQUESTS, "countersign_http_requests_total", "route", "code",                      \
		"Requests answered, by operation (`none`: refused before it was known) and "       \
		"status.")                                                                         \
	HISTOGRAM(SECONDS, "countersign_http_request_seconds", "route",                            \
		  "From a request's last byte to its answer, without the time that a long poll "   \
		  "waits.")                                                                        \
	HISTOGRAM(QUEUE_WAIT, "countersign_http_queue_wait_seconds", "queue",                      \
		  "How long requests waited for a thread: `submissions` for the core's, `writes` " \
		  "and `reads` for a worker.")                                                     \
	GAUGE(QUEUE, "countersign_http_queue_length", "queue", NULL,                               \
	      "Requests that wait for a worker.")                                                  \
	GAUGE(CONNECTIONS, "countersign_http_connections", NULL, NULL, "Open connections.")        \
	GAUGE(IN_FLIGHT, "countersign_http_requests_in_flight", NULL, NULL,                        \
	      "Requests begun and not yet answered, long polls included.")                         \
	GAUGE(LONG_POLLS, "countersign_http_long_polls", NULL, NULL,                               \
	      "Long polls that wait for a change.")                                                \
	COUNTER(PROBLEMS, "countersign_problems_total", "type", NULL,                              \
		"Requests refused, by the type of the problem document; `busy`, `rate-limited` "   \
		"and what the server could not do are here.")                                      \
	COUNTER(REFUSED, "countersign_auth_refusals_total", "reason", NULL,                        \
		"Clients refused for their certificate, by reason.")                               \
	GAUGE(CERTIFICATES, "countersign_certificate_not_after_timestamp_seconds", "kind", "name", \
	      "When certificates expire: the `server`'s, each `client-ca`, and that of each "      \
	      "`client` since it was last seen.")                                                  \
	GAUGE(CRL, "countersign_crl_next_update_timestamp_seconds", NULL, NULL,                    \
	      "When the first client CRL is outdated: then every client is refused. Absent "       \
	      "without client-crl.")

#define ROW_COUNTER(id, name, a, b, help) { name, CS_METRIC_COUNTER, { a, b }, help },
#define ROW_GAUGE(id, name, a, b, help) { name, CS_METRIC_GAUGE, { a, b }, help },
#define ROW_HISTOGRAM(id, name, a, help) { name, CS_METRIC_HISTOGRAM, { a }, help },
#define ID(id, ...) M_##id,

enum { CS_METRICS_OF_HTTP(ID, ID, ID) M__COUNT };

static const struct cs_metric table[M__COUNT] = { CS_METRICS_OF_HTTP(ROW_COUNTER, ROW_GAUGE,
								     ROW_HISTOGRAM) };

const struct cs_metric *cs_http_metric_table(size_t *countp)
{
	*countp = M__COUNT;
	return table;
}

/* --- counting --- */

/* Every status that the API has; the last slot is for any other. */
static const struct {
	unsigned status;
	const char *text;
} statuses[CS_COUNTED_STATUSES - 1] = {
	{ 200, "200" }, { 201, "201" }, { 202, "202" }, { 400, "400" }, { 403, "403" },
	{ 404, "404" }, { 405, "405" }, { 409, "409" }, { 413, "413" }, { 414, "414" },
	{ 415, "415" }, { 422, "422" }, { 425, "425" }, { 429, "429" }, { 500, "500" },
	{ 502, "502" }, { 503, "503" }, { 504, "504" }, { 507, "507" },
};

static size_t slot_of(unsigned status)
{
	size_t i = 0;

	while (i < CS_COUNT(statuses) && statuses[i].status != status)
		i++;
	return i;
}

static const char *const queue_names[CS_COUNTED_QUEUES] = {
	[CS_COUNTED_SUBMISSIONS] = "submissions",
	[CS_COUNTED_WRITES] = "writes",
	[CS_COUNTED_READS] = "reads",
};

void cs_count_wait(struct cs_http_counters *n, enum cs_counted_queue queue, int64_t us)
{
	cs_histogram_add(&n->waits[queue], us);
}

/* Row 0 is for what matched no route. */
static size_t row_of(const struct cs_route *route)
{
	size_t count;

	return route ? (size_t)(route - cs_routes(&count)) + 1 : 0;
}

void cs_count_request(struct cs_http_counters *n, const struct cs_route *route, unsigned status)
{
	cs_counter_add(&n->requests[row_of(route)][slot_of(status)], 1);
}

void cs_count_handled(struct cs_http_counters *n, const struct cs_route *route, int64_t us)
{
	cs_histogram_add(&n->seconds[row_of(route)], us);
}

void cs_count_client(struct cs_http_counters *n, const char *principal, int64_t not_after)
{
	size_t i = 0;

	pthread_mutex_lock(&n->lock);
	while (i < n->client_count && strcmp(n->clients[i].name, principal) != 0)
		i++;
	if (i == n->client_count && i < CS_COUNT(n->clients)) {
		memcpy(n->clients[i].name, principal, strlen(principal) + 1);
		n->client_count++;
	}
	if (i < n->client_count)
		n->clients[i].not_after = not_after;
	pthread_mutex_unlock(&n->lock);
}

/* --- the text --- */

static void put(struct cs_metrics_writer *w, size_t metric, int64_t value)
{
	cs_metrics_begin(w, &table[metric]);
	cs_metrics_int(w, NULL, NULL, value);
}

/* Statuses that never were are left out: most routes have three or four. */
static void add_requests(const struct cs_http_counters *n, struct cs_metrics_writer *w)
{
	size_t count;
	const struct cs_route *routes = cs_routes(&count);

	cs_metrics_begin(w, &table[M_REQUESTS]);
	for (size_t i = 0; i <= count; i++)
		for (size_t k = 0; k < CS_COUNTED_STATUSES; k++)
			if (cs_counter_get(&n->requests[i][k]) > 0)
				cs_metrics_counter(w, i > 0 ? routes[i - 1].name : "none",
						   k < CS_COUNT(statuses) && statuses[k].text
							   ? statuses[k].text
							   : "other",
						   &n->requests[i][k]);
	cs_metrics_begin(w, &table[M_SECONDS]);
	for (size_t i = 1; i <= count; i++)
		cs_metrics_histogram(w, routes[i - 1].name, &n->seconds[i]);
	cs_metrics_begin(w, &table[M_QUEUE_WAIT]);
	for (size_t i = 0; i < CS_COUNTED_QUEUES; i++)
		cs_metrics_histogram(w, queue_names[i], &n->waits[i]);
}

static void add_refusals(const struct cs_http_counters *n, struct cs_metrics_writer *w)
{
	const char *reason;

	cs_metrics_begin(w, &table[M_PROBLEMS]);
	for (unsigned code = 0; code < CS_REFUSE__COUNT; code++)
		if (cs_problem_row(code))
			cs_metrics_counter(w, cs_problem_row(code)->name, NULL, &n->problems[code]);
	cs_metrics_begin(w, &table[M_REFUSED]);
	for (size_t i = 0; (reason = cs_tls_reason(i)) != NULL; i++)
		cs_metrics_counter(w, reason, NULL, &n->refused[i]);
}

static void add_certificate(void *arg, const char *kind, const char *name, int64_t not_after)
{
	cs_metrics_time(arg, kind, name, not_after);
}

static void add_expiries(struct cs_http *h, struct cs_metrics_writer *w)
{
	struct cs_http_counters *n = &h->counters;
	struct cs_tls *tls;

	pthread_mutex_lock(&h->lock);
	tls = cs_tls_ref(h->tls);
	pthread_mutex_unlock(&h->lock);
	cs_metrics_begin(w, &table[M_CERTIFICATES]);
	cs_tls_each_certificate(tls, add_certificate, w);
	pthread_mutex_lock(&n->lock);
	for (size_t i = 0; i < n->client_count; i++)
		cs_metrics_time(w, "client", n->clients[i].name, n->clients[i].not_after);
	pthread_mutex_unlock(&n->lock);
	cs_metrics_begin(w, &table[M_CRL]);
	if (cs_tls_crl_until(tls) != INT64_MAX)
		cs_metrics_time(w, NULL, NULL, cs_tls_crl_until(tls));
	cs_tls_unref(tls);
}

static int64_t count_connections(struct cs_http *h)
{
	int64_t count = 0;

	pthread_mutex_lock(&h->lock);
	for (const struct cs_conn *c = h->conns; c; c = c->next)
		count++;
	pthread_mutex_unlock(&h->lock);
	return count;
}

void cs_http_metrics(struct cs_http *h, struct cs_buf *out)
{
	struct cs_metrics_writer w = { .out = out };

	add_requests(&h->counters, &w);
	cs_metrics_begin(&w, &table[M_QUEUE]);
	cs_metrics_int(&w, queue_names[CS_COUNTED_WRITES], NULL, (int64_t)cs_queue_len(h->writes));
	cs_metrics_int(&w, queue_names[CS_COUNTED_READS], NULL, (int64_t)cs_queue_len(h->reads));
	put(&w, M_CONNECTIONS, count_connections(h));
	put(&w, M_IN_FLIGHT, atomic_load(&h->in_flight));
	put(&w, M_LONG_POLLS, atomic_load(&h->long_polls));
	add_refusals(&h->counters, &w);
	add_expiries(h, &w);
}
