/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread of one signer: takes exchanges from whoever puts them, spreads them over the
 * connections, waits for answers and deadlines. Never starts a signer, never logs.
 * See docs/PROTOCOL.signer.
 */
#include "signer/client.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/thread.h"
#include "signer/conn.h"

#define CONNECTIONS_MAX 64
#define SEND_LEAST                                                                     \
	4 /* a frame leaves only while this part of its time is left: else it would be \
	     in doubt for nothing */

struct cs_signer {
	char *token, *socket; /* owned */
	int64_t timeout_us;
	int64_t peer_uid;
	pthread_t thread;
	bool has_thread;
	int wake_fd;         /* eventfd */
	_Atomic size_t load; /* exchanges that were put and have not ended */

	pthread_mutex_t lock; /* guards what follows */
	struct cs_exchange_list inbox;
	bool is_asleep, is_closing;

	/* the thread's */
	struct cs_exchange_list waiting;
	uint64_t turn;
	size_t count;
	struct cs_signer_conn conns[CONNECTIONS_MAX];
	struct pollfd polls[CONNECTIONS_MAX + 1];
};

/* --- the thread: who gets what --- */

static void end_with(struct cs_signer *s, struct cs_exchange *x, const struct cs_err *why)
{
	struct cs_err named = *why;

	x->sent = false;
	cs_err_prefix(&named, "signer %s", s->token);
	cs_exchange_end(x, NULL, &named);
}

static void end_waiting(struct cs_signer *s, const struct cs_err *why)
{
	struct cs_exchange *x;

	while ((x = cs_exchange_list_take(&s->waiting)) != NULL)
		end_with(s, x, why);
}

static bool any_in_state(const struct cs_signer *s, enum cs_signer_conn_state state)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->conns[i].state == state)
			return true;
	return false;
}

/* No exchange is lost with its connection: those that were not begun are the next ones. When no
 * connection is left that could take what waits, it ends like this one. */
static void end_conn(struct cs_signer *s, struct cs_signer_conn *c, const struct cs_err *why)
{
	const bool was_greeting = c->state == CS_CONN_GREETING;
	struct cs_exchange_list back;
	struct cs_err cause = *why;

	cs_exchange_list_init(&back);
	cs_signer_conn_end(c, s->token, why, &back);
	cs_exchange_list_push_front(&s->waiting, &back);
	if (!was_greeting || any_in_state(s, CS_CONN_OPEN))
		return;
	if (cause.rc != CS_E_TIMEOUT)
		cause.rc = CS_E_UNAVAILABLE;
	end_waiting(s, &cause);
}

/* The open connection with the least to do; among equals the one that rested longest, so that a
 * series of STATUS exchanges visits every child. NULL when all are full. */
static struct cs_signer_conn *least_loaded(struct cs_signer *s)
{
	struct cs_signer_conn *best = NULL;

	for (size_t i = 0; i < s->count; i++) {
		struct cs_signer_conn *c = &s->conns[i];

		if (c->state != CS_CONN_OPEN || c->is_retired || c->in_flight == CS_SIGNER_DEPTH)
			continue;
		if (!best || c->in_flight < best->in_flight ||
		    (c->in_flight == best->in_flight && c->used < best->used))
			best = c;
	}
	return best;
}

/* One more connection, unless one is on its way. A child that is not there yet, or busy with a
 * connection of somebody else's, greets late; the others do the work meanwhile. */
static void open_one(struct cs_signer *s)
{
	struct cs_signer_conn *closed = NULL;
	struct cs_err e = { 0 };

	for (size_t i = 0; i < s->count; i++) {
		if (s->conns[i].state == CS_CONN_GREETING)
			return;
		if (s->conns[i].state == CS_CONN_CLOSED && !closed)
			closed = &s->conns[i];
	}
	if (!closed || cs_signer_conn_open(closed, s->socket, s->peer_uid, &e) == CS_OK ||
	    any_in_state(s, CS_CONN_OPEN))
		return;
	e.rc = CS_E_UNAVAILABLE;
	end_waiting(s, &e);
}

