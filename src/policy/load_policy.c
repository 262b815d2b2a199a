/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signing.yaml: its shape, as tables, and from there to the model. The rules are in check.c.
 * Entries with problems stay in the model as far as they could be read, so that one mistake does
 * not hide the next; a file with any problem gives no policy.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/jcs.h"
#include "policy/load.h"
#include "policy/schema.h"
#include "policy/where.h"

#define BASE64_LEN(n) (((n) + 2) / 3 * 4)
/* CK_TOKEN_INFO has no room for more */
#define LABEL_MAX 32
#define SERIAL_MAX 16
#define WHERE_MAX 160 /* "approvers[127].keys[3]" */

struct file_yaml {
	int64_t version;
	const char *instance;
	const struct cs_yaml *tokens, *keys, *approvers;
};

static const struct cs_yaml_field file_fields[] = {
	FIELD(file_yaml, version, CS_Y_INT, true, 1, CS_JCS_INT_MAX),
	NAME(file_yaml, instance),
	FIELD(file_yaml, tokens, CS_Y_LIST, true, 1, CS_TOKENS_MAX),
	FIELD(file_yaml, keys, CS_Y_LIST, true, 1, CS_KEYS_MAX),
	FIELD(file_yaml, approvers, CS_Y_LIST, false, 0, CS_APPROVERS_MAX),
};

struct token_yaml {
	const char *name, *label, *serial;
	int environment;
	bool software_token;
};

static const char *const environments[] = { "dev", "prod", NULL };

static const struct cs_yaml_field token_fields[] = {
	NAME(token_yaml, name),
	FIELD(token_yaml, label, CS_Y_TEXT, true, 1, LABEL_MAX),
	FIELD(token_yaml, serial, CS_Y_TEXT, true, 1, SERIAL_MAX),
	CHOICE(token_yaml, environment, environments),
	FLAG(token_yaml, software_token),
};

struct key_yaml {
	const char *name, *token, *cka_id, *public_key;
	int algorithm, hash, format;
	const struct cs_yaml *quorum;
	int64_t not_before, not_after, max_uses, max_wait;
	bool disabled, imported;
};

static const char *const algorithms[] = {
	"rsa-3072", "rsa-4096", "p-256", "p-384", "ed25519", NULL
};
static const char *const hashes[] = { "sha256", "sha384", "sha512", NULL };
static const char *const formats[] = { "rsa-pkcs1", "rsa-pss", "ecdsa", "ed25519-digest", NULL };

static const struct cs_yaml_field key_fields[] = {
	NAME(key_yaml, name),
	NAME(key_yaml, token),
	FIELD(key_yaml, cka_id, CS_Y_HEX, true, 2, 2 * CS_CKA_ID_MAX),
	CHOICE(key_yaml, algorithm, algorithms),
	CHOICE(key_yaml, hash, hashes),
	CHOICE(key_yaml, format, formats),
	FIELD(key_yaml, public_key, CS_Y_BASE64, true, 4, BASE64_LEN(CS_SPKI_MAX)),
	FIELD(key_yaml, quorum, CS_Y_LIST, false, 0, CS_QUORUM_LINES_MAX),
	FIELD(key_yaml, not_before, CS_Y_TIME, false, 0, 0),
	FIELD(key_yaml, not_after, CS_Y_TIME, false, 0, 0),
	FIELD(key_yaml, max_uses, CS_Y_INT, false, 1, CS_MAX_USES_MAX),
	FIELD(key_yaml, max_wait, CS_Y_SECONDS, false, 1, CS_MAX_WAIT_MAX),
	FLAG(key_yaml, disabled),
	FLAG(key_yaml, imported),
};

struct line_yaml {
	const char *group;
	int64_t count;
};

static const struct cs_yaml_field line_fields[] = {
	NAME(line_yaml, group),
	FIELD(line_yaml, count, CS_Y_INT, true, 1, CS_QUORUM_COUNT_MAX),
};

struct approver_yaml {
	const char *person, *group;
	const struct cs_yaml *keys;
};

static const struct cs_yaml_field approver_fields[] = {
	NAME(approver_yaml, person),
	NAME(approver_yaml, group),
	FIELD(approver_yaml, keys, CS_Y_LIST, true, 1, CS_APPROVAL_KEYS_MAX),
};

struct approval_key_yaml {
	const char *public_key, *enrolment;
};

static const struct cs_yaml_field approval_key_fields[] = {
	FIELD(approval_key_yaml, public_key, CS_Y_BASE64, true, 4, BASE64_LEN(CS_SPKI_MAX)),
	FIELD(approval_key_yaml, enrolment, CS_Y_BASE64, true, 4, BASE64_LEN(CS_ENVELOPE_MAX)),
};

/** Bytes of a list that the schema has limited; 0 when the list is absent or empty. */
static size_t list_count(const struct cs_yaml *list, size_t max)
{
	if (!list)
		return 0;
	return list->count < max ? list->count : max;
}

