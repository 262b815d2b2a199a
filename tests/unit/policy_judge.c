/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verdicts: each rule with a request that it stops, the document of those that pass, and the same
 * in words.
 */
#include <stdio.h>
#include <string.h>

#include "policy/explain.h"
#include "unit/policy_files.h"
#include "unit/unit_policy.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define NOW INT64_C(1800000000000000) /* 2027-01-15T08:00:00Z */
#define YEAR (INT64_C(366) * 86400 * CS_SECOND)

struct artifact {
	const char *key;
	enum cs_hash hash;
	enum cs_format format;
};

static const struct judged {
	const char *name;
	struct text_edit edit;   /* of signing.yaml */
	struct text_edit access; /* of access.yaml */
	const char *principal;   /* NULL: ci-app */
	struct artifact artifacts[2];
	int64_t later; /* than NOW */
	int64_t used;  /* by the keys so far */
	enum cs_judgement judgement;
	enum cs_rc rc;
	const char *rule;
	const char *reason; /* part of it */
} judged[] = {
	{ .name = "dev",
	  .artifacts = { { "app-dev", CS_HASH_SHA256, CS_FORMAT_NONE } },
	  .judgement = CS_JUDGE_APPROVED,
	  .rule = "no-quorum",
	  .reason = "no approval needed" },
	{ .name = "prod",
	  .artifacts = { { "app-prod", CS_HASH_SHA384, CS_FORMAT_RSA_PSS } },
	  .judgement = CS_JUDGE_PENDING,
	  .rule = "quorum",
	  .reason = "needs approvals: 2 of release, 1 of security" },
	{ .name = "no agent",
	  .principal = "auditor1",
	  .artifacts = { { "app-dev", CS_HASH_SHA256, CS_FORMAT_NONE } },
	  .rc = CS_E_DENIED,
	  .rule = "role",
	  .reason = "auditor1 is no agent" },
	{ .name = "nothing to sign",
	  .rc = CS_E_INVALID,
	  .rule = "no-artifacts",
	  .reason = "this one has 0" },
	{ .name = "no such key",
	  .artifacts = { { "app-beta", CS_HASH_SHA256, CS_FORMAT_NONE } },
	  .rc = CS_E_NOT_FOUND,
	  .rule = "key-not-allowed",
	  .reason = "artifact a0: no such key, or not yours: app-beta" },
	{ .name = "not his key",
	  .access = { "[app-prod, app-dev]", "[app-prod]" },
	  .artifacts = { { "app-dev", CS_HASH_SHA256, CS_FORMAT_NONE } },
	  .rc = CS_E_NOT_FOUND,
	  .rule = "key-not-allowed",
	  .reason = "artifact a0: no such key, or not yours: app-dev" },
	{ .name = "two environments",
	  .artifacts = { { "app-dev", CS_HASH_SHA256, CS_FORMAT_NONE },
			 { "app-prod", CS_HASH_SHA384, CS_FORMAT_NONE } },
	  .rc = CS_E_INVALID,
	  .rule = "environments-mixed",
	  .reason = "key app-dev is dev and key app-prod is prod" },
	{ .name = "another format",
	  .artifacts = { { "app-prod", CS_HASH_SHA384, CS_FORMAT_RSA_PKCS1 } },
	  .rc = CS_E_INVALID,
	  .rule = "format-mismatch",
	  .reason = "key app-prod makes format rsa-pss, not rsa-pkcs1" },
	{ .name = "another hash",
	  .artifacts = { { "app-prod", CS_HASH_SHA256, CS_FORMAT_NONE } },
	  .rc = CS_E_INVALID,
	  .rule = "hash-mismatch",
	  .reason = "key app-prod signs sha384 digests, this one is sha256" },
	{ .name = "key disabled",
	  .edit = { "max_wait: 24h", "disabled: true" },
	  .artifacts = { { "app-prod", CS_HASH_SHA384, CS_FORMAT_NONE } },
	  .rc = CS_E_DENIED,
	  .rule = "key-disabled",
	  .reason = "key app-prod is disabled" },
	{ .name = "key not yet valid",
	  .artifacts = { { "app-prod", CS_HASH_SHA384, CS_FORMAT_NONE } },
	  .later = -2 * YEAR,
	  .rc = CS_E_DENIED,
	  .rule = "key-not-yet-valid",
	  .reason = "key app-prod signs from 2026-01-01T00:00:00.000000Z on" },
	{ .name = "last moment of a key",
	  .artifacts = { { "app-prod", CS_HASH_SHA384, CS_FORMAT_NONE } },
	  .later = INT64_C(1893499200000000) - NOW,
	  .judgement = CS_JUDGE_PENDING,
	  .rule = "quorum",
	  .reason = "2 of release" },
	{ .name = "key expired",
	  .artifacts = { { "app-prod", CS_HASH_SHA384, CS_FORMAT_NONE } },
	  .later = INT64_C(1893499200000000) - NOW + 1,
	  .rc = CS_E_DENIED,
	  .rule = "key-expired",
	  .reason = "key app-prod signed until 2030-01-01T12:00:00.000000Z" },
	{ .name = "last use of a key",
	  .edit = { "max_wait: 24h", "max_uses: 10" },
	  .artifacts = { { "app-prod", CS_HASH_SHA384, CS_FORMAT_NONE } },
	  .used = 9,
	  .judgement = CS_JUDGE_PENDING,
	  .rule = "quorum",
	  .reason = "2 of release" },
	{ .name = "key used up by two artifacts",
	  .edit = { "max_wait: 24h", "max_uses: 10" },
	  .artifacts = { { "app-prod", CS_HASH_SHA384, CS_FORMAT_NONE },
			 { "app-prod", CS_HASH_SHA384, CS_FORMAT_NONE } },
	  .used = 9,
	  .rc = CS_E_DENIED,
	  .rule = "key-used-up",
	  .reason = "key app-prod has made 9 of the 10 signatures" },
	{ .name = "requester's owner is needed as approver",
	  .access = { "[dev2, dev1]", "[dev2, approver2]" },
	  .artifacts = { { "app-prod", CS_HASH_SHA384, CS_FORMAT_NONE } },
	  .rc = CS_E_DENIED,
	  .rule = "quorum-unreachable",
	  .reason = "the quorum can never be met: 2 of group release must approve, and without "
		    "the persons behind ci-app it has 1" },
	{ .name = "two keys with the same quorum",
	  .artifacts = { { "app-prod", CS_HASH_SHA384, CS_FORMAT_NONE },
			 { "app-prod", CS_HASH_SHA384, CS_FORMAT_NONE } },
	  .judgement = CS_JUDGE_PENDING,
	  .rule = "quorum",
	  .reason = "needs approvals: 2 of release, 1 of security" },
};

