/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests by hashes: ranges of places take turns to go from memory to the table request_place.
 * Must not keep a record of how far it is: the number of the last request says it, in memory, in
 * every copy of the file and after every kind of end. See places.h.
 *
 * Let a tick be every request whose number is a multiple of `step`. At tick t the range t modulo
 * the number of ranges goes to the table, in the transaction that inserts the request. So a table
 * page is written for many entries at once, and who opens a database knows by its last request
 * what the table has of each range, and finds the rest in the documents of one round.
 *
 * Most of what is looked for is new, and a look into a large table that finds nothing costs a page
 * that no cache holds. So a range gets a Bloom filter of what the table has of it, read from the
 * table when it is first asked for and again when it has doubled.
 */
#include "store/sqlite/places.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bloom.h"
#include "store/sqlite/db.h"

#define FIRST_SIZE 16 /* entries that a range has room for at first */

/* Rows of all filters together, a byte each; those of 4,000,000 requests at least. Ranges that find
 * no room do without. */
#define FILTERED_MAX (16 * 1048576)

static const char looking[] = "looking for a request";

/* A round of 131,072 requests: 128 entries a turn, 3 MiB of memory, and at most so many documents
 * to be read at the start. */
const struct sq_places_shape sq_places_shape = { .bits = 10, .step = 64 };

struct entry {
	int64_t place, request;
};

/** The entries of a contiguous range of places, in the order of requests. All at one place are
 * here, too: a round's number of them at most. */
struct range {
	struct entry *list; /* owned; NULL while empty */
	size_t count, size;
	struct cs_bloom *in_table; /* owned; at least what the table has; NULL: not known */
};

struct sq_places {
	struct sq_places_shape shape;
	int64_t last;    /* request */
	int64_t kept;    /* the same at the savepoint */
	int64_t durable; /* and at BEGIN */
	size_t count;    /* ranges: those of equality, then those of keys */
	size_t filtered; /* rows that all filters have room for */
	struct range ranges[];
};

/* --- which range, and when --- */

/** SQLite's integers have a sign: the ranges are in the order of the table. */
static size_t range_of(const struct sq_places *p, enum sq_place_kind kind, int64_t place)
{
	const uint64_t ordered = (uint64_t)place ^ UINT64_C(1) << 63;

	return ((size_t)kind << p->shape.bits) + (size_t)(ordered >> (64 - p->shape.bits));
}

/** The request up to which a range is in the table, when `last` is the last one; 0 before its first
 * turn. */
static int64_t merged_to(const struct sq_places *p, size_t range, int64_t last)
{
	const int64_t count = (int64_t)p->count, tick = last / p->shape.step;
	const int64_t turn = tick - (tick % count - (int64_t)range + count) % count;

	return turn > 0 ? turn * p->shape.step : 0;
}

static struct range *range_at_tick(struct sq_places *p, int64_t tick)
{
	return &p->ranges[(size_t)tick % p->count];
}

/* --- memory --- */

static enum cs_rc append(struct range *r, int64_t place, int64_t request, struct cs_err *e)
{
	if (r->count == r->size) {
		const size_t size = r->size > 0 ? 2 * r->size : FIRST_SIZE;
		struct entry *list = reallocarray(r->list, size, sizeof(*list));

		if (!list)
			return CS_FAIL(e, CS_E_NOMEM, "an index of %zu requests", size);
		r->list = list;
		r->size = size;
	}
	r->list[r->count++] = (struct entry){ place, request };
	return CS_OK;
}

/** Memory follows the number of entries: what a round filled, the next one may not. */
static void free_if_empty(struct range *r)
{
	if (r->count > 0)
		return;
	free(r->list);
	r->list = NULL;
	r->size = 0;
}

/** Forget requests after the last one that still is. */
static void cut(struct sq_places *p, int64_t last)
{
	for (size_t i = 0; p->last > last && i < p->count; i++) {
		struct range *r = &p->ranges[i];

		while (r->count > 0 && r->list[r->count - 1].request > last)
			r->count--;
		free_if_empty(r);
	}
	p->last = last;
}

/** Forget what is in the table, up to this request. */
static void drop(struct range *r, int64_t request)
{
	size_t gone = 0;

	while (gone < r->count && r->list[gone].request <= request)
		gone++;
	if (gone > 0)
		memmove(r->list, r->list + gone, (r->count - gone) * sizeof(*r->list));
	r->count -= gone;
	free_if_empty(r);
}

static enum cs_rc create(const struct sq_places_shape *shape, struct sq_places **pp,
			 struct cs_err *e)
{
	const size_t count = (size_t)SQ_PLACE__COUNT << shape->bits;
	struct sq_places *p;

