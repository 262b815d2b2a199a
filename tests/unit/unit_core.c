/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of core/: requests from submission to release over a real database and a signer in a
 * thread. Each test ends with the whole log before the auditor's verifier, which must find nothing.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "store/store.h"
#include "unit/core_rig.h"
#include "unit/hand_clock.h"
#include "unit/samples.h"

/* ---- signing ---- */

START_TEST(a_dev_request_is_signed_at_once)
{
	char id[CS_UUID_TEXT];

	submit("fw-dev", 1, CS_ST_SIGNED, id);
	ck_assert_int_eq(fake_signer_count(signers[1]), 1);
	ck_assert_int_eq(verify_log(), 1);
}
END_TEST

START_TEST(a_prod_request_is_signed_after_its_quorum)
{
	char id[CS_UUID_TEXT];

	submit("fw-prod", 1, CS_ST_PENDING, id);
	approve(id, APPROVER1, "approver1");
	ck_assert_int_eq(state_of(id), CS_ST_PENDING);
	approve(id, APPROVER2, "approver2");
	wait_state(id, CS_ST_SIGNED);
	ck_assert_int_eq(fake_signer_count(signers[0]), 1);
}
END_TEST

START_TEST(artifacts_of_two_keys_need_both_quorums)
{
	struct cs_submission s = submission("fw-prod", 1), rsa = submission("fw-rsa", 2);
	struct cs_answer a;
	struct cs_err e = { 0 };
	char id[CS_UUID_TEXT];

	s.artifacts[1] = rsa.artifacts[0];
	text(s.artifacts[1].name, sizeof(s.artifacts[1].name), "boot");
	s.count = 2;
	must(submit_as(CI, &s, NULL, &a, &e), &e);
	memcpy(id, a.id, sizeof(id));
	cs_answer_done(&a);
	approve(id, APPROVER1, "approver1");
	approve(id, APPROVER2, "approver2");
	ck_assert_int_eq(state_of(id), CS_ST_PENDING);
	approve(id, APPROVER3, "approver3");
	wait_state(id, CS_ST_SIGNED);
	ck_assert_int_eq(fake_signer_count(signers[0]), 2);
}
END_TEST

START_TEST(a_person_counts_once_whatever_key_she_uses)
{
	char id[CS_UUID_TEXT];
	const struct vote again = {
		.who = APPROVER1, .key = "approver1-second", .verdict = CS_VERDICT_APPROVE, .n = 2
	};
	struct cs_err e = { 0 };

	submit("fw-rsa", 1, CS_ST_PENDING, id);
	approve(id, APPROVER1, "approver1");
	must(decide(id, &again, &e), &e);
	ck_assert_int_eq(state_of(id), CS_ST_PENDING);
}
END_TEST

START_TEST(a_rejection_ends_it)
{
	char id[CS_UUID_TEXT];
	const struct vote no = {
		.who = APPROVER2, .key = "approver2", .verdict = CS_VERDICT_REJECT, .n = 1
	};
	const struct vote late = {
		.who = APPROVER3, .key = "approver3", .verdict = CS_VERDICT_APPROVE, .n = 1
	};
	struct cs_err e = { 0 };

	submit("fw-prod", 1, CS_ST_PENDING, id);
	must(decide(id, &no, &e), &e);
	ck_assert_int_eq(state_of(id), CS_ST_REJECTED);
	decide_fails(id, &late, CS_E_CONFLICT, "rejected already");
}
END_TEST

START_TEST(a_withdrawal_takes_an_approval_back)
{
	char id[CS_UUID_TEXT];
	const struct vote back = {
		.who = APPROVER1, .key = "approver1", .verdict = CS_VERDICT_WITHDRAW, .n = 2
	};
	struct cs_err e = { 0 };

	submit("fw-prod", 1, CS_ST_PENDING, id);
	approve(id, APPROVER1, "approver1");
	must(decide(id, &back, &e), &e);
	approve(id, APPROVER2, "approver2");
	ck_assert_int_eq(state_of(id), CS_ST_PENDING);
}
END_TEST

