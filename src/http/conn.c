/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection's state, and who is behind it: asked again at every request, computed again only
 * when the access list, the credentials or the time have changed it. Must not answer; that is
 * reply.c's. See conn.h for the contract.
 */
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "http/conn.h"

void cs_conn_name_source(const struct sockaddr *address, char out[static 48])
{
	socklen_t len = address->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
						       : sizeof(struct sockaddr_in);

	if (getnameinfo(address, len, out, 48, NULL, 0, NI_NUMERICHOST) != 0)
		snprintf(out, 48, "unknown");
}

static void find_source(struct cs_conn *c)
{
	static const struct sockaddr unknown = { .sa_family = AF_UNSPEC };
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		c->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
	const struct sockaddr *address = info && info->client_addr ? info->client_addr : &unknown;

	cs_conn_name_source(address, c->source);
	c->source_key = cs_source_of(address);
}

struct cs_conn *cs_conn_new(struct cs_http *h, struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *fd = MHD_get_connection_info(
		mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct cs_conn *c = calloc(1, sizeof(*c));

	if (!c || !fd) {
		free(c);
		return NULL;
	}
	c->http = h;
	c->mhd = mhd;
	c->fd = fd->connect_fd;
	atomic_init(&c->deadline, cs_clock_mono() + h->config.handshake_us);
	find_source(c);
	cs_buf_init(&c->body, (size_t)h->config.body_max);
	return c;
}

void cs_conn_free(struct cs_conn *c)
{
	if (!c)
		return;
	cs_chain_done(&c->chain);
	cs_tls_unref(c->tls);
	cs_access_unref(c->access);
	cs_buf_done(&c->body);
	free(c->submission);
	if (c->response)
		MHD_destroy_response(c->response);
	free(c);
}

void cs_conn_reset(struct cs_conn *c)
{
	c->step = CS_STEP_HEAD;
	c->route = NULL;
	cs_buf_reset(&c->body);
	c->body_too_large = false;
	c->discarded = 0;
	c->retry_after = 0;
	c->close = false;
	c->woken = false;
	if (c->response)
		MHD_destroy_response(c->response);
	c->response = NULL;
}

void cs_conn_refused(struct cs_conn *c, const char *reason)
{
	c->refused = true;
	cs_core_auth_refused(c->http->core, c->source, reason);
	cs_sources_failed(c->http->sources, c->source_key, cs_clock_mono());
	cs_counter_add(&c->http->counters.refused[cs_tls_reason_index(reason)], 1);
}

/* The chain again, under the credentials in force. */
static enum cs_rc check_again(struct cs_conn *c, struct cs_err *e)
{
	struct cs_http *h = c->http;
	const char *reason = "invalid";
	struct cs_tls *tls;
	struct cs_peer peer;
	unsigned generation;
	enum cs_rc rc;

	pthread_mutex_lock(&h->lock);
	tls = cs_tls_ref(h->tls);
	generation = atomic_load(&h->generation);
	pthread_mutex_unlock(&h->lock);
	rc = cs_tls_check(tls, &c->chain, cs_clock_now(), &peer, &reason, e);
	cs_tls_unref(tls);
	if (rc != CS_OK) {
		cs_conn_refused(c, reason);
		return rc;
	}
	c->peer = peer;
	c->checked = generation;
	return CS_OK;
}

enum cs_rc cs_conn_authenticate(struct cs_conn *c, struct cs_err *e)
{
	struct cs_http *h = c->http;
	bool renewed = false;
	struct cs_access *access;
	enum cs_rc rc;

	/* cannot be: the handshake ends without it */
	if (!c->proven)
		return CS_FAIL(e, CS_E_UNAUTHENTICATED, "client certificate: not proven");
	if (c->checked != atomic_load(&h->generation) || cs_clock_now() >= c->peer.valid_until) {
		rc = check_again(c, e);
		if (rc != CS_OK)
			return rc;
		renewed = true;
	}
	access = cs_core_access(h->core);
	if (access == c->access && !renewed) {
		cs_access_unref(access);
		return CS_OK;
	}
	cs_access_unref(c->access);
	c->access = NULL;
	c->principal = NULL;
	rc = cs_authn_find(access, &c->peer.cert, &c->principal, e);
	if (rc != CS_OK) {
		cs_access_unref(access);
		cs_conn_refused(c, "nobody");
		return rc;
	}
	c->access = access;
	cs_count_client(&h->counters, c->principal->name, c->peer.not_after);
	return CS_OK;
}