static void make_submission(const struct artifact *artifacts, struct cs_submission *s)
{
	memset(s, 0, sizeof(*s));
	s->release.security_version = -1;
	for (size_t i = 0; i < 2 && artifacts[i].key; i++) {
		struct cs_artifact *a = &s->artifacts[s->count++];

		snprintf(a->name, sizeof(a->name), "a%zu", i);
		snprintf(a->key, sizeof(a->key), "%s", artifacts[i].key);
		a->digest.hash = artifacts[i].hash;
		memset(a->digest.value, 0xab, cs_hash_len(artifacts[i].hash));
		a->format = artifacts[i].format;
		a->size = 4096;
	}
}

START_TEST(rules_judge)
{
	const struct judged *t = &judged[_i];
	struct cs_policy *policy = policy_files_policy(&t->edit);
	struct cs_access *access = policy_files_access_list(policy, &t->access);
	struct cs_submission submission;
	const struct cs_facts facts = {
		.policy = policy,
		.principal = cs_access_principal(access, t->principal ? t->principal : "ci-app"),
		.submission = &submission,
		.now = NOW + t->later,
		.used = { t->used, t->used },
	};
	struct cs_request doc;
	struct cs_verdict v;

	make_submission(t->artifacts, &submission);
	v = cs_policy_judge(&facts, &doc);
	ck_assert_msg(v.judgement == t->judgement && v.rc == t->rc &&
			      strcmp(v.rule, t->rule) == 0 && strstr(v.reason, t->reason),
		      "%s: judgement %d, rc %s, rule %s: %s", t->name, (int)v.judgement,
		      cs_rc_name(v.rc), v.rule, v.reason);
	cs_access_unref(access);
	cs_policy_unref(policy);
}
END_TEST

