/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The readers of frames (base/frame.h): the input is what a peer sends before it hangs up. The one
 * that waits and the one that receives ahead see the same frames and the same end.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "base/frame.h"

#include "fuzz/fuzz.h"

#define SENT_MAX 32768U /* fits a socket's buffer, so that one thread is enough */
#define BODY_MAX 4096U

/* The frame just read is what stands at the front of *in; moves on behind it. */
static void is_front(struct cs_bytes *in, uint8_t type, struct cs_bytes body)
{
	struct cs_reader r;

	cs_reader_init(&r, *in);
	fuzz_holds(cs_read_u32(&r) == body.len + 1);
	fuzz_holds(cs_read_u8(&r) == type);
	fuzz_holds(!r.failed && r.left >= body.len && body.len <= BODY_MAX);
	fuzz_holds(body.len == 0 || memcmp(r.p, body.data, body.len) == 0);
	*in = (struct cs_bytes){ r.p + body.len, r.left - body.len };
}

static void send_bytes(int fd, const uint8_t *data, size_t len)
{
	fuzz_holds(send(fd, data, len, MSG_DONTWAIT) == (ssize_t)len);
}

static void open_pair(int pair[static 2])
{
	fuzz_holds(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
}

static enum cs_rc wait_for_each(struct cs_bytes in, struct cs_err *e)
{
	struct cs_buf body;
	uint8_t type = 0;
	enum cs_rc rc;
	int pair[2];

	open_pair(pair);
	send_bytes(pair[0], in.data, in.len);
	close(pair[0]);
	cs_buf_init(&body, BODY_MAX);
	while ((rc = cs_frame_recv(pair[1], &type, &body, 0, e)) == CS_OK)
		is_front(&in, type, cs_buf_bytes(&body));
	fuzz_holds(body.len == 0);
	/* an orderly end leaves nothing unread */
	fuzz_holds((rc == CS_E_CLOSED && !strstr(e->msg, "inside")) == (in.len == 0));
	cs_buf_done(&body);
	close(pair[1]);
	return rc;
}

/* the first bytes arrive alone */
static enum cs_rc receive_ahead(struct cs_bytes in, size_t first, struct cs_err *e)
{
	const uint8_t *rest = in.data + first;
	size_t left = in.len - first;
	struct cs_frame_in frames;
	struct cs_bytes body;
	uint8_t type = 0;
	enum cs_rc rc;
	int pair[2];

	open_pair(pair);
	cs_frame_in_init(&frames, BODY_MAX);
	send_bytes(pair[0], in.data, first);
	while ((rc = cs_frame_next(&frames, pair[1], &type, &body, e)) == CS_OK)
		is_front(&in, type, body);
	if (rc == CS_E_PENDING) {
		fuzz_holds(cs_frame_in_has_begun(&frames) == (in.data < rest));
		send_bytes(pair[0], rest, left);
		close(pair[0]);
		while ((rc = cs_frame_next(&frames, pair[1], &type, &body, e)) == CS_OK)
			is_front(&in, type, body);
		fuzz_holds((rc == CS_E_CLOSED && !strstr(e->msg, "inside")) == (in.len == 0));
	} else {
		close(pair[0]);
	}
	cs_frame_in_done(&frames);
	close(pair[1]);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cs_bytes in = { data, size < SENT_MAX ? size : SENT_MAX };
	struct cs_err e = { 0 }, ahead = { 0 };
	enum cs_rc rc = wait_for_each(in, &e);

	fuzz_refused(rc, &e);
	fuzz_holds(rc == CS_E_CLOSED || rc == CS_E_INVALID || rc == CS_E_TOO_LARGE);
	for (size_t i = 0; i < 3; i++) {
		size_t first = i == 0 ? in.len / 2 : i == 1 ? in.len : in.len % 8;

		fuzz_holds(receive_ahead(in, first, &ahead) == rc);
		fuzz_holds(strcmp(ahead.msg, e.msg) == 0);
	}
	return 0;
}
