/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Quorum lists, the resolved policy and the access list: order, bytes, look-ups, what is refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/access.h"
#include "model/policy.h"
#include "unit/samples.h"
#include "unit/unit_model.h"

/* "group=count …" as a list and back. */
static struct cs_quorum_list list_of(const char *text)
{
	struct cs_quorum_list q = { 0 };

	for (const char *p = text; *p; p += 4) {
		struct cs_quorum_line *line = &q.lines[q.count++];

		line->group[0] = p[0];
		line->count = p[2] - '0';
	}
	return q;
}

static const struct {
	const char *a, *b, *merged; /* one letter a group, one digit a count, a space */
	int64_t total;
} merges[] = {
	{ "", "", "", 0 },
	{ "a=1 ", "", "a=1 ", 1 },
	{ "", "a=1 ", "a=1 ", 1 },
	{ "a=1 b=2 ", "a=2 b=1 ", "a=2 b=2 ", 4 },
	{ "b=1 ", "a=1 c=1 ", "a=1 b=1 c=1 ", 3 },
	{ "a=1 b=1 c=1 d=1 ", "e=1 f=1 g=1 h=1 ", "a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1 ", 8 },
	{ "a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1 ", "a=3 h=9 ", "a=3 b=1 c=1 d=1 e=1 f=1 g=1 h=9 ", 18 },
};

START_TEST(quorum_lists_merge_to_the_larger)
{
	struct cs_quorum_list a = list_of(merges[_i].a), b = list_of(merges[_i].b),
			      want = list_of(merges[_i].merged);
	struct cs_err e;

	ck_assert_int_eq(cs_quorum_list_merge(&a, &b, &e), CS_OK);
	ck_assert_mem_eq(&a, &want, sizeof(a));
	ck_assert_int_eq(cs_quorum_list_total(&a), merges[_i].total);
}
END_TEST

START_TEST(quorum_list_of_nine_groups_is_refused)
{
	struct cs_quorum_list a = list_of("a=1 b=1 c=1 d=1 e=1 f=1 g=1 h=1 "), before = a,
			      b = list_of("i=1 ");
	struct cs_err e;

	ck_assert_int_eq(cs_quorum_list_merge(&a, &b, &e), CS_E_INVALID);
	ck_assert_ptr_nonnull(strstr(e.msg, "separate requests"));
	ck_assert_mem_eq(&a, &before, sizeof(a));
}
END_TEST

START_TEST(sealed_policy_is_in_order)
{
	struct cs_policy *p = sample_policy();

	ck_assert_str_eq(p->tokens[0].name, "dev");
	ck_assert_str_eq(p->keys[0].name, "fw-dev");
	ck_assert_uint_eq(p->keys[0].token, 0);
	ck_assert_uint_eq(p->keys[1].token, 1);
	ck_assert_str_eq(p->keys[1].quorum.lines[0].group, "firmware");
	ck_assert_uint_eq(p->approvers[0].key_count, 2);
	ck_assert_int_lt(memcmp(cs_pk_spki_sha256(p->approvers[0].keys[0].pk)->b,
				cs_pk_spki_sha256(p->approvers[0].keys[1].pk)->b, CS_SHA256_LEN),
			 0);
	cs_policy_unref(p);
}
END_TEST

START_TEST(sealing_twice_changes_nothing)
{
	struct cs_policy *p = sample_policy();
	struct cs_sha256 digest = p->digest;
	struct cs_err e;

	ck_assert_int_eq(cs_policy_seal(p, &e), CS_OK);
	ck_assert(cs_sha256_equal(&p->digest, &digest));
	cs_policy_unref(p);
}
END_TEST

static void twice(char *name, const char *other)
{
	memcpy(name, other, CS_NAME_MAX + 1);
}

