/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules that a signing policy must keep, one function each, listed at the end.
 * They pass over parts that could not be read (no key, no environment): those have a problem of
 * their own. See countersign-signing.yaml(5), "RULES".
 */
#include <stdlib.h>
#include <string.h>

#include "model/fits.h"
#include "policy/load.h"
#include "policy/published.h"
#include "policy/uses.h"
#include "policy/where.h"

struct check {
	const struct cs_policy *policy;
	const struct cs_yaml *root; /* may be NULL */
	struct cs_problems *p;
};

/** A list of the file and of the model. Its entries begin with their name. */
struct list {
	const char *key, *id; /* in the file: "approvers", "person" */
	size_t size;          /* of an entry in the model */
};

static const struct list tokens = { "tokens", "name", sizeof(struct cs_token) };
static const struct list keys = { "keys", "name", sizeof(struct cs_key) };
static const struct list approvers = { "approvers", "person", sizeof(struct cs_approver) };

_Static_assert(offsetof(struct cs_token, name) == 0, "entries begin with their name");
_Static_assert(offsetof(struct cs_key, name) == 0, "entries begin with their name");
_Static_assert(offsetof(struct cs_approver, person) == 0, "entries begin with their name");

static const char *name_of(const struct list *l, const void *all, size_t i)
{
	return (const char *)all + i * l->size;
}

/** Where entry i stands, or a field of it: it is the nth of that name, should the name be twice. */
static const struct cs_yaml *at(const struct check *c, const struct list *l, const void *all,
				size_t i, const char *field)
{
	const char *name = name_of(l, all, i);
	size_t nth = 0;

	for (size_t j = 0; j < i; j++)
		nth += strcmp(name_of(l, all, j), name) == 0;
	return cs_where_field(cs_where_entry(c->root, l->key, l->id, name, nth), field);
}

static const struct cs_yaml *at_token(const struct check *c, size_t i, const char *field)
{
	return at(c, &tokens, c->policy->tokens, i, field);
}

static const struct cs_yaml *at_key(const struct check *c, size_t i, const char *field)
{
	return at(c, &keys, c->policy->keys, i, field);
}

static const struct cs_yaml *at_approver(const struct check *c, size_t i, const char *field)
{
	return at(c, &approvers, c->policy->approvers, i, field);
}

static const struct cs_yaml *at_approval_key(const struct check *c, size_t approver, size_t key,
					     const char *field)
{
	return cs_where_field(cs_where_item(at_approver(c, approver, "keys"), key), field);
}

static void check_names(const struct check *c, const struct list *l, const void *all, size_t count,
			const char *what)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (strcmp(name_of(l, all, j), name_of(l, all, i)) != 0)
				continue;
			cs_problem_add(c->p, CS_AT(at(c, l, all, i, l->id)),
				       "%s %s is listed twice; names are unique", what,
				       name_of(l, all, i));
			break;
		}
	}
}

static void names_are_unique(const struct check *c)
{
	check_names(c, &tokens, c->policy->tokens, c->policy->token_count, "token");
	check_names(c, &keys, c->policy->keys, c->policy->key_count, "key");
}

/** One token is one process, one user, one PIN and one environment. */
static void token_serials_are_unique(const struct check *c)
{
	const struct cs_token *all = c->policy->tokens;

	for (size_t i = 0; i < c->policy->token_count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (all[i].serial[0] == '\0' || strcmp(all[j].serial, all[i].serial) != 0)
				continue;
			if (all[j].environment != all[i].environment)
				cs_problem_add(c->p, CS_AT(at_token(c, i, "serial")),
					       "token %s: token %s has the same serial %s; a token "
					       "cannot serve both environments",
					       all[i].name, all[j].name, all[i].serial);
			else
				cs_problem_add(c->p, CS_AT(at_token(c, i, "serial")),
					       "token %s: token %s has the same serial %s; list a "
					       "token once",
					       all[i].name, all[j].name, all[i].serial);
			break;
		}
	}
}

static bool same_cka_id(const struct cs_key *a, const struct cs_key *b)
{
	return a->environment != CS_ENV_NONE && a->environment == b->environment &&
	       a->token == b->token && a->cka_id_len > 0 && a->cka_id_len == b->cka_id_len &&
	       memcmp(a->cka_id, b->cka_id, a->cka_id_len) == 0;
}

static void cka_ids_are_unique(const struct check *c)
{
	const struct cs_key *all = c->policy->keys;

	for (size_t i = 0; i < c->policy->key_count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (!same_cka_id(&all[i], &all[j]))
				continue;
			cs_problem_add(
				c->p, CS_AT(at_key(c, i, "cka_id")),
				"key %s: key %s has the same cka_id on the same token; every "
				"key needs its own",
				all[i].name, all[j].name);
			break;
		}
	}
}

