/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of store/sqlite/places.c: in a small shape, so that every turn comes often, no request is
 * ever missing from the index, whatever ends the transaction or the process. The reference is the
 * table of documents.
 */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/sqlite/db.h"

/* 8 ranges, a turn every second request: a round of 16 */
static const struct sq_places_shape shape = { .bits = 2, .step = 2 };
#define ROUND 16

#define TIME (INT64_C(1769860800) * CS_SECOND)

static char dir[64];
static char path[96];
static struct cs_store *store;
static int64_t made;          /* requests, those that were undone, too */
static enum cs_state made_as; /* the state of what is inserted */

static void must(enum cs_rc rc, const struct cs_err *e)
{
	ck_assert_msg(rc == CS_OK, "%s: %s", cs_rc_name(rc), e->msg);
}

static void open_store(const struct sq_places_shape *as)
{
	struct cs_err e = { 0 };

	must(cs_store_open(path, CS_STORE_WRITE, &store, &e), &e);
	must(sq_places_load(store, as, &e), &e);
}

static void close_store(void)
{
	cs_store_close(store);
	store = NULL;
}

static void reopen(const struct sq_places_shape *as)
{
	close_store();
	open_store(as);
}

static void setup(void)
{
	made = 0;
	made_as = CS_ST_SIGNED;
	snprintf(dir, sizeof(dir), "/tmp/cs-places-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/log.db", dir);
	open_store(&shape);
}

static void teardown(void)
{
	static const char *const names[] = { "", "-wal", "-shm", "-lock", "_", "_-lock" };

	close_store();
	for (size_t i = 0; i < CS_COUNT(names); i++) {
		char name[128];

		snprintf(name, sizeof(name), "%s%s", path, names[i]);
		unlink(name);
	}
	ck_assert_int_eq(rmdir(dir), 0);
}

/* --- requests --- */

static void id_of(int64_t number, char id[static CS_UUID_TEXT])
{
	snprintf(id, CS_UUID_TEXT, "019c0000-0000-7000-8000-%012llx",
		 (unsigned long long)number & 0xffffffffffffULL);
}

static struct cs_sha256 equality_of(int64_t value)
{
	return cs_sha256((struct cs_bytes){ (const uint8_t *)&value, sizeof(value) });
}

/** One request of this value; every second one has a key, too. */
static enum cs_rc try_insert(int64_t value, struct cs_err *e)
{
	const struct cs_request doc = { .count = 1 };
	struct cs_idempotency key = { .fingerprint = equality_of(value) };
	struct cs_request_row row;
	char name[32];
	enum cs_rc rc;

	made++;
	snprintf(name, sizeof(name), "key-%lld", (long long)value);
	key.key = name;
	cs_request_row_init(&row);
	id_of(made, row.id);
	memcpy(row.principal, "ci", sizeof("ci"));
	row.environment = CS_ENV_DEV;
	row.state = made_as;
	row.created = TIME + made;
	row.expires = row.created + 1;
	row.revision = 1;
	row.equality = equality_of(value);
	cs_buf_add_str(&row.document, "{}");
	row.document_sha256 = cs_sha256(cs_buf_bytes(&row.document));
	rc = cs_store_request_insert(store, &row, &doc, value % 2 == 0 ? &key : NULL, e);
	cs_request_row_done(&row);
	return rc;
}

/** The newest request of a value is the one made as number so; 0 = there is none. */
static void newest_is(int64_t value, int64_t number)
{
	const struct cs_sha256 equality = equality_of(value);
	char name[32], want[CS_UUID_TEXT], id[CS_UUID_TEXT];
	struct cs_sha256 fingerprint;
	struct cs_err e = { 0 };

	if (number == 0) {
		ck_assert_int_eq(cs_store_equal(store, "ci", &equality, 0, id, &e), CS_E_NOT_FOUND);
		return;
	}
	id_of(number, want);
	must(cs_store_equal(store, "ci", &equality, 0, id, &e), &e);
	ck_assert_str_eq(id, want);
	ck_assert_int_eq(cs_store_equal(store, "other", &equality, 0, id, &e), CS_E_NOT_FOUND);
	ck_assert_int_eq(cs_store_equal(store, "ci", &equality, TIME + number, id, &e),
			 CS_E_NOT_FOUND);
	if (value % 2 != 0)
		return;
	snprintf(name, sizeof(name), "key-%lld", (long long)value);
	must(cs_store_idempotency(store, "ci", name, 0, &fingerprint, id, &e), &e);
	ck_assert_str_eq(id, want);
	ck_assert(cs_sha256_equal(&fingerprint, &equality));
}

static void insert(int64_t value)
{
	struct cs_err e = { 0 };

	must(try_insert(value, &e), &e);
	newest_is(value, made);
}

