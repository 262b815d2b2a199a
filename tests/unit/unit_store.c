/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of store/: what SQLite must never let happen to the log, guards, rows, and databases that
 * are refused. Those of older databases are in store_migrate.c.
 */
#include <check.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/store.h"
#include "unit/samples.h"
#include "unit/store_rig.h"

static void reopen_fails(enum cs_rc want, const char *word)
{
	struct cs_err e = { 0 };

	cs_store_close(store);
	store = NULL;
	ck_assert_int_eq(cs_store_open(path, CS_STORE_WRITE, &store, &e), want);
	ck_assert_msg(strstr(e.msg, word) != NULL, "'%s' is not in '%s'", word, e.msg);
}

/* ---- the log ---- */

START_TEST(events_form_a_chain)
{
	struct cs_log_ref log;
	struct cs_sha256 hash;
	struct cs_buf out;
	struct cs_err e = { 0 };
	int64_t next = 0;

	must(cs_store_log(store, &log, &e), &e);
	ck_assert_int_eq(log.size, 0);
	append_committed(3);
	must(cs_store_log(store, &log, &e), &e);
	ck_assert_int_eq(log.size, 3);
	must(cs_store_event_hash(store, 1, &hash, &e), &e);
	ck_assert(cs_sha256_equal(&hash, &log.id));
	ck_assert_int_eq(cs_store_event_hash(store, 4, &hash, &e), CS_E_NOT_FOUND);
	cs_buf_init(&out, 1 << 20);
	must(cs_store_events(store, 1, 3, 1 << 20, &out, &next, &e), &e);
	ck_assert_int_eq(next, 4);
	for (const char *line = cs_buf_str(&out); *line; line = strchr(line, '\n') + 1)
		hash = cs_event_hash((struct cs_bytes){ (const uint8_t *)line,
							(size_t)(strchr(line, '\n') - line) });
	ck_assert(cs_sha256_equal(&hash, &log.head));
	cs_buf_reset(&out);
	must(cs_store_events(store, 1, 3, 1, &out, &next, &e), &e);
	ck_assert_int_eq(next, 2); /* a page has at least one event */
	cs_buf_done(&out);
}
END_TEST

START_TEST(the_head_goes_back_with_a_savepoint_and_a_rollback)
{
	struct cs_log_ref log;
	struct cs_err e = { 0 };

	must(cs_store_begin(store, &e), &e);
	must(append("daemon", &e), &e);
	must(cs_store_savepoint(store, &e), &e);
	must(append("daemon", &e), &e);
	ck_assert_int_eq(cs_store_next_seq(store), 3);
	must(cs_store_revert(store, &e), &e);
	ck_assert_int_eq(cs_store_next_seq(store), 2);
	must(append("daemon", &e), &e);
	must(cs_store_commit(store, &e), &e);
	must(cs_store_begin(store, &e), &e);
	must(append("daemon", &e), &e);
	cs_store_rollback(store);
	ck_assert_int_eq(cs_store_next_seq(store), 3);
	must(cs_store_log(store, &log, &e), &e);
	ck_assert_int_eq(log.size, 2);
}
END_TEST

/** A reader's view of the log is the writer's, and every event follows the one before. */
static void readers_see(int64_t size)
{
	struct cs_store *reader = NULL;
	struct cs_log_ref log, seen;
	struct cs_err e = { 0 };

	must(cs_store_open(path, CS_STORE_READ, &reader, &e), &e);
	must(cs_store_log(store, &log, &e), &e);
	must(cs_store_log(reader, &seen, &e), &e);
	ck_assert_int_eq(seen.size, size);
	ck_assert_int_eq(log.size, size);
	ck_assert(cs_sha256_equal(&seen.head, &log.head));
	for (int64_t seq = 1; seq <= size; seq++)
		must(cs_store_event_hash(reader, seq, &seen.head, &e), &e);
	cs_store_close(reader);
}

/* Frames are gathered before they are written: commits of a page, of about as much as is gathered,
 * and of more. */
START_TEST(every_commit_is_in_the_file)
{
	static const int counts[] = { 1, 2, 300, 1, 700, 40, 3 };
	struct cs_err e = { 0 };
	int64_t size = 0;

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		append_committed(counts[i]);
		size += counts[i];
		readers_see(size);
	}
	cs_store_close(store);
	store = NULL;
	must(cs_store_open(path, CS_STORE_WRITE, &store, &e), &e);
	readers_see(size);
}
END_TEST

