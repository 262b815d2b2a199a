/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long polls wait in a list, not in a thread. A waiter is woken exactly once and looks again by
 * itself.
 */
#include <stdlib.h>
#include <string.h>

#include "core/internal.h"

#define WAITERS_MAX 4096

struct cs_waiter {
	struct cs_waiter *next;
	struct cs_share *share; /* whose place it has; borrowed */
	char id[CS_UUID_TEXT];  /* "" = anything */
	int64_t revision, deadline;
	cs_core_wake_fn *fn;
	void *arg;
};

void cs_waits_init(struct cs_waits *w)
{
	memset(w, 0, sizeof(*w));
	pthread_mutex_init(&w->lock, NULL);
}

/** Unlink the waiters that `due` names and call them without the lock. */
static void wake(struct cs_core *c, bool (*due)(const struct cs_waiter *, const void *),
		 const void *arg)
{
	struct cs_waits *w = &c->waits;
	struct cs_waiter *list = NULL, *next;

	pthread_mutex_lock(&w->lock);
	for (struct cs_waiter **p = &w->first; *p;) {
		struct cs_waiter *x = *p;

		if (!due(x, arg)) {
			p = &x->next;
			continue;
		}
		*p = x->next;
		x->next = list;
		list = x;
		w->count--;
	}
	pthread_mutex_unlock(&w->lock);
	for (; list; list = next) {
		next = list->next;
		cs_admission_wait_over(c->admission, list->share);
		list->fn(list->arg);
		free(list);
	}
}

static bool is_about(const struct cs_waiter *x, const void *id)
{
	return strcmp(x->id, id) == 0;
}

void cs_waits_notify(struct cs_core *c, const char *id)
{
	wake(c, is_about, id);
}

struct tick {
	int64_t now, revision;
};

static bool is_over(const struct cs_waiter *x, const void *arg)
{
	const struct tick *t = arg;

	return x->deadline <= t->now || (x->id[0] == '\0' && x->revision != t->revision);
}

void cs_waits_tick(struct cs_core *c, int64_t now_mono)
{
	struct tick t = { now_mono, atomic_load(&c->revision) };

	wake(c, is_over, &t);
}

static bool any(const struct cs_waiter *x, const void *arg)
{
	(void)x, (void)arg;
	return true;
}

void cs_waits_notify_all(struct cs_core *c)
{
	wake(c, any, NULL);
}

void cs_waits_close(struct cs_core *c)
{
	pthread_mutex_lock(&c->waits.lock);
	c->waits.closed = true;
	pthread_mutex_unlock(&c->waits.lock);
	wake(c, any, NULL);
}

/** Has what the waiter waits for happened already? Asked after it is in the list, so that nothing
 * is missed. */
static bool moved_on(struct cs_core *c, const char *id, int64_t revision)
{
	struct cs_request_row row;
	struct cs_store *s;
	bool moved;

	if (!id)
		return atomic_load(&c->revision) != revision;
	cs_request_row_init(&row);
	s = cs_reader_get(c);
	moved = cs_store_request(s, id, &row, NULL) != CS_OK || row.revision != revision;
	cs_reader_put(c, s);
	cs_request_row_done(&row);
	return moved;
}

enum cs_rc cs_core_wait(struct cs_core *c, const struct cs_caller *who, const char *id,
			int64_t revision, int64_t deadline, cs_core_wake_fn *fn, void *arg,
			struct cs_err *e)
{
	struct cs_waits *w = &c->waits;
	struct cs_waiter *x = calloc(1, sizeof(*x));
	enum cs_rc rc;

	if (!x)
		return CS_FAIL(e, CS_E_NOMEM, "a waiter");
	rc = cs_admission_wait(c->admission, who->principal, &x->share, e);
	if (rc != CS_OK) {
		free(x);
		return rc;
	}
	memcpy(x->id, id ? id : "", id ? strlen(id) + 1 : 1);
	x->revision = revision;
	x->deadline = deadline;
	x->fn = fn;
	x->arg = arg;
	pthread_mutex_lock(&w->lock);
	if (w->closed || w->count >= WAITERS_MAX) {
		pthread_mutex_unlock(&w->lock);
		cs_admission_wait_over(c->admission, x->share);
		free(x);
		return CS_FAIL(e, CS_E_BUSY,
			       "too many requests wait already; ask again without wait");
	}
	x->next = w->first;
	w->first = x;
	w->count++;
	pthread_mutex_unlock(&w->lock);
	if (moved_on(c, id, revision))
		cs_waits_notify(c, id ? id : "");
	return CS_OK;
}

size_t cs_waits_count(struct cs_core *c)
{
	size_t count;

	pthread_mutex_lock(&c->waits.lock);
	count = c->waits.count;
	pthread_mutex_unlock(&c->waits.lock);
	return count;
}