START_TEST(a_name_twice_is_not_sealed)
{
	struct cs_err e;

	for (int i = 0; i < 4; i++) {
		struct cs_policy *p = sample_policy_new();

		if (i == 0)
			twice(p->tokens[0].name, p->tokens[1].name);
		else if (i == 1)
			twice(p->keys[0].name, p->keys[2].name);
		else if (i == 2)
			twice(p->approvers[0].person, p->approvers[4].person);
		else
			twice(p->keys[1].quorum.lines[0].group, p->keys[1].quorum.lines[1].group);
		ck_assert_int_eq(cs_policy_seal(p, &e), CS_E_INVALID);
		ck_assert_ptr_nonnull(strstr(e.msg, "twice"));
		cs_policy_unref(p);
	}
}
END_TEST

START_TEST(policy_goes_there_and_back)
{
	struct cs_policy *p = sample_policy(), *again = NULL;
	struct cs_err e = { 0 };
	struct cs_buf out;

	p->keys[1].not_before = SAMPLE_TIME;
	p->keys[1].not_after = 2 * SAMPLE_TIME;
	p->keys[2].disabled = true;
	p->keys[2].imported = true;
	ck_assert_int_eq(cs_policy_seal(p, &e), CS_OK);
	ck_assert_msg(cs_policy_parse(cs_buf_bytes(&p->json), &again, &e) == CS_OK, "%s", e.msg);
	ck_assert(cs_sha256_equal(&p->digest, &again->digest));
	cs_buf_init(&out, CS_POLICY_JSON_MAX);
	cs_policy_write(again, &out);
	ck_assert_str_eq(cs_buf_str(&out), cs_buf_str(&p->json));
	cs_buf_done(&out);
	ck_assert_str_eq(again->instance, "acme");
	ck_assert_int_eq(again->version, 7);
	ck_assert_str_eq(again->tokens[1].label, "prod token");
	ck_assert_int_eq(again->keys[0].not_before, 0);
	ck_assert_int_eq(again->keys[0].not_after, INT64_MAX);
	ck_assert_int_eq(again->keys[1].not_after, 2 * SAMPLE_TIME);
	ck_assert(again->keys[2].disabled && again->keys[2].imported);
	ck_assert_uint_eq(again->keys[1].cka_id_len, 2);
	ck_assert_mem_eq(again->keys[1].cka_id, p->keys[1].cka_id, 2);
	cs_policy_unref(again);
	cs_policy_unref(p);
}
END_TEST

