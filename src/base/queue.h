/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bounded queue of pointers between threads. Putting never blocks: a full queue is CS_E_BUSY
 * (admission control).
 */
#ifndef CS_BASE_QUEUE_H
#define CS_BASE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct cs_queue;

enum cs_rc cs_queue_new(size_t capacity, struct cs_queue **qp, struct cs_err *e) CS_MUST_CHECK;
void cs_queue_free(struct cs_queue *q); /* must be empty of things that need freeing */
/** CS_E_BUSY when full, CS_E_CLOSED after cs_queue_close. */
enum cs_rc cs_queue_put(struct cs_queue *q, void *item) CS_MUST_CHECK;
/** Block until an item is there; NULL when closed and empty. */
void *cs_queue_take(struct cs_queue *q);
/** Take up to max items; blocks for the first only. 0 when closed and empty. */
size_t cs_queue_take_many(struct cs_queue *q, void **items, size_t max);
/** Wait until the queue has this many items, or is closed, but no longer than `us`. One taker only.
 */
void cs_queue_wait(struct cs_queue *q, size_t count, int64_t us);
void cs_queue_close(struct cs_queue *q);
size_t cs_queue_len(struct cs_queue *q);

#endif
