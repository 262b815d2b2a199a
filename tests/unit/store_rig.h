/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database in a directory of its own, for unit_store's files of tests.
 */
#ifndef CS_UNIT_STORE_RIG_H
#define CS_UNIT_STORE_RIG_H

#include <check.h>

#include "store/store.h"

extern char path[96];
extern struct cs_store *store; /* open for writing; a test may close it, and open it again */

void setup(void);
void teardown(void);

void must(enum cs_rc rc, const struct cs_err *e);
/** An event of this actor. */
enum cs_rc append(const char *actor, struct cs_err *e);
/** So many events in a transaction. */
void append_committed(int count);
/** Run SQL on the file as somebody with access to it would, with triggers in force. @return
 * SQLite's code */
int outside(const char *sql);

/** Of store_migrate.c. */
void add_migrate_tests(TCase *t);

#endif