/* More than the cache holds: pages go to the WAL before the commit, and must not be seen without
 * it. */
START_TEST(what_is_rolled_back_leaves_nothing_behind)
{
	struct cs_err e = { 0 };

	append_committed(3);
	must(cs_store_begin(store, &e), &e);
	for (int i = 0; i < 20000; i++)
		must(append("daemon", &e), &e);
	ck_assert_int_eq(cs_store_next_seq(store), 20004);
	cs_store_rollback(store);
	readers_see(3);
	append_committed(500);
	readers_see(503);
}
END_TEST

/* What must not work on the event table, whoever tries. */
static const char *const forbidden[] = {
	"UPDATE event SET bytes = x'00' WHERE seq = 1",
	"DELETE FROM event WHERE seq = 2",
	"INSERT OR REPLACE INTO event (seq, bytes, hash, prev) "
	"SELECT seq, x'00', hash, prev FROM event WHERE seq = 2",
	"INSERT INTO event (seq, bytes, hash, prev) VALUES (9, x'00', zeroblob(32), zeroblob(32))",
	"INSERT INTO event (seq, bytes, hash, prev) VALUES (3, x'00', zeroblob(32), zeroblob(32))",
	"INSERT INTO event (seq, bytes, hash, prev) "
	"SELECT 3, x'00', zeroblob(31), hash FROM event WHERE seq = 2",
};

START_TEST(events_cannot_be_changed)
{
	append_committed(2);
	ck_assert_int_ne(outside(forbidden[_i]), SQLITE_OK);
}
END_TEST

/* What somebody did to the end of the log, who first got rid of the triggers. */
static const char *const ends[] = {
	"DROP TRIGGER event_delete; DELETE FROM event WHERE seq = 3",
	"DROP TRIGGER event_delete; DELETE FROM event",
	"DROP TRIGGER event_update; UPDATE event SET hash = zeroblob(32) WHERE seq = 3",
	"DROP TRIGGER event_chain; INSERT INTO event (seq, bytes, hash, prev) "
	"VALUES (9, x'00', zeroblob(32), zeroblob(32))",
	"INSERT INTO event (seq, bytes, hash, prev) "
	"SELECT 4, x'00', zeroblob(32), hash FROM event WHERE seq = 3",
};

START_TEST(nothing_is_written_behind_another_programs_event)
{
	struct cs_err e = { 0 };

	append_committed(3);
	ck_assert_int_eq(outside(ends[_i]), SQLITE_OK);
	must(cs_store_begin(store, &e), &e);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(append("daemon", &e), CS_E_UNAVAILABLE);
		ck_assert_ptr_nonnull(strstr(e.msg, "another program"));
	}
	cs_store_rollback(store);
	ck_assert_int_eq(cs_store_next_seq(store), 4);
}
END_TEST

START_TEST(a_backup_is_the_database_at_one_moment)
{
	struct cs_store *reader = NULL;
	struct cs_log_ref before, copied;
	struct cs_err e = { 0 };
	char copy[112];

	append_committed(5);
	must(cs_store_log(store, &before, &e), &e);
	snprintf(copy, sizeof(copy), "%s_", path);
	fclose(fopen(copy, "we"));
	must(cs_store_begin(store, &e), &e);
	must(append("not-committed", &e), &e);
	must(cs_store_open(path, CS_STORE_READ, &reader, &e), &e);
	must(cs_store_backup(reader, copy, &e), &e);
	cs_store_close(reader);
	must(cs_store_commit(store, &e), &e);
	must(cs_store_open(copy, CS_STORE_READ, &reader, &e), &e);
	must(cs_store_check_pages(reader, &e), &e);
	must(cs_store_log(reader, &copied, &e), &e);
	cs_store_close(reader);
	ck_assert_mem_eq(&copied, &before, sizeof(copied));
}
END_TEST

/* ---- the check of the chain ---- */

#define CHAIN 70 /* more than one step over what cannot be read */
#define FOUND_MAX 8