/* Rules on the keys come first, so groups without approvers do for this one. */
START_TEST(quorums_of_many_groups_are_refused)
{
	struct cs_policy *policy = policy_files_policy(NULL);
	struct cs_access *access = policy_files_access_list(policy, NULL);
	const struct artifact artifacts[2] = { { "app-dev", CS_HASH_SHA256, CS_FORMAT_NONE },
					       { "app-prod", CS_HASH_SHA384, CS_FORMAT_NONE } };
	struct cs_submission submission;
	const struct cs_facts facts = {
		policy, cs_access_principal(access, "ci-app"), &submission, NOW, { 0 }
	};
	struct cs_request doc;
	struct cs_verdict v;

	for (size_t i = 0; i < policy->key_count; i++) {
		struct cs_quorum_list *q = &policy->keys[i].quorum;

		policy->keys[i].environment = CS_ENV_PROD;
		q->count = 5;
		for (size_t n = 0; n < q->count; n++) {
			snprintf(q->lines[n].group, sizeof(q->lines[n].group), "g%zu-%zu", i, n);
			q->lines[n].count = 1;
		}
	}
	make_submission(artifacts, &submission);
	v = cs_policy_judge(&facts, &doc);
	ck_assert_int_eq(v.judgement, CS_JUDGE_DENY);
	ck_assert_int_eq(v.rc, CS_E_INVALID);
	ck_assert_str_eq(v.rule, "quorum-too-long");
	ck_assert_ptr_nonnull(strstr(v.reason, "more than 8 groups"));
	cs_access_unref(access);
	cs_policy_unref(policy);
}
END_TEST

/* "No such key" and "not yours" must not tell which of the two it is. */
START_TEST(foreign_and_missing_keys_look_alike)
{
	const struct text_edit only_prod = { "[app-prod, app-dev]", "[app-prod]" };
	struct cs_policy *policy = policy_files_policy(NULL);
	struct cs_access *access = policy_files_access_list(policy, &only_prod);
	const struct artifact foreign[2] = { { "app-dev", CS_HASH_SHA256, CS_FORMAT_NONE } };
	const struct artifact missing[2] = { { "app-dew", CS_HASH_SHA256, CS_FORMAT_NONE } };
	struct cs_submission submission;
	const struct cs_facts facts = {
		policy, cs_access_principal(access, "ci-app"), &submission, NOW, { 0 }
	};
	struct cs_verdict a, b;
	struct cs_request doc;
	char *key;

	make_submission(foreign, &submission);
	a = cs_policy_judge(&facts, &doc);
	make_submission(missing, &submission);
	b = cs_policy_judge(&facts, &doc);
	ck_assert_int_eq(a.rc, b.rc);
	ck_assert_str_eq(a.rule, b.rule);
	key = strstr(b.reason, "app-dew");
	ck_assert_ptr_nonnull(key);
	memcpy(key, "app-dev", strlen("app-dev"));
	ck_assert_str_eq(a.reason, b.reason);
	cs_access_unref(access);
	cs_policy_unref(policy);
}
END_TEST

