/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that have names, which ps, top, perf and debuggers show: PR_SET_NAME of prctl(2).
 */
#ifndef CS_BASE_THREAD_H
#define CS_BASE_THREAD_H

#include <pthread.h>

#include "base/err.h"

#define CS_THREAD_NAME_MAX 15

/**
 * Start a thread, which is the caller's to join.
 *
 * @param name  CS_THREAD_NAME_MAX characters at most
 * @return CS_E_NOMEM when the system has no more threads to give; *threadp is not set then
 */
enum cs_rc cs_thread_start(pthread_t *threadp, const char *name, void *(*run)(void *), void *arg,
			   struct cs_err *e) CS_MUST_CHECK;

/** The calling thread gets what the others leave of the processors, and a little when they leave
 * nothing: nice 19, which on Linux is a thread's own (setpriority(2)). Where that is not allowed
 * nothing changes. */
void cs_thread_give_way(void);
/** The calling thread, and those that it starts from now on, ask for short turns on a processor,
 * and so get the next one sooner: the runtime of sched_setattr(2), which Linux takes for this
 * from 6.12 on. Where it does not nothing changes. */
void cs_thread_take_short_turns(void);
/** The calling thread, when it is woken, lets others finish what they are at: SCHED_BATCH
 * (sched(7)). Where that is not allowed nothing changes. */
void cs_thread_wait_its_turn(void);

#endif
