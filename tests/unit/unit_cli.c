/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of cli/ without a server: options, manifests, profiles, heads files, pages of the log, CSV,
 * templates, and what people see.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/csv.h"
#include "cli/events.h"
#include "cli/follow.h"
#include "cli/heads.h"
#include "cli/init.h"
#include "cli/job.h"
#include "cli/term.h"

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))
#define ID "019aa5e7-3c1f-7a3e-9d55-3d8ab0f6c0f1"
#define ONES "1111111111111111111111111111111111111111111111111111111111111111"
#define TWOS "2222222222222222222222222222222222222222222222222222222222222222"

/* --- options */

static const struct cs_command *command(const char *name)
{
	for (size_t i = 0; i < cs_command_count; i++) {
		if (strcmp(cs_commands[i].name, name) == 0)
			return &cs_commands[i];
	}
	ck_abort_msg("no command %s", name);
	return NULL;
}

/** Parse words as options of a command. */
static enum cs_rc parse(const char *name, const char *const *words, struct cs_args *args,
			int *firstp, struct cs_err *e)
{
	const struct cs_option_table tables[] = { command(name)->options, cs_common_options,
						  cs_profile_options };
	static char kept[16][128]; /* values are borrowed from argv */
	char *argv[16];
	int argc = 0;

	argv[argc] = kept[argc];
	snprintf(kept[argc++], sizeof(kept[0]), "%s", name);
	for (; *words; words++) {
		argv[argc] = kept[argc];
		snprintf(kept[argc++], sizeof(kept[0]), "%s", *words);
	}
	argv[argc] = NULL;
	return cs_option_parse(tables, 3, argc, argv, args, firstp, e);
}

START_TEST(options_arrive)
{
	const char *const words[] = { "--key",        "app-prod", "image",
				      "--timeout=2h", "--json",   "-o",
				      "out.sig",      "--again",  NULL };
	struct cs_args args = { 0 };
	struct cs_err e = { 0 };
	int first;

	ck_assert_int_eq(parse("sign", words, &args, &first, &e), CS_OK);
	ck_assert_str_eq(args.key, "app-prod");
	ck_assert_int_eq(args.timeout, 7200);
	ck_assert_str_eq(args.output, "out.sig");
	ck_assert(args.json && args.again && !args.help);
	ck_assert_int_eq(first, (int)(sizeof(words) / sizeof(words[0])) - 1);
}
END_TEST

START_TEST(a_list_keeps_its_order)
{
	const char *const words[] = { "--image", "a=b", "-i", "c", NULL };
	struct cs_args args = { 0 };
	struct cs_err e = { 0 };
	int first;

	ck_assert_int_eq(parse("approve", words, &args, &first, &e), CS_OK);
	ck_assert_uint_eq(args.images.count, 2);
	ck_assert_str_eq(args.images.values[0], "a=b");
	ck_assert_str_eq(args.images.values[1], "c");
}
END_TEST

static const struct {
	const char *command;
	const char *words[4];
	const char *says;
} bad_options[] = {
	{ "sign", { "--kye", "x" }, "unknown or ambiguous option --kye" },
	{ "sign", { "-z" }, "unknown option -z" },
	{ "sign", { "--key" }, "--key: needs a value, NAME" },
	{ "sign", { "--again=yes" }, "--again: takes no value" },
	{ "sign", { "--key", "" }, "--key: 0 bytes, must be 1 to 64" },
	{ "sign", { "--key", "a b" }, "--key a b: must be a name" },
	{ "sign", { "--product", "\033[2J" }, "--product: must be UTF-8 text of one line" },
	{ "sign", { "--comment", "\xe2\x80\xae" }, "--comment: must be UTF-8 text of one line" },
	{ "sign", { "--comment", "\xff" }, "--comment: must be UTF-8 text of one line" },
	{ "sign", { "--format", "cms" }, "--format cms: must be one of: rsa-pkcs1 rsa-pss ecdsa" },
	{ "sign", { "--timeout", "-1" }, "--timeout -1: must be a duration" },
	{ "sign", { "--timeout", "31d" }, "--timeout 31d: must be a duration" },
	{ "sign", { "--timeout", "s" }, "--timeout s: must be a duration" },
	{ "sign", { "--timeout", "1w" }, "--timeout 1w: must be a duration" },
	{ "sign", { "--timeout", "99999999999d" }, "--timeout 99999999999d: must be a duration" },
	{ "sign", { "--security-version", "0x1" }, "--security-version 0x1: must be a number" },
	{ "requests", { "--limit", "0" }, "--limit 0: must be a number from 1 to 200" },
	{ "requests", { "--limit", "201" }, "--limit 201: must be a number from 1 to 200" },
	{ "requests", { "--limit", "010" }, "--limit 010: must be a number from 1 to 200" },
	{ "requests", { "--state", "Pending" }, "--state Pending: must be one of: denied pending" },
	{ "init", { "--port", "65536" }, "--port 65536: must be a number from 1 to 65535" },
	{ "audit verify", { "--policy", ONES "1" }, "--policy: 65 bytes, must be 1 to 64" },
};