START_TEST(document_is_complete)
{
	struct cs_policy *policy = policy_files_policy(NULL);
	struct cs_access *access = policy_files_access_list(policy, NULL);
	const struct artifact artifacts[2] = { { "app-prod", CS_HASH_SHA384, CS_FORMAT_NONE } };
	struct cs_submission submission;
	const struct cs_facts facts = {
		policy, cs_access_principal(access, "ci-app"), &submission, NOW, { 0 }
	};
	static struct cs_request doc, again; /* large */
	struct cs_sha256 comment = cs_sha256(cs_bytes_of("for the field"));
	struct cs_buf bytes;

	make_submission(artifacts, &submission);
	snprintf(submission.release.product, sizeof(submission.release.product), "meter");
	snprintf(submission.build.commit, sizeof(submission.build.commit), "abc");
	snprintf(submission.comment, sizeof(submission.comment), "for the field");
	ck_assert_int_eq(cs_policy_judge(&facts, &doc).judgement, CS_JUDGE_PENDING);

	ck_assert_str_eq(doc.id, "");
	ck_assert_str_eq(doc.instance, "example");
	ck_assert_int_eq(doc.environment, CS_ENV_PROD);
	ck_assert_str_eq(doc.principal, "ci-app");
	ck_assert_uint_eq(doc.person_count, 2);
	ck_assert_str_eq(doc.persons[0], "dev1");
	ck_assert_int_eq(doc.method, CS_METHOD_MTLS);
	ck_assert(doc.created == NOW);
	ck_assert(doc.expires == NOW + 24 * 3600 * CS_SECOND);
	ck_assert_uint_eq(doc.quorum.count, 2);
	ck_assert_uint_eq(doc.count, 1);
	ck_assert_int_eq(doc.artifacts[0].format, CS_FORMAT_RSA_PSS);
	ck_assert_int_eq(doc.artifacts[0].key_alg, CS_ALG_RSA_3072);
	ck_assert_int_eq(doc.artifacts[0].key_hash, CS_HASH_SHA384);
	ck_assert(cs_policy_key_by_spki(policy, &doc.artifacts[0].key_spki) ==
		  cs_policy_key(policy, "app-prod"));
	ck_assert_str_eq(doc.release.product, "meter");
	ck_assert_str_eq(doc.build.commit, "abc");
	ck_assert(doc.has_comment && cs_sha256_equal(&doc.comment_sha256, &comment));
	ck_assert_int_eq(doc.policy_version, 7);
	ck_assert(cs_sha256_equal(&doc.policy_digest, &policy->digest));

	/* with an id it is a document that parses */
	snprintf(doc.id, sizeof(doc.id), "019aa5e7-3c1f-7a3e-9d55-3d8ab0f6c0f1");
	cs_buf_init(&bytes, CS_DOCUMENT_MAX);
	cs_request_write(&doc, &bytes);
	ck_assert_int_eq(cs_request_parse(cs_buf_bytes(&bytes), &again, NULL), CS_OK);
	cs_buf_done(&bytes);
	cs_access_unref(access);
	cs_policy_unref(policy);
}
END_TEST

START_TEST(every_rule_has_a_summary)
{
#define RULE_NAME(id, name, judgement, rc, summary) name,
	static const char *const names[] = { CS_RULES(RULE_NAME) };
#undef RULE_NAME

	for (size_t i = 0; i < COUNT(names); i++)
		ck_assert_ptr_nonnull(cs_rule_summary(names[i]));
	ck_assert_ptr_null(cs_rule_summary("no-such-rule"));
}
END_TEST

TCase *tcase_judge(void)
{
	TCase *tc = tcase_create("judge");

	tcase_add_loop_test(tc, rules_judge, 0, (int)COUNT(judged));
	tcase_add_test(tc, quorums_of_many_groups_are_refused);
	tcase_add_test(tc, foreign_and_missing_keys_look_alike);
	tcase_add_test(tc, document_is_complete);
	tcase_add_test(tc, every_rule_has_a_summary);
	return tc;
}