static const struct edit policy_edits[] = {
	{ NULL, NULL, CS_OK, NULL },
	{ "{\"approvers\"", "{ \"approvers\"", CS_E_INVALID, "resolved policy" },
	{ "countersign.policy", "countersign.request", CS_E_INVALID, "type" },
	{ "\"v\":1,", "\"v\":2,", CS_E_VERSION, "v: version 2" },
	{ "\"version\":7", "\"version\":0", CS_E_INVALID, "version" },
	{ "\"instance\":\"acme\"", "\"instance\":\"\"", CS_E_INVALID, "instance" },
	{ "\"disabled\":false,", "", CS_E_INVALID, "keys[0].disabled" },
	{ "\"disabled\":false,", "\"disabled\":0,", CS_E_INVALID, "keys[0].disabled" },
	{ "\"imported\":false", "\"imported\":\"no\"", CS_E_INVALID, "keys[0].imported" },
	{ "\"max_wait\":259200", "\"max_uses\":0,\"max_wait\":259200", CS_E_INVALID,
	  "keys[0].max_uses" },
	{ "\"max_wait\":259200", "\"max_uses\":1000000001,\"max_wait\":259200", CS_E_INVALID,
	  "keys[0].max_uses" },
	{ "\"max_wait\":259200", "\"max_wait\":0", CS_E_INVALID, "keys[0].max_wait" },
	{ "\"max_wait\":259200", "\"max_wait\":2592001", CS_E_INVALID, "keys[0].max_wait" },
	{ "\"cka_id\":\"a006\"", "\"cka_id\":\"\"", CS_E_INVALID, "keys[0].cka_id" },
	{ "\"cka_id\":\"a006\"", "\"cka_id\":\"a06\"", CS_E_INVALID, "keys[0].cka_id" },
	{ "\"environment\":\"dev\"", "\"environment\":\"prod\"", CS_E_INVALID,
	  "token \"dev\" is for dev" },
	{ "\"environment\":\"dev\"", "\"environment\":\"none\"", CS_E_INVALID,
	  "keys[0].environment" },
	{ "\"format\":\"ecdsa\"", "\"format\":\"none\"", CS_E_INVALID, "keys[0].format" },
	{ "\"hash\":\"sha256\"", "\"hash\":\"md5\"", CS_E_INVALID, "keys[0].hash" },
	{ "\"name\":\"fw-dev\"", "\"name\":\"fw-prod\"", CS_E_INVALID, "twice" },
	{ "\"name\":\"fw-dev\"", "\"name\":\"fx\"", CS_E_INVALID, "ascending" },
	{ "\"name\":\"fw-dev\"", "\"name\":\"fw-dev\",\"not_after\":\"never\"", CS_E_INVALID,
	  "keys[0].not_after" },
	{ "\"name\":\"fw-dev\"", "\"name\":\"fw-dev\",\"not_before\":\"2026-01-31\"", CS_E_INVALID,
	  "keys[0].not_before" },
	{ "\"quorum\":[]", "\"quorum\":[{\"count\":0,\"group\":\"a\"}]", CS_E_INVALID,
	  "keys[0].quorum[0].count" },
	{ "\"quorum\":[]",
	  "\"quorum\":[{\"count\":1,\"group\":\"b\"},{\"count\":1,\"group\":\"a\"}]", CS_E_INVALID,
	  "keys[0].quorum[1]" },
	{ "\"token\":\"dev\"", "\"token\":\"test\"", CS_E_INVALID, "keys[0].token" },
	{ "\"algorithm\":\"p-256\",\"cka_id\"", "\"algorithm\":\"p-384\",\"cka_id\"", CS_E_INVALID,
	  "but the key is p-256" },
	{ "\"algorithm\":\"p-256\",\"cka_id\"", "\"algorithm\":\"p-521\",\"cka_id\"", CS_E_INVALID,
	  "keys[0].algorithm" },
	{ "\"spki\":\"MFkw", "\"spki\":\"MFk", CS_E_INVALID, "approvers[0].keys[0].spki" },
	{ "\"spki\":\"MFkw", "\"spki\":\"MFk!", CS_E_INVALID, "approvers[0].keys[0].spki" },
	{ "\"spki\":\"MFkw", "\"spki\":\"MFkx", CS_E_INVALID, "approvers[0].keys[0].spki" },
	{ "\"enrolment\":\"eyJ", "\"enrolment\":\"e", CS_E_INVALID,
	  "approvers[0].keys[0].enrolment" },
	{ "\"group\":\"firmware\",\"keys\"", "\"group\":\"firm ware\",\"keys\"", CS_E_INVALID,
	  "approvers[0].group" },
	{ "\"person\":\"approver1\"", "\"person\":\"approver2\"", CS_E_INVALID, "approvers[1]" },
	{ "\"label\":\"dev token\"", "\"label\":\"dev\\u0007token\"", CS_E_INVALID,
	  "tokens[0].label" },
	{ "\"label\":\"dev token\"", "\"label\":\"\"", CS_E_INVALID, "tokens[0].label" },
	{ "\"enrolment\":", "\"enrollment\":", CS_E_INVALID, "approvers[0].keys[0]" },
	{ "{\"environment\":\"dev\",\"label\"", "{\"environment\":\"test\",\"label\"", CS_E_INVALID,
	  "tokens[0].environment" },
	{ "\"name\":\"dev\"", "\"name\":\"prod\"", CS_E_INVALID, "tokens[1]" },
	{ "\"serial\":\"0123456789abprod\"", "\"serial\":\"0123 \"", CS_E_INVALID,
	  "tokens[1].serial" },
	{ "\"software_token\":true", "\"software_token\":1", CS_E_INVALID,
	  "tokens[0].software_token" },
	{ "\"software_token\":true", "\"software_token\":true,\"x\":1", CS_E_INVALID,
	  "tokens[0].x" },
};