/* Decisions that must not be recorded, on a request that approver1 has approved. */
static const struct {
	struct vote vote;
	enum cs_rc want;
	const char *word;
} refused[] = {
	{ { APPROVER1, "approver1", CS_VERDICT_APPROVE, 1, 0, false }, CS_E_CONFLICT, "n is 1" },
	{ { APPROVER2, "approver1", CS_VERDICT_APPROVE, 2, 0, false },
	  CS_E_FORBIDDEN,
	  "another person" },
	{ { APPROVER2, "stranger", CS_VERDICT_APPROVE, 1, 0, false }, CS_E_FORBIDDEN, "enrol" },
	{ { APPROVER2, "approver2", CS_VERDICT_APPROVE, 1, 0, true },
	  CS_E_CONFLICT,
	  "another head" },
	{ { APPROVER2, "approver2", CS_VERDICT_APPROVE, 1, 9, false },
	  CS_E_CONFLICT,
	  "a longer one" },
	{ { APPROVER2, "approver2", CS_VERDICT_WITHDRAW, 1, 0, false },
	  CS_E_CONFLICT,
	  "no decision" },
};

START_TEST(a_wrong_decision_is_refused)
{
	char id[CS_UUID_TEXT];

	submit("fw-prod", 1, CS_ST_PENDING, id);
	approve(id, APPROVER1, "approver1");
	decide_fails(id, &refused[_i].vote, refused[_i].want, refused[_i].word);
	ck_assert_int_eq(state_of(id), CS_ST_PENDING);
}
END_TEST

START_TEST(the_requesters_person_does_not_approve)
{
	struct cs_submission s = submission("fw-prod", 1);
	const struct vote own = {
		.who = APPROVER1, .key = "approver1", .verdict = CS_VERDICT_APPROVE, .n = 1
	};
	struct cs_answer a;
	struct cs_err e = { 0 };

	must(submit_as(OTHER, &s, NULL, &a, &e), &e);
	decide_fails(a.id, &own, CS_E_FORBIDDEN, "request");
	cs_answer_done(&a);
}
END_TEST

/* ---- submissions ---- */

START_TEST(an_idempotency_key_returns_the_first_request)
{
	struct cs_submission s = submission("fw-dev", 1), other = submission("fw-dev", 2);
	struct cs_answer a, b;
	struct cs_err e = { 0 };

	must(submit_as(CI, &s, "key-1", &a, &e), &e);
	must(submit_as(CI, &s, "key-1", &b, &e), &e);
	ck_assert_str_eq(a.id, b.id);
	ck_assert(!a.replay && b.replay);
	cs_answer_done(&b);
	ck_assert_int_eq(submit_as(CI, &other, "key-1", &b, &e), CS_E_MISMATCH);
	ck_assert_ptr_nonnull(strstr(e.msg, "Idempotency-Key"));
	cs_answer_done(&b);
	must(submit_as(CI, &s, "key-2", &b, &e), &e);
	ck_assert_str_ne(a.id, b.id);
	cs_answer_done(&b);
	must(submit_as(OTHER, &s, "key-1", &b, &e), &e);
	ck_assert_str_ne(a.id, b.id);
	cs_answer_done(&a);
	cs_answer_done(&b);
	ck_assert_int_eq(fake_signer_count(signers[1]), 3);
}
END_TEST

START_TEST(an_equal_request_without_a_key_is_returned)
{
	char first[CS_UUID_TEXT], second[CS_UUID_TEXT];

	submit("fw-prod", 1, CS_ST_PENDING, first);
	submit("fw-prod", 1, CS_ST_PENDING, second);
	ck_assert_str_eq(first, second);
	submit("fw-prod", 2, CS_ST_PENDING, second);
	ck_assert_str_ne(first, second);
}
END_TEST

START_TEST(a_denied_request_is_in_the_log_and_nowhere_else)
{
	struct cs_submission s = submission("no-such-key", 1);
	struct cs_log_ref before, after;
	struct cs_answer a;
	struct cs_err e = { 0 };

	log_now(&before);
	ck_assert_int_eq(submit_as(CI, &s, NULL, &a, &e), CS_E_NOT_FOUND);
	ck_assert_str_eq(a.rule, "key-not-allowed");
	log_now(&after);
	ck_assert_int_ge(after.size, before.size + 1);
	cs_answer_done(&a);
}
END_TEST

