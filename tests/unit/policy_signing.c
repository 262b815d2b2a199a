/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signing.yaml: what a good file becomes, and each rule broken, with the line of the problem.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/fits.h"
#include "policy/load.h"
#include "unit/policy_files.h"
#include "unit/problems.h"
#include "unit/unit_policy.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define EXPECT_MAX 6

/* RSA with 2048 bits; its private half was not kept */
/* public halves of MCUboot's root-ec-p256.pem and root-rsa-3072.pem */
#define MCUBOOT_P256                                                             \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEKstAPOj+7VukSZWhqR2u6Nu+GTfNFPsvJF" \
	"c35ZU5iNmUudZa69fN1TCK1v5IskpqgQ7l8H2LaDTMOmr8U476wQ=="
#define MCUBOOT_RSA_3072                                                         \
	"MIIBojANBgkqhkiG9w0BAQEFAAOCAY8AMIIBigKCAYEAtCwOmFgQpKdYmXwB3QgqKDQz+J" \
	"YaNCBdRchxJiXl0pbqe7EVqqaKYyKLLU6Bc79uFWiMGvTvKo+MIp5xV0veD35y03q4px1E" \
	"rYcAg1z9cwVyRj+L+RAA2G7Mhe35Sdt4NoBJOHbdX1QE2ow0pysTJW/RFU+twuGl0k5XDH" \
	"6cm7pOaLLgJQKqANO0zC945b5HZx/IbiJsXmG2ms3lqLp6gBMbFy6W7c+zm+Qc6K2n9jpR" \
	"Zl6ZjofuYCX4jb7OpKjKk2zXv9RzM41EhcxzMAicTbKqWmxve6u3s3zD++fKxPiab8u7W4" \
	"LneugZ/S8RIvt/doxrlKQJT6Vqd1Hrp37ahwbu3L7R6hpAHRv/GrFRfBKw8/aDAZznDJm/" \
	"rGhYcqSwWYXuhawqIvTPFQiAHw3QHqCglMj3+mXdUuiWNyMwVzbmnfQMSgV1H60ByrdtjE" \
	"N0BgqB8wFi//f1X6/nKw74gbVl3QHZnwcXihjPI26IZZG1e9OwLa+TZmN0rFrmc947AgMB" \
	"AAE="
#define RSA_2048                                                                                    \
	"MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAn60R678IZxWEM0mjh8CAXi3VOf1HSTZ7Cg6qpinUy5ZpV" \
	"YgkT2tTSjYxamJjlfI1kJsDBZ5Ad1kaLI0wdNyjem2usA5h8liDFkwriRbqAOM0W6Asu6lf+yrr4viPxKLm/r0o12" \
	"AOPiH6xBzCjao4fpj3txbiy2+27r4ka2hRxEKPUn2Ksh9+3bms2/EDHlGJ+1N5mvZKab4SlKnxiX+cTnCkzhxDQkH" \
	"kQP2Uum27Kv82Xm28nHnP3rNmLuPyAnnXpmyjj4ETj9FI484Fkm6j4CJIF0ELiBqXQa+xbVF104zZrBEMBzp5bNl5" \
	"jwKEeRZ/A5SrP5GABOW09CW9sDb5aQIDAQAB"

