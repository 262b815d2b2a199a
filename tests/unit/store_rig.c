/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A database of its own for each test of unit_store. See store_rig.h.
 */
#include "unit/store_rig.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "unit/samples.h"

static char dir[64];
char path[96];
struct cs_store *store;

void must(enum cs_rc rc, const struct cs_err *e)
{
	ck_assert_msg(rc == CS_OK, "%s: %s", cs_rc_name(rc), e->msg);
}

void setup(void)
{
	struct cs_err e = { 0 };

	snprintf(dir, sizeof(dir), "/tmp/cs-store-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/log.db", dir);
	must(cs_store_open(path, CS_STORE_WRITE, &store, &e), &e);
}

void teardown(void)
{
	static const char *const names[] = { "", "-wal", "-shm", "-lock", "_", "_-wal", "_-shm" };

	cs_store_close(store);
	store = NULL;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char name[128];

		snprintf(name, sizeof(name), "%s%s", path, names[i]);
		unlink(name);
	}
	ck_assert_int_eq(rmdir(dir), 0);
}

enum cs_rc append(const char *actor, struct cs_err *e)
{
	struct cs_event ev = {
		.time = SAMPLE_TIME,
		.kind = CS_EV_STOP,
		.detail = { (const uint8_t *)"{}", 2 },
	};

	memcpy(ev.actor, actor, strlen(actor) + 1);
	return cs_store_append(store, &ev, NULL, e);
}

void append_committed(int count)
{
	struct cs_err e = { 0 };

	must(cs_store_begin(store, &e), &e);
	for (int i = 0; i < count; i++)
		must(append("daemon", &e), &e);
	must(cs_store_commit(store, &e), &e);
}

int outside(const char *sql)
{
	sqlite3 *db = NULL;
	int rc;

	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	sqlite3_exec(db, "PRAGMA recursive_triggers=ON", NULL, NULL, NULL);
	rc = sqlite3_exec(db, sql, NULL, NULL, NULL);
	sqlite3_close(db);
	return rc;
}
