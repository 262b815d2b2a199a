/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener of /metrics: plain HTTP for a Prometheus on the same machine.
 * Must not listen where another machine could reach it, and must not answer anything else.
 * See metrics.h for the contract.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "http/conn.h"

#define CONNECTIONS 16 /* a Prometheus or two, and somebody with curl */
#define IDLE_SECONDS 30
#define TEXT_MAX (16U << 20)

struct cs_metrics_listener {
	struct cs_http *http;
	struct MHD_Daemon *daemon;
	unsigned port;
};

static enum MHD_Result respond(struct MHD_Connection *mhd, unsigned status, const char *type,
			       struct cs_buf *body)
{
	size_t len = 0;
	uint8_t *data = cs_buf_steal(body, &len);
	struct MHD_Response *r;
	enum MHD_Result sent = MHD_NO;

	if (!data)
		return MHD_NO;
	r = MHD_create_response_from_buffer(len, data, MHD_RESPMEM_MUST_FREE);
	if (!r)
		free(data);
	else if (MHD_add_response_header(r, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
		 (status != MHD_HTTP_METHOD_NOT_ALLOWED ||
		  MHD_add_response_header(r, MHD_HTTP_HEADER_ALLOW, "GET") == MHD_YES))
		sent = MHD_queue_response(mhd, status, r);
	if (r)
		MHD_destroy_response(r);
	return sent;
}

static enum MHD_Result refuse(struct MHD_Connection *mhd, unsigned status, const char *text)
{
	struct cs_buf body;

	cs_buf_init(&body, 1024);
	cs_buf_add_str(&body, text);
	return respond(mhd, status, "text/plain", &body);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *len, void **context)
{
	struct cs_metrics_listener *l = arg;
	struct cs_buf body;
	struct cs_err e = { 0 };

	(void)version;
	(void)data;
	*context = l;
	*len = 0; /* a body is not looked at */
	if (strcmp(url, "/metrics") != 0)
		return refuse(mhd, MHD_HTTP_NOT_FOUND, "only /metrics is here\n");
	if (strcmp(method, MHD_HTTP_METHOD_GET) != 0)
		return refuse(mhd, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET\n");
	cs_buf_init(&body, TEXT_MAX);
	cs_http_metrics(l->http, &body);
	if (cs_core_metrics(l->http->core, &body, &e) == CS_OK)
		return respond(mhd, MHD_HTTP_OK, CS_METRICS_TYPE, &body);
	cs_buf_done(&body);
	cs_log(CS_LOG_ERROR, "metrics", "%s", e.msg);
	return refuse(mhd, MHD_HTTP_INTERNAL_SERVER_ERROR, "the metrics cannot be read\n");
}

enum cs_rc cs_metrics_listen(struct cs_http *h, const char *where, struct cs_metrics_listener **lp,
			     struct cs_err *e)
{
	struct cs_metrics_listener *l = calloc(1, sizeof(*l));
	int fd = -1;
	enum cs_rc rc;

	if (!l)
		return CS_FAIL(e, CS_E_NOMEM, "the listener of /metrics");
	l->http = h;
	rc = cs_http_listen(where, &fd, &l->port, e);
	if (rc != CS_OK) {
		cs_err_prefix(e, "metrics-listen");
		goto out;
	}
	if (!cs_http_is_loopback(fd)) {
		rc = CS_FAIL(e, CS_E_CONFIG,
			     "metrics-listen \"%s\": only an address of this machine, 127.0.0.1 or "
			     "[::1]: whoever connects is not asked for a certificate",
			     where);
		goto out;
	}
	l->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, on_request, l,
				     MHD_OPTION_LISTEN_SOCKET, fd,                       /**/
				     MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS, /**/
				     MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)IDLE_SECONDS,
				     MHD_OPTION_END);
	if (!l->daemon) {
		rc = CS_FAIL(e, CS_E_IO, "/metrics does not start on %s", where);
		goto out;
	}
	fd = -1; /* transferred */
	*lp = l;
	l = NULL; /* transferred */
out:
	if (fd >= 0)
		close(fd);
	free(l);
	return rc;
}

unsigned cs_metrics_port(const struct cs_metrics_listener *l)
{
	return l->port;
}

void cs_metrics_stop(struct cs_metrics_listener *l)
{
	if (!l)
		return;
	MHD_stop_daemon(l->daemon);
	free(l);
}
