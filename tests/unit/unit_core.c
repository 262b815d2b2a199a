/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of core/: requests from submission to release over a real database and a signer in a
 * thread. Each test ends with the whole log before the auditor's verifier, which must find nothing.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "core/internal.h"
#include "store/store.h"
#include "unit/fake_signer.h"
#include "unit/samples.h"
#include "verify/verify.h"

#define WAIT_MAX (20 * CS_SECOND)

static char dir[64], database[96], sockets[2][108];
static struct cs_policy *policy;
static struct cs_access *access_list;
static struct fake_signer *signers[2];
static struct cs_core *core;

enum { CI, OTHER, APPROVER1, APPROVER2, APPROVER3, AUDITOR, PRINCIPALS };

static void must(enum cs_rc rc, const struct cs_err *e)
{
	ck_assert_msg(rc == CS_OK, "%s: %s", cs_rc_name(rc), e->msg);
}

static void text(char *out, size_t size, const char *s)
{
	ck_assert_int_lt(snprintf(out, size, "%s", s), (int)size);
}

/* ---- a core with two fake signers ---- */

static struct cs_access *sample_access(void)
{
	static const struct {
		const char *name, *person;
		enum cs_role role;
	} list[PRINCIPALS] = {
		[CI] = { "ci", "owner1", CS_ROLE_AGENT },
		[OTHER] = { "other", "approver1", CS_ROLE_AGENT },
		[APPROVER1] = { "p-approver1", "approver1", CS_ROLE_APPROVER },
		[APPROVER2] = { "p-approver2", "approver2", CS_ROLE_APPROVER },
		[APPROVER3] = { "p-approver3", "approver3", CS_ROLE_APPROVER },
		[AUDITOR] = { "q-auditor", "auditor1", CS_ROLE_AUDITOR },
	};
	static const char *const keys[] = { "fw-dev", "fw-prod", "fw-rsa" };
	struct cs_access *a = cs_access_new();

	ck_assert_ptr_nonnull(a);
	a->count = PRINCIPALS;
	a->principals = calloc(PRINCIPALS, sizeof(a->principals[0]));
	for (size_t i = 0; i < PRINCIPALS; i++) {
		struct cs_principal *p = &a->principals[i];

		text(p->name, sizeof(p->name), list[i].name);
		text(p->persons[0], sizeof(p->persons[0]), list[i].person);
		p->person_count = 1;
		p->role = list[i].role;
		p->robot = i == CI;
		p->rate = 100000;
		p->open_max = 8;
		if (p->role != CS_ROLE_AGENT)
			continue;
		p->key_count = 3;
		p->keys = calloc(3, sizeof(p->keys[0]));
		for (size_t k = 0; k < 3; k++)
			text(p->keys[k], sizeof(p->keys[k]), keys[k]);
	}
	return a;
}

static enum cs_rc try_open(struct cs_err *e)
{
	const struct cs_core_config config = {
		.database = database,
		.version = "test",
		.readers = 4,
		.signer_count = 2,
		.signers = {
			{ .token = "prod", .socket = sockets[0], .connections = 1,
			  .timeout_us = 2 * CS_SECOND, .peer_uid = -1 },
			{ .token = "dev", .socket = sockets[1], .connections = 1,
			  .timeout_us = 2 * CS_SECOND, .peer_uid = -1 },
		},
	};
	const struct cs_core_policy files = {
		.policy = policy,
		.policy_yaml = { (const uint8_t *)"version: 7\n", 11 },
		.access = access_list,
	};

	return cs_core_open(&config, &files, &core, e);
}

