/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of frames over socket pairs: sent, waited for, received ahead, cut short and malformed.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/frame.h"
#include "unit/base_unit.h"

#define MILLISECOND (CS_SECOND / 1000)

static int pair[2];

static void open_pair(void)
{
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
}

static void close_pair(void)
{
	close(pair[0]);
	close(pair[1]);
}

START_TEST(frames_come_back)
{
	static const size_t sizes[] = { 0, 1, 5, 1000 };
	uint8_t data[1000], type = 0;
	struct cs_err e = { 0 };
	struct cs_buf body;

	memset(data, 'x', sizeof(data));
	cs_buf_init(&body, 1000);
	for (size_t i = 0; i < COUNT(sizes); i++)
		CHECK_OK(cs_frame_send(pair[0], (uint8_t)(i + 1),
				       (struct cs_bytes){ data, sizes[i] }, INT64_MAX, &e));
	for (size_t i = 0; i < COUNT(sizes); i++) {
		CHECK_OK(cs_frame_recv(pair[1], &type, &body, INT64_MAX, &e));
		ck_assert_uint_eq(type, i + 1);
		ck_assert_uint_eq(body.len, sizes[i]);
		ck_assert_mem_eq(cs_buf_str(&body), data, sizes[i]);
	}
	cs_buf_done(&body);
}
END_TEST

START_TEST(a_frame_has_its_bytes)
{
	struct cs_err e = { 0 };
	uint8_t raw[16];

	CHECK_OK(cs_frame_send(pair[0], 7, BYTES("abc"), INT64_MAX, &e));
	ck_assert_int_eq(read(pair[1], raw, sizeof(raw)), 8);
	ck_assert_mem_eq(raw,
			 "\x00\x00\x00\x04\x07"
			 "abc",
			 8);
}
END_TEST

START_TEST(added_frames_leave_together)
{
	struct cs_err e = { 0 };
	struct cs_buf out;
	uint8_t raw[32];

	cs_buf_init(&out, 13);
	cs_frame_add(&out, 7, BYTES("abc"));
	cs_frame_add(&out, 8, BYTES(""));
	CHECK_OK(cs_frame_send_added(pair[0], &out, INT64_MAX, &e));
	ck_assert_int_eq(recv(pair[1], raw, sizeof(raw), 0), 13);
	ck_assert_mem_eq(raw,
			 "\x00\x00\x00\x04\x07"
			 "abc\x00\x00\x00\x01\x08",
			 13);
	ck_assert_uint_eq(out.len, 0);
	/* what does not fit is not sent in parts */
	cs_frame_add(&out, 7, BYTES("abc"));
	cs_frame_add(&out, 8, BYTES("d"));
	CHECK_FAILS(cs_frame_send_added(pair[0], &out, INT64_MAX, &e), CS_E_TOO_LARGE, "13");
	ck_assert_int_eq(recv(pair[1], raw, sizeof(raw), MSG_DONTWAIT), -1);
	cs_buf_done(&out);
}
END_TEST

/* Writes a frame of 3 bytes byte by byte. */
static void *trickle(void *arg)
{
	static const char frame[] = "\x00\x00\x00\x04\x07"
				    "abc";

	(void)arg;
	for (size_t i = 0; i < sizeof(frame) - 1; i++) {
		usleep(1000);
		ck_assert_int_eq(write(pair[0], frame + i, 1), 1);
	}
	return NULL;
}

START_TEST(short_reads_are_put_together)
{
	struct cs_err e = { 0 };
	struct cs_buf body;
	pthread_t thread;
	uint8_t type = 0;

	cs_buf_init(&body, 3);
	ck_assert_int_eq(pthread_create(&thread, NULL, trickle, NULL), 0);
	CHECK_OK(cs_frame_recv(pair[1], &type, &body, cs_clock_mono() + 20 * CS_SECOND, &e));
	ck_assert_uint_eq(type, 7);
	ck_assert_str_eq(cs_buf_str(&body), "abc");
	pthread_join(thread, NULL);
	cs_buf_done(&body);
}
END_TEST

static struct cs_buf big_body;

static void *receive_big(void *arg)
{
	uint8_t type;

	*(enum cs_rc *)arg = cs_frame_recv(pair[1], &type, &big_body, INT64_MAX, NULL);
	return NULL;
}

START_TEST(a_frame_may_be_larger_than_the_socket)
{
	size_t len = CS_FRAME_MAX - 1;
	uint8_t *data = malloc(len + 1);
	enum cs_rc received = CS_E_INTERNAL;
	struct cs_err e = { 0 };
	pthread_t thread;

	for (size_t i = 0; i < len; i++)
		data[i] = (uint8_t)(i * 7 >> 3);
	cs_buf_init(&big_body, len);
	ck_assert_int_eq(pthread_create(&thread, NULL, receive_big, &received), 0);
	CHECK_OK(cs_frame_send(pair[0], 1, (struct cs_bytes){ data, len },
			       cs_clock_mono() + 20 * CS_SECOND, &e));
	pthread_join(thread, NULL);
	ck_assert_int_eq(received, CS_OK);
	ck_assert(cs_bytes_equal(cs_buf_bytes(&big_body), (struct cs_bytes){ data, len }));
	CHECK_FAILS(cs_frame_send(pair[0], 1, (struct cs_bytes){ data, len + 1 }, INT64_MAX, &e),
		    CS_E_TOO_LARGE, "4194304 bytes; the limit is 4194303");
	cs_buf_done(&big_body);
	free(data);
}
END_TEST

