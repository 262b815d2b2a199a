/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fixed pool of connections to one signer: taken, used for one exchange, given back.
 * Never sends a frame twice, never starts a signer, never logs.
 * See docs/PROTOCOL.signer.
 */
#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "signer/client.h"

#define CONNECTIONS_MAX 64
#define ANSWER_MAX (CS_RAW_SIG_MAX + 4096) /* a RESULT, the largest answer */

/* One connection. Its fields belong to whoever took it. */
struct conn {
	int fd; /* −1 when closed */
	struct cs_signer_hello hello;
	struct cs_buf in, out; /* keep their storage between exchanges */
	struct conn *next;     /* while it is free */
};

struct cs_signer {
	char *token;
	char *socket;
	int64_t timeout_us;
	int64_t peer_uid;
	pthread_mutex_t lock;
	pthread_cond_t given_back;
	struct conn *free_list; /* least recently used first */
	size_t busy;
	atomic_size_t waiting; /* exchanges without a connection */
	size_t count;
	struct conn conns[CONNECTIONS_MAX];
};

static void conn_close(struct conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
}

/* CLOCK_MONOTONIC: what pthread_cond_timedwait can take on every libc; a suspended machine waits
 * longer */
static enum cs_rc cond_init(pthread_cond_t *cond, struct cs_err *e)
{
	pthread_condattr_t attr;
	int err = pthread_condattr_init(&attr);

	if (err == 0) {
		pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
		err = pthread_cond_init(cond, &attr);
		pthread_condattr_destroy(&attr);
	}
	return err == 0 ? CS_OK : CS_FAIL(e, CS_E_NOMEM, "signer pool: %s", strerror(err));
}

enum cs_rc cs_signer_new(const struct cs_signer_config *config, struct cs_signer **sp,
			 struct cs_err *e)
{
	struct cs_signer *s;
	enum cs_rc rc;
	size_t i;

	assert(config->token && config->socket && config->timeout_us > 0);
	if (config->connections < 1 || config->connections > CONNECTIONS_MAX)
		return CS_FAIL(e, CS_E_CONFIG, "signer %s: %lld connections; give 1 to %d",
			       config->token, (long long)config->connections, CONNECTIONS_MAX);
	s = calloc(1, sizeof(*s));
	if (!s)
		return CS_FAIL(e, CS_E_NOMEM, "signer %s", config->token);
	rc = cond_init(&s->given_back, e);
	if (rc != CS_OK) {
		free(s);
		return rc;
	}
	pthread_mutex_init(&s->lock, NULL); /* a plain mutex: cannot fail */
	s->count = (size_t)config->connections;
	s->timeout_us = config->timeout_us;
	s->peer_uid = config->peer_uid;
	for (i = s->count; i-- > 0;) {
		struct conn *c = &s->conns[i];

		c->fd = -1;
		cs_buf_init(&c->in, ANSWER_MAX);
		cs_buf_init(&c->out, CS_FRAME_MAX);
		c->next = s->free_list;
		s->free_list = c;
	}
	s->token = strdup(config->token);
	s->socket = strdup(config->socket);
	if (!s->token || !s->socket) {
		cs_signer_free(s);
		return CS_FAIL(e, CS_E_NOMEM, "signer %s", config->token);
	}
	*sp = s;
	return CS_OK;
}

void cs_signer_free(struct cs_signer *s)
{
	size_t i;

	if (!s)
		return;
	pthread_mutex_lock(&s->lock);
	while (s->busy > 0)
		pthread_cond_wait(&s->given_back, &s->lock);
	pthread_mutex_unlock(&s->lock);
	for (i = 0; i < s->count; i++) {
		conn_close(&s->conns[i]);
		cs_buf_done(&s->conns[i].in);
		cs_buf_done(&s->conns[i].out);
	}
	pthread_cond_destroy(&s->given_back);
	pthread_mutex_destroy(&s->lock);
	free(s->token);
	free(s->socket);
	free(s);
}

/* wait until a connection is given back; false when the deadline has passed */
static bool wait_free(struct cs_signer *s, int64_t deadline)
{
	int64_t left = deadline - cs_clock_mono();
	struct timespec until;

	if (left <= 0)
		return false;
	clock_gettime(CLOCK_MONOTONIC, &until);
	left += until.tv_nsec / 1000;
	until.tv_sec += left / CS_SECOND;
	until.tv_nsec = left % CS_SECOND * 1000;
	pthread_cond_timedwait(&s->given_back, &s->lock, &until);
	return true;
}

/* Open connections are used before closed ones are opened; among them the one that rested longest,
 * so that a series of STATUS exchanges visits every child. */
static struct conn *take_best(struct cs_signer *s)
{
	struct conn **best = NULL;
	struct conn **at;
	struct conn *c;