static void setup(void)
{
	struct cs_err e = { 0 };

	cs_log_set_level(CS_LOG_ERROR);
	text(dir, sizeof(dir), "/tmp/cs-core-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(database, sizeof(database), "%s/log.db", dir);
	snprintf(sockets[0], sizeof(sockets[0]), "%s/prod.sock", dir);
	snprintf(sockets[1], sizeof(sockets[1]), "%s/dev.sock", dir);
	policy = sample_policy();
	access_list = sample_access();
	signers[0] = fake_signer_start(dir, "prod", policy);
	signers[1] = fake_signer_start(dir, "dev", policy);
	must(try_open(&e), &e);
}

static void on_finding(void *arg, int64_t seq, const char *rule, const char *what)
{
	(void)arg;
	ck_abort_msg("the log: event %lld: %s: %s", (long long)seq, rule, what);
}

/* The whole log must satisfy an auditor. @return the number of signatures in it */
static int64_t verify_log(void)
{
	struct cs_audit_verifier *v = NULL;
	struct cs_audit_summary summary;
	struct cs_store *s = NULL;
	struct cs_log_ref log;
	struct cs_buf out;
	struct cs_err e = { 0 };
	int64_t next = 1;

	must(cs_store_open(database, CS_STORE_READ, &s, &e), &e);
	must(cs_store_log(s, &log, &e), &e);
	must(cs_audit_new(on_finding, NULL, &v, &e), &e);
	must(cs_audit_know_head(v, &log, true, &e), &e);
	cs_buf_init(&out, CS_EVENT_MAX + 1);
	while (next <= log.size) {
		cs_buf_reset(&out);
		must(cs_store_events(s, next, next, 1, &out, &next, &e), &e);
		must(cs_audit_line(v, (struct cs_bytes){ out.data, out.len - 1 }, &e), &e);
	}
	must(cs_audit_finish(v, &summary, &e), &e);
	ck_assert_int_eq(summary.verdict, CS_AUDIT_ANCHORED);
	cs_audit_free(v);
	cs_buf_done(&out);
	cs_store_close(s);
	return summary.signatures;
}

static void teardown(void)
{
	static const char *const names[] = { "", "-wal", "-shm", "-lock" };

	cs_core_close(core);
	core = NULL;
	verify_log();
	for (size_t i = 0; i < 2; i++)
		fake_signer_stop(signers[i]);
	cs_policy_unref(policy);
	cs_access_unref(access_list);
	for (size_t i = 0; i < 4; i++) {
		char name[128];

		snprintf(name, sizeof(name), "%s%s", database, names[i]);
		unlink(name);
	}
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct cs_caller caller(int who)
{
	return (struct cs_caller){ &access_list->principals[who], "127.0.0.1" };
}

/* ---- requests ---- */

static struct cs_submission submission(const char *key, uint8_t seed)
{
	struct cs_submission s = { .count = 1, .release.security_version = -1 };

	text(s.artifacts[0].name, sizeof(s.artifacts[0].name), "app");
	text(s.artifacts[0].key, sizeof(s.artifacts[0].key), key);
	s.artifacts[0].digest.hash = strcmp(key, "fw-prod") == 0 ? CS_HASH_SHA384 : CS_HASH_SHA256;
	memset(s.artifacts[0].digest.value, seed, sizeof(s.artifacts[0].digest.value));
	s.artifacts[0].size = 4711;
	return s;
}

static enum cs_rc submit_as(int who, const struct cs_submission *s, const char *key,
			    struct cs_answer *a, struct cs_err *e)
{
	const struct cs_caller c = caller(who);

	cs_answer_init(a);
	return cs_core_submit(core, &c, s, key, a, e);
}

/* Submit and expect a state; the id is copied out. */
static void submit(const char *key, uint8_t seed, enum cs_state want, char id[static CS_UUID_TEXT])
{
	struct cs_submission s = submission(key, seed);
	struct cs_answer a;
	struct cs_err e = { 0 };

	must(submit_as(CI, &s, NULL, &a, &e), &e);
	ck_assert_str_eq(cs_state_name(a.state), cs_state_name(want));
	memcpy(id, a.id, CS_UUID_TEXT);
	cs_answer_done(&a);
}

static enum cs_state state_of(const char *id)
{
	const struct cs_caller who = caller(AUDITOR);
	struct cs_answer a;
	struct cs_err e = { 0 };
	enum cs_state state;

	cs_answer_init(&a);
	must(cs_core_request(core, &who, id, &a, &e), &e);
	state = a.state;
	cs_answer_done(&a);
	return state;
}

static void wait_state(const char *id, enum cs_state want)
{
	const int64_t until = cs_clock_mono() + WAIT_MAX;
	enum cs_state state;

	while ((state = state_of(id)) != want && cs_clock_mono() < until)
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	ck_assert_str_eq(cs_state_name(state), cs_state_name(want));
}

/* ---- decisions ---- */

struct vote {
	int who;
	const char *key;
	enum cs_verdict_kind verdict;
	int64_t n;
	int64_t head_off; /* added to the log size that is named */
	bool wrong_head;
};

static void log_now(struct cs_log_ref *log)
{
	struct cs_store *s = NULL;
	struct cs_err e = { 0 };

	must(cs_store_open(database, CS_STORE_READ, &s, &e), &e);
	must(cs_store_log(s, log, &e), &e);
	cs_store_close(s);
}

static enum cs_rc decide(const char *id, const struct vote *v, struct cs_err *e)
{
	const struct cs_caller who = caller(v->who);
	struct softkey k = softkey_load(v->key);
	struct cs_decision d = { .n = v->n, .verdict = v->verdict, .time = cs_clock_now() };
	struct cs_answer a, doc;
	struct cs_buf payload, envelope;
	enum cs_rc rc;

	cs_answer_init(&a);
	cs_answer_init(&doc);
	cs_buf_init(&payload, CS_DECISION_MAX);
	cs_buf_init(&envelope, CS_ENVELOPE_MAX);
	{
		const struct cs_caller auditor = caller(AUDITOR);

		must(cs_core_document(core, &auditor, id, &doc, e), e);
	}
	d.request_sha256 = cs_sha256(cs_buf_bytes(&doc.body));
	log_now(&d.log);
	d.log.size += v->head_off;
	if (v->wrong_head)
		d.log.head.b[0] ^= 1;
	cs_decision_write(&d, &payload);
	softkey_envelope(&k, CS_DECISION_TYPE, cs_buf_bytes(&payload), &envelope);
	rc = cs_core_decide(core, &who, id, cs_buf_bytes(&envelope), "", &a, e);
	cs_answer_done(&a);
	cs_answer_done(&doc);
	cs_buf_done(&payload);
	cs_buf_done(&envelope);
	softkey_done(&k);
	return rc;
}

static void approve(const char *id, int who, const char *key)
{
	const struct vote v = { .who = who, .key = key, .verdict = CS_VERDICT_APPROVE, .n = 1 };
	struct cs_err e = { 0 };

	must(decide(id, &v, &e), &e);
}

static void decide_fails(const char *id, const struct vote *v, enum cs_rc want, const char *word)
{
	struct cs_err e = { 0 };
	enum cs_rc rc = decide(id, v, &e);

	ck_assert_msg(rc == want, "%s: %s", cs_rc_name(rc), e.msg);
	ck_assert_msg(strstr(e.msg, word) != NULL, "'%s' is not in '%s'", word, e.msg);
}

/* ---- signing ---- */

START_TEST(a_dev_request_is_signed_at_once)
{
	char id[CS_UUID_TEXT];

	submit("fw-dev", 1, CS_ST_SIGNED, id);
	ck_assert_int_eq(fake_signer_count(signers[1]), 1);
	ck_assert_int_eq(verify_log(), 1);
}
END_TEST

START_TEST(a_prod_request_is_signed_after_its_quorum)
{
	char id[CS_UUID_TEXT];

	submit("fw-prod", 1, CS_ST_PENDING, id);
	approve(id, APPROVER1, "approver1");
	ck_assert_int_eq(state_of(id), CS_ST_PENDING);
	approve(id, APPROVER2, "approver2");
	wait_state(id, CS_ST_SIGNED);
	ck_assert_int_eq(fake_signer_count(signers[0]), 1);
}
END_TEST

START_TEST(artifacts_of_two_keys_need_both_quorums)
{
	struct cs_submission s = submission("fw-prod", 1), rsa = submission("fw-rsa", 2);
	struct cs_answer a;
	struct cs_err e = { 0 };
	char id[CS_UUID_TEXT];

	s.artifacts[1] = rsa.artifacts[0];
	text(s.artifacts[1].name, sizeof(s.artifacts[1].name), "boot");
	s.count = 2;
	must(submit_as(CI, &s, NULL, &a, &e), &e);
	memcpy(id, a.id, sizeof(id));
	cs_answer_done(&a);
	approve(id, APPROVER1, "approver1");
	approve(id, APPROVER2, "approver2");
	ck_assert_int_eq(state_of(id), CS_ST_PENDING);
	approve(id, APPROVER3, "approver3");
	wait_state(id, CS_ST_SIGNED);
	ck_assert_int_eq(fake_signer_count(signers[0]), 2);
}
END_TEST

START_TEST(a_person_counts_once_whatever_key_she_uses)
{
	char id[CS_UUID_TEXT];
	const struct vote again = {
		.who = APPROVER1, .key = "approver1-second", .verdict = CS_VERDICT_APPROVE, .n = 2
	};
	struct cs_err e = { 0 };

	submit("fw-rsa", 1, CS_ST_PENDING, id);
	approve(id, APPROVER1, "approver1");
	must(decide(id, &again, &e), &e);
	ck_assert_int_eq(state_of(id), CS_ST_PENDING);
}
END_TEST

START_TEST(a_rejection_ends_it)
{
	char id[CS_UUID_TEXT];
	const struct vote no = {
		.who = APPROVER2, .key = "approver2", .verdict = CS_VERDICT_REJECT, .n = 1
	};
	const struct vote late = {
		.who = APPROVER3, .key = "approver3", .verdict = CS_VERDICT_APPROVE, .n = 1
	};
	struct cs_err e = { 0 };

	submit("fw-prod", 1, CS_ST_PENDING, id);
	must(decide(id, &no, &e), &e);
	ck_assert_int_eq(state_of(id), CS_ST_REJECTED);
	decide_fails(id, &late, CS_E_CONFLICT, "rejected already");
}
END_TEST

START_TEST(a_withdrawal_takes_an_approval_back)
{
	char id[CS_UUID_TEXT];
	const struct vote back = {
		.who = APPROVER1, .key = "approver1", .verdict = CS_VERDICT_WITHDRAW, .n = 2
	};
	struct cs_err e = { 0 };

	submit("fw-prod", 1, CS_ST_PENDING, id);
	approve(id, APPROVER1, "approver1");
	must(decide(id, &back, &e), &e);
	approve(id, APPROVER2, "approver2");
	ck_assert_int_eq(state_of(id), CS_ST_PENDING);
}
END_TEST

/* Decisions that must not be recorded, on a request that approver1 has approved. */
static const struct {
	struct vote vote;
	enum cs_rc want;
	const char *word;
} refused[] = {
	{ { APPROVER1, "approver1", CS_VERDICT_APPROVE, 1, 0, false }, CS_E_CONFLICT, "n is 1" },
	{ { APPROVER2, "approver1", CS_VERDICT_APPROVE, 2, 0, false },
	  CS_E_FORBIDDEN,
	  "another person" },
	{ { APPROVER2, "stranger", CS_VERDICT_APPROVE, 1, 0, false }, CS_E_FORBIDDEN, "enrol" },
	{ { APPROVER2, "approver2", CS_VERDICT_APPROVE, 1, 0, true },
	  CS_E_CONFLICT,
	  "another head" },
	{ { APPROVER2, "approver2", CS_VERDICT_APPROVE, 1, 9, false },
	  CS_E_CONFLICT,
	  "a longer one" },
	{ { APPROVER2, "approver2", CS_VERDICT_WITHDRAW, 1, 0, false },
	  CS_E_CONFLICT,
	  "no decision" },
};

START_TEST(a_wrong_decision_is_refused)
{
	char id[CS_UUID_TEXT];

	submit("fw-prod", 1, CS_ST_PENDING, id);
	approve(id, APPROVER1, "approver1");
	decide_fails(id, &refused[_i].vote, refused[_i].want, refused[_i].word);
	ck_assert_int_eq(state_of(id), CS_ST_PENDING);
}
END_TEST

START_TEST(the_requesters_person_does_not_approve)
{
	struct cs_submission s = submission("fw-prod", 1);
	const struct vote own = {
		.who = APPROVER1, .key = "approver1", .verdict = CS_VERDICT_APPROVE, .n = 1
	};
	struct cs_answer a;
	struct cs_err e = { 0 };

	must(submit_as(OTHER, &s, NULL, &a, &e), &e);
	decide_fails(a.id, &own, CS_E_FORBIDDEN, "request");
	cs_answer_done(&a);
}
END_TEST

/* ---- submissions ---- */

START_TEST(an_idempotency_key_returns_the_first_request)
{
	struct cs_submission s = submission("fw-dev", 1), other = submission("fw-dev", 2);
	struct cs_answer a, b;
	struct cs_err e = { 0 };

	must(submit_as(CI, &s, "key-1", &a, &e), &e);
	must(submit_as(CI, &s, "key-1", &b, &e), &e);
	ck_assert_str_eq(a.id, b.id);
	ck_assert(!a.replay && b.replay);
	cs_answer_done(&b);
	ck_assert_int_eq(submit_as(CI, &other, "key-1", &b, &e), CS_E_MISMATCH);
	ck_assert_ptr_nonnull(strstr(e.msg, "Idempotency-Key"));
	cs_answer_done(&b);
	must(submit_as(CI, &s, "key-2", &b, &e), &e);
	ck_assert_str_ne(a.id, b.id);
	cs_answer_done(&b);
	must(submit_as(OTHER, &s, "key-1", &b, &e), &e);
	ck_assert_str_ne(a.id, b.id);
	cs_answer_done(&a);
	cs_answer_done(&b);
	ck_assert_int_eq(fake_signer_count(signers[1]), 3);
}
END_TEST

START_TEST(an_equal_request_without_a_key_is_returned)
{
	char first[CS_UUID_TEXT], second[CS_UUID_TEXT];

	submit("fw-prod", 1, CS_ST_PENDING, first);
	submit("fw-prod", 1, CS_ST_PENDING, second);
	ck_assert_str_eq(first, second);
	submit("fw-prod", 2, CS_ST_PENDING, second);
	ck_assert_str_ne(first, second);
}
END_TEST

START_TEST(a_denied_request_is_in_the_log_and_nowhere_else)
{
	struct cs_submission s = submission("no-such-key", 1);
	struct cs_log_ref before, after;
	struct cs_answer a;
	struct cs_err e = { 0 };

	log_now(&before);
	ck_assert_int_eq(submit_as(CI, &s, NULL, &a, &e), CS_E_NOT_FOUND);
	ck_assert_str_eq(a.rule, "key-not-allowed");
	log_now(&after);
	ck_assert_int_ge(after.size, before.size + 1);
	cs_answer_done(&a);
}
END_TEST

START_TEST(open_requests_are_limited)
{
	char id[CS_UUID_TEXT];
	struct cs_submission s = submission("fw-prod", 99);
	struct cs_answer a;
	struct cs_err e = { 0 };

	for (uint8_t i = 0; i < 8; i++)
		submit("fw-prod", i, CS_ST_PENDING, id);
	ck_assert_int_eq(submit_as(CI, &s, NULL, &a, &e), CS_E_RATE);
	ck_assert_ptr_nonnull(strstr(e.msg, "open_requests"));
	cs_answer_done(&a);
}
END_TEST

START_TEST(rates_are_limited)
{
	struct cs_submission s = submission("fw-dev", 1);
	struct cs_answer a;
	struct cs_err e = { 0 };

	access_list->principals[CI].rate = 2;
	for (int i = 0; i < 2; i++) {
		must(submit_as(CI, &s, NULL, &a, &e), &e);
		cs_answer_done(&a);
	}
	ck_assert_int_eq(submit_as(CI, &s, NULL, &a, &e), CS_E_RATE);
	ck_assert_int_ge(a.retry_after, 1);
	ck_assert_int_le(a.retry_after, 31);
	cs_answer_done(&a);
}
END_TEST

START_TEST(a_request_of_somebody_else_does_not_exist)
{
	char id[CS_UUID_TEXT];
	const struct cs_caller other = caller(OTHER);
	struct cs_answer a;
	struct cs_err e = { 0 };

	submit("fw-dev", 1, CS_ST_SIGNED, id);
	cs_answer_init(&a);
	ck_assert_int_eq(cs_core_request(core, &other, id, &a, &e), CS_E_NOT_FOUND);
	ck_assert_int_eq(cs_core_signature(core, &other, id, 0, &a, &e), CS_E_NOT_FOUND);
	ck_assert_int_eq(cs_core_cancel(core, &other, id, &a, &e), CS_E_NOT_FOUND);
	cs_answer_done(&a);
}
END_TEST

START_TEST(a_cancelled_request_is_over)
{
	char id[CS_UUID_TEXT];
	const struct cs_caller ci = caller(CI);
	const struct vote late = {
		.who = APPROVER1, .key = "approver1", .verdict = CS_VERDICT_APPROVE, .n = 1
	};
	struct cs_answer a;
	struct cs_err e = { 0 };

	submit("fw-prod", 1, CS_ST_PENDING, id);
	cs_answer_init(&a);
	ck_assert_int_eq(cs_core_signature(core, &ci, id, 0, &a, &e), CS_E_PENDING);
	must(cs_core_cancel(core, &ci, id, &a, &e), &e);
	ck_assert_int_eq(a.state, CS_ST_CANCELLED);
	cs_answer_done(&a);
	decide_fails(id, &late, CS_E_CONFLICT, "cancelled already");
}
END_TEST

/* ---- what goes wrong at the signer ---- */

START_TEST(a_refusal_of_the_signer_is_tried_again)
{
	char id[CS_UUID_TEXT];

	fake_signer_set(signers[1], _i == 0 ? FAKE_REFUSE : FAKE_NOT_TRIED, 1);
	submit("fw-dev", 1, CS_ST_APPROVED, id);
	wait_state(id, CS_ST_SIGNED);
	ck_assert_int_eq(fake_signer_count(signers[1]), 1);
}
END_TEST

START_TEST(an_answer_that_never_came_is_tried_once_more)
{
	char id[CS_UUID_TEXT];

	fake_signer_set(signers[1], FAKE_SILENT, 1);
	submit("fw-dev", 1, CS_ST_APPROVED, id);
	wait_state(id, CS_ST_SIGNED);
}
END_TEST

START_TEST(two_answers_that_never_came_are_a_failure)
{
	char id[CS_UUID_TEXT];

	fake_signer_set(signers[1], FAKE_SILENT, -1);
	submit("fw-dev", 1, CS_ST_APPROVED, id);
	wait_state(id, CS_ST_FAILED);
}
END_TEST

START_TEST(a_signature_that_does_not_verify_is_never_released)
{
	const struct cs_caller ci = caller(CI);
	char id[CS_UUID_TEXT];
	struct cs_answer a;
	struct cs_err e = { 0 };

	fake_signer_set(signers[1], FAKE_FLIP, -1);
	submit("fw-dev", 1, CS_ST_FAILED, id);
	cs_answer_init(&a);
	ck_assert_int_eq(cs_core_signature(core, &ci, id, 0, &a, &e), CS_E_CONFLICT);
	cs_answer_done(&a);
}
END_TEST

/* How many events of a kind the log has. */
static int count_events(const char *kind)
{
	struct cs_store *s = NULL;
	struct cs_log_ref log;
	struct cs_buf line, word;
	struct cs_err e = { 0 };
	int64_t next = 1;
	int count = 0;

	cs_buf_init(&line, CS_EVENT_MAX + 1);
	cs_buf_init(&word, 128);
	cs_buf_addf(&word, "\"kind\":\"%s\"", kind);
	must(cs_store_open(database, CS_STORE_READ, &s, &e), &e);
	must(cs_store_log(s, &log, &e), &e);
	while (next <= log.size) {
		cs_buf_reset(&line);
		must(cs_store_events(s, next, next, 1, &line, &next, &e), &e);
		count += strstr(cs_buf_str(&line), cs_buf_str(&word)) != NULL;
	}
	cs_store_close(s);
	cs_buf_done(&line);
	cs_buf_done(&word);
	return count;
}

START_TEST(a_request_scheduled_twice_keeps_its_back_off)
{
	char id[CS_UUID_TEXT];

	fake_signer_set(signers[1], FAKE_NOT_TRIED, -1);
	submit("fw-dev", 1, CS_ST_APPROVED, id);
	for (int i = 0; i < 50; i++)
		cs_core_schedule(core, id);
	nanosleep(&(struct timespec){ .tv_nsec = 500000000 }, NULL);
	ck_assert_int_eq(count_events("sign.intent"), 1);
}
END_TEST

/* The events of an attempt whenever a signer is away would fill the disk over a weekend. */
START_TEST(nothing_is_tried_while_the_signer_is_away)
{
	char id[CS_UUID_TEXT];

	submit("fw-rsa", 1, CS_ST_PENDING, id);
	fake_signer_stop(signers[0]);
	for (int i = 0; i < 500 && count_events("signer.lost") == 0; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	approve(id, APPROVER1, "approver1");
	approve(id, APPROVER3, "approver3");
	nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL);
	ck_assert_int_eq(state_of(id), CS_ST_APPROVED);
	ck_assert_int_eq(count_events("sign.intent"), 0);
	signers[0] = fake_signer_start(dir, "prod", policy);
	wait_state(id, CS_ST_SIGNED);
	ck_assert_int_eq(count_events("sign.intent"), 1);
}
END_TEST

/* Two children have times of their own; asking them in turn is no news. */
START_TEST(a_selftest_is_recorded_once)
{
	fake_signer_selftests(signers[1], 1000, 2000);
	nanosleep(&(struct timespec){ .tv_sec = 6, .tv_nsec = 500000000 }, NULL);
	/* the start's, of both signers, and the two of dev */
	ck_assert_int_le(count_events("signer.selftest"), 4);
}
END_TEST

/* ---- another policy ---- */

static enum cs_rc reload(struct cs_policy *p, struct cs_err *e)
{
	const struct cs_core_policy files = {
		.policy = p,
		.policy_yaml = { (const uint8_t *)"version: 8\n", 11 },
		.access = access_list,
	};
	enum cs_rc rc = cs_core_reload(core, &files, e);

	if (rc == CS_OK) {
		fake_signer_policy(signers[0], p);
		fake_signer_policy(signers[1], p);
		cs_policy_unref(policy);
		policy = p;
	} else {
		cs_policy_unref(p);
	}
	return rc;
}

START_TEST(a_removed_approver_no_longer_counts)
{
	struct cs_policy *p = sample_policy_new();
	struct cs_err e = { 0 };
	char id[CS_UUID_TEXT];

	submit("fw-rsa", 1, CS_ST_PENDING, id);
	approve(id, APPROVER1, "approver1");
	p->version = 8;
	text(p->approvers[0].person, sizeof(p->approvers[0].person), "approver9");
	for (size_t i = 0; i < p->approvers[0].key_count; i++) {
		cs_pk_free(p->approvers[0].keys[i].pk);
		p->approvers[0].keys[i].pk = NULL;
		cs_buf_done(&p->approvers[0].keys[i].enrolment);
	}
	p->approvers[0].key_count = 0;
	sample_enrol(p, 0, "stranger");
	must(cs_policy_seal(p, &e), &e);
	must(reload(p, &e), &e);
	approve(id, APPROVER3, "approver3");
	ck_assert_int_eq(state_of(id), CS_ST_PENDING);
}
END_TEST

START_TEST(a_key_that_was_replaced_cancels_what_waits)
{
	struct cs_policy *p = sample_policy_new();
	struct softkey k = softkey_load("rsa-4096");
	struct cs_err e = { 0 };
	char id[CS_UUID_TEXT];

	submit("fw-rsa", 1, CS_ST_PENDING, id);
	p->version = 8;
	for (size_t i = 0; i < p->key_count; i++)
		if (strcmp(p->keys[i].name, "fw-rsa") == 0) {
			cs_pk_free(p->keys[i].pk);
			p->keys[i].pk = k.pk;
			p->keys[i].alg = CS_ALG_RSA_4096;
		}
	k.pk = NULL; /* transferred */
	softkey_done(&k);
	must(cs_policy_seal(p, &e), &e);
	must(reload(p, &e), &e);
	ck_assert_int_eq(state_of(id), CS_ST_CANCELLED);
}
END_TEST

START_TEST(a_policy_that_does_not_grow_is_refused)
{
	struct cs_policy *p = sample_policy_new();
	struct cs_err e = { 0 };

	p->version = _i == 0 ? 6 : 7;
	p->keys[0].disabled = true;
	must(cs_policy_seal(p, &e), &e);
	ck_assert_int_eq(reload(p, &e), CS_E_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.msg, "raise the version"));
}
END_TEST

START_TEST(a_request_expires)
{
	struct cs_policy *p = sample_policy_new();
	struct cs_err e = { 0 };
	char id[CS_UUID_TEXT];
	const struct vote late = {
		.who = APPROVER1, .key = "approver1", .verdict = CS_VERDICT_APPROVE, .n = 1
	};

	p->version = 8;
	for (size_t i = 0; i < p->key_count; i++)
		p->keys[i].max_wait = 1;
	must(cs_policy_seal(p, &e), &e);
	must(reload(p, &e), &e);
	submit("fw-prod", 1, CS_ST_PENDING, id);
	wait_state(id, CS_ST_EXPIRED);
	decide_fails(id, &late, CS_E_EXPIRED, "expired");
}
END_TEST

/* ---- restarts ---- */

START_TEST(what_waits_survives_a_restart)
{
	struct cs_err e = { 0 };
	char id[CS_UUID_TEXT];

	submit("fw-prod", 1, CS_ST_PENDING, id);
	approve(id, APPROVER1, "approver1");
	cs_core_close(core);
	must(try_open(&e), &e);
	approve(id, APPROVER2, "approver2");
	wait_state(id, CS_ST_SIGNED);
}
END_TEST

START_TEST(another_instance_or_an_older_policy_refuses_to_start)
{
	struct cs_policy *good = policy;
	struct cs_err e = { 0 };

	cs_core_close(core);
	core = NULL;
	policy = sample_policy_new();
	if (_i == 0)
		text(policy->instance, sizeof(policy->instance), "other");
	else
		policy->version = 6;
	must(cs_policy_seal(policy, &e), &e);
	ck_assert_int_eq(try_open(&e), CS_E_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.msg, _i == 0 ? "instance" : "raise the version"));
	cs_policy_unref(policy);
	policy = good;
	must(try_open(&e), &e);
}
END_TEST