/* Bytes and then an end; the receiver takes bodies of 4 bytes. */
static const struct {
	struct cs_bytes bytes;
	enum cs_rc rc;
	const char *part;
} bad_frames[] = {
	{ BYTES_INIT(""), CS_E_CLOSED, "closed the connection" },
	{ BYTES_INIT("\x00"), CS_E_CLOSED, "inside a frame" },
	{ BYTES_INIT("\x00\x00\x00\x01"), CS_E_CLOSED, "inside a frame" },
	{ BYTES_INIT("\x00\x00\x00\x03\x01x"), CS_E_CLOSED, "inside a frame" },
	{ BYTES_INIT("\x00\x00\x00\x00\x01"), CS_E_INVALID, "without a type" },
	{ BYTES_INIT("\x00\x00\x00\x06\x01xxxxx"), CS_E_TOO_LARGE, "5 bytes; the limit is 4" },
	{ BYTES_INIT("\xff\xff\xff\xff\x01"), CS_E_TOO_LARGE, "4294967294 bytes" },
};

START_TEST(bad_frames_are_refused)
{
	const struct cs_bytes *in = &bad_frames[_i].bytes;
	struct cs_err e = { 0 };
	struct cs_buf body;
	uint8_t type = 99;

	ck_assert_int_eq(write(pair[0], in->data, in->len), (ssize_t)in->len);
	shutdown(pair[0], SHUT_WR);
	cs_buf_init(&body, 4);
	cs_buf_add_str(&body, "old");
	CHECK_FAILS(cs_frame_recv(pair[1], &type, &body, INT64_MAX, &e), bad_frames[_i].rc,
		    bad_frames[_i].part);
	ck_assert_uint_eq(type, 99);
	ck_assert_uint_eq(body.len, 0);
	cs_buf_done(&body);
}
END_TEST

/* Taken from bytes at hand: nothing before the last byte, and what is wrong at the header. */
START_TEST(frames_are_taken_when_they_are_whole)
{
	const struct cs_bytes two = BYTES("\x00\x00\x00\x03\x01xy\x00\x00\x00\x01\x02");
	struct cs_bytes body = { 0 };
	struct cs_err e = { 0 };
	size_t used = 99;
	uint8_t type = 0;

	for (size_t len = 0; len < 7; len++) {
		CHECK_OK(cs_frame_take((struct cs_bytes){ two.data, len }, 4, &type, &body, &used,
				       &e));
		ck_assert_uint_eq(used, 0);
	}
	CHECK_OK(cs_frame_take(two, 4, &type, &body, &used, &e));
	ck_assert_uint_eq(used, 7);
	ck_assert_uint_eq(type, 1);
	ck_assert(cs_bytes_equal(body, BYTES("xy")));
	CHECK_OK(cs_frame_take((struct cs_bytes){ two.data + used, two.len - used }, 4, &type,
			       &body, &used, &e));
	ck_assert_uint_eq(used, 5);
	ck_assert_uint_eq(type, 2);
	ck_assert_uint_eq(body.len, 0);
	CHECK_FAILS(cs_frame_take(BYTES("\x00\x00\x00\x00\x01"), 4, &type, &body, &used, &e),
		    CS_E_INVALID, "without a type");
	CHECK_FAILS(cs_frame_take(BYTES("\x00\x00\x00\x06\x01"), 4, &type, &body, &used, &e),
		    CS_E_TOO_LARGE, "5 bytes; the limit is 4");
	ck_assert_uint_eq(used, 0);
}
END_TEST

/* write what has the form of a string, without its NUL */
#define WRITE(bytes) \
	ck_assert_int_eq(write(pair[0], bytes, sizeof(bytes) - 1), (ssize_t)sizeof(bytes) - 1)