static void begin(void)
{
	struct cs_err e = { 0 };

	must(cs_store_begin(store, &e), &e);
}

static void commit(void)
{
	struct cs_err e = { 0 };

	must(cs_store_commit(store, &e), &e);
}

/** So many requests in commits of so many, with new values. */
static void insert_many(int count, int per_commit)
{
	for (int i = 0; i < count; i++) {
		if (i % per_commit == 0)
			begin();
		insert(made);
		if (i % per_commit == per_commit - 1 || i == count - 1)
			commit();
	}
}

/* --- the reference --- */

static int64_t number(const char *sql)
{
	sqlite3_stmt *st = NULL;
	int64_t n;

	ck_assert_int_eq(sqlite3_prepare_v2(store->db, sql, -1, &st, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(st), SQLITE_ROW);
	n = sqlite3_column_int64(st, 0);
	sqlite3_finalize(st);
	return n;
}

/** Whether a walk gives this request, and each request once, newest first. */
static bool walk_has(enum sq_place_kind kind, int64_t place, int64_t request)
{
	struct sq_places_walk walk = sq_places_walk(store, kind, place);
	struct cs_err e = { 0 };
	int64_t before = INT64_MAX, got = 0;
	bool found = false;
	enum cs_rc rc;

	while ((rc = sq_places_next(store, &walk, &got, &e)) == CS_OK) {
		ck_assert_int_lt(got, before);
		before = got;
		found = found || got == request;
	}
	ck_assert_int_eq(rc, CS_E_NOT_FOUND);
	return found;
}

/** Places of documents that a walk does not give. */
static int64_t missing(void)
{
	sqlite3_stmt *st = NULL;
	int64_t n = 0;

	ck_assert_int_eq(sqlite3_prepare_v2(store->db,
					    "SELECT 0, equality_place, request FROM document "
					    "UNION ALL SELECT 1, key_place, request FROM document "
					    "WHERE key_place IS NOT NULL",
					    -1, &st, NULL),
			 SQLITE_OK);
	while (sqlite3_step(st) == SQLITE_ROW)
		if (!walk_has((enum sq_place_kind)sqlite3_column_int(st, 0),
			      sqlite3_column_int64(st, 1), sqlite3_column_int64(st, 2)))
			n++;
	ck_assert_int_eq(sqlite3_finalize(st), SQLITE_OK);
	return n;
}

/** Every place of every document is found, the table has no other, and less than a round is kept in
 * memory. */
static void whole(void)
{
	const int64_t requests = number("SELECT count(*) FROM document");
	const int64_t rows = number("SELECT count(*) FROM request_place");

	ck_assert_int_eq(missing(), 0);
	ck_assert_int_eq(number("SELECT count(*) FROM request_place AS p LEFT JOIN document AS d "
				"ON d.request = p.request AND p.place = iif(p.kind = 0, "
				"d.equality_place, d.key_place) WHERE d.request IS NULL"),
			 0);
	ck_assert_int_eq(number("SELECT count(*) FROM document AS d WHERE d.request <= "
				"(SELECT max(request) FROM document) - 16 AND NOT EXISTS (SELECT 1 "
				"FROM request_place AS p WHERE p.kind = 0 AND "
				"p.place = d.equality_place AND p.request = d.request)"),
			 0);
	if (requests > ROUND)
		ck_assert_int_gt(rows, 0);
}

/* --- tests --- */

START_TEST(every_request_is_found_at_once_and_ever_after)
{
	static const int per_commit[] = { 1, 3, 40 };
	struct cs_err e = { 0 };

	insert_many(400, per_commit[_i]);
	for (int64_t value = 0; value < 400; value++)
		newest_is(value, value + 1);
	newest_is(400, 0);
	whole();
	ck_assert_int_gt(number("SELECT count(*) FROM request_place WHERE place < 0"), 100);
	ck_assert_int_gt(number("SELECT count(*) FROM request_place WHERE place > 0"), 100);
	must(cs_store_check_pages(store, &e), &e);
}
END_TEST

/* In one transaction, in one range's list, partly in the table, all in the table. */
START_TEST(of_equal_requests_the_newest_is_found)
{
	for (int i = 0; i < 5 * ROUND; i++) {
		begin();
		insert(7);
		insert(8);
		insert(7);
		commit();
	}
	whole();
	newest_is(7, made);
	newest_is(8, made - 1);
	insert_many(3 * ROUND, 5);
	newest_is(7, 15 * ROUND);
	newest_is(8, 15 * ROUND - 1);
	whole();
}
END_TEST

/* Whoever submits and cancels the same again and again costs nobody more than so many looks. */
START_TEST(only_the_last_equal_requests_are_looked_at)
{
	struct cs_err e = { 0 };

	begin();
	insert(7);
	made_as = CS_ST_CANCELLED;
	for (int i = 0; i < CS_EQUAL_MAX - 1; i++)
		must(try_insert(7, &e), &e);
	newest_is(7, 1);
	must(try_insert(7, &e), &e);
	newest_is(7, 0);
	made_as = CS_ST_SIGNED;
	insert(7);
	commit();
	newest_is(7, made);
}
END_TEST

/* A quarter of the places of a kind, in the order of the table's integers, which have a sign. */
START_TEST(a_turn_is_of_a_contiguous_range)
{
	for (int64_t turn = 1; turn < 40; turn++) {
		begin();
		ck_assert_int_eq(
			sqlite3_exec(store->db, "DELETE FROM request_place", NULL, NULL, NULL),
			SQLITE_OK);
		insert(made);
		insert(made);
		commit();
		if (turn <= ROUND / 2)
			continue;
		ck_assert_int_eq(number("SELECT count(DISTINCT kind * 4 + (place >> 62)) <= 1 "
					"FROM request_place"),
				 1);
		ck_assert_int_eq(number("SELECT coalesce(min(kind * 4 + (place >> 62) + 2), -1) "
					"IN (-1, (SELECT max(request) FROM document) / 2 % 8) "
					"FROM request_place"),
				 1);
	}
}
END_TEST

START_TEST(a_store_is_opened_at_any_moment_of_a_round)
{
	for (int i = 0; i < 3 * ROUND; i++) {
		reopen(&shape);
		ck_assert_int_eq(missing(), 0);
		insert_many(1 + i % 3, 2);
		whole();
	}
}
END_TEST

START_TEST(a_rollback_leaves_nothing_and_loses_nothing)
{
	for (int i = 0; i < 60; i++) {
		int64_t first;

		insert_many(1 + i % 5, 3);
		first = made;
		begin();
		for (int j = 0; j < i; j++) /* up to some rounds of turns */
			insert(made);
		cs_store_rollback(store);
		for (int64_t value = first; value < made; value++)
			newest_is(value, 0);
		whole();
	}
	reopen(&shape);
	whole();
}
END_TEST

START_TEST(a_savepoint_takes_turns_back)
{
	struct cs_err e = { 0 };

	for (int i = 0; i < 60; i++) {
		int64_t undone;

		begin();
		for (int j = 0; j < i % 7; j++)
			insert(made);
		must(cs_store_savepoint(store, &e), &e);
		undone = made;
		for (int j = 0; j < i % 40; j++)
			insert(made);
		must(cs_store_revert(store, &e), &e);
		for (int64_t value = undone; value < made; value++)
			newest_is(value, 0);
		must(cs_store_savepoint(store, &e), &e);
		for (int j = 0; j < i % 5; j++)
			insert(made);
		must(cs_store_release(store, &e), &e);
		ck_assert_int_eq(missing(), 0);
		if (i % 3 == 0)
			cs_store_rollback(store);
		else
			commit();
		whole();
	}
	reopen(&shape);
	whole();
}
END_TEST

/* The process ends in the middle of a transaction that has merged, after others. */
START_TEST(a_process_that_dies_loses_nothing_it_committed)
{
	close_store();
	for (int i = 1; i <= 30; i++) {
		int status = 0;
		const pid_t pid = fork();

		ck_assert_int_ge(pid, 0);
		if (pid == 0) {
			open_store(&shape);
			insert_many(i, 3);
			begin();
			for (int j = 0; j < i; j++)
				insert(made);
			raise(SIGKILL);
		}
		ck_assert_int_eq(waitpid(pid, &status, 0), pid);
		ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		open_store(&shape);
		ck_assert_int_eq(number("SELECT count(*) FROM document"), i * (i + 1) / 2);
		made = number("SELECT count(*) FROM document");
		whole();
		for (int64_t value = 0; value < made; value++)
			newest_is(value, value + 1);
		close_store();
	}
	open_store(&shape);
}
END_TEST

START_TEST(a_full_disk_undoes_a_turn)
{
	struct cs_err e = { 0 };
	enum cs_rc rc = CS_OK;
	int64_t count;

	insert_many(100, 10);
	sq_confine(store, false);
	count = number("PRAGMA page_count");
	ck_assert_int_gt(count, 10);
	{
		char sql[64];

		snprintf(sql, sizeof(sql), "PRAGMA max_page_count=%lld", (long long)count);
		ck_assert_int_eq(number(sql), count);
	}
	sq_confine(store, true);
	begin();
	for (int i = 0; rc == CS_OK && i < 10000; i++)
		rc = try_insert(made, &e);
	ck_assert_int_eq(rc, CS_E_NO_SPACE);
	cs_store_rollback(store);
	ck_assert_int_eq(number("SELECT count(*) FROM document"), 100);
	whole();
	reopen(&shape);
	made = 100;
	insert_many(100, 10);
	whole();
}
END_TEST

START_TEST(a_backup_has_the_same_requests)
{
	struct cs_store *reader = NULL;
	struct cs_err e = { 0 };
	char copy[112];

	snprintf(copy, sizeof(copy), "%s_", path);
	insert_many(77, 4);
	fclose(fopen(copy, "we"));
	must(cs_store_open(path, CS_STORE_READ, &reader, &e), &e);
	ck_assert_ptr_null(reader->places);
	must(cs_store_backup(reader, copy, &e), &e);
	cs_store_close(reader);
	insert_many(50, 4);
	close_store();
	ck_assert_int_eq(rename(copy, path), 0);
	open_store(&shape);
	ck_assert_int_eq(number("SELECT count(*) FROM document"), 77);
	whole();
	for (int64_t value = 0; value < 77; value++)
		newest_is(value, value + 1);
	made = 77;
	insert_many(50, 4);
	whole();
}
END_TEST

START_TEST(another_writer_is_noticed)
{
	struct cs_err e = { 0 };
	sqlite3 *db = NULL;

	insert_many(5, 1);
	ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(db,
				      "INSERT INTO request (id, principal, environment, state, "
				      "created, expires, revision) VALUES ('x', 'ci', 'dev', "
				      "'signed', 1, 2, 1)",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	sqlite3_close(db);
	begin();
	ck_assert_int_eq(try_insert(made, &e), CS_E_CORRUPT);
	ck_assert_ptr_nonnull(strstr(e.msg, "request 7 follows request 5"));
	cs_store_rollback(store);
}
END_TEST

static int looks_into_table(void)
{
	return sqlite3_stmt_status(store->stmt[SQ_PLACE_BEFORE], SQLITE_STMTSTATUS_RUN, 1);
}

/* What a large database costs: nearly nothing of what is new is looked for in the table, at any
 * size and after every start. */
START_TEST(what_is_new_is_not_looked_for_in_the_table)
{
	for (int i = 0; i < 6; i++) {
		insert_many(500, 50);
		if (i % 2 == 1)
			reopen(&shape);
		looks_into_table();
		for (int64_t value = made; value < made + 1000; value++)
			newest_is(value, 0);
		ck_assert_int_lt(looks_into_table(), 150);
		newest_is(1, 2); /* one that is there, and the same of another principal */
		ck_assert_int_ge(looks_into_table(), 1);
	}
}
END_TEST

/* The reference sees what it must: a shape that the database was not written with, and rows that
 * are gone. */
START_TEST(what_is_missing_is_seen)
{
	static const struct sq_places_shape shapes[] = { { 2, 1 }, { 1, 2 } };

	insert_many(101, 7);
	for (size_t i = 0; i < CS_COUNT(shapes); i++) {
		reopen(&shapes[i]);
		ck_assert_int_gt(missing(), 0);
	}
	reopen(&shape);
	ck_assert_int_eq(missing(), 0);
	begin();
	ck_assert_int_eq(sqlite3_exec(store->db,
				      "DELETE FROM request_place WHERE request = 50 AND kind = 0",
				      NULL, NULL, NULL),
			 SQLITE_OK);
	commit();
	ck_assert_int_eq(missing(), 1);
}
END_TEST

/* The shape that databases are written with, in its first round, and one with as many ranges over
 * more than a round. */
START_TEST(a_large_shape_holds)
{
	const struct sq_places_shape shapes[] = { sq_places_shape, { sq_places_shape.bits, 1 } };

	reopen(&shapes[_i]);
	insert_many(6000, 500);
	ck_assert_int_eq(missing(), 0);
	reopen(&shapes[_i]);
	ck_assert_int_eq(missing(), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("places");
	TCase *t = tcase_create("places");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, every_request_is_found_at_once_and_ever_after, 0, 3);
	tcase_add_test(t, of_equal_requests_the_newest_is_found);
	tcase_add_test(t, only_the_last_equal_requests_are_looked_at);
	tcase_add_test(t, a_turn_is_of_a_contiguous_range);
	tcase_add_test(t, a_store_is_opened_at_any_moment_of_a_round);
	tcase_add_test(t, a_rollback_leaves_nothing_and_loses_nothing);
	tcase_add_test(t, a_savepoint_takes_turns_back);
	tcase_add_test(t, a_process_that_dies_loses_nothing_it_committed);
	tcase_add_test(t, a_full_disk_undoes_a_turn);
	tcase_add_test(t, a_backup_has_the_same_requests);
	tcase_add_test(t, what_is_new_is_not_looked_for_in_the_table);
	tcase_add_test(t, another_writer_is_noticed);
	tcase_add_test(t, what_is_missing_is_seen);
	tcase_add_loop_test(t, a_large_shape_holds, 0, 2);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
