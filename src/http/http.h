/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTPS with client certificates: the only user of libmicrohttpd and GnuTLS. Guards, routes,
 * renders; decides nothing. The route table is routes.c; OpenAPI is generated from it.
 */
#ifndef CS_HTTP_HTTP_H
#define CS_HTTP_HTTP_H

#include "core/core.h"

struct cs_http;

struct cs_http_config {
	const char *listen;         /* "host:port" or "[v6]:port"; port 0 = any free one */
	const char *metrics_listen; /* the same, of this machine; NULL = no /metrics */
	const char *certificate;    /* PEM chain */
	const char *key;            /* PEM; never a pkcs11: URI */
	const char *client_ca;      /* PEM */
	const char *client_crl;     /* PEM, or NULL */
	int64_t threads;            /* event loops */
	int64_t workers;            /* threads that run core/ */
	int64_t connections_max, connections_per_ip;
	int64_t body_max; /* bytes */
	int64_t handshake_us, request_us, idle_us;
	int64_t long_polls_max;
	int64_t auth_failures; /* a minute, of one address */
};

enum cs_rc cs_http_start(const struct cs_http_config *config, struct cs_core *core,
			 struct cs_http **hp, struct cs_err *e) CS_MUST_CHECK;
/** Port bound, for "listen …:0". */
unsigned cs_http_port(const struct cs_http *h);
/** Port of /metrics; 0 when there is none. */
unsigned cs_http_metrics_port(const struct cs_http *h);
/** First half of a reload: read and check certificate, key, CA and CRL again, and keep them aside.
 */
enum cs_rc cs_http_prepare(struct cs_http *h, struct cs_err *e) CS_MUST_CHECK;
/** Second half, which cannot fail: put in force what was prepared. New connections use it, open
 * ones are checked again at their next request. */
void cs_http_commit(struct cs_http *h);
/** Accept nothing new, finish what runs within deadline (cs_clock_mono), end the rest. Call
 * cs_core_drain first. */
void cs_http_stop(struct cs_http *h, int64_t deadline);

/** Read and check the TLS files of a configuration, and nothing else of it. CS_E_CONFIG. */
enum cs_rc cs_http_check(const struct cs_http_config *config, struct cs_err *e) CS_MUST_CHECK;

/** Every metric of http/. Static storage. */
const struct cs_metric *cs_http_metric_table(size_t *countp);

/** OpenAPI 3.1 as JSON text, from the route table. */
void cs_http_openapi(struct cs_buf *out);

#endif