START_TEST(frames_that_came_together_are_taken_one_by_one)
{
	struct cs_frame_in in;
	struct cs_err e = { 0 };
	struct cs_bytes body;
	uint8_t type = 0;

	cs_frame_in_init(&in, 4);
	ck_assert_int_eq(cs_frame_next(&in, pair[1], &type, &body, &e), CS_E_PENDING);
	ck_assert(!cs_frame_in_has_begun(&in));
	WRITE("\x00\x00\x00\x04\x07"
	      "abc\x00\x00\x00\x01\x08\x00\x00\x00\x05\x09"
	      "de");
	CHECK_OK(cs_frame_next(&in, pair[1], &type, &body, &e));
	ck_assert_uint_eq(type, 7);
	ck_assert(cs_bytes_equal(body, BYTES("abc")));
	/* nothing more is received before what is there was taken */
	WRITE("fg");
	CHECK_OK(cs_frame_next(&in, pair[1], &type, &body, &e));
	ck_assert_uint_eq(type, 8);
	ck_assert_uint_eq(body.len, 0);
	CHECK_OK(cs_frame_next(&in, pair[1], &type, &body, &e));
	ck_assert_uint_eq(type, 9);
	ck_assert(cs_bytes_equal(body, BYTES("defg")));
	WRITE("\x00\x00");
	ck_assert_int_eq(cs_frame_next(&in, pair[1], &type, &body, &e), CS_E_PENDING);
	ck_assert(cs_frame_in_has_begun(&in));
	CHECK_FAILS(cs_frame_wait(pair[1], cs_clock_mono() + 5 * MILLISECOND, &e), CS_E_TIMEOUT,
		    "deadline");
	/* the next connection sees nothing of it */
	cs_frame_in_reset(&in);
	WRITE("\x00\x00\x00\x02\x01z");
	CHECK_OK(cs_frame_wait(pair[1], INT64_MAX, &e));
	CHECK_OK(cs_frame_next(&in, pair[1], &type, &body, &e));
	ck_assert(cs_bytes_equal(body, BYTES("z")));
	cs_frame_in_done(&in);
}
END_TEST

START_TEST(bad_frames_are_refused_when_taken)
{
	const struct cs_bytes *bytes = &bad_frames[_i].bytes;
	struct cs_err e = { 0 };
	struct cs_frame_in in;
	struct cs_bytes body;
	uint8_t type = 99;

	ck_assert_int_eq(write(pair[0], bytes->data, bytes->len), (ssize_t)bytes->len);
	shutdown(pair[0], SHUT_WR);
	cs_frame_in_init(&in, 4);
	CHECK_FAILS(cs_frame_next(&in, pair[1], &type, &body, &e), bad_frames[_i].rc,
		    bad_frames[_i].part);
	ck_assert_uint_eq(type, 99);
	cs_frame_in_done(&in);
}
END_TEST

START_TEST(waiting_ends_at_the_deadline)
{
	static uint8_t data[CS_FRAME_MAX - 1];
	struct cs_err e = { 0 };
	struct cs_buf body;
	int64_t start = cs_clock_mono();
	uint8_t type;

	cs_buf_init(&body, 4);
	CHECK_FAILS(cs_frame_recv(pair[1], &type, &body, start + 20 * MILLISECOND, &e),
		    CS_E_TIMEOUT, "deadline");
	ck_assert(cs_clock_mono() >= start + 20 * MILLISECOND);
	ck_assert_int_eq(write(pair[0], "\x00\x00\x00\x03\x01x", 6), 6);
	CHECK_FAILS(cs_frame_recv(pair[1], &type, &body, cs_clock_mono() + 5 * MILLISECOND, &e),
		    CS_E_TIMEOUT, "deadline");
	CHECK_FAILS(cs_frame_recv(pair[1], &type, &body, 0, &e), CS_E_TIMEOUT, "deadline");
	/* nobody reads, so the socket's buffer fills */
	CHECK_FAILS(cs_frame_send(pair[0], 1, (struct cs_bytes){ data, sizeof(data) },
				  cs_clock_mono() + 20 * MILLISECOND, &e),
		    CS_E_TIMEOUT, "deadline");
	cs_buf_done(&body);
}
END_TEST

START_TEST(sending_to_nobody_is_no_signal)
{
	struct cs_err e = { 0 };
	struct cs_frame_in in;
	struct cs_bytes body;
	uint8_t type;

	shutdown(pair[1], SHUT_RD);
	CHECK_FAILS(cs_frame_send(pair[0], 1, BYTES("x"), INT64_MAX, &e), CS_E_CLOSED,
		    "closed the connection");
	CHECK_FAILS(cs_frame_send(-1, 1, BYTES("x"), INT64_MAX, &e), CS_E_IO, "send");
	CHECK_FAILS(cs_frame_recv(-1, NULL, &(struct cs_buf){ .max = 1 }, INT64_MAX, &e), CS_E_IO,
		    "receive");
	cs_frame_in_init(&in, 1);
	CHECK_FAILS(cs_frame_next(&in, -1, &type, &body, &e), CS_E_IO, "receive");
	cs_frame_in_done(&in);
}
END_TEST

void add_frame_tests(TCase *tc)
{
	tcase_add_checked_fixture(tc, open_pair, close_pair);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, frames_come_back);
	tcase_add_test(tc, a_frame_has_its_bytes);
	tcase_add_test(tc, added_frames_leave_together);
	tcase_add_test(tc, short_reads_are_put_together);
	tcase_add_test(tc, a_frame_may_be_larger_than_the_socket);
	tcase_add_loop_test(tc, bad_frames_are_refused, 0, COUNT(bad_frames));
	tcase_add_test(tc, frames_are_taken_when_they_are_whole);
	tcase_add_test(tc, frames_that_came_together_are_taken_one_by_one);
	tcase_add_loop_test(tc, bad_frames_are_refused_when_taken, 0, COUNT(bad_frames));
	tcase_add_test(tc, waiting_ends_at_the_deadline);
	tcase_add_test(tc, sending_to_nobody_is_no_signal);
}
