/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table from 32-byte keys to pointers, for a million requests. Keys are never removed: what
 * has ended keeps its key with the value NULL, and that is how a second use of an id is noticed.
 */
#ifndef CS_VERIFY_MAP_H
#define CS_VERIFY_MAP_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/** A request's id, and the artifact and attempt where they matter (0 otherwise). */
struct cs_map_key {
	uint8_t b[32];
};

/** @param request  a UUID in its text form */
struct cs_map_key cs_map_key(const char *request, int64_t artifact, int64_t attempt);

struct cs_map_slot {
	struct cs_map_key key;
	void *value;
	bool used;
};

/** Zeroed is empty. */
struct cs_map {
	struct cs_map_slot *slots; /* owned; cap of them, a power of two */
	size_t count, cap;
};

/** The slot with this key, or NULL. Borrowed, valid until the next addition. */
struct cs_map_slot *cs_map_find(const struct cs_map *m, const struct cs_map_key *key);
/** Add a key that is not there yet. CS_E_NOMEM leaves the map as it was. */
enum cs_rc cs_map_add(struct cs_map *m, const struct cs_map_key *key, void *value,
		      struct cs_err *e) CS_MUST_CHECK;
/** Free the slots; the values are the caller's. */
void cs_map_done(struct cs_map *m);

#endif
