/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A core without a store, for tests of http/ alone: canned answers, an access list of its own, and
 * counters of what it was told. The comment of a submission chooses the answer.
 */
#ifndef CS_TESTS_FAKE_CORE_H
#define CS_TESTS_FAKE_CORE_H

#include "core/core.h"

#define FAKE_ID "01900000-0000-7000-8000-000000000001"     /* pending until it is cancelled */
#define FAKE_SIGNED "01900000-0000-7000-8000-000000000002" /* signed, for ever */

/** NULL without memory. */
struct cs_core *fake_core_new(void);
void fake_core_free(struct cs_core *c);
/** Put another access list in force; the reference is taken. */
void fake_core_set_access(struct cs_core *c, struct cs_access *access);
/**
 * Read "NAME ROLE SPKI-SHA256" lines, one principal each.
 *
 * @return NULL when a line is none, or without memory
 */
struct cs_access *fake_access_parse(const char *text);

#endif
