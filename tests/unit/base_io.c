/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of Unix sockets, queues, files, secrets and log lines, on threads and a directory of their
 * own.
 */
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/frame.h"
#include "base/json.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/pool.h"
#include "base/queue.h"
#include "base/secret.h"
#include "base/thread.h"
#include "unit/base_unit.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true /* which ends the process when there is no address space */
#else
#define SANITIZED false
#endif

/* --- a directory for each test that needs one */

static char dir[64];

static void make_dir(void)
{
	memcpy(dir, "/tmp/cs-unit-XXXXXX", sizeof("/tmp/cs-unit-XXXXXX"));
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

/* Names that a test may leave behind; nothing else is removed. */
static void remove_dir(void)
{
	static const char *const names[] = { "s", "f", "link", "fifo", "sub/f", "sub" };
	char path[128];

	for (size_t i = 0; i < COUNT(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		(void)remove(path);
	}
	/* a temporary file left behind makes this fail */
	ck_assert_int_eq(rmdir(dir), 0);
}

static const char *in_dir(const char *name)
{
	static char path[4][128];
	static unsigned next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

/* --- Unix sockets */

START_TEST(a_socket_listens_once)
{
	struct cs_err e = { 0 };
	unsigned uid = 12345;
	int listener = -1, second = -1, client = -1, peer;
	struct stat st;

	CHECK_FAILS(cs_unix_connect(in_dir("s"), &client, &e), CS_E_UNAVAILABLE, "/s: ");
	CHECK_OK(cs_unix_listen(in_dir("s"), 0660, &listener, &e));
	ck_assert_int_eq(stat(in_dir("s"), &st), 0);
	ck_assert_int_eq(st.st_mode & 07777, 0660);
	CHECK_OK(cs_unix_connect(in_dir("s"), &client, &e));
	ck_assert(!(fcntl(client, F_GETFL) & O_NONBLOCK));
	peer = accept(listener, NULL, NULL);
	CHECK_OK(cs_unix_peer_uid(peer, &uid, &e));
	ck_assert_uint_eq(uid, getuid());
	CHECK_FAILS(cs_unix_listen(in_dir("s"), 0660, &second, &e), CS_E_CONFLICT,
		    "another process listens");
	close(client);
	close(peer);
	close(listener);
	/* what a dead process left is in nobody's way */
	CHECK_OK(cs_unix_listen(in_dir("s"), 0600, &listener, &e));
	close(listener);
	CHECK_FAILS(cs_unix_peer_uid(-1, &uid, &e), CS_E_IO, "peer");
}
END_TEST

START_TEST(impossible_socket_paths_are_refused)
{
	char path[200] = "/tmp/";
	struct cs_err e = { 0 };
	int fd = -1;

	memset(path + 5, 'x', 103);
	CHECK_FAILS(cs_unix_listen(path, 0600, &fd, &e), CS_E_CONFIG, "108 bytes; 1 to 107");
	CHECK_FAILS(cs_unix_connect(path, &fd, &e), CS_E_CONFIG, "108 bytes; 1 to 107");
	CHECK_FAILS(cs_unix_listen("", 0600, &fd, &e), CS_E_CONFIG, "0 bytes");
	CHECK_FAILS(cs_unix_listen("/nowhere/at/all", 0600, &fd, &e), CS_E_IO, "/nowhere/at/all");
	CHECK_OK(cs_file_create(in_dir("f"), BYTES("data"), 0600, &e));
	CHECK_FAILS(cs_unix_listen(in_dir("f"), 0600, &fd, &e), CS_E_CONFIG, "something else");
	ck_assert_int_eq(fd, -1);
}
END_TEST

void add_unix_tests(TCase *tc)
{
	tcase_add_checked_fixture(tc, make_dir, remove_dir);
	tcase_add_test(tc, a_socket_listens_once);
	tcase_add_test(tc, impossible_socket_paths_are_refused);
}

/* --- queue.h */

START_TEST(a_queue_is_bounded_and_in_order)
{
	struct cs_err e = { 0 };
	struct cs_queue *q = NULL;
	void *got[8];
	int items[6];

	CHECK_OK(cs_queue_new(3, &q, &e));
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < 3; i++)
			ck_assert_int_eq(cs_queue_put(q, &items[i]), CS_OK);
		ck_assert_int_eq(cs_queue_put(q, &items[3]), CS_E_BUSY);
		ck_assert_uint_eq(cs_queue_len(q), 3);
		ck_assert_ptr_eq(cs_queue_take(q), &items[0]);
		ck_assert_int_eq(cs_queue_put(q, &items[4]), CS_OK);
		ck_assert_uint_eq(cs_queue_take_many(q, got, 2), 2);
		ck_assert(got[0] == &items[1] && got[1] == &items[2]);
		ck_assert_uint_eq(cs_queue_take_many(q, got, 8), 1);
		ck_assert(got[0] == &items[4]);
	}
	ck_assert_int_eq(cs_queue_put(q, &items[5]), CS_OK);
	cs_queue_close(q);
	ck_assert_int_eq(cs_queue_put(q, &items[0]), CS_E_CLOSED);
	ck_assert_ptr_eq(cs_queue_take(q), &items[5]);
	ck_assert_ptr_null(cs_queue_take(q));
	ck_assert_uint_eq(cs_queue_take_many(q, got, 8), 0);
	cs_queue_free(q);
	cs_queue_free(NULL);
}
END_TEST

#define THREADS 3
#define EACH 2000

/* One end of the queue: what a thread puts, or takes. */
struct end {
	struct cs_queue *q;
	int *tokens;
	size_t count;
};

static void *produce(void *arg)
{
	struct end *end = arg;

	for (int i = 0; i < EACH;) {
		if (cs_queue_put(end->q, &end->tokens[i]) == CS_OK)
			i++;
		else
			sched_yield();
	}
	return NULL;
}

static void *consume(void *arg)
{
	struct end *end = arg;
	void *items[7];
	size_t n;

	while ((n = cs_queue_take_many(end->q, items, COUNT(items))) > 0) {
		for (size_t i = 0; i < n; i++)
			++*(int *)items[i]; /* each item has one owner at a time */
		end->count += n;
	}
	return NULL;
}

START_TEST(threads_lose_and_double_nothing)
{
	static int tokens[THREADS * EACH];
	struct end producers[THREADS], consumers[THREADS];
	pthread_t threads[2 * THREADS];
	struct cs_err e = { 0 };
	struct cs_queue *q = NULL;
	size_t total = 0;

	CHECK_OK(cs_queue_new(16, &q, &e));
	for (size_t i = 0; i < THREADS; i++) {
		producers[i] = (struct end){ .q = q, .tokens = tokens + i * EACH };
		consumers[i] = (struct end){ .q = q };
		pthread_create(&threads[i], NULL, produce, &producers[i]);
		pthread_create(&threads[THREADS + i], NULL, consume, &consumers[i]);
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	cs_queue_close(q);
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[THREADS + i], NULL);
		total += consumers[i].count;
	}
	ck_assert_uint_eq(total, THREADS * EACH);
	for (size_t i = 0; i < COUNT(tokens); i++)
		ck_assert_int_eq(tokens[i], 1);
	cs_queue_free(q);
}
END_TEST

