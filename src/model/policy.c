/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Life cycle of the resolved policy, its canonical order, and look-ups in it.
 * No rule of policy is decided here (policy/); bytes are in policy_json.c.
 */
#include "model/policy.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "model/field.h"

struct cs_policy *cs_policy_new(void)
{
	struct cs_policy *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	cs_buf_init(&p->json, CS_POLICY_JSON_MAX);
	p->refs = 1;
	return p;
}

struct cs_policy *cs_policy_ref(struct cs_policy *p)
{
	assert(p && __atomic_load_n(&p->refs, __ATOMIC_RELAXED) > 0);
	__atomic_add_fetch(&p->refs, 1, __ATOMIC_RELAXED);
	return p;
}

static void approver_done(struct cs_approver *a)
{
	for (size_t i = 0; i < CS_COUNT(a->keys); i++) {
		cs_pk_free(a->keys[i].pk);
		cs_buf_done(&a->keys[i].enrolment);
	}
}

void cs_policy_unref(struct cs_policy *p)
{
	if (!p || __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	for (size_t i = 0; p->keys && i < p->key_count; i++)
		cs_pk_free(p->keys[i].pk);
	for (size_t i = 0; p->approvers && i < p->approver_count; i++)
		approver_done(&p->approvers[i]);
	free(p->tokens);
	free(p->keys);
	free(p->approvers);
	cs_buf_done(&p->json);
	free(p);
}

static int by_token_name(const void *a, const void *b)
{
	return strcmp(((const struct cs_token *)a)->name, ((const struct cs_token *)b)->name);
}

static int by_key_name(const void *a, const void *b)
{
	return strcmp(((const struct cs_key *)a)->name, ((const struct cs_key *)b)->name);
}

static int by_person(const void *a, const void *b)
{
	return strcmp(((const struct cs_approver *)a)->person,
		      ((const struct cs_approver *)b)->person);
}

static int by_group(const void *a, const void *b)
{
	return strcmp(((const struct cs_quorum_line *)a)->group,
		      ((const struct cs_quorum_line *)b)->group);
}

static int by_spki_sha256(const void *a, const void *b)
{
	return memcmp(cs_pk_spki_sha256(((const struct cs_approval_key *)a)->pk)->b,
		      cs_pk_spki_sha256(((const struct cs_approval_key *)b)->pk)->b, CS_SHA256_LEN);
}

/* qsort() must not be called with NULL, which an empty array may be. */
static void sort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	if (count > 1)
		qsort(base, count, size, compare);
}

/* Keys name their token by index, so the indexes move with the tokens. */
static void sort_tokens(struct cs_policy *p)
{
	char names[CS_TOKENS_MAX][CS_NAME_MAX + 1];

	assert(p->token_count <= CS_TOKENS_MAX);
	for (size_t i = 0; i < p->token_count; i++)
		memcpy(names[i], p->tokens[i].name, sizeof(names[i]));
	sort(p->tokens, p->token_count, sizeof(p->tokens[0]), by_token_name);
	for (size_t i = 0; i < p->key_count; i++) {
		assert(p->keys[i].token < p->token_count);
		p->keys[i].token = (size_t)(cs_policy_token(p, names[p->keys[i].token]) -
					    p->tokens);
	}
}

/* A set with a name twice has no canonical form. */
static enum cs_rc check_unique(const struct cs_policy *p, struct cs_err *e)
{
	enum cs_rc rc = CS_OK;

	for (size_t i = 1; !rc && i < p->token_count; i++)
		rc = cs_field_ascending(p->tokens[i - 1].name, p->tokens[i].name, "tokens", e);
	for (size_t i = 1; !rc && i < p->key_count; i++)
		rc = cs_field_ascending(p->keys[i - 1].name, p->keys[i].name, "keys", e);
	for (size_t i = 1; !rc && i < p->approver_count; i++)
		rc = cs_field_ascending(p->approvers[i - 1].person, p->approvers[i].person,
					"approvers", e);
	for (size_t i = 0; !rc && i < p->key_count; i++) {
		const struct cs_quorum_list *q = &p->keys[i].quorum;

		for (size_t j = 1; !rc && j < q->count; j++)
			rc = cs_field_ascending(q->lines[j - 1].group, q->lines[j].group, "quorum",
						e);
	}
	return rc;
}

enum cs_rc cs_policy_seal(struct cs_policy *p, struct cs_err *e)
{
	enum cs_rc rc;

	sort_tokens(p);
	sort(p->keys, p->key_count, sizeof(p->keys[0]), by_key_name);
	sort(p->approvers, p->approver_count, sizeof(p->approvers[0]), by_person);
	for (size_t i = 0; i < p->key_count; i++) {
		struct cs_quorum_list *q = &p->keys[i].quorum;

		sort(q->lines, q->count, sizeof(q->lines[0]), by_group);
	}
	for (size_t i = 0; i < p->approver_count; i++) {
		struct cs_approver *a = &p->approvers[i];

		sort(a->keys, a->key_count, sizeof(a->keys[0]), by_spki_sha256);
	}
	rc = check_unique(p, e);
	if (rc)
		return rc;
	cs_buf_reset(&p->json);
	cs_policy_write(p, &p->json);
	rc = cs_buf_ok(&p->json, "resolved policy", e);
	if (!rc)
		p->digest = cs_sha256(cs_buf_bytes(&p->json));
	return rc;
}

static int find_token(const void *name, const void *token)
{
	return strcmp(name, ((const struct cs_token *)token)->name);
}

static int find_key(const void *name, const void *key)
{
	return strcmp(name, ((const struct cs_key *)key)->name);
}

static int find_person(const void *person, const void *approver)
{
	return strcmp(person, ((const struct cs_approver *)approver)->person);
}

const struct cs_token *cs_policy_token(const struct cs_policy *p, const char *name)
{
	if (p->token_count == 0)
		return NULL;
	return bsearch(name, p->tokens, p->token_count, sizeof(p->tokens[0]), find_token);
}

const struct cs_key *cs_policy_key(const struct cs_policy *p, const char *name)
{
	if (p->key_count == 0)
		return NULL;
	return bsearch(name, p->keys, p->key_count, sizeof(p->keys[0]), find_key);
}

const struct cs_approver *cs_policy_approver(const struct cs_policy *p, const char *person)
{
	if (p->approver_count == 0)
		return NULL;
	return bsearch(person, p->approvers, p->approver_count, sizeof(p->approvers[0]),
		       find_person);
}

const struct cs_key *cs_policy_key_by_spki(const struct cs_policy *p, const struct cs_sha256 *spki)
{
	for (size_t i = 0; i < p->key_count; i++) {
		if (cs_sha256_equal(cs_pk_spki_sha256(p->keys[i].pk), spki))
			return &p->keys[i];
	}
	return NULL;
}

const struct cs_approver *cs_policy_approver_by_key(const struct cs_policy *p,
						    const struct cs_sha256 *spki,
						    const struct cs_pk **pkp)
{
	for (size_t i = 0; i < p->approver_count; i++) {
		const struct cs_approver *a = &p->approvers[i];

		for (size_t j = 0; j < a->key_count; j++) {
			if (cs_sha256_equal(cs_pk_spki_sha256(a->keys[j].pk), spki)) {
				*pkp = a->keys[j].pk;
				return a;
			}
		}
	}
	return NULL;
}
