/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads of the daemon: their start, their names, and who gives way.
 * See thread.h.
 */
#include "base/thread.h"

#include <assert.h>
#include <sched.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/sched_attr.h"

#define LOWEST 19         /* of nice values */
#define SHORT_TURN 100000 /* ns; Linux takes no less, and has turns of 0.7 to 3 ms itself */

enum cs_rc cs_thread_start(pthread_t *threadp, const char *name, void *(*run)(void *), void *arg,
			   struct cs_err *e)
{
	const int err = pthread_create(threadp, NULL, run, arg);

	assert(strlen(name) <= CS_THREAD_NAME_MAX);
	if (err)
		return CS_FAIL(e, CS_E_NOMEM, "the thread \"%s\": %s", name, strerror(err));
	(void)pthread_setname_np(*threadp, name); /* for people only */
	return CS_OK;
}

/** Of the calling thread; the rest stays as it is. */
static void set_turn(uint64_t ns)
{
	struct cs_sched_attr attr = { 0 };

	if (cs_sched_getattr(&attr) != 0)
		return;
	attr.runtime = ns;
	(void)cs_sched_setattr(&attr);
}

void cs_thread_take_short_turns(void)
{
	set_turn(SHORT_TURN);
}

void cs_thread_give_way(void)
{
	set_turn(0); /* as long as others have them */
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), LOWEST);
}

void cs_thread_wait_its_turn(void)
{
	(void)sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 });
}
