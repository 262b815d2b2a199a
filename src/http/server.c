/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTPS server: libmicrohttpd's event loops read, the worker threads of work.c run the core.
 * Must not block in a callback, and must not run a handler on an event loop.
 * See ARCHITECTURE.md, "A request's life".
 */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gnutls/abstract.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "http/conn.h"

#define CONNECTION_MEMORY (16 * 1024) /* headers in, headers out */
#define DISCARD_MAX 4                 /* bodies' worth that is read and dropped before a 413 */
#define SEND_RATE_MIN (64 * 1024)     /* bytes a second that a reader of a large answer must take */
#define STOP_POLL_US 5000
#define CRL_CHECK "crl"

static void end_in(struct cs_conn *c, int64_t us)
{
	atomic_store(&c->deadline, cs_clock_mono() + us);
}

/* --- the handshake --- */

/* Called by GnuTLS with the client's certificates: before it proves that it has their key with TLS
 * 1.2, after it with 1.3. */
static int on_certificate(gnutls_session_t session)
{
	struct cs_conn *c = gnutls_session_get_ptr(session);
	const char *reason = "malformed";
	struct cs_err e;
	enum cs_rc rc;

	rc = cs_chain_from_session(session, &c->chain, &e);
	if (rc == CS_OK)
		rc = cs_tls_check(c->tls, &c->chain, cs_clock_now(), &c->peer, &reason, &e);
	if (rc != CS_OK) {
		cs_conn_refused(c, reason);
		gnutls_alert_send(session, GNUTLS_AL_FATAL, cs_tls_alert(reason));
		return GNUTLS_E_CERTIFICATE_ERROR;
	}
	return 0;
}

/* Its length and nothing else: 3 bytes, and one for the context with TLS 1.3. */
#define EMPTY_CERTIFICATE_MAX 4

/*
 * Messages of the handshake. Finished comes after the proof that the client has the certificate's
 * key, and only with it: until then no more time is granted.
 */
static int on_message(gnutls_session_t session, unsigned type, unsigned when, unsigned incoming,
		      const gnutls_datum_t *message)
{
	struct cs_conn *c = gnutls_session_get_ptr(session);

	(void)when;
	if (!incoming || c->proven)
		return 0;
	if (type == GNUTLS_HANDSHAKE_CERTIFICATE_PKT)
		c->met = message->size > EMPTY_CERTIFICATE_MAX;
	if (type == GNUTLS_HANDSHAKE_FINISHED && c->met && !c->refused) {
		c->proven = true;
		/* of the whole first request: on_target grants no more */
		end_in(c, c->http->config.request_us);
	}
	return 0;
}

static bool begin(struct cs_http *h, struct MHD_Connection *mhd, struct cs_conn *c)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	struct cs_err e;

	if (!info)
		return false;
	pthread_mutex_lock(&h->lock);
	c->tls = cs_tls_ref(h->tls);
	c->checked = atomic_load(&h->generation);
	pthread_mutex_unlock(&h->lock);
	gnutls_session_set_ptr(info->tls_session, c);
	gnutls_session_set_verify_function(info->tls_session, on_certificate);
	gnutls_handshake_set_hook_function(info->tls_session, GNUTLS_HANDSHAKE_ANY,
					   GNUTLS_HOOK_POST, on_message);
	return cs_tls_attach(c->tls, info->tls_session, &e) == CS_OK;
}

static void link_conn(struct cs_http *h, struct cs_conn *c)
{
	pthread_mutex_lock(&h->lock);
	c->next = h->conns;
	if (h->conns)
		h->conns->prev = c;
	h->conns = c;
	pthread_mutex_unlock(&h->lock);
}

/* libmicrohttpd closes the descriptor after this: from here on the reaper must not see it. */
static void unlink_conn(struct cs_http *h, struct cs_conn *c)
{
	pthread_mutex_lock(&h->lock);
	if (c->next)
		c->next->prev = c->prev;
	if (c->prev)
		c->prev->next = c->next;
	else
		h->conns = c->next;
	pthread_mutex_unlock(&h->lock);
}

