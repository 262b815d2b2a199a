/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of base/thread.h: what threads ask of the scheduler, as the kernel tells it. Each in a
 * thread of its own, as nothing of that is taken back.
 */
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/sched_attr.h"
#include "base/thread.h"
#include "unit/base_unit.h"

#define SHORT_TURN 100000 /* ns */

/* Its runtime is the turn, 0 from a kernel that has none to give. */
static struct cs_sched_attr look(void)
{
	struct cs_sched_attr s = { 0 };

	if (cs_sched_getattr(&s) != 0)
		s.policy = (uint32_t)sched_getscheduler(0);
	s.nice = getpriority(PRIO_PROCESS, (id_t)gettid());
	return s;
}

/* Not before Linux 6.12, and not where a sandbox forbids it. */
static bool system_gives_turns(void)
{
	struct cs_sched_attr s = look();

	s.runtime = 2 * SHORT_TURN;
	return cs_sched_setattr(&s) == 0 && look().runtime == s.runtime;
}

static void in_thread(void *(*run)(void *), void *arg)
{
	pthread_t thread;
	struct cs_err e = { 0 };

	ck_assert_int_eq(cs_thread_start(&thread, "a-test", run, arg, &e), CS_OK);
	pthread_join(thread, NULL);
}

static void *look_main(void *arg)
{
	*(struct cs_sched_attr *)arg = look();
	return NULL;
}

/* The threads that it starts have them, too; the batch policy leaves them as they are. */
static void *short_main(void *arg)
{
	const bool given = system_gives_turns();
	const struct cs_sched_attr before = look();
	struct cs_sched_attr s[3];

	(void)arg;
	cs_thread_take_short_turns();
	s[0] = look();
	in_thread(look_main, &s[1]);
	cs_thread_wait_its_turn();
	s[2] = look();
	ck_assert_uint_eq(s[0].policy, before.policy);
	ck_assert_uint_eq(s[2].policy, SCHED_BATCH);
	for (size_t i = 0; i < COUNT(s); i++) {
		ck_assert_int_eq(s[i].nice, before.nice);
		ck_assert_uint_eq(s[i].runtime, given ? SHORT_TURN : before.runtime);
	}
	return NULL;
}

START_TEST(a_thread_takes_short_turns)
{
	in_thread(short_main, NULL);
}
END_TEST

/* Short turns would come sooner than those of a thread that computes. */
static void *last_main(void *arg)
{
	const bool given = system_gives_turns();

	(void)arg;
	cs_thread_take_short_turns();
	cs_thread_give_way();
	ck_assert_int_eq(look().nice, 19);
	if (given)
		ck_assert_uint_gt(look().runtime, 2 * SHORT_TURN);
	return NULL;
}

START_TEST(a_thread_that_gives_way_is_the_last)
{
	in_thread(last_main, NULL);
}
END_TEST

void add_thread_tests(TCase *tc)
{
	tcase_add_test(tc, a_thread_takes_short_turns);
	tcase_add_test(tc, a_thread_that_gives_way_is_the_last);
}