START_TEST(a_bad_option_is_named)
{
	struct cs_args args = { 0 };
	struct cs_err e = { 0 };
	int first;

	ck_assert_int_eq(parse(bad_options[_i].command, bad_options[_i].words, &args, &first, &e),
			 CS_E_INVALID);
	ck_assert_msg(strstr(e.msg, bad_options[_i].says), "\"%s\" not in \"%s\"",
		      bad_options[_i].says, e.msg);
}
END_TEST

START_TEST(a_list_has_a_limit)
{
	const char *const words[] = { "--image", "a", NULL };
	struct cs_args args = { .images = { .count = CS_OPTION_LIST_MAX } };
	struct cs_err e = { 0 };
	int first;

	ck_assert_int_eq(parse("approve", words, &args, &first, &e), CS_E_INVALID);
	ck_assert_str_eq(e.msg, "--image: given more than 64 times");
}
END_TEST

/** A table with a slip would be found by a user: names twice, letters twice, values without limits.
 */
START_TEST(every_command_has_a_sane_table)
{
	const struct cs_command *c = &cs_commands[_i];
	const struct cs_option_table tables[] = { c->options, cs_common_options };

	ck_assert(c->run && c->summary[strlen(c->summary) - 1] == '.');
	ck_assert(c->operands_min <= c->operands_max);
	ck_assert((c->operands_max == 0) == (c->operands[0] == '\0'));
	for (size_t t = 0; t < 2; t++) {
		for (size_t i = 0; i < tables[t].count; i++) {
			const struct cs_option *o = &tables[t].rows[i];

			ck_assert((o->kind == CS_OPT_FLAG) == (o->value == NULL));
			ck_assert(o->kind != CS_OPT_CHOICE || o->choices);
			ck_assert(o->kind == CS_OPT_FLAG || o->kind == CS_OPT_CHOICE || o->max > 0);
			ck_assert(o->doc[strlen(o->doc) - 1] == '.' || strchr(o->doc, ';') != NULL);
			for (size_t k = 0; k < i; k++)
				ck_assert_str_ne(o->name, tables[t].rows[k].name);
		}
	}
}
END_TEST

START_TEST(every_error_has_an_exit_code)
{
	for (enum cs_rc rc = 1; rc < CS_RC__COUNT; rc++)
		ck_assert_int_ne(cs_exit_of(rc), 0);
	ck_assert_int_eq(cs_exit_of(CS_OK), 0);
	ck_assert_int_eq(cs_exit_of(CS_E_PENDING), 75);
	ck_assert_int_eq(cs_exit_of(CS_E_DENIED), 77);
}
END_TEST

/* --- manifests */

static enum cs_rc read_job(const char *text, struct cs_job *job, struct cs_err *e)
{
	return cs_job_read(cs_bytes_of(text), "dir/release.yaml", job, e);
}