static const struct broken {
	const char *name;
	struct text_edit edit;
	struct expected_problem expect[EXPECT_MAX];
} broken[] = {
	/* the file */
	{ "no version", { "version: 7\n", "" }, { { 1, "missing key \"version\"" } } },
	{ "version zero", { "version: 7", "version: 0" }, { { 1, "version: 0; 1 to" } } },
	{ "no instance",
	  { "instance: example\n", "" },
	  { { 1, "missing key \"instance\"" },
	    { 39, "made for instance example, not " },
	    { 41, "made for instance example, not " },
	    { 46, "made for instance example, not " },
	    { 51, "made for instance example, not " } } },
	{ "unknown key of the file",
	  { "instance:", "instanse: x\ninstance:" },
	  { { 2, "unknown key \"instanse\"" } } },
	{ "no tokens at all",
	  { "tokens:\n", "tokens: []\nother:\n" },
	  { { 3, "0 entries; 1 to 16" },
	    { 4, "unknown key \"other\"" },
	    { 16, "no token dev" },
	    { 23, "no token prod" } } },

	/* tokens */
	{ "token twice",
	  { "name: prod", "name: dev" },
	  { { 9, "token dev is listed twice" }, { 22, "no token prod" } } },
	{ "token for both environments",
	  { "fedcba9876543210", "0123456789abcdef" },
	  { { 11, "a token cannot serve both environments" } } },
	{ "token listed under two names",
	  { "fedcba9876543210\n    environment: prod", "0123456789abcdef\n    environment: dev" },
	  { { 11, "token dev has the same serial 0123456789abcdef; list a token once" } } },
	{ "token without a name",
	  { "  - name: prod\n    label", "  - label" },
	  { { 9, "tokens[1]: missing key \"name\"" }, { 21, "no token prod" } } },
	{ "environment misspelt",
	  { "environment: prod", "environment: production" },
	  { { 12, "\"production\" is none of: dev, prod" } } },
	{ "software_token is no boolean",
	  { "software_token: true", "software_token: yes" },
	  { { 8, "write true or false" } } },

	{ "label longer than a token's",
	  { "label: prod", "label: prod-123456789-123456789-12345678" },
	  { { 10, "33 bytes; 1 to 32" } } },
	{ "serial longer than a token's",
	  { "fedcba9876543210", "fedcba98765432100" },
	  { { 11, "17 bytes; 1 to 16" } } },

	/* keys */
	{ "key twice",
	  { "name: app-prod", "name: app-dev" },
	  { { 21, "key app-dev is listed twice" } } },
	{ "token unknown", { "token: prod", "token: prd" }, { { 22, "no token prd" } } },
	{ "cka_id used twice",
	  { "token: prod\n    cka_id: 01a2", "token: dev\n    cka_id: 01" },
	  { { 23, "key app-dev has the same cka_id" } } },
	{ "cka_id of half a byte",
	  { "cka_id: 01a2", "cka_id: 1a2" },
	  { { 23, "keys[1].cka_id" } } },
	{ "algorithm is not the key's",
	  { "algorithm: rsa-3072", "algorithm: rsa-4096" },
	  { { 24, "algorithm is rsa-4096, but the public key is rsa-3072" } } },
	{ "algorithm unknown",
	  { "algorithm: rsa-3072", "algorithm: rsa-2048" },
	  { { 24, "\"rsa-2048\" is none of: rsa-3072" } } },
	{ "SHA-1", { "hash: sha384", "hash: sha1" }, { { 25, "\"sha1\" is none of: sha256" } } },
	{ "format that the key cannot make",
	  { "format: rsa-pss", "format: ecdsa" },
	  { { 26, "format ecdsa needs a p-256 key with sha256" } } },
	{ "hash that the format cannot take",
	  { "hash: sha256", "hash: sha512" },
	  { { 19, "this is p-256 with sha512" } } },
	{ "RSA-2048",
	  { "public_key: {pk:rsa-3072}", "public_key: " RSA_2048 },
	  { { 27, "not RSA of 3072 or 4096 bits" } } },
	{ "public key is no base64",
	  { "public_key: {pk:rsa-3072}", "public_key: '*'" },
	  { { 27, "keys[1].public_key" } } },
	{ "public key is no SPKI",
	  { "public_key: {pk:rsa-3072}", "public_key: AAAAAAAA" },
	  { { 27, "keys[1].public_key" } } },
	{ "public key used twice",
	  { "algorithm: rsa-3072\n    hash: sha384\n    format: rsa-pss\n    public_key: {pk:rsa-3072}",
	    "algorithm: p-256\n    hash: sha256\n    format: ecdsa\n    public_key: {pk:p-256}" },
	  { { 27, "key app-prod: this key is used by key app-dev already" } } },
	{ "published test key",
	  { "public_key: {pk:p-256}", "public_key: " MCUBOOT_P256 },
	  { { 20, "key app-dev: this is a published test key (mcuboot, root-ec-p256.pem)" } } },
	{ "published test key of RSA-3072",
	  { "public_key: {pk:rsa-3072}", "public_key: " MCUBOOT_RSA_3072 },
	  { { 27, "published test key (mcuboot, root-rsa-3072.pem)" } } },
	{ "prod key without a quorum",
	  { "      - {group: security, count: 1}\n      - group: release\n        count: 2\n",
	    "      []\n" },
	  { { 29, "a production key needs at least 2" } } },
	{ "prod key with a quorum of one",
	  { "      - {group: security, count: 1}\n      - group: release\n        count: 2\n",
	    "      - {group: security, count: 1}\n" },
	  { { 29, "key app-prod: its quorum is 1; a production key needs at least 2" } } },
	{ "group too small",
	  { "count: 2", "count: 3" },
	  { { 30, "3 approvals of group release can never be met, it has 2 persons" } } },
	{ "group unknown",
	  { "group: release\n        count", "group: releese\n        count" },
	  { { 30, "no approver is in group releese" } } },
	{ "group with two lines",
	  { "group: release\n        count: 2", "group: security\n        count: 1" },
	  { { 30, "group security has a line already" }, { 29, "its quorum is 1" } } },
	{ "quorum count of zero",
	  { "count: 1}", "count: 0}" },
	  { { 29, "keys[1].quorum[0].count: 0; 1 to 16" } } },
	{ "quorum line without a group",
	  { "{group: security, count: 1}", "{count: 1}" },
	  { { 29, "missing key \"group\"" } } },
	{ "life ends before it begins",
	  { "not_after: 2030", "not_after: 2020" },
	  { { 33, "not_after must be later than not_before" } } },
	{ "no such day", { "2026-01-01", "2026-02-30" }, { { 32, "is not a time" } } },
	{ "no use at all", { "max_wait: 24h", "max_uses: 0" }, { { 34, "max_uses" } } },
	{ "too many uses", { "max_wait: 24h", "max_uses: 1000000001" }, { { 34, "max_uses" } } },
	{ "max_wait too long", { "max_wait: 24h", "max_wait: 31d" }, { { 34, "max_wait" } } },
	{ "max_wait without a unit", { "max_wait: 24h", "max_wait: 24" }, { { 34, "duration" } } },
	{ "unknown key of a key",
	  { "max_wait: 24h", "max_weight: 24h" },
	  { { 34, "unknown key \"max_weight\"" } } },
	{ "a key that is no map",
	  { "  - name: app-dev\n    token: dev\n    cka_id: 01\n    algorithm: p-256\n    hash: sha256\n    format: ecdsa\n    public_key: {pk:p-256}\n",
	    "  - app-dev\n" },
	  { { 14, "keys[0]: a single value; it must be a map" } } },

	/* approvers */
	{ "person in two groups",
	  { "person: approver2\n    group: release", "person: approver1\n    group: release" },
	  { { 44, "approver1 is in two groups, security and release" },
	    { 47, "made by approver2, not approver1" } } },
	{ "person twice",
	  { "person: approver3", "person: approver2" },
	  { { 48, "approver approver2 is listed twice" },
	    { 52, "made by approver3, not approver2" } } },
	{ "approval key of two persons",
	  { "{pk:approver2}", "{pk:approver3}" },
	  { { 47, "approver approver2: enrolment of key 0" },
	    { 51, "approver approver3: this key is used by approver approver2 already" } } },
	{ "approval key twice",
	  { "{pk:approver1-second}\n        enrolment: {enrolment:approver1-second:approver1:example:approver1-second}",
	    "{pk:approver1}\n        enrolment: {enrolment:approver1:approver1:example:approver1}" },
	  { { 41, "this key is used by approver approver1 already" } } },
	{ "signing key as approval key",
	  { "{pk:approver2}\n        enrolment: {enrolment:approver2:approver2:example:approver2}",
	    "{pk:p-256}\n        enrolment: {enrolment:p-256:approver2:example:p-256}" },
	  { { 46, "approver approver2: this key is used by key app-dev already" } } },
	{ "weak approval key",
	  { "public_key: {pk:approver2}", "public_key: " RSA_2048 },
	  { { 46, "not RSA of 3072 or 4096 bits" } } },
	{ "no approval key",
	  { "    keys:\n      - public_key: {pk:approver3}\n        enrolment: {enrolment:approver3:approver3:example:approver3}\n",
	    "    keys: []\n" },
	  { { 50, "0 entries; 1 to 4" }, { 50, "approver approver3 has no approval key" } } },
	{ "enrolment for another instance",
	  { "approver2:approver2:example", "approver2:approver2:elsewhere" },
	  { { 47, "made for instance elsewhere, not example" } } },
	{ "enrolment of another person",
	  { "approver2:approver2:example", "approver2:approver3:example" },
	  { { 47, "made by approver3, not approver2" } } },
	{ "enrolment for another key",
	  { "example:approver2}", "example:approver3}" },
	  { { 47, "made for another public key" } } },
	{ "enrolment signed by another key",
	  { "{enrolment:approver2:", "{enrolment:stranger:" },
	  { { 47, "approver approver2: enrolment of key 0" } } },
	{ "enrolment is no envelope",
	  { "{enrolment:approver2:approver2:example:approver2}", "AAAA" },
	  { { 47, "approver approver2: enrolment of key 0" } } },
	{ "no enrolment",
	  { "        enrolment: {enrolment:approver2:approver2:example:approver2}\n", "" },
	  { { 46, "missing key \"enrolment\"" } } },

	{ "approver without a name",
	  { "  - person: approver3\n    group", "  - group" },
	  { { 48, "approvers[2]: missing key \"person\"" },
	    { 30, "2 approvals of group release can never be met, it has 1 person" } } },

	/* several at once; YAML itself */
	{ "several problems in one run",
	  { "environment: prod\nkeys:\n  - name: app-dev\n    token: dev\n    cka_id: 01\n",
	    "environment: prod\n    pin: 1234\nkeys:\n  - name: app-dev\n    token: dve\n    cka_id: xyz\n    quorum: [{group: nobody, count: 1}]\n" },
	  { { 13, "unknown key \"pin\"" },
	    { 16, "no token dve" },
	    { 17, "keys[0].cka_id" },
	    { 18, "no approver is in group nobody" } } },
	{ "duplicate key",
	  { "version: 7", "version: 7\nversion: 8" },
	  { { 2, "duplicate key \"version\"" } } },
	{ "anchor", { "instance: example", "instance: &a example" }, { { 2, "anchors" } } },
	{ "second document",
	  { "version: 7\n", "version: 7\n---\n" },
	  { { 2, "second document" },
	    { 1, "missing key \"instance\"" },
	    { 1, "missing key \"tokens\"" },
	    { 1, "missing key \"keys\"" } } },
};

