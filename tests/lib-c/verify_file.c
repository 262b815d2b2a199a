/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verifies one exported log with src/verify and prints what it found: "SEQ RULE TEXT" lines, then
 * the verdict. Test only: the smallest program around the verifier, with the options and exit codes
 * of docs/verify_log.py, so that both can be compared.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "verify/verify.h"

#define FILE_MAX (256U << 20)
#define EXIT_USAGE 2

/* Gives each line of a file to a function, without its newline. */
typedef enum cs_rc line_fn(struct cs_audit_verifier *v, struct cs_bytes line, struct cs_err *e);

static enum cs_rc each_line(struct cs_audit_verifier *v, const char *path, line_fn *fn,
			    struct cs_err *e)
{
	struct cs_buf file;
	enum cs_rc rc;

	cs_buf_init(&file, FILE_MAX);
	rc = cs_file_read(path, &file, e);
	for (size_t at = 0; rc == CS_OK && at < file.len;) {
		const uint8_t *start = file.data + at;
		const uint8_t *end = memchr(start, '\n', file.len - at);
		size_t len = end ? (size_t)(end - start) : file.len - at;

		rc = fn(v, (struct cs_bytes){ start, len }, e);
		at += len + 1;
	}
	cs_buf_done(&file);
	return rc;
}

static enum cs_rc head_line(struct cs_audit_verifier *v, struct cs_bytes line, struct cs_err *e)
{
	char text[256];

	if (line.len >= sizeof(text))
		return CS_FAIL(e, CS_E_INVALID, "a line of a heads file is too long");
	memcpy(text, line.data, line.len);
	text[line.len] = '\0';
	return cs_audit_know_head_line(v, text, e);
}

static enum cs_rc option(struct cs_audit_verifier *v, const char *name, const char *value,
			 struct cs_err *e)
{
	struct cs_sha256 digest;

	if (strcmp(name, "--head") == 0)
		return cs_audit_know_head_text(v, value, e);
	if (strcmp(name, "--heads") == 0)
		return each_line(v, value, head_line, e);
	if (strcmp(name, "--journal") == 0)
		return each_line(v, value, cs_audit_journal_line, e);
	if (strcmp(name, "--policy") == 0 && cs_sha256_from_hex(value, &digest))
		return cs_audit_trust_policy(v, &digest, e);
	return CS_FAIL(e, CS_E_INVALID, "%s %s: not understood", name, value);
}

static void print_finding(void *arg, int64_t seq, const char *rule, const char *text)
{
	(void)arg;
	printf("%lld %s %s\n", (long long)seq, rule, text);
}

static void print_summary(const struct cs_audit_summary *s)
{
	char head[CS_SHA256_HEX];

	cs_sha256_hex(&s->last.head, head);
	printf("%s: %lld events, head %s, anchored at %lld; %lld requests, %lld decisions, "
	       "%lld signatures, %lld policies, %lld open intents\n",
	       cs_audit_verdict_name(s->verdict), (long long)s->last.size, head,
	       (long long)s->anchored_size, (long long)s->requests, (long long)s->decisions,
	       (long long)s->signatures, (long long)s->policies, (long long)s->open_intents);
}

int main(int argc, char **argv)
{
	struct cs_audit_verifier *v = NULL;
	struct cs_audit_summary sum;
	struct cs_err e = { 0 };
	int status = EXIT_USAGE;
	enum cs_rc rc;

	rc = cs_audit_new(print_finding, NULL, &v, &e);
	for (int i = 1; rc == CS_OK && i + 1 < argc; i += 2)
		rc = option(v, argv[i], argv[i + 1], &e);
	if (rc == CS_OK && argc % 2 == 0)
		rc = each_line(v, argv[argc - 1], cs_audit_line, &e);
	else if (rc == CS_OK)
		rc = CS_FAIL(&e, CS_E_INVALID, "usage: verify_file [OPTION VALUE]... LOG");
	if (rc == CS_OK)
		rc = cs_audit_finish(v, &sum, &e);
	if (rc == CS_OK) {
		print_summary(&sum);
		status = cs_audit_verdict_exit(sum.verdict);
	} else {
		fprintf(stderr, "%s\n", e.msg);
	}
	cs_audit_free(v);
	return status;
}
