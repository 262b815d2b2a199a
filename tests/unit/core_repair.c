/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of repair.c: attempts of which the log has only a part of the outcomes. They are made by
 * hand, while the signer is away. And of a move that no artifact makes.
 */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "unit/core_rig.h"
#include "unit/samples.h"

/* An attempt on one or two artifacts: the first one gets no answer, the second one is not asked. */
struct half {
	struct cs_case *k; /* the attempt's */
	struct cs_attempt *attempt;
	size_t outcomes; /* that reach the log; the others are lost */
};

static enum cs_rc end_artifact(struct cs_core *c, struct cs_store *s, const struct cs_case *k,
			       size_t i, enum cs_event_kind kind, enum cs_artifact_state to,
			       struct cs_err *e)
{
	struct cs_buf detail;
	enum cs_rc rc = cs_store_artifact_move(s, k->row.num, i, CS_AS_SIGNING, to, e);

	cs_buf_init(&detail, 1024);
	cs_detail_not_done(&detail, (int64_t)i, k->artifacts[i].attempts, "unavailable",
			   "as the test wants it", kind == CS_EV_SIGN_UNKNOWN);
	if (rc == CS_OK)
		rc = cs_core_note(c, s, kind, "daemon", k->row.id, &detail, e);
	cs_buf_done(&detail);
	return rc;
}

static enum cs_rc half_run(struct cs_core *c, struct cs_store *s, void *arg, struct cs_err *e)
{
	const struct half *x = arg;
	const struct cs_case *k = x->k;
	struct cs_request_change back = {
		.from = CS_ST_SIGNING,
		.to = CS_ST_APPROVED,
		.revision = -1,
		.next_attempt = cs_clock_now(),
	};
	enum cs_rc rc = cs_attempt_begin(x->attempt, s, e);

	if (rc == CS_OK && x->outcomes > 0)
		rc = end_artifact(c, s, k, 0, CS_EV_SIGN_UNKNOWN, CS_AS_UNKNOWN, e);
	if (rc != CS_OK || x->outcomes < 2)
		return rc;
	rc = end_artifact(c, s, k, 1, CS_EV_SIGN_FAILED, CS_AS_WAITING, e);
	back.new_revision = cs_store_next_seq(s) - 1;
	return rc == CS_OK ? cs_core_change(c, s, k->row.num, &back, e) : rc;
}

static void half_an_attempt(const char *id, size_t outcomes)
{
	struct half x = { .k = cs_case_new(core), .outcomes = outcomes };
	struct cs_err e = { 0 };

	ck_assert_ptr_nonnull(x.k);
	must(cs_case_read(core, x.k, id, &e), &e);
	must(cs_attempt_new(core, x.k, &x.attempt, &e), &e);
	must(cs_writer_run(core, half_run, &x, &e), &e);
	cs_attempt_free(x.attempt);
}

/** Its requests wait until the test starts it again. */
static void stop_signer(size_t i)
{
	const int64_t until = cs_clock_mono() + WAIT_MAX;

	fake_signer_stop(signers[i]);
	signers[i] = NULL;
	while (count_events("signer.lost") == 0 && cs_clock_mono() < until)
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
}

static void submit_two(char id[static CS_UUID_TEXT])
{
	struct cs_submission s = submission("fw-dev", 1), other = submission("fw-dev", 2);
	struct cs_answer a;
	struct cs_err e = { 0 };

	s.artifacts[s.count] = other.artifacts[0];
	text(s.artifacts[s.count++].name, sizeof(s.artifacts[0].name), "boot");
	must(submit_as(CI, &s, NULL, &a, &e), &e);
	ck_assert_int_eq(a.state, CS_ST_APPROVED);
	memcpy(id, a.id, CS_UUID_TEXT);
	cs_answer_done(&a);
}

/* Whatever became of the other artifact, one that got no answer twice is not tried a third time. */
START_TEST(no_answer_twice_is_a_failure_though_another_outcome_is_lost)
{
	char id[CS_UUID_TEXT];

	stop_signer(1);
	submit_two(id);
	half_an_attempt(id, 2);
	half_an_attempt(id, 1);
	atomic_store(&core->outcome_lost, true);
	wait_state(id, CS_ST_FAILED);
	ck_assert_int_eq(count_events("sign.unknown"), 3);
	signers[1] = fake_signer_start(dir, "dev", policy);
}
END_TEST

static void note_wake(void *arg)
{
	atomic_store((atomic_bool *)arg, true);
}

/** A long poll on the request as it is now, for longer than the test takes. */
static void wait_for_change(const char *id, atomic_bool *woken)
{
	const struct cs_caller who = caller(CI);
	struct cs_case *k = cs_case_new(core);
	struct cs_err e = { 0 };

	ck_assert_ptr_nonnull(k);
	must(cs_case_read(core, k, id, &e), &e);
	must(cs_core_wait(core, &who, id, k->row.revision, cs_clock_mono() + 2 * WAIT_MAX,
			  note_wake, woken, &e),
	     &e);
	cs_case_free(k);
}