/* What somebody did to the file, and the events that must be found, 0 at the end. */
static const struct {
	const char *sql;
	int64_t bad[FOUND_MAX];
	const char *word; /* in what is said of the first */
} damages[] = {
	{ "", { 0 }, NULL },
	{ "UPDATE event SET bytes = zeroblob(9) WHERE seq = 3", { 3 }, "do not have its hash" },
	{ "UPDATE event SET bytes = zeroblob(9) WHERE seq = 1", { 1 }, "do not have its hash" },
	{ "UPDATE event SET bytes = zeroblob(9) WHERE seq = 70", { 70 }, "do not have its hash" },
	{ "UPDATE event SET hash = zeroblob(32) WHERE seq = 3", { 3 }, "do not have its hash" },
	{ "UPDATE event SET prev = zeroblob(32) WHERE seq = 3", { 3 }, "does not follow" },
	{ "UPDATE event SET prev = hash WHERE seq = 1", { 1 }, "does not follow" },
	{ "DELETE FROM event WHERE seq = 3", { 3 }, "missing, and 4 follows" },
	{ "DELETE FROM event WHERE seq IN (4, 5, 6)", { 4 }, "missing, and 7 follows" },
	{ "DELETE FROM event WHERE seq > 68", { 69 }, "so is what followed" },
	{ "UPDATE event SET seq = 99 WHERE seq = 3; UPDATE event SET seq = 3 WHERE seq = 4; "
	  "UPDATE event SET seq = 4 WHERE seq = 99",
	  { 3, 4, 5 },
	  "does not follow" },
};

/* From event `from`, in pages of a few events. */
static void check_chain(int64_t from, const int64_t *want, const char *word)
{
	struct cs_chain_check at = { .next = from, .anchored = from == 1 };
	struct cs_err e = { 0 };
	size_t bytes, found = 0;

	while (at.next <= CHAIN) {
		const enum cs_rc rc = cs_store_check(store, &at, CHAIN, 1000, &bytes, &e);

		ck_assert_int_eq(rc, at.bad ? CS_E_CORRUPT : CS_OK);
		if (!at.bad)
			continue;
		ck_assert_int_eq(at.bad, want[found]);
		ck_assert_msg(found > 0 || strstr(e.msg, word), "'%s' is not in '%s'", word, e.msg);
		found++;
	}
	ck_assert_int_eq(want[found], 0);
}

START_TEST(damage_of_the_chain_is_found)
{
	append_committed(CHAIN);
	check_chain(1, damages[0].bad, NULL);
	ck_assert_int_eq(outside("DROP TRIGGER event_update; DROP TRIGGER event_delete"),
			 SQLITE_OK);
	ck_assert_int_eq(outside(damages[_i].sql), SQLITE_OK);
	check_chain(1, damages[_i].bad, damages[_i].word);
}
END_TEST

START_TEST(a_check_may_begin_anywhere)
{
	static const int64_t bad[] = { 69, 0 };

	append_committed(CHAIN);
	ck_assert_int_eq(outside("DROP TRIGGER event_update; UPDATE event SET bytes = zeroblob(9) "
				 "WHERE seq IN (9, 69)"),
			 SQLITE_OK);
	check_chain(10, bad, "do not have its hash");
}
END_TEST

/* Write 0xff over the page of the file that holds this text. */
static void spoil_page_of(const char *text)
{
	static uint8_t file[1 << 20];
	FILE *f = fopen(path, "r+b");
	const uint8_t *at;
	size_t len;

	ck_assert_ptr_nonnull(f);
	len = fread(file, 1, sizeof(file), f);
	at = memmem(file, len, text, strlen(text));
	ck_assert_ptr_nonnull(at);
	ck_assert_int_eq(fseek(f, (at - file) / 4096 * 4096, SEEK_SET), 0);
	for (int i = 0; i < 4096; i++)
		ck_assert_int_eq(fputc(0xff, f), 0xff);
	fclose(f);
}

START_TEST(what_cannot_be_read_is_passed_over)
{
	struct cs_chain_check at = { .next = 1, .anchored = true };
	struct cs_err e = { 0 };
	size_t bytes, found = 0;

	append_committed(CHAIN);
	check_chain(1, damages[0].bad, NULL); /* and now this connection has the pages in memory */
	ck_assert_int_eq(outside("PRAGMA wal_checkpoint(TRUNCATE)"), SQLITE_OK);
	spoil_page_of("\"seq\":30,");
	while (at.next <= CHAIN)
		if (cs_store_check(store, &at, CHAIN, 1 << 20, &bytes, &e) == CS_E_CORRUPT)
			found++;
	ck_assert_uint_ge(found, 1);
	ck_assert_uint_le(found, 1 + CHAIN / 32);
}
END_TEST

