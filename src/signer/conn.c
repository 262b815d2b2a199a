/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to a signer: greeting, frames out, answers in, and what a broken connection means
 * for the exchanges on it.
 * See docs/PROTOCOL.signer.
 */
#include "signer/conn.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ANSWER_MAX (CS_RAW_SIG_MAX + 4096) /* a RESULT, the largest answer */
#define READ_SIZE 16384

/* --- lists --- */

void cs_exchange_list_init(struct cs_exchange_list *l)
{
	l->first = NULL;
	l->end = &l->first;
}

void cs_exchange_list_add(struct cs_exchange_list *l, struct cs_exchange *x)
{
	x->next = NULL;
	*l->end = x;
	l->end = &x->next;
}

struct cs_exchange *cs_exchange_list_take(struct cs_exchange_list *l)
{
	struct cs_exchange *x = l->first;

	if (!x)
		return NULL;
	l->first = x->next;
	if (!l->first)
		l->end = &l->first;
	return x;
}

void cs_exchange_list_push_front(struct cs_exchange_list *l, struct cs_exchange_list *more)
{
	if (!more->first)
		return;
	*more->end = l->first;
	if (!l->first)
		l->end = more->end;
	l->first = more->first;
	cs_exchange_list_init(more);
}

/* --- a connection --- */

void cs_signer_conn_init(struct cs_signer_conn *c)
{
	memset(c, 0, sizeof(*c));
	c->fd = -1;
	cs_buf_init(&c->in, ANSWER_MAX + READ_SIZE);
	cs_buf_init(&c->out, (CS_FRAME_MAX + 16) * CS_SIGNER_DEPTH);
	cs_exchange_list_init(&c->flying);
}

void cs_signer_conn_done(struct cs_signer_conn *c)
{
	assert(c->in_flight == 0);
	if (c->fd >= 0)
		close(c->fd);
	cs_buf_done(&c->in);
	cs_buf_done(&c->out);
}

enum cs_rc cs_signer_conn_open(struct cs_signer_conn *c, const char *socket, int64_t peer_uid,
			       struct cs_err *e)
{
	enum cs_rc rc = cs_unix_connect(socket, &c->fd, e);
	unsigned uid;

	if (rc != CS_OK)
		return rc;
	if (peer_uid >= 0)
		rc = cs_unix_peer_uid(c->fd, &uid, e);
	if (rc == CS_OK && peer_uid >= 0 && uid != peer_uid)
		rc = CS_FAIL(e, CS_E_FORBIDDEN, "%s is served by uid %u, not %lld", socket, uid,
			     (long long)peer_uid);
	if (rc != CS_OK) {
		close(c->fd);
		c->fd = -1;
		return rc;
	}
	c->state = CS_CONN_GREETING;
	return CS_OK;
}

/* --- out --- */

enum cs_rc cs_signer_conn_flush(struct cs_signer_conn *c, struct cs_err *e)
{
	while (c->sent < c->out.len) {
		ssize_t n = send(c->fd, c->out.data + c->sent, c->out.len - c->sent,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0)
			c->sent += (size_t)n;
		else if (errno == EAGAIN)
			return CS_OK;
		else if (errno != EINTR)
			return CS_FAIL(e, errno == EPIPE ? CS_E_CLOSED : CS_E_IO, "send: %s",
				       strerror(errno));
	}
	cs_buf_reset(&c->out);
	c->sent = 0;
	return CS_OK;
}

enum cs_rc cs_signer_conn_send(struct cs_signer_conn *c, struct cs_exchange *x, struct cs_err *e)
{
	const bool is_first = c->out.len == 0;
	enum cs_rc rc;

	assert(c->state == CS_CONN_OPEN && c->in_flight < CS_SIGNER_DEPTH);
	cs_buf_add(&c->out, x->frame.data, x->frame.len);
	rc = cs_buf_ok(&c->out, "frames for the signer", e);
	if (rc == CS_OK && is_first)
		rc = cs_signer_conn_flush(c, e);
	if (rc != CS_OK && (c->sent == 0 || !is_first))
		return rc;
	/* whatever became of the rest, the signer has bytes of it: reading tells the end */
	x->sent = true;
	x->missing = x->asked;
	cs_exchange_list_add(&c->flying, x);
	c->in_flight++;
	return CS_OK;
}

/* --- in --- */

void cs_exchange_end(struct cs_exchange *x, const struct cs_signer_conn *c,
		     const struct cs_err *why)
{
	x->err.rc = why->rc;
	if (why->rc != CS_OK)
		x->err = *why;
	x->hello = c ? &c->hello : NULL;
	atomic_fetch_sub(x->load, 1);
	x->on_end(x);
}

/* The oldest exchange has all its answers. */
static void finish_oldest(struct cs_signer_conn *c)
{
	static const struct cs_err fine = { .rc = CS_OK };
	struct cs_exchange *x = cs_exchange_list_take(&c->flying);

	c->in_flight--;
	cs_exchange_end(x, c, &fine);
}

static enum cs_rc take_result(struct cs_exchange *x, struct cs_bytes body, struct cs_err *e)
{
	struct cs_signer_result result;
	enum cs_rc rc = cs_signer_result_parse(body, &result, e);

	if (rc != CS_OK)
		return rc;
	if (!(x->missing & (UINT32_C(1) << result.index)))
		return CS_FAIL(e, CS_E_INVALID, "a result for artifact %u, which was not asked for",
			       result.index);
	x->missing &= ~(UINT32_C(1) << result.index);
	x->on_result(x, &result);
	return CS_OK;
}

