/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of countersignd.conf: defaults, every kind of broken value with its line, and that what
 * --print-config shows can be read back.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/config.h"
#include "policy/load.h"
#include "unit/policy_files.h"
#include "unit/problems.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define EXPECT_MAX 6

static const char least[] =
	"tls-certificate: server.pem\n"
	"tls-key: /run/keys/server.key\n"
	"client-ca: ca.pem\n"
	"database: state/log.db\n"
	"signers:\n"
	"  - token: dev\n"
	"    socket: dev.sock\n"
	"  - {token: prod, socket: /run/prod.sock, user: countersign-prod, connections: 4}\n"
	"signer-timeout: 4s\n"
	"connections-per-ip: 256\n" /* 10 */
	"listen: \"127.0.0.1:0\"\n"
	"log-level: warning\n";

#define LONG_NAME "12345678901234567890123456789012345678901234567890123456789012345678901234567890"

static const struct broken {
	const char *name;
	struct text_edit edit;
	struct expected_problem expect[EXPECT_MAX];
} broken[] = {
	{ "no certificate",
	  { "tls-certificate: server.pem\n", "" },
	  { { 1, "missing key \"tls-certificate\"" } } },
	{ "unknown key", { "log-level", "loglevel" }, { { 12, "unknown key \"loglevel\"" } } },
	{ "key twice",
	  { "log-level: warning\n", "signer-timeout: 3s\n" },
	  { { 12, "duplicate key \"signer-timeout\"" } } },
	{ "no signer",
	  { "  - token: dev\n    socket: dev.sock\n  - {token: prod, socket: /run/prod.sock, user: countersign-prod, connections: 4}\n",
	    "  []\n" },
	  { { 6, "signers: 0 entries; 1 to 16" } } },
	{ "signer without a socket",
	  { "    socket: dev.sock\n", "" },
	  { { 6, "signers[0]: missing key \"socket\"" } } },
	{ "token with two signers",
	  { "token: prod", "token: dev" },
	  { { 8, "signers[1].token: dev has a signer already" } } },
	{ "two tokens on one socket",
	  { "/run/prod.sock", "dev.sock" },
	  { { 8, "signers[1].socket: signers[0] has the same" } } },
	{ "socket path too long",
	  { "/run/prod.sock", "/run/" LONG_NAME "/" LONG_NAME },
	  { { 8, "a socket's path at most 107" } } },
	{ "no connections",
	  { "connections: 4", "connections: 0" },
	  { { 8, "signers[1].connections: 0; 1 to 64" } } },
	{ "signer is a word",
	  { "  - token: dev\n    socket: dev.sock\n", "  - dev\n" },
	  { { 6, "signers[0]: a single value" } } },
	{ "port alone", { "\"127.0.0.1:0\"", "8443" }, { { 11, "listen: needs host:port" } } },
	{ "port too large", { "\"127.0.0.1:0\"", "localhost:65536" }, { { 11, "listen" } } },
	{ "port in words", { "\"127.0.0.1:0\"", "localhost:https" }, { { 11, "listen" } } },
	{ "no host", { "\"127.0.0.1:0\"", "\":8443\"" }, { { 11, "listen" } } },
	{ "IPv6 without brackets", { "\"127.0.0.1:0\"", "\"::1:8443\"" }, { { 11, "listen" } } },
	{ "empty brackets", { "\"127.0.0.1:0\"", "\"[]:8443\"" }, { { 11, "listen" } } },
	{ "PKCS#11 URI",
	  { "/run/keys/server.key", "pkcs11:token=tls" },
	  { { 2, "the daemon uses no PKCS#11; give a PEM file" } } },
	{ "log level unknown",
	  { "warning", "loud" },
	  { { 12, "none of: error, warning, info, debug" } } },
	{ "time without a unit",
	  { "signer-timeout: 4s", "signer-timeout: 4" },
	  { { 9, "duration" } } },
	{ "time too long",
	  { "signer-timeout: 4s", "signer-timeout: 5m" },
	  { { 9, "signer-timeout: 300; 1 to 30" } } },
	{ "signer-timeout reaches request-timeout",
	  { "signer-timeout: 4s", "signer-timeout: 30s" },
	  { { 9, "must be shorter than request-timeout, 20s" } } },
	{ "more from one address than at all",
	  { "connections-per-ip: 256", "connections-per-ip: 2000" },
	  { { 10, "2000 is more than connections-max, 1024" } } },
	{ "number with a unit",
	  { "connections-per-ip: 256", "connections-per-ip: 2x" },
	  { { 10, "\"2x\" is not a number" } } },
	{ "leading zero",
	  { "connections-per-ip: 256", "connections-per-ip: 010" },
	  { { 10, "leading zeros" } } },
	{ "size too large", { "log-level: warning", "body-max: 1GiB" }, { { 12, "body-max" } } },
	{ "several problems in one run",
	  { "listen: \"127.0.0.1:0\"\nlog-level: warning\n",
	    "listen: x\nlog-level: x\nworkers: 0\n" },
	  { { 11, "listen" }, { 12, "log-level" }, { 13, "workers: 0; 1 to 1024" } } },
	{ "a list", { least, "- a\n" }, { { 1, "a list; it must be a map" } } },
};

