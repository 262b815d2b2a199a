/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of verify/: an honest log verifies, and nothing is lost at its end. Changed rows are in
 * tests/vectors/check_log_changes.py, what somebody does who can hash the log again in
 * tests/lib/logstories.py, for both verifiers.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "verify/register.h"
#include "verify/state.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define EVENTS 210 /* of tests/vectors/log/everything.ndjson */

static struct cs_buf file;
static struct cs_bytes lines[EVENTS];
static struct cs_log_ref last; /* the log's own id, size and head */

static void load(void)
{
	const char *srcdir = getenv("CS_SRCDIR");
	struct cs_err e = { 0 };
	char path[4096];
	size_t at = 0;

	ck_assert_msg(srcdir != NULL, "set CS_SRCDIR to the source directory");
	(void)snprintf(path, sizeof(path), "%s/tests/vectors/log/everything.ndjson", srcdir);
	cs_buf_init(&file, 1U << 20);
	ck_assert_msg(cs_file_read(path, &file, &e) == CS_OK, "%s", e.msg);
	for (size_t i = 0; i < EVENTS; i++) {
		const uint8_t *end = memchr(file.data + at, '\n', file.len - at);

		ck_assert_ptr_nonnull(end);
		lines[i] = (struct cs_bytes){ file.data + at, (size_t)(end - file.data) - at };
		at += lines[i].len + 1;
	}
	ck_assert_uint_eq(at, file.len);
	last.id = cs_event_hash(lines[0]);
	last.size = EVENTS;
	last.head = cs_event_hash(lines[EVENTS - 1]);
}

static void unload(void)
{
	cs_buf_done(&file);
}

/* The last finding, and how many there were. */
struct found {
	int64_t count, seq;
	char rule[32];
	char text[CS_ERR_MSG_MAX];
};

static void remember(void *arg, int64_t seq, const char *rule, const char *text)
{
	struct found *f = arg;

	f->count++;
	f->seq = seq;
	(void)snprintf(f->rule, sizeof(f->rule), "%s", rule);
	(void)snprintf(f->text, sizeof(f->text), "%s", text);
}

static struct cs_audit_verifier *begin(struct found *f)
{
	struct cs_audit_verifier *v = NULL;

	memset(f, 0, sizeof(*f));
	ck_assert_int_eq(cs_audit_new(remember, f, &v, NULL), CS_OK);
	return v;
}

/* Hundreds of thousands of times: an assertion of Check costs a write each. */
static void give(struct cs_audit_verifier *v, struct cs_bytes line)
{
	if (cs_audit_line(v, line, NULL) != CS_OK)
		ck_abort_msg("out of memory");
}

static struct cs_audit_summary finish(struct cs_audit_verifier *v)
{
	struct cs_audit_summary sum;

	ck_assert_int_eq(cs_audit_finish(v, &sum, NULL), CS_OK);
	return sum;
}

START_TEST(an_honest_log_is_consistent)
{
	struct found f;
	struct cs_audit_verifier *v = begin(&f);
	struct cs_audit_summary sum;

	for (size_t i = 0; i < EVENTS; i++)
		give(v, lines[i]);
	sum = finish(v);
	ck_assert_msg(f.count == 0, "%lld %s: %s", (long long)f.seq, f.rule, f.text);
	ck_assert_int_eq(sum.verdict, CS_AUDIT_CONSISTENT);
	ck_assert_int_eq(sum.last.size, EVENTS);
	ck_assert(cs_sha256_equal(&sum.last.id, &last.id));
	ck_assert(cs_sha256_equal(&sum.last.head, &last.head));
	ck_assert_int_eq(sum.anchored_size, 0);
	ck_assert_int_eq(sum.findings, 0);
	ck_assert_int_eq(sum.requests, 31);
	ck_assert_int_eq(sum.decisions, 30);
	ck_assert_int_eq(sum.signatures, 32);
	ck_assert_int_eq(sum.policies, 6);
	ck_assert_int_eq(sum.open_intents, 0);
	cs_audit_free(v);
}
END_TEST