START_TEST(open_requests_are_limited)
{
	char id[CS_UUID_TEXT];
	struct cs_submission s = submission("fw-prod", 99);
	struct cs_answer a;
	struct cs_err e = { 0 };

	for (uint8_t i = 0; i < 8; i++)
		submit("fw-prod", i, CS_ST_PENDING, id);
	ck_assert_int_eq(submit_as(CI, &s, NULL, &a, &e), CS_E_RATE);
	ck_assert_ptr_nonnull(strstr(e.msg, "open_requests"));
	cs_answer_done(&a);
}
END_TEST

START_TEST(rates_are_limited)
{
	struct cs_submission s = submission("fw-dev", 1);
	struct cs_answer a;
	struct cs_err e = { 0 };

	access_list->principals[CI].rate = 2;
	for (int i = 0; i < 2; i++) {
		must(submit_as(CI, &s, NULL, &a, &e), &e);
		cs_answer_done(&a);
	}
	ck_assert_int_eq(submit_as(CI, &s, NULL, &a, &e), CS_E_RATE);
	ck_assert_int_ge(a.retry_after, 1);
	ck_assert_int_le(a.retry_after, 31);
	cs_answer_done(&a);
}
END_TEST

START_TEST(a_request_of_somebody_else_does_not_exist)
{
	char id[CS_UUID_TEXT];
	const struct cs_caller other = caller(OTHER);
	struct cs_answer a;
	struct cs_err e = { 0 };

	submit("fw-dev", 1, CS_ST_SIGNED, id);
	cs_answer_init(&a);
	ck_assert_int_eq(cs_core_request(core, &other, id, &a, &e), CS_E_NOT_FOUND);
	ck_assert_int_eq(cs_core_signature(core, &other, id, 0, &a, &e), CS_E_NOT_FOUND);
	ck_assert_int_eq(cs_core_cancel(core, &other, id, &a, &e), CS_E_NOT_FOUND);
	cs_answer_done(&a);
}
END_TEST

START_TEST(a_cancelled_request_is_over)
{
	char id[CS_UUID_TEXT];
	const struct cs_caller ci = caller(CI);
	const struct vote late = {
		.who = APPROVER1, .key = "approver1", .verdict = CS_VERDICT_APPROVE, .n = 1
	};
	struct cs_answer a;
	struct cs_err e = { 0 };

	submit("fw-prod", 1, CS_ST_PENDING, id);
	cs_answer_init(&a);
	ck_assert_int_eq(cs_core_signature(core, &ci, id, 0, &a, &e), CS_E_PENDING);
	must(cs_core_cancel(core, &ci, id, &a, &e), &e);
	ck_assert_int_eq(a.state, CS_ST_CANCELLED);
	cs_answer_done(&a);
	decide_fails(id, &late, CS_E_CONFLICT, "cancelled already");
}
END_TEST

/* ---- what goes wrong at the signer ---- */

START_TEST(a_refusal_of_the_signer_is_tried_again)
{
	char id[CS_UUID_TEXT];

	fake_signer_set(signers[1], _i == 0 ? FAKE_REFUSE : FAKE_NOT_TRIED, 1);
	submit("fw-dev", 1, CS_ST_APPROVED, id);
	wait_state(id, CS_ST_SIGNED);
	ck_assert_int_eq(fake_signer_count(signers[1]), 1);
}
END_TEST

START_TEST(an_answer_that_never_came_is_tried_once_more)
{
	char id[CS_UUID_TEXT];

	fake_signer_set(signers[1], FAKE_SILENT, 1);
	submit("fw-dev", 1, CS_ST_APPROVED, id);
	wait_state(id, CS_ST_SIGNED);
}
END_TEST

START_TEST(two_answers_that_never_came_are_a_failure)
{
	char id[CS_UUID_TEXT];

	fake_signer_set(signers[1], FAKE_SILENT, -1);
	submit("fw-dev", 1, CS_ST_APPROVED, id);
	wait_state(id, CS_ST_FAILED);
}
END_TEST