/* ---- databases that are refused ---- */

START_TEST(a_second_writer_is_refused)
{
	struct cs_store *second = NULL;
	struct cs_err e = { 0 };

	ck_assert_int_eq(cs_store_open(path, CS_STORE_WRITE, &second, &e), CS_E_BUSY);
	ck_assert_ptr_nonnull(strstr(e.msg, "another countersignd"));
	must(cs_store_open(path, CS_STORE_READ, &second, &e), &e);
	cs_store_close(second);
}
END_TEST

START_TEST(a_newer_schema_is_refused)
{
	ck_assert_int_eq(outside("PRAGMA user_version=3"), SQLITE_OK);
	reopen_fails(CS_E_VERSION, "schema 3");
}
END_TEST

START_TEST(a_foreign_database_is_refused)
{
	ck_assert_int_eq(outside("PRAGMA application_id=7"), SQLITE_OK);
	reopen_fails(CS_E_CORRUPT, "another program");
}
END_TEST

START_TEST(a_file_that_is_no_database_is_refused)
{
	FILE *f;

	cs_store_close(store);
	store = NULL;
	f = fopen(path, "wb");
	ck_assert_ptr_nonnull(f);
	for (int i = 0; i < 200; i++)
		fputs("this is not a database\n", f);
	fclose(f);
	reopen_fails(CS_E_CORRUPT, "not a countersign database");
}
END_TEST

START_TEST(an_empty_file_is_not_exported)
{
	struct cs_err e = { 0 };
	FILE *f;

	cs_store_close(store);
	store = NULL;
	ck_assert_int_eq(unlink(path), 0);
	f = fopen(path, "wb");
	ck_assert_ptr_nonnull(f);
	fclose(f);
	ck_assert_int_ne(cs_store_open(path, CS_STORE_READ, &store, &e), CS_OK);
}
END_TEST

START_TEST(a_missing_directory_is_named)
{
	struct cs_store *other = NULL;
	struct cs_err e = { 0 };

	ck_assert_int_eq(cs_store_open("/nonexistent/log.db", CS_STORE_WRITE, &other, &e), CS_E_IO);
	ck_assert_ptr_nonnull(strstr(e.msg, "/nonexistent/log.db"));
}
END_TEST

/* ---- requests ---- */

/* Insert a request of one prod artifact; its document is the sample's. */
static struct cs_request_row insert_with_key(const char *id, enum cs_state state, int64_t expires,
					     const struct cs_idempotency *key)
{
	static const char *const keys[] = { "fw-prod", NULL };
	static struct cs_request doc;
	struct cs_policy *p = sample_policy();
	struct cs_request_row row;
	struct cs_err e = { 0 };

	sample_request(p, keys, &doc);
	cs_policy_unref(p);
	memcpy(doc.id, id, CS_UUID_TEXT);
	cs_request_row_init(&row);
	memcpy(row.id, id, CS_UUID_TEXT);
	memcpy(row.principal, doc.principal, sizeof(row.principal));
	row.environment = CS_ENV_PROD;
	row.state = state;
	row.created = SAMPLE_TIME;
	row.expires = expires;
	row.revision = 1;
	cs_request_write(&doc, &row.document);
	row.document_sha256 = cs_sha256(cs_buf_bytes(&row.document));
	row.equality = row.document_sha256;
	must(cs_store_begin(store, &e), &e);
	must(cs_store_request_insert(store, &row, &doc, key, &e), &e);
	must(cs_store_commit(store, &e), &e);
	return row;
}

static struct cs_request_row insert(const char *id, enum cs_state state, int64_t expires)
{
	return insert_with_key(id, state, expires, NULL);
}

static const char id1[] = "019c0000-0000-7000-8000-000000000001";
static const char id2[] = "019c0000-0000-7000-8000-000000000002";