	assert(shape->bits >= 1 && shape->bits <= 16 && shape->step >= 1);
	p = calloc(1, sizeof(*p) + count * sizeof(p->ranges[0]));
	if (!p)
		return CS_FAIL(e, CS_E_NOMEM, "the index of requests");
	p->shape = *shape;
	p->count = count;
	*pp = p;
	return CS_OK;
}

void sq_places_free(struct sq_places *p)
{
	for (size_t i = 0; p && i < p->count; i++) {
		free(p->ranges[i].list);
		free(p->ranges[i].in_table);
	}
	free(p);
}

/* --- filters --- */

static void forget_filter(struct sq_places *p, struct range *r)
{
	if (!r->in_table)
		return;
	p->filtered -= cs_bloom_capacity(r->in_table);
	free(r->in_table);
	r->in_table = NULL;
}

/** What goes to the table goes to its filter, too. A full one is forgotten. */
static void filter_list(struct sq_places *p, struct range *r)
{
	if (!r->in_table)
		return;
	for (size_t i = 0; i < r->count; i++)
		cs_bloom_add(r->in_table, (uint64_t)r->list[i].place);
	if (cs_bloom_count(r->in_table) > cs_bloom_capacity(r->in_table))
		forget_filter(p, r);
}

/** Room for twice what a range has when all have the same. */
static size_t filter_capacity(const struct sq_places *p)
{
	return 2 * (size_t)(p->last >> p->shape.bits) + FIRST_SIZE;
}

static sqlite3_stmt *bind_range(struct cs_store *s, size_t range)
{
	const unsigned bits = s->places->shape.bits;
	const uint64_t low = (uint64_t)range << (64 - bits) ^ UINT64_C(1) << 63;
	const uint64_t high = low + (UINT64_MAX >> bits);

	return sq_bind(s, SQ_PLACE_RANGE, "iii", (int64_t)(range >> bits), (int64_t)low,
		       (int64_t)high);
}

/** All rows of a range. Without memory there is no filter, which is no error. */
static enum cs_rc read_filter(struct cs_store *s, size_t range, struct cs_err *e)
{
	struct sq_places *p = s->places;
	const size_t capacity = filter_capacity(p);
	struct cs_bloom *filter = NULL;
	sqlite3_stmt *st;
	enum cs_rc rc;

	if (p->filtered + capacity <= FILTERED_MAX)
		filter = cs_bloom_new(capacity);
	if (!filter)
		return CS_OK;
	st = bind_range(s, range);
	while ((rc = sq_next(s, st, looking, e)) == CS_OK)
		cs_bloom_add(filter, (uint64_t)sqlite3_column_int64(st, 0));
	if (rc != CS_E_NOT_FOUND) {
		free(filter);
		return rc;
	}
	p->ranges[range].in_table = filter;
	p->filtered += capacity;
	return CS_OK;
}

/** CS_E_NOT_FOUND when the table does not have a place; CS_OK when it may, or nothing is known. */
static enum cs_rc ask_filter(struct cs_store *s, size_t range, int64_t place, struct cs_err *e)
{
	const struct range *r = &s->places->ranges[range];
	const enum cs_rc rc = r->in_table ? CS_OK : read_filter(s, range, e);

	if (rc != CS_OK || !r->in_table || cs_bloom_may_have(r->in_table, (uint64_t)place))
		return rc;
	return CS_E_NOT_FOUND;
}

/* --- the table --- */

static int by_place(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return (x->request > y->request) - (x->request < y->request);
}

/** A tick: all entries of its range. They stay in memory until the commit; what an earlier tick of
 * the same transaction has inserted is ignored. */
static enum cs_rc merge(struct cs_store *s, int64_t tick, struct cs_err *e)
{
	struct range *r = range_at_tick(s->places, tick);
	const int64_t kind = (tick % (int64_t)s->places->count) >> s->places->shape.bits;
	struct entry *sorted;
	enum cs_rc rc = CS_OK;

	if (r->count == 0)
		return CS_OK;
	sorted = malloc(r->count * sizeof(*sorted));
	if (!sorted)
		return CS_FAIL(e, CS_E_NOMEM, "%zu requests of an index", r->count);
	memcpy(sorted, r->list, r->count * sizeof(*sorted));
	qsort(sorted, r->count, sizeof(*sorted), by_place);
	filter_list(s->places, r);
	for (size_t i = 0; rc == CS_OK && i < r->count; i++)
		rc = sq_run(s,
			    sq_bind(s, SQ_PLACE_INSERT, "iii", kind, sorted[i].place,
				    sorted[i].request),
			    NULL, "recording a request", e);
	free(sorted);
	return rc;
}

