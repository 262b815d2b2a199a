/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The reader of frames (base/frame.h): the input is what a peer sends before it hangs up.
 */
#include <sys/socket.h>
#include <unistd.h>

#include "base/frame.h"

#include "fuzz/fuzz.h"

#define SENT_MAX 32768U /* fits a socket's buffer, so that one thread is enough */
#define BODY_MAX 4096U

/* The frame just read is what stands at the front of *in; moves on behind it. */
static void is_front(struct cs_bytes *in, uint8_t type, const struct cs_buf *body)
{
	struct cs_reader r;

	cs_reader_init(&r, *in);
	fuzz_holds(cs_read_u32(&r) == body->len + 1);
	fuzz_holds(cs_read_u8(&r) == type);
	fuzz_holds(!r.failed && r.left >= body->len && body->len <= BODY_MAX);
	fuzz_holds(body->len == 0 || memcmp(r.p, body->data, body->len) == 0);
	*in = (struct cs_bytes){ r.p + body->len, r.left - body->len };
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cs_bytes in = { data, size < SENT_MAX ? size : SENT_MAX };
	struct cs_err e = { 0 };
	struct cs_buf body;
	uint8_t type = 0;
	enum cs_rc rc;
	int pair[2];

	fuzz_holds(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	fuzz_holds(send(pair[0], in.data, in.len, MSG_DONTWAIT) == (ssize_t)in.len);
	close(pair[0]);
	cs_buf_init(&body, BODY_MAX);
	while ((rc = cs_frame_recv(pair[1], &type, &body, 0, &e)) == CS_OK)
		is_front(&in, type, &body);
	fuzz_refused(rc, &e);
	fuzz_holds(rc == CS_E_CLOSED || rc == CS_E_INVALID || rc == CS_E_TOO_LARGE);
	fuzz_holds(body.len == 0);
	/* an orderly end leaves nothing unread */
	fuzz_holds((rc == CS_E_CLOSED && !strstr(e.msg, "inside")) == (in.len == 0));
	cs_buf_done(&body);
	close(pair[1]);
	return 0;
}