/* A job that puts the next one, as the steps of a pipeline do. */
struct chain {
	struct cs_job job; /* first */
	struct cs_pool *pool;
	int left;
	_Atomic int *done;
};

static void run_chain(struct cs_job *job)
{
	struct chain *c = (struct chain *)job;

	if (c->left-- > 0)
		cs_pool_put(c->pool, job);
	else
		++*c->done;
}

START_TEST(a_pool_runs_every_job_before_it_ends)
{
	struct chain chains[50];
	_Atomic int done = 0;
	struct cs_pool *pool = NULL;
	struct cs_err e = { 0 };

	CHECK_OK(cs_pool_new((size_t)_i, &pool, &e));
	for (int i = 0; i < (int)COUNT(chains); i++) {
		chains[i] = (struct chain){ { .run = run_chain }, pool, i * 7, &done };
		cs_pool_put(pool, &chains[i].job);
	}
	cs_pool_free(pool);
	ck_assert_int_eq(done, COUNT(chains));
	cs_pool_free(NULL);
}
END_TEST

/** Until the name is there, which the thread that starts another one gives. */
static void *wait_for_name(void *arg)
{
	char name[CS_THREAD_NAME_MAX + 1] = "";

	while (strcmp(name, arg) != 0) {
		ck_assert_int_eq(pthread_getname_np(pthread_self(), name, sizeof(name)), 0);
		sched_yield();
	}
	return arg;
}

