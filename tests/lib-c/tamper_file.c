/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Changes one exported log in every way that leaves other rows alone and asks src/verify each time.
 * Prints what went unnoticed, one per line, then the figures. Test only; docs/verify_log.py is
 * asked the same by tests/vectors/check_log_changes.py.
 *
 * A changed row has another hash, so it is noticed there, by the next row's prev at the latest, or,
 * for the last row, by the known head, whatever it looks like. So the log is verified once, and the
 * verifier is taken back by one row each time. What a changed row left in the verifier's memory of
 * requests is not undone: it can add findings of other rules, which do not count here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "verify/state.h"

#define FILE_MAX (256U << 20)
#define ROWS_MAX 100000
#define EXIT_USAGE 2

struct tamper {
	struct cs_buf file;
	struct cs_bytes *rows; /* into file, without newlines; owned */
	size_t count;
	size_t step; /* every how many bytes, and rows to be swapped with */
	struct cs_audit_verifier *v;
	char rule[32]; /* of the first finding since it was taken back; "" = none */
	int64_t time;  /* of the event before the row at hand */
	size_t bytes, cuts, deleted, swapped, doubled, unnoticed;
};

static void on_finding(void *arg, int64_t seq, const char *rule, const char *text)
{
	struct tamper *t = arg;

	(void)seq, (void)text;
	if (!t->rule[0])
		(void)snprintf(t->rule, sizeof(t->rule), "%s", rule);
}

static void give(struct tamper *t, struct cs_bytes row)
{
	struct cs_err e = { 0 };

	if (cs_audit_line(t->v, row, &e) != CS_OK) {
		fprintf(stderr, "%s\n", e.msg);
		exit(EXIT_USAGE);
	}
}

/* Back to where `row` is the next one. */
static void take_back(struct tamper *t, size_t row)
{
	t->v->lines = (int64_t)row;
	t->v->time = t->time;
	t->v->sum.findings = 0;
	t->rule[0] = '\0';
}

static bool fails(struct tamper *t)
{
	struct cs_audit_summary sum;

	return cs_audit_finish(t->v, &sum, NULL) == CS_OK && sum.verdict == CS_AUDIT_FAILED;
}

/* Something else stood in the place of row i. */
static void expect_notice(struct tamper *t, size_t i, struct cs_bytes changed, const char *what,
			  size_t at)
{
	bool noticed;

	give(t, changed);
	noticed = strcmp(t->rule, "line") == 0;
	if (!noticed && i + 1 == t->count) {
		noticed = fails(t);
	} else if (!noticed) {
		t->rule[0] = '\0';
		give(t, t->rows[i + 1]);
		noticed = strcmp(t->rule, "prev") == 0;
	}
	if (!noticed) {
		t->unnoticed++;
		printf("%s %zu of row %zu\n", what, at, i + 1);
	}
	take_back(t, i);
}

/* Row j stands where row i belongs. */
static void expect_seq(struct tamper *t, size_t i, size_t j, const char *what)
{
	give(t, t->rows[j]);
	if (strcmp(t->rule, "seq") != 0) {
		t->unnoticed++;
		printf("%s: row %zu in the place of row %zu\n", what, j + 1, i + 1);
	}
	take_back(t, i);
}

static void change_bytes(struct tamper *t, size_t i)
{
	uint8_t *data = t->file.data + (t->rows[i].data - t->file.data);
	const size_t len = t->rows[i].len;
	struct cs_bytes joined = { data, len + 1 };

	for (size_t at = i % t->step; at < len; at += t->step) {
		data[at] ^= (uint8_t)(1U << at % 8);
		expect_notice(t, i, t->rows[i], "byte", at);
		data[at] ^= (uint8_t)(1U << at % 8);
		expect_notice(t, i, (struct cs_bytes){ data, at }, "cut at byte", at);
		t->bytes++;
		t->cuts++;
	}
	if (i + 1 < t->count)
		joined.len += t->rows[i + 1].len;
	data[len] ^= 1;
	give(t, joined);
	if (strcmp(t->rule, "line") != 0) {
		t->unnoticed++;
		printf("the newline of row %zu\n", i + 1);
	}
	data[len] ^= 1;
	take_back(t, i);
	t->bytes++;
}

