/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What would happen to a request, in words. Judges by judge.c and adds what led there.
 * Must not decide anything itself.
 */
#include "policy/explain.h"

#include <string.h>

#include "policy/words.h"

static const char *const judgements[] = {
	[CS_JUDGE_DENY] = "denied",
	[CS_JUDGE_PENDING] = "pending",
	[CS_JUDGE_APPROVED] = "approved",
};

static void explain_requester(const struct cs_principal *pr, struct cs_buf *out)
{
	cs_buf_addf(out, "requester: %s, %s %s", pr->name, cs_role_name(pr->role),
		    pr->robot ? "owned by" : "of");
	for (size_t i = 0; i < pr->person_count; i++)
		cs_buf_addf(out, "%s%s", i == 0 ? " " : ", ", pr->persons[i]);
	cs_buf_add_char(out, '\n');
}

static void explain_lifetime(const struct cs_key *k, struct cs_buf *out)
{
	char time[CS_TIME_TEXT];

	if (k->not_before != 0) {
		cs_time_text(k->not_before, time);
		cs_buf_addf(out, ", from %s", time);
	}
	if (k->not_after != INT64_MAX) {
		cs_time_text(k->not_after, time);
		cs_buf_addf(out, ", until %s", time);
	}
	if (k->disabled)
		cs_buf_add_str(out, ", disabled");
}

static void explain_artifact(const struct cs_facts *f, const struct cs_artifact *a,
			     struct cs_buf *out)
{
	const struct cs_key *k = cs_policy_key(f->policy, a->key);
	const struct cs_token *t;

	cs_buf_addf(out, "artifact: %s\n  key: %s", a->name, a->key);
	if (!k) {
		cs_buf_add_str(out, ", which the signing policy does not have\n");
		return;
	}
	t = &f->policy->tokens[k->token];
	cs_buf_addf(out, ", %s, %s, format %s", cs_alg_name(k->alg), cs_hash_name(k->hash),
		    cs_format_name(k->format));
	explain_lifetime(k, out);
	if (!cs_principal_may_use(f->principal, a->key))
		cs_buf_addf(out, ", not among the keys of %s", f->principal->name);
	cs_buf_addf(out, "\n  token: %s, %s%s\n  quorum: ", t->name, cs_env_name(t->environment),
		    t->software_token ? ", software" : "");
	cs_words_quorum(&k->quorum, out);
	cs_buf_add_char(out, '\n');
}

static void explain_group(const struct cs_facts *f, const struct cs_quorum_line *line,
			  struct cs_buf *out)
{
	bool first = true;

	cs_buf_addf(out, "  %lld of %s:", (long long)line->count, line->group);
	for (size_t i = 0; i < f->policy->approver_count; i++) {
		const struct cs_approver *a = &f->policy->approvers[i];

		if (strcmp(a->group, line->group) != 0)
			continue;
		cs_buf_addf(out, "%s %s%s", first ? "" : ",", a->person,
			    cs_principal_is_person(f->principal, a->person) ? " (not: requester)"
									    : "");
		first = false;
	}
	cs_buf_add_char(out, '\n');
}

static void explain_wait(const struct cs_facts *f, const struct cs_request *doc, struct cs_buf *out)
{
	cs_buf_add_str(out, "expires: ");
	cs_words_duration((doc->expires - doc->created) / CS_SECOND, out);
	cs_buf_add_str(out, " after it was submitted\nmay approve:\n");
	for (size_t i = 0; i < doc->quorum.count; i++)
		explain_group(f, &doc->quorum.lines[i], out);
}

void cs_policy_explain(const struct cs_facts *facts, struct cs_buf *out)
{
	struct cs_request doc;
	struct cs_verdict verdict = cs_policy_judge(facts, &doc);

	cs_buf_addf(out, "verdict: %s\nrule: %s: %s\nreason: %s\n", judgements[verdict.judgement],
		    verdict.rule, cs_rule_summary(verdict.rule), verdict.reason);
	explain_requester(facts->principal, out);
	for (size_t i = 0; i < facts->submission->count; i++)
		explain_artifact(facts, &facts->submission->artifacts[i], out);
	if (verdict.judgement == CS_JUDGE_PENDING)
		explain_wait(facts, &doc, out);
}