START_TEST(a_thread_has_its_name)
{
	static char longest[] = "fifteen letters";
	struct cs_err e = { 0 };
	void *result = NULL;
	pthread_t thread;

	ck_assert_uint_eq(strlen(longest), CS_THREAD_NAME_MAX);
	CHECK_OK(cs_thread_start(&thread, longest, wait_for_name, longest, &e));
	ck_assert_int_eq(pthread_join(thread, &result), 0);
	ck_assert_ptr_eq(result, longest);
}
END_TEST

/* No address space for another stack: the error says which thread is missing. */
START_TEST(a_thread_that_does_not_start_is_an_error)
{
	const struct rlimit none = { 0 };
	struct cs_err e = { 0 };
	pthread_t thread;

	ck_assert_int_eq(setrlimit(RLIMIT_AS, &none), 0);
	CHECK_FAILS(cs_thread_start(&thread, "never", wait_for_name, NULL, &e), CS_E_NOMEM,
		    "thread \"never\"");
}
END_TEST

void add_queue_tests(TCase *tc)
{
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, a_thread_has_its_name);
	if (!SANITIZED)
		tcase_add_test(tc, a_thread_that_does_not_start_is_an_error);
	tcase_add_test(tc, a_queue_is_bounded_and_in_order);
	tcase_add_test(tc, threads_lose_and_double_nothing);
	tcase_add_loop_test(tc, a_pool_runs_every_job_before_it_ends, 1, 4);
}

/* --- file.h */

static void check_content(const char *path, const char *want, unsigned mode)
{
	struct cs_err e = { 0 };
	struct cs_buf b;
	struct stat st;

	cs_buf_init(&b, 100);
	CHECK_OK(cs_file_read(path, &b, &e));
	ck_assert_str_eq(cs_buf_str(&b), want);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, mode);
	cs_buf_done(&b);
}

START_TEST(files_are_created_and_replaced)
{
	struct cs_err e = { 0 };
	mode_t old = umask(077);

	CHECK_OK(cs_file_create(in_dir("f"), BYTES("one"), 0644, &e));
	check_content(in_dir("f"), "one", 0644);
	CHECK_FAILS(cs_file_create(in_dir("f"), BYTES("two"), 0644, &e), CS_E_CONFLICT, "/f: ");
	check_content(in_dir("f"), "one", 0644);
	CHECK_OK(cs_file_replace(in_dir("f"), BYTES("three"), 0600, &e));
	check_content(in_dir("f"), "three", 0600);
	CHECK_OK(cs_file_replace(in_dir("f"), BYTES(""), 0600, &e));
	check_content(in_dir("f"), "", 0600);
	umask(old);
}
END_TEST

START_TEST(relative_paths_are_files_too)
{
	struct cs_err e = { 0 };
	char *cwd = getcwd(NULL, 0);

	ck_assert_int_eq(chdir(dir), 0);
	CHECK_OK(cs_file_replace("f", BYTES("here"), 0600, &e));
	check_content("f", "here", 0600);
	ck_assert_int_eq(chdir(cwd), 0);
	free(cwd);
}
END_TEST

