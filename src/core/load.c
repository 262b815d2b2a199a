/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A case: one request with its document, artifacts, decisions and the policy to judge it by, read
 * at one moment.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "core/internal.h"

struct cs_case *cs_case_new(struct cs_core *c)
{
	struct cs_case *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	cs_request_row_init(&k->row);
	k->policy = cs_core_policy_get(c);
	return k;
}

static void forget_decisions(struct cs_case *k)
{
	for (size_t i = 0; i < k->decision_count; i++) {
		cs_buf_done(&k->decisions[i].envelope);
		free(k->decisions[i].comment);
	}
	free(k->decisions);
	free(k->votes);
	k->decisions = NULL;
	k->votes = NULL;
	k->decision_count = k->vote_count = 0;
}

static void forget_signatures(struct cs_case *k)
{
	for (size_t i = 0; i < k->signature_count; i++)
		cs_buf_done(&k->signatures[i]);
	k->signature_count = 0;
}

void cs_case_free(struct cs_case *k)
{
	if (!k)
		return;
	forget_decisions(k);
	forget_signatures(k);
	cs_request_row_done(&k->row);
	cs_policy_unref(k->policy);
	free(k);
}

static enum cs_rc keep_decision(void *arg, const struct cs_decision_row *d, struct cs_err *e)
{
	struct cs_case *k = arg;
	struct cs_stored_decision *grown, *x;

	if (k->decision_count >= CS_DECISIONS_MAX)
		return CS_FAIL(e, CS_E_CORRUPT, "request %s has more than %d decisions", k->row.id,
			       CS_DECISIONS_MAX);
	grown = realloc(k->decisions, (k->decision_count + 1) * sizeof(*grown));
	if (!grown)
		return CS_FAIL(e, CS_E_NOMEM, "a decision");
	k->decisions = grown;
	x = &k->decisions[k->decision_count];
	memset(x, 0, sizeof(*x));
	memcpy(x->person, d->person, sizeof(x->person));
	x->n = d->n;
	x->seq = d->seq;
	x->verdict = d->verdict;
	x->spki = d->spki;
	cs_buf_init(&x->envelope, CS_ENVELOPE_MAX);
	cs_buf_add(&x->envelope, d->envelope.data, d->envelope.len);
	x->comment = strdup(d->comment);
	k->decision_count++;
	if (!x->comment)
		return CS_FAIL(e, CS_E_NOMEM, "a decision's comment");
	return cs_buf_ok(&x->envelope, "decision envelope", e);
}

/** Votes by the rows alone: enough to show and to count; signing verifies (cs_case_verify_votes).
 */
static enum cs_rc take_votes(struct cs_case *k, struct cs_err *e)
{
	k->votes = calloc(k->decision_count + 1, sizeof(*k->votes));
	if (!k->votes)
		return CS_FAIL(e, CS_E_NOMEM, "votes");
	for (size_t i = 0; i < k->decision_count; i++) {
		const struct cs_stored_decision *d = &k->decisions[i];
		struct cs_vote *v = &k->votes[k->vote_count];
		const struct cs_pk *pk = NULL;

		v->approver = cs_policy_approver_by_key(k->policy, &d->spki, &pk);
		if (!v->approver)
			continue; /* no longer enrolled: does not count */
		v->key_spki = d->spki;
		v->decision.request_sha256 = k->row.document_sha256;
		v->decision.n = d->n;
		v->decision.verdict = d->verdict;
		k->vote_count++;
	}
	return CS_OK;
}

void cs_case_verify_votes(struct cs_case *k)
{
	k->vote_count = 0;
	for (size_t i = 0; i < k->decision_count; i++)
		if (cs_vote_verify(k->policy, &k->doc, &k->row.document_sha256,
				   cs_buf_bytes(&k->decisions[i].envelope),
				   &k->votes[k->vote_count], NULL) == CS_OK)
			k->vote_count++;
}

static enum cs_rc keep_signature(void *arg, size_t index, struct cs_bytes sig, struct cs_err *e)
{
	struct cs_case *k = arg;
	struct cs_buf *copy;

	if (index != k->signature_count || index >= k->doc.count)
		return CS_FAIL(e, CS_E_CORRUPT, "request %s has a signature %zu after %zu others",
			       k->row.id, index, k->signature_count);
	copy = &k->signatures[k->signature_count++];
	cs_buf_init(copy, CS_SIG_MAX);
	cs_buf_add(copy, sig.data, sig.len);
	return cs_buf_ok(copy, "signature", e);
}

enum cs_rc cs_case_load_signatures(struct cs_case *k, struct cs_store *s, struct cs_err *e)
{
	enum cs_rc rc;

	forget_signatures(k);
	rc = cs_store_signatures(s, k->row.num, keep_signature, k, e);
	if (rc == CS_OK && k->signature_count != k->doc.count)
		rc = CS_FAIL(e, CS_E_CORRUPT, "request %s has %zu signatures of %zu artifacts",
			     k->row.id, k->signature_count, k->doc.count);
	return rc;
}