START_TEST(a_manifest_is_read)
{
	const char *text = "artifacts:\n"
			   "  - file: boot.bin\n"
			   "    key: boot-prod\n"
			   "  - file: /abs/app.bin\n"
			   "    name: app\n"
			   "    key: app-prod\n"
			   "    format: ecdsa\n"
			   "    signature: out/app.sig\n"
			   "release: {product: p, security_version: 3}\n"
			   "build: {commit: abc}\n"
			   "comment: hello\n";
	struct cs_err e = { 0 };
	struct cs_job job;

	ck_assert_msg(read_job(text, &job, &e) == CS_OK, "%s", e.msg);
	ck_assert_uint_eq(job.count, 2);
	ck_assert_str_eq(job.artifacts[0].file, "dir/boot.bin");
	ck_assert_str_eq(job.artifacts[0].name, "boot.bin");
	ck_assert_str_eq(job.artifacts[0].signature, "dir/boot.bin.sig");
	ck_assert_str_eq(job.artifacts[1].file, "/abs/app.bin");
	ck_assert_str_eq(job.artifacts[1].signature, "dir/out/app.sig");
	ck_assert_str_eq(job.product, "p");
	ck_assert_int_eq(job.security_version, 3);
	ck_assert_str_eq(job.commit, "abc");
	ck_assert_str_eq(job.comment, "hello");
	ck_assert_ptr_null(job.pipeline);
	cs_job_done(&job);
}
END_TEST

static const struct {
	const char *text, *says;
} bad_manifests[] = {
	{ "artifacts: []\n", "artifacts" },
	{ "release: {}\n", "artifacts" },
	{ "artifacts:\n  - file: a\n", "key" },
	{ "artifacts:\n  - {file: a, key: k, kye: x}\n", "kye" },
	{ "artifacts:\n  - {file: a, key: k}\n  - {file: b/a, key: k}\n", "named a" },
	{ "artifacts:\n  - {file: a, key: k}\n  - {file: b, key: k, signature: a.sig}\n",
	  "two signatures would go to dir/a.sig" },
	{ "artifacts:\n  - {file: \"a b\", key: k}\n", "cannot be an artifact's name" },
	{ "artifacts:\n  - {file: a, key: k}\nrelease: {security_version: -1}\n",
	  "security_version" },
	{ "artifacts:\n  - {file: a, key: k}\nrelease: {colour: red}\n", "colour" },
	{ "artifacts: &a\n  - {file: a, key: k}\n", "anchor" },
};

START_TEST(a_bad_manifest_is_refused)
{
	struct cs_err e = { 0 };
	struct cs_job job;

	ck_assert_int_eq(read_job(bad_manifests[_i].text, &job, &e), CS_E_INVALID);
	ck_assert_msg(strstr(e.msg, bad_manifests[_i].says), "\"%s\" not in \"%s\"",
		      bad_manifests[_i].says, e.msg);
}
END_TEST

START_TEST(equal_jobs_have_equal_fingerprints)
{
	const char *text = "artifacts:\n  - {file: a, key: k}\n";
	struct cs_sha256 first, second;
	struct cs_err e = { 0 };
	struct cs_job job;

	ck_assert_int_eq(read_job(text, &job, &e), CS_OK);
	cs_job_fingerprint(&job, "https://a", &first);
	cs_job_fingerprint(&job, "https://a", &second);
	ck_assert(cs_sha256_equal(&first, &second));
	cs_job_fingerprint(&job, "https://b", &second);
	ck_assert(!cs_sha256_equal(&first, &second));
	job.comment = "other";
	cs_job_fingerprint(&job, "https://a", &second);
	ck_assert(!cs_sha256_equal(&first, &second));
	job.comment = NULL;
	job.pipeline = "other"; /* the same text in another place */
	cs_job_fingerprint(&job, "https://a", &first);
	ck_assert(!cs_sha256_equal(&first, &second));
	cs_job_done(&job);
}
END_TEST

/* --- profiles */

static char directory[] = "/tmp/csXXXXXX";

/** Write profiles.yaml, point the environment to it; nothing else of ours is set. */
static void use_profiles(const char *text)
{
	static const char *const variables[] = { "COUNTERSIGN_PROFILE", "COUNTERSIGN_URL",
						 "COUNTERSIGN_CA", "COUNTERSIGN_PERSON" };
	char path[64];
	FILE *out;

	for (int i = 0; i < COUNT(variables); i++)
		unsetenv(variables[i]);
	snprintf(path, sizeof(path), "%s/profiles.yaml", directory);
	setenv("COUNTERSIGN_PROFILES", path, 1);
	out = fopen(path, "w");
	ck_assert_ptr_nonnull(out);
	fputs(text, out);
	fclose(out);
}