START_TEST(unreadable_files_are_refused)
{
	struct cs_err e = { 0 };
	struct cs_buf b;

	cs_buf_init(&b, 5);
	CHECK_FAILS(cs_file_read(in_dir("f"), &b, &e), CS_E_NOT_FOUND, "/f: No such file");
	CHECK_FAILS(cs_file_read(dir, &b, &e), CS_E_INVALID, "not a regular file");
	ck_assert_int_eq(mkfifo(in_dir("fifo"), 0600), 0);
	CHECK_FAILS(cs_file_read(in_dir("fifo"), &b, &e), CS_E_INVALID, "not a regular file");
	CHECK_OK(cs_file_create(in_dir("f"), BYTES("123456"), 0600, &e));
	CHECK_FAILS(cs_file_read(in_dir("f"), &b, &e), CS_E_TOO_LARGE, "limit of 5 bytes");
	cs_buf_done(&b);
}
END_TEST

START_TEST(what_cannot_be_written_leaves_nothing)
{
	struct cs_err e = { 0 };

	CHECK_FAILS(cs_file_create(in_dir("sub/f"), BYTES("x"), 0600, &e), CS_E_NOT_FOUND, "sub/f");
	CHECK_FAILS(cs_file_replace(in_dir("sub/f"), BYTES("x"), 0600, &e), CS_E_NOT_FOUND,
		    "sub/f");
	ck_assert_int_eq(mkdir(in_dir("sub"), 0700), 0);
	/* a directory cannot be replaced; remove_dir sees the temporary file if it stayed */
	CHECK_FAILS(cs_file_replace(in_dir("sub"), BYTES("x"), 0600, &e), CS_E_IO, "sub");
	CHECK_FAILS(cs_file_replace("/dev/full/x", BYTES("x"), 0600, &e), CS_E_NOT_FOUND,
		    "/dev/full");
}
END_TEST

static void check_trust(const char *path, unsigned uid, const char *refusal)
{
	struct cs_err e = { 0 };
	struct cs_buf b;

	cs_buf_init(&b, 100);
	if (refusal) {
		CHECK_FAILS(cs_file_read_trusted(path, uid, &b, &e), CS_E_FORBIDDEN, refusal);
		ck_assert_uint_eq(b.len, 0);
	} else {
		CHECK_OK(cs_file_read_trusted(path, uid, &b, &e));
		ck_assert_str_eq(cs_buf_str(&b), "x");
	}
	cs_buf_done(&b);
}

START_TEST(only_files_that_nobody_else_may_write_are_trusted)
{
	struct cs_err e = { 0 };
	struct cs_buf b;

	ck_assert_int_eq(mkdir(in_dir("sub"), 0755), 0);
	CHECK_OK(cs_file_create(in_dir("sub/f"), BYTES("x"), 0644, &e));
	ck_assert_int_eq(symlink("sub/f", in_dir("link")), 0);
	check_trust(in_dir("sub/f"), getuid(), NULL);
	check_trust(in_dir("link"), getuid(), NULL);
	if (getuid() != 0)
		check_trust(in_dir("sub/f"), getuid() + 1, "it must belong to root or user");
	ck_assert_int_eq(chmod(in_dir("sub/f"), 0664), 0);
	check_trust(in_dir("sub/f"), getuid(), "sub/f: group or others may write it (mode 0664)");
	ck_assert_int_eq(chmod(in_dir("sub/f"), 0646), 0);
	check_trust(in_dir("sub/f"), getuid(), "mode 0646");
	ck_assert_int_eq(chmod(in_dir("sub/f"), 0600), 0);
	ck_assert_int_eq(chmod(in_dir("sub"), 0775), 0);
	check_trust(in_dir("sub/f"), getuid(), "sub: group or others may write it (mode 0775)");
	check_trust(in_dir("link"), getuid(), "sub: group or others may write it (mode 0775)");
	ck_assert_int_eq(chmod(in_dir("sub"), 0755), 0);
	ck_assert_int_eq(chmod(dir, 0777), 0);
	check_trust(in_dir("sub/f"), getuid(), "mode 0777");
	ck_assert_int_eq(chmod(dir, 0700), 0);
	check_trust(in_dir("sub/f"), getuid(), NULL);
	cs_buf_init(&b, 100);
	CHECK_FAILS(cs_file_read_trusted(in_dir("none"), 0, &b, &e), CS_E_NOT_FOUND, "none");
	CHECK_FAILS(cs_file_read_trusted(in_dir("sub"), getuid(), &b, &e), CS_E_INVALID, "regular");
	cs_buf_done(&b);
}
END_TEST