static void algorithms_are_the_keys(const struct check *c)
{
	for (size_t i = 0; i < c->policy->key_count; i++) {
		const struct cs_key *k = &c->policy->keys[i];

		if (k->pk && k->alg != CS_ALG_NONE && cs_pk_alg(k->pk) != k->alg)
			cs_problem_add(c->p, CS_AT(at_key(c, i, "algorithm")),
				       "key %s: algorithm is %s, but the public key is %s", k->name,
				       cs_alg_name(k->alg), cs_alg_name(cs_pk_alg(k->pk)));
	}
}

static void formats_fit(const struct check *c)
{
	for (size_t i = 0; i < c->policy->key_count; i++) {
		const struct cs_key *k = &c->policy->keys[i];
		struct cs_err e = { 0 };

		if (k->format == CS_FORMAT_NONE || k->alg == CS_ALG_NONE || k->hash == CS_HASH_NONE)
			continue;
		if (cs_fits_check(k->format, k->alg, k->hash, &e) != CS_OK)
			cs_problem_add(c->p, CS_AT(at_key(c, i, "format")), "key %s: %s", k->name,
				       e.msg);
	}
}

static void lifetimes_are_not_empty(const struct check *c)
{
	for (size_t i = 0; i < c->policy->key_count; i++) {
		const struct cs_key *k = &c->policy->keys[i];

		if (k->not_before >= k->not_after)
			cs_problem_add(c->p, CS_AT(at_key(c, i, "not_after")),
				       "key %s: not_after must be later than not_before", k->name);
	}
}

static void prod_needs_two(const struct check *c)
{
	for (size_t i = 0; i < c->policy->key_count; i++) {
		const struct cs_key *k = &c->policy->keys[i];
		int64_t total = cs_quorum_list_total(&k->quorum);

		if (k->environment == CS_ENV_PROD && total < CS_QUORUM_PROD_MIN)
			cs_problem_add(c->p, CS_AT(at_key(c, i, "quorum")),
				       "key %s: its quorum is %lld; a production key needs at "
				       "least %d approvals",
				       k->name, (long long)total, CS_QUORUM_PROD_MIN);
	}
}

static int64_t group_size(const struct cs_policy *policy, const char *group)
{
	int64_t size = 0;

	for (size_t i = 0; i < policy->approver_count; i++)
		size += strcmp(policy->approvers[i].group, group) == 0;
	return size;
}

static void groups_are_large_enough(const struct check *c)
{
	for (size_t i = 0; i < c->policy->key_count; i++) {
		const struct cs_key *k = &c->policy->keys[i];

		for (size_t n = 0; n < k->quorum.count; n++) {
			const struct cs_quorum_line *line = &k->quorum.lines[n];
			const struct cs_yaml *at = cs_where_entry(at_key(c, i, NULL), "quorum",
								  "group", line->group, 0);
			int64_t size = group_size(c->policy, line->group);

			if (size == 0)
				cs_problem_add(c->p, CS_AT(at),
					       "key %s: no approver is in group %s", k->name,
					       line->group);
			else if (size < line->count)
				cs_problem_add(c->p, CS_AT(at),
					       "key %s: %lld approvals of group %s can never be "
					       "met, it has %lld %s",
					       k->name, (long long)line->count, line->group,
					       (long long)size, size == 1 ? "person" : "persons");
		}
	}
}

static void persons_are_in_one_group(const struct check *c)
{
	const struct cs_approver *all = c->policy->approvers;

	for (size_t i = 0; i < c->policy->approver_count; i++) {
		for (size_t j = 0; j < i; j++) {
			if (strcmp(all[j].person, all[i].person) != 0)
				continue;
			if (strcmp(all[j].group, all[i].group) != 0)
				cs_problem_add(c->p, CS_AT(at_approver(c, i, "group")),
					       "approver %s is in two groups, %s and %s; a person "
					       "is in exactly one",
					       all[i].person, all[j].group, all[i].group);
			else
				cs_problem_add(c->p, CS_AT(at_approver(c, i, "person")),
					       "approver %s is listed twice; put all keys into one "
					       "entry",
					       all[i].person);
			break;
		}
	}
}

static void approvers_have_keys(const struct check *c)
{
	for (size_t i = 0; i < c->policy->approver_count; i++) {
		const struct cs_approver *a = &c->policy->approvers[i];

		if (a->key_count == 0)
			cs_problem_add(c->p, CS_AT(at_approver(c, i, "keys")),
				       "approver %s has no approval key; `countersign enroll` "
				       "prints the entry",
				       a->person);
	}
}