	for (at = &s->free_list; *at; at = &(*at)->next) {
		if ((*at)->fd >= 0) {
			best = at;
			break;
		}
		if (!best)
			best = at;
	}
	if (!best)
		return NULL;
	c = *best;
	*best = c->next;
	c->next = NULL;
	s->busy++;
	return c;
}

static struct conn *conn_take(struct cs_signer *s, int64_t deadline)
{
	struct conn *c;

	atomic_fetch_add(&s->waiting, 1);
	pthread_mutex_lock(&s->lock);
	while (!(c = take_best(s)))
		if (!wait_free(s, deadline))
			break;
	pthread_mutex_unlock(&s->lock);
	atomic_fetch_sub(&s->waiting, 1);
	return c;
}

static void conn_give_back(struct cs_signer *s, struct conn *c)
{
	struct conn **at;

	pthread_mutex_lock(&s->lock);
	for (at = &s->free_list; *at; at = &(*at)->next)
		;
	*at = c;
	s->busy--;
	pthread_cond_signal(&s->given_back);
	pthread_mutex_unlock(&s->lock);
}

/* the other end hung up, or said something that nobody asked for */
static bool conn_is_stale(const struct conn *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	return poll(&p, 1, 0) != 0;
}

static enum cs_rc check_peer(const struct cs_signer *s, int fd, struct cs_err *e)
{
	unsigned uid;
	enum cs_rc rc;

	if (s->peer_uid < 0)
		return CS_OK;
	rc = cs_unix_peer_uid(fd, &uid, e);
	if (rc == CS_OK && uid != s->peer_uid)
		rc = CS_FAIL(e, CS_E_FORBIDDEN, "%s is served by uid %u, not %lld", s->socket, uid,
			     (long long)s->peer_uid);
	return rc;
}

/* receive a frame; one of another type than these two is an error */
static enum cs_rc receive(struct conn *c, enum cs_signer_msg wanted, enum cs_signer_msg or,
			  uint8_t *typep, int64_t deadline, struct cs_err *e)
{
	enum cs_rc rc = cs_frame_recv(c->fd, typep, &c->in, deadline, e);

	if (rc != CS_OK)
		return rc;
	if (*typep == CS_MSG_ERROR)
		return CS_FAIL(e, CS_E_INVALID, "the signer refused the frame: %s",
			       cs_buf_str(&c->in));
	if (*typep != wanted && *typep != or)
		return CS_FAIL(e, CS_E_INVALID, "the signer sent a frame of type %u", *typep);
	return CS_OK;
}

static enum cs_rc greet(const struct cs_signer *s, struct conn *c, int64_t deadline,
			struct cs_err *e)
{
	uint8_t type;
	enum cs_rc rc;

	rc = check_peer(s, c->fd, e);
	if (rc == CS_OK)
		rc = receive(c, CS_MSG_HELLO, CS_MSG_HELLO, &type, deadline, e);
	if (rc == CS_OK)
		rc = cs_signer_hello_parse(cs_buf_bytes(&c->in), &c->hello, e);
	if (rc == CS_OK && strcmp(c->hello.token, s->token) != 0)
		rc = CS_FAIL(e, CS_E_CONFIG, "%s belongs to the signer of token %s", s->socket,
			     c->hello.token);
	return rc;
}

/* Connected, greeted, and nothing waits to be read. Whatever is wrong before a frame leaves is
 * "unavailable". */
static enum cs_rc conn_ready(const struct cs_signer *s, struct conn *c, int64_t deadline,
			     struct cs_err *e)
{
	enum cs_rc rc;

	if (c->fd >= 0 && conn_is_stale(c))
		conn_close(c);
	if (c->fd >= 0)
		return CS_OK;
	rc = cs_unix_connect(s->socket, &c->fd, e);
	if (rc == CS_OK)
		rc = greet(s, c, deadline, e);
	if (rc == CS_OK)
		return CS_OK;
	conn_close(c);
	cs_err_prefix(e, "signer %s", s->token);
	return e->rc = rc == CS_E_TIMEOUT ? CS_E_TIMEOUT : CS_E_UNAVAILABLE;
}

/* which artifacts still miss their result, as bits */
static uint32_t asked(const struct cs_signer_sign *request)
{
	uint32_t bits = 0;
	size_t i;

	for (i = 0; i < request->artifact_count; i++)
		bits |= UINT32_C(1) << request->artifacts[i].index;
	return bits;
}