static void move_rows(struct tamper *t, size_t i)
{
	if (i + 1 < t->count)
		expect_seq(t, i, i + 1, "deleted");
	for (size_t j = i + 1; j < t->count; j += t->step) {
		expect_seq(t, i, j, "swapped");
		t->swapped++;
	}
	t->deleted++;
}

/* Every row in turn, then the end: without its last rows the log is shorter than the known head. */
static void tamper(struct tamper *t)
{
	for (size_t i = 0; i < t->count; i++) {
		change_bytes(t, i);
		move_rows(t, i);
		if (!fails(t)) {
			t->unnoticed++;
			printf("without row %zu and all after it\n", i + 1);
		}
		take_back(t, i);
		give(t, t->rows[i]);
		t->time = t->v->time;
		take_back(t, i + 1);
		give(t, t->rows[i]);
		if (strcmp(t->rule, "seq") != 0) {
			t->unnoticed++;
			printf("doubled: row %zu\n", i + 1);
		}
		take_back(t, i + 1);
		t->doubled++;
	}
}

static enum cs_rc load(struct tamper *t, const char *path, struct cs_err *e)
{
	enum cs_rc rc = cs_file_read(path, &t->file, e);

	t->rows = calloc(ROWS_MAX, sizeof(*t->rows));
	if (rc == CS_OK && !t->rows)
		rc = CS_FAIL(e, CS_E_NOMEM, "rows");
	for (size_t at = 0; rc == CS_OK && at < t->file.len;) {
		const uint8_t *start = t->file.data + at;
		const uint8_t *end = memchr(start, '\n', t->file.len - at);

		if (!end || t->count == ROWS_MAX)
			return CS_FAIL(e, CS_E_INVALID, "%s: no export of up to %d rows", path,
				       ROWS_MAX);
		t->rows[t->count++] = (struct cs_bytes){ start, (size_t)(end - start) };
		at += (size_t)(end - start) + 1;
	}
	return rc;
}

static enum cs_rc run(struct tamper *t, const char *path, const char *step, const char *head,
		      struct cs_err *e)
{
	int64_t number = 0;
	enum cs_rc rc;

	if (!cs_text_to_int(step, 1, ROWS_MAX, &number))
		return CS_FAIL(e, CS_E_INVALID, "step \"%s\": 1 to %d", step, ROWS_MAX);
	t->step = (size_t)number;
	rc = load(t, path, e);
	if (rc == CS_OK)
		rc = cs_audit_new(on_finding, t, &t->v, e);
	if (rc == CS_OK && head)
		rc = cs_audit_know_head_text(t->v, head, e);
	if (rc == CS_OK)
		tamper(t);
	return rc;
}

int main(int argc, char **argv)
{
	struct tamper t = { .count = 0 };
	struct cs_err e = { 0 };
	enum cs_rc rc;

	cs_buf_init(&t.file, FILE_MAX);
	if (argc < 3 || argc > 4)
		rc = CS_FAIL(&e, CS_E_INVALID, "usage: tamper_file LOG STEP [SIZE:HASH]");
	else
		rc = run(&t, argv[1], argv[2], argv[3], &e);
	if (rc != CS_OK)
		fprintf(stderr, "%s\n", e.msg);
	else
		printf("%zu rows: %zu bytes changed, %zu rows cut, %zu deleted, %zu swapped, %zu "
		       "doubled, %zu ends; %zu unnoticed\n",
		       t.count, t.bytes, t.cuts, t.deleted, t.swapped, t.doubled, t.count,
		       t.unnoticed);
	cs_audit_free(t.v);
	free(t.rows);
	cs_buf_done(&t.file);
	return rc != CS_OK ? EXIT_USAGE : t.unnoticed > 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
