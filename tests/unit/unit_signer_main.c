/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of signer-main/: the command line row by row, and what a journal looks like on disk.
 * What needs a token is in tests/flow.
 */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "signer-main/hung_keys.h"
#include "signer-main/journal.h"
#include "signer-main/journal_file.h"
#include "signer-main/options.h"

#define WORDS_MAX 40
#define RUN_WORDS                                                                                 \
	"--token t --module /m.so --label l --serial 0f --environment prod --policy p --state s " \
	"--socket k --pin-file f"

/* split at spaces, in place */
static int split(char *line, char *argv[static WORDS_MAX])
{
	int argc = 0;

	argv[argc++] = line; /* the program's name: nobody looks at it */
	while (*line != '\0') {
		ck_assert_int_lt(argc, WORDS_MAX);
		argv[argc++] = line;
		line += strcspn(line, " ");
		if (*line != '\0')
			*line++ = '\0';
	}
	return argc;
}

static enum cs_rc parse(const char *words, struct cs_options *o, struct cs_err *e)
{
	static char line[1024]; /* options borrow from it */
	char *argv[WORDS_MAX];

	ck_assert_int_lt(snprintf(line, sizeof(line), "%s", words), (int)sizeof(line));
	return cs_options_parse(split(line, argv), argv, o, e);
}

START_TEST(defaults)
{
	struct cs_options o;
	struct cs_err e = { 0 };

	ck_assert_msg(parse(RUN_WORDS, &o, &e) == CS_OK, "%s", e.msg);
	ck_assert_int_eq(o.command, CS_CMD_RUN);
	ck_assert_int_eq(o.environment, CS_ENV_PROD);
	ck_assert_int_eq(o.least_quorum, 2);
	ck_assert_int_eq(o.children, 1);
	ck_assert_int_eq(o.peer_uid, -1);
	ck_assert_int_eq(o.call_us, 3 * CS_SECOND);
	ck_assert_int_eq(o.selftest_us, 900 * CS_SECOND);
	ck_assert_str_eq(o.pin_origin, "f");
	ck_assert_int_eq(o.log_level, CS_LOG_INFO);
}
END_TEST

START_TEST(values)
{
	struct cs_options o;
	struct cs_err e = { 0 };

	ck_assert_msg(parse(RUN_WORDS
			    " --least-quorum=3 --children 64 --peer-user root --call-timeout 250 "
			    "--selftest-interval 1 --log-level debug --pin-origin g",
			    &o, &e) == CS_OK,
		      "%s", e.msg);
	ck_assert_int_eq(o.least_quorum, 3);
	ck_assert_int_eq(o.children, 64);
	ck_assert_int_eq(o.peer_uid, 0);
	ck_assert_int_eq(o.call_us, 250000);
	ck_assert_int_eq(o.selftest_us, CS_SECOND);
	ck_assert_int_eq(o.log_level, CS_LOG_DEBUG);
	ck_assert_str_eq(o.pin_origin, "g");
	ck_assert_int_eq(
		parse("keygen --module /m --label l --pin-file f --id 0a --algorithm p-384 --name n",
		      &o, &e),
		CS_OK);
	ck_assert_int_eq(o.command, CS_CMD_KEYGEN);
	ck_assert_int_eq(o.algorithm, CS_ALG_P384);
	ck_assert_int_eq(parse("--clear-pin-refusal --state s", &o, &e), CS_OK);
	ck_assert_int_eq(o.command, CS_CMD_CLEAR);
	ck_assert_int_eq(parse("--help", &o, &e), CS_OK);
	ck_assert_int_eq(o.command, CS_CMD_HELP);
}
END_TEST