/* Another policy than the exchange was made under: the child will be replaced, or the exchange is
 * old. Either way this connection is given nothing more, and makes room once it has answered. */
static bool has_policy(struct cs_signer *s, struct cs_signer_conn *c, struct cs_exchange *x)
{
	struct cs_err e = { 0 };

	if (!x->expect || cs_sha256_equal(&c->hello.policy_digest, x->expect))
		return true;
	cs_err_set(&e, CS_E_UNAVAILABLE,
		   "it has another policy (its version is %lld); reload daemon and signer",
		   (long long)c->hello.policy_version);
	end_with(s, x, &e);
	c->is_retired = true;
	if (c->in_flight == 0)
		end_conn(s, c, &e);
	return false;
}

static bool do_more_wait_than(const struct cs_signer *s, size_t count)
{
	const struct cs_exchange *x = s->waiting.first;

	for (; x && count > 0; count--)
		x = x->next;
	return x != NULL;
}

/* Give what waits to connections that have room. A frame is put behind another one only while many
 * wait: of few, each had better go to the connection that is free first. */
static void spread(struct cs_signer *s)
{
	while (s->waiting.first) {
		struct cs_signer_conn *c = least_loaded(s);
		struct cs_err e = { 0 };
		struct cs_exchange *x;

		if (!c || c->in_flight > 0)
			open_one(s);
		if (!c || (c->in_flight > 0 && !do_more_wait_than(s, s->count)))
			return;
		x = cs_exchange_list_take(&s->waiting);
		if (!x || !has_policy(s, c, x))
			continue;
		c->used = ++s->turn;
		if (cs_signer_conn_send(c, x, &e) == CS_OK)
			continue;
		/* it was closed a moment ago, and nothing has left */
		x->next = NULL;
		cs_exchange_list_push_front(&s->waiting, &(struct cs_exchange_list){ x, &x->next });
		end_conn(s, c, &e);
	}
}

/* --- the thread: time --- */

/* When an exchange that waits is too late to be sent. */
static int64_t last_call(const struct cs_signer *s, const struct cs_exchange *x)
{
	return x->deadline - s->timeout_us / SEND_LEAST;
}

static int64_t next_deadline(const struct cs_signer *s)
{
	int64_t next = INT64_MAX;

	/* one that came back may be older than those before it */
	for (const struct cs_exchange *x = s->waiting.first; x; x = x->next)
		if (last_call(s, x) < next)
			next = last_call(s, x);
	for (size_t i = 0; i < s->count; i++)
		if (s->conns[i].in_flight > 0 && s->conns[i].flying.first->deadline < next)
			next = s->conns[i].flying.first->deadline;
	return next;
}

static void expire_waiting(struct cs_signer *s, int64_t now)
{
	const bool is_greeting = any_in_state(s, CS_CONN_GREETING) &&
				 !any_in_state(s, CS_CONN_OPEN);
	struct cs_exchange_list all = s->waiting;
	struct cs_exchange *x;
	struct cs_err e = { 0 };
	bool ended = false;

	if (!all.first)
		return;
	if (is_greeting)
		cs_err_set(&e, CS_E_TIMEOUT, "it takes the connection, but does not greet");
	else
		cs_err_set(&e, CS_E_BUSY, "no connection became free in time");
	cs_exchange_list_init(&s->waiting);
	while ((x = cs_exchange_list_take(&all)) != NULL) {
		if (last_call(s, x) > now) {
			cs_exchange_list_add(&s->waiting, x);
			continue;
		}
		ended = true;
		end_with(s, x, &e);
	}
	for (size_t i = 0; ended && is_greeting && i < s->count; i++)
		if (s->conns[i].state == CS_CONN_GREETING)
			end_conn(s, &s->conns[i], &e);
}