START_TEST(a_request_is_read_back)
{
	struct cs_request_row row = insert(id1, CS_ST_PENDING, SAMPLE_TIME + 1), back;
	struct cs_artifact_row artifacts[CS_ARTIFACTS_MAX];
	struct cs_err e = { 0 };
	size_t count = 0;

	cs_request_row_init(&back);
	must(cs_store_request(store, id1, &back, &e), &e);
	ck_assert_int_eq(back.num, row.num);
	ck_assert_int_eq(back.state, CS_ST_PENDING);
	ck_assert(cs_sha256_equal(&back.document_sha256, &row.document_sha256));
	ck_assert_uint_eq(back.document.len, row.document.len);
	must(cs_store_artifacts(store, row.num, artifacts, &count, &e), &e);
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(artifacts[0].state, CS_AS_WAITING);
	ck_assert_int_eq(cs_store_request(store, id2, &back, &e), CS_E_NOT_FOUND);
	cs_request_row_done(&row);
	cs_request_row_done(&back);
}
END_TEST

START_TEST(a_change_is_guarded_by_state_and_revision)
{
	struct cs_request_row row = insert(id1, CS_ST_PENDING, SAMPLE_TIME + 1);
	struct cs_request_change c = {
		.from = CS_ST_PENDING,
		.to = CS_ST_APPROVED,
		.revision = 1,
		.new_revision = 7,
	};
	struct cs_err e = { 0 };

	must(cs_store_begin(store, &e), &e);
	c.revision = 2;
	ck_assert_int_eq(cs_store_request_change(store, row.num, &c, &e), CS_E_CONFLICT);
	c.revision = 1;
	must(cs_store_request_change(store, row.num, &c, &e), &e);
	ck_assert_int_eq(cs_store_request_change(store, row.num, &c, &e), CS_E_CONFLICT);
	c.from = CS_ST_APPROVED;
	c.to = CS_ST_SIGNING;
	c.revision = -1;
	must(cs_store_request_change(store, row.num, &c, &e), &e);
	must(cs_store_commit(store, &e), &e);
	cs_request_row_done(&row);
}
END_TEST

START_TEST(an_artifact_counts_attempts_and_unknowns)
{
	struct cs_request_row row = insert(id1, CS_ST_PENDING, SAMPLE_TIME + 1);
	struct cs_artifact_row a[CS_ARTIFACTS_MAX];
	struct cs_err e = { 0 };
	size_t count = 0;

	must(cs_store_begin(store, &e), &e);
	must(cs_store_artifact_move(store, row.num, 0, CS_AS_WAITING, CS_AS_SIGNING, &e), &e);
	ck_assert_int_eq(
		cs_store_artifact_move(store, row.num, 0, CS_AS_WAITING, CS_AS_SIGNING, &e),
		CS_E_CONFLICT);
	must(cs_store_artifact_move(store, row.num, 0, CS_AS_SIGNING, CS_AS_UNKNOWN, &e), &e);
	must(cs_store_artifact_move(store, row.num, 0, CS_AS_UNKNOWN, CS_AS_SIGNING, &e), &e);
	must(cs_store_commit(store, &e), &e);
	must(cs_store_artifacts(store, row.num, a, &count, &e), &e);
	ck_assert_int_eq(a[0].attempts, 2);
	ck_assert_int_eq(a[0].unknowns, 1);
	cs_request_row_done(&row);
}
END_TEST

static enum cs_rc count_rows(void *arg, const struct cs_request_row *row, struct cs_err *e)
{
	(void)row, (void)e;
	(*(int *)arg)++;
	return CS_OK;
}

static int list(const char *principal, const char *group, const char *after, enum cs_rc want)
{
	const struct cs_store_filter f = {
		.principal = principal,
		.group = group,
		.after = after,
		.limit = 10,
	};
	struct cs_err e = { 0 };
	int count = 0;

	ck_assert_int_eq(cs_store_requests(store, &f, count_rows, &count, &e), want);
	return count;
}

START_TEST(lists_are_filtered_and_paged)
{
	struct cs_request_row a = insert(id1, CS_ST_PENDING, SAMPLE_TIME + 1);
	struct cs_request_row b = insert(id2, CS_ST_SIGNED, SAMPLE_TIME + 1);

	ck_assert_int_eq(list(NULL, NULL, NULL, CS_OK), 2);
	ck_assert_int_eq(list(a.principal, NULL, NULL, CS_OK), 2);
	ck_assert_int_eq(list("nobody", NULL, NULL, CS_OK), 0);
	ck_assert_int_eq(list(NULL, "security", NULL, CS_OK), 2);
	ck_assert_int_eq(list(NULL, "release", NULL, CS_OK), 0);
	ck_assert_int_eq(list(NULL, NULL, id2, CS_OK), 1);
	ck_assert_int_eq(list(NULL, "security", id2, CS_OK), 1);
	list(NULL, NULL, "019c0000-0000-7000-8000-00000000ffff", CS_E_INVALID);
	cs_request_row_done(&a);
	cs_request_row_done(&b);
}
END_TEST

