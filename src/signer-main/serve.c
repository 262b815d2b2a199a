/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames in, frames out, in order. A stop comes between frames, never within an exchange.
 * A peer that breaks the protocol loses its connection, nothing else.
 */
#include "signer-main/serve.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define COMPLAINTS_MAX 10                /* a minute; others can cause them at will */
#define FRAME_TIMEOUT_US (5 * CS_SECOND) /* for a frame that has begun, and for each answer */

/* A connection and its buffers. */
struct session {
	struct cs_serve *serve;
	int fd;
	size_t results; /* of this SIGN that are still to come */
	struct cs_frame_in in;
	struct cs_buf body, out;
};

static void complain(struct cs_serve *s, const char *event, const char *message)
{
	int64_t now = cs_clock_mono();

	if (now - s->complaints_since > 60 * CS_SECOND) {
		s->complaints_since = now;
		s->complaints = 0;
	}
	s->complaints++;
	if (s->complaints <= COMPLAINTS_MAX)
		cs_log(CS_LOG_WARN, event, "%s%s", message,
		       s->complaints == COMPLAINTS_MAX
			       ? " (warnings like this are left out for a minute)"
			       : "");
}

/* While frames come one after the other the child never waits, where it takes its signals. */
static bool is_stopping(const struct cs_serve *s)
{
	sigset_t pending;

	return *s->stop || (sigpending(&pending) == 0 && sigismember(&pending, SIGTERM) == 1);
}

/* A self-test that is due runs in between: one at a time, or keys that are slow to fail would keep
 * the others from signing. False when it is time to end. */
static bool may_go_on(struct cs_serve *s)
{
	struct cs_keyring *keyring = s->signing->keyring;

	if (is_stopping(s) || cs_keyring_is_lost(keyring))
		return false;
	cs_keyring_selftest(keyring);
	return !cs_keyring_is_lost(keyring);
}

/* Wait until fd can be read. CS_E_CLOSED when the child has to end. */
static enum cs_rc wait_readable(struct cs_serve *s, int fd, struct cs_err *e)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (may_go_on(s)) {
		int64_t next = cs_keyring_next(s->signing->keyring);
		int64_t left = next == INT64_MAX ? INT64_MAX : next - cs_clock_mono();
		struct timespec ts = { .tv_sec = left > 0 ? left / CS_SECOND : 0,
				       .tv_nsec = left > 0 ? left % CS_SECOND * 1000 : 0 };
		int n = ppoll(&p, 1, left == INT64_MAX ? NULL : &ts, &s->wait_mask);

		if (n > 0)
			return CS_OK;
		if (n < 0 && errno != EINTR)
			return CS_FAIL(e, CS_E_IO, "poll: %s", strerror(errno));
	}
	return CS_FAIL(e, CS_E_CLOSED, "the child ends");
}

/* put a frame with c->body behind what waits to be sent */
static enum cs_rc add_frame(struct session *c, enum cs_signer_msg type, struct cs_err *e)
{
	enum cs_rc rc = cs_buf_ok(&c->body, "frame", e);

	if (rc == CS_OK)
		cs_frame_add(&c->out, (uint8_t)type, cs_buf_bytes(&c->body));
	cs_buf_reset(&c->body);
	return rc;
}

static enum cs_rc send_frames(struct session *c, struct cs_err *e)
{
	return cs_frame_send_added(c->fd, &c->out, cs_clock_mono() + FRAME_TIMEOUT_US, e);
}

static enum cs_rc send_done(struct session *c, struct cs_err *e)
{
	enum cs_rc rc = add_frame(c, CS_MSG_DONE, e);

	return rc == CS_OK ? send_frames(c, e) : rc;
}

/* Each result leaves at once; the last one takes DONE along. */
static enum cs_rc send_result(void *arg, const struct cs_signer_result *result, struct cs_err *e)
{
	struct session *c = arg;
	enum cs_rc rc;

	/* a daemon in order asks for nothing that is refused here */
	if (result->outcome == CS_SIGN_REFUSED)
		complain(c->serve, "sign-refused", result->message);
	cs_signer_result_write(result, &c->body);
	rc = add_frame(c, CS_MSG_RESULT, e);
	c->results--;
	return rc == CS_OK && c->results > 0 ? send_frames(c, e) : rc;
}

static enum cs_rc handle_sign(struct session *c, struct cs_bytes body, struct cs_err *e)
{
	struct cs_signer_sign request;
	enum cs_rc rc;

	rc = cs_signer_sign_parse(body, &request, e);
	if (rc != CS_OK)
		return rc;
	c->results = request.artifact_count;
	rc = cs_signing_run(c->serve->signing, &request, send_result, c, e);
	return rc == CS_OK ? send_done(c, e) : rc;
}

static enum cs_rc handle_status(struct session *c, struct cs_bytes body, struct cs_err *e)
{
	struct cs_signer_health health;
	enum cs_rc rc;