enum cs_rc cs_case_set_signature(struct cs_case *k, struct cs_bytes sig, struct cs_err *e)
{
	forget_signatures(k);
	return keep_signature(k, 0, sig, e);
}

enum cs_rc cs_case_load(struct cs_case *k, struct cs_store *s, const char *id, struct cs_err *e)
{
	size_t count = 0;
	enum cs_rc rc;

	forget_decisions(k);
	forget_signatures(k);
	rc = cs_store_request(s, id, &k->row, e);
	if (rc != CS_OK)
		return rc;
	rc = cs_request_parse(cs_buf_bytes(&k->row.document), &k->doc, e);
	if (rc != CS_OK) {
		cs_err_prefix(e, "the stored document of request %s", id);
		return CS_E_CORRUPT;
	}
	rc = cs_store_artifacts(s, k->row.num, k->artifacts, &count, e);
	if (rc == CS_OK && count != k->doc.count)
		rc = CS_FAIL(e, CS_E_CORRUPT, "request %s has %zu artifacts and %zu rows", id,
			     k->doc.count, count);
	if (rc == CS_OK)
		rc = cs_store_decisions(s, k->row.num, keep_decision, k, e);
	if (rc == CS_OK && k->row.state == CS_ST_SIGNED)
		rc = cs_case_load_signatures(k, s, e);
	return rc == CS_OK ? take_votes(k, e) : rc;
}

enum cs_rc cs_case_read(struct cs_core *c, struct cs_case *k, const char *id, struct cs_err *e)
{
	struct cs_store *s = cs_reader_get(c);
	enum cs_rc rc = cs_case_load(k, s, id, e);

	cs_reader_put(c, s);
	return rc;
}

static bool asks_group(const struct cs_quorum_list *q, const char *group)
{
	for (size_t i = 0; i < q->count; i++)
		if (strcmp(q->lines[i].group, group) == 0)
			return true;
	return false;
}

/** Does the document's quorum, or today's quorum of one of its keys, ask the group of this person?
 */
static bool asks_person(const struct cs_policy *policy, const char *person,
			const struct cs_request *doc)
{
	const struct cs_approver *approver = cs_policy_approver(policy, person);

	if (!approver)
		return false;
	for (size_t i = 0; i < doc->count; i++) {
		const struct cs_key *key = cs_policy_key_by_spki(policy,
								 &doc->artifacts[i].key_spki);

		if (key && asks_group(&key->quorum, approver->group))
			return true;
	}
	return asks_group(&doc->quorum, approver->group);
}

bool cs_case_is_visible(const struct cs_policy *policy, const struct cs_principal *who,
			const struct cs_request_row *row, const struct cs_request *doc)
{
	switch (who->role) {
	case CS_ROLE_AUDITOR: return true;
	case CS_ROLE_AGENT: return strcmp(who->name, row->principal) == 0;
	case CS_ROLE_APPROVER: return asks_person(policy, who->persons[0], doc);
	case CS_ROLE_OPERATOR:
	case CS_ROLE_NONE: return false;
	}
	return false;
}

enum cs_rc cs_case_open(struct cs_core *c, const struct cs_caller *who, const char *id,
			struct cs_case **kp, struct cs_err *e)
{
	struct cs_case *k = cs_case_new(c);
	enum cs_rc rc;

	if (!k)
		return CS_FAIL(e, CS_E_NOMEM, "request %s", id);
	rc = cs_case_read(c, k, id, e);
	if (rc == CS_OK && !cs_case_is_visible(k->policy, who->principal, &k->row, &k->doc))
		rc = CS_FAIL(e, CS_E_NOT_FOUND, "no such request, or not yours");
	if (rc != CS_OK) {
		cs_case_free(k);
		return rc;
	}
	*kp = k;
	return CS_OK;
}

/* --- all that live --- */

#define PAGE 64

/** A page of them: nothing may be written while the store reads. */
struct page {
	size_t count;
	int64_t last_num;
	struct {
		char id[CS_UUID_TEXT];
		enum cs_state state;
	} live[PAGE];
};

static enum cs_rc collect(void *arg, const struct cs_request_row *row, struct cs_err *e)
{
	struct page *p = arg;

	(void)e;
	p->last_num = row->num;
	memcpy(p->live[p->count].id, row->id, CS_UUID_TEXT);
	p->live[p->count++].state = row->state;
	return CS_OK;
}

enum cs_rc cs_live_each(struct cs_core *c, struct cs_store *s, cs_live_fn *fn, void *arg,
			struct cs_err *e)
{
	struct page *p = calloc(1, sizeof(*p));
	enum cs_rc rc;

	if (!p)
		return CS_FAIL(e, CS_E_NOMEM, "requests that wait");
	do {
		p->count = 0;
		rc = cs_store_live(s, p->last_num, PAGE, collect, p, e);
		for (size_t i = 0; rc == CS_OK && i < p->count; i++)
			rc = fn(c, s, p->live[i].id, p->live[i].state, arg, e);
	} while (rc == CS_OK && p->count == PAGE);
	free(p);
	return rc;
}
