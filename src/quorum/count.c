/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counting votes: what is needed, by the document and by the policy, and who agreed.
 * Trusts nothing but signatures: each vote's key must be enrolled in the policy given, now.
 * See docs/PROTOCOL.decision, "How a decision counts".
 */
#include <assert.h>
#include <string.h>

#include "quorum/rules.h"

#define LINES_MAX (2 * CS_QUORUM_LINES_MAX)

static_assert(sizeof(((struct cs_quorum_status *)0)->lines) /
			      sizeof(((struct cs_quorum_status *)0)->lines[0]) ==
		      LINES_MAX,
	      "one line per group of both lists");

/* Raise what is needed to these lines, group by group. */
static enum cs_rc need(struct cs_quorum_status *st, const struct cs_quorum_list *q,
		       struct cs_err *e)
{
	for (size_t i = 0; i < q->count; i++) {
		size_t j = 0;

		while (j < st->count && strcmp(st->lines[j].group, q->lines[i].group) != 0)
			j++;
		if (j == LINES_MAX)
			return CS_FAIL(
				e, CS_E_CONFLICT,
				"the policy now asks for approvals by more than %d groups; submit "
				"the artifacts in separate requests",
				LINES_MAX);
		if (j == st->count) {
			memcpy(st->lines[j].group, q->lines[i].group, sizeof(st->lines[j].group));
			st->count++;
		}
		if (q->lines[i].count > st->lines[j].need)
			st->lines[j].need = q->lines[i].count;
	}
	return CS_OK;
}

/* The larger of two lists per group: the one that was shown, and the one in force. */
static enum cs_rc need_both(const struct cs_policy *policy, const struct cs_request *doc,
			    struct cs_quorum_status *st, struct cs_err *e)
{
	enum cs_rc rc = need(st, &doc->quorum, e);

	for (size_t i = 0; !rc && i < doc->count; i++)
		rc = need(st, &cs_policy_key(policy, doc->artifacts[i].key)->quorum, e);
	return rc;
}

/* Does vote j of the same person make approval i void? With the same n, the one that does not
 * approve does; of two equal approvals the first counts. */
static bool supersedes(const struct cs_vote *votes, size_t j, size_t i)
{
	const struct cs_decision *later = &votes[j].decision, *approval = &votes[i].decision;

	if (later->n != approval->n)
		return later->n > approval->n;
	return later->verdict != CS_VERDICT_APPROVE || j < i;
}

/* Is approval i its person's last word? `who` has the person of each vote, NULL where it may not
 * count. */
static bool is_last_word(const struct cs_vote *votes, const struct cs_approver *const *who,
			 size_t count, size_t i)
{
	for (size_t j = 0; j < count; j++) {
		if (j != i && who[j] == who[i] && supersedes(votes, j, i))
			return false;
	}
	return true;
}

static void count_approval(struct cs_quorum_status *st, const char *group)
{
	for (size_t j = 0; j < st->count; j++) {
		if (strcmp(st->lines[j].group, group) == 0)
			st->lines[j].have++;
	}
}

static void conclude(struct cs_quorum_status *st)
{
	for (size_t j = 0; j < st->count; j++) {
		if (st->lines[j].need > st->lines[j].have)
			st->missing += st->lines[j].need - st->lines[j].have;
	}
	st->met = st->missing == 0 && !st->rejected;
}

enum cs_rc cs_quorum_count(const struct cs_policy *policy, const struct cs_request *doc,
			   const struct cs_vote *votes, size_t count, struct cs_quorum_status *out,
			   struct cs_err *e)
{
	const struct cs_approver *who[CS_DECISIONS_MAX];
	struct cs_quorum_status st = { 0 };
	const struct cs_pk *pk;
	const char *rule;
	enum cs_rc rc;

	if (count > CS_DECISIONS_MAX)
		return CS_FAIL(e, CS_E_INVALID, "%zu decisions, at most %d are allowed", count,
			       CS_DECISIONS_MAX);
	rc = cs_quorum_check_keys(policy, doc, &rule, e);
	if (!rc)
		rc = need_both(policy, doc, &st, e);
	if (rc)
		return rc;
	for (size_t i = 0; i < count; i++) {
		who[i] = cs_policy_approver_by_key(policy, &votes[i].key_spki, &pk);
		if (who[i] && cs_quorum_is_requester(doc, who[i]->person))
			who[i] = NULL;
	}
	for (size_t i = 0; i < count; i++) {
		if (!who[i])
			continue;
		if (votes[i].decision.verdict == CS_VERDICT_REJECT && !st.rejected) {
			st.rejected = true;
			memcpy(st.rejected_by, who[i]->person, sizeof(st.rejected_by));
		}
		if (votes[i].decision.verdict == CS_VERDICT_APPROVE &&
		    is_last_word(votes, who, count, i))
			count_approval(&st, who[i]->group);
	}
	conclude(&st);
	*out = st;
	return CS_OK;
}
