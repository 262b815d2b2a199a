/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of signer/client against a signer that follows a script: what the caller hears, and whether
 * anything may have left.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "signer/conn.h"
#include "unit/unit_signer.h"

#define TIMEOUT_US (5 * CS_SECOND / 2) /* of a client that is to run out of it */
#define PLENTY (20 * CS_SECOND)
#define CONNECTIONS_MAX 4

/*
 * One letter a step of the fake signer:
 *   h HELLO   p of another policy   t of another token   v of a newer protocol
 *   ? wait for a frame   0 1 RESULT of that artifact   d DONE   a HEALTH   e ERROR   c half a
 * RESULT . hang until the peer closes; the end of a script closes the connection
 */
static const char *scripts[CONNECTIONS_MAX];
static char dir[64];
static char path[96];
static int listen_fd;
static pthread_t server;

static void send_body(int fd, enum cs_signer_msg type, const struct cs_buf *body)
{
	struct cs_err e = { 0 };

	/* a client that has left already is the client's business */
	(void)!cs_frame_send(fd, (uint8_t)type, cs_buf_bytes(body), cs_clock_mono() + PLENTY, &e);
}

static void say_hello(int fd, char step)
{
	struct cs_signer_hello hello = sample_hello;
	struct cs_buf body;

	if (step == 'p')
		hello.policy_digest.b[0] ^= 1;
	if (step == 't')
		hello.token[0] = 'x';
	if (step == 'v')
		hello.protocol = CS_SIGNER_PROTOCOL + 1;
	cs_buf_init(&body, 4096);
	cs_signer_hello_write(&hello, &body);
	send_body(fd, CS_MSG_HELLO, &body);
	cs_buf_done(&body);
}

static void wait_frame(int fd)
{
	struct cs_buf body;
	struct cs_err e = { 0 };
	uint8_t type;

	cs_buf_init(&body, CS_FRAME_MAX);
	(void)!cs_frame_recv(fd, &type, &body, cs_clock_mono() + PLENTY, &e);
	cs_buf_done(&body);
}

static void answer(int fd, char step)
{
	static const struct cs_signer_health health = {
		.keys = 2, .failed = 1, .restarts = 3, .message = "a key"
	};
	struct cs_signer_result result = sample_result(step == '1');
	struct cs_buf body;

	cs_buf_init(&body, 4096);
	switch (step) {
	case '0':
	case '1':
		cs_signer_result_write(&result, &body);
		send_body(fd, CS_MSG_RESULT, &body);
		break;
	case 'd': send_body(fd, CS_MSG_DONE, &body); break;
	case 'a':
		cs_signer_health_write(&health, &body);
		send_body(fd, CS_MSG_HEALTH, &body);
		break;
	case 'e':
		cs_buf_add_str(&body, "no such frame");
		send_body(fd, CS_MSG_ERROR, &body);
		break;
	default:
		cs_buf_add(&body, "\0\0\0\x20\x03\0\0", 7);
		(void)!send(fd, body.data, body.len, MSG_NOSIGNAL);
	}
	cs_buf_done(&body);
}

static void play(int fd, const char *script)
{
	char byte;

	for (; *script != '\0'; script++) {
		if (strchr("hptv", *script))
			say_hello(fd, *script);
		else if (*script == '?')
			wait_frame(fd);
		else if (*script == '.')
			(void)!read(fd, &byte, 1);
		else
			answer(fd, *script);
	}
	close(fd);
}

static void *serve(void *unused)
{
	size_t i;

	for (i = 0; i < CONNECTIONS_MAX && scripts[i]; i++) {
		int fd = accept(listen_fd, NULL, NULL);

		if (fd < 0)
			break;
		play(fd, scripts[i]);
	}
	return unused;
}

static void start_server(const char *first, const char *second)
{
	struct cs_err e = { 0 };

	memset(scripts, 0, sizeof(scripts));
	scripts[0] = first;
	scripts[1] = second;
	ck_assert_int_eq(cs_unix_listen(path, 0600, &listen_fd, &e), CS_OK);
	ck_assert_int_eq(pthread_create(&server, NULL, serve, NULL), 0);
}

static void stop_server(void)
{
	pthread_join(server, NULL);
	close(listen_fd);
	unlink(path);
}

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/cs-signer-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
}

