/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of databases that an older release wrote.
 */
#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "unit/store_rig.h"

#define PENDING "019c0000-0000-7000-8000-000000000002"

/** The value of a query on a file, as text. */
static void query(const char *file, const char *sql, char *out, size_t size)
{
	sqlite3_stmt *st = NULL;
	sqlite3 *db = NULL;

	ck_assert_int_eq(sqlite3_open(file, &db), SQLITE_OK);
	ck_assert_int_eq(sqlite3_prepare_v2(db, sql, -1, &st, NULL), SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(st), SQLITE_ROW);
	snprintf(out, size, "%s", (const char *)sqlite3_column_text(st, 0));
	sqlite3_finalize(st);
	sqlite3_close(db);
}

/** The tables' columns, the indexes and triggers of a file. */
static void schema_of(const char *file, char out[static 8192])
{
	query(file,
	      "SELECT group_concat(line, char(10)) FROM (SELECT s.name || ' ' || c.cid || ' ' || "
	      "c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' || c.pk AS line FROM "
	      "sqlite_schema AS s JOIN pragma_table_info(s.name) AS c WHERE s.type = 'table' "
	      "UNION ALL SELECT name || ' ' || tbl_name || ' ' || sql FROM sqlite_schema "
	      "WHERE type <> 'table' AND sql IS NOT NULL ORDER BY 1)",
	      out, 8192);
}

/* A database of schema 1 with two requests, one of them with a key, and events of the sample. */
static void make_schema_1(void)
{
	char file[512];
	struct cs_buf sql;
	struct cs_err e = { 0 };

	ck_assert_ptr_nonnull(getenv("CS_SRCDIR"));
	snprintf(file, sizeof(file), "%s/tests/vectors/schema-1.sql", getenv("CS_SRCDIR"));
	cs_buf_init(&sql, 1 << 16);
	must(cs_file_read(file, &sql, &e), &e);
	cs_buf_add_str(
		&sql,
		"PRAGMA application_id=1129532487; PRAGMA user_version=1; PRAGMA journal_mode=WAL;"
		"CREATE TEMP TABLE h AS SELECT CAST(printf('%032d', value) AS BLOB) AS hash, value AS n "
		"FROM json_each('[1,2,3,4,5,6,7]');"
		"INSERT INTO event SELECT 1, x'7b7d', hash, zeroblob(32) FROM h WHERE n = 1;"
		"INSERT INTO event SELECT 2, x'7b7d', b.hash, a.hash FROM h AS a, h AS b "
		"WHERE a.n = 1 AND b.n = 2;"
		"INSERT INTO request (num, id, principal, environment, state, created, expires, "
		"revision, document, document_sha256, equality) "
		"SELECT 1, '019c0000-0000-7000-8000-000000000001', 'ci', 'dev', 'signed', 5, 9, 2, "
		"x'7b7d', a.hash, b.hash FROM h AS a, h AS b WHERE a.n = 3 AND b.n = 4 UNION ALL "
		"SELECT 7, '" PENDING "', 'ci', 'prod', 'pending', 6, 9, 2, "
		"x'7b207d', a.hash, b.hash FROM h AS a, h AS b WHERE a.n = 5 AND b.n = 6;"
		"INSERT INTO artifact (request, idx, state) VALUES (1, 0, 'signed'), (7, 0, 'waiting');"
		"INSERT INTO signature VALUES (1, 0, x'3000');"
		"INSERT INTO idempotency SELECT 'ci', 'key-1', hash, 7, 6 FROM h WHERE n = 7;");
	must(cs_buf_ok(&sql, "schema 1", &e), &e);
	cs_store_close(store);
	store = NULL;
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(outside(cs_buf_str(&sql)), SQLITE_OK);
	cs_buf_done(&sql);
}