START_TEST(a_signature_that_does_not_verify_is_never_released)
{
	const struct cs_caller ci = caller(CI);
	char id[CS_UUID_TEXT];
	struct cs_answer a;
	struct cs_err e = { 0 };

	fake_signer_set(signers[1], FAKE_FLIP, -1);
	submit("fw-dev", 1, CS_ST_FAILED, id);
	cs_answer_init(&a);
	ck_assert_int_eq(cs_core_signature(core, &ci, id, 0, &a, &e), CS_E_CONFLICT);
	cs_answer_done(&a);
}
END_TEST

START_TEST(a_request_scheduled_twice_keeps_its_back_off)
{
	char id[CS_UUID_TEXT];

	fake_signer_set(signers[1], FAKE_NOT_TRIED, -1);
	submit("fw-dev", 1, CS_ST_APPROVED, id);
	for (int i = 0; i < 50; i++)
		cs_core_schedule(core, id);
	nanosleep(&(struct timespec){ .tv_nsec = 500000000 }, NULL);
	ck_assert_int_eq(count_events("sign.intent"), 1);
}
END_TEST

/* The events of an attempt whenever a signer is away would fill the disk over a weekend. */
START_TEST(nothing_is_tried_while_the_signer_is_away)
{
	char id[CS_UUID_TEXT];

	submit("fw-rsa", 1, CS_ST_PENDING, id);
	fake_signer_stop(signers[0]);
	for (int i = 0; i < 500 && count_events("signer.lost") == 0; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	approve(id, APPROVER1, "approver1");
	approve(id, APPROVER3, "approver3");
	nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
	ck_assert_int_eq(state_of(id), CS_ST_APPROVED);
	ck_assert_int_eq(count_events("sign.intent"), 0);
	signers[0] = fake_signer_start(dir, "prod", policy);
	wait_state(id, CS_ST_SIGNED);
	ck_assert_int_eq(count_events("sign.intent"), 1);
}
END_TEST

/* Two children have times of their own; asking them in turn is no news. */
START_TEST(a_selftest_is_recorded_once)
{
	fake_signer_selftests(signers[1], 1000, 2000);
	nanosleep(&(struct timespec){ .tv_sec = 6, .tv_nsec = 500000000 }, NULL);
	/* the start's, of both signers, and the two of dev */
	ck_assert_int_le(count_events("signer.selftest"), 4);
}
END_TEST

/* ---- another policy ---- */

START_TEST(a_removed_approver_no_longer_counts)
{
	struct cs_policy *p = sample_policy_new();
	struct cs_err e = { 0 };
	char id[CS_UUID_TEXT];

	submit("fw-rsa", 1, CS_ST_PENDING, id);
	approve(id, APPROVER1, "approver1");
	p->version = 8;
	text(p->approvers[0].person, sizeof(p->approvers[0].person), "approver9");
	for (size_t i = 0; i < p->approvers[0].key_count; i++) {
		cs_pk_free(p->approvers[0].keys[i].pk);
		p->approvers[0].keys[i].pk = NULL;
		cs_buf_done(&p->approvers[0].keys[i].enrolment);
	}
	p->approvers[0].key_count = 0;
	sample_enrol(p, 0, "stranger");
	must(cs_policy_seal(p, &e), &e);
	must(reload(p, &e), &e);
	approve(id, APPROVER3, "approver3");
	ck_assert_int_eq(state_of(id), CS_ST_PENDING);
}
END_TEST

START_TEST(a_key_that_was_replaced_cancels_what_waits)
{
	struct cs_policy *p = sample_policy_new();
	struct softkey k = softkey_load("rsa-4096");
	struct cs_err e = { 0 };
	char id[CS_UUID_TEXT];

	submit("fw-rsa", 1, CS_ST_PENDING, id);
	p->version = 8;
	for (size_t i = 0; i < p->key_count; i++)
		if (strcmp(p->keys[i].name, "fw-rsa") == 0) {
			cs_pk_free(p->keys[i].pk);
			p->keys[i].pk = k.pk;
			p->keys[i].alg = CS_ALG_RSA_4096;
		}
	k.pk = NULL; /* transferred */
	softkey_done(&k);
	must(cs_policy_seal(p, &e), &e);
	must(reload(p, &e), &e);
	ck_assert_int_eq(state_of(id), CS_ST_CANCELLED);
}
END_TEST

START_TEST(a_policy_that_does_not_grow_is_refused)
{
	struct cs_policy *p = sample_policy_new();
	struct cs_err e = { 0 };

	p->version = _i == 0 ? 6 : 7;
	p->keys[0].disabled = true;
	must(cs_policy_seal(p, &e), &e);
	ck_assert_int_eq(reload(p, &e), CS_E_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.msg, "raise the version"));
}
END_TEST