START_TEST(broken_files_are_refused)
{
	const struct broken *b = &broken[_i];
	char *text = policy_files_text(policy_files_signing, &b->edit);
	struct cs_problems p;

	cs_problems_init(&p, "signing.yaml");
	ck_assert_ptr_null(cs_policy_load(cs_bytes_of(text), &p));
	problems_expect(&p, b->expect, COUNT(b->expect), b->name);
	cs_problems_done(&p);
	free(text);
}
END_TEST

START_TEST(good_file_is_resolved)
{
	struct cs_policy *policy = policy_files_policy(NULL);
	const struct cs_key *dev = cs_policy_key(policy, "app-dev");
	const struct cs_key *prod = cs_policy_key(policy, "app-prod");
	const struct cs_approver *a = cs_policy_approver(policy, "approver1");

	ck_assert_str_eq(policy->instance, "example");
	ck_assert_int_eq(policy->version, 7);
	ck_assert_ptr_nonnull(dev);
	ck_assert_str_eq(policy->tokens[dev->token].name, "dev");
	ck_assert(policy->tokens[dev->token].software_token);
	ck_assert_int_eq(dev->environment, CS_ENV_DEV);
	ck_assert_uint_eq(dev->quorum.count, 0);
	ck_assert_int_eq(dev->not_before, 0);
	ck_assert(dev->not_after == INT64_MAX);
	ck_assert_int_eq(dev->max_wait, CS_MAX_WAIT_DEFAULT);
	ck_assert_ptr_nonnull(prod);
	ck_assert_str_eq(policy->tokens[prod->token].serial, "fedcba9876543210");
	ck_assert_int_eq(prod->alg, CS_ALG_RSA_3072);
	ck_assert_int_eq(prod->hash, CS_HASH_SHA384);
	ck_assert_int_eq(prod->format, CS_FORMAT_RSA_PSS);
	ck_assert_uint_eq(prod->cka_id_len, 2);
	ck_assert_mem_eq(prod->cka_id, "\x01\xa2", 2);
	ck_assert_uint_eq(prod->quorum.count, 2);
	ck_assert_str_eq(prod->quorum.lines[0].group, "release");
	ck_assert_int_eq(prod->quorum.lines[0].count, 2);
	ck_assert(prod->not_before == INT64_C(1767225600000000));
	ck_assert_int_eq(prod->max_wait, 24 * 3600);
	ck_assert_ptr_nonnull(a);
	ck_assert_uint_eq(a->key_count, 2);
	cs_policy_unref(policy);
}
END_TEST

