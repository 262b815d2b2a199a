/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of batches and of the end: commands that share a transaction with one that fails after it
 * wrote, and a core that is closed while submissions are under way.
 */
#include <check.h>
#include <errno.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/shim.h"
#include "unit/core_rig.h"

#define SUBMISSIONS 8

/* A submission that nobody waits for yet. */
struct sent {
	struct cs_caller who;
	struct cs_submission submission;
	struct cs_answer answer;
	enum cs_rc rc;
	int ends;
	sem_t ended;
};

static struct sent sent[SUBMISSIONS];

static void note_end(void *arg, enum cs_rc rc, const struct cs_err *e)
{
	struct sent *x = arg;

	(void)e;
	x->rc = rc;
	x->ends++;
	sem_post(&x->ended);
}

static void send_one(struct sent *x, uint8_t seed)
{
	x->who = caller(CI);
	x->submission = submission("fw-dev", seed);
	x->ends = 0;
	cs_answer_init(&x->answer);
	sem_init(&x->ended, 0, 0);
	cs_core_submit(core, &x->who, &x->submission, NULL, &x->answer, note_end, x);
}

static void await(sem_t *ended)
{
	while (sem_wait(ended) != 0)
		ck_assert_int_eq(errno, EINTR);
	sem_destroy(ended);
}

/* A command that the writer meets in the middle of a batch. */
struct act {
	struct cs_command cmd; /* first */
	sem_t begun, go_on, ended;
	int runs;
};

static void note_done(struct cs_command *cmd)
{
	sem_post(&((struct act *)cmd)->ended);
}

static void put(struct act *x, cs_command_fn *run)
{
	x->cmd = (struct cs_command){ .run = run, .arg = x, .done = note_done };
	x->runs = 0;
	sem_init(&x->ended, 0, 0);
	cs_writer_put(core, &x->cmd);
}

/* What is put until this goes on is one batch. */
static enum cs_rc hold_run(struct cs_core *c, struct cs_store *s, void *arg, struct cs_err *e)
{
	struct act *x = arg;

	(void)c, (void)s, (void)e;
	sem_post(&x->begun);
	while (sem_wait(&x->go_on) != 0)
		;
	return CS_OK;
}

static enum cs_rc write_run(struct cs_core *c, struct cs_store *s, void *arg, struct cs_err *e)
{
	struct act *x = arg;
	struct cs_buf detail;
	enum cs_rc rc;

	x->runs++;
	cs_buf_init(&detail, 256);
	cs_detail_disk(&detail, 1, 2);
	rc = cs_core_note(c, s, CS_EV_DISK_LOW, "daemon", "", &detail, e);
	cs_buf_done(&detail);
	return rc;
}

static enum cs_rc write_and_fail_run(struct cs_core *c, struct cs_store *s, void *arg,
				     struct cs_err *e)
{
	const enum cs_rc rc = write_run(c, s, arg, e);

	return rc == CS_OK ? CS_FAIL(e, CS_E_EXPIRED, "after it wrote") : rc;
}