static const struct explained {
	struct text_edit edit; /* of signing.yaml */
	struct text_edit access;
	struct artifact artifacts[2];
	const char *text;
} explained[] = {
	{ .access = { "[dev2, dev1]", "[dev1, approver1]" },
	  .artifacts = { { "app-dev", CS_HASH_SHA256, CS_FORMAT_NONE } },
	  .text = "verdict: approved\n"
		  "rule: no-quorum: Signed at once: no key has a quorum.\n"
		  "reason: no approval needed\n"
		  "requester: ci-app, agent owned by approver1, dev1\n"
		  "artifact: a0\n"
		  "  key: app-dev, p-256, sha256, format ecdsa\n"
		  "  token: dev, dev, software\n"
		  "  quorum: none\n" },
	{ .access = { "[dev2, dev1]", "[dev1]" },
	  .artifacts = { { "app-prod", CS_HASH_SHA384, CS_FORMAT_NONE } },
	  .text = "verdict: pending\n"
		  "rule: quorum: Signed as soon as the quorum is met.\n"
		  "reason: needs approvals: 2 of release, 1 of security\n"
		  "requester: ci-app, agent owned by dev1\n"
		  "artifact: a0\n"
		  "  key: app-prod, rsa-3072, sha384, format rsa-pss, from "
		  "2026-01-01T00:00:00.000000Z, until 2030-01-01T12:00:00.000000Z\n"
		  "  token: prod, prod\n"
		  "  quorum: 2 of release, 1 of security\n"
		  "expires: 24h after it was submitted\n"
		  "may approve:\n"
		  "  2 of release: approver2, approver3\n"
		  "  1 of security: approver1\n" },
	{ .edit = { "count: 2", "count: 1" },
	  .access = { "[dev2, dev1]", "[approver2]" },
	  .artifacts = { { "app-prod", CS_HASH_SHA384, CS_FORMAT_NONE } },
	  .text = "verdict: pending\n"
		  "rule: quorum: Signed as soon as the quorum is met.\n"
		  "reason: needs approvals: 1 of release, 1 of security\n"
		  "requester: ci-app, agent owned by approver2\n"
		  "artifact: a0\n"
		  "  key: app-prod, rsa-3072, sha384, format rsa-pss, from "
		  "2026-01-01T00:00:00.000000Z, until 2030-01-01T12:00:00.000000Z\n"
		  "  token: prod, prod\n"
		  "  quorum: 1 of release, 1 of security\n"
		  "expires: 24h after it was submitted\n"
		  "may approve:\n"
		  "  1 of release: approver2 (not: requester), approver3\n"
		  "  1 of security: approver1\n" },
	{ .edit = { "hash: sha256", "hash: sha256\n    disabled: true" },
	  .artifacts = { { "app-dev", CS_HASH_SHA256, CS_FORMAT_NONE } },
	  .text = "verdict: denied\n"
		  "rule: key-disabled: The key was stopped in the signing policy.\n"
		  "reason: key app-dev is disabled in the signing policy; ask its owners\n"
		  "requester: ci-app, agent owned by dev1, dev2\n"
		  "artifact: a0\n"
		  "  key: app-dev, p-256, sha256, format ecdsa, disabled\n"
		  "  token: dev, dev, software\n"
		  "  quorum: none\n" },
	{ .access = { "owners: [dev2, dev1]\n", "person: dev1\n" },
	  .artifacts = { { "app-dev", CS_HASH_SHA256, CS_FORMAT_NONE },
			 { "app-beta", CS_HASH_SHA256, CS_FORMAT_NONE } },
	  .text = "verdict: denied\n"
		  "rule: key-not-allowed: The key does not exist, or this agent may not use it; "
		  "both look alike.\n"
		  "reason: artifact a1: no such key, or not yours: app-beta; GET /v1/keys lists "
		  "those you may use\n"
		  "requester: ci-app, agent of dev1\n"
		  "artifact: a0\n"
		  "  key: app-dev, p-256, sha256, format ecdsa\n"
		  "  token: dev, dev, software\n"
		  "  quorum: none\n"
		  "artifact: a1\n"
		  "  key: app-beta, which the signing policy does not have\n" },
	{ .access = { "[app-prod, app-dev]", "[app-prod]" },
	  .artifacts = { { "app-dev", CS_HASH_SHA256, CS_FORMAT_NONE } },
	  .text = "verdict: denied\n"
		  "rule: key-not-allowed: The key does not exist, or this agent may not use it; "
		  "both look alike.\n"
		  "reason: artifact a0: no such key, or not yours: app-dev; GET /v1/keys lists "
		  "those you may use\n"
		  "requester: ci-app, agent owned by dev1, dev2\n"
		  "artifact: a0\n"
		  "  key: app-dev, p-256, sha256, format ecdsa, not among the keys of ci-app\n"
		  "  token: dev, dev, software\n"
		  "  quorum: none\n" },
};

