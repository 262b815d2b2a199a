/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one principal may take of what all share: two token buckets, of what changes something and
 * of reads, refilled continuously and as deep as one minute's allowance; and places to wait in.
 * Must not block: event loops ask, too.
 */
#include <stdlib.h>
#include <string.h>

#include "core/internal.h"

#define CHAINS 1024 /* of the hash table; principals are few */

/** In millionths of a request. */
struct bucket {
	int64_t micro;
	int64_t at; /* µs, monotonic */
};

/** Never freed before the end, so that a waiter can point to it. */
struct cs_share {
	struct cs_share *next;
	char principal[CS_NAME_MAX + 1];
	struct bucket writes, reads;
	size_t waits;
};

struct cs_admission {
	pthread_mutex_t lock;
	struct cs_share *chains[CHAINS];
	size_t waits_max; /* of one principal */
};

enum cs_rc cs_admission_new(size_t waits_max, struct cs_admission **ap, struct cs_err *e)
{
	struct cs_admission *a = calloc(1, sizeof(*a));

	if (!a)
		return CS_FAIL(e, CS_E_NOMEM, "the table of rates");
	a->waits_max = waits_max;
	pthread_mutex_init(&a->lock, NULL);
	*ap = a;
	return CS_OK;
}

void cs_admission_free(struct cs_admission *a)
{
	struct cs_share *next;

	if (!a)
		return;
	for (size_t i = 0; i < CHAINS; i++)
		for (struct cs_share *x = a->chains[i]; x; x = next) {
			next = x->next;
			free(x);
		}
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static size_t chain_of(const char *name)
{
	uint32_t h = 2166136261U; /* FNV-1a: names are ours, nobody chooses them to collide */

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619U;
	return h % CHAINS;
}

/** With the lock held. NULL without memory. */
static struct cs_share *find(struct cs_admission *a, const struct cs_principal *p, int64_t now)
{
	struct cs_share **chain = &a->chains[chain_of(p->name)];
	struct cs_share *x;

	for (x = *chain; x; x = x->next)
		if (strcmp(x->principal, p->name) == 0)
			return x;
	x = calloc(1, sizeof(*x));
	if (!x)
		return NULL;
	memcpy(x->principal, p->name, sizeof(x->principal));
	x->writes = (struct bucket){ p->rate * CS_SECOND, now };
	x->reads = (struct bucket){ p->read_rate * CS_SECOND, now };
	x->next = *chain;
	*chain = x;
	return x;
}

/** Take `cost` from a bucket that is refilled by `rate` a minute; the seconds until it would do, 0
 * when it did. */
static int64_t take(struct bucket *b, int64_t rate, int64_t cost, int64_t now)
{
	const int64_t need = cost * CS_SECOND, full = rate * CS_SECOND;

	/* rate a minute = rate/60 millionths a microsecond; a minute fills any bucket, so nothing
	 * overflows */
	if (now - b->at >= 60 * CS_SECOND)
		b->micro = full;
	else
		b->micro += (now - b->at) * rate / 60;
	if (b->micro > full)
		b->micro = full;
	b->at = now;
	/* what costs more than a full bucket waits for a full one */
	if (b->micro < need && b->micro < full)
		return ((need < full ? need : full) - b->micro) * 60 / rate / CS_SECOND + 1;
	b->micro -= need < full ? need : full;
	return 0;
}

/** Take from one of the principal's buckets. CS_E_RATE, for the caller to explain, with
 * *retry_after. */
static enum cs_rc spend(struct cs_admission *a, const struct cs_principal *p, bool is_read,
			int64_t cost, int64_t now, int64_t *retry_after, struct cs_err *e)
{
	const int64_t rate = is_read ? p->read_rate : p->rate;
	struct cs_share *x;
	int64_t after = 0;

	pthread_mutex_lock(&a->lock);
	x = find(a, p, now);
	if (x)
		after = take(is_read ? &x->reads : &x->writes, rate, cost, now);
	pthread_mutex_unlock(&a->lock);
	if (!x)
		return CS_FAIL(e, CS_E_NOMEM, "the rate of %s", p->name);
	if (after == 0)
		return CS_OK;
	*retry_after = after;
	return CS_E_RATE;
}

enum cs_rc cs_admission_take(struct cs_admission *a, const struct cs_principal *p, int64_t now_mono,
			     int64_t *retry_after, struct cs_err *e)
{
	const enum cs_rc rc = spend(a, p, false, 1, now_mono, retry_after, e);

	if (rc != CS_E_RATE)
		return rc;
	return CS_FAIL(
		e, CS_E_RATE,
		"%s may send %lld requests a minute (rate in access.yaml); try again in %lld s",
		p->name, (long long)p->rate, (long long)*retry_after);
}

enum cs_rc cs_core_admit_read(struct cs_core *c, const struct cs_caller *who, int64_t cost,
			      int64_t *retry_after, struct cs_err *e)
{
	const struct cs_principal *p = who->principal;
	const enum cs_rc rc = spend(c->admission, p, true, cost, cs_clock_mono(), retry_after, e);

	if (rc != CS_E_RATE)
		return rc;
	return CS_FAIL(e, CS_E_RATE,
		       "%s may read %lld times a minute (read_rate in access.yaml; a list counts "
		       "more than once); try again in %lld s, or wait for changes with wait=",
		       p->name, (long long)p->read_rate, (long long)*retry_after);
}

enum cs_rc cs_admission_wait(struct cs_admission *a, const struct cs_principal *p,
			     struct cs_share **xp, struct cs_err *e)
{
	enum cs_rc rc = CS_OK;
	struct cs_share *x;

	pthread_mutex_lock(&a->lock);
	x = find(a, p, cs_clock_mono());
	if (!x)
		rc = CS_FAIL(e, CS_E_NOMEM, "the share of %s", p->name);
	else if (x->waits >= a->waits_max)
		rc = CS_FAIL(e, CS_E_BUSY,
			     "%zu requests of %s wait already, as many as "
			     "long-polls-per-principal allows; ask again without wait",
			     x->waits, p->name);
	else
		x->waits++;
	pthread_mutex_unlock(&a->lock);
	if (rc == CS_OK)
		*xp = x;
	return rc;
}

void cs_admission_wait_over(struct cs_admission *a, struct cs_share *x)
{
	pthread_mutex_lock(&a->lock);
	x->waits--;
	pthread_mutex_unlock(&a->lock);
}