static void teardown(void)
{
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct cs_signer *new_client(int64_t peer_uid, int64_t timeout_us)
{
	const struct cs_signer_config config = { "prod", path, 1, timeout_us, peer_uid };
	struct cs_signer *s = NULL;
	struct cs_err e = { 0 };

	ck_assert_int_eq(cs_signer_new(&config, &s, &e), CS_OK);
	return s;
}

/* A SIGN that a test waits for. */
struct asking {
	struct cs_exchange x; /* first */
	struct cs_buf frame;
	int results;
	sem_t ended;
};

static void count_result(struct cs_exchange *x, const struct cs_signer_result *result)
{
	struct cs_signer_result sample = sample_result(result->index);

	ck_assert(cs_bytes_equal(result->raw, sample.raw));
	((struct asking *)x)->results++;
}

static void note_end(struct cs_exchange *x)
{
	sem_post(&((struct asking *)x)->ended);
}

static void ask(struct cs_signer *s, size_t artifacts, struct asking *a)
{
	struct cs_signer_sign request = { .document = cs_bytes_of("{}"),
					  .artifact_count = artifacts };
	struct cs_buf body;

	*a = (struct asking){ .x = { .expect = &sample_hello.policy_digest,
				     .on_result = count_result,
				     .on_end = note_end } };
	for (size_t i = 0; i < artifacts; i++) {
		request.artifacts[i].index = (uint32_t)i;
		request.artifacts[i].attempt = 1;
		a->x.asked |= UINT32_C(1) << i;
	}
	cs_buf_init(&body, CS_FRAME_MAX);
	cs_buf_init(&a->frame, CS_FRAME_MAX);
	cs_signer_sign_write(&request, &body);
	cs_frame_add(&a->frame, CS_MSG_SIGN, cs_buf_bytes(&body));
	cs_buf_done(&body);
	a->x.frame = cs_buf_bytes(&a->frame);
	sem_init(&a->ended, 0, 0);
	cs_signer_put(s, &a->x);
}

static void await(struct asking *a)
{
	while (sem_wait(&a->ended) != 0)
		;
	sem_destroy(&a->ended);
	cs_buf_done(&a->frame);
}

static enum cs_rc sign(struct cs_signer *s, size_t artifacts, int *results, bool *sent,
		       struct cs_err *e)
{
	struct asking a;

	ask(s, artifacts, &a);
	await(&a);
	*results = a.results;
	*sent = a.x.sent;
	*e = a.x.err;
	return a.x.err.rc;
}

static const struct exchange {
	const char *script;
	size_t artifacts;
	enum cs_rc rc;
	bool sent;
	int results;
	const char *word;
} exchanges[] = {
	{ "h?0d.", 1, CS_OK, true, 1, "" },
	{ "h?10d.", 2, CS_OK, true, 2, "" },
	/* nothing has left: the caller may try again at will */
	{ "p.", 1, CS_E_UNAVAILABLE, false, 0, "another policy" },
	{ "t.", 1, CS_E_UNAVAILABLE, false, 0, "belongs to the signer of token xrod" },
	{ "v.", 1, CS_E_UNAVAILABLE, false, 0, "protocol 2" },
	{ "d.", 1, CS_E_UNAVAILABLE, false, 0, "type 4" },
	{ "", 1, CS_E_UNAVAILABLE, false, 0, "closed" },
	{ ".", 1, CS_E_TIMEOUT, false, 0, "prod" },
	/* from here on a missing result is unknown */
	{ "h?", 1, CS_E_CLOSED, true, 0, "closed" },
	{ "h?c", 1, CS_E_CLOSED, true, 0, "closed" },
	{ "h?0", 2, CS_E_CLOSED, true, 1, "closed" },
	{ "h?.", 1, CS_E_TIMEOUT, true, 0, "prod" },
	{ "h?c.", 1, CS_E_TIMEOUT, true, 0, "prod" },
	{ "h?0.", 1, CS_E_TIMEOUT, true, 1, "prod" },
	{ "h?1d.", 1, CS_E_INVALID, true, 0, "artifact 1, which was not asked for" },
	{ "h?00d.", 1, CS_E_INVALID, true, 1, "artifact 0, which was not asked for" },
	{ "h?0d.", 2, CS_E_INVALID, true, 1, "no result for artifact 1" },
	{ "h?e.", 1, CS_E_INVALID, true, 0, "no such frame" },
	{ "h?a.", 1, CS_E_INVALID, true, 0, "type 6" },
};

START_TEST(exchange)
{
	const struct exchange *row = &exchanges[_i];
	struct cs_signer *s = new_client(-1, row->rc == CS_E_TIMEOUT ? TIMEOUT_US : PLENTY);
	struct cs_err e = { 0 };
	int results;
	bool sent;

	start_server(row->script, row->rc == CS_OK ? NULL : "h?0d.");
	ck_assert_int_eq(sign(s, row->artifacts, &results, &sent, &e), row->rc);
	ck_assert_msg(strstr(e.msg, row->word) != NULL, "%s: %s", row->script, e.msg);
	ck_assert_int_eq(sent, row->sent);
	ck_assert_int_eq(results, row->results);
	/* whatever went wrong, the next exchange has a connection of its own */
	if (row->rc != CS_OK)
		ck_assert_int_eq(sign(s, 1, &results, &sent, &e), CS_OK);
	cs_signer_free(s);
	stop_server();
}
END_TEST

START_TEST(a_connection_serves_many_exchanges)
{
	struct cs_signer *s = new_client((int64_t)geteuid(), PLENTY);
	struct cs_signer_health health;
	struct cs_signer_hello hello;
	struct cs_err e = { 0 };
	int results;
	bool sent;

	start_server("h?0d?ad?0d.", NULL);
	ck_assert_int_eq(sign(s, 1, &results, &sent, &e), CS_OK);
	ck_assert_int_eq(cs_signer_status(s, &hello, &health, &e), CS_OK);
	ck_assert_str_eq(hello.serial, sample_hello.serial);
	ck_assert(!health.ready);
	ck_assert_str_eq(health.message, "a key");
	ck_assert_int_eq(health.restarts, 3);
	ck_assert_int_eq(sign(s, 1, &results, &sent, &e), CS_OK);
	cs_signer_free(s);
	stop_server();
}
END_TEST

/* A child that ended between two exchanges costs nothing. */
START_TEST(a_closed_idle_connection_is_replaced)
{
	struct cs_signer *s = new_client(-1, PLENTY);
	struct cs_err e = { 0 };
	int results;
	bool sent;

	start_server("h?0d", "h?0d.");
	ck_assert_int_eq(sign(s, 1, &results, &sent, &e), CS_OK);
	while (access(path, F_OK) == 0 && sign(s, 1, &results, &sent, &e) != CS_OK)
		ck_assert_msg(!sent || e.rc == CS_E_CLOSED, "%s", e.msg);
	ck_assert_int_eq(results, 1);
	cs_signer_free(s);
	stop_server();
}
END_TEST

#define PUT 4

/* Four at once for one connection: three go out, one behind the other, the fourth waits. */
static const struct pipeline {
	const char *first, *second; /* connections */
	enum cs_rc rc[PUT];
	bool sent[PUT];
} pipelines[] = {
	{ "h???0d0d0d?0d.", NULL, { CS_OK, CS_OK, CS_OK, CS_OK }, { true, true, true, true } },
	/* only the oldest is in doubt; the ones behind it were not begun, and are sent again */
	{ "h?", "h??0d0d?0d.", { CS_E_CLOSED, CS_OK, CS_OK, CS_OK }, { true, true, true, true } },
	{ "h???0d", "h?0d?0d.", { CS_OK, CS_E_CLOSED, CS_OK, CS_OK }, { true, true, true, true } },
	{ "h???0d0", "h?0d?0d.", { CS_OK, CS_E_CLOSED, CS_OK, CS_OK }, { true, true, true, true } },
	/* after the deadline of the oldest it is too late for the others to be sent */
	{ "h???.",
	  NULL,
	  { CS_E_TIMEOUT, CS_E_BUSY, CS_E_BUSY, CS_E_BUSY },
	  { true, false, false, false } },
	/* a connection of another policy is no reason to keep the others waiting */
	{ "p.",
	  "h??0d0d?0d.",
	  { CS_E_UNAVAILABLE, CS_OK, CS_OK, CS_OK },
	  { false, true, true, true } },
	/* a signer that breaks the protocol is trusted in nothing */
	{ "h???1.",
	  "h?0d.",
	  { CS_E_INVALID, CS_E_INVALID, CS_E_INVALID, CS_OK },
	  { true, true, true, true } },
};

START_TEST(frames_behind_one_another)
{
	const struct pipeline *row = &pipelines[_i];
	struct cs_signer *s = new_client(-1, row->rc[0] == CS_E_TIMEOUT ? TIMEOUT_US : PLENTY);
	struct asking asks[PUT];

	start_server(row->first, row->second);
	for (size_t i = 0; i < PUT; i++)
		ask(s, 1, &asks[i]);
	for (size_t i = 0; i < PUT; i++) {
		await(&asks[i]);
		ck_assert_msg(asks[i].x.err.rc == row->rc[i], "%s, frame %zu: %s", row->first, i,
			      asks[i].x.err.msg);
		ck_assert_int_eq(asks[i].x.sent, row->sent[i]);
	}
	ck_assert_uint_eq(cs_signer_load(s), 0);
	cs_signer_free(s);
	stop_server();
}
END_TEST

/* What had been handed over when a connection ends with two frames on it. */
static const struct handed_over {
	const char *answers;
	enum cs_rc rc[2];
	bool is_back; /* the second was not begun */
} handed_over[] = {
	{ "", { CS_E_TIMEOUT, CS_OK }, true },
	{ "0", { CS_E_TIMEOUT, CS_OK }, true },
	{ "0d", { CS_OK, CS_E_TIMEOUT }, false },
	{ "0d0d", { CS_OK, CS_OK }, false },
	/* who breaks the protocol at the end may have begun the second, too */
	{ "e", { CS_E_TIMEOUT, CS_E_TIMEOUT }, false },
	{ "1", { CS_E_TIMEOUT, CS_E_TIMEOUT }, false },
};

static void begin_exchange(struct asking *a, _Atomic size_t *load)
{
	*a = (struct asking){ .x = { .frame = cs_bytes_of("frame"),
				     .asked = 1,
				     .on_result = count_result,
				     .on_end = note_end,
				     .load = load } };
	sem_init(&a->ended, 0, 0);
}

START_TEST(a_connection_ends_with_frames_on_it)
{
	const struct handed_over *row = &handed_over[_i];
	const struct cs_err why = { .rc = CS_E_TIMEOUT, .msg = "no answer in time" };
	struct cs_exchange_list back;
	struct cs_signer_conn c;
	struct asking asks[2];
	_Atomic size_t load = 2;
	struct cs_err e = { 0 };
	int fds[2];

	cs_exchange_list_init(&back);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	cs_signer_conn_init(&c);
	c.fd = fds[0];
	c.state = CS_CONN_OPEN;
	for (size_t i = 0; i < 2; i++) {
		begin_exchange(&asks[i], &load);
		ck_assert_int_eq(cs_signer_conn_send(&c, &asks[i].x, &e), CS_OK);
	}
	for (const char *step = row->answers; *step; step++)
		answer(fds[1], *step);
	cs_signer_conn_end(&c, "prod", &why, &back);
	ck_assert_ptr_eq(cs_exchange_list_take(&back), row->is_back ? &asks[1].x : NULL);
	ck_assert_uint_eq(load, row->is_back);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_int_eq(asks[i].x.err.rc, row->rc[i]);
		ck_assert_int_eq(asks[i].x.sent, i == 0 || !row->is_back);
		sem_destroy(&asks[i].ended);
	}
	cs_signer_conn_done(&c);
	close(fds[1]);
}
END_TEST