static const struct {
	const char *words, *message;
} bad_lines[] = {
	{ "", "--token NAME is missing" },
	{ RUN_WORDS " x", "x is no option here" },
	{ RUN_WORDS " --none 1", "--none is no option here" },
	{ RUN_WORDS " --token u", "--token is given twice" },
	{ RUN_WORDS " --children", "--children needs a value" },
	{ RUN_WORDS " --children 0", "1 to 64" },
	{ RUN_WORDS " --children 65", "1 to 64" },
	{ RUN_WORDS " --children 1x", "1 to 64" },
	{ RUN_WORDS " --children -1", "1 to 64" },
	{ RUN_WORDS " --children 01", "1 to 64" },
	{ RUN_WORDS " --least-quorum 129", "0 to 128" },
	{ RUN_WORDS " --peer-user no-such-user-here", "--peer-user" },
	{ RUN_WORDS " --peer-user 4294967295", "--peer-user" },
	{ RUN_WORDS " --call-timeout 99", "100 to 600000" },
	{ RUN_WORDS " --selftest-interval 0", "1 to 86400" },
	{ RUN_WORDS " --log-level loud", "error, warning, info" },
	{ RUN_WORDS " --id 00", "--id is no option here" },
	{ RUN_WORDS " --seconds 3", "--seconds is no option here" },
	{ "--token a;b", "--token a;b" },
	{ "--environment test", "--environment test" },
	{ "--serial 0123456789abcdef0", "1 to 16 characters" },
	{ "--label \x1b[2J", "--label" },
	{ "keygen --module /m --label l --pin-file f --id 0A --algorithm p-256 --name n", "--id" },
	{ "keygen --module /m --label l --pin-file f --id 0 --algorithm p-256 --name n", "--id" },
	{ "keygen --module /m --label l --pin-file f --id 0a --algorithm rsa-2048 --name n",
	  "rsa-3072, rsa-4096" },
	{ "keygen --module /m --label l --pin-file f --id 0a --algorithm p-256",
	  "--name NAME is missing" },
	{ "describe --module /m --label l", "CREDENTIALS_DIRECTORY" },
	{ "--clear-pin-refusal", "--state DIR is missing" },
};

START_TEST(a_bad_line_is_named)
{
	struct cs_options o;
	struct cs_err e = { 0 };

	unsetenv("CREDENTIALS_DIRECTORY");
	ck_assert_int_eq(parse(bad_lines[_i].words, &o, &e), CS_E_CONFIG);
	ck_assert_msg(strstr(e.msg, bad_lines[_i].message) != NULL, "%s: %s", bad_lines[_i].words,
		      e.msg);
}
END_TEST

START_TEST(the_credential_is_the_default_pin)
{
	struct cs_options o;
	struct cs_err e = { 0 };

	setenv("CREDENTIALS_DIRECTORY", "/run/credentials/x", 1);
	ck_assert_int_eq(parse("describe --module /m --label l", &o, &e), CS_OK);
	ck_assert_str_eq(o.pin_file, "/run/credentials/x/pin");
	unsetenv("CREDENTIALS_DIRECTORY");
}
END_TEST

static char dir[64];
static char path[CS_JOURNAL_PATH_MAX];
static const struct cs_sha256 spki = { { 1 } };

