/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See hand_clock.h. The program's own clock_gettime stands before libc's.
 * Must not be linked into anything that is installed.
 */
#include "unit/hand_clock.h"

#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000

static _Atomic int64_t ahead_us;

void hand_clock_set(int64_t ahead)
{
	atomic_store(&ahead_us, ahead);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
	int64_t us;

	if (syscall(SYS_clock_gettime, id, ts) != 0)
		return -1;
	if (id != CLOCK_REALTIME)
		return 0;
	us = (int64_t)ts->tv_sec * SECOND + ts->tv_nsec / 1000 + atomic_load(&ahead_us);
	ts->tv_sec = us / SECOND;
	ts->tv_nsec = us % SECOND * 1000;
	return 0;
}
