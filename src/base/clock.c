/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three clocks, and nothing else.
 * Must not be called by the pure layers: they are given the time.
 * See clock.h for the contract.
 */
#include "base/clock.h"

#include <stdlib.h>
#include <time.h>

static int64_t read_clock(clockid_t id)
{
	struct timespec ts;

	/* cannot fail for these clocks; a program without time must not go on */
	if (clock_gettime(id, &ts) != 0)
		abort();
	return (int64_t)ts.tv_sec * CS_SECOND + ts.tv_nsec / 1000;
}

int64_t cs_clock_now(void)
{
	return read_clock(CLOCK_REALTIME);
}

int64_t cs_clock_mono(void)
{
	return read_clock(CLOCK_BOOTTIME);
}

int64_t cs_clock_thread(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}