#define TWO_PROFILES                            \
	"default: b\n"                          \
	"profiles:\n"                           \
	"  a: {url: 'https://a', ca: ca.pem}\n" \
	"  b: {url: 'https://b', key: 'pkcs11:object=k', heads: /h}\n"

START_TEST(a_profile_is_found_and_resolved)
{
	struct cs_profile_args args = { 0 };
	struct cs_profile p = { 0 };
	struct cs_err e = { 0 };
	char path[64];

	use_profiles(TWO_PROFILES);
	ck_assert_msg(cs_profile_load(&args, &p, &e) == CS_OK, "%s", e.msg);
	ck_assert_str_eq(p.url, "https://b");
	ck_assert_str_eq(p.client_key,
			 "pkcs11:object=k"); /* no file, so nothing is put before it */
	ck_assert_str_eq(p.heads, "/h");
	ck_assert_ptr_null(p.ca);
	cs_profile_done(&p);

	args.name = "a";
	args.person = "option";
	setenv("COUNTERSIGN_PERSON", "environment", 1);
	setenv("COUNTERSIGN_URL", "https://environment", 1);
	ck_assert_int_eq(cs_profile_load(&args, &p, &e), CS_OK);
	snprintf(path, sizeof(path), "%s/ca.pem", directory);
	ck_assert_str_eq(p.ca, path);
	ck_assert_str_eq(p.url, "https://environment"); /* before the file */
	ck_assert_str_eq(p.person, "option");           /* before the environment */
	cs_profile_done(&p);
}
END_TEST

static const struct {
	const char *text, *name, *says;
} bad_profiles[] = {
	{ TWO_PROFILES, "c", "there is no profile c in it" },
	{ "profiles: {}\n", NULL, "profiles" },
	{ "default: a\n", NULL, "profiles" },
	{ "profiles:\n  a: {ulr: x}\n", NULL, "ulr" },
	{ "profiles:\n  a: {url: \"a\\eb\"}\n", NULL, "url" },
	{ "profiles:\n  a: {url: x}\n  a: {url: y}\n", NULL, "a" },
	{ "profiles: [a]\n", NULL, "profiles" },
};

START_TEST(a_bad_profile_is_refused)
{
	const struct cs_profile_args args = { .name = bad_profiles[_i].name };
	struct cs_profile p = { 0 };
	struct cs_err e = { 0 };

	use_profiles(bad_profiles[_i].text);
	ck_assert_int_eq(cs_profile_load(&args, &p, &e), CS_E_CONFIG);
	ck_assert_msg(strstr(e.msg, bad_profiles[_i].says), "\"%s\" not in \"%s\"",
		      bad_profiles[_i].says, e.msg);
}
END_TEST

START_TEST(a_missing_file_of_profiles_is_an_error_when_it_is_named)
{
	const struct cs_profile_args args = { 0 };
	struct cs_profile p = { 0 };
	struct cs_err e = { 0 };

	use_profiles("");
	setenv("COUNTERSIGN_PROFILES", "/nonexistent/profiles.yaml", 1);
	ck_assert_int_eq(cs_profile_load(&args, &p, &e), CS_E_CONFIG);
	ck_assert_ptr_nonnull(strstr(e.msg, "/nonexistent/profiles.yaml cannot be read"));
}
END_TEST

/* --- heads files */

START_TEST(heads_are_read)
{
	struct cs_err e = { 0 };
	struct cs_heads h;

	ck_assert_int_eq(
		cs_heads_parse(cs_bytes_of(ONES " 7 " TWOS "\n" TWOS " 1 " ONES), "heads", &h, &e),
		CS_OK);
	ck_assert_uint_eq(h.count, 2);
	ck_assert_int_eq(h.list[0].size, 7);
	ck_assert_int_eq(h.list[0].head.b[31], 0x22);
	ck_assert_int_eq(h.list[1].id.b[0], 0x22);
	cs_heads_done(&h);
	ck_assert_int_eq(cs_heads_parse((struct cs_bytes){ NULL, 0 }, "heads", &h, &e), CS_OK);
	ck_assert_uint_eq(h.count, 0);
	cs_heads_done(&h);
}
END_TEST