START_TEST(a_command_that_fails_after_it_wrote_is_undone_alone)
{
	struct act hold, bad;

	sem_init(&hold.begun, 0, 0);
	sem_init(&hold.go_on, 0, 0);
	put(&hold, hold_run);
	await(&hold.begun);
	for (uint8_t i = 0; i < SUBMISSIONS; i++) {
		if (i == SUBMISSIONS / 2)
			put(&bad, write_and_fail_run);
		send_one(&sent[i], i / 2); /* each twice: the second is the first one's replay */
	}
	sem_post(&hold.go_on);
	await(&hold.ended);
	await(&bad.ended);
	ck_assert_int_eq(bad.cmd.rc, CS_E_EXPIRED);
	ck_assert_str_eq(bad.cmd.err.msg, "after it wrote");
	ck_assert_int_eq(bad.runs, 2); /* with all the others, and once more by itself */
	for (size_t i = 0; i < SUBMISSIONS; i++) {
		await(&sent[i].ended);
		ck_assert_int_eq(sent[i].rc, CS_OK);
		ck_assert_int_eq(sent[i].answer.replay, i % 2 == 1);
		ck_assert_str_eq(sent[i].answer.id, sent[i - i % 2].answer.id);
	}
	for (size_t i = 0; i < SUBMISSIONS; i++) {
		wait_state(sent[i].answer.id, CS_ST_SIGNED);
		cs_answer_done(&sent[i].answer);
	}
	sem_destroy(&hold.go_on);
	ck_assert_int_eq(count_events("disk.low"), 0);
	ck_assert_int_eq(count_events("sign.intent"), SUBMISSIONS / 2);
	ck_assert_int_eq(fake_signer_count(signers[1]), SUBMISSIONS / 2);
	ck_assert_uint_eq(cs_counter_get(&core->counters.events[CS_EV_DISK_LOW]), 0);
	ck_assert_uint_eq(cs_counter_get(&core->counters.events[CS_EV_REQUEST_CREATED]),
			  SUBMISSIONS / 2);
}
END_TEST

START_TEST(what_is_under_way_ends_before_the_core)
{
	struct cs_err e = { 0 };
	int done = 0;

	if (_i > 0) /* the first frames are in doubt, and their requests are tried again */
		fake_signer_set(signers[1], FAKE_SILENT, _i);
	for (uint8_t i = 0; i < SUBMISSIONS; i++)
		send_one(&sent[i], i);
	cs_core_close(core);
	for (size_t i = 0; i < SUBMISSIONS; i++) {
		ck_assert_int_eq(sent[i].ends, 1);
		ck_assert_int_eq(sent[i].rc, CS_OK);
		done += sent[i].answer.state == CS_ST_SIGNED;
		sem_destroy(&sent[i].ended);
	}
	ck_assert_int_eq(done, SUBMISSIONS - _i);
	must(try_open(&e), &e);
	for (size_t i = 0; i < SUBMISSIONS; i++) {
		wait_state(sent[i].answer.id, CS_ST_SIGNED);
		cs_answer_done(&sent[i].answer);
	}
	ck_assert_int_eq(count_events("sign.unknown"), _i);
	ck_assert_int_eq(count_events("daemon.unclean-stop"), 0);
}
END_TEST

/* --- how long a commit takes --- */

#define SYNC_DELAY 30000 /* µs */

static atomic_long sync_delay; /* µs */
static atomic_bool sync_fails; /* of databases, not of their write-ahead logs */
static atomic_bool no_sync;    /* thousands of commits are no test of the disk */

static bool is_database(int fd)
{
	char path[SHIM_PATH_MAX];
	size_t len;

	shim_path(fd, path);
	len = strlen(path);
	return len > 3 && strcmp(path + len - 3, ".db") == 0;
}

/* In place of the C library's, for SQLite, too. */
EXPORT int fdatasync(int fd)
{
	const long us = atomic_load(&sync_delay);

	if (atomic_load(&sync_fails) && is_database(fd)) {
		errno = EIO;
		return -1;
	}
	nanosleep(&(struct timespec){ .tv_nsec = us * 1000 }, NULL);
	if (atomic_load(&no_sync))
		return 0;
	return (int)syscall(SYS_fdatasync, fd);
}

START_TEST(the_wait_for_the_disk_is_measured)
{
	const struct cs_core_counters *counters = &core->counters;
	const uint64_t fsync = cs_counter_get(&counters->fsync.sum);
	const uint64_t commit = cs_counter_get(&counters->commit.sum);
	uint64_t waited;
	struct act x;

	atomic_store(&sync_delay, SYNC_DELAY);
	put(&x, write_run);
	await(&x.ended);
	atomic_store(&sync_delay, 0);
	waited = cs_counter_get(&counters->fsync.sum) - fsync;
	ck_assert_uint_ge(waited, SYNC_DELAY);
	ck_assert_uint_ge(cs_counter_get(&counters->commit.sum) - commit, waited);
}
END_TEST

