/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded queue of pointers: a ring under one mutex.
 * Must not block the one who puts.
 * See queue.h for the contract.
 */
#include "base/queue.h"

#include <assert.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

struct cs_queue {
	pthread_mutex_t lock;
	pthread_cond_t not_empty;
	pthread_cond_t enough; /* for cs_queue_wait */
	size_t awaited;        /* items that it waits for; 0: it does not */
	bool closed;
	size_t capacity;
	size_t first; /* index of the oldest item */
	size_t count;
	void *items[];
};

static void lock(struct cs_queue *q)
{
	int error = pthread_mutex_lock(&q->lock);

	assert(error == 0);
	(void)error;
}

static void unlock(struct cs_queue *q)
{
	int error = pthread_mutex_unlock(&q->lock);

	assert(error == 0);
	(void)error;
}

enum cs_rc cs_queue_new(size_t capacity, struct cs_queue **qp, struct cs_err *e)
{
	pthread_condattr_t attr;
	struct cs_queue *q;

	assert(capacity > 0 && capacity < SIZE_MAX / sizeof(void *) / 2);

	q = calloc(1, sizeof(*q) + capacity * sizeof(q->items[0]));
	if (!q)
		return CS_FAIL(e, CS_E_NOMEM, "queue of %zu", capacity);
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->not_empty, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&q->enough, &attr);
	pthread_condattr_destroy(&attr);
	q->capacity = capacity;
	*qp = q;
	return CS_OK;
}

void cs_queue_free(struct cs_queue *q)
{
	if (!q)
		return;
	pthread_cond_destroy(&q->not_empty);
	pthread_cond_destroy(&q->enough);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

enum cs_rc cs_queue_put(struct cs_queue *q, void *item)
{
	enum cs_rc rc = CS_OK;

	assert(item);

	lock(q);
	if (q->closed) {
		rc = CS_E_CLOSED;
	} else if (q->count == q->capacity) {
		rc = CS_E_BUSY;
	} else {
		q->items[(q->first + q->count) % q->capacity] = item;
		q->count++;
		if (q->awaited == 0)
			pthread_cond_signal(&q->not_empty);
		else if (q->count >= q->awaited)
			pthread_cond_signal(&q->enough);
	}
	unlock(q);
	return rc;
}

void *cs_queue_take(struct cs_queue *q)
{
	void *item = NULL;

	cs_queue_take_many(q, &item, 1);
	return item;
}

size_t cs_queue_take_many(struct cs_queue *q, void **items, size_t max)
{
	size_t n = 0;

	lock(q);
	while (q->count == 0 && !q->closed)
		pthread_cond_wait(&q->not_empty, &q->lock);
	for (; n < max && q->count > 0; n++) {
		items[n] = q->items[q->first];
		q->first = (q->first + 1) % q->capacity;
		q->count--;
	}
	unlock(q);
	return n;
}

void cs_queue_wait(struct cs_queue *q, size_t count, int64_t us)
{
	struct timespec until;
	int error = 0;

	lock(q);
	if (q->count < count && !q->closed) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		us += until.tv_nsec / 1000;
		until.tv_sec += us / 1000000;
		until.tv_nsec = us % 1000000 * 1000;
		q->awaited = count;
		while (error == 0 && q->count < count && !q->closed)
			error = pthread_cond_timedwait(&q->enough, &q->lock, &until);
		q->awaited = 0;
	}
	unlock(q);
}

void cs_queue_close(struct cs_queue *q)
{
	lock(q);
	q->closed = true;
	pthread_cond_broadcast(&q->not_empty);
	pthread_cond_broadcast(&q->enough);
	unlock(q);
}

size_t cs_queue_len(struct cs_queue *q)
{
	size_t n;

	lock(q);
	n = q->count;
	unlock(q);
	return n;
}