/* Without credentials of ours the handshake would fail anyway: see no_certificate. */
static void cut_off(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		mhd, MHD_CONNECTION_INFO_CONNECTION_FD);

	if (info)
		shutdown(info->connect_fd, SHUT_RDWR);
}

static void on_connection(void *arg, struct MHD_Connection *mhd, void **context,
			  enum MHD_ConnectionNotificationCode what)
{
	struct cs_http *h = arg;
	struct cs_conn *c = *context;

	switch (what) {
	case MHD_CONNECTION_NOTIFY_STARTED:
		c = cs_conn_new(h, mhd);
		if (c)
			link_conn(h, c);
		if (!c || !begin(h, mhd, c))
			cut_off(mhd);
		*context = c;
		return;
	case MHD_CONNECTION_NOTIFY_CLOSED:
		if (!c)
			return;
		unlink_conn(h, c);
		if (!c->proven && !c->refused)
			cs_conn_refused(c, c->met ? "key-not-proven" : "no-certificate");
		cs_conn_free(c);
		*context = NULL;
		return;
	}
}

/* What libmicrohttpd's own credentials would offer. */
static int no_certificate(gnutls_session_t session, const gnutls_datum_t *ca_names, int ca_count,
			  const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
			  gnutls_pcert_st **certificates, unsigned *count, gnutls_privkey_t *key)
{
	(void)session;
	(void)ca_names;
	(void)ca_count;
	(void)algorithms;
	(void)algorithm_count;
	(void)certificates;
	(void)count;
	(void)key;
	return -1;
}

/* --- a request --- */

static void *on_target(void *arg, const char *target, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct cs_conn *c = info ? info->socket_context : NULL;
	struct cs_http *h = arg;

	if (!c)
		return NULL;
	cs_conn_reset(c);
	snprintf(c->target, sizeof(c->target), "%s", target ? target : "");
	/* in this order: either cs_http_stop counts this request and waits, or it is late */
	atomic_fetch_add(&h->in_flight, 1);
	c->late = atomic_load(&h->stopping);
	if (c->served)
		end_in(c, h->config.request_us);
	return c;
}

static enum MHD_Result send_response(struct cs_conn *c)
{
	if (!c->response)
		return MHD_NO;
	cs_count_request(&c->http->counters, c->route, c->status);
	end_in(c,
	       c->http->config.request_us + (int64_t)(c->response_len / SEND_RATE_MIN) * CS_SECOND);
	return MHD_queue_response(c->mhd, c->status, c->response);
}

static enum MHD_Result on_head(struct cs_conn *c, const char *method, const char *version)
{
	struct cs_err e = { .rc = CS_OK };
	struct cs_buf allow;
	unsigned code;

	cs_buf_init(&allow, 64);
	code = cs_conn_admit(c, method, version, &allow, &e);
	if (code == CS_OK && c->late) {
		/* nobody waits for it any more, so it must not be suspended */
		code = CS_FAIL(&e, CS_E_UNAVAILABLE,
			       "the server is stopping; try again in a moment");
		c->close = true;
	}
	c->step = CS_STEP_BODY;
	if (code != CS_OK)
		cs_reply_problem(c, code, e.msg,
				 &(struct cs_answer){ .retry_after = c->retry_after },
				 allow.len > 0 ? cs_buf_str(&allow) : NULL);
	cs_buf_done(&allow);
	if (code == CS_OK)
		return MHD_YES;
	c->step = CS_STEP_REPLY;
	/* a response at this point ends the connection; wait for the end of a request without body
	 */
	return c->close ? send_response(c) : MHD_YES;
}

static enum MHD_Result on_body(struct cs_conn *c, const char *data, size_t *len)
{
	size_t max = (size_t)c->http->config.body_max;

	if (!c->body_too_large && *len > max - c->body.len)
		c->body_too_large = true;
	if (c->body_too_large) {
		c->discarded += (int64_t)*len;
		if (c->discarded > DISCARD_MAX * c->http->config.body_max)
			return MHD_NO;
	} else {
		cs_buf_add(&c->body, data, *len);
	}
	*len = 0;
	return MHD_YES;
}

static enum MHD_Result on_complete(struct cs_conn *c)
{
	struct cs_http *h = c->http;
	struct cs_err e;