START_TEST(policy_says_what_is_wrong)
{
	struct cs_policy *sample = sample_policy(), *p = NULL;
	char *text = edit_apply(&policy_edits[_i], cs_buf_str(&sample->json));
	struct cs_err e = { 0 };

	edit_expect(&policy_edits[_i], cs_policy_parse(bytes_of(text), &p, &e), &e);
	cs_policy_unref(p);
	free(text);
	cs_policy_unref(sample);
}
END_TEST

/* The keys of an approver are a set too: by the hash of the SPKI. */
START_TEST(approval_keys_are_in_order)
{
	struct cs_policy *p = sample_policy(), *again = NULL;
	struct cs_approval_key *keys = p->approvers[0].keys, first = keys[0];
	struct cs_err e = { 0 };
	struct cs_buf out;

	keys[0] = keys[1];
	keys[1] = first;
	cs_buf_init(&out, CS_POLICY_JSON_MAX);
	cs_policy_write(p, &out);
	ck_assert_int_eq(cs_policy_parse(cs_buf_bytes(&out), &again, &e), CS_E_INVALID);
	ck_assert_ptr_nonnull(
		strstr(e.msg, "approvers[0].keys[1]: keys must be unique and ascending"));
	cs_buf_done(&out);
	cs_policy_unref(p);
}
END_TEST

START_TEST(policy_look_ups_find_what_is_there)
{
	struct cs_policy *p = sample_policy();
	const struct cs_approver *a;
	const struct cs_pk *pk = NULL;
	struct cs_sha256 nobody = { { 0 } };

	ck_assert_str_eq(cs_policy_key(p, "fw-rsa")->name, "fw-rsa");
	ck_assert_ptr_null(cs_policy_key(p, "fw"));
	ck_assert_ptr_null(cs_policy_key(p, ""));
	ck_assert_str_eq(cs_policy_token(p, "prod")->name, "prod");
	ck_assert_ptr_null(cs_policy_token(p, "production"));
	ck_assert_str_eq(cs_policy_approver(p, "approver4")->group, "security");
	ck_assert_ptr_null(cs_policy_approver(p, "owner1"));
	for (size_t i = 0; i < p->key_count; i++)
		ck_assert_ptr_eq(cs_policy_key_by_spki(p, cs_pk_spki_sha256(p->keys[i].pk)),
				 &p->keys[i]);
	ck_assert_ptr_null(cs_policy_key_by_spki(p, &nobody));
	a = cs_policy_approver_by_key(p, cs_pk_spki_sha256(p->approvers[0].keys[1].pk), &pk);
	ck_assert_ptr_eq(a, &p->approvers[0]);
	ck_assert_ptr_eq(pk, p->approvers[0].keys[1].pk);
	ck_assert_ptr_null(cs_policy_approver_by_key(p, &nobody, &pk));
	ck_assert_ptr_null(cs_policy_approver_by_key(p, cs_pk_spki_sha256(p->keys[0].pk), &pk));
	cs_policy_unref(p);
}
END_TEST

START_TEST(empty_policy_is_a_policy)
{
	struct cs_policy *p = cs_policy_new(), *again = NULL;
	struct cs_err e = { 0 };

	(void)snprintf(p->instance, sizeof(p->instance), "acme");
	p->version = 1;
	ck_assert_int_eq(cs_policy_seal(p, &e), CS_OK);
	ck_assert_msg(cs_policy_parse(cs_buf_bytes(&p->json), &again, &e) == CS_OK, "%s", e.msg);
	ck_assert_ptr_null(cs_policy_key(again, "a"));
	ck_assert_ptr_null(cs_policy_token(again, "a"));
	ck_assert_ptr_null(cs_policy_approver(again, "a"));
	cs_policy_unref(again);
	cs_policy_unref(p);
	cs_policy_unref(NULL);
}
END_TEST