static struct cs_config *parse(const struct text_edit *edit, struct cs_problems *p)
{
	char *text = policy_files_text(least, edit);
	struct cs_config *c = cs_config_parse(cs_bytes_of(text), "/etc/countersign", p);

	free(text);
	return c;
}

static struct cs_config *parse_good(const struct text_edit *edit)
{
	struct cs_problems p;
	struct cs_config *c;

	cs_problems_init(&p, "countersignd.conf");
	c = parse(edit, &p);
	problems_expect(&p, NULL, 0, "good file");
	ck_assert_ptr_nonnull(c);
	cs_problems_done(&p);
	return c;
}

START_TEST(broken_files_are_refused)
{
	struct cs_problems p;

	cs_problems_init(&p, "countersignd.conf");
	ck_assert_ptr_null(parse(&broken[_i].edit, &p));
	problems_expect(&p, broken[_i].expect, EXPECT_MAX, broken[_i].name);
	cs_problems_done(&p);
}
END_TEST

START_TEST(values_defaults_and_paths)
{
	struct cs_config *c = parse_good(NULL);

	ck_assert_str_eq(c->listen, "127.0.0.1:0");
	ck_assert_str_eq(c->tls_certificate, "/etc/countersign/server.pem");
	ck_assert_str_eq(c->tls_key, "/run/keys/server.key");
	ck_assert_ptr_null(c->client_crl);
	ck_assert_str_eq(c->database, "/etc/countersign/state/log.db");
	ck_assert_str_eq(c->signing_policy, "/etc/countersign/signing.yaml");
	ck_assert_str_eq(c->access, "/etc/countersign/access.yaml");
	ck_assert_int_eq(c->workers, 16);
	ck_assert_int_eq(c->http_threads, 2);
	ck_assert_int_eq(c->signer_timeout, 4);
	ck_assert_int_eq(c->body_max, 65536);
	ck_assert_int_eq(c->disk_watermark, INT64_C(268435456));
	ck_assert_int_eq(c->log_level, CS_LOG_WARN);
	ck_assert_uint_eq(c->signer_count, 2);
	ck_assert_str_eq(c->signers[0].token, "dev");
	ck_assert_str_eq(c->signers[0].socket, "/etc/countersign/dev.sock");
	ck_assert_ptr_null(c->signers[0].user);
	ck_assert_int_eq(c->signers[0].connections, 1);
	ck_assert_str_eq(c->signers[1].user, "countersign-prod");
	ck_assert_int_eq(c->signers[1].connections, 4);
	cs_config_free(c);
}
END_TEST

START_TEST(good_addresses)
{
	static const char *const good[] = { "localhost:8443", "\"[::1]:8443\"", "\"[::]:0\"",
					    "0.0.0.0:65535" };

	for (size_t i = 0; i < COUNT(good); i++) {
		const struct text_edit edit = { "\"127.0.0.1:0\"", good[i] };

		cs_config_free(parse_good(&edit));
	}
}
END_TEST

/* Hostile paths too: printing quotes what reading would take for something else. */
START_TEST(print_reads_back)
{
	const struct text_edit edit = { "server.pem", "'a \"b\" \\c: #d'" };
	struct cs_config *c = parse_good(&edit), *again;
	struct cs_buf first, second;
	struct cs_problems p;

	cs_buf_init(&first, 65536);
	cs_buf_init(&second, 65536);
	cs_problems_init(&p, "printed");
	ck_assert_str_eq(c->tls_certificate, "/etc/countersign/a \"b\" \\c: #d");
	cs_config_print(c, &first);
	again = cs_config_parse(cs_buf_bytes(&first), "/elsewhere", &p);
	problems_expect(&p, NULL, 0, "printed");
	ck_assert_ptr_nonnull(again);
	ck_assert_str_eq(again->tls_certificate, c->tls_certificate);
	cs_config_print(again, &second);
	ck_assert_str_eq(cs_buf_str(&first), cs_buf_str(&second));
	ck_assert_ptr_nonnull(strstr(cs_buf_str(&first), "\ndisk-watermark: 256MiB\n"));
	ck_assert_ptr_nonnull(strstr(cs_buf_str(&first), "\nidle-timeout: 20s\n"));
	ck_assert_ptr_nonnull(strstr(cs_buf_str(&first), "\n# client-crl is not set\n"));
	cs_buf_done(&first);
	cs_buf_done(&second);
	cs_problems_done(&p);
	cs_config_free(c);
	cs_config_free(again);
}
END_TEST