static const char *const bad_heads[] = {
	"\n",
	ONES "\n",
	ONES " 7\n",
	ONES " 0 " TWOS "\n",
	ONES " -1 " TWOS "\n",
	ONES " 7 " TWOS " \n",
	ONES "  7 " TWOS "\n",
	ONES " 7 " TWOS "2\n",
	"A" ONES " 7 " TWOS "\n",
	ONES " 7 " TWOS "\r\n",
};

START_TEST(bad_heads_are_refused_with_their_line)
{
	struct cs_err e = { 0 };
	struct cs_heads h;

	ck_assert_int_eq(cs_heads_parse(cs_bytes_of(bad_heads[_i]), "heads", &h, &e), CS_E_INVALID);
	ck_assert_ptr_nonnull(strstr(e.msg, "heads line 1: must be LOG-ID SIZE HEAD"));
}
END_TEST

/* --- pages of the log */

static enum cs_rc count_line(void *arg, struct cs_bytes line, struct cs_err *e)
{
	(void)e;
	ck_assert_uint_eq(line.len, 1);
	++*(int *)arg;
	return CS_OK;
}

static enum cs_rc pass_line(void *arg, struct cs_bytes line, struct cs_err *e)
{
	(void)arg;
	(void)line;
	(void)e;
	return CS_OK;
}

#define END_LINE "{\"head\":\"" ONES "\",\"id\":\"" TWOS "\",\"next\":3,\"size\":2}\n"

START_TEST(a_page_is_cut_into_events_and_its_end)
{
	struct cs_events_end end;
	struct cs_err e = { 0 };
	int lines = 0;

	ck_assert_int_eq(
		cs_events_cut(cs_bytes_of("a\nb\n" END_LINE), count_line, &lines, &end, &e), CS_OK);
	ck_assert_int_eq(lines, 2);
	ck_assert_int_eq(end.next, 3);
	ck_assert_int_eq(end.log.size, 2);
	ck_assert_int_eq(end.log.head.b[0], 0x11);
	ck_assert_int_eq(end.log.id.b[0], 0x22);
}
END_TEST

static const char *const bad_pages[] = {
	"",
	"a\n",
	"a\n{}\n",
	"a\n{\"head\":\"" ONES "\",\"id\":\"" TWOS "\",\"next\":0,\"size\":2}\n",
	"a\n{\"head\":\"11\",\"id\":\"" TWOS "\",\"next\":3,\"size\":2}\n",
	"a\n" END_LINE "\n",
};

START_TEST(a_page_without_an_end_is_refused)
{
	struct cs_events_end end;
	struct cs_err e = { 0 };

	ck_assert_int_ne(cs_events_cut(cs_bytes_of(bad_pages[_i]), pass_line, NULL, &end, &e),
			 CS_OK);
}
END_TEST

/* --- what people see */

static const struct {
	const char *in, *out;
} cells[] = {
	{ "", "\"\"" },          { "plain", "\"plain\"" },
	{ "a,b", "\"a,b\"" },    { "say \"hi\"", "\"say \"\"hi\"\"\"" },
	{ "=1+1", "\"'=1+1\"" }, { "+1", "\"'+1\"" },
	{ "-1", "\"'-1\"" },     { "@SUM(A1)", "\"'@SUM(A1)\"" },
	{ "\tx", "\"'\tx\"" },   { "\rx", "\"'\rx\"" },
	{ "a=1", "\"a=1\"" },    { "=HYPERLINK(\"u\")", "\"'=HYPERLINK(\"\"u\"\")\"" },
};