START_TEST(last_reference_frees_the_policy)
{
	struct cs_policy *p = sample_policy();

	ck_assert_ptr_eq(cs_policy_ref(p), p);
	cs_policy_unref(p);
	ck_assert_str_eq(p->instance, "acme"); /* still there */
	cs_policy_unref(p);
}
END_TEST

START_TEST(access_look_ups_find_what_is_there)
{
	static const char *const names[] = { "agent1", "agent2", "auditor" };
	struct cs_access *a = cs_access_new();

	ck_assert_ptr_nonnull(a);
	ck_assert_ptr_null(cs_access_principal(a, "agent1"));
	a->principals = calloc(CS_COUNT(names), sizeof(a->principals[0]));
	ck_assert_ptr_nonnull(a->principals);
	a->count = CS_COUNT(names);
	for (size_t i = 0; i < CS_COUNT(names); i++)
		(void)snprintf(a->principals[i].name, sizeof(a->principals[i].name), "%s",
			       names[i]);
	a->principals[1].keys = calloc(2, sizeof(a->principals[1].keys[0]));
	a->principals[1].key_count = 2;
	(void)snprintf(a->principals[1].keys[0], sizeof(a->principals[1].keys[0]), "fw-dev");
	(void)snprintf(a->principals[1].keys[1], sizeof(a->principals[1].keys[1]), "fw-prod");
	a->principals[1].certs = calloc(1, sizeof(a->principals[1].certs[0]));
	a->principals[1].cert_count = 1;
	a->principals[1].certs[0].san_uri = strdup("spiffe://example/ci");

	ck_assert_ptr_eq(cs_access_principal(a, "agent2"), &a->principals[1]);
	ck_assert_ptr_null(cs_access_principal(a, "agent"));
	ck_assert(cs_principal_may_use(&a->principals[1], "fw-prod"));
	ck_assert(!cs_principal_may_use(&a->principals[1], "fw"));
	ck_assert(!cs_principal_may_use(&a->principals[0], "fw-prod"));
	ck_assert_ptr_eq(cs_access_ref(a), a);
	cs_access_unref(a);
	ck_assert_uint_eq(a->count, CS_COUNT(names)); /* still there */
	cs_access_unref(a);
	cs_access_unref(NULL);
}
END_TEST

TCase *tcase_quorum_list(void)
{
	TCase *tc = tcase_create("quorum list");

	tcase_add_loop_test(tc, quorum_lists_merge_to_the_larger, 0, (int)CS_COUNT(merges));
	tcase_add_test(tc, quorum_list_of_nine_groups_is_refused);
	return tc;
}

TCase *tcase_policy(void)
{
	TCase *tc = tcase_create("policy");

	tcase_add_test(tc, sealed_policy_is_in_order);
	tcase_add_test(tc, sealing_twice_changes_nothing);
	tcase_add_test(tc, a_name_twice_is_not_sealed);
	tcase_add_test(tc, policy_goes_there_and_back);
	tcase_add_loop_test(tc, policy_says_what_is_wrong, 0, (int)CS_COUNT(policy_edits));
	tcase_add_test(tc, approval_keys_are_in_order);
	tcase_add_test(tc, policy_look_ups_find_what_is_there);
	tcase_add_test(tc, empty_policy_is_a_policy);
	tcase_add_test(tc, last_reference_frees_the_policy);
	return tc;
}

TCase *tcase_access(void)
{
	TCase *tc = tcase_create("access");

	tcase_add_test(tc, access_look_ups_find_what_is_there);
	return tc;
}