	if (atomic_load(&h->stopping))
		c->close = true;
	if (c->body_too_large) {
		c->close = true;
		cs_err_set(&e, CS_E_TOO_LARGE, "body: at most %lld bytes are taken",
			   (long long)h->config.body_max);
		cs_reply_problem(c, CS_E_TOO_LARGE, e.msg, NULL, NULL);
		return send_response(c);
	}
	if (cs_buf_ok(&c->body, "body", &e) != CS_OK) {
		cs_reply_problem(c, e.rc, e.msg, NULL, NULL);
		return send_response(c);
	}
	c->call.body = cs_buf_bytes(&c->body);
	c->step = CS_STEP_WORK;
	/* the core has deadlines of its own; the reaper comes back for the response */
	atomic_store(&c->deadline, INT64_MAX);
	c->queued = cs_clock_mono();
	MHD_suspend_connection(c->mhd);
	if (cs_http_begin(c))
		return MHD_YES;
	c->step = CS_STEP_REPLY; /* with nothing to reply: the connection ends */
	MHD_resume_connection(c->mhd);
	return MHD_YES;
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *mhd, const char *url,
				  const char *method, const char *version, const char *data,
				  size_t *len, void **context)
{
	struct cs_conn *c = *context;

	(void)arg;
	(void)mhd;
	(void)url; /* decoded by libmicrohttpd; on_target has the bytes */
	if (!c)
		return MHD_NO;
	switch (c->step) {
	case CS_STEP_HEAD: return on_head(c, method, version);
	case CS_STEP_BODY: return *len > 0 ? on_body(c, data, len) : on_complete(c);
	case CS_STEP_WORK: return MHD_YES;
	case CS_STEP_REPLY: return send_response(c);
	}
	return MHD_NO;
}

static void on_completed(void *arg, struct MHD_Connection *mhd, void **context,
			 enum MHD_RequestTerminationCode how)
{
	struct cs_http *h = arg;
	struct cs_conn *c = *context;

	(void)mhd;
	(void)how;
	if (!c)
		return;
	cs_conn_reset(c);
	c->served = true;
	atomic_fetch_sub(&h->in_flight, 1);
	end_in(c, h->config.idle_us);
	*context = NULL;
}

static enum MHD_Result on_accept(void *arg, const struct sockaddr *address, socklen_t len)
{
	struct cs_http *h = arg;
	char name[48];

	(void)len;
	if (atomic_load(&h->stopping))
		return MHD_NO;
	if (cs_sources_may(h->sources, cs_source_of(address), cs_clock_mono()))
		return MHD_YES;
	cs_conn_name_source(address, name);
	cs_core_auth_refused(h->core, name, "too-many-failures");
	cs_counter_add(&h->counters.refused[cs_tls_reason_index("too-many-failures")], 1);
	return MHD_NO;
}

static void on_panic(void *arg, const char *file, unsigned line, const char *reason)
{
	(void)arg;
	cs_log(CS_LOG_ERROR, "libmicrohttpd-panic", "%s:%u: %s", file, line,
	       reason ? reason : "no reason given");
	abort();
}

/* --- start, reload, stop
 * -------------------------------------------------------------------------- */

static char *copy(const char *s)
{
	return s ? strdup(s) : NULL;
}

static void free_http(struct cs_http *h)
{
	const char *strings[] = { h->config.listen,     h->config.certificate,
				  h->config.key,        h->config.client_ca,
				  h->config.client_crl, h->config.metrics_listen };

	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
		free((void *)(uintptr_t)strings[i]); /* const for readers, ours to free */
	cs_tls_unref(h->tls);
	cs_tls_unref(h->prepared);
	cs_queue_free(h->writes);
	cs_queue_free(h->reads);
	cs_sources_free(h->sources);
	free(h->workers);
	pthread_mutex_destroy(&h->lock);
	pthread_mutex_destroy(&h->counters.lock);
	pthread_cond_destroy(&h->wake);
	free(h);
}

/* Reads are short and share the core's few reading connections: an eighth more threads. */
static size_t all_workers(const struct cs_http_config *config)
{
	return (size_t)config->workers + (size_t)config->workers / 8 + 1;
}