START_TEST(a_strangers_file_is_not_trusted)
{
	struct cs_err e = { 0 };

	if (getuid() != 0)
		return; /* only root can give files away */
	CHECK_OK(cs_file_create(in_dir("f"), BYTES("x"), 0600, &e));
	ck_assert_int_eq(chown(in_dir("f"), 4711, (gid_t)-1), 0);
	check_trust(in_dir("f"), 0, "f: belongs to user 4711; it must belong to root or user 0");
	check_trust(in_dir("f"), 4711, NULL);
	ck_assert_int_eq(chown(dir, 4712, (gid_t)-1), 0);
	check_trust(in_dir("f"), 4711, "belongs to user 4712");
}
END_TEST

void add_file_tests(TCase *tc)
{
	tcase_add_checked_fixture(tc, make_dir, remove_dir);
	tcase_add_test(tc, files_are_created_and_replaced);
	tcase_add_test(tc, relative_paths_are_files_too);
	tcase_add_test(tc, unreadable_files_are_refused);
	tcase_add_test(tc, what_cannot_be_written_leaves_nothing);
	tcase_add_test(tc, only_files_that_nobody_else_may_write_are_trusted);
	tcase_add_test(tc, a_strangers_file_is_not_trusted);
}

/* --- secret.h */

#define X256                                                               \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
	struct cs_bytes file;
	const char *secret; /* NULL when it is refused */
} secrets[] = {
	{ BYTES_INIT("1234"), "1234" },
	{ BYTES_INIT("1234\n"), "1234" },
	{ BYTES_INIT("two words \nand a comment\n"), "two words " },
	{ BYTES_INIT("p\xc3\xa4ss\n"), "p\xc3\xa4ss" },
	{ BYTES_INIT(X256), X256 },
	{ BYTES_INIT(X256 "\n" X256), X256 },
	{ BYTES_INIT(X256 "x"), NULL },
	{ BYTES_INIT(""), NULL },
	{ BYTES_INIT("\n1234\n"), NULL },
	{ BYTES_INIT("1234\r\n"), NULL },
	{ BYTES_INIT("12\00034"), NULL },
};

START_TEST(a_secret_is_the_first_line)
{
	struct cs_secret *s = NULL;
	struct cs_err e = { 0 };

	CHECK_OK(cs_file_create(in_dir("f"), secrets[_i].file, 0600, &e));
	if (secrets[_i].secret) {
		CHECK_OK(cs_secret_from_file(in_dir("f"), &s, &e));
		ck_assert(cs_bytes_equal(cs_secret_bytes(s), cs_bytes_of(secrets[_i].secret)));
		ck_assert_str_eq((const char *)cs_secret_bytes(s).data, secrets[_i].secret);
	} else {
		CHECK_FAILS(cs_secret_from_file(in_dir("f"), &s, &e), CS_E_INVALID, "/f: ");
		ck_assert_ptr_null(strstr(e.msg, "1234"));
		ck_assert_ptr_null(s);
	}
	cs_secret_free(s);
}
END_TEST

START_TEST(a_secret_needs_a_file_or_bytes)
{
	struct cs_secret *s = NULL;
	struct cs_err e = { 0 };

	CHECK_FAILS(cs_secret_from_file(in_dir("f"), &s, &e), CS_E_NOT_FOUND, "/f: ");
	CHECK_FAILS(cs_secret_from_file(dir, &s, &e), CS_E_INVALID, "not a regular file");
	CHECK_FAILS(cs_secret_from_bytes(BYTES(""), &s, &e), CS_E_INVALID, "0 bytes; 1 to 256");
	CHECK_FAILS(cs_secret_from_bytes(BYTES(X256 "x"), &s, &e), CS_E_INVALID, "257 bytes");
	CHECK_OK(cs_secret_from_bytes(BYTES("a\0b"), &s, &e));
	ck_assert(cs_bytes_equal(cs_secret_bytes(s), BYTES("a\0b")));
	cs_secret_free(s);
}
END_TEST