static void expire_conns(struct cs_signer *s, int64_t now)
{
	struct cs_err e = { 0 };

	cs_err_set(&e, CS_E_TIMEOUT, "no answer in time");
	for (size_t i = 0; i < s->count; i++) {
		struct cs_signer_conn *c = &s->conns[i];

		if (c->in_flight > 0 && c->flying.first->deadline <= now)
			end_conn(s, c, &e);
		else if (c->is_retired && c->in_flight == 0)
			end_conn(s, c, &e);
	}
}

/* --- the thread: waiting --- */

/* False when it is time to end. */
static bool take_inbox(struct cs_signer *s)
{
	struct cs_exchange_list news;
	struct cs_exchange *x;
	bool go_on;

	cs_exchange_list_init(&news);
	pthread_mutex_lock(&s->lock);
	s->is_asleep = false;
	cs_exchange_list_push_front(&news, &s->inbox);
	go_on = !s->is_closing || atomic_load(&s->load) > 0;
	pthread_mutex_unlock(&s->lock);
	while ((x = cs_exchange_list_take(&news)) != NULL)
		cs_exchange_list_add(&s->waiting, x);
	return go_on;
}

/* Whoever puts something from now on has to wake us; false when somebody just did. */
static bool fall_asleep(struct cs_signer *s)
{
	bool idle;

	pthread_mutex_lock(&s->lock);
	idle = !s->inbox.first && !(s->is_closing && atomic_load(&s->load) == 0);
	s->is_asleep = idle;
	pthread_mutex_unlock(&s->lock);
	return idle;
}

static int ms_until(int64_t deadline)
{
	const int64_t left = deadline - cs_clock_mono();

	if (deadline == INT64_MAX)
		return -1;
	return left <= 0 ? 0 : (int)(left / 1000 + 1);
}

static void wait_for_something(struct cs_signer *s)
{
	const int timeout = fall_asleep(s) ? ms_until(next_deadline(s)) : 0;
	uint64_t count;

	s->polls[s->count] = (struct pollfd){ .fd = s->wake_fd, .events = POLLIN };
	for (size_t i = 0; i < s->count; i++) {
		const struct cs_signer_conn *c = &s->conns[i];

		s->polls[i] = (struct pollfd){ .fd = c->fd, .events = POLLIN };
		if (c->out.len > 0)
			s->polls[i].events |= POLLOUT;
	}
	if (poll(s->polls, s->count + 1, timeout) <= 0)
		return;
	if (s->polls[s->count].revents)
		(void)!read(s->wake_fd, &count, sizeof(count));
	for (size_t i = 0; i < s->count; i++) {
		struct cs_signer_conn *c = &s->conns[i];
		struct cs_err e = { 0 };
		enum cs_rc rc = CS_OK;

		if (s->polls[i].revents & POLLOUT)
			rc = cs_signer_conn_flush(c, &e);
		if (rc == CS_OK && (s->polls[i].revents & ~POLLOUT))
			rc = cs_signer_conn_read(c, s->token, &e);
		if (rc != CS_OK)
			end_conn(s, c, &e);
	}
}

static void *signer_main(void *arg)
{
	struct cs_signer *s = arg;

	/* a signer on this CPU wakes it with each answer, and would have to stop for that */
	cs_thread_wait_its_turn();
	while (take_inbox(s)) {
		const int64_t now = cs_clock_mono();

		expire_conns(s, now);
		expire_waiting(s, now);
		spread(s);
		wait_for_something(s);
	}
	return NULL;
}

/* --- everybody else --- */

static void wake(struct cs_signer *s)
{
	const uint64_t one = 1;

	(void)!write(s->wake_fd, &one, sizeof(one)); /* fails only when it is set already */
}

void cs_signer_put(struct cs_signer *s, struct cs_exchange *x)
{
	bool is_asleep;

	assert(x->asked != 0 && x->on_end && (x->on_result || x->asked == CS_ASK_HEALTH));
	x->sent = false;
	x->load = &s->load;
	x->deadline = cs_clock_mono() + s->timeout_us;
	atomic_fetch_add(&s->load, 1);
	pthread_mutex_lock(&s->lock);
	cs_exchange_list_add(&s->inbox, x);
	is_asleep = s->is_asleep;
	s->is_asleep = false;
	pthread_mutex_unlock(&s->lock);
	if (is_asleep)
		wake(s);
}