START_TEST(a_database_of_schema_1_is_migrated_after_a_copy)
{
	struct cs_sha256 equality;
	struct cs_request_row row;
	struct cs_sha256 back;
	struct cs_log_ref log;
	struct cs_err e = { 0 };
	static char fresh[8192], migrated[8192];
	char copy[128], id[CS_UUID_TEXT];

	schema_of(path, fresh);
	make_schema_1();
	must(cs_store_open(path, CS_STORE_WRITE, &store, &e), &e);
	schema_of(path, migrated);
	ck_assert_str_eq(migrated, fresh);
	must(cs_store_log(store, &log, &e), &e);
	ck_assert_int_eq(log.size, 2);
	cs_request_row_init(&row);
	must(cs_store_request(store, PENDING, &row, &e), &e);
	ck_assert_int_eq(row.num, 7);
	ck_assert_int_eq(row.created, 6);
	ck_assert_int_eq(row.state, CS_ST_PENDING);
	ck_assert_str_eq(cs_buf_str(&row.document), "{ }");
	ck_assert_int_eq(row.document_sha256.b[31], '5');
	must(cs_store_idempotency(store, "ci", "key-1", 0, &back, id, &e), &e);
	ck_assert_str_eq(id, PENDING);
	ck_assert_int_eq(back.b[31], '7');
	memset(equality.b, '0', sizeof(equality.b));
	equality.b[31] = '6';
	must(cs_store_equal(store, "ci", &equality, 0, id, &e), &e);
	ck_assert_str_eq(id, PENDING);
	cs_request_row_done(&row);
	/* the copy is the old database, whole */
	snprintf(copy, sizeof(copy), "%s-schema-1", path);
	query(copy, "PRAGMA user_version", fresh, sizeof(fresh));
	ck_assert_str_eq(fresh, "1");
	query(copy, "SELECT group_concat(hex(document)) FROM request", fresh, sizeof(fresh));
	ck_assert_str_eq(fresh, "7B7D,7B207D");
	must(cs_store_begin(store, &e), &e);
	cs_store_rollback(store);
	ck_assert_int_eq(unlink(copy), 0);
}
END_TEST

START_TEST(a_database_of_schema_1_is_not_changed_by_readers)
{
	char version[32];
	struct cs_err e = { 0 };

	make_schema_1();
	ck_assert_int_eq(cs_store_open(path, CS_STORE_READ, &store, &e), CS_E_VERSION);
	ck_assert_ptr_nonnull(strstr(e.msg, "start countersignd"));
	query(path, "PRAGMA user_version", version, sizeof(version));
	ck_assert_str_eq(version, "1");
}
END_TEST

START_TEST(a_database_that_cannot_be_copied_stays_as_it_is)
{
	char copy[128], version[32];
	struct cs_err e = { 0 };

	make_schema_1();
	snprintf(copy, sizeof(copy), "%s-schema-1.tmp", path);
	ck_assert_int_eq(mkdir(copy, 0700), 0);
	ck_assert_int_eq(cs_store_open(path, CS_STORE_WRITE, &store, &e), CS_E_IO);
	ck_assert_ptr_nonnull(strstr(e.msg, "schema-1.tmp"));
	ck_assert_int_eq(rmdir(copy), 0);
	query(path, "PRAGMA user_version", version, sizeof(version));
	ck_assert_str_eq(version, "1");
}
END_TEST

START_TEST(a_damaged_database_is_not_migrated)
{
	char version[32];
	struct cs_err e = { 0 };

	make_schema_1();
	ck_assert_int_eq(outside("PRAGMA writable_schema=ON; UPDATE sqlite_schema SET rootpage = 3 "
				 "WHERE name = 'request_owner'"),
			 SQLITE_OK);
	ck_assert_int_eq(cs_store_open(path, CS_STORE_WRITE, &store, &e), CS_E_CORRUPT);
	query(path, "PRAGMA user_version", version, sizeof(version));
	ck_assert_str_eq(version, "1");
}
END_TEST

void add_migrate_tests(TCase *t)
{
	tcase_add_test(t, a_database_of_schema_1_is_migrated_after_a_copy);
	tcase_add_test(t, a_database_of_schema_1_is_not_changed_by_readers);
	tcase_add_test(t, a_database_that_cannot_be_copied_stays_as_it_is);
	tcase_add_test(t, a_damaged_database_is_not_migrated);
}