static struct cs_http *new_http(const struct cs_http_config *config, struct cs_core *core)
{
	struct cs_http *h = calloc(1, sizeof(*h));
	pthread_condattr_t attr;

	if (!h)
		return NULL;
	h->core = core;
	h->config = *config;
	h->config.listen = copy(config->listen);
	h->config.certificate = copy(config->certificate);
	h->config.key = copy(config->key);
	h->config.client_ca = copy(config->client_ca);
	h->config.client_crl = copy(config->client_crl);
	h->workers = calloc(all_workers(config), sizeof(*h->workers));
	h->config.metrics_listen = copy(config->metrics_listen);
	pthread_mutex_init(&h->lock, NULL);
	pthread_mutex_init(&h->counters.lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&h->wake, &attr);
	pthread_condattr_destroy(&attr);
	if (h->workers && h->config.listen && h->config.certificate && h->config.key &&
	    h->config.client_ca && (h->config.client_crl || !config->client_crl) &&
	    (h->config.metrics_listen || !config->metrics_listen))
		return h;
	free_http(h);
	return NULL;
}

static enum cs_rc load_tls(const struct cs_http_config *config, struct cs_tls **tp,
			   struct cs_err *e)
{
	const struct cs_tls_files files = {
		.certificate = config->certificate,
		.key = config->key,
		.client_ca = config->client_ca,
		.client_crl = config->client_crl,
	};

	return cs_tls_load(&files, cs_clock_now(), tp, e);
}

enum cs_rc cs_http_check(const struct cs_http_config *config, struct cs_err *e)
{
	struct cs_tls *tls = NULL;
	enum cs_rc rc = cs_tls_global_init(e);

	if (rc == CS_OK)
		rc = load_tls(config, &tls, e);
	cs_tls_unref(tls);
	return rc;
}

static enum cs_rc start_mhd(struct cs_http *h, struct cs_err *e)
{
	const struct cs_http_config *config = &h->config;
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TLS | MHD_ALLOW_SUSPEND_RESUME;
	int fd = -1;
	enum cs_rc rc = cs_http_listen(config->listen, &fd, &h->port, e);

	if (rc != CS_OK)
		return rc;
	MHD_set_panic_func(on_panic, NULL);
	/* a pool of one is the daemon's own loop */
	h->daemon = MHD_start_daemon(
		flags, 0, on_accept, h, on_request, h,                                    /**/
		MHD_OPTION_LISTEN_SOCKET, fd,                                             /**/
		MHD_OPTION_HTTPS_PRIORITIES, CS_TLS_PRIORITY,                             /**/
		MHD_OPTION_HTTPS_CERT_CALLBACK, no_certificate,                           /**/
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, h,                           /**/
		MHD_OPTION_NOTIFY_COMPLETED, on_completed, h,                             /**/
		MHD_OPTION_URI_LOG_CALLBACK, on_target, h,                                /**/
		MHD_OPTION_CONNECTION_LIMIT, (unsigned)config->connections_max,           /**/
		MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)config->connections_per_ip, /**/
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)CONNECTION_MEMORY,            /**/
		MHD_OPTION_STRICT_FOR_CLIENT, 0, /* the guard is stricter, and answers better */
		MHD_OPTION_THREAD_POOL_SIZE,
		config->threads > 1 ? (unsigned)config->threads : 0, /**/
		MHD_OPTION_END);
	if (h->daemon)
		return CS_OK;
	close(fd);
	return CS_FAIL(e, CS_E_IO, "the HTTPS server does not start on %s", config->listen);
}

static enum cs_rc start_threads(struct cs_http *h, struct cs_err *e)
{
	enum cs_rc rc = CS_OK;

	while (rc == CS_OK && h->worker_count < all_workers(&h->config)) {
		struct cs_worker *w = &h->workers[h->worker_count];

		w->http = h;
		w->queue = h->worker_count < (size_t)h->config.workers ? h->writes : h->reads;
		rc = cs_thread_start(&w->thread, "http-worker", cs_http_work, w, e);
		if (rc == CS_OK)
			h->worker_count++;
	}
	if (rc == CS_OK)
		rc = cs_thread_start(&h->reaper, "http-reaper", cs_http_reap, h, e);
	h->has_reaper = rc == CS_OK;
	return rc;
}

