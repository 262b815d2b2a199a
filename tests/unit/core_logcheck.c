/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the continuous check of the log, in a core whose passes take a tenth of a second. One
 * flipped byte on disk is in tests/flow/log_is_checked.py.
 */
#include <check.h>
#include <stdio.h>
#include <time.h>

#include "unit/core_rig.h"

static unsigned long long alarms(void)
{
	return cs_counter_get(&core->logcheck.alarms);
}

static void wait_damaged(bool want)
{
	const int64_t until = cs_clock_mono() + WAIT_MAX;

	while (atomic_load(&core->logcheck.damaged) != want) {
		ck_assert_int_lt(cs_clock_mono(), until);
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
}

/* A pass that was under way, and two more. */
static void wait_passes(void)
{
	const unsigned long long want = cs_counter_get(&core->logcheck.passes) + 3;
	const int64_t until = cs_clock_mono() + WAIT_MAX;

	while (cs_counter_get(&core->logcheck.passes) < want) {
		ck_assert_int_lt(cs_clock_mono(), until);
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
}

START_TEST(an_honest_log_raises_no_alarm)
{
	char id[CS_UUID_TEXT];

	for (uint8_t i = 0; i < 5; i++) {
		submit("fw-dev", i, CS_ST_SIGNED, id);
		wait_passes();
	}
	ck_assert_uint_eq(alarms(), 0);
	ck_assert(!atomic_load(&core->logcheck.damaged));
	ck_assert_int_eq(count_events("log.damaged"), 0);
}
END_TEST

START_TEST(a_changed_event_raises_one_alarm)
{
	char id[CS_UUID_TEXT];

	wait_passes();
	outside("CREATE TABLE kept AS SELECT bytes FROM event WHERE seq = 2;"
		"UPDATE event SET bytes = zeroblob(9) WHERE seq = 2");
	wait_damaged(true);
	submit("fw-dev", 1, CS_ST_SIGNED, id);
	wait_passes();
	ck_assert_uint_eq(alarms(), 1);
	ck_assert_int_eq(count_events("log.damaged"), 1);
	outside("UPDATE event SET bytes = (SELECT bytes FROM kept) WHERE seq = 2");
	wait_damaged(false);
	/* and the same again is another alarm */
	outside("UPDATE event SET bytes = zeroblob(9) WHERE seq = 2");
	wait_damaged(true);
	ck_assert_uint_eq(alarms(), 2);
	outside("UPDATE event SET bytes = (SELECT bytes FROM kept) WHERE seq = 2; DROP TABLE kept");
	wait_damaged(false);
}
END_TEST

/* Whoever rewrites the end with correct hashes still does not have what the daemon remembers. Until
 * that is back, nothing is written behind it. */
START_TEST(a_rewritten_end_raises_an_alarm_and_is_not_continued)
{
	static const uint8_t other[] = "{}";
	const struct cs_submission wanted = submission("fw-dev", 1);
	const struct cs_sha256 hash = cs_event_hash((struct cs_bytes){ other, 2 });
	char hex[CS_SHA256_HEX], sql[512], id[CS_UUID_TEXT];
	struct cs_answer a;
	struct cs_err e = { 0 };

	wait_passes();
	cs_sha256_hex(&hash, hex);
	snprintf(
		sql, sizeof(sql),
		"CREATE TABLE kept AS SELECT * FROM event ORDER BY seq DESC LIMIT 1;"
		"UPDATE event SET bytes = x'7b7d', hash = x'%s' WHERE seq = (SELECT seq FROM kept)",
		hex);
	outside(sql);
	wait_damaged(true);
	ck_assert_uint_eq(alarms(), 1);
	cs_answer_init(&a);
	ck_assert_int_eq(submit_as(CI, &wanted, NULL, &a, &e), CS_E_UNAVAILABLE);
	cs_answer_done(&a);
	wait_passes(); /* whose commands append nothing */
	ck_assert(atomic_load(&core->log_broken));
	outside("UPDATE event SET bytes = (SELECT bytes FROM kept), hash = (SELECT hash FROM kept) "
		"WHERE seq = (SELECT seq FROM kept); DROP TABLE kept");
	wait_damaged(false);
	ck_assert(!atomic_load(&core->log_broken));
	submit("fw-dev", 1, CS_ST_SIGNED, id);
}
END_TEST

START_TEST(what_was_changed_meanwhile_is_found_at_the_start)
{
	struct cs_err e = { 0 };

	cs_core_close(core);
	outside("CREATE TABLE kept AS SELECT bytes FROM event WHERE seq = 2;"
		"UPDATE event SET bytes = zeroblob(9) WHERE seq = 2");
	must(try_open(&e), &e);
	wait_damaged(true);
	outside("UPDATE event SET bytes = (SELECT bytes FROM kept) WHERE seq = 2; DROP TABLE kept");
	wait_damaged(false);
	ck_assert_int_eq(count_events("log.damaged"), 1);
}
END_TEST

void add_logcheck_tests(TCase *t)
{
	tcase_add_test(t, an_honest_log_raises_no_alarm);
	tcase_add_test(t, a_changed_event_raises_one_alarm);
	tcase_add_test(t, a_rewritten_end_raises_an_alarm_and_is_not_continued);
	tcase_add_test(t, what_was_changed_meanwhile_is_found_at_the_start);
}
