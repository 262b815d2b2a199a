/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What core/ counts while it works, for /metrics. Adding is a relaxed atomic addition or two, from
 * any thread; what can be read off elsewhere is read when somebody asks (metrics.c).
 */
#ifndef CS_CORE_METRICS_H
#define CS_CORE_METRICS_H

#include "audit/event.h"
#include "base/metrics.h"
#include "policy/judge.h"

struct cs_core_counters {
	struct cs_counter events[CS_EV__COUNT]; /* committed */
	struct cs_counter denials[CS_RULE__COUNT];
	struct cs_counter commands; /* of the writer */
	struct cs_histogram writer_wait, commit, fsync;
	struct cs_histogram sign[CS_TOKENS_MAX]; /* by signer */
	struct cs_counter lost[CS_TOKENS_MAX], back[CS_TOKENS_MAX];
};

/** Events of the batch that the writer is at, by kind. They count once they are committed, and are
 * restored when their command is undone. */
struct cs_tally {
	uint32_t kinds[CS_EV__COUNT];
};

/** The tally's events are on disk: count them, and begin again. */
void cs_tally_commit(struct cs_tally *t, struct cs_core_counters *counters);
/** A request was denied by this rule. */
void cs_count_denial(struct cs_core_counters *counters, const char *rule);

#endif