/* The policy that came while the request was being signed asks for one approval more; the outcome
 * is missed at once, or by the next start. */
START_TEST(a_lost_attempt_goes_back_under_the_new_policy)
{
	struct cs_policy *p = sample_policy_new();
	atomic_bool woken = false;
	struct cs_err e = { 0 };
	char id[CS_UUID_TEXT];

	stop_signer(0);
	submit("fw-prod", 1, CS_ST_PENDING, id);
	approve(id, APPROVER1, "approver1");
	approve(id, APPROVER2, "approver2");
	wait_state(id, CS_ST_APPROVED);
	half_an_attempt(id, 0);
	p->version = 8;
	for (size_t i = 0; i < p->key_count; i++)
		for (size_t n = 0; n < p->keys[i].quorum.count; n++)
			p->keys[i].quorum.lines[n].count = 2;
	must(cs_policy_seal(p, &e), &e);
	must(reload(p, &e), &e);
	ck_assert_int_eq(state_of(id), CS_ST_SIGNING);
	if (_i == 0) {
		const int64_t last = cs_clock_mono() + WAIT_MAX;

		wait_for_change(id, &woken);
		atomic_store(&core->outcome_lost, true);
		while (!atomic_load(&woken) && cs_clock_mono() < last)
			nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
		ck_assert(atomic_load(&woken));
	} else {
		cs_core_close(core);
		must(try_open(&e), &e);
	}
	wait_state(id, CS_ST_PENDING);
	ck_assert_int_eq(count_events("request.rejudged"), 1);
	signers[0] = fake_signer_start(dir, "prod", policy);
}
END_TEST

/** Wait until something is written to a file that has taken the place of standard error. */
static void wait_for_line(FILE *lines, const char *what)
{
	const int64_t until = cs_clock_mono() + WAIT_MAX;
	char seen[4096];
	ssize_t n;

	do {
		ck_assert_int_lt(cs_clock_mono(), until);
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
		n = pread(fileno(lines), seen, sizeof(seen) - 1, 0);
		ck_assert_int_ge(n, 0);
		seen[n] = '\0';
	} while (!strstr(seen, what));
}

/* A document that cannot be read keeps the request where it is; when it is back, so is the request.
 */
START_TEST(a_repair_that_fails_is_told_and_tried_again)
{
	const int saved = dup(STDERR_FILENO);
	FILE *lines = tmpfile();
	char id[CS_UUID_TEXT];

	ck_assert_ptr_nonnull(lines);
	stop_signer(1);
	submit("fw-dev", 1, CS_ST_APPROVED, id);
	half_an_attempt(id, 0);
	outside("UPDATE document SET bytes = CAST(bytes || ' ' AS BLOB)");
	dup2(fileno(lines), STDERR_FILENO);
	atomic_store(&core->outcome_lost, true);
	wait_for_line(lines, "\"repair\"");
	dup2(saved, STDERR_FILENO);
	close(saved);
	fclose(lines);
	ck_assert_int_eq(count_events("sign.unknown"), 0);
	outside("UPDATE document SET bytes = CAST(rtrim(bytes) AS BLOB)");
	wait_state(id, CS_ST_APPROVED);
	ck_assert_int_eq(count_events("sign.unknown"), 1);
	signers[1] = fake_signer_start(dir, "dev", policy);
}
END_TEST

static enum cs_rc revive_run(struct cs_core *c, struct cs_store *s, void *arg, struct cs_err *e)
{
	const struct cs_case *k = arg;

	(void)c;
	return cs_core_change_artifact(s, k->row.num, 0, k->artifacts[0].state, CS_AS_SIGNING, e);
}

/* Whatever the table of moves does not have is not done, whoever asks. */
START_TEST(a_signed_artifact_is_not_signed_again)
{
	struct cs_case *k = cs_case_new(core);
	char id[CS_UUID_TEXT];
	struct cs_err e = { 0 };

	ck_assert_ptr_nonnull(k);
	submit("fw-dev", 1, CS_ST_SIGNED, id);
	must(cs_case_read(core, k, id, &e), &e);
	ck_assert_int_eq(cs_writer_run(core, revive_run, k, &e), CS_E_CORRUPT);
	ck_assert_str_eq(e.msg, "artifact 0 is signed, and cannot become signing");
	cs_case_free(k);
}
END_TEST

void add_repair_tests(TCase *t)
{
	tcase_add_test(t, a_signed_artifact_is_not_signed_again);
	tcase_add_test(t, a_repair_that_fails_is_told_and_tried_again);
	tcase_add_loop_test(t, a_lost_attempt_goes_back_under_the_new_policy, 0, 2);
	tcase_add_test(t, no_answer_twice_is_a_failure_though_another_outcome_is_lost);
}