static enum cs_rc take_done(struct cs_signer_conn *c, struct cs_exchange *x, struct cs_err *e)
{
	if (x->missing == CS_ASK_HEALTH)
		return CS_FAIL(e, CS_E_INVALID, "no HEALTH in the answer to STATUS");
	if (x->missing)
		return CS_FAIL(e, CS_E_INVALID, "no result for artifact %d",
			       __builtin_ctz(x->missing));
	finish_oldest(c);
	return CS_OK;
}

static enum cs_rc take_hello(struct cs_signer_conn *c, const char *token, struct cs_bytes body,
			     struct cs_err *e)
{
	enum cs_rc rc = cs_signer_hello_parse(body, &c->hello, e);

	if (rc == CS_OK && strcmp(c->hello.token, token) != 0)
		rc = CS_FAIL(e, CS_E_CONFIG, "its socket belongs to the signer of token %s",
			     c->hello.token);
	if (rc == CS_OK)
		c->state = CS_CONN_OPEN;
	return rc;
}

static enum cs_rc take_health(struct cs_exchange *x, struct cs_bytes body, struct cs_err *e)
{
	enum cs_rc rc = cs_signer_health_parse(body, &x->health, e);

	if (rc == CS_OK)
		x->missing &= ~CS_ASK_HEALTH;
	return rc;
}

/* What may come, and when. */
static enum cs_rc take_frame(struct cs_signer_conn *c, const char *token, uint8_t type,
			     struct cs_bytes body, struct cs_err *e)
{
	struct cs_exchange *x = c->flying.first;

	if (type == CS_MSG_ERROR)
		return CS_FAIL(e, CS_E_INVALID, "the signer refused the frame: %.*s", (int)body.len,
			       (const char *)body.data);
	if (c->state == CS_CONN_GREETING && type == CS_MSG_HELLO)
		return take_hello(c, token, body, e);
	if (x && type == CS_MSG_RESULT && !(x->asked & CS_ASK_HEALTH))
		return take_result(x, body, e);
	if (x && type == CS_MSG_HEALTH && (x->asked & CS_ASK_HEALTH))
		return take_health(x, body, e);
	if (x && type == CS_MSG_DONE)
		return take_done(c, x, e);
	return CS_FAIL(e, CS_E_INVALID, "the signer sent a frame of type %u", type);
}

/* All whole frames of what was received; the rest stays. */
static enum cs_rc take_frames(struct cs_signer_conn *c, const char *token, struct cs_err *e)
{
	enum cs_rc rc = CS_OK;
	size_t at = 0;

	for (;;) {
		struct cs_bytes left = { c->in.data + at, c->in.len - at }, body;
		size_t used;
		uint8_t type;

		rc = cs_frame_take(left, ANSWER_MAX, &type, &body, &used, e);
		if (rc != CS_OK || used == 0)
			break;
		at += used;
		rc = take_frame(c, token, type, body, e);
		if (rc != CS_OK)
			break;
	}
	if (at > 0 && at < c->in.len)
		memmove(c->in.data, c->in.data + at, c->in.len - at);
	c->in.len -= at;
	return rc;
}

enum cs_rc cs_signer_conn_read(struct cs_signer_conn *c, const char *token, struct cs_err *e)
{
	for (;;) {
		uint8_t *space = cs_buf_extend(&c->in, READ_SIZE);
		enum cs_rc rc = cs_buf_ok(&c->in, "answers of the signer", e);
		ssize_t n;

		if (rc != CS_OK)
			return rc;
		n = recv(c->fd, space, READ_SIZE, MSG_DONTWAIT);
		c->in.len -= READ_SIZE - (n > 0 ? (size_t)n : 0);
		if (n > 0)
			rc = take_frames(c, token, e);
		else if (n == 0 || errno == ECONNRESET)
			rc = CS_FAIL(e, CS_E_CLOSED, "the signer closed the connection");
		else if (errno == EAGAIN)
			return CS_OK;
		else if (errno != EINTR)
			rc = CS_FAIL(e, CS_E_IO, "receive: %s", strerror(errno));
		/* less than there was room for: most likely all, and poll knows */
		if (rc != CS_OK || (n > 0 && n < READ_SIZE))
			return rc;
	}
}

/* --- the end --- */

void cs_signer_conn_end(struct cs_signer_conn *c, const char *token, const struct cs_err *why,
			struct cs_exchange_list *back)
{
	bool is_orderly = why->rc != CS_E_INVALID && why->rc != CS_E_TOO_LARGE;
	struct cs_err last = { 0 }, doubt = *why;
	struct cs_exchange *x;

	/* After this the signer can hand over no more answers, so it begins nothing more either;
	 * what it had handed over before can still be read, and counts. What cannot be read to its
	 * end, or not be understood, may be the answer that another frame was begun after. */
	shutdown(c->fd, SHUT_RDWR);
	while (is_orderly && cs_signer_conn_read(c, token, &last) == CS_OK)
		;
	is_orderly = is_orderly && last.rc == CS_E_CLOSED;
	x = cs_exchange_list_take(&c->flying);
	if (x) {
		cs_err_prefix(&doubt, "signer %s", token);
		cs_exchange_end(x, c, &doubt);
	}
	while ((x = cs_exchange_list_take(&c->flying)) != NULL) {
		if (is_orderly) {
			x->sent = false;
			cs_exchange_list_add(back, x);
		} else {
			cs_exchange_end(x, c, &doubt);
		}
	}
	close(c->fd);
	c->fd = -1;
	c->state = CS_CONN_CLOSED;
	c->in_flight = 0;
	c->is_retired = false;
	cs_buf_reset(&c->in);
	cs_buf_reset(&c->out);
	c->sent = 0;
}
