/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Token buckets in a set-associative table: an address that is not in it has a full bucket, and the
 * fullest one makes room. Must not grow, whoever knocks.
 * See sources.h for the contract.
 */
#include "http/sources.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

#define SETS 512 /* a power of two */
#define WAYS 8

/* `micro` is the allowance that is left, in millionths of a failure. */
struct source {
	uint64_t source; /* 0: free */
	int64_t micro;
	int64_t at;
};

struct cs_sources {
	pthread_mutex_t lock;
	int64_t per_minute;
	struct source sets[SETS][WAYS];
};

enum cs_rc cs_sources_new(int64_t per_minute, struct cs_sources **sp, struct cs_err *e)
{
	struct cs_sources *s = calloc(1, sizeof(*s));

	if (!s)
		return CS_FAIL(e, CS_E_NOMEM, "the table of sources");
	pthread_mutex_init(&s->lock, NULL);
	s->per_minute = per_minute;
	*sp = s;
	return CS_OK;
}

void cs_sources_free(struct cs_sources *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static uint64_t big_endian(const uint8_t *b, size_t len)
{
	uint64_t x = 0;

	for (size_t i = 0; i < len; i++)
		x = x << 8 | b[i];
	return x;
}

uint64_t cs_source_of(const struct sockaddr *address)
{
	static const uint64_t v4 = UINT64_C(0xffff) << 32; /* no IPv6 network begins like this */
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (address->sa_family == AF_INET) {
		memcpy(&in, address, sizeof(in));
		return v4 | ntohl(in.sin_addr.s_addr);
	}
	if (address->sa_family != AF_INET6)
		return v4;
	memcpy(&in6, address, sizeof(in6));
	if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
		return v4 | big_endian(in6.sin6_addr.s6_addr + 12, 4);
	/* the loopback address's network is 0, which is a free place */
	return big_endian(in6.sin6_addr.s6_addr, 8) |
	       (IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr) ? 1 : 0);
}

static void refill(const struct cs_sources *s, struct source *x, int64_t now)
{
	const int64_t full = s->per_minute * CS_SECOND;

	if (now - x->at >= 60 * CS_SECOND)
		x->micro = full;
	else
		x->micro += (now - x->at) * s->per_minute / 60;
	if (x->micro > full)
		x->micro = full;
	x->at = now;
}

static struct source *set_of(struct cs_sources *s, uint64_t source)
{
	/* Fibonacci hashing; addresses that collide only make the table forget */
	return s->sets[(source * UINT64_C(0x9e3779b97f4a7c15)) >> 55 & (SETS - 1)];
}

/* With the lock held. NULL when it is not in the table. */
static struct source *find(struct cs_sources *s, uint64_t source)
{
	struct source *set = set_of(s, source);

	for (size_t i = 0; i < WAYS; i++)
		if (set[i].source == source)
			return &set[i];
	return NULL;
}

bool cs_sources_may(struct cs_sources *s, uint64_t source, int64_t now)
{
	struct source *x;
	bool may = true;

	pthread_mutex_lock(&s->lock);
	x = find(s, source);
	if (x) {
		refill(s, x, now);
		may = x->micro >= CS_SECOND;
	}
	pthread_mutex_unlock(&s->lock);
	return may;
}

/* With the lock held: the place of the one that has failed least. */
static struct source *make_room(struct cs_sources *s, uint64_t source, int64_t now)
{
	struct source *set = set_of(s, source), *best = set;

	for (size_t i = 0; i < WAYS; i++) {
		refill(s, &set[i], now);
		if (set[i].source == 0 || (best->source != 0 && set[i].micro > best->micro))
			best = &set[i];
	}
	*best = (struct source){ source, s->per_minute * CS_SECOND, now };
	return best;
}

void cs_sources_failed(struct cs_sources *s, uint64_t source, int64_t now)
{
	struct source *x;

	pthread_mutex_lock(&s->lock);
	x = find(s, source);
	if (x)
		refill(s, x, now);
	else
		x = make_room(s, source, now);
	x->micro = x->micro > CS_SECOND ? x->micro - CS_SECOND : 0;
	pthread_mutex_unlock(&s->lock);
}