	if (body.len > 0)
		return CS_FAIL(e, CS_E_INVALID, "STATUS frame: has a body");
	cs_keyring_health(c->serve->signing->keyring, &health);
	health.restarts = (int64_t)cs_counter_get(c->serve->restarts);
	cs_signer_health_write(&health, &c->body);
	rc = add_frame(c, CS_MSG_HEALTH, e);
	return rc == CS_OK ? send_done(c, e) : rc;
}

/* The frames that a daemon may send. */
static const struct {
	uint8_t type;
	enum cs_rc (*handle)(struct session *c, struct cs_bytes body, struct cs_err *e);
} handlers[] = {
	{ CS_MSG_SIGN, handle_sign },
	{ CS_MSG_STATUS, handle_status },
};

/* The next frame; a stop waits for the rest of one that has begun. */
static enum cs_rc next_frame(struct session *c, uint8_t *typep, struct cs_bytes *bodyp,
			     struct cs_err *e)
{
	int64_t deadline = 0;
	enum cs_rc rc;

	if (!may_go_on(c->serve))
		return CS_FAIL(e, CS_E_CLOSED, "the child ends");
	while ((rc = cs_frame_next(&c->in, c->fd, typep, bodyp, e)) == CS_E_PENDING) {
		if (!cs_frame_in_has_begun(&c->in)) {
			rc = wait_readable(c->serve, c->fd, e);
		} else {
			if (deadline == 0)
				deadline = cs_clock_mono() + FRAME_TIMEOUT_US;
			rc = cs_frame_wait(c->fd, deadline, e);
		}
		if (rc != CS_OK)
			break;
	}
	return rc;
}

static enum cs_rc handle_frame(struct session *c, struct cs_err *e)
{
	struct cs_bytes body;
	uint8_t type;
	enum cs_rc rc;
	size_t i;

	rc = next_frame(c, &type, &body, e);
	if (rc != CS_OK)
		return rc;
	for (i = 0; i < sizeof(handlers) / sizeof(handlers[0]); i++)
		if (handlers[i].type == type)
			return handlers[i].handle(c, body, e);
	return CS_FAIL(e, CS_E_INVALID, "no frame of type %u is known", type);
}

/* what was wrong with its frame, as far as the peer still listens */
static void say_error(struct session *c, const struct cs_err *why)
{
	struct cs_err ignored = { 0 };

	complain(c->serve, "frame-refused", why->msg);
	cs_buf_reset(&c->body);
	cs_buf_add_str(&c->body, why->msg);
	if (add_frame(c, CS_MSG_ERROR, &ignored) == CS_OK)
		(void)!send_frames(c, &ignored);
}

/* A frame is begun when the answer to the one before has left, whatever was received already. */
static enum cs_rc serve_frames(struct session *c, struct cs_err *e)
{
	enum cs_rc rc;

	cs_frame_in_reset(&c->in); /* what an earlier connection left */
	cs_buf_reset(&c->out);
	cs_signer_hello_write(&c->serve->hello, &c->body);
	rc = add_frame(c, CS_MSG_HELLO, e);
	if (rc == CS_OK)
		rc = send_frames(c, e);
	while (rc == CS_OK) {
		rc = handle_frame(c, e);
		if (rc == CS_E_INVALID || rc == CS_E_TOO_LARGE)
			say_error(c, e);
	}
	return rc;
}

/* Anybody else is closed without a byte. */
static bool is_welcome(struct cs_serve *s, int fd)
{
	unsigned uid;

	if (cs_unix_peer_uid(fd, &uid, NULL) == CS_OK && (int64_t)uid == s->peer_uid)
		return true;
	complain(s, "peer-refused", "a connection of another user than --peer-user was closed");
	return false;
}

static void serve_connection(struct session *c)
{
	struct cs_err ended = { 0 }; /* how a connection ends is the daemon's to tell */

	if (is_welcome(c->serve, c->fd))
		(void)serve_frames(c, &ended);
	close(c->fd);
}

enum cs_rc cs_serve(struct cs_serve *s, struct cs_err *e)
{
	struct session c = { .serve = s };
	enum cs_rc rc = CS_OK;

	assert(s->listen_fd >= 0 && s->peer_uid >= 0 && s->restarts);
	cs_frame_in_init(&c.in, CS_FRAME_MAX - 1);
	cs_buf_init(&c.body, CS_RAW_SIG_MAX + 4096);
	cs_buf_init(&c.out, CS_RAW_SIG_MAX + 8192);
	while (rc == CS_OK) {
		rc = wait_readable(s, s->listen_fd, e);
		if (rc != CS_OK)
			break;
		c.fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
		if (c.fd >= 0)
			serve_connection(&c);
		else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
			rc = CS_FAIL(e, CS_E_IO, "accept: %s", strerror(errno));
	}
	cs_frame_in_done(&c.in);
	cs_buf_done(&c.body);
	cs_buf_done(&c.out);
	if (rc == CS_E_CLOSED)
		rc = is_stopping(s) ? CS_OK
				    : CS_FAIL(e, CS_E_HSM, "the token or its session is lost");
	return rc;
}