START_TEST(every_key_is_described)
{
#define KEY(field, key, ...) key,
	static const char *const keys[] = { CS_CONFIG(KEY, KEY, KEY, KEY)
						    CS_CONFIG_SIGNER(KEY, KEY) };
#undef KEY
	struct cs_buf text;

	cs_buf_init(&text, 65536);
	cs_config_describe(&text);
	for (size_t i = 0; i < COUNT(keys); i++) {
		char item[64];

		snprintf(item, sizeof(item), ".It Cm %s : Ar ", keys[i]);
		ck_assert_msg(strstr(cs_buf_str(&text), item) != NULL, "%s", keys[i]);
	}
	cs_buf_done(&text);
}
END_TEST

START_TEST(tokens_and_signers_match)
{
	static const struct expected_problem expect[] = {
		{ 0, "signers: none for token prod" },
		{ 8, "signers[1].token: the signing policy has no token other" },
	};
	const struct text_edit other = { "token: prod", "token: other" };
	struct cs_policy *policy = policy_files_policy(NULL);
	struct cs_config *good = parse_good(NULL), *bad = parse_good(&other);
	struct cs_problems p;

	cs_problems_init(&p, "countersignd.conf");
	cs_config_check_signers(good, policy, &p);
	ck_assert_uint_eq(p.count, 0);
	cs_config_check_signers(bad, policy, &p);
	problems_expect(&p, expect, COUNT(expect), "other token");
	cs_problems_done(&p);
	cs_config_free(good);
	cs_config_free(bad);
	cs_policy_unref(policy);
}
END_TEST

START_TEST(files_are_read)
{
	char dir[] = "/tmp/cs-config-XXXXXX", path[64], missing[64];
	char *text = policy_files_text(least, NULL);
	struct cs_problems p;
	struct cs_config *c;
	FILE *f;

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/countersignd.conf", dir);
	snprintf(missing, sizeof(missing), "%s/none.conf", dir);
	f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);

	cs_problems_init(&p, path);
	c = cs_config_load(path, &p);
	ck_assert_ptr_nonnull(c);
	ck_assert_int_eq(strncmp(c->tls_certificate, dir, strlen(dir)), 0);
	ck_assert_ptr_null(cs_config_load(missing, &p));
	ck_assert_uint_eq(p.count, 1);
	ck_assert_str_eq(p.list[0].text, "No such file or directory");
	ck_assert_ptr_null(cs_config_load("/nowhere/at/all.conf", &p));
	ck_assert_uint_eq(p.count, 2);
	ck_assert_str_eq(p.list[1].text, "its directory cannot be found");
	cs_problems_done(&p);
	cs_config_free(c);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(rmdir(dir), 0);
	free(text);
}
END_TEST

static void read_file(const char *path, struct cs_buf *out)
{
	struct cs_err e = { 0 };

	cs_buf_init(out, CS_YAML_MAX);
	ck_assert_msg(cs_file_read(path, out, &e) == CS_OK, "%s", e.msg);
}

static const char *const examples[] = { "small-team", "company" };

/* What the documentation tells people to start from has no problem. */
START_TEST(examples_load)
{
	struct cs_policy *policy;
	struct cs_access *access;
	struct cs_buf signing_yaml, access_yaml;
	struct cs_problems p;
	struct cs_config *c;
	char path[4096];

	ck_assert_ptr_nonnull(getenv("CS_SRCDIR"));
	snprintf(path, sizeof(path), "%s/etc/%s/countersignd.conf", getenv("CS_SRCDIR"),
		 examples[_i]);
	cs_problems_init(&p, examples[_i]);
	c = cs_config_load(path, &p);
	problems_expect(&p, NULL, 0, "countersignd.conf");
	read_file(c->signing_policy, &signing_yaml);
	read_file(c->access, &access_yaml);
	policy = cs_policy_load(cs_buf_bytes(&signing_yaml), &p);
	problems_expect(&p, NULL, 0, "signing.yaml");
	access = cs_access_load(cs_buf_bytes(&access_yaml), policy, &p);
	problems_expect(&p, NULL, 0, "access.yaml");
	cs_config_check_signers(c, policy, &p);
	problems_expect(&p, NULL, 0, "signers");
	ck_assert_uint_gt(access->count, 0);
	cs_buf_done(&signing_yaml);
	cs_buf_done(&access_yaml);
	cs_problems_done(&p);
	cs_access_unref(access);
	cs_policy_unref(policy);
	cs_config_free(c);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("config");
	TCase *tc = tcase_create("countersignd.conf");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, values_defaults_and_paths);
	tcase_add_test(tc, good_addresses);
	tcase_add_test(tc, print_reads_back);
	tcase_add_test(tc, every_key_is_described);
	tcase_add_test(tc, tokens_and_signers_match);
	tcase_add_test(tc, files_are_read);
	tcase_add_loop_test(tc, broken_files_are_refused, 0, (int)COUNT(broken));
	tcase_add_loop_test(tc, examples_load, 0, (int)COUNT(examples));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	policy_files_forget();
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
