/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rates: a token bucket per principal, refilled continuously, as deep as one minute's allowance.
 */
#include <stdlib.h>
#include <string.h>

#include "core/internal.h"

#define BUCKETS 1024 /* hash chains; principals are few */

struct bucket {
	struct bucket *next;
	char principal[CS_NAME_MAX + 1];
	int64_t micro; /* allowance, in millionths of a request */
	int64_t at;    /* µs, monotonic */
};

struct cs_admission {
	pthread_mutex_t lock;
	struct bucket *chains[BUCKETS];
};

enum cs_rc cs_admission_new(struct cs_admission **ap, struct cs_err *e)
{
	struct cs_admission *a = calloc(1, sizeof(*a));

	if (!a)
		return CS_FAIL(e, CS_E_NOMEM, "the table of rates");
	pthread_mutex_init(&a->lock, NULL);
	*ap = a;
	return CS_OK;
}

void cs_admission_free(struct cs_admission *a)
{
	struct bucket *next;

	if (!a)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct bucket *b = a->chains[i]; b; b = next) {
			next = b->next;
			free(b);
		}
	pthread_mutex_destroy(&a->lock);
	free(a);
}

static size_t chain_of(const char *name)
{
	uint32_t h = 2166136261U; /* FNV-1a: names are ours, nobody chooses them to collide */

	for (; *name; name++)
		h = (h ^ (uint8_t)*name) * 16777619U;
	return h % BUCKETS;
}

static struct bucket *find(struct cs_admission *a, const struct cs_principal *p, int64_t now)
{
	struct bucket **chain = &a->chains[chain_of(p->name)];
	struct bucket *b;

	for (b = *chain; b; b = b->next)
		if (strcmp(b->principal, p->name) == 0)
			return b;
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	memcpy(b->principal, p->name, sizeof(b->principal));
	b->micro = p->rate * CS_SECOND;
	b->at = now;
	b->next = *chain;
	*chain = b;
	return b;
}

enum cs_rc cs_admission_take(struct cs_admission *a, const struct cs_principal *p, int64_t now_mono,
			     int64_t *retry_after, struct cs_err *e)
{
	const int64_t one = CS_SECOND, full = p->rate * CS_SECOND;
	enum cs_rc rc = CS_OK;
	struct bucket *b;

	pthread_mutex_lock(&a->lock);
	b = find(a, p, now_mono);
	if (!b) {
		rc = CS_FAIL(e, CS_E_NOMEM, "the rate of %s", p->name);
		goto out;
	}
	/* rate a minute = rate/60 millionths a microsecond; a minute fills any bucket, so nothing
	 * overflows */
	if (now_mono - b->at >= 60 * CS_SECOND)
		b->micro = full;
	else
		b->micro += (now_mono - b->at) * p->rate / 60;
	if (b->micro > full)
		b->micro = full;
	b->at = now_mono;
	if (b->micro < one) {
		*retry_after = (one - b->micro) * 60 / (p->rate > 0 ? p->rate : 1) / CS_SECOND + 1;
		rc = CS_FAIL(
			e, CS_E_RATE,
			"%s may send %lld requests a minute (rate in access.yaml); try again in "
			"%lld s",
			p->name, (long long)p->rate, (long long)*retry_after);
		goto out;
	}
	b->micro -= one;
out:
	pthread_mutex_unlock(&a->lock);
	return rc;
}