static void setup(void)
{
	snprintf(dir, sizeof(dir), "/tmp/cs-journal-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	cs_journal_path(dir, 3, path);
}

static void teardown(void)
{
	unlink(path);
	ck_assert_int_eq(rmdir(dir), 0);
}

static struct cs_journal *open_journal(void)
{
	struct cs_journal *j = NULL;
	struct cs_err e = { 0 };

	ck_assert_msg(cs_journal_open(dir, 3, "prod", &j, &e) == CS_OK, "%s", e.msg);
	return j;
}

static void content(struct cs_buf *out)
{
	struct cs_err e = { 0 };

	cs_buf_init(out, 65536);
	ck_assert_msg(cs_file_read(path, out, &e) == CS_OK, "%s", e.msg);
}

/* replace every time by "T", so that lines can be compared */
static void forget_times(char *text)
{
	char *at;

	while ((at = strstr(text, "\"time\":\"2"))) {
		at[8] = 'T';
		memmove(at + 9, at + 8 + CS_TIME_TEXT - 1, strlen(at + 8 + CS_TIME_TEXT - 1) + 1);
	}
}

#define HEX_SPKI "0100000000000000000000000000000000000000000000000000000000000000"
#define HEX_TBS "0200000000000000000000000000000000000000000000000000000000000000"
#define HEX_RAW "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" /* of "abc" */
#define TAIL                                                         \
	"\"spki_sha256\":\"" HEX_SPKI "\",\"tbs_sha256\":\"" HEX_TBS \
	"\",\"time\":\"T\",\"token\":\"prod\"}\n"

START_TEST(lines_are_as_documented)
{
	struct cs_journal_entry use = {
		.request = "r", .artifact = 1, .attempt = 2, .spki = &spki, .tbs = { { 2 } }
	};
	struct cs_journal_entry test = { .spki = &spki, .tbs = { { 2 } } };
	struct cs_journal *j = open_journal();
	struct cs_err e = { 0 };
	struct cs_buf out;

	ck_assert_int_eq(cs_journal_begin(j, &use, &e), CS_OK);
	ck_assert_int_eq(cs_journal_end(j, &use, "CKR_OK", cs_bytes_of("abc"), &e), CS_OK);
	ck_assert_int_eq(cs_journal_begin(j, &test, &e), CS_OK);
	ck_assert_int_eq(cs_journal_end(j, &test, "CKR_DEVICE_ERROR", cs_bytes_of("abc"), &e),
			 CS_OK);
	cs_journal_close(j);
	content(&out);
	forget_times((char *)out.data);
	ck_assert_str_eq(
		(char *)out.data,
		"{\"child\":3,\"event\":\"note\",\"message\":\"start\",\"seq\":1,\"time\":\"T\","
		"\"token\":\"prod\"}\n"
		"{\"artifact\":1,\"attempt\":2,\"child\":3,\"event\":\"sign-begin\",\"request\":\"r\","
		"\"seq\":2," TAIL
		"{\"artifact\":1,\"attempt\":2,\"child\":3,\"event\":\"sign-end\",\"raw_sha256\":\"" HEX_RAW
		"\",\"rc\":\"CKR_OK\",\"request\":\"r\",\"seq\":3," TAIL
		"{\"child\":3,\"event\":\"selftest-begin\",\"seq\":4," TAIL
		"{\"child\":3,\"event\":\"selftest-end\",\"rc\":\"CKR_DEVICE_ERROR\",\"seq\":5," TAIL);
	cs_buf_done(&out);
}
END_TEST

static bool truncation_fails;

/* The program's own stands before libc's. */
int ftruncate(int fd, off_t size)
{
	if (!truncation_fails)
		return (int)syscall(SYS_ftruncate, fd, size);
	errno = EIO;
	return -1;
}

/* A file may grow by so many bytes, and no more. */
static enum cs_rc begin_with_room(struct cs_journal *j, const struct cs_journal_entry *entry,
				  rlim_t room, struct cs_err *e)
{
	struct rlimit before, less;
	struct stat st;
	enum cs_rc rc;

	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
	less = (struct rlimit){ (rlim_t)st.st_size + room, before.rlim_max };
	signal(SIGXFSZ, SIG_IGN);
	setrlimit(RLIMIT_FSIZE, &less);
	rc = cs_journal_begin(j, entry, e);
	setrlimit(RLIMIT_FSIZE, &before); /* before Check writes anything */
	return rc;
}

START_TEST(a_line_that_stays_cut_takes_no_other_along)
{
	struct cs_journal_entry test = { .spki = &spki, .tbs = { { 2 } } };
	struct cs_journal *j = open_journal();
	struct cs_err e = { 0 };
	struct cs_buf out;

	truncation_fails = true;
	ck_assert_int_eq(begin_with_room(j, &test, 10, &e), CS_E_IO);
	ck_assert_ptr_nonnull(strstr(e.msg, "its last line stays cut"));
	truncation_fails = false;
	ck_assert_int_eq(cs_journal_begin(j, &test, &e), CS_OK);
	ck_assert_int_eq(cs_journal_end(j, &test, "CKR_DEVICE_ERROR", cs_bytes_of(""), &e), CS_OK);
	ck_assert_int_eq(begin_with_room(j, &test, 10, &e), CS_E_NO_SPACE);
	cs_journal_close(j);
	content(&out);
	forget_times((char *)out.data);
	ck_assert_str_eq(
		(char *)out.data,
		"{\"child\":3,\"event\":\"note\",\"message\":\"start\",\"seq\":1,\"time\":\"T\","
		"\"token\":\"prod\"}\n"
		"{\"child\":3\n"
		"{\"child\":3,\"event\":\"note\",\"message\":\"cut line\",\"seq\":2,\"time\":\"T\","
		"\"token\":\"prod\"}\n"
		"{\"child\":3,\"event\":\"selftest-begin\",\"seq\":3," TAIL
		"{\"child\":3,\"event\":\"selftest-end\",\"rc\":\"CKR_DEVICE_ERROR\",\"seq\":4," TAIL);
	cs_buf_done(&out);
}
END_TEST

static void write_file(const char *text)
{
	struct cs_err e = { 0 };

	ck_assert_msg(cs_file_replace(path, cs_bytes_of(text), 0600, &e) == CS_OK, "%s", e.msg);
}

static const struct {
	const char *text;
	int64_t seq;
	bool cut;
} ends[] = {
	{ "", 0, false },
	{ "{\"seq\":7}\n", 7, false },
	{ "{\"seq\":7}\n{\"seq\":8}\n", 8, false },
	{ "{\"seq\":7}\n{\"se", 7, true },
	{ "{\"seq\":7}\n{\"se\n", 7, false },
	{ "{\"seq\":7}\nx\n\n", 7, false },
	{ "{\"seq\":7}", 7, true },
};

START_TEST(the_end_of_a_journal)
{
	int64_t seq = -1;
	int64_t size = -1;
	struct cs_err e = { 0 };
	bool cut = false;

	write_file(ends[_i].text);
	ck_assert_msg(cs_journal_last(dir, 3, &seq, &size, &cut, &e) == CS_OK, "%s", e.msg);
	ck_assert_int_eq(seq, ends[_i].seq);
	ck_assert_int_eq(cut, ends[_i].cut);
	ck_assert_int_eq(size, (int64_t)strlen(ends[_i].text));
}
END_TEST

#define SPKI "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define BEGUN "{\"event\":\"selftest-begin\",\"seq\":7,\"spki_sha256\":\"" SPKI "\"}\n"

static const struct {
	const char *text;
	bool open;
} selftests[] = {
	{ BEGUN, true },
	{ BEGUN "{\"event\":\"selftest-e", true }, /* cut: it was not written to the end */
	{ BEGUN "{\"event\":\"selftest-end\",\"seq\":8,\"spki_sha256\":\"" SPKI "\"}\n", false },
	{ BEGUN "{\"event\":\"note\",\"message\":\"start\",\"seq\":8}\n", false },
	{ "{\"event\":\"sign-begin\",\"seq\":7,\"spki_sha256\":\"" SPKI "\"}\n", false },
	{ "{\"event\":\"selftest-begin\",\"seq\":7}\n", false },
	{ "{\"event\":\"selftest-begin\",\"seq\":7,\"spki_sha256\":\"00\"}\n", false },
	{ "garbage\n", false },
	{ "", false },
};

START_TEST(a_selftest_that_has_not_ended)
{
	struct cs_sha256 got = { 0 }, want;
	struct cs_err e = { 0 };

	ck_assert(cs_sha256_from_hex(SPKI, &want));
	write_file(selftests[_i].text);
	ck_assert_int_eq(cs_journal_open_selftest(dir, 3, &got, &e),
			 selftests[_i].open ? CS_OK : CS_E_NOT_FOUND);
	ck_assert(cs_sha256_equal(&got, &want) == selftests[_i].open);
	unlink(path);
	ck_assert_int_eq(cs_journal_open_selftest(dir, 3, &got, &e), CS_E_IO);
}
END_TEST

/* The n-th time in a row: seconds until it is tried again. */
static const int64_t pauses[] = { 2, 8, 32, 128, 512, 900, 900 };

START_TEST(a_key_that_hangs_again_waits_longer)
{
	const struct cs_sha256 first = { { 1 } }, second = { { 2 } };
	struct cs_hung_keys h = { 0 };

	ck_assert_ptr_null(cs_hung_keys_find(&h, &first));
	for (size_t i = 0; i < CS_COUNT(pauses); i++) {
		const int64_t before = cs_clock_mono();
		const struct cs_hung_key *key;

		cs_hung_keys_add(&h, &first);
		key = cs_hung_keys_find(&h, &first);
		ck_assert_ptr_nonnull(key);
		ck_assert_uint_eq(key->times, i + 1);
		ck_assert_int_ge(key->until - before, pauses[i] * CS_SECOND);
		ck_assert_int_lt(key->until - before, (pauses[i] + 60) * CS_SECOND);
		ck_assert_int_gt(key->at, 0);
	}
	ck_assert_ptr_null(cs_hung_keys_find(&h, &second));
	cs_hung_keys_add(&h, &second);
	ck_assert_uint_eq(cs_hung_keys_find(&h, &second)->times, 1);
	cs_hung_keys_delay(&h, 100 * CS_SECOND);
	ck_assert_int_gt(cs_hung_keys_find(&h, &second)->until, cs_clock_mono() + 90 * CS_SECOND);

	h.list[0].until -= 6000 * CS_SECOND; /* more than an hour ago */
	cs_hung_keys_add(&h, &first);
	ck_assert_uint_eq(cs_hung_keys_find(&h, &first)->times, 1);
}
END_TEST

START_TEST(more_keys_hang_than_are_noted)
{
	struct cs_hung_keys h = { 0 };

	for (uint8_t i = 0; i < CS_HUNG_KEYS_MAX + 3; i++)
		cs_hung_keys_add(&h, &(struct cs_sha256){ { i } });
	ck_assert_uint_eq(h.count, CS_HUNG_KEYS_MAX);
	ck_assert_ptr_nonnull(cs_hung_keys_find(&h, &(struct cs_sha256){ { 63 } }));
	ck_assert_ptr_null(cs_hung_keys_find(&h, &(struct cs_sha256){ { 64 } }));
}
END_TEST

START_TEST(a_journal_that_cannot_be_read_is_kept)
{
	static const char *const texts[] = { "garbage\n", "{\"seq\":0}\n", "{\"seq\":\"7\"}\n",
					     "\n" };
	struct cs_journal *j = NULL;
	struct cs_err e = { 0 };
	struct cs_buf out;
	size_t i;

	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		write_file(texts[i]);
		ck_assert_int_eq(cs_journal_open(dir, 3, "prod", &j, &e), CS_E_CORRUPT);
		ck_assert_ptr_nonnull(strstr(e.msg, "move it away and keep it"));
		content(&out);
		ck_assert_str_eq(cs_buf_str(&out), texts[i]);
		cs_buf_done(&out);
	}
}
END_TEST