START_TEST(every_prefix_is_consistent_and_lacks_the_known_head)
{
	struct found f, g;
	struct cs_audit_verifier *v = begin(&f), *known = begin(&g);

	ck_assert_int_eq(cs_audit_know_head(known, &last, true, NULL), CS_OK);
	for (size_t i = 0; i + 1 < EVENTS; i++) {
		give(v, lines[i]);
		give(known, lines[i]);
		ck_assert_int_eq(finish(v).verdict, CS_AUDIT_CONSISTENT);
		ck_assert_int_eq(finish(known).verdict, CS_AUDIT_FAILED);
		ck_assert_str_eq(g.rule, "head");
		known->sum.findings = 0;
	}
	give(known, lines[EVENTS - 1]);
	ck_assert_int_eq(finish(known).verdict, CS_AUDIT_ANCHORED);
	ck_assert_int_eq(finish(known).anchored_size, EVENTS);
	cs_audit_free(v);
	cs_audit_free(known);
}
END_TEST

/* tests/lib-c/tamper_file.c asks it of every byte; here a few, from the first line to the verdict.
 */
START_TEST(a_changed_byte_fails_the_log)
{
	for (size_t byte = 17; byte < file.len; byte += 6007) {
		struct cs_audit_verifier *v;
		struct found f;
		size_t i = 0;

		if (file.data[byte] == '\n')
			continue; /* the lines are cut already */
		v = begin(&f);
		ck_assert_int_eq(cs_audit_know_head(v, &last, true, NULL), CS_OK);
		file.data[byte] ^= 4;
		for (; i < EVENTS && f.count == 0; i++)
			give(v, lines[i]);
		ck_assert_int_eq(finish(v).verdict, CS_AUDIT_FAILED);
		ck_assert_int_gt(f.count, 0);
		file.data[byte] ^= 4;
		cs_audit_free(v);
	}
}
END_TEST

START_TEST(findings_are_told_up_to_a_limit_and_counted)
{
	struct found f;
	struct cs_audit_verifier *v = begin(&f);

	for (int i = 0; i < CS_AUDIT_FINDINGS_MAX + 5; i++)
		give(v, cs_bytes_of("{}"));
	ck_assert_int_eq(f.count, CS_AUDIT_FINDINGS_MAX);
	ck_assert_int_eq(finish(v).findings, CS_AUDIT_FINDINGS_MAX + 5);
	cs_audit_free(v);
}
END_TEST

/* --- the register */

struct counts {
	int outcomes[CS_USE_OPEN + 1];
	int64_t last_seq;
};

static enum cs_rc count_use(void *arg, const struct cs_register_row *row, struct cs_err *e)
{
	struct counts *c = arg;

	(void)e;
	c->outcomes[row->outcome]++;
	c->last_seq = row->seq;
	ck_assert_str_eq(row->doc->principal, "agent1");
	ck_assert_int_ge((int)row->approver_count, row->doc->environment == CS_ENV_PROD ? 2 : 0);
	return CS_OK;
}

/* Uses of a key in lines 0..count of the log, without line `missing`. */
static enum cs_rc uses_of(const struct cs_register_query *q, size_t count, size_t missing,
			  struct counts *c, struct cs_register_summary *sum)
{
	struct cs_register *r = NULL;
	enum cs_rc rc = CS_OK;

	*c = (struct counts){ 0 };
	ck_assert_int_eq(cs_register_new(q, count_use, c, &r, NULL), CS_OK);
	for (size_t i = 0; i < count && rc == CS_OK; i++)
		if (i != missing)
			rc = cs_register_line(r, lines[i], NULL);
	if (rc == CS_OK)
		rc = cs_register_finish(r, NULL);
	*sum = *cs_register_so_far(r);
	cs_register_free(r);
	return rc;
}