static enum cs_rc take_results(struct conn *c, uint32_t missing, cs_signer_result_fn *fn, void *arg,
			       int64_t deadline, struct cs_err *e)
{
	for (;;) {
		struct cs_signer_result result;
		uint8_t type;
		enum cs_rc rc;

		rc = receive(c, CS_MSG_RESULT, CS_MSG_DONE, &type, deadline, e);
		if (rc != CS_OK)
			return rc;
		if (type == CS_MSG_DONE)
			break;
		rc = cs_signer_result_parse(cs_buf_bytes(&c->in), &result, e);
		if (rc != CS_OK)
			return rc;
		if (!(missing & (UINT32_C(1) << result.index)))
			return CS_FAIL(e, CS_E_INVALID,
				       "a result for artifact %u, which was not asked for",
				       result.index);
		missing &= ~(UINT32_C(1) << result.index);
		fn(arg, &result);
	}
	if (missing)
		return CS_FAIL(e, CS_E_INVALID, "no result for artifact %d",
			       __builtin_ctz(missing));
	return CS_OK;
}

static enum cs_rc check_policy(const struct cs_signer *s, const struct conn *c,
			       const struct cs_sha256 *expect, struct cs_err *e)
{
	if (cs_sha256_equal(&c->hello.policy_digest, expect))
		return CS_OK;
	return CS_FAIL(
		e, CS_E_UNAVAILABLE,
		"signer %s has another policy (its version is %lld); reload daemon and signer",
		s->token, (long long)c->hello.policy_version);
}

static enum cs_rc exchange_sign(const struct cs_signer *s, struct conn *c,
				const struct cs_signer_sign *request, cs_signer_result_fn *fn,
				void *arg, bool *sentp, int64_t deadline, struct cs_err *e)
{
	enum cs_rc rc;

	cs_buf_reset(&c->out);
	cs_signer_sign_write(request, &c->out);
	rc = cs_buf_ok(&c->out, "SIGN frame", e);
	if (rc != CS_OK)
		return rc;
	*sentp = true;
	rc = cs_frame_send(c->fd, CS_MSG_SIGN, cs_buf_bytes(&c->out), deadline, e);
	if (rc == CS_OK)
		rc = take_results(c, asked(request), fn, arg, deadline, e);
	if (rc != CS_OK)
		cs_err_prefix(e, "signer %s", s->token);
	return rc;
}

enum cs_rc cs_signer_sign(struct cs_signer *s, const struct cs_signer_sign *request,
			  const struct cs_sha256 *expect, cs_signer_result_fn *fn, void *arg,
			  bool *sentp, struct cs_err *e)
{
	int64_t deadline = cs_clock_mono() + s->timeout_us;
	struct cs_err local = { 0 };
	struct conn *c;
	enum cs_rc rc;

	assert(request->artifact_count > 0 && request->artifact_count <= CS_ARTIFACTS_MAX);
	e = e ? e : &local;
	*sentp = false;
	c = conn_take(s, deadline);
	if (!c)
		return CS_FAIL(e, CS_E_BUSY, "signer %s: no connection became free in time",
			       s->token);
	rc = conn_ready(s, c, deadline, e);
	if (rc == CS_OK)
		rc = check_policy(s, c, expect, e);
	if (rc == CS_OK)
		rc = exchange_sign(s, c, request, fn, arg, sentp, deadline, e);
	/* after a failure nobody knows what may still arrive on it */
	if (rc != CS_OK)
		conn_close(c);
	conn_give_back(s, c);
	return rc;
}

size_t cs_signer_waiting(struct cs_signer *s)
{
	return atomic_load(&s->waiting);
}

static enum cs_rc exchange_status(struct conn *c, struct cs_signer_health *health, int64_t deadline,
				  struct cs_err *e)
{
	uint8_t type;
	enum cs_rc rc;

	rc = cs_frame_send(c->fd, CS_MSG_STATUS, (struct cs_bytes){ NULL, 0 }, deadline, e);
	if (rc == CS_OK)
		rc = receive(c, CS_MSG_HEALTH, CS_MSG_HEALTH, &type, deadline, e);
	if (rc == CS_OK)
		rc = cs_signer_health_parse(cs_buf_bytes(&c->in), health, e);
	if (rc == CS_OK)
		rc = receive(c, CS_MSG_DONE, CS_MSG_DONE, &type, deadline, e);
	return rc;
}

enum cs_rc cs_signer_status(struct cs_signer *s, struct cs_signer_hello *hello,
			    struct cs_signer_health *health, struct cs_err *e)
{
	int64_t deadline = cs_clock_mono() + s->timeout_us;
	struct cs_err local = { 0 };
	struct conn *c;
	enum cs_rc rc;

	e = e ? e : &local;
	c = conn_take(s, deadline);
	if (!c)
		return CS_FAIL(e, CS_E_BUSY, "signer %s: no connection became free in time",
			       s->token);
	rc = conn_ready(s, c, deadline, e);
	if (rc == CS_OK) {
		rc = exchange_status(c, health, deadline, e);
		if (rc != CS_OK)
			cs_err_prefix(e, "signer %s", s->token);
	}
	if (rc == CS_OK)
		*hello = c->hello;
	else
		conn_close(c);
	conn_give_back(s, c);
	return rc;
}
