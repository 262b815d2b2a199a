/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A few threads that run short jobs, first come first served.
 * A job's owner embeds it, so putting one never fails and never allocates.
 */
#ifndef CS_BASE_POOL_H
#define CS_BASE_POOL_H

#include <stddef.h>

#include "base/err.h"

struct cs_pool;

/** Something to do. Belongs to the pool from put until run is called; run may free it. */
struct cs_job {
	struct cs_job *next; /* the pool's */
	void (*run)(struct cs_job *job);
};

/** @param threads  1 or more; as many jobs run at the same time */
enum cs_rc cs_pool_new(size_t threads, struct cs_pool **pp, struct cs_err *e) CS_MUST_CHECK;
/** Runs what was put, also by those jobs, then ends. NULL is fine. */
void cs_pool_free(struct cs_pool *p);
/** Any thread; never blocks. */
void cs_pool_put(struct cs_pool *p, struct cs_job *job);

#endif