START_TEST(sync_follows_the_size)
{
	struct cs_journal *j = open_journal();
	struct cs_journal_entry test = { .spki = &spki };
	struct cs_err e = { 0 };
	int64_t seen = 0;
	int64_t first;

	ck_assert_int_eq(cs_journal_sync(dir, 3, &seen, &e), CS_OK);
	first = seen;
	ck_assert_int_gt(first, 0);
	ck_assert_int_eq(cs_journal_begin(j, &test, &e), CS_OK);
	ck_assert_int_eq(cs_journal_sync(dir, 3, &seen, &e), CS_OK);
	ck_assert_int_gt(seen, first);
	/* a slot without a child has no file */
	ck_assert_int_eq(cs_journal_sync(dir, 4, &seen, &e), CS_OK);
	cs_journal_close(j);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("signer-main");
	TCase *options = tcase_create("options");
	TCase *journal = tcase_create("journal");
	SRunner *runner;
	int failed;

	tcase_add_test(options, defaults);
	tcase_add_test(options, values);
	tcase_add_loop_test(options, a_bad_line_is_named, 0,
			    (int)(sizeof(bad_lines) / sizeof(bad_lines[0])));
	tcase_add_test(options, the_credential_is_the_default_pin);
	suite_add_tcase(suite, options);
	tcase_add_checked_fixture(journal, setup, teardown);
	tcase_add_test(journal, lines_are_as_documented);
	tcase_add_loop_test(journal, a_selftest_that_has_not_ended, 0, (int)CS_COUNT(selftests));
	tcase_add_test(journal, a_key_that_hangs_again_waits_longer);
	tcase_add_test(journal, more_keys_hang_than_are_noted);
	tcase_add_loop_test(journal, the_end_of_a_journal, 0,
			    (int)(sizeof(ends) / sizeof(ends[0])));
	tcase_add_test(journal, a_journal_that_cannot_be_read_is_kept);
	tcase_add_test(journal, a_line_that_stays_cut_takes_no_other_along);
	tcase_add_test(journal, sync_follows_the_size);
	suite_add_tcase(suite, journal);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
