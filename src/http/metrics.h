/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What http/ counts while it works, and the listener from which Prometheus fetches it, together
 * with the core's metrics: plain HTTP on this machine, GET /metrics and nothing else.
 */
#ifndef CS_HTTP_METRICS_H
#define CS_HTTP_METRICS_H

#include <pthread.h>

#include "base/metrics.h"
#include "http/http.h"
#include "http/problem.h"
#include "http/tls.h"

#define CS_COUNTED_ROUTES_MAX 24 /* the table's and one for what matched none */
#define CS_COUNTED_STATUSES 24

/** Where requests wait for a thread: submissions for the core's, others for a worker's. */
enum cs_counted_queue {
	CS_COUNTED_SUBMISSIONS,
	CS_COUNTED_WRITES,
	CS_COUNTED_READS,
	CS_COUNTED_QUEUES
};

/** The last certificate that a principal came with. */
struct cs_seen_client {
	char name[CS_NAME_MAX + 1];
	int64_t not_after; /* µs */
};

/** Zeroed storage and an initialised lock are a fresh one. */
struct cs_http_counters {
	struct cs_counter requests[CS_COUNTED_ROUTES_MAX][CS_COUNTED_STATUSES];
	struct cs_histogram seconds[CS_COUNTED_ROUTES_MAX];
	struct cs_histogram waits[CS_COUNTED_QUEUES];
	struct cs_counter problems[CS_REFUSE__COUNT];
	struct cs_counter refused[CS_TLS_REASONS_MAX];
	pthread_mutex_t lock; /* guards the rest; taken once a handshake at most */
	size_t client_count;
	struct cs_seen_client clients[CS_PRINCIPALS_MAX];
};

struct cs_http;
struct cs_route;

/** An answer leaves. @param route  NULL when the request matched none */
void cs_count_request(struct cs_http_counters *n, const struct cs_route *route, unsigned status);
/** A request has waited for a thread. */
void cs_count_wait(struct cs_http_counters *n, enum cs_counted_queue queue, int64_t us);
/** It is answered, `us` after its last byte was there. */
void cs_count_handled(struct cs_http_counters *n, const struct cs_route *route, int64_t us);
/** This principal's certificate is good until then. */
void cs_count_client(struct cs_http_counters *n, const char *principal, int64_t not_after);

/** Append the metrics of http/. */
void cs_http_metrics(struct cs_http *h, struct cs_buf *out);

struct cs_metrics_listener;
/**
 * Listen.
 *
 * @param where  "127.0.0.1:port" or "[::1]:port"; CS_E_CONFIG for an address of another machine or
 * of the network
 */
enum cs_rc cs_metrics_listen(struct cs_http *h, const char *where, struct cs_metrics_listener **lp,
			     struct cs_err *e) CS_MUST_CHECK;
unsigned cs_metrics_port(const struct cs_metrics_listener *l);
/** NULL is fine. */
void cs_metrics_stop(struct cs_metrics_listener *l);

#endif
