/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The threads that run attempts which no POST waits for: what people approved, and what is due
 * again.
 */
#include <stdlib.h>
#include <string.h>

#include "core/internal.h"

void cs_core_schedule(struct cs_core *c, const char *id)
{
	char *copy = strdup(id);

	if (copy && cs_queue_put(c->attempts, copy) != CS_OK)
		free(copy); /* full, or stopping: the timer finds the request again */
}

static void *attempts_main(void *arg)
{
	struct cs_core *c = arg;
	char *id;

	while ((id = cs_queue_take(c->attempts)) != NULL) {
		if (!atomic_load(&c->draining))
			cs_core_attempt(c, id);
		free(id);
	}
	return NULL;
}

enum cs_rc cs_attempts_start(struct cs_core *c, struct cs_err *e)
{
	enum cs_rc rc = cs_queue_new(1024, &c->attempts, e);

	while (rc == CS_OK && c->attempt_thread_count < CS_ATTEMPT_THREADS) {
		const int err = pthread_create(&c->attempt_threads[c->attempt_thread_count], NULL,
					       attempts_main, c);

		if (err)
			return CS_FAIL(e, CS_E_NOMEM, "an attempt thread: %s", strerror(err));
		c->attempt_thread_count++;
	}
	return rc;
}

void cs_attempts_stop(struct cs_core *c)
{
	if (!c->attempts)
		return;
	cs_queue_close(c->attempts);
	while (c->attempt_thread_count > 0)
		pthread_join(c->attempt_threads[--c->attempt_thread_count], NULL);
	cs_queue_free(c->attempts);
	c->attempts = NULL;
}