/* ---- waiting ---- */

static void wake(void *arg)
{
	atomic_store((atomic_bool *)arg, true);
}

START_TEST(a_wait_ends_with_a_change_or_its_time)
{
	char id[CS_UUID_TEXT];
	const struct cs_caller ci = caller(CI);
	atomic_bool changed = false, over = false;
	struct cs_answer a;
	struct cs_err e = { 0 };

	submit("fw-prod", 1, CS_ST_PENDING, id);
	cs_answer_init(&a);
	must(cs_core_request(core, &ci, id, &a, &e), &e);
	must(cs_core_wait(core, id, a.revision, cs_clock_mono() + WAIT_MAX, wake, &changed, &e),
	     &e);
	must(cs_core_wait(core, id, a.revision, cs_clock_mono() + CS_SECOND / 4, wake, &over, &e),
	     &e);
	ck_assert(!changed && !over);
	for (int i = 0; i < 100 && !over; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	ck_assert(over && !changed);
	approve(id, APPROVER1, "approver1");
	ck_assert(changed);
	cs_answer_done(&a);
}
END_TEST

struct lister {
	pthread_t thread;
	atomic_bool stop, wrong;
};

/* What a list calls its revision must be in it: who waits for the next one must miss nothing. */
static void *list_and_compare(void *arg)
{
	const struct cs_caller auditor = caller(AUDITOR);
	const struct cs_list_filter all = { .limit = 10 };
	struct lister *l = arg;

	while (!atomic_load(&l->stop)) {
		struct cs_answer a;
		struct cs_err e = { 0 };
		json_int_t newest = 0;
		json_t *root = NULL, *one;
		size_t i;

		cs_answer_init(&a);
		must(cs_core_requests(core, &auditor, &all, &a, &e), &e);
		must(cs_json_parse(cs_buf_bytes(&a.body), CS_EVENT_MAX, "list", &root, &e), &e);
		json_array_foreach (json_object_get(root, "requests"), i, one) {
			json_int_t r = json_integer_value(json_object_get(one, "revision"));

			newest = r > newest ? r : newest;
		}
		if (newest < a.revision)
			atomic_store(&l->wrong, true);
		json_decref(root);
		cs_answer_done(&a);
	}
	return NULL;
}

START_TEST(a_list_holds_what_its_revision_says)
{
	const struct cs_caller ci = caller(CI);
	struct lister l = { .stop = false };
	char id[CS_UUID_TEXT];
	struct cs_answer a;
	struct cs_err e = { 0 };

	submit("fw-rsa", 0, CS_ST_PENDING, id);
	ck_assert_int_eq(pthread_create(&l.thread, NULL, list_and_compare, &l), 0);
	for (uint8_t i = 1; i <= 100; i++) {
		submit("fw-rsa", i, CS_ST_PENDING, id);
		cs_answer_init(&a);
		must(cs_core_cancel(core, &ci, id, &a, &e), &e);
		cs_answer_done(&a);
	}
	atomic_store(&l.stop, true);
	pthread_join(l.thread, NULL);
	ck_assert(!atomic_load(&l.wrong));
}
END_TEST

START_TEST(exports_are_limited)
{
	const struct cs_caller auditor = caller(AUDITOR);
	struct cs_answer a;
	struct cs_err e = { 0 };

	access_list->principals[AUDITOR].rate = 2;
	for (int i = 0; i < 3; i++) {
		cs_answer_init(&a);
		ck_assert_int_eq(cs_core_events(core, &auditor, 1, true, &a, &e),
				 i < 2 ? CS_OK : CS_E_RATE);
		cs_answer_done(&a);
	}
	ck_assert_int_eq(count_events("log.exported"), 2);
}
END_TEST

START_TEST(refusals_are_counted_once_a_minute)
{
	const struct cs_caller ci = caller(CI);
	struct cs_log_ref before, after;
	struct cs_err e = { 0 };

	log_now(&before);
	for (int i = 0; i < 1000; i++)
		cs_core_auth_refused(core, "203.0.113.7", "unknown certificate");
	cs_core_access_refused(core, &ci, "GET", "/v1/audit/events", "auditor");
	cs_core_close(core);
	log_now(&after);
	ck_assert_int_ge(after.size, before.size + 3); /* two refusals and the stop */
	ck_assert_int_le(after.size, before.size + 8);
	must(try_open(&e), &e);
}
END_TEST

static void add_tests(TCase *t)
{
	tcase_add_test(t, a_dev_request_is_signed_at_once);
	tcase_add_test(t, a_prod_request_is_signed_after_its_quorum);
	tcase_add_test(t, artifacts_of_two_keys_need_both_quorums);
	tcase_add_test(t, a_person_counts_once_whatever_key_she_uses);
	tcase_add_test(t, a_rejection_ends_it);
	tcase_add_test(t, a_withdrawal_takes_an_approval_back);
	tcase_add_loop_test(t, a_wrong_decision_is_refused, 0,
			    (int)(sizeof(refused) / sizeof(refused[0])));
	tcase_add_test(t, the_requesters_person_does_not_approve);
	tcase_add_test(t, an_idempotency_key_returns_the_first_request);
	tcase_add_test(t, an_equal_request_without_a_key_is_returned);
	tcase_add_test(t, a_denied_request_is_in_the_log_and_nowhere_else);
	tcase_add_test(t, open_requests_are_limited);
	tcase_add_test(t, rates_are_limited);
	tcase_add_test(t, a_request_of_somebody_else_does_not_exist);
	tcase_add_test(t, a_cancelled_request_is_over);
	tcase_add_loop_test(t, a_refusal_of_the_signer_is_tried_again, 0, 2);
	tcase_add_test(t, an_answer_that_never_came_is_tried_once_more);
	tcase_add_test(t, two_answers_that_never_came_are_a_failure);
	tcase_add_test(t, a_signature_that_does_not_verify_is_never_released);
	tcase_add_test(t, a_request_scheduled_twice_keeps_its_back_off);
	tcase_add_test(t, nothing_is_tried_while_the_signer_is_away);
	tcase_add_test(t, a_selftest_is_recorded_once);
	tcase_add_test(t, a_removed_approver_no_longer_counts);
	tcase_add_test(t, a_key_that_was_replaced_cancels_what_waits);
	tcase_add_loop_test(t, a_policy_that_does_not_grow_is_refused, 0, 2);
	tcase_add_test(t, a_request_expires);
	tcase_add_test(t, what_waits_survives_a_restart);
	tcase_add_loop_test(t, another_instance_or_an_older_policy_refuses_to_start, 0, 2);
	tcase_add_test(t, a_wait_ends_with_a_change_or_its_time);
	tcase_add_test(t, a_list_holds_what_its_revision_says);
	tcase_add_test(t, exports_are_limited);
	tcase_add_test(t, refusals_are_counted_once_a_minute);
}

int main(void)
{
	Suite *suite = suite_create("core");
	TCase *t = tcase_create("core");
	SRunner *runner;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	add_tests(t);
	suite_add_tcase(suite, t);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