#define SHARERS 8
#define ROUNDS 100

/* a child of the signer: one connection, exchange after exchange */
static void *serve_one(void *unused)
{
	int fd = accept(listen_fd, NULL, NULL);
	struct cs_buf body;
	struct cs_err e = { 0 };
	uint8_t type;

	cs_buf_init(&body, CS_FRAME_MAX);
	if (fd >= 0)
		say_hello(fd, 'h');
	while (fd >= 0 && cs_frame_recv(fd, &type, &body, cs_clock_mono() + PLENTY, &e) == CS_OK) {
		answer(fd, '0');
		answer(fd, 'd');
	}
	close(fd);
	cs_buf_done(&body);
	return unused;
}

static void *share(void *arg)
{
	struct cs_err e = { 0 };
	intptr_t done = 0;
	int results;
	bool sent;
	int i;

	for (i = 0; i < ROUNDS; i++)
		if (sign(arg, 1, &results, &sent, &e) == CS_OK && results == 1)
			done++;
	return (void *)done;
}

START_TEST(threads_share_the_pool)
{
	const struct cs_signer_config config = { "prod", path, CONNECTIONS_MAX, PLENTY, -1 };
	pthread_t children[CONNECTIONS_MAX];
	pthread_t sharers[SHARERS];
	struct cs_signer *s = NULL;
	struct cs_err e = { 0 };
	void *done;
	size_t i;

	ck_assert_int_eq(cs_unix_listen(path, 0600, &listen_fd, &e), CS_OK);
	ck_assert_int_eq(cs_signer_new(&config, &s, &e), CS_OK);
	for (i = 0; i < CONNECTIONS_MAX; i++)
		ck_assert_int_eq(pthread_create(&children[i], NULL, serve_one, NULL), 0);
	for (i = 0; i < SHARERS; i++)
		ck_assert_int_eq(pthread_create(&sharers[i], NULL, share, s), 0);
	for (i = 0; i < SHARERS; i++) {
		pthread_join(sharers[i], &done);
		ck_assert_int_eq((intptr_t)done, ROUNDS);
	}
	cs_signer_free(s);
	/* children that nobody needed still wait in accept */
	shutdown(listen_fd, SHUT_RDWR);
	for (i = 0; i < CONNECTIONS_MAX; i++)
		pthread_join(children[i], NULL);
	close(listen_fd);
	unlink(path);
}
END_TEST