size_t cs_signer_load(struct cs_signer *s)
{
	return atomic_load(&s->load);
}

enum cs_rc cs_signer_new(const struct cs_signer_config *config, struct cs_signer **sp,
			 struct cs_err *e)
{
	char name[CS_THREAD_NAME_MAX + 1];
	struct cs_signer *s;
	enum cs_rc rc;

	assert(config->token && config->socket && config->timeout_us > 0);
	if (config->connections < 1 || config->connections > CONNECTIONS_MAX)
		return CS_FAIL(e, CS_E_CONFIG, "signer %s: %lld connections; give 1 to %d",
			       config->token, (long long)config->connections, CONNECTIONS_MAX);
	s = calloc(1, sizeof(*s));
	if (!s)
		return CS_FAIL(e, CS_E_NOMEM, "signer %s", config->token);
	s->timeout_us = config->timeout_us;
	s->peer_uid = config->peer_uid;
	pthread_mutex_init(&s->lock, NULL); /* a plain mutex: cannot fail */
	cs_exchange_list_init(&s->inbox);
	cs_exchange_list_init(&s->waiting);
	for (; s->count < (size_t)config->connections; s->count++)
		cs_signer_conn_init(&s->conns[s->count]);
	s->token = strdup(config->token);
	s->socket = strdup(config->socket);
	s->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	snprintf(name, sizeof(name), "signer-%s", config->token);
	rc = s->token && s->socket && s->wake_fd >= 0
		     ? cs_thread_start(&s->thread, name, signer_main, s, e)
		     : CS_FAIL(e, CS_E_NOMEM, "signer %s: %s", config->token, strerror(errno));
	s->has_thread = rc == CS_OK;
	if (rc != CS_OK) {
		cs_signer_free(s);
		return rc;
	}
	*sp = s;
	return CS_OK;
}

void cs_signer_free(struct cs_signer *s)
{
	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	s->is_closing = true;
	pthread_mutex_unlock(&s->lock);
	if (s->has_thread) {
		wake(s);
		pthread_join(s->thread, NULL);
	}
	for (size_t i = 0; i < s->count; i++)
		cs_signer_conn_done(&s->conns[i]);
	if (s->wake_fd >= 0)
		close(s->wake_fd);
	pthread_mutex_destroy(&s->lock);
	free(s->token);
	free(s->socket);
	free(s);
}

/* --- STATUS --- */

struct status {
	struct cs_exchange x; /* first */
	struct cs_signer_hello *hello;
	sem_t ended;
};

static void status_ended(struct cs_exchange *x)
{
	struct status *st = (struct status *)x;

	if (x->err.rc == CS_OK)
		*st->hello = *x->hello;
	sem_post(&st->ended);
}

enum cs_rc cs_signer_status(struct cs_signer *s, struct cs_signer_hello *hello,
			    struct cs_signer_health *health, struct cs_err *e)
{
	struct status st = { .x = { .asked = CS_ASK_HEALTH, .on_end = status_ended },
			     .hello = hello };
	struct cs_buf frame;

	cs_buf_init(&frame, 64);
	cs_frame_add(&frame, CS_MSG_STATUS, (struct cs_bytes){ NULL, 0 });
	st.x.frame = cs_buf_bytes(&frame);
	sem_init(&st.ended, 0, 0);
	cs_signer_put(s, &st.x);
	while (sem_wait(&st.ended) != 0)
		assert(errno == EINTR);
	sem_destroy(&st.ended);
	cs_buf_done(&frame);
	if (st.x.err.rc != CS_OK) {
		if (e)
			*e = st.x.err;
		return st.x.err.rc;
	}
	*health = st.x.health;
	return CS_OK;
}
