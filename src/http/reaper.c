/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ends connections whose handshake, request or silence lasts too long, whatever they trickle, and
 * says when a CRL has run out.
 * Must not close descriptors: it shuts the socket down, libmicrohttpd closes it.
 * See ARCHITECTURE.md, "A request's life".
 */
#include <sys/socket.h>

#include "base/clock.h"
#include "base/log.h"
#include "http/conn.h"

#define PERIOD_NS (250L * 1000 * 1000)

/* With the lock held, so that no descriptor is closed and reused meanwhile (see on_connection). */
static void end_overdue(struct cs_http *h)
{
	int64_t now = cs_clock_mono();

	for (struct cs_conn *c = h->conns; c; c = c->next) {
		if (atomic_load(&c->deadline) > now)
			continue;
		shutdown(c->fd, SHUT_RDWR);
		atomic_store(&c->deadline, INT64_MAX);
	}
}

/* Returns whether it is stale now; tells the core and the log when that changed. */
static bool watch_crl(struct cs_http *h, int64_t until, bool was_stale)
{
	bool stale = cs_clock_now() >= until;

	if (stale == was_stale)
		return stale;
	if (stale) {
		cs_core_set_check(h->core, "crl",
				  "a client CRL is outdated: every client is refused");
		cs_log(CS_LOG_ERROR, "crl-stale",
		       "%s is outdated: every client is refused; install a new one and reload",
		       h->config.client_crl);
	} else {
		cs_core_set_check(h->core, "crl", "");
		cs_log(CS_LOG_INFO, "crl-fresh", "%s is in force", h->config.client_crl);
	}
	return stale;
}

void *cs_http_reap(void *arg)
{
	struct cs_http *h = arg;
	bool stale = false;

	pthread_mutex_lock(&h->lock);
	while (!h->ending) {
		struct timespec at;
		int64_t until = cs_tls_crl_until(h->tls);

		end_overdue(h);
		if (h->config.client_crl) {
			pthread_mutex_unlock(&h->lock);
			stale = watch_crl(h, until, stale);
			pthread_mutex_lock(&h->lock);
		}
		clock_gettime(CLOCK_MONOTONIC, &at);
		at.tv_nsec += PERIOD_NS;
		at.tv_sec += at.tv_nsec / 1000000000;
		at.tv_nsec %= 1000000000;
		if (!h->ending)
			pthread_cond_timedwait(&h->wake, &h->lock, &at);
	}
	pthread_mutex_unlock(&h->lock);
	return NULL;
}