START_TEST(cells_are_quoted_and_no_formulas)
{
	struct cs_buf out;

	cs_buf_init(&out, 256);
	cs_csv_cell(&out, cells[_i].in);
	ck_assert_str_eq(cs_buf_str(&out), cells[_i].out);
	cs_buf_done(&out);
}
END_TEST

START_TEST(rows_end_with_crlf)
{
	struct cs_buf out;

	cs_buf_init(&out, 256);
	cs_csv_row(&out, (const char *const[]){ "1", "=2" }, 2);
	ck_assert_str_eq(cs_buf_str(&out), "\"1\",\"'=2\"\r\n");
	cs_buf_done(&out);
}
END_TEST

static const struct {
	uint64_t done, size;
	const char *line;
} progress[] = {
	{ 0, 1, "f  0 % of 1 bytes" },
	{ 0, 0, "f  100 % of 0 bytes" },
	{ 512, 1024, "f  50 % of 1.0 KiB" },
	{ 1U << 20, 3U << 19, "f  66 % of 1.5 MiB" },
	{ UINT64_C(1) << 40, UINT64_C(1) << 40, "f  100 % of 1.0 TiB" },
};

START_TEST(progress_is_told)
{
	struct cs_buf out;

	cs_buf_init(&out, 256);
	cs_term_progress("f", progress[_i].done, progress[_i].size, &out);
	ck_assert_str_eq(cs_buf_str(&out), progress[_i].line);
	cs_buf_done(&out);
}
END_TEST

static const struct {
	int64_t seconds;
	const char *text;
} durations[] = {
	{ -5, "now" },
	{ 0, "now" },
	{ 59, "59 s" },
	{ 60, "1 min" },
	{ 3599, "59 min" },
	{ 3600, "1 h 0 min" },
	{ 172799, "47 h 59 min" },
	{ 2 * 86400 + 7200, "2 days 2 h" },
};

START_TEST(durations_are_words)
{
	char out[64];

	cs_term_duration(durations[_i].seconds, out);
	ck_assert_str_eq(out, durations[_i].text);
}
END_TEST

static const struct {
	const char *in;
	size_t columns;
	const char *out;
} cuts[] = {
	{ "abc", 3, "abc" },  { "abcd", 3, "ab…" }, { "äöü", 3, "äöü" },
	{ "äöüß", 3, "äö…" }, { "", 1, "" },        { "ab", 1, "…" },
};

START_TEST(lines_are_cut_by_characters)
{
	struct cs_buf text;

	cs_buf_init(&text, 64);
	cs_buf_add_str(&text, cuts[_i].in);
	cs_term_cut(&text, cuts[_i].columns);
	ck_assert_str_eq(cs_buf_str(&text), cuts[_i].out);
	cs_buf_done(&text);
}
END_TEST

START_TEST(the_live_line_says_who_is_missing)
{
	struct countersign_vote votes[] = { { "approver1", "security", "approve" },
					    { "approver2", "release", "withdraw" } };
	struct countersign_request r = { .id = ID,
					 .state = "pending",
					 .expires = "2026-11-21T12:30:00.000000Z",
					 .missing = 1,
					 .quorum_count = 2,
					 .quorum = { { "release", 1, 0 }, { "security", 1, 1 } },
					 .vote_count = 2,
					 .votes = votes };
	struct cs_buf line;
	int64_t now;

	cs_buf_init(&line, 1024);
	ck_assert(cs_time_parse("2026-11-21T12:00:00.000000Z", &now));
	cs_follow_line(&r, now, &line);
	ck_assert_str_eq(cs_buf_str(&line),
			 "pending; approved by approver1 (security), withdraw by approver2 "
			 "(release); 1 missing (release 0/1, security 1/1); expires in 30 min");
	cs_buf_done(&line);
}
END_TEST

static const struct {
	const char *state;
	bool is_final;
	enum cs_rc rc;
	const char *says;
} verdicts[] = {
	{ "signed", true, CS_OK, NULL },
	{ "pending", false, CS_E_PENDING, "is still pending" },
	{ "signing", false, CS_E_PENDING, "is still signing" },
	{ "denied", true, CS_E_DENIED, "was not signed: denied: because" },
	{ "rejected", true, CS_E_CONFLICT, "was not signed: rejected: because" },
	{ "expired", true, CS_E_CONFLICT, "was not signed: expired: because" },
};