/** Add an entry unless it must be in the table. */
static enum cs_rc load_entry(struct sq_places *p, enum sq_place_kind kind, int64_t place,
			     int64_t request, struct cs_err *e)
{
	const size_t range = range_of(p, kind, place);

	return request > merged_to(p, range, p->last) ? append(&p->ranges[range], place, request, e)
						      : CS_OK;
}

static enum cs_rc load_round(struct cs_store *s, struct sq_places *p, struct cs_err *e)
{
	const int64_t round = (int64_t)p->count * p->shape.step;
	sqlite3_stmt *st = sq_bind(s, SQ_PLACE_LOAD, "i", p->last - round);
	enum cs_rc rc;

	while ((rc = sq_next(s, st, "reading the last requests", e)) == CS_OK) {
		const int64_t request = sqlite3_column_int64(st, 0);

		rc = load_entry(p, SQ_PLACE_EQUALITY, sqlite3_column_int64(st, 1), request, e);
		if (rc == CS_OK && sqlite3_column_type(st, 2) != SQLITE_NULL)
			rc = load_entry(p, SQ_PLACE_KEY, sqlite3_column_int64(st, 2), request, e);
		if (rc != CS_OK)
			break;
	}
	sq_reset(st);
	return rc == CS_E_NOT_FOUND ? CS_OK : rc;
}

enum cs_rc sq_places_load(struct cs_store *s, const struct sq_places_shape *shape, struct cs_err *e)
{
	struct sq_places *p = NULL;
	enum cs_rc rc;

	if ((rc = create(shape, &p, e)) != CS_OK ||
	    (rc = cs_store_last_request(s, &p->last, e)) != CS_OK ||
	    (rc = load_round(s, p, e)) != CS_OK)
		goto out;
	sq_places_free(s->places);
	s->places = p;
	p = NULL; /* transferred */
out:
	sq_places_free(p);
	return rc;
}

/* --- with the transaction --- */

void sq_places_begin(struct sq_places *p)
{
	p->durable = p->last;
}

void sq_places_savepoint(struct sq_places *p)
{
	p->kept = p->last;
}

void sq_places_revert(struct sq_places *p)
{
	cut(p, p->kept);
}

void sq_places_rollback(struct sq_places *p)
{
	cut(p, p->durable);
}

void sq_places_commit(struct sq_places *p)
{
	for (int64_t tick = p->durable / p->shape.step + 1; tick <= p->last / p->shape.step; tick++)
		drop(range_at_tick(p, tick), tick * p->shape.step);
	p->durable = p->last;
}

/* --- requests --- */

enum cs_rc sq_places_add(struct cs_store *s, int64_t request, int64_t equality, const int64_t *key,
			 struct cs_err *e)
{
	struct sq_places *p = s->places;
	enum cs_rc rc;

	if (request != p->last + 1)
		return CS_FAIL(e, CS_E_CORRUPT,
			       "request %lld follows request %lld: another program writes to the "
			       "database",
			       (long long)request, (long long)p->last);
	p->last = request;
	rc = append(&p->ranges[range_of(p, SQ_PLACE_EQUALITY, equality)], equality, request, e);
	if (rc == CS_OK && key)
		rc = append(&p->ranges[range_of(p, SQ_PLACE_KEY, *key)], *key, request, e);
	if (rc == CS_OK && request % p->shape.step == 0)
		rc = merge(s, request / p->shape.step, e);
	return rc;
}

struct sq_places_walk sq_places_walk(const struct cs_store *s, enum sq_place_kind kind,
				     int64_t place)
{
	assert(s->places); /* readers have no memory of what is new */
	return (struct sq_places_walk){
		.kind = kind,
		.place = place,
		.before = INT64_MAX,
		.left = s->places->ranges[range_of(s->places, kind, place)].count,
	};
}

enum cs_rc sq_places_next(struct cs_store *s, struct sq_places_walk *walk, int64_t *requestp,
			  struct cs_err *e)
{
	const size_t range = range_of(s->places, walk->kind, walk->place);
	const struct range *r = &s->places->ranges[range];
	sqlite3_stmt *st;
	enum cs_rc rc;

	while (walk->left > 0) {
		const struct entry *x = &r->list[--walk->left];

		if (x->place == walk->place) {
			*requestp = walk->before = x->request;
			return CS_OK;
		}
	}
	rc = ask_filter(s, range, walk->place, e);
	if (rc != CS_OK)
		return rc;
	st = sq_bind(s, SQ_PLACE_BEFORE, "iii", (int64_t)walk->kind, walk->place, walk->before);
	rc = sq_next(s, st, looking, e);
	if (rc != CS_OK)
		return rc;
	*requestp = walk->before = sqlite3_column_int64(st, 0);
	sq_reset(st);
	return CS_OK;
}