START_TEST(expiry_finds_only_what_waits)
{
	struct cs_request_row a = insert(id1, CS_ST_PENDING, SAMPLE_TIME + 10);
	struct cs_request_row b = insert(id2, CS_ST_SIGNED, SAMPLE_TIME + 10);
	char ids[4][CS_UUID_TEXT];
	struct cs_err e = { 0 };
	size_t count = 9;
	int64_t last = 0;

	must(cs_store_expired(store, SAMPLE_TIME + 9, 0, INT64_MAX, ids, 4, &count, &e), &e);
	ck_assert_uint_eq(count, 0);
	must(cs_store_expired(store, SAMPLE_TIME + 10, 0, INT64_MAX, ids, 4, &count, &e), &e);
	ck_assert_uint_eq(count, 1);
	ck_assert_str_eq(ids[0], id1);
	must(cs_store_expired(store, SAMPLE_TIME + 10, a.num + 1, INT64_MAX, ids, 4, &count, &e),
	     &e);
	ck_assert_uint_eq(count, 0);
	must(cs_store_last_request(store, &last, &e), &e);
	ck_assert_int_eq(last, b.num);
	cs_request_row_done(&a);
	cs_request_row_done(&b);
}
END_TEST

START_TEST(a_request_may_begin_in_its_first_attempt)
{
	struct cs_request_row row = insert(id1, CS_ST_SIGNING, SAMPLE_TIME + 1);
	struct cs_artifact_row a[CS_ARTIFACTS_MAX];
	struct cs_err e = { 0 };
	size_t count = 0;

	must(cs_store_artifacts(store, row.num, a, &count, &e), &e);
	ck_assert_uint_eq(count, 1);
	ck_assert_int_eq(a[0].state, CS_AS_SIGNING);
	ck_assert_int_eq(a[0].attempts, 1);
	cs_request_row_done(&row);
}
END_TEST

START_TEST(what_was_written_is_counted)
{
	struct cs_request_row row = insert(id1, CS_ST_PENDING, SAMPLE_TIME + 1);
	const struct cs_request_change late = { .from = CS_ST_APPROVED, .to = CS_ST_SIGNING };
	struct cs_err e = { 0 };
	int64_t before;

	ck_assert_int_eq(cs_store_written(store), -1);
	must(cs_store_begin(store, &e), &e);
	before = cs_store_written(store);
	ck_assert_int_ge(before, 0);
	ck_assert_int_eq(cs_store_request_change(store, row.num, &late, &e), CS_E_CONFLICT);
	ck_assert_int_eq(cs_store_written(store), before);
	must(append("daemon", &e), &e);
	ck_assert_int_gt(cs_store_written(store), before);
	cs_store_rollback(store);
	ck_assert_int_eq(cs_store_written(store), -1);
	cs_request_row_done(&row);
}
END_TEST

START_TEST(idempotency_keys_are_found_and_forgotten)
{
	struct cs_idempotency key = { .key = "key-1", .fingerprint.b = { 1 } };
	struct cs_request_row row = insert_with_key(id1, CS_ST_SIGNED, SAMPLE_TIME + 1, &key);
	struct cs_sha256 back;
	char id[CS_UUID_TEXT];
	struct cs_err e = { 0 };
	const int64_t since = SAMPLE_TIME - 1;

	must(cs_store_idempotency(store, "ci", "key-1", since, &back, id, &e), &e);
	ck_assert_str_eq(id, id1);
	ck_assert(cs_sha256_equal(&back, &key.fingerprint));
	ck_assert_int_eq(cs_store_idempotency(store, "other", "key-1", since, &back, id, &e),
			 CS_E_NOT_FOUND);
	ck_assert_int_eq(cs_store_idempotency(store, "ci", "key-2", since, &back, id, &e),
			 CS_E_NOT_FOUND);
	ck_assert_int_eq(cs_store_idempotency(store, "ci", "key-1", SAMPLE_TIME, &back, id, &e),
			 CS_E_NOT_FOUND);
	cs_request_row_done(&row);
	/* used again after its time: the newer one counts */
	key.fingerprint.b[0] = 2;
	row = insert_with_key(id2, CS_ST_SIGNED, SAMPLE_TIME + 1, &key);
	must(cs_store_idempotency(store, "ci", "key-1", since, &back, id, &e), &e);
	ck_assert_str_eq(id, id2);
	ck_assert_int_eq(back.b[0], 2);
	cs_request_row_done(&row);
}
END_TEST

