/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of authn/: who a certificate is, and all the certificates that are nobody.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authn/authn.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* Hashes are named by the one byte that they repeat. */

static char ci_uri[] = "spiffe://example/ci", web_uri[] = "spiffe://example/web";

static struct cs_cert_match agent_certs[] = {
	{ .by_spki = true, .spki = { { [0 ... 31] = 0xa1 } } },
	{ .by_spki = false, .spki = { { [0 ... 31] = 0xca } }, .san_uri = ci_uri },
};
static struct cs_cert_match approver_certs[] = {
	{ .by_spki = true, .spki = { { [0 ... 31] = 0xb1 } } },
	{ .by_spki = true, .spki = { { [0 ... 31] = 0xb2 } } },
};
static struct cs_cert_match web_certs[] = {
	{ .by_spki = false, .spki = { { [0 ... 31] = 0xca } }, .san_uri = web_uri },
};

static struct cs_principal principals[] = {
	{ .name = "approver1", .role = CS_ROLE_APPROVER, .cert_count = 2, .certs = approver_certs },
	{ .name = "ci", .role = CS_ROLE_AGENT, .cert_count = 2, .certs = agent_certs },
	{ .name = "web", .role = CS_ROLE_AGENT, .cert_count = 1, .certs = web_certs },
};
static const struct cs_access access_list = { .count = COUNT(principals),
					      .principals = principals };

static const struct lookup {
	const char *name;
	uint8_t spki;
	uint8_t issuers[3]; /* 0 ends the list */
	const char *uris[3];
	const char *who;     /* NULL: refused */
	const char *message; /* part of it */
} lookups[] = {
	{ "by SPKI", 0xa1, { 0 }, { NULL }, "ci", NULL },
	{ "second certificate", 0xb2, { 0xca }, { NULL }, "approver1", NULL },
	{ "by CA and URI", 0x01, { 0xca }, { ci_uri }, "ci", NULL },
	{ "CA is the second above it", 0x01, { 0xcb, 0xca }, { ci_uri }, "ci", NULL },
	{ "URI is one of several", 0x01, { 0xca }, { "https://x", ci_uri }, "ci", NULL },
	{ "SPKI and URI of the same", 0xa1, { 0xca }, { ci_uri }, "ci", NULL },
	{ "nobody", 0x01, { 0 }, { NULL }, NULL, "belongs to no principal" },
	{ "hash is shown", 0x01, { 0 }, { NULL }, NULL, "01010101" },
	{ "CA without the URI", 0x01, { 0xca }, { NULL }, NULL, "belongs to no principal" },
	{ "URI under another CA", 0x01, { 0xcb }, { ci_uri }, NULL, "belongs to no principal" },
	{ "URI that only begins so",
	  0x01,
	  { 0xca },
	  { "spiffe://example/ci/x" },
	  NULL,
	  "no principal" },
	{ "URI cut short", 0x01, { 0xca }, { "spiffe://example/c" }, NULL, "no principal" },
	{ "URI in capitals", 0x01, { 0xca }, { "spiffe://example/CI" }, NULL, "no principal" },
	{ "the CA's own key", 0xca, { 0 }, { NULL }, NULL, "belongs to no principal" },
	{ "CA hash in the place of a certificate", 0x01, { 0xa1 }, { NULL }, NULL, "no principal" },
	{ "two URIs of two principals",
	  0x01,
	  { 0xca },
	  { ci_uri, web_uri },
	  NULL,
	  "matches two principals, ci and web" },
	{ "SPKI of one, URI of another",
	  0xb1,
	  { 0xca },
	  { web_uri },
	  NULL,
	  "matches two principals, approver1 and web" },
};

static void make_cert(const struct lookup *t, struct cs_peer_cert *cert)
{
	memset(cert, 0, sizeof(*cert));
	memset(cert->spki.b, t->spki, sizeof(cert->spki.b));
	while (t->issuers[cert->issuer_count]) {
		memset(cert->issuers[cert->issuer_count].b, t->issuers[cert->issuer_count],
		       CS_SHA256_LEN);
		cert->issuer_count++;
	}
	while (t->uris[cert->san_count]) {
		snprintf(cert->san_uris[cert->san_count], sizeof(cert->san_uris[0]), "%s",
			 t->uris[cert->san_count]);
		cert->san_count++;
	}
}

START_TEST(certificates_are_looked_up)
{
	const struct lookup *t = &lookups[_i];
	const struct cs_principal *found = NULL;
	struct cs_peer_cert cert;
	struct cs_err e = { 0 };
	enum cs_rc rc;

	make_cert(t, &cert);
	rc = cs_authn_find(&access_list, &cert, &found, &e);
	ck_assert_msg(rc == (t->who ? CS_OK : CS_E_UNAUTHENTICATED), "%s: %s", t->name, e.msg);
	if (t->who) {
		ck_assert_str_eq(found->name, t->who);
	} else {
		ck_assert_ptr_null(found);
		ck_assert_msg(strstr(e.msg, t->message) != NULL, "%s: %s", t->name, e.msg);
	}
}
END_TEST

START_TEST(empty_list_knows_nobody)
{
	const struct cs_access empty = { 0 };
	const struct cs_principal *found = NULL;
	struct cs_peer_cert cert;

	make_cert(&lookups[0], &cert);
	ck_assert_int_eq(cs_authn_find(&empty, &cert, &found, NULL), CS_E_UNAUTHENTICATED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("authn");
	TCase *tc = tcase_create("find");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, certificates_are_looked_up, 0, (int)COUNT(lookups));
	tcase_add_test(tc, empty_list_knows_nobody);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
