/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The continuous check of the log: a thread of its own reads every event again and again, slowly,
 * and raises an alarm when one is not what was written. See docs/operating.md, "Is the log what was
 * written?".
 */
#ifndef CS_CORE_LOGCHECK_H
#define CS_CORE_LOGCHECK_H

#include <pthread.h>

#include "base/metrics.h"
#include "core/core.h"
#include "store/store.h"

#define CS_DAMAGES_MAX 64 /* places that are told one by one until the log is found good again */

/** One way through the log; begun anew when it is through. */
struct cs_walk {
	struct cs_chain_check at;
	struct cs_log_ref end; /* the log as it was when this pass began */
	int64_t first;         /* event that it began with */
	int64_t began;         /* cs_clock_mono */
	bool begun, damaged;   /* damaged: this pass found something */
};

struct cs_logcheck {
	struct cs_logcheck_config config;
	struct cs_store *store; /* a reading connection of its own */
	pthread_t thread;
	bool runs;
	/* the thread's own */
	struct cs_walk whole, newest;
	int64_t damages[CS_DAMAGES_MAX]; /* events that were told */
	size_t damage_count;
	/* for /metrics */
	struct cs_counter events, bytes, cpu_us, passes, alarms, errors;
	_Atomic int64_t last_pass; /* when the last pass over all of it ended, µs since 1970 */
	_Atomic int64_t pass_us;   /* how long a pass over all of it takes */
	_Atomic int64_t window;    /* newest events that are read once a period */
	atomic_bool damaged;       /* from the first alarm to the end of a pass without one */
};

enum cs_rc cs_logcheck_start(struct cs_core *c, const struct cs_logcheck_config *config,
			     struct cs_err *e) CS_MUST_CHECK;
void cs_logcheck_stop(struct cs_core *c);

#endif
