/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit verify: an export, judged offline by verify/.
 * Must not talk to a server: an auditor trusts files only.
 * See countersign(1) and docs/PROTOCOL.log.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/lines.h"
#include "cli/remote.h"
#include "cli/term.h"
#include "verify/verify.h"

/** What findings go to. */
struct findings {
	bool json;
	json_t *list;
};

static void on_finding(void *arg, int64_t seq, const char *rule, const char *text)
{
	struct findings *f = arg;

	if (f->json) {
		json_array_append_new(f->list, json_pack("{s:s, s:I, s:s}", "rule", rule, "seq",
							 (json_int_t)seq, "text", text));
		return;
	}
	if (seq > 0)
		printf("event %lld: ", (long long)seq);
	cs_term_text(stdout, rule);
	printf(": ");
	cs_term_text(stdout, text);
	printf("\n");
}

static enum cs_rc give_head(void *arg, struct cs_bytes line, struct cs_err *e)
{
	return cs_audit_know_head_line(arg, (const char *)line.data, e);
}

static enum cs_rc give_journal(void *arg, struct cs_bytes line, struct cs_err *e)
{
	return cs_audit_journal_line(arg, line, e);
}

static enum cs_rc give_event(void *arg, struct cs_bytes line, struct cs_err *e)
{
	return cs_audit_line(arg, line, e);
}

/** Heads, journals and policies come before the log. */
static enum cs_rc give_known(const struct cs_args *a, struct cs_audit_verifier *v, struct cs_err *e)
{
	enum cs_rc rc = CS_OK;

	for (size_t i = 0; !rc && i < a->known_heads.count; i++)
		rc = cs_audit_know_head_text(v, a->known_heads.values[i], e);
	for (size_t i = 0; !rc && i < a->head_files.count; i++)
		rc = cs_lines_of(a->head_files.values[i], give_head, v, e);
	for (size_t i = 0; !rc && i < a->policies.count; i++) {
		struct cs_sha256 digest;

		rc = cs_sha256_from_hex(a->policies.values[i], &digest)
			     ? cs_audit_trust_policy(v, &digest, e)
			     : CS_FAIL(e, CS_E_INVALID,
				       "--policy: must be a SHA-256 of 64 lower-case hexadecimal "
				       "digits");
	}
	for (size_t i = 0; !rc && i < a->journals.count; i++)
		rc = cs_lines_of(a->journals.values[i], give_journal, v, e);
	return rc;
}

static void print_json(const struct cs_audit_summary *s, const struct findings *f)
{
	char head[CS_SHA256_HEX], id[CS_SHA256_HEX];
	json_t *root;

	cs_sha256_hex(&s->last.head, head);
	cs_sha256_hex(&s->last.id, id);
	root = json_pack("{s:s, s:I, s:O, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "verdict",
			 cs_audit_verdict_name(s->verdict), "anchored_size",
			 (json_int_t)s->anchored_size, "findings", f->list, "head", head, "id", id,
			 "size", (json_int_t)s->last.size, "requests", (json_int_t)s->requests,
			 "decisions", (json_int_t)s->decisions, "signatures",
			 (json_int_t)s->signatures, "policies", (json_int_t)s->policies,
			 "open_intents", (json_int_t)s->open_intents);
	cs_remote_print(root);
	json_decref(root);
}

static void print_words(const struct cs_audit_summary *s)
{
	char head[CS_SHA256_HEX], id[CS_SHA256_HEX];

	cs_sha256_hex(&s->last.head, head);
	cs_sha256_hex(&s->last.id, id);
	cs_term_row(stdout, "log", id);
	cs_term_rowf(stdout, "head", "%lld:%s", (long long)s->last.size, head);
	cs_term_rowf(stdout, "checked",
		     "%lld requests, %lld decisions, %lld signatures, %lld policies",
		     (long long)s->requests, (long long)s->decisions, (long long)s->signatures,
		     (long long)s->policies);
	if (s->open_intents > 0)
		cs_term_rowf(stdout, "still open", "%lld intents to sign",
			     (long long)s->open_intents);
	if (s->findings > 0)
		cs_term_rowf(stdout, "findings", "%lld", (long long)s->findings);
	if (s->verdict == CS_AUDIT_ANCHORED)
		cs_term_rowf(stdout, "verdict", "anchored at size %lld",
			     (long long)s->anchored_size);
	else
		cs_term_row(stdout, "verdict", cs_audit_verdict_name(s->verdict));
}

enum cs_rc cs_cmd_audit_verify(struct cs_cli *cli, struct cs_err *e)
{
	struct findings f = { cli->args.json, json_array() };
	struct cs_audit_verifier *v = NULL;
	struct cs_audit_summary summary;
	enum cs_rc rc;

	rc = cs_audit_new(on_finding, &f, &v, e);
	rc = rc ? rc : give_known(&cli->args, v, e);
	rc = rc ? rc : cs_lines_of(cli->operands[0], give_event, v, e);
	rc = rc ? rc : cs_audit_finish(v, &summary, e);
	if (!rc) {
		if (f.json)
			print_json(&summary, &f);
		else
			print_words(&summary);
		cli->exit = cs_audit_verdict_exit(summary.verdict);
	}
	cs_audit_free(v);
	json_decref(f.list);
	return rc;
}