/* What a signer or an auditor reads back passes the same rules, and a hand-made one does not. */
START_TEST(canonical_bytes_pass_the_rules)
{
	struct cs_policy *policy = policy_files_policy(NULL), *again = NULL;
	const struct expected_problem expect[] = { { 0, "its quorum is 0" } };
	struct cs_problems p;

	cs_problems_init(&p, "policy");
	ck_assert_int_eq(cs_policy_parse(cs_buf_bytes(&policy->json), &again, NULL), CS_OK);
	cs_policy_check(again, NULL, &p);
	ck_assert_uint_eq(p.count, 0);
	for (size_t i = 0; i < again->key_count; i++)
		again->keys[i].quorum.count = 0;
	cs_policy_check(again, NULL, &p);
	problems_expect(&p, expect, COUNT(expect), "no quorum");
	cs_problems_done(&p);
	cs_policy_unref(again);
	cs_policy_unref(policy);
}
END_TEST

/* Order in the file, comments and defaults written out do not change what a policy is. */
START_TEST(digest_covers_the_meaning)
{
	static const struct {
		struct text_edit edit;
		bool same;
	} edits[] = {
		{ { "version: 7", "# a comment\nversion: 7" }, true },
		{ { "hash: sha256", "hash: sha256\n    disabled: false\n    max_wait: 3d" }, true },
		{ { "      - {group: security, count: 1}\n      - group: release\n        count: 2\n",
		    "      - {group: release, count: 2}\n      - {group: security, count: 1}\n" },
		  true },
		{ { "version: 7", "version: 8" }, false },
		{ { "hash: sha256", "hash: sha256\n    disabled: true" }, false },
		{ { "cka_id: 01a2", "cka_id: 01a3" }, false },
	};
	struct cs_policy *plain = policy_files_policy(NULL);

	for (size_t i = 0; i < COUNT(edits); i++) {
		struct cs_policy *edited = policy_files_policy(&edits[i].edit);

		ck_assert_msg(cs_sha256_equal(&plain->digest, &edited->digest) == edits[i].same,
			      "edit %zu", i);
		cs_policy_unref(edited);
	}
	cs_policy_unref(plain);
}
END_TEST