START_TEST(verdicts_are_explained)
{
	const struct explained *t = &explained[_i];
	struct cs_policy *policy = policy_files_policy(&t->edit);
	struct cs_access *access = policy_files_access_list(policy, &t->access);
	struct cs_submission submission;
	const struct cs_facts facts = {
		policy, cs_access_principal(access, "ci-app"), &submission, NOW, { 0 }
	};
	struct cs_buf text;

	make_submission(t->artifacts, &submission);
	cs_buf_init(&text, 65536);
	cs_policy_explain(&facts, &text);
	ck_assert_str_eq(cs_buf_str(&text), t->text);
	cs_buf_done(&text);
	cs_access_unref(access);
	cs_policy_unref(policy);
}
END_TEST

static const struct differing {
	struct text_edit edit;
	const char *text;
} differing[] = {
	{ { NULL, NULL }, "" },
	{ { "version: 7", "version: 8" }, "version: 7 -> 8\n" },
	{ { "count: 2", "count: 1" },
	  "key app-prod: quorum: 2 of release, 1 of security -> 1 of release, 1 of security\n" },
	{ { "name: app-prod", "name: app-release" },
	  "key app-prod: removed\nkey app-release: added\n" },
	{ { "not_after: 2030-01-01T12:00:00Z\n    max_wait: 24h", "disabled: true" },
	  "key app-prod: not_after: 2030-01-01T12:00:00.000000Z -> open\n"
	  "key app-prod: max_wait: 24h -> 72h\n"
	  "key app-prod: disabled: false -> true\n" },
	{ { "max_wait: 24h", "max_wait: 24h\n    max_uses: 1000" },
	  "key app-prod: max_uses: open -> 1000\n" },
	{ { "max_wait: 24h", "max_wait: 90m" }, "key app-prod: max_wait: 24h -> 90m\n" },
	{ { "max_wait: 24h", "max_wait: 45s" }, "key app-prod: max_wait: 24h -> 45s\n" },
	{ { "software_token: true", "software_token: false" },
	  "token dev: software_token: true -> false\n" },
	{ { "cka_id: 01a2", "cka_id: 01a3\n    imported: true" },
	  "key app-prod: cka_id: 01a2 -> 01a3\nkey app-prod: imported: false -> true\n" },
};

START_TEST(changes_are_shown)
{
	const struct differing *t = &differing[_i];
	struct cs_policy *old = policy_files_policy(NULL);
	struct cs_policy *new = policy_files_policy(&t->edit);
	struct cs_buf text;

	cs_buf_init(&text, 65536);
	cs_policy_diff(old, new, &text);
	ck_assert_str_eq(cs_buf_str(&text), t->text);
	cs_buf_done(&text);
	cs_policy_unref(old);
	cs_policy_unref(new);
}
END_TEST

TCase *tcase_explain(void)
{
	TCase *tc = tcase_create("explain");

	tcase_add_loop_test(tc, verdicts_are_explained, 0, (int)COUNT(explained));
	tcase_add_loop_test(tc, changes_are_shown, 0, (int)COUNT(differing));
	return tc;
}