START_TEST(a_request_expires)
{
	struct cs_policy *p = sample_policy_new();
	struct cs_err e = { 0 };
	char id[CS_UUID_TEXT];
	const struct vote late = {
		.who = APPROVER1, .key = "approver1", .verdict = CS_VERDICT_APPROVE, .n = 1
	};

	p->version = 8;
	for (size_t i = 0; i < p->key_count; i++)
		p->keys[i].max_wait = 1;
	must(cs_policy_seal(p, &e), &e);
	must(reload(p, &e), &e);
	submit("fw-prod", 1, CS_ST_PENDING, id);
	wait_state(id, CS_ST_EXPIRED);
	decide_fails(id, &late, CS_E_EXPIRED, "expired");
}
END_TEST

/* ---- clocks ---- */

#define HOUR (3600 * CS_SECOND)

/* Set the wall clock and wait until the log says so. */
static void set_clock(int64_t ahead)
{
	const int before = count_events("clock.jump");

	hand_clock_set(ahead);
	for (int i = 0; i < 500 && count_events("clock.jump") == before; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	ck_assert_int_eq(count_events("clock.jump"), before + 1);
}

static void reload_with_max_wait(int64_t seconds)
{
	struct cs_policy *p = sample_policy_new();
	struct cs_err e = { 0 };

	p->version = policy->version + 1;
	for (size_t i = 0; i < p->key_count; i++)
		p->keys[i].max_wait = seconds;
	must(cs_policy_seal(p, &e), &e);
	must(reload(p, &e), &e);
}

START_TEST(a_clock_that_was_ahead_ends_no_later_request)
{
	struct cs_err e = { 0 };
	char id[CS_UUID_TEXT];

	cs_core_close(core);
	hand_clock_set(1000 * HOUR);
	must(try_open(&e), &e);
	set_clock(0);
	submit("fw-prod", 1, CS_ST_PENDING, id);
	approve(id, APPROVER1, "approver1");
	approve(id, APPROVER2, "approver2");
	wait_state(id, CS_ST_SIGNED);
}
END_TEST

START_TEST(a_clock_set_back_lengthens_no_request)
{
	const struct vote late = {
		.who = APPROVER1, .key = "approver1", .verdict = CS_VERDICT_APPROVE, .n = 1
	};
	char before[CS_UUID_TEXT], after[CS_UUID_TEXT];

	reload_with_max_wait(2);
	submit("fw-prod", 1, CS_ST_PENDING, before);
	set_clock(-HOUR);
	submit("fw-prod", 2, CS_ST_PENDING, after);
	wait_state(before, CS_ST_EXPIRED);
	decide_fails(before, &late, CS_E_EXPIRED, "expired");
	wait_state(after, CS_ST_EXPIRED);
	hand_clock_set(0);
}
END_TEST

START_TEST(a_clock_set_back_while_stopped_lengthens_no_request)
{
	struct cs_err e = { 0 };
	char id[CS_UUID_TEXT];

	reload_with_max_wait(2);
	submit("fw-prod", 1, CS_ST_PENDING, id);
	cs_core_close(core);
	hand_clock_set(-HOUR);
	must(try_open(&e), &e);
	ck_assert_int_eq(count_events("clock.jump"), 1);
	wait_state(id, CS_ST_EXPIRED);
	hand_clock_set(0);
}
END_TEST

START_TEST(a_clock_set_ahead_ends_what_waits)
{
	char id[CS_UUID_TEXT];

	submit("fw-prod", 1, CS_ST_PENDING, id);
	set_clock(1000 * HOUR);
	wait_state(id, CS_ST_EXPIRED);
	hand_clock_set(0);
}
END_TEST

/* More jumps than spans are kept: the oldest requests may end too early, but none too late. */
START_TEST(a_clock_that_jumps_often_ends_every_request)
{
	char ids[2 * CS_CLOCK_SPANS][CS_UUID_TEXT];

	reload_with_max_wait(5);
	for (int i = 0; i < 8; i++) {
		submit("fw-prod", (uint8_t)i, CS_ST_PENDING, ids[i]);
		set_clock(i % 2 ? 0 : -HOUR * (i + 1));
	}
	for (int i = 0; i < 8; i++)
		wait_state(ids[i], CS_ST_EXPIRED);
	hand_clock_set(0);
}
END_TEST

START_TEST(small_steps_of_the_clock_add_up_to_an_event)
{
	hand_clock_set(CS_SECOND / 2);
	nanosleep(&(struct timespec){ .tv_nsec = 300000000 }, NULL);
	ck_assert_int_eq(count_events("clock.jump"), 0);
	set_clock(CS_SECOND + CS_SECOND / 4);
	hand_clock_set(0);
}
END_TEST

/* ---- restarts ---- */

START_TEST(what_waits_survives_a_restart)
{
	struct cs_err e = { 0 };
	char id[CS_UUID_TEXT];

	submit("fw-prod", 1, CS_ST_PENDING, id);
	approve(id, APPROVER1, "approver1");
	cs_core_close(core);
	must(try_open(&e), &e);
	approve(id, APPROVER2, "approver2");
	wait_state(id, CS_ST_SIGNED);
}
END_TEST

START_TEST(another_instance_or_an_older_policy_refuses_to_start)
{
	struct cs_policy *good = policy;
	struct cs_err e = { 0 };

	cs_core_close(core);
	core = NULL;
	policy = sample_policy_new();
	if (_i == 0)
		text(policy->instance, sizeof(policy->instance), "other");
	else
		policy->version = 6;
	must(cs_policy_seal(policy, &e), &e);
	ck_assert_int_eq(try_open(&e), CS_E_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.msg, _i == 0 ? "instance" : "raise the version"));
	cs_policy_unref(policy);
	policy = good;
	must(try_open(&e), &e);
}
END_TEST