/* --- checkpoints --- */

#define COMMITS 400       /* of more than two pages each */
#define CHECKPOINT 50     /* pages */
#define WAL_PAGES_MAX 600 /* in the write-ahead log, however the threads are scheduled */

/* Commit as the writer does. @return the most pages that were in the write-ahead log */
static int64_t commit_many(struct cs_store *s, struct cs_checkpointer *k)
{
	struct cs_err e = { 0 };
	int64_t most = 0;

	for (int i = 0; i < COMMITS; i++) {
		must(cs_store_begin(s, &e), &e);
		for (int j = 0; j < 20; j++) {
			struct cs_event ev = { .time = 1, .kind = CS_EV_STOP, .actor = "daemon" };

			ev.detail = cs_bytes_of("{}");
			must(cs_store_append(s, &ev, NULL, &e), &e);
		}
		must(cs_store_commit(s, &e), &e);
		if (k)
			cs_checkpoint_after_commit(k, s);
		if (cs_store_wal_pages(s) > most)
			most = cs_store_wal_pages(s);
	}
	return most;
}

/* It grows without checkpoints, and while a reader needs the state of long ago; with them it does
 * not, and what was committed is in the database. */
START_TEST(the_write_ahead_log_begins_anew)
{
	struct cs_checkpointer *k = NULL;
	struct cs_store *s = NULL;
	struct cs_log_ref log;
	sqlite3 *reader = NULL;
	struct cs_err e = { 0 };
	char path[96];
	int64_t most;

	atomic_store(&no_sync, true);
	snprintf(path, sizeof(path), "%s/anew.db", dir);
	must(cs_store_open(path, CS_STORE_WRITE, &s, &e), &e);
	most = commit_many(s, NULL);
	ck_assert_int_gt(most, 2 * COMMITS);
	must(cs_checkpoint_start(path, CHECKPOINT, &k, &e), &e);
	commit_many(s, k);
	ck_assert_int_lt(commit_many(s, k), WAL_PAGES_MAX);

	ck_assert_int_eq(sqlite3_open(path, &reader), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(reader, "BEGIN; SELECT count(*) FROM meta", NULL, NULL, NULL),
			 SQLITE_OK);
	ck_assert_int_gt(commit_many(s, k), 2 * COMMITS);
	sqlite3_close(reader);
	commit_many(s, k);
	ck_assert_int_lt(commit_many(s, k), WAL_PAGES_MAX);
	cs_checkpoint_stop(k);
	must(cs_store_log(s, &log, &e), &e);
	ck_assert_int_eq(log.size, 6 * 20 * COMMITS);
	cs_store_close(s);
	unlink(path);
	memcpy(path + strlen(path), "-lock", sizeof("-lock"));
	unlink(path);
}
END_TEST

/* Its pages may be lost, and a later checkpoint would not bring them again; the write-ahead log has
 * them still. */
START_TEST(a_checkpoint_that_the_disk_did_not_take_ends_the_process)
{
	struct cs_checkpointer *k = NULL;
	struct cs_store *s = NULL;
	struct cs_err e = { 0 };
	char path[96];

	snprintf(path, sizeof(path), "%s/lost.db", dir);
	must(cs_store_open(path, CS_STORE_WRITE, &s, &e), &e);
	must(cs_checkpoint_start(path, CHECKPOINT, &k, &e), &e);
	atomic_store(&sync_fails, true);
	commit_many(s, k);
}
END_TEST

void add_writer_tests(TCase *t)
{
	tcase_add_test(t, a_command_that_fails_after_it_wrote_is_undone_alone);
	tcase_add_test(t, the_wait_for_the_disk_is_measured);
	tcase_add_test(t, the_write_ahead_log_begins_anew);
	tcase_add_exit_test(t, a_checkpoint_that_the_disk_did_not_take_ends_the_process,
			    CS_EXIT_LOG_BROKEN);
	tcase_add_loop_test(t, what_is_under_way_ends_before_the_core, 0, 3);
}
