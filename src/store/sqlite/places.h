/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index of requests by hashes, which come in no order: what is new waits in the writer's memory
 * and goes to the table a range of hashes at a time. Only the writing connection has it.
 * Only files of this directory include it; places.c says how it works.
 */
#ifndef CS_STORE_SQLITE_PLACES_H
#define CS_STORE_SQLITE_PLACES_H

#include "store/store.h"

/** What a place is made of. The numbers are those of request_place.kind. */
enum sq_place_kind { SQ_PLACE_EQUALITY, SQ_PLACE_KEY, SQ_PLACE__COUNT };

struct sq_places; /* opaque */

/**
 * Which range goes to the table when. A part of the schema: with another shape than the one it was
 * written with a database seems to have in its table what it has not.
 */
struct sq_places_shape {
	unsigned bits; /* 1..16: 2^bits ranges of places for each kind */
	int64_t step;  /* requests from one range's turn to the next one's */
};
extern const struct sq_places_shape sq_places_shape;

/** Read what is not in the table from the documents of the last round; in place of what s->places
 * held. */
enum cs_rc sq_places_load(struct cs_store *s, const struct sq_places_shape *shape,
			  struct cs_err *e) CS_MUST_CHECK;
void sq_places_free(struct sq_places *p);

/* --- with the transaction and its savepoint --- */

void sq_places_begin(struct sq_places *p);
void sq_places_savepoint(struct sq_places *p);
void sq_places_revert(struct sq_places *p);
void sq_places_rollback(struct sq_places *p);
/** After the commit. */
void sq_places_commit(struct sq_places *p);

/* --- requests --- */

/**
 * Add the request that was inserted last. After an error the transaction must be undone, as
 * memory may have a part of it.
 *
 * @param key  its place by Idempotency-Key; NULL when it has none
 * @return CS_E_CORRUPT when request numbers are not consecutive: somebody else writes
 */
enum cs_rc sq_places_add(struct cs_store *s, int64_t request, int64_t equality, const int64_t *key,
			 struct cs_err *e) CS_MUST_CHECK;

/** A walk over the requests at a place, newest first. The store must not change meanwhile. */
struct sq_places_walk {
	enum sq_place_kind kind;
	int64_t place;
	int64_t before; /* requests from here on were given */
	size_t left;    /* entries in memory that were not looked at */
};
struct sq_places_walk sq_places_walk(const struct cs_store *s, enum sq_place_kind kind,
				     int64_t place);
/** The next one; CS_E_NOT_FOUND at the end. Whether it has the value that the place is of, its
 * document says. */
enum cs_rc sq_places_next(struct cs_store *s, struct sq_places_walk *walk, int64_t *requestp,
			  struct cs_err *e) CS_MUST_CHECK;

#endif
