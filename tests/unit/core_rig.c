/* SPDX-License-Identifier: Apache-2.0 */
/*
 * See core_rig.h. Everything is made new for each test and ends before the auditor's verifier.
 */
#include <check.h>
#include <semaphore.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "store/store.h"
#include "unit/core_rig.h"
#include "unit/samples.h"
#include "verify/verify.h"

char dir[64], database[96];
struct cs_policy *policy;
struct cs_access *access_list;
struct fake_signer *signers[2];
struct cs_core *core;

static char sockets[2][108];

void must(enum cs_rc rc, const struct cs_err *e)
{
	ck_assert_msg(rc == CS_OK, "%s: %s", cs_rc_name(rc), e->msg);
}

void text(char *out, size_t size, const char *s)
{
	ck_assert_int_lt(snprintf(out, size, "%s", s), (int)size);
}

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
		p->read_rate = 1000000;
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

enum cs_rc try_open(struct cs_err *e)
{
	const struct cs_core_config config = {
		.database = database,
		.version = "test",
		.readers = 4,
		.waits_per_principal = 3,
		.log_check = { .period_us = CS_SECOND / 10, .share = 50 },
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

void setup(void)
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

int64_t verify_log(void)
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

void outside(const char *sql)
{
	sqlite3 *db = NULL;

	ck_assert_int_eq(sqlite3_open(database, &db), SQLITE_OK);
	sqlite3_busy_timeout(db, 5000);
	sqlite3_exec(db, "DROP TRIGGER event_update", NULL, NULL, NULL);
	ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s",
		      sqlite3_errmsg(db));
	sqlite3_close(db);
}

void teardown(void)
{
	static const char *const names[] = { "", "-wal", "-shm", "-lock", "-head" };

	cs_core_close(core);
	core = NULL;
	verify_log();
	for (size_t i = 0; i < 2; i++)
		fake_signer_stop(signers[i]);
	cs_policy_unref(policy);
	cs_access_unref(access_list);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char name[128];

		snprintf(name, sizeof(name), "%s%s", database, names[i]);
		unlink(name);
	}
	ck_assert_int_eq(rmdir(dir), 0);
}

struct cs_caller caller(int who)
{
	return (struct cs_caller){ &access_list->principals[who], "127.0.0.1" };
}

struct cs_submission submission(const char *key, uint8_t seed)
{
	struct cs_submission s = { .count = 1, .release.security_version = -1 };

	text(s.artifacts[0].name, sizeof(s.artifacts[0].name), "app");
	text(s.artifacts[0].key, sizeof(s.artifacts[0].key), key);
	s.artifacts[0].digest.hash = strcmp(key, "fw-prod") == 0 ? CS_HASH_SHA384 : CS_HASH_SHA256;
	memset(s.artifacts[0].digest.value, seed, sizeof(s.artifacts[0].digest.value));
	s.artifacts[0].size = 4711;
	return s;
}

/* A submission that a test waits for. */
struct submitted {
	sem_t done;
	enum cs_rc rc;
	struct cs_err *e;
};

static void on_submitted(void *arg, enum cs_rc rc, const struct cs_err *e)
{
	struct submitted *x = arg;

	x->rc = rc;
	if (rc != CS_OK)
		*x->e = *e;
	sem_post(&x->done);
}

enum cs_rc reload(struct cs_policy *p, struct cs_err *e)
{
	const struct cs_core_policy files = {
		.policy = p,
		.policy_yaml = { (const uint8_t *)"version: 8\n", 11 },
		.access = access_list,
	};
	enum cs_rc rc = cs_core_reload(core, &files, e);

	if (rc == CS_OK) {
		for (size_t i = 0; i < CS_COUNT(signers); i++)
			if (signers[i])
				fake_signer_policy(signers[i], p);
		cs_policy_unref(policy);
		policy = p;
	} else {
		cs_policy_unref(p);
	}
	return rc;
}

enum cs_rc submit_as(int who, const struct cs_submission *s, const char *key, struct cs_answer *a,
		     struct cs_err *e)
{
	const struct cs_caller c = caller(who);
	struct submitted x = { .e = e };

	cs_answer_init(a);
	sem_init(&x.done, 0, 0);
	cs_core_submit(core, &c, s, key, a, on_submitted, &x);
	while (sem_wait(&x.done) != 0)
		;
	sem_destroy(&x.done);
	return x.rc;
}

void submit(const char *key, uint8_t seed, enum cs_state want, char id[static CS_UUID_TEXT])
{
	struct cs_submission s = submission(key, seed);
	struct cs_answer a;
	struct cs_err e = { 0 };

	must(submit_as(CI, &s, NULL, &a, &e), &e);
	ck_assert_str_eq(cs_state_name(a.state), cs_state_name(want));
	memcpy(id, a.id, CS_UUID_TEXT);
	cs_answer_done(&a);
}

enum cs_state state_of(const char *id)
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

void wait_state(const char *id, enum cs_state want)
{
	const int64_t until = cs_clock_mono() + WAIT_MAX;
	enum cs_state state;

	while ((state = state_of(id)) != want && cs_clock_mono() < until)
		nanosleep(&(struct timespec){ .tv_nsec = 5000000 }, NULL);
	ck_assert_str_eq(cs_state_name(state), cs_state_name(want));
}

void log_now(struct cs_log_ref *log)
{
	struct cs_store *s = NULL;
	struct cs_err e = { 0 };

	must(cs_store_open(database, CS_STORE_READ, &s, &e), &e);
	must(cs_store_log(s, log, &e), &e);
	cs_store_close(s);
}

enum cs_rc decide(const char *id, const struct vote *v, struct cs_err *e)
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

void approve(const char *id, int who, const char *key)
{
	const struct vote v = { .who = who, .key = key, .verdict = CS_VERDICT_APPROVE, .n = 1 };
	struct cs_err e = { 0 };

	must(decide(id, &v, &e), &e);
}

void decide_fails(const char *id, const struct vote *v, enum cs_rc want, const char *word)
{
	struct cs_err e = { 0 };
	enum cs_rc rc = decide(id, v, &e);

	ck_assert_msg(rc == want, "%s: %s", cs_rc_name(rc), e.msg);
	ck_assert_msg(strstr(e.msg, word) != NULL, "'%s' is not in '%s'", word, e.msg);
}

int count_events(const char *kind)
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