void add_secret_tests(TCase *tc)
{
	tcase_add_checked_fixture(tc, make_dir, remove_dir);
	tcase_add_loop_test(tc, a_secret_is_the_first_line, 0, COUNT(secrets));
	tcase_add_test(tc, a_secret_needs_a_file_or_bytes);
}

/* --- log.h */

/* What one call writes to stderr. */
static void capture(enum cs_log_level level, const char *event, const char *text,
		    struct cs_buf *out)
{
	int fds[2], saved = dup(STDERR_FILENO);
	char chunk[4096];
	ssize_t n;

	ck_assert_int_eq(pipe(fds), 0);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	cs_log(level, event, "%s", text);
	dup2(saved, STDERR_FILENO);
	close(saved);
	while ((n = read(fds[0], chunk, sizeof(chunk))) > 0)
		cs_buf_add(out, chunk, (size_t)n);
	close(fds[0]);
}

static const struct {
	const char *text, *message;
} log_texts[] = {
	{ "plain", "plain" },
	{ "a \"quoted\" \\ one", "a \"quoted\" \\ one" },
	{ "two\nlines\x1b[2J", "two\\x0alines\\x1b[2J" },
	{ "\xe2\x80\xae bidi", "\\xe2\\x80\\xae bidi" },
	{ "\xff broken", "\\xff broken" },
};

START_TEST(a_log_line_is_one_json_object)
{
	const char *time = NULL, *level = NULL, *program = NULL, *event = NULL, *message = NULL;
	const struct cs_json_field fields[] = {
		CS_JSON_STR_FIELD("time", false, CS_TEXT_NAME, 27, 27, &time),
		CS_JSON_STR_FIELD("level", false, CS_TEXT_NAME, 1, 10, &level),
		CS_JSON_STR_FIELD("program", false, CS_TEXT_NAME, 1, 20, &program),
		CS_JSON_STR_FIELD("event", false, CS_TEXT_NAME, 1, 20, &event),
		CS_JSON_STR_FIELD("message", false, CS_TEXT_FREE, 0, 100, &message),
	};
	struct cs_err e = { 0 };
	struct cs_json *root = NULL;
	struct cs_buf out;
	int64_t us;

	cs_log_set_program("unit-base");
	cs_buf_init(&out, 10000);
	capture(CS_LOG_WARN, "test-event", log_texts[_i].text, &out);
	ck_assert_ptr_eq(strchr(cs_buf_str(&out), '\n'), out.data + out.len - 1);
	CHECK_OK(cs_json_parse(cs_buf_bytes(&out), 10000, "line", &root, &e));
	CHECK_OK(cs_json_read(root, "line", fields, COUNT(fields), &e));
	ck_assert(cs_time_parse(time, &us));
	ck_assert_str_eq(level, "warning");
	ck_assert_str_eq(program, "unit-base");
	ck_assert_str_eq(event, "test-event");
	ck_assert_str_eq(message, log_texts[_i].message);
	cs_json_free(root);
	cs_buf_done(&out);
}
END_TEST

START_TEST(the_level_filters)
{
	struct cs_buf out;

	cs_buf_init(&out, 10000);
	cs_log_set_level(CS_LOG_WARN);
	capture(CS_LOG_INFO, "x", "x", &out);
	ck_assert_uint_eq(out.len, 0);
	capture(CS_LOG_WARN, "x", "x", &out);
	ck_assert_uint_gt(out.len, 0);
	cs_buf_reset(&out);
	cs_log_set_level(CS_LOG_DEBUG);
	capture(CS_LOG_DEBUG, "x", "x", &out);
	ck_assert_uint_gt(out.len, 0);
	cs_log_set_level(CS_LOG_INFO);
	cs_buf_done(&out);
}
END_TEST

