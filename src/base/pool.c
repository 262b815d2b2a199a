/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs in a list under one mutex. A thread is woken only when one sleeps: with enough to do none
 * does, and a job costs no system call.
 * See pool.h for the contract.
 */
#include "base/pool.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/thread.h"

struct cs_pool {
	pthread_mutex_t lock;
	pthread_cond_t something;
	struct cs_job *first, **end;
	bool closed;
	size_t asleep, woken; /* threads; of them those that are on their way */
	size_t count;
	pthread_t threads[];
};

/* The next job, or NULL when the pool is closed and nothing is left. */
static struct cs_job *take(struct cs_pool *p)
{
	struct cs_job *job;

	pthread_mutex_lock(&p->lock);
	while (!p->first && !p->closed) {
		p->asleep++;
		pthread_cond_wait(&p->something, &p->lock);
		p->asleep--;
		if (p->woken > 0)
			p->woken--;
	}
	job = p->first;
	if (job) {
		p->first = job->next;
		if (!p->first)
			p->end = &p->first;
	}
	pthread_mutex_unlock(&p->lock);
	return job;
}

static void *pool_main(void *arg)
{
	struct cs_job *job;

	/* most jobs are put by a thread that has more to put: then the next ones come in a row */
	cs_thread_wait_its_turn();
	while ((job = take(arg)) != NULL)
		job->run(job);
	return NULL;
}

enum cs_rc cs_pool_new(size_t threads, struct cs_pool **pp, struct cs_err *e)
{
	struct cs_pool *p = calloc(1, sizeof(*p) + threads * sizeof(p->threads[0]));
	enum cs_rc rc = CS_OK;

	assert(threads > 0);
	if (!p)
		return CS_FAIL(e, CS_E_NOMEM, "a pool of %zu threads", threads);
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->something, NULL);
	p->end = &p->first;
	while (rc == CS_OK && p->count < threads) {
		rc = cs_thread_start(&p->threads[p->count], "pool", pool_main, p, e);
		p->count += rc == CS_OK;
	}
	if (rc != CS_OK) {
		cs_pool_free(p);
		return rc;
	}
	*pp = p;
	return CS_OK;
}

void cs_pool_free(struct cs_pool *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->closed = true;
	pthread_cond_broadcast(&p->something);
	pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < p->count; i++)
		pthread_join(p->threads[i], NULL);
	pthread_cond_destroy(&p->something);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

void cs_pool_put(struct cs_pool *p, struct cs_job *job)
{
	bool wake;

	assert(job->run);
	job->next = NULL;
	pthread_mutex_lock(&p->lock);
	*p->end = job;
	p->end = &job->next;
	wake = p->asleep > p->woken;
	p->woken += wake;
	if (wake) /* with the lock: after it, the job may have been the last one */
		pthread_cond_signal(&p->something);
	pthread_mutex_unlock(&p->lock);
}
