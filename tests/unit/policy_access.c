/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access.yaml: what a good file becomes, and each rule broken, alone and beside signing.yaml.
 */
#include <stdlib.h>
#include <string.h>

#include "policy/load.h"
#include "unit/policy_files.h"
#include "unit/problems.h"
#include "unit/unit_policy.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define EXPECT_MAX 5

#define ONES "1111111111111111111111111111111111111111111111111111111111111111"

static const struct broken {
	const char *name;
	struct text_edit edit;
	struct expected_problem expect[EXPECT_MAX];
} broken[] = {
	{ "no principals",
	  { "principals:\n", "principals: []\nothers:\n" },
	  { { 1, "0 entries; 1 to 4096" }, { 2, "unknown key \"others\"" } } },
	{ "principal twice",
	  { "name: auditor1", "name: approver1" },
	  { { 17,
	      "principal approver1 is listed twice; a principal has one entry and one role" } } },
	{ "role unknown",
	  { "role: auditor", "role: admin" },
	  { { 18, "\"admin\" is none of: agent, approver, auditor, operator" } } },
	{ "no role", { "    role: agent\n", "" }, { { 2, "missing key \"role\"" } } },
	{ "agent without persons",
	  { "    owners: [dev2, dev1]\n", "" },
	  { { 2, "needs person, or owners" } } },
	{ "person and owners",
	  { "owners: [dev2, dev1]", "owners: [dev2, dev1]\n    person: dev1" },
	  { { 4, "give person or owners, not both" } } },
	{ "no owner",
	  { "owners: [dev2, dev1]", "owners: []" },
	  { { 4, "0 entries; 1 to 8" }, { 2, "needs person, or owners" } } },
	{ "owner twice",
	  { "dev2, dev1", "dev1, dev1" },
	  { { 4, "owners[1]: dev1 is listed twice" } } },
	{ "owner with a space", { "dev2", "dev 2" }, { { 4, "owners[0]: \"dev 2\"" } } },
	{ "approver with owners",
	  { "person: approver1", "owners: [approver1]" },
	  { { 14, "needs person; only agents can be machines" } } },
	{ "auditor without a person",
	  { "    person: auditor1\n", "" },
	  { { 17, "needs person" } } },
	{ "no certificate",
	  { "    certificates:\n      - spki_sha256: {sha:approver5}\n", "" },
	  { { 17, "missing key \"certificates\"" } } },
	{ "certificate with both kinds",
	  { "spki_sha256: {sha:approver5}",
	    "spki_sha256: {sha:approver5}\n        uri: spiffe://x/y" },
	  { { 21, "give either spki_sha256, or ca_spki_sha256 and uri" } } },
	{ "CA without a URI",
	  { "        uri: spiffe://example/ci/app\n", "" },
	  { { 7, "give either spki_sha256, or ca_spki_sha256 and uri" } } },
	{ "URI without a scheme",
	  { "spiffe://example/ci/app", "example/ci/app" },
	  { { 8, "needs the whole URI" } } },
	{ "short hash",
	  { "spki_sha256: {sha:approver5}", "spki_sha256: 1234" },
	  { { 21, "spki_sha256" } } },
	{ "upper-case hash",
	  { "spki_sha256: {sha:approver5}", "spki_sha256: "
					    "ABCD" ONES },
	  { { 21, "spki_sha256" } } },
	{ "certificate of two principals",
	  { "{sha:approver5}", "{sha:stranger}" },
	  { { 21, "principal auditor1: this key is used by principal ci-app already" } } },
	{ "certificate twice",
	  { "      - ca_spki_sha256: {sha:ed25519}\n        uri: spiffe://example/ci/app\n",
	    "      - spki_sha256: {sha:stranger}\n" },
	  { { 7, "principal ci-app: this key is used by principal ci-app already" } } },
	{ "URI of two principals",
	  { "- spki_sha256: {sha:approver5}",
	    "- ca_spki_sha256: {sha:ed25519}\n        uri: spiffe://example/ci/app" },
	  { { 21, "principal auditor1: this key is used by principal ci-app already" } } },
	{ "agent without keys",
	  { "    keys: [app-prod, app-dev]\n", "" },
	  { { 2, "needs keys" } } },
	{ "agent and approver in one",
	  { "person: approver1\n", "person: approver1\n    keys: [app-dev]\n" },
	  { { 15, "only agents use keys; a principal has one role" } } },
	{ "open requests of an auditor",
	  { "person: auditor1\n", "person: auditor1\n    open_requests: 3\n" },
	  { { 20, "only agents have requests" } } },
	{ "key twice",
	  { "app-prod, app-dev", "app-dev, app-dev" },
	  { { 9, "keys[1]: app-dev is listed twice" } } },
	{ "rate of zero", { "rate: 6000", "rate: 0" }, { { 10, "rate: 0; 1 to 10000000" } } },
	{ "rate in words", { "rate: 6000", "rate: often" }, { { 10, "rate" } } },
	{ "unknown key", { "rate: 6000", "rates: 6000" }, { { 10, "unknown key \"rates\"" } } },
	{ "several problems in one run",
	  { "    role: agent\n    owners: [dev2, dev1]\n", "    role: agnet\n    owners: dev1\n" },
	  { { 3, "\"agnet\" is none of" }, { 4, "it must be a list" } } },

	/* beside signing.yaml */
	{ "key unknown",
	  { "[app-prod, app-dev]", "[app-prod, app-dve]" },
	  { { 9, "principal ci-app: the signing policy has no key app-dve" } } },
	{ "approver in no group",
	  { "person: approver1", "person: dev1" },
	  { { 14, "person dev1 is in no group" } } },
	{ "TLS key is an approval key",
	  { "{sha:approver4}", "{sha:approver1-second}" },
	  { { 16,
	      "principal approver1: the key of this certificate is an approval key of approver1" } } },
	{ "TLS key is a signing key",
	  { "{sha:approver5}", "{sha:rsa-3072}" },
	  { { 21, "principal auditor1: the key of this certificate is signing key app-prod" } } },
};

