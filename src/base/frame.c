/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames over a stream socket, with deadlines.
 * Must not trust a length before it was compared with the receiver's maximum.
 * See frame.h for the contract and docs/PROTOCOL.signer for the messages.
 */
#include "base/frame.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "base/clock.h"

#define HEADER_LEN 5
#define CHUNK 16384U /* received at least at once: several usual frames */

/* Milliseconds until the deadline, rounded up; -1 for none, 0 when it has passed. */
static int ms_left(int64_t deadline)
{
	int64_t now, left;

	if (deadline == INT64_MAX)
		return -1;
	now = cs_clock_mono();
	if (deadline <= now)
		return 0;
	left = (deadline - now) / 1000 + 1;
	return left > INT_MAX ? INT_MAX : (int)left;
}

/* Wait until fd is ready for `events`; errors and hang-ups count, the call that follows sees them.
 */
static enum cs_rc wait_for(int fd, short events, int64_t deadline, struct cs_err *e)
{
	struct pollfd p = { .fd = fd, .events = events };
	int n;

	for (;;) {
		n = poll(&p, 1, ms_left(deadline));
		if (n > 0)
			return CS_OK;
		if (n == 0 && ms_left(deadline) == 0)
			return CS_FAIL(e, CS_E_TIMEOUT, "frame: no answer before the deadline");
		if (n < 0 && errno != EINTR)
			return CS_FAIL(e, CS_E_IO, "frame: poll: %s", strerror(errno));
	}
}

/* After a failed send or receive: CS_OK when it is worth another try. */
static enum cs_rc retry_or_fail(const char *what, struct cs_err *e)
{
	if (errno == EINTR || errno == EAGAIN)
		return CS_OK;
	if (errno == EPIPE || errno == ECONNRESET)
		return CS_FAIL(e, CS_E_CLOSED, "frame: the peer closed the connection");
	return CS_FAIL(e, CS_E_IO, "frame: %s: %s", what, strerror(errno));
}

/* Leave out what was sent. */
static void skip(struct msghdr *msg, size_t n)
{
	while (n > 0) {
		struct iovec *v = msg->msg_iov;
		size_t part = n < v->iov_len ? n : v->iov_len;

		v->iov_base = (uint8_t *)v->iov_base + part;
		v->iov_len -= part;
		n -= part;
		if (v->iov_len == 0 && n > 0) {
			msg->msg_iov++;
			msg->msg_iovlen--;
		}
	}
}

/* All `left` bytes of msg, whose vectors are used up. */
static enum cs_rc send_all(int fd, struct msghdr *msg, size_t left, int64_t deadline,
			   struct cs_err *e)
{
	while (left > 0) {
		enum cs_rc rc = CS_OK;
		ssize_t n = sendmsg(fd, msg, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			left -= (size_t)n;
			skip(msg, (size_t)n);
			continue;
		}
		rc = retry_or_fail("send", e);
		if (rc == CS_OK)
			rc = wait_for(fd, POLLOUT, deadline, e);
		if (rc != CS_OK)
			return rc;
	}
	return CS_OK;
}

static void write_header(uint8_t header[static HEADER_LEN], uint8_t type, size_t body_len)
{
	uint32_t len = (uint32_t)body_len + 1;

	header[0] = (uint8_t)(len >> 24);
	header[1] = (uint8_t)(len >> 16);
	header[2] = (uint8_t)(len >> 8);
	header[3] = (uint8_t)len;
	header[4] = type;
}

enum cs_rc cs_frame_send(int fd, uint8_t type, struct cs_bytes body, int64_t deadline,
			 struct cs_err *e)
{
	uint8_t header[HEADER_LEN];
	/* sendmsg does not write through iov_base; the type has no const */
	struct iovec iov[2] = {
		{ .iov_base = header, .iov_len = HEADER_LEN },
		{ .iov_base = (void *)(uintptr_t)body.data, .iov_len = body.len },
	};
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 2 };

	if (body.len > CS_FRAME_MAX - 1)
		return CS_FAIL(e, CS_E_TOO_LARGE, "frame: body of %zu bytes; the limit is %u",
			       body.len, CS_FRAME_MAX - 1);
	write_header(header, type, body.len);
	return send_all(fd, &msg, HEADER_LEN + body.len, deadline, e);
}

void cs_frame_add(struct cs_buf *out, uint8_t type, struct cs_bytes body)
{
	uint8_t header[HEADER_LEN];

	if (body.len > CS_FRAME_MAX - 1) {
		cs_buf_fail(out, CS_E_TOO_LARGE);
		return;
	}
	write_header(header, type, body.len);
	cs_buf_add(out, header, sizeof(header));
	cs_buf_add(out, body.data, body.len);
}

enum cs_rc cs_frame_send_added(int fd, struct cs_buf *out, int64_t deadline, struct cs_err *e)
{
	struct iovec iov = { .iov_base = out->data, .iov_len = out->len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	enum cs_rc rc = cs_buf_ok(out, "frames", e);

	if (rc == CS_OK)
		rc = send_all(fd, &msg, out->len, deadline, e);
	cs_buf_reset(out);
	return rc;
}

/* Exactly len bytes. An end before the first byte of a frame is an orderly hang-up. */
static enum cs_rc recv_all(int fd, uint8_t *p, size_t len, bool at_start, int64_t deadline,
			   struct cs_err *e)
{
	size_t got = 0;

