/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules between access.yaml and signing.yaml. Problems are access.yaml's: it is the file that
 * may be changed without touching a signer. See countersign-access.yaml(5), "RULES".
 */
#include <string.h>

#include "policy/load.h"
#include "policy/where.h"

struct check {
	const struct cs_policy *policy;
	const struct cs_principal *principal;
	const struct cs_yaml *entry; /* the principal's; may be NULL */
	struct cs_problems *p;
};

/** The list is sorted in the model, so find the item by its text. */
static const struct cs_yaml *at_key(const struct check *c, const char *key)
{
	const struct cs_yaml *list = cs_where_field(c->entry, "keys");

	for (size_t i = 0; list && list->kind == CS_YAML_LIST && i < list->count; i++) {
		const struct cs_yaml *item = list->children[i];

		if (item->kind == CS_YAML_SCALAR && strcmp(item->scalar, key) == 0)
			return item;
	}
	return list;
}

static void keys_exist(const struct check *c)
{
	for (size_t i = 0; i < c->principal->key_count; i++) {
		const char *key = c->principal->keys[i];

		if (!cs_policy_key(c->policy, key))
			cs_problem_add(c->p, CS_AT(at_key(c, key)),
				       "principal %s: the signing policy has no key %s",
				       c->principal->name, key);
	}
}

static void approver_is_in_a_group(const struct check *c)
{
	const struct cs_principal *pr = c->principal;

	if (pr->role != CS_ROLE_APPROVER || pr->person_count == 0)
		return;
	if (!cs_policy_approver(c->policy, pr->persons[0]))
		cs_problem_add(c->p, CS_AT(cs_where_field(c->entry, "person")),
			       "principal %s: person %s is in no group of the signing policy; add "
			       "her there as an approver or remove this principal",
			       pr->name, pr->persons[0]);
}

/** A stolen TLS key must not be worth an approval, let alone a signature. */
static void tls_keys_sign_nothing_else(const struct check *c)
{
	for (size_t i = 0; i < c->principal->cert_count; i++) {
		const struct cs_cert_match *cert = &c->principal->certs[i];
		const struct cs_yaml *at = cs_where_item(cs_where_field(c->entry, "certificates"),
							 i);
		const struct cs_pk *pk;
		const struct cs_approver *a = cs_policy_approver_by_key(c->policy, &cert->spki,
									&pk);
		const struct cs_key *k = cs_policy_key_by_spki(c->policy, &cert->spki);

		if (a)
			cs_problem_add(c->p, CS_AT(at),
				       "principal %s: the key of this certificate is an approval "
				       "key of %s; TLS needs a key of its own",
				       c->principal->name, a->person);
		if (k)
			cs_problem_add(c->p, CS_AT(at),
				       "principal %s: the key of this certificate is signing key "
				       "%s; TLS needs a key of its own",
				       c->principal->name, k->name);
	}
}

void cs_policy_check_access(const struct cs_policy *policy, const struct cs_access *access,
			    const struct cs_yaml *where, struct cs_problems *p)
{
	for (size_t i = 0; i < access->count; i++) {
		const struct check c = {
			.policy = policy,
			.principal = &access->principals[i],
			.entry = cs_where_entry(where, "principals", "name",
						access->principals[i].name, 0),
			.p = p,
		};

		keys_exist(&c);
		approver_is_in_a_group(&c);
		tls_keys_sign_nothing_else(&c);
	}
}
