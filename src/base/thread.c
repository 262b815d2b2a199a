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

#define LOWEST 19 /* of nice values */

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

void cs_thread_give_way(void)
{
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), LOWEST);
}

void cs_thread_wait_its_turn(void)
{
	(void)sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){ 0 });
}