/* Every combination, against the list in words. */
START_TEST(formats_fit_their_keys_only)
{
	static const char *const fits[] = {
		"rsa-pkcs1 rsa-3072 sha256",
		"rsa-pkcs1 rsa-3072 sha384",
		"rsa-pkcs1 rsa-3072 sha512",
		"rsa-pkcs1 rsa-4096 sha256",
		"rsa-pkcs1 rsa-4096 sha384",
		"rsa-pkcs1 rsa-4096 sha512",
		"rsa-pss rsa-3072 sha256",
		"rsa-pss rsa-3072 sha384",
		"rsa-pss rsa-3072 sha512",
		"rsa-pss rsa-4096 sha256",
		"rsa-pss rsa-4096 sha384",
		"rsa-pss rsa-4096 sha512",
		"ecdsa p-256 sha256",
		"ecdsa p-384 sha384",
		"ed25519-digest ed25519 sha256",
		"ed25519-digest ed25519 sha512",
	};
	size_t found = 0;

	for (int f = CS_FORMAT_NONE; f < CS_FORMAT__COUNT; f++) {
		for (int a = CS_ALG_NONE; a <= CS_ALG_ED25519; a++) {
			for (int h = CS_HASH_NONE; h <= CS_HASH_SHA512; h++) {
				char text[64];
				size_t i = 0;

				snprintf(text, sizeof(text), "%s %s %s",
					 cs_format_name((enum cs_format)f),
					 cs_alg_name((enum cs_alg)a),
					 cs_hash_name((enum cs_hash)h));
				if (cs_fits_check((enum cs_format)f, (enum cs_alg)a,
						  (enum cs_hash)h, NULL) != CS_OK)
					continue;
				while (i < COUNT(fits) && strcmp(fits[i], text) != 0)
					i++;
				ck_assert_msg(i < COUNT(fits), "%s", text);
				found++;
			}
		}
	}
	ck_assert_uint_eq(found, COUNT(fits));
}
END_TEST

TCase *tcase_signing(void)
{
	TCase *tc = tcase_create("signing.yaml");

	tcase_add_test(tc, good_file_is_resolved);
	tcase_add_test(tc, canonical_bytes_pass_the_rules);
	tcase_add_test(tc, digest_covers_the_meaning);
	tcase_add_test(tc, formats_fit_their_keys_only);
	tcase_add_loop_test(tc, broken_files_are_refused, 0, (int)COUNT(broken));
	return tc;
}