START_TEST(equal_requests_are_found_by_principal_time_and_state)
{
	struct cs_request_row row = insert(id1, CS_ST_SIGNED, SAMPLE_TIME + 1);
	struct cs_request_row ended = insert(id2, CS_ST_REJECTED, SAMPLE_TIME + 1);
	char id[CS_UUID_TEXT];
	struct cs_err e = { 0 };

	must(cs_store_equal(store, "ci", &row.equality, SAMPLE_TIME - 1, id, &e), &e);
	ck_assert_str_eq(id, id1);
	ck_assert_int_eq(cs_store_equal(store, "other", &row.equality, SAMPLE_TIME - 1, id, &e),
			 CS_E_NOT_FOUND);
	ck_assert_int_eq(cs_store_equal(store, "ci", &row.equality, SAMPLE_TIME, id, &e),
			 CS_E_NOT_FOUND);
	ck_assert_int_eq(cs_store_equal(store, "ci", &ended.equality, SAMPLE_TIME - 1, id, &e),
			 CS_E_NOT_FOUND);
	cs_request_row_done(&row);
	cs_request_row_done(&ended);
}
END_TEST

START_TEST(marks_outlive_the_connection)
{
	struct cs_err e = { 0 };
	int64_t value = -1;

	must(cs_store_mark_get(store, CS_MARK_RUNNING, &value, &e), &e);
	ck_assert_int_eq(value, 0);
	must(cs_store_begin(store, &e), &e);
	must(cs_store_mark_set(store, CS_MARK_RUNNING, 1, &e), &e);
	must(cs_store_commit(store, &e), &e);
	cs_store_close(store);
	store = NULL;
	must(cs_store_open(path, CS_STORE_WRITE, &store, &e), &e);
	must(cs_store_mark_get(store, CS_MARK_RUNNING, &value, &e), &e);
	ck_assert_int_eq(value, 1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("store");
	TCase *t = tcase_create("store");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, events_form_a_chain);
	tcase_add_test(t, the_head_goes_back_with_a_savepoint_and_a_rollback);
	tcase_add_loop_test(t, damage_of_the_chain_is_found, 0,
			    (int)(sizeof(damages) / sizeof(damages[0])));
	tcase_add_test(t, a_check_may_begin_anywhere);
	tcase_add_test(t, what_cannot_be_read_is_passed_over);
	tcase_add_test(t, every_commit_is_in_the_file);
	tcase_add_test(t, what_is_rolled_back_leaves_nothing_behind);
	tcase_add_loop_test(t, events_cannot_be_changed, 0,
			    (int)(sizeof(forbidden) / sizeof(forbidden[0])));
	tcase_add_loop_test(t, nothing_is_written_behind_another_programs_event, 0,
			    (int)(sizeof(ends) / sizeof(ends[0])));
	tcase_add_test(t, a_backup_is_the_database_at_one_moment);
	tcase_add_test(t, a_second_writer_is_refused);
	tcase_add_test(t, a_newer_schema_is_refused);
	tcase_add_test(t, a_foreign_database_is_refused);
	tcase_add_test(t, a_file_that_is_no_database_is_refused);
	tcase_add_test(t, an_empty_file_is_not_exported);
	tcase_add_test(t, a_missing_directory_is_named);
	tcase_add_test(t, a_request_is_read_back);
	tcase_add_test(t, a_change_is_guarded_by_state_and_revision);
	tcase_add_test(t, an_artifact_counts_attempts_and_unknowns);
	tcase_add_test(t, lists_are_filtered_and_paged);
	tcase_add_test(t, expiry_finds_only_what_waits);
	tcase_add_test(t, a_request_may_begin_in_its_first_attempt);
	tcase_add_test(t, what_was_written_is_counted);
	tcase_add_test(t, idempotency_keys_are_found_and_forgotten);
	tcase_add_test(t, equal_requests_are_found_by_principal_time_and_state);
	add_migrate_tests(t);
	tcase_add_test(t, marks_outlive_the_connection);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
