/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verification of exported logs and of journals (verify/verify.h). Input: lines of a journal, an
 * empty line, lines of a log. Events that parse are numbered and linked anew, so that a change
 * reaches the rules behind the chain.
 */
#include "fuzz/fuzz.h"
#include "verify/verify.h"

struct run {
	struct cs_audit_verifier *v;
	int64_t seq;
	struct cs_sha256 prev;
	bool in_log;
	int64_t told;
};

static void on_finding(void *arg, int64_t seq, const char *rule, const char *text)
{
	struct run *r = arg;

	fuzz_holds(seq >= 0 && rule != NULL && text[0] != '\0');
	r->told++;
}

/** The event as it would stand here; false when it is none. */
static bool link_event(struct run *r, struct cs_bytes in, struct cs_buf *out)
{
	struct cs_json *root = NULL;
	struct cs_buf detail;
	struct cs_event ev;
	struct cs_err e = { 0 };
	bool ok = cs_event_parse(in, &ev, &root, &e) == CS_OK;

	cs_buf_init(&detail, CS_EVENT_MAX);
	if (ok) {
		fuzz_holds(cs_jcs_write(cs_json_get(root, "detail"), &detail, &e) == CS_OK);
		ev.seq = r->seq;
		ev.prev = r->prev;
		ev.detail = cs_buf_bytes(&detail);
		cs_event_write(&ev, out);
	}
	cs_buf_done(&detail);
	cs_json_free(root);
	return ok && out->failed == CS_OK;
}

static void give(struct run *r, struct cs_bytes line)
{
	struct cs_err e = { 0 };
	struct cs_buf linked;

	if (!r->in_log && line.len > 0) {
		fuzz_holds(cs_audit_journal_line(r->v, line, &e) == CS_OK);
		return;
	}
	if (!r->in_log) {
		r->in_log = true;
		return;
	}
	r->seq++;
	cs_buf_init(&linked, CS_EVENT_MAX);
	if (link_event(r, line, &linked))
		line = cs_buf_bytes(&linked);
	fuzz_holds(cs_audit_line(r->v, line, &e) == CS_OK);
	r->prev = cs_event_hash(line);
	cs_buf_done(&linked);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cs_audit_summary sum;
	struct run r = { 0 };

	fuzz_holds(cs_audit_new(on_finding, &r, &r.v, NULL) == CS_OK);
	while (size > 0) {
		const uint8_t *end = memchr(data, '\n', size);
		const size_t len = end ? (size_t)(end - data) : size;

		give(&r, (struct cs_bytes){ data, len });
		data += end ? len + 1 : len;
		size -= end ? len + 1 : len;
	}
	fuzz_holds(cs_audit_finish(r.v, &sum, NULL) == CS_OK);
	fuzz_holds((sum.verdict == CS_AUDIT_FAILED) == (r.told > 0));
	fuzz_holds(sum.last.size == r.seq && sum.open_intents >= 0);
	cs_audit_free(r.v);
	return 0;
}