/* ---- waiting ---- */

static void wake(void *arg)
{
	atomic_store((atomic_bool *)arg, true);
}

START_TEST(a_wait_ends_with_a_change_or_its_time)
{
	char id[CS_UUID_TEXT];
	const struct cs_caller ci = caller(CI);
	atomic_bool changed = false, over = false;
	struct cs_answer a;
	struct cs_err e = { 0 };

	submit("fw-prod", 1, CS_ST_PENDING, id);
	cs_answer_init(&a);
	must(cs_core_request(core, &ci, id, &a, &e), &e);
	must(cs_core_wait(core, &ci, id, a.revision, cs_clock_mono() + WAIT_MAX, wake, &changed,
			  &e),
	     &e);
	must(cs_core_wait(core, &ci, id, a.revision, cs_clock_mono() + CS_SECOND / 4, wake, &over,
			  &e),
	     &e);
	ck_assert(!changed && !over);
	for (int i = 0; i < 100 && !over; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	ck_assert(over && !changed);
	approve(id, APPROVER1, "approver1");
	ck_assert(changed);
	cs_answer_done(&a);
}
END_TEST

/* A principal has places of its own: whoever takes all of them keeps nobody else from waiting. */
START_TEST(nobody_takes_every_place_to_wait)
{
	char id[CS_UUID_TEXT];
	const struct cs_caller ci = caller(CI), auditor = caller(AUDITOR);
	const int64_t deadline = cs_clock_mono() + WAIT_MAX;
	atomic_bool woken[5] = { false };
	struct cs_answer a;
	struct cs_err e = { 0 };

	submit("fw-prod", 1, CS_ST_PENDING, id);
	cs_answer_init(&a);
	must(cs_core_request(core, &ci, id, &a, &e), &e);
	for (int i = 0; i < 3; i++)
		must(cs_core_wait(core, &ci, id, a.revision, deadline, wake, &woken[i], &e), &e);
	ck_assert_int_eq(cs_core_wait(core, &ci, id, a.revision, deadline, wake, &woken[3], &e),
			 CS_E_BUSY);
	ck_assert_ptr_nonnull(strstr(e.msg, "long-polls-per-principal"));
	must(cs_core_wait(core, &auditor, id, a.revision, deadline, wake, &woken[4], &e), &e);
	approve(id, APPROVER1, "approver1");
	ck_assert(woken[0] && woken[1] && woken[2] && !woken[3] && woken[4]);
	/* the places are free again */
	for (int i = 0; i < 3; i++)
		must(cs_core_wait(core, &ci, id, 0, deadline, wake, &woken[i], &e), &e);
	cs_answer_done(&a);
}
END_TEST

START_TEST(reads_have_a_rate)
{
	struct cs_principal greedy = *caller(CI).principal, other = *caller(AUDITOR).principal;
	const struct cs_caller who = { &greedy, "192.0.2.1" }, next = { &other, "192.0.2.1" };
	struct cs_err e = { 0 };
	int64_t after = 0;

	greedy.read_rate = 20;
	must(cs_core_admit_read(core, &who, 1, &after, &e), &e);
	must(cs_core_admit_read(core, &who, 19, &after, &e), &e);
	ck_assert_int_eq(cs_core_admit_read(core, &who, 1, &after, &e), CS_E_RATE);
	ck_assert(after == 3 || after == 4); /* by the clock */
	ck_assert_ptr_nonnull(strstr(e.msg, "read_rate"));
	must(cs_core_admit_read(core, &next, 1, &after, &e), &e);
	/* what costs more than a full bucket is not refused for ever */
	other.read_rate = 5;
	ck_assert_int_eq(cs_core_admit_read(core, &next, 10, &after, &e), CS_OK);
	ck_assert_int_eq(cs_core_admit_read(core, &next, 10, &after, &e), CS_E_RATE);
	ck_assert(after == 60 || after == 61);
}
END_TEST

struct lister {
	pthread_t thread;
	atomic_bool stop, wrong;
};

/* What a list calls its revision must be in it: who waits for the next one must miss nothing. */
static void *list_and_compare(void *arg)
{
	const struct cs_caller auditor = caller(AUDITOR);
	const struct cs_list_filter all = { .limit = 10 };
	struct lister *l = arg;

	while (!atomic_load(&l->stop)) {
		struct cs_answer a;
		struct cs_err e = { 0 };
		json_int_t newest = 0;
		json_t *root = NULL, *one;
		size_t i;

		cs_answer_init(&a);
		must(cs_core_requests(core, &auditor, &all, &a, &e), &e);
		must(cs_json_load(cs_buf_bytes(&a.body), CS_EVENT_MAX, "list", &root, &e), &e);
		json_array_foreach (json_object_get(root, "requests"), i, one) {
			json_int_t r = json_integer_value(json_object_get(one, "revision"));

			newest = r > newest ? r : newest;
		}
		if (newest < a.revision)
			atomic_store(&l->wrong, true);
		json_decref(root);
		cs_answer_done(&a);
	}
	return NULL;
}

START_TEST(a_list_holds_what_its_revision_says)
{
	const struct cs_caller ci = caller(CI);
	struct lister l = { .stop = false };
	char id[CS_UUID_TEXT];
	struct cs_answer a;
	struct cs_err e = { 0 };

	submit("fw-rsa", 0, CS_ST_PENDING, id);
	ck_assert_int_eq(pthread_create(&l.thread, NULL, list_and_compare, &l), 0);
	for (uint8_t i = 1; i <= 100; i++) {
		submit("fw-rsa", i, CS_ST_PENDING, id);
		cs_answer_init(&a);
		must(cs_core_cancel(core, &ci, id, &a, &e), &e);
		cs_answer_done(&a);
	}
	atomic_store(&l.stop, true);
	pthread_join(l.thread, NULL);
	ck_assert(!atomic_load(&l.wrong));
}
END_TEST

START_TEST(exports_are_limited)
{
	const struct cs_caller auditor = caller(AUDITOR);
	struct cs_answer a;
	struct cs_err e = { 0 };

	access_list->principals[AUDITOR].rate = 2;
	for (int i = 0; i < 3; i++) {
		cs_answer_init(&a);
		ck_assert_int_eq(cs_core_events(core, &auditor, 1, true, &a, &e),
				 i < 2 ? CS_OK : CS_E_RATE);
		cs_answer_done(&a);
	}
	ck_assert_int_eq(count_events("log.exported"), 2);
}
END_TEST

START_TEST(refusals_are_counted_once_a_minute)
{
	const struct cs_caller ci = caller(CI);
	struct cs_log_ref before, after;
	struct cs_err e = { 0 };

	log_now(&before);
	for (int i = 0; i < 1000; i++)
		cs_core_auth_refused(core, "203.0.113.7", "unknown certificate");
	cs_core_access_refused(core, &ci, "GET", "/v1/audit/events", "auditor");
	cs_core_close(core);
	log_now(&after);
	ck_assert_int_ge(after.size, before.size + 3); /* two refusals and the stop */
	ck_assert_int_le(after.size, before.size + 8);
	must(try_open(&e), &e);
}
END_TEST

static void add_tests(TCase *t)
{
	tcase_add_test(t, a_dev_request_is_signed_at_once);
	tcase_add_test(t, a_prod_request_is_signed_after_its_quorum);
	tcase_add_test(t, artifacts_of_two_keys_need_both_quorums);
	tcase_add_test(t, a_person_counts_once_whatever_key_she_uses);
	tcase_add_test(t, a_rejection_ends_it);
	tcase_add_test(t, a_withdrawal_takes_an_approval_back);
	tcase_add_loop_test(t, a_wrong_decision_is_refused, 0,
			    (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(t, the_requesters_person_does_not_approve);
	tcase_add_test(t, an_idempotency_key_returns_the_first_request);
	tcase_add_test(t, an_equal_request_without_a_key_is_returned);
	tcase_add_test(t, a_denied_request_is_in_the_log_and_nowhere_else);
	tcase_add_test(t, open_requests_are_limited);
	tcase_add_test(t, nobody_takes_every_place_to_wait);
	tcase_add_test(t, reads_have_a_rate);
	tcase_add_test(t, rates_are_limited);
	tcase_add_test(t, a_request_of_somebody_else_does_not_exist);
	tcase_add_test(t, a_cancelled_request_is_over);
	tcase_add_loop_test(t, a_refusal_of_the_signer_is_tried_again, 0, 2);
	tcase_add_test(t, an_answer_that_never_came_is_tried_once_more);
	tcase_add_test(t, two_answers_that_never_came_are_a_failure);
	tcase_add_test(t, a_signature_that_does_not_verify_is_never_released);
	tcase_add_test(t, a_request_scheduled_twice_keeps_its_back_off);
	tcase_add_test(t, nothing_is_tried_while_the_signer_is_away);
	tcase_add_test(t, a_selftest_is_recorded_once);
	tcase_add_test(t, a_removed_approver_no_longer_counts);
	tcase_add_test(t, a_key_that_was_replaced_cancels_what_waits);
	tcase_add_loop_test(t, a_policy_that_does_not_grow_is_refused, 0, 2);
	tcase_add_test(t, a_request_expires);
	tcase_add_test(t, a_clock_that_was_ahead_ends_no_later_request);
	tcase_add_test(t, a_clock_set_back_lengthens_no_request);
	tcase_add_test(t, a_clock_set_back_while_stopped_lengthens_no_request);
	tcase_add_test(t, a_clock_set_ahead_ends_what_waits);
	tcase_add_test(t, a_clock_that_jumps_often_ends_every_request);
	tcase_add_test(t, small_steps_of_the_clock_add_up_to_an_event);
	tcase_add_test(t, what_waits_survives_a_restart);
	tcase_add_loop_test(t, another_instance_or_an_older_policy_refuses_to_start, 0, 2);
	tcase_add_test(t, a_wait_ends_with_a_change_or_its_time);
	tcase_add_test(t, a_list_holds_what_its_revision_says);
	tcase_add_test(t, exports_are_limited);
	add_logcheck_tests(t);
	add_metrics_tests(t);
	add_repair_tests(t);
	add_writer_tests(t);
	tcase_add_test(t, refusals_are_counted_once_a_minute);
}

int main(void)
{
	Suite *suite = suite_create("core");
	TCase *t = tcase_create("core");
	SRunner *runner;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	add_tests(t);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