/** What the enrolment says must be what the file says, and the key must have signed it. */
static enum cs_rc check_enrolment(const struct cs_policy *policy, const struct cs_approver *a,
				  const struct cs_approval_key *key, struct cs_err *e)
{
	struct cs_dsse envelope = { 0 };
	struct cs_enrolment said = { 0 };
	enum cs_rc rc;

	rc = cs_dsse_parse(cs_buf_bytes(&key->enrolment), &envelope, e);
	if (rc != CS_OK)
		goto out;
	rc = cs_dsse_verify(&envelope, CS_ENROLMENT_TYPE, key->pk, e);
	if (rc != CS_OK)
		goto out;
	rc = cs_enrolment_parse(cs_buf_bytes(&envelope.payload), &said, e);
	if (rc != CS_OK)
		goto out;
	if (strcmp(said.instance, policy->instance) != 0)
		rc = CS_FAIL(e, CS_E_INVALID, "made for instance %s, not %s", said.instance,
			     policy->instance);
	else if (strcmp(said.person, a->person) != 0)
		rc = CS_FAIL(e, CS_E_INVALID, "made by %s, not %s", said.person, a->person);
	else if (!cs_sha256_equal(&said.spki, cs_pk_spki_sha256(key->pk)))
		rc = CS_FAIL(e, CS_E_INVALID, "made for another public key");
out:
	cs_dsse_done(&envelope);
	return rc;
}

static void enrolments_verify(const struct check *c)
{
	for (size_t i = 0; i < c->policy->approver_count; i++) {
		const struct cs_approver *a = &c->policy->approvers[i];

		for (size_t n = 0; n < a->key_count; n++) {
			const struct cs_approval_key *key = &a->keys[n];
			struct cs_err e = { 0 };

			if (!key->pk || key->enrolment.len == 0)
				continue;
			if (check_enrolment(c->policy, a, key, &e) != CS_OK)
				cs_problem_add(c->p, CS_AT(at_approval_key(c, i, n, "enrolment")),
					       "approver %s: enrolment of key %zu: %s; make a new "
					       "one with `countersign enroll`",
					       a->person, n, e.msg);
		}
	}
}

static size_t collect_uses(const struct check *c, struct cs_use *uses)
{
	size_t count = 0;

	for (size_t i = 0; i < c->policy->key_count; i++) {
		const struct cs_key *k = &c->policy->keys[i];

		if (!k->pk)
			continue;
		uses[count] = (struct cs_use){ .spki = cs_pk_spki_sha256(k->pk),
					       .kind = "key",
					       .owner = k->name,
					       .at = at_key(c, i, "public_key"),
					       .order = count };
		count++;
	}
	for (size_t i = 0; i < c->policy->approver_count; i++) {
		const struct cs_approver *a = &c->policy->approvers[i];

		for (size_t n = 0; n < a->key_count; n++) {
			if (!a->keys[n].pk)
				continue;
			uses[count] = (struct cs_use){ .spki = cs_pk_spki_sha256(a->keys[n].pk),
						       .kind = "approver",
						       .owner = a->person,
						       .at = at_approval_key(c, i, n, "public_key"),
						       .order = count };
			count++;
		}
	}
	return count;
}

/** Whose private key anybody can download, is nobody's. */
static void check_published(const struct cs_use *use, struct cs_problems *p)
{
	const char *where = cs_published_key(use->spki);

	if (where)
		cs_problem_add(p, CS_AT(use->at),
			       "%s %s: this is a published test key (%s): everybody has its "
			       "private key; make one of your own",
			       use->kind, use->owner, where);
}

static void keys_are_secret_and_have_one_use(const struct check *c)
{
	size_t max = c->policy->key_count + CS_APPROVAL_KEYS_MAX * c->policy->approver_count;
	struct cs_use *uses = calloc(max + 1, sizeof(*uses));
	size_t count;

	if (!uses) {
		cs_problem_add(c->p, 0, 0, "out of memory");
		return;
	}
	count = collect_uses(c, uses);
	for (size_t i = 0; i < count; i++)
		check_published(&uses[i], c->p);
	cs_uses_check(uses, count, c->p);
	free(uses);
}

static void (*const rules[])(const struct check *c) = {
	names_are_unique,
	token_serials_are_unique,
	cka_ids_are_unique,
	algorithms_are_the_keys,
	formats_fit,
	lifetimes_are_not_empty,
	prod_needs_two,
	groups_are_large_enough,
	persons_are_in_one_group,
	approvers_have_keys,
	enrolments_verify,
	keys_are_secret_and_have_one_use,
};

void cs_policy_check(const struct cs_policy *policy, const struct cs_yaml *where,
		     struct cs_problems *p)
{
	const struct check c = { .policy = policy, .root = where, .p = p };

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		rules[i](&c);
}