	while (got < len) {
		enum cs_rc rc = CS_OK;
		ssize_t n = recv(fd, p + got, len - got, MSG_DONTWAIT);

		if (n > 0) {
			got += (size_t)n;
			continue;
		}
		if (n == 0)
			return CS_FAIL(e, CS_E_CLOSED, "frame: the peer closed the connection%s",
				       at_start && got == 0 ? "" : " inside a frame");
		rc = retry_or_fail("receive", e);
		if (rc == CS_OK)
			rc = wait_for(fd, POLLIN, deadline, e);
		if (rc != CS_OK)
			return rc;
	}
	return CS_OK;
}

/* Type and length of the body from a header's HEADER_LEN bytes. */
static enum cs_rc read_header(const uint8_t *header, size_t max, uint8_t *typep, size_t *lenp,
			      struct cs_err *e)
{
	struct cs_reader r;
	size_t len;

	cs_reader_init(&r, (struct cs_bytes){ header, HEADER_LEN });
	len = cs_read_u32(&r);
	if (len == 0)
		return CS_FAIL(e, CS_E_INVALID, "frame: without a type");
	len--;
	if (len > max || len > CS_FRAME_MAX - 1)
		return CS_FAIL(e, CS_E_TOO_LARGE, "frame: body of %zu bytes; the limit is %zu", len,
			       max);
	*typep = cs_read_u8(&r);
	*lenp = len;
	return CS_OK;
}

enum cs_rc cs_frame_recv(int fd, uint8_t *typep, struct cs_buf *body, int64_t deadline,
			 struct cs_err *e)
{
	uint8_t header[HEADER_LEN];
	uint8_t type = 0;
	size_t len = 0;
	enum cs_rc rc;
	uint8_t *p;

	cs_buf_reset(body);
	rc = recv_all(fd, header, sizeof(header), true, deadline, e);
	if (rc == CS_OK)
		rc = read_header(header, body->max, &type, &len, e);
	if (rc != CS_OK)
		return rc;
	p = cs_buf_extend(body, len);
	rc = cs_buf_ok(body, "frame", e);
	if (rc == CS_OK)
		rc = recv_all(fd, p, len, false, deadline, e);
	if (rc != CS_OK) {
		cs_buf_reset(body);
		return rc;
	}
	*typep = type;
	return CS_OK;
}

enum cs_rc cs_frame_take(struct cs_bytes in, size_t max, uint8_t *typep, struct cs_bytes *bodyp,
			 size_t *usedp, struct cs_err *e)
{
	uint8_t type = 0;
	size_t len = 0;
	enum cs_rc rc;

	*usedp = 0;
	if (in.len < HEADER_LEN)
		return CS_OK;
	rc = read_header(in.data, max, &type, &len, e);
	if (rc != CS_OK || in.len - HEADER_LEN < len)
		return rc;
	*typep = type;
	*bodyp = (struct cs_bytes){ in.data + HEADER_LEN, len };
	*usedp = HEADER_LEN + len;
	return CS_OK;
}

void cs_frame_in_init(struct cs_frame_in *in, size_t body_max)
{
	assert(body_max < CS_FRAME_MAX);
	cs_buf_init(&in->buf, HEADER_LEN + body_max + CHUNK);
	in->taken = 0;
	in->body_max = body_max;
}

void cs_frame_in_done(struct cs_frame_in *in)
{
	cs_buf_done(&in->buf);
	in->taken = 0;
}

void cs_frame_in_reset(struct cs_frame_in *in)
{
	cs_buf_reset(&in->buf);
	in->taken = 0;
}

bool cs_frame_in_has_begun(const struct cs_frame_in *in)
{
	return in->buf.len > in->taken;
}

/* One receive of what is there, behind the part of a frame that is there. */
static enum cs_rc receive_more(struct cs_frame_in *in, int fd, struct cs_err *e)
{
	size_t have = in->buf.len - in->taken;
	enum cs_rc rc;
	uint8_t *p;
	ssize_t n;

	if (in->taken > 0 && have > 0)
		memmove(in->buf.data, in->buf.data + in->taken, have);
	in->taken = 0;
	in->buf.len = have;
	p = cs_buf_extend(&in->buf, CHUNK);
	in->buf.len = have;
	rc = cs_buf_ok(&in->buf, "frame", e);
	if (rc != CS_OK)
		return rc;
	n = recv(fd, p, in->buf.cap - 1 - have, MSG_DONTWAIT);
	if (n > 0) {
		in->buf.len += (size_t)n;
		return CS_OK;
	}
	if (n == 0)
		return CS_FAIL(e, CS_E_CLOSED, "frame: the peer closed the connection%s",
			       have == 0 ? "" : " inside a frame");
	return errno == EAGAIN ? CS_E_PENDING : retry_or_fail("receive", e);
}

enum cs_rc cs_frame_next(struct cs_frame_in *in, int fd, uint8_t *typep, struct cs_bytes *bodyp,
			 struct cs_err *e)
{
	enum cs_rc rc;

	do {
		struct cs_bytes left = cs_buf_bytes(&in->buf);
		size_t used = 0;

		if (in->taken > 0)
			left = (struct cs_bytes){ left.data + in->taken, left.len - in->taken };
		rc = cs_frame_take(left, in->body_max, typep, bodyp, &used, e);
		in->taken += used;
		if (rc != CS_OK || used > 0)
			return rc;
		rc = receive_more(in, fd, e);
	} while (rc == CS_OK);
	return rc;
}

enum cs_rc cs_frame_wait(int fd, int64_t deadline, struct cs_err *e)
{
	return wait_for(fd, POLLIN, deadline, e);
}