START_TEST(nobody_listens)
{
	struct cs_signer *s = new_client(-1, PLENTY);
	struct cs_err e = { 0 };
	int results;
	bool sent;

	ck_assert_int_eq(sign(s, 1, &results, &sent, &e), CS_E_UNAVAILABLE);
	ck_assert(!sent);
	ck_assert_ptr_nonnull(strstr(e.msg, path));
	cs_signer_free(s);
}
END_TEST

START_TEST(a_signer_of_another_user_is_not_asked)
{
	struct cs_signer *s = new_client((int64_t)geteuid() + 1, PLENTY);
	struct cs_err e = { 0 };
	int results;
	bool sent;

	start_server("h.", NULL);
	ck_assert_int_eq(sign(s, 1, &results, &sent, &e), CS_E_UNAVAILABLE);
	ck_assert(!sent);
	ck_assert_ptr_nonnull(strstr(e.msg, "is served by uid"));
	cs_signer_free(s);
	stop_server();
}
END_TEST

START_TEST(limits_of_the_pool)
{
	static const int64_t bad[] = { -1, 0, 65 };
	struct cs_signer *s = NULL;
	struct cs_err e = { 0 };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct cs_signer_config config = { "prod", path, bad[i], TIMEOUT_US, -1 };

		ck_assert_int_eq(cs_signer_new(&config, &s, &e), CS_E_CONFIG);
		ck_assert_ptr_null(s);
	}
	cs_signer_free(NULL);
}
END_TEST

TCase *tcase_client(void)
{
	TCase *t = tcase_create("client");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, exchange, 0, (int)(sizeof(exchanges) / sizeof(exchanges[0])));
	tcase_add_test(t, a_connection_serves_many_exchanges);
	tcase_add_test(t, a_closed_idle_connection_is_replaced);
	tcase_add_loop_test(t, frames_behind_one_another, 0,
			    (int)(sizeof(pipelines) / sizeof(pipelines[0])));
	tcase_add_loop_test(t, a_connection_ends_with_frames_on_it, 0,
			    (int)(sizeof(handed_over) / sizeof(handed_over[0])));
	tcase_add_test(t, threads_share_the_pool);
	tcase_add_test(t, nobody_listens);
	tcase_add_test(t, a_signer_of_another_user_is_not_asked);
	tcase_add_test(t, limits_of_the_pool);
	return t;
}