START_TEST(broken_files_are_refused)
{
	const struct broken *b = &broken[_i];
	char *text = policy_files_text(policy_files_access, &b->edit);
	struct cs_policy *policy = policy_files_policy(NULL);
	struct cs_problems p;

	cs_problems_init(&p, "access.yaml");
	ck_assert_ptr_null(cs_access_load(cs_bytes_of(text), policy, &p));
	problems_expect(&p, b->expect, COUNT(b->expect), b->name);
	cs_problems_done(&p);
	cs_policy_unref(policy);
	free(text);
}
END_TEST

START_TEST(good_file_is_resolved)
{
	struct cs_policy *policy = policy_files_policy(NULL);
	struct cs_access *access = policy_files_access_list(policy, NULL);
	const struct cs_principal *ci = cs_access_principal(access, "ci-app");
	const struct cs_principal *approver = cs_access_principal(access, "approver1");

	ck_assert_uint_eq(access->count, 3);
	ck_assert_ptr_nonnull(ci);
	ck_assert_int_eq(ci->role, CS_ROLE_AGENT);
	ck_assert(ci->robot);
	ck_assert_uint_eq(ci->person_count, 2);
	ck_assert_str_eq(ci->persons[0], "dev1");
	ck_assert_str_eq(ci->persons[1], "dev2");
	ck_assert_uint_eq(ci->cert_count, 2);
	ck_assert(ci->certs[0].by_spki);
	ck_assert(!ci->certs[1].by_spki);
	ck_assert_str_eq(ci->certs[1].san_uri, "spiffe://example/ci/app");
	ck_assert(cs_principal_may_use(ci, "app-dev"));
	ck_assert(!cs_principal_may_use(ci, "app-de"));
	ck_assert_int_eq(ci->rate, 6000);
	ck_assert_int_eq(ci->open_max, 7);
	ck_assert_ptr_nonnull(approver);
	ck_assert(!approver->robot);
	ck_assert_str_eq(approver->persons[0], "approver1");
	ck_assert_int_eq(approver->rate, 600);
	cs_access_unref(access);
	cs_policy_unref(policy);
}
END_TEST

/* While signing.yaml itself has problems, the other file still gets its own judged. */
START_TEST(other_file_may_be_missing)
{
	struct text_edit edit = { "[app-prod, app-dev]", "[app-prod, app-dve]" };
	struct cs_access *access = policy_files_access_list(NULL, &edit);

	ck_assert_ptr_nonnull(access);
	cs_access_unref(access);
}
END_TEST

TCase *tcase_access(void)
{
	TCase *tc = tcase_create("access.yaml");

	tcase_add_test(tc, good_file_is_resolved);
	tcase_add_test(tc, other_file_may_be_missing);
	tcase_add_loop_test(tc, broken_files_are_refused, 0, (int)COUNT(broken));
	return tc;
}
