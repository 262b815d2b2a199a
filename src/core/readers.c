/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The pool of reading connections.
 */
#include <string.h>

#include "core/internal.h"

enum cs_rc cs_readers_open(struct cs_readers *r, const char *path, size_t count, struct cs_err *e)
{
	enum cs_rc rc;

	pthread_mutex_init(&r->lock, NULL);
	pthread_cond_init(&r->free, NULL);
	r->count = r->idle = 0;
	if (count > CS_READERS_MAX)
		count = CS_READERS_MAX;
	while (r->count < count) {
		rc = cs_store_open(path, CS_STORE_READ, &r->stores[r->count], e);
		if (rc != CS_OK)
			return rc;
		r->idle = ++r->count;
	}
	return CS_OK;
}

void cs_readers_close(struct cs_readers *r)
{
	for (size_t i = 0; i < r->count; i++)
		cs_store_close(r->stores[i]);
	r->count = r->idle = 0;
}

struct cs_store *cs_reader_get(struct cs_core *c)
{
	struct cs_readers *r = &c->readers;
	struct cs_store *s;

	pthread_mutex_lock(&r->lock);
	while (r->idle == 0)
		pthread_cond_wait(&r->free, &r->lock);
	s = r->stores[--r->idle];
	pthread_mutex_unlock(&r->lock);
	return s;
}

void cs_reader_put(struct cs_core *c, struct cs_store *s)
{
	struct cs_readers *r = &c->readers;

	pthread_mutex_lock(&r->lock);
	r->stores[r->idle++] = s;
	pthread_cond_signal(&r->free);
	pthread_mutex_unlock(&r->lock);
}
