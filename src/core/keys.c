/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys as others may know them. Agents see the ones they may use; "no such key" and "not yours"
 * look alike.
 */
#include "core/internal.h"

static void write_quorum(struct cs_jw *w, const struct cs_quorum_list *q)
{
	cs_jw_array(w, "quorum");
	for (size_t i = 0; i < q->count; i++) {
		cs_jw_object(w, NULL);
		cs_jw_int(w, "count", q->lines[i].count);
		cs_jw_str(w, "group", q->lines[i].group);
		cs_jw_end_object(w);
	}
	cs_jw_end_array(w);
}

static void write_key(struct cs_jw *w, const struct cs_policy *policy, const struct cs_key *key)
{
	const struct cs_token *token = &policy->tokens[key->token];
	char time[CS_TIME_TEXT];
	struct cs_buf pem;

	cs_buf_init(&pem, 2 * CS_SPKI_MAX);
	cs_pk_to_pem(key->pk, &pem);
	cs_jw_object(w, NULL);
	cs_jw_str(w, "algorithm", cs_alg_name(key->alg));
	cs_jw_bool(w, "disabled", key->disabled);
	cs_jw_str(w, "environment", cs_env_name(key->environment));
	cs_jw_str(w, "format", cs_format_name(key->format));
	cs_jw_str(w, "hash", cs_hash_name(key->hash));
	cs_jw_bool(w, "imported", key->imported);
	if (key->max_uses > 0)
		cs_jw_int(w, "max_uses", key->max_uses);
	cs_jw_int(w, "max_wait", key->max_wait);
	cs_jw_str(w, "name", key->name);
	if (key->not_after != INT64_MAX) {
		cs_time_text(key->not_after, time);
		cs_jw_str(w, "not_after", time);
	}
	if (key->not_before != 0) {
		cs_time_text(key->not_before, time);
		cs_jw_str(w, "not_before", time);
	}
	cs_jw_str(w, "public_key", cs_buf_str(&pem));
	write_quorum(w, &key->quorum);
	cs_jw_bool(w, "software_token", token->software_token);
	cs_jw_hex(w, "spki_sha256", cs_pk_spki_sha256(key->pk)->b, CS_SHA256_LEN);
	cs_jw_str(w, "token", token->name);
	cs_jw_end_object(w);
	cs_buf_done(&pem);
}

static bool may_see(const struct cs_principal *who, const struct cs_key *key)
{
	return who->role != CS_ROLE_AGENT || cs_principal_may_use(who, key->name);
}

enum cs_rc cs_core_keys(struct cs_core *c, const struct cs_caller *who, struct cs_answer *a,
			struct cs_err *e)
{
	struct cs_policy *policy = cs_core_policy_get(c);
	struct cs_jw w;

	cs_jw_init(&w, &a->body);
	cs_jw_object(&w, NULL);
	cs_jw_array(&w, "keys");
	for (size_t i = 0; i < policy->key_count; i++)
		if (may_see(who->principal, &policy->keys[i]))
			write_key(&w, policy, &policy->keys[i]);
	cs_jw_end_array(&w);
	cs_jw_end_object(&w);
	cs_policy_unref(policy);
	return cs_buf_ok(&a->body, "answer", e);
}

enum cs_rc cs_core_key(struct cs_core *c, const struct cs_caller *who, const char *name,
		       struct cs_answer *a, struct cs_err *e)
{
	struct cs_policy *policy = cs_core_policy_get(c);
	const struct cs_key *key = cs_policy_key(policy, name);
	struct cs_jw w;
	enum cs_rc rc;

	if (key && may_see(who->principal, key)) {
		cs_jw_init(&w, &a->body);
		write_key(&w, policy, key);
		rc = cs_buf_ok(&a->body, "answer", e);
	} else {
		rc = CS_FAIL(e, CS_E_NOT_FOUND, "no such key, or not yours");
	}
	cs_policy_unref(policy);
	return rc;
}