/* What Python finds in the same file. */
static const struct {
	const char *key;
	int outcomes[CS_USE_OPEN + 1]; /* released, withheld, unknown, failed, open */
} registers[] = {
	{ "app-prod", { 11, 0, 0, 0, 0 } },  { "app-dev", { 8, 0, 0, 0, 0 } },
	{ "radio-dev", { 8, 0, 0, 0, 0 } },  { "boot-prod", { 2, 0, 0, 1, 0 } },
	{ "modem-prod", { 1, 0, 0, 0, 0 } }, { "os-prod", { 2, 0, 1, 0, 0 } },
};

START_TEST(the_register_lists_every_use_of_a_key)
{
	const struct cs_register_query q = { registers[_i].key, 0, INT64_MAX };
	struct cs_register_summary sum;
	struct counts c;
	int64_t total = 0;

	ck_assert_int_eq(uses_of(&q, EVENTS, EVENTS, &c, &sum), CS_OK);
	for (int o = 0; o <= CS_USE_OPEN; o++) {
		ck_assert_int_eq(c.outcomes[o], registers[_i].outcomes[o]);
		total += c.outcomes[o];
	}
	ck_assert_int_eq(sum.uses, total);
	ck_assert(sum.known);
	ck_assert(cs_sha256_equal(&sum.log.head, &last.head));
	ck_assert_int_eq(sum.log.size, EVENTS);
}
END_TEST

START_TEST(the_register_knows_names_hashes_and_times)
{
	struct cs_register_query q = { "app-dev", 0, INT64_MAX };
	struct cs_register_summary sum;
	struct counts c;

	q.key = "no-such-key";
	ck_assert_int_eq(uses_of(&q, EVENTS, EVENTS, &c, &sum), CS_OK);
	ck_assert(!sum.known);
	ck_assert_int_eq(sum.uses, 0);
	q = (struct cs_register_query){ "app-dev", 0, 1 };
	ck_assert_int_eq(uses_of(&q, EVENTS, EVENTS, &c, &sum), CS_OK);
	ck_assert(sum.known);
	ck_assert_int_eq(sum.uses, 0);
}
END_TEST

START_TEST(the_register_takes_no_log_with_a_gap)
{
	const struct cs_register_query q = { "app-prod", 0, INT64_MAX };
	struct cs_register_summary sum;
	struct counts c;

	for (size_t i = 0; i + 1 < EVENTS; i++)
		ck_assert_int_eq(uses_of(&q, EVENTS, i, &c, &sum), CS_E_CORRUPT);
}
END_TEST

/* Cut within an attempt, a use is open; between sign.done and request.signed it is withheld. */
START_TEST(the_register_of_a_log_that_goes_on)
{
	const struct cs_register_query q = { "app-dev", 0, INT64_MAX };
	struct cs_register_summary sum;
	bool open = false, withheld = false;
	struct counts c;

	for (size_t n = 1; n < EVENTS; n++) {
		ck_assert_int_eq(uses_of(&q, n, n, &c, &sum), CS_OK);
		open = open || c.outcomes[CS_USE_OPEN] > 0;
		withheld = withheld || c.outcomes[CS_USE_WITHHELD] > 0;
		ck_assert_int_ge(sum.waiting,
				 c.outcomes[CS_USE_OPEN] + c.outcomes[CS_USE_WITHHELD] > 0);
	}
	ck_assert(open && withheld);
}
END_TEST

START_TEST(nothing_is_no_log)
{
	struct found f;
	struct cs_audit_verifier *v = begin(&f);

	ck_assert_int_eq(cs_audit_know_head(v, &last, true, NULL), CS_OK);
	ck_assert_int_eq(finish(v).verdict, CS_AUDIT_FAILED);
	ck_assert_int_eq(f.count, 2); /* empty, and the known head is another log's */
	cs_audit_free(v);
	cs_audit_free(NULL);
}
END_TEST

#define HASH "1111111111111111111111111111111111111111111111111111111111111111"