/** Decode text into out; what is wrong becomes a problem at the node. */
static bool read_base64(const struct cs_yaml *node, const char *where, const char *text,
			struct cs_buf *out, struct cs_problems *p)
{
	struct cs_err e = { 0 };

	if (!text)
		return false; /* the schema said so */
	if (cs_base64_decode(text, strlen(text), out, where, &e) == CS_OK)
		return true;
	cs_problem_add(p, CS_AT(node), "%s", e.msg);
	return false;
}

static struct cs_pk *read_public_key(const struct cs_yaml *entry, const char *where,
				     const char *text, struct cs_problems *p)
{
	const struct cs_yaml *node = cs_where_field(entry, "public_key");
	struct cs_pk *pk = NULL;
	struct cs_err e = { 0 };
	struct cs_buf spki;
	char what[WHERE_MAX + 16];

	cs_buf_init(&spki, CS_SPKI_MAX);
	snprintf(what, sizeof(what), "%s.public_key", where);
	if (read_base64(node, what, text, &spki, p) &&
	    cs_pk_from_spki(cs_buf_bytes(&spki), &pk, &e) != CS_OK)
		cs_problem_add(p, CS_AT(node), "%s: %s", what, e.msg);
	cs_buf_done(&spki);
	return pk;
}

static void read_token(const struct cs_yaml *entry, const char *where, struct cs_policy *policy,
		       struct cs_problems *p)
{
	struct token_yaml y = { .environment = -1 };
	struct cs_token *t;

	cs_yaml_read(entry, where, token_fields, COUNT(token_fields), &y, p);
	if (!y.name)
		return;
	t = &policy->tokens[policy->token_count++];
	snprintf(t->name, sizeof(t->name), "%s", y.name);
	snprintf(t->label, sizeof(t->label), "%s", y.label ? y.label : "");
	snprintf(t->serial, sizeof(t->serial), "%s", y.serial ? y.serial : "");
	if (y.environment >= 0)
		t->environment = cs_env_from_name(environments[y.environment]);
	t->software_token = y.software_token;
}

static void read_quorum(const struct cs_yaml *list, const char *where,
			struct cs_quorum_list *quorum, struct cs_problems *p)
{
	size_t count = list_count(list, CS_QUORUM_LINES_MAX);

	for (size_t i = 0; i < count; i++) {
		struct line_yaml y = { 0 };
		struct cs_quorum_list line = { .count = 1 };
		size_t before = quorum->count;
		char at[WHERE_MAX + 24];
		struct cs_err e = { 0 };

		snprintf(at, sizeof(at), "%s.quorum[%zu]", where, i);
		cs_yaml_read(list->children[i], at, line_fields, COUNT(line_fields), &y, p);
		if (!y.group || y.count == 0)
			continue;
		snprintf(line.lines[0].group, sizeof(line.lines[0].group), "%s", y.group);
		line.lines[0].count = y.count;
		if (cs_quorum_list_merge(quorum, &line, &e) != CS_OK)
			cs_problem_add(p, CS_AT(list->children[i]), "%s: %s", at, e.msg);
		else if (quorum->count == before)
			cs_problem_add(p, CS_AT(list->children[i]),
				       "%s: group %s has a line already; write one line per group",
				       at, y.group);
	}
}

static void read_token_name(const struct cs_yaml *entry, const char *where, const char *name,
			    const struct cs_policy *policy, struct cs_key *k, struct cs_problems *p)
{
	for (size_t i = 0; i < policy->token_count; i++) {
		if (strcmp(policy->tokens[i].name, name) == 0) {
			k->token = i;
			k->environment = policy->tokens[i].environment;
			return;
		}
	}
	cs_problem_add(p, CS_AT(cs_where_field(entry, "token")),
		       "%s.token: no token %s in this file's list of tokens", where, name);
}

/** The schema has checked digits and length. */
static void read_cka_id(const char *hex, struct cs_key *k)
{
	size_t len = strlen(hex) / 2;

	if (cs_hex_decode(hex, k->cka_id, len))
		k->cka_id_len = len;
}

static void read_key(const struct cs_yaml *entry, const char *where, struct cs_policy *policy,
		     struct cs_problems *p)
{
	struct key_yaml y = {
		.algorithm = -1,
		.hash = -1,
		.format = -1,
		.not_after = INT64_MAX,
		.max_wait = CS_MAX_WAIT_DEFAULT,
	};
	struct cs_key *k;