static void end_threads(struct cs_http *h)
{
	if (h->writes)
		cs_queue_close(h->writes);
	if (h->reads)
		cs_queue_close(h->reads);
	for (size_t i = 0; i < h->worker_count; i++)
		pthread_join(h->workers[i].thread, NULL);
	if (!h->has_reaper)
		return;
	pthread_mutex_lock(&h->lock);
	h->ending = true;
	pthread_cond_signal(&h->wake);
	pthread_mutex_unlock(&h->lock);
	pthread_join(h->reaper, NULL);
}

enum cs_rc cs_http_start(const struct cs_http_config *config, struct cs_core *core,
			 struct cs_http **hp, struct cs_err *e)
{
	size_t count;
	const struct cs_route *routes = cs_routes(&count);
	struct cs_http *h = NULL;
	enum cs_rc rc = cs_routes_sane(routes, count, e);

	if (rc == CS_OK)
		rc = cs_tls_global_init(e);
	if (rc != CS_OK)
		return rc;
	assert(count < CS_COUNTED_ROUTES_MAX);
	h = new_http(config, core);
	if (!h)
		return CS_FAIL(e, CS_E_NOMEM, "HTTPS server");
	rc = cs_queue_new((size_t)config->connections_max, &h->writes, e);
	if (rc == CS_OK)
		rc = cs_queue_new((size_t)config->connections_max, &h->reads, e);
	if (rc == CS_OK)
		rc = cs_sources_new(config->auth_failures, &h->sources, e);
	if (rc == CS_OK)
		rc = load_tls(&h->config, &h->tls, e);
	if (rc != CS_OK)
		goto out;
	if (config->client_crl)
		cs_core_set_check(core, CRL_CHECK, "");
	rc = start_threads(h, e);
	if (rc == CS_OK && config->metrics_listen)
		rc = cs_metrics_listen(h, config->metrics_listen, &h->metrics, e);
	if (rc == CS_OK)
		rc = start_mhd(h, e);
	if (rc != CS_OK) {
		cs_metrics_stop(h->metrics);
		end_threads(h);
		goto out;
	}
	*hp = h;
	h = NULL; /* transferred */
out:
	if (h)
		free_http(h);
	return rc;
}

unsigned cs_http_port(const struct cs_http *h)
{
	return h->port;
}

unsigned cs_http_metrics_port(const struct cs_http *h)
{
	return h->metrics ? cs_metrics_port(h->metrics) : 0;
}

enum cs_rc cs_http_prepare(struct cs_http *h, struct cs_err *e)
{
	cs_tls_unref(h->prepared);
	h->prepared = NULL;
	return load_tls(&h->config, &h->prepared, e);
}

void cs_http_commit(struct cs_http *h)
{
	struct cs_tls *old;

	assert(h->prepared);
	pthread_mutex_lock(&h->lock);
	old = h->tls;
	h->tls = h->prepared;
	h->prepared = NULL;
	atomic_fetch_add(&h->generation, 1);
	pthread_mutex_unlock(&h->lock);
	cs_tls_unref(old);
}

void cs_http_stop(struct cs_http *h, int64_t deadline)
{
	atomic_store(&h->stopping, true);
	/* a suspended connection would make MHD_stop_daemon panic: requests inside the core are
	 * waited for beyond the deadline, those that only trickle are not */
	while (atomic_load(&h->in_flight) > 0 || atomic_load(&h->resuming) > 0) {
		if (cs_clock_mono() >= deadline) {
			pthread_mutex_lock(&h->lock);
			for (struct cs_conn *c = h->conns; c; c = c->next)
				shutdown(c->fd, SHUT_RDWR);
			pthread_mutex_unlock(&h->lock);
		}
		usleep(STOP_POLL_US);
	}
	MHD_stop_daemon(h->daemon);
	cs_metrics_stop(h->metrics);
	end_threads(h);
	free_http(h);
}