static const struct {
	const char *text;
	bool line, fits;
} heads[] = {
	{ "7:" HASH, false, true },
	{ "0:" HASH, false, false },
	{ "07:" HASH, false, false },
	{ "7 " HASH, false, false },
	{ "7:" HASH "1", false, false },
	{ "7:11", false, false },
	{ ":" HASH, false, false },
	{ "7", false, false },
	{ "", false, false },
	{ "99999999999999999999999999999999:" HASH, false, false },
	{ "9007199254740992:" HASH, false, false },
	{ HASH " 7 " HASH, true, true },
	{ "# kept by hand", true, true },
	{ "", true, true },
	{ HASH " 7", true, false },
	{ HASH "  7 " HASH, true, false },
	{ HASH ":7:" HASH, true, false },
	{ "7 " HASH, true, false },
	{ " " HASH " 7 " HASH, true, false },
	{ HASH " 7 " HASH " ", true, false },
};

START_TEST(known_heads_are_read_strictly)
{
	struct found f;
	struct cs_audit_verifier *v = begin(&f);
	struct cs_err e = { 0 };
	enum cs_rc rc;

	rc = heads[_i].line ? cs_audit_know_head_line(v, heads[_i].text, &e)
			    : cs_audit_know_head_text(v, heads[_i].text, &e);
	ck_assert_msg(rc == (heads[_i].fits ? CS_OK : CS_E_INVALID), "\"%s\": %s", heads[_i].text,
		      e.msg);
	cs_audit_free(v);
}
END_TEST

START_TEST(verdicts_have_names_and_exit_codes)
{
	ck_assert_str_eq(cs_audit_verdict_name(CS_AUDIT_ANCHORED), "anchored");
	ck_assert_int_eq(cs_audit_verdict_exit(CS_AUDIT_ANCHORED), 0);
	ck_assert_int_eq(cs_audit_verdict_exit(CS_AUDIT_CONSISTENT), 3);
	ck_assert_int_eq(cs_audit_verdict_exit(CS_AUDIT_FAILED), 1);
}
END_TEST

START_TEST(the_map_keeps_every_key)
{
	static int values[5000];
	struct cs_map m = { 0 };
	char id[CS_UUID_TEXT];

	for (int i = 0; i < COUNT(values); i++) {
		struct cs_map_key key;

		(void)snprintf(id, sizeof(id), "019aa5e7-3c1f-7a3e-9d55-%012x", (unsigned)i / 4);
		key = cs_map_key(id, i % 2, i / 2 % 2);
		ck_assert_ptr_null(cs_map_find(&m, &key));
		ck_assert_int_eq(cs_map_add(&m, &key, &values[i], NULL), CS_OK);
	}
	ck_assert_uint_eq(m.count, COUNT(values));
	for (int i = 0; i < COUNT(values); i++) {
		struct cs_map_key key;

		(void)snprintf(id, sizeof(id), "019aa5e7-3c1f-7a3e-9d55-%012x", (unsigned)i / 4);
		key = cs_map_key(id, i % 2, i / 2 % 2);
		ck_assert_ptr_eq(cs_map_find(&m, &key)->value, &values[i]);
	}
	cs_map_done(&m);
	cs_map_done(&m);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("verify");
	TCase *tc = tcase_create("verify");
	SRunner *runner;
	int failed;

	tcase_add_unchecked_fixture(tc, load, unload);
	tcase_set_timeout(tc, 300);
	tcase_add_test(tc, an_honest_log_is_consistent);
	tcase_add_test(tc, every_prefix_is_consistent_and_lacks_the_known_head);
	tcase_add_test(tc, a_changed_byte_fails_the_log);
	tcase_add_loop_test(tc, the_register_lists_every_use_of_a_key, 0, COUNT(registers));
	tcase_add_test(tc, the_register_knows_names_hashes_and_times);
	tcase_add_test(tc, the_register_takes_no_log_with_a_gap);
	tcase_add_test(tc, the_register_of_a_log_that_goes_on);
	tcase_add_test(tc, findings_are_told_up_to_a_limit_and_counted);
	tcase_add_test(tc, nothing_is_no_log);
	tcase_add_loop_test(tc, known_heads_are_read_strictly, 0, COUNT(heads));
	tcase_add_test(tc, verdicts_have_names_and_exit_codes);
	tcase_add_test(tc, the_map_keeps_every_key);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