START_TEST(a_long_message_still_makes_a_line)
{
	static char text[10000];
	struct cs_buf out;

	memset(text, 0x01, 4000);
	cs_buf_init(&out, 100000);
	capture(CS_LOG_ERROR, "x", text, &out);
	ck_assert_uint_gt(out.len, 4 * 4000);
	cs_buf_reset(&out);
	memset(text, 'x', sizeof(text) - 1);
	capture(CS_LOG_ERROR, "x", text, &out);
	ck_assert_ptr_nonnull(strstr(cs_buf_str(&out), "longer than the log's limit"));
	cs_buf_done(&out);
}
END_TEST

void add_log_tests(TCase *tc)
{
	tcase_add_loop_test(tc, a_log_line_is_one_json_object, 0, COUNT(log_texts));
	tcase_add_test(tc, the_level_filters);
	tcase_add_test(tc, a_long_message_still_makes_a_line);
}

/* --- notify.h */

static void forget_manager(void)
{
	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	remove_dir();
}

START_TEST(the_service_manager_gets_a_datagram)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	char got[64] = "";

	cs_notify("READY=1"); /* nobody asked for it */
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", in_dir("s"));
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&a, sizeof(a)), 0);
	setenv("NOTIFY_SOCKET", in_dir("s"), 1);
	cs_notify("READY=1\nSTATUS=fine");
	ck_assert_int_eq(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), 19);
	ck_assert_str_eq(got, "READY=1\nSTATUS=fine");
	setenv("NOTIFY_SOCKET", "relative", 1);
	cs_notify("READY=1");
	setenv("NOTIFY_SOCKET", in_dir("none"), 1);
	cs_notify("READY=1");
	ck_assert_int_eq(recv(fd, got, sizeof(got), MSG_DONTWAIT), -1);
	close(fd);
}
END_TEST

START_TEST(the_abstract_name_space_is_reached)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	socklen_t len = sizeof(a);
	char name[16] = "@", got[16] = "";

	/* the kernel chooses a free name of five characters */
	ck_assert_int_eq(bind(fd, (const struct sockaddr *)&a, sizeof(a.sun_family)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&a, &len), 0);
	memcpy(name + 1, a.sun_path + 1, len - sizeof(a.sun_family) - 1);
	setenv("NOTIFY_SOCKET", name, 1);
	cs_notify("READY=1");
	ck_assert_int_eq(recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT), 7);
	close(fd);
}
END_TEST

static const struct {
	const char *period, *pid; /* pid "self" for this process */
	int64_t want;
} watchdogs[] = {
	{ NULL, NULL, INT64_MAX },     { "3000000", NULL, 1500000 }, { "3000000", "self", 1500000 },
	{ "3000000", "1", INT64_MAX }, { "3000000", "", INT64_MAX }, { "3s", NULL, INT64_MAX },
	{ "0", NULL, INT64_MAX },
};

START_TEST(the_watchdog_is_for_one_process)
{
	char self[16];

	snprintf(self, sizeof(self), "%d", getpid());
	if (watchdogs[_i].period)
		setenv("WATCHDOG_USEC", watchdogs[_i].period, 1);
	if (watchdogs[_i].pid)
		setenv("WATCHDOG_PID",
		       strcmp(watchdogs[_i].pid, "self") == 0 ? self : watchdogs[_i].pid, 1);
	ck_assert(cs_notify_watchdog() == watchdogs[_i].want);
}
END_TEST

void add_notify_tests(TCase *tc)
{
	tcase_add_checked_fixture(tc, make_dir, forget_manager);
	tcase_add_test(tc, the_service_manager_gets_a_datagram);
	tcase_add_test(tc, the_abstract_name_space_is_reached);
	tcase_add_loop_test(tc, the_watchdog_is_for_one_process, 0, COUNT(watchdogs));
}