START_TEST(a_state_is_a_verdict)
{
	struct countersign_request r = { .id = ID,
					 .is_final = verdicts[_i].is_final,
					 .is_signed = verdicts[_i].rc == CS_OK,
					 .reason = "because" };
	struct cs_err e = { 0 };

	snprintf(r.state, sizeof(r.state), "%s", verdicts[_i].state);
	ck_assert_int_eq(cs_follow_verdict(&r, &e), verdicts[_i].rc);
	if (verdicts[_i].says)
		ck_assert_ptr_nonnull(strstr(e.msg, verdicts[_i].says));
}
END_TEST

/* --- templates */

START_TEST(templates_are_filled)
{
	struct cs_init in = { 0 };
	struct cs_err e = { 0 };
	struct cs_buf out;

	cs_buf_init(&out, 256);
	ck_assert_int_eq(cs_init_word(&in, "A", &e, "%d", 1), CS_OK);
	ck_assert_int_eq(cs_init_word(&in, "LONG_2", &e, "two"), CS_OK);
	ck_assert_int_eq(cs_init_fill(&in.words, "@A@ x@y \"$@\" @LONG_2@@A@", &out, &e), CS_OK);
	ck_assert_str_eq(cs_buf_str(&out), "1 x@y \"$@\" two1");
	ck_assert_int_eq(cs_init_fill(&in.words, "@B@", &out, &e), CS_E_INTERNAL);
	for (size_t i = 0; i < in.words.count; i++)
		free(in.words.list[i].value);
	cs_buf_done(&out);
}
END_TEST

static void add_tests(TCase *tc)
{
	tcase_add_test(tc, options_arrive);
	tcase_add_test(tc, a_list_keeps_its_order);
	tcase_add_loop_test(tc, a_bad_option_is_named, 0, COUNT(bad_options));
	tcase_add_test(tc, a_list_has_a_limit);
	tcase_add_loop_test(tc, every_command_has_a_sane_table, 0, (int)cs_command_count);
	tcase_add_test(tc, every_error_has_an_exit_code);
	tcase_add_test(tc, a_manifest_is_read);
	tcase_add_loop_test(tc, a_bad_manifest_is_refused, 0, COUNT(bad_manifests));
	tcase_add_test(tc, equal_jobs_have_equal_fingerprints);
	tcase_add_test(tc, a_profile_is_found_and_resolved);
	tcase_add_loop_test(tc, a_bad_profile_is_refused, 0, COUNT(bad_profiles));
	tcase_add_test(tc, a_missing_file_of_profiles_is_an_error_when_it_is_named);
	tcase_add_test(tc, heads_are_read);
	tcase_add_loop_test(tc, bad_heads_are_refused_with_their_line, 0, COUNT(bad_heads));
	tcase_add_test(tc, a_page_is_cut_into_events_and_its_end);
	tcase_add_loop_test(tc, a_page_without_an_end_is_refused, 0, COUNT(bad_pages));
	tcase_add_loop_test(tc, cells_are_quoted_and_no_formulas, 0, COUNT(cells));
	tcase_add_test(tc, rows_end_with_crlf);
	tcase_add_loop_test(tc, progress_is_told, 0, COUNT(progress));
	tcase_add_loop_test(tc, durations_are_words, 0, COUNT(durations));
	tcase_add_loop_test(tc, lines_are_cut_by_characters, 0, COUNT(cuts));
	tcase_add_test(tc, the_live_line_says_who_is_missing);
	tcase_add_loop_test(tc, a_state_is_a_verdict, 0, COUNT(verdicts));
	tcase_add_test(tc, templates_are_filled);
}

int main(void)
{
	Suite *suite = suite_create("cli");
	TCase *tc = tcase_create("cli");
	char path[64];
	SRunner *runner;
	int failed;

	if (!mkdtemp(directory))
		return EXIT_FAILURE;
	add_tests(tc);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	snprintf(path, sizeof(path), "%s/profiles.yaml", directory);
	unlink(path);
	rmdir(directory);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