	cs_yaml_read(entry, where, key_fields, COUNT(key_fields), &y, p);
	if (!y.name)
		return;
	k = &policy->keys[policy->key_count++];
	snprintf(k->name, sizeof(k->name), "%s", y.name);
	if (y.token)
		read_token_name(entry, where, y.token, policy, k, p);
	if (y.cka_id)
		read_cka_id(y.cka_id, k);
	if (y.algorithm >= 0)
		k->alg = cs_alg_from_name(algorithms[y.algorithm]);
	if (y.hash >= 0)
		k->hash = cs_hash_from_name(hashes[y.hash]);
	if (y.format >= 0)
		k->format = cs_format_from_name(formats[y.format]);
	k->pk = read_public_key(entry, where, y.public_key, p);
	read_quorum(y.quorum, where, &k->quorum, p);
	k->not_before = y.not_before;
	k->not_after = y.not_after;
	k->max_uses = y.max_uses;
	k->max_wait = y.max_wait;
	k->disabled = y.disabled;
	k->imported = y.imported;
}

static void read_approval_key(const struct cs_yaml *entry, const char *where,
			      struct cs_approver *approver, struct cs_problems *p)
{
	struct approval_key_yaml y = { 0 };
	struct cs_approval_key *key = &approver->keys[approver->key_count++];
	char what[WHERE_MAX + 16];

	cs_yaml_read(entry, where, approval_key_fields, COUNT(approval_key_fields), &y, p);
	key->pk = read_public_key(entry, where, y.public_key, p);
	cs_buf_init(&key->enrolment, CS_ENVELOPE_MAX);
	snprintf(what, sizeof(what), "%s.enrolment", where);
	if (!read_base64(cs_where_field(entry, "enrolment"), what, y.enrolment, &key->enrolment, p))
		cs_buf_reset(&key->enrolment);
}

static void read_approver(const struct cs_yaml *entry, const char *where, struct cs_policy *policy,
			  struct cs_problems *p)
{
	struct approver_yaml y = { 0 };
	struct cs_approver *a;
	size_t count;

	cs_yaml_read(entry, where, approver_fields, COUNT(approver_fields), &y, p);
	if (!y.person)
		return;
	a = &policy->approvers[policy->approver_count++];
	snprintf(a->person, sizeof(a->person), "%s", y.person);
	snprintf(a->group, sizeof(a->group), "%s", y.group ? y.group : "");
	count = list_count(y.keys, CS_APPROVAL_KEYS_MAX);
	for (size_t i = 0; i < count; i++) {
		char at[WHERE_MAX];

		snprintf(at, sizeof(at), "%s.keys[%zu]", where, i);
		read_approval_key(y.keys->children[i], at, a, p);
	}
}

typedef void (*read_entry)(const struct cs_yaml *entry, const char *where, struct cs_policy *policy,
			   struct cs_problems *p);

static void read_list(const struct cs_yaml *list, const char *name, size_t count, read_entry read,
		      struct cs_policy *policy, struct cs_problems *p)
{
	for (size_t i = 0; i < count; i++) {
		char where[WHERE_MAX / 2];

		snprintf(where, sizeof(where), "%s[%zu]", name, i);
		read(list->children[i], where, policy, p);
	}
}

/** Everything that could be read, unsealed and in the order of the file. NULL without memory. */
static struct cs_policy *read_file(const struct cs_yaml *root, struct cs_problems *p)
{
	struct file_yaml y = { 0 };
	struct cs_policy *policy = cs_policy_new();
	size_t tokens, keys, approvers;

	cs_yaml_read(root, "", file_fields, COUNT(file_fields), &y, p);
	tokens = list_count(y.tokens, CS_TOKENS_MAX);
	keys = list_count(y.keys, CS_KEYS_MAX);
	approvers = list_count(y.approvers, CS_APPROVERS_MAX);
	if (policy) {
		policy->tokens = calloc(tokens + 1, sizeof(*policy->tokens));
		policy->keys = calloc(keys + 1, sizeof(*policy->keys));
		policy->approvers = calloc(approvers + 1, sizeof(*policy->approvers));
	}
	if (!policy || !policy->tokens || !policy->keys || !policy->approvers) {
		cs_problem_add(p, 0, 0, "out of memory");
		cs_policy_unref(policy);
		return NULL;
	}
	snprintf(policy->instance, sizeof(policy->instance), "%s", y.instance ? y.instance : "");
	policy->version = y.version;
	read_list(y.tokens, "tokens", tokens, read_token, policy, p);
	read_list(y.keys, "keys", keys, read_key, policy, p);
	read_list(y.approvers, "approvers", approvers, read_approver, policy, p);
	return policy;
}

struct cs_policy *cs_policy_load(struct cs_bytes yaml, struct cs_problems *p)
{
	size_t before = p->count;
	struct cs_yaml *root = cs_yaml_parse(yaml, p);
	struct cs_policy *policy = NULL;
	struct cs_err e = { 0 };

	if (root)
		policy = read_file(root, p);
	if (policy)
		cs_policy_check(policy, root, p);
	if (policy && p->count == before && cs_policy_seal(policy, &e) != CS_OK)
		cs_problem_add(p, 0, 0, "%s", e.msg);
	if (p->count != before) {
		cs_policy_unref(policy);
		policy = NULL;
	}
	cs_yaml_free(root);
	return policy;
}
