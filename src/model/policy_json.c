/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The canonical bytes of the resolved policy: writer and parser, inverse to each other.
 * Structure only: types, limits, order, keys that parse. Whether the policy is a good one is
 * policy/'s to say. See docs/PROTOCOL.decision, "Resolved policy".
 */
#include <stdlib.h>
#include <string.h>

#include "model/field.h"
#include "model/policy.h"

static void write_approver(struct cs_jw *w, const struct cs_approver *a)
{
	cs_jw_object(w, NULL);
	cs_jw_str(w, "group", a->group);
	cs_jw_array(w, "keys");
	for (size_t i = 0; i < a->key_count; i++) {
		const struct cs_approval_key *k = &a->keys[i];

		cs_jw_object(w, NULL);
		cs_jw_str(w, "algorithm", cs_alg_name(cs_pk_alg(k->pk)));
		cs_jw_base64(w, "enrolment", cs_buf_bytes(&k->enrolment));
		cs_jw_base64(w, "spki", cs_pk_spki(k->pk));
		cs_jw_end_object(w);
	}
	cs_jw_end_array(w);
	cs_jw_str(w, "person", a->person);
	cs_jw_end_object(w);
}

static void write_key(struct cs_jw *w, const struct cs_key *k, const struct cs_token *token)
{
	cs_jw_object(w, NULL);
	cs_jw_str(w, "algorithm", cs_alg_name(k->alg));
	cs_jw_hex(w, "cka_id", k->cka_id, k->cka_id_len);
	cs_jw_bool(w, "disabled", k->disabled);
	cs_jw_str(w, "environment", cs_env_name(k->environment));
	cs_jw_str(w, "format", cs_format_name(k->format));
	cs_jw_str(w, "hash", cs_hash_name(k->hash));
	cs_jw_bool(w, "imported", k->imported);
	if (k->max_uses > 0)
		cs_jw_int(w, "max_uses", k->max_uses);
	cs_jw_int(w, "max_wait", k->max_wait);
	cs_jw_str(w, "name", k->name);
	if (k->not_after != INT64_MAX)
		cs_field_write_time(w, "not_after", k->not_after);
	if (k->not_before != 0)
		cs_field_write_time(w, "not_before", k->not_before);
	cs_quorum_list_write(w, "quorum", &k->quorum);
	cs_jw_base64(w, "spki", cs_pk_spki(k->pk));
	cs_jw_str(w, "token", token->name);
	cs_jw_end_object(w);
}

static void write_token(struct cs_jw *w, const struct cs_token *t)
{
	cs_jw_object(w, NULL);
	cs_jw_str(w, "environment", cs_env_name(t->environment));
	cs_jw_str(w, "label", t->label);
	cs_jw_str(w, "name", t->name);
	cs_jw_str(w, "serial", t->serial);
	cs_jw_bool(w, "software_token", t->software_token);
	cs_jw_end_object(w);
}

void cs_policy_write(const struct cs_policy *p, struct cs_buf *out)
{
	struct cs_jw w;

	cs_jw_init(&w, out);
	cs_jw_object(&w, NULL);
	cs_jw_array(&w, "approvers");
	for (size_t i = 0; i < p->approver_count; i++)
		write_approver(&w, &p->approvers[i]);
	cs_jw_end_array(&w);
	cs_jw_str(&w, "instance", p->instance);
	cs_jw_array(&w, "keys");
	for (size_t i = 0; i < p->key_count; i++)
		write_key(&w, &p->keys[i], &p->tokens[p->keys[i].token]);
	cs_jw_end_array(&w);
	cs_jw_array(&w, "tokens");
	for (size_t i = 0; i < p->token_count; i++)
		write_token(&w, &p->tokens[i]);
	cs_jw_end_array(&w);
	cs_jw_str(&w, "type", CS_POLICY_TYPE);
	cs_jw_int(&w, "v", 1);
	cs_jw_int(&w, "version", p->version);
	cs_jw_end_object(&w);
}

/* Storage for the elements of an array, zeroed; never of size 0, so NULL means no memory. */
static void *new_elements(const struct cs_json *array, size_t size)
{
	return calloc(cs_json_size(array) + 1, size);
}

static enum cs_rc read_spki(const char *base64, const char *algorithm, const char *path,
			    struct cs_pk **pkp, struct cs_err *e)
{
	enum cs_alg alg = cs_alg_from_name(algorithm);
	struct cs_pk *pk = NULL;
	struct cs_buf der;
	enum cs_rc rc;

	if (alg == CS_ALG_NONE)
		return cs_field_bad_word(cs_path_of(path, "algorithm").text, algorithm,
					 CS_ALG_WORDS, e);
	cs_buf_init(&der, CS_SPKI_MAX);
	rc = cs_base64_decode(base64, strlen(base64), &der, cs_path_of(path, "spki").text, e);
	if (rc)
		goto out;
	rc = cs_pk_from_spki(cs_buf_bytes(&der), &pk, e);
	if (rc) {
		cs_err_prefix(e, "%s.spki", path);
		goto out;
	}
	if (cs_pk_alg(pk) != alg) {
		rc = CS_FAIL(e, CS_E_INVALID, "%s.algorithm: %s, but the key is %s", path,
			     algorithm, cs_alg_name(cs_pk_alg(pk)));
		goto out;
	}
	*pkp = pk;
	pk = NULL; /* transferred */
out:
	cs_pk_free(pk);
	cs_buf_done(&der);
	return rc;
}

static enum cs_rc read_token(const struct cs_json *object, const char *path, struct cs_token *out,
			     struct cs_err *e)
{
	const char *environment = NULL, *label = NULL, *name = NULL, *serial = NULL;
	const struct cs_json_field fields[] = {
		CS_FIELD_WORD("environment", &environment),
		CS_JSON_STR_FIELD("label", false, CS_TEXT_FREE, 1, CS_NAME_MAX, &label),
		CS_FIELD_NAME("name", &name),
		CS_FIELD_NAME("serial", &serial),
		CS_JSON_BOOL_FIELD("software_token", false, &out->software_token),
	};
	enum cs_rc rc = cs_json_read(object, path, fields, CS_COUNT(fields), e);

	if (rc)
		return rc;
	out->environment = cs_env_from_name(environment);
	if (out->environment == CS_ENV_NONE)
		return cs_field_bad_word(cs_path_of(path, "environment").text, environment,
					 CS_ENV_WORDS, e);
	cs_field_copy(out->label, sizeof(out->label), label);
	cs_field_copy(out->name, sizeof(out->name), name);
	cs_field_copy(out->serial, sizeof(out->serial), serial);
	return CS_OK;
}

/* The strings of a key's entry, borrowed from the document. */
struct key_text {
	const char *algorithm, *cka_id, *environment, *format, *hash, *name, *not_after,
		*not_before, *spki, *token;
	const struct cs_json *quorum;
};

static enum cs_rc read_key_lifetime(const struct key_text *t, const char *path, struct cs_key *out,
				    struct cs_err *e)
{
	enum cs_rc rc = CS_OK;

	out->not_before = 0;
	out->not_after = INT64_MAX;
	if (t->not_before)
		rc = cs_field_time(t->not_before, cs_path_of(path, "not_before").text,
				   &out->not_before, e);
	if (!rc && t->not_after)
		rc = cs_field_time(t->not_after, cs_path_of(path, "not_after").text,
				   &out->not_after, e);
	return rc;
}

static enum cs_rc read_key_words(const struct key_text *t, const char *path,
				 const struct cs_policy *p, struct cs_key *out, struct cs_err *e)
{
	const struct cs_token *token = cs_policy_token(p, t->token);

	if (!token)
		return CS_FAIL(e, CS_E_INVALID, "%s.token: \"%s\" is not among tokens", path,
			       t->token);
	out->token = (size_t)(token - p->tokens);
	out->environment = cs_env_from_name(t->environment);
	if (out->environment != token->environment)
		return CS_FAIL(e, CS_E_INVALID,
			       "%s.environment: \"%s\", but token \"%s\" is for %s", path,
			       t->environment, token->name, cs_env_name(token->environment));
	out->format = cs_format_from_name(t->format);
	if (out->format == CS_FORMAT_NONE)
		return cs_field_bad_word(cs_path_of(path, "format").text, t->format,
					 CS_FORMAT_WORDS, e);
	out->hash = cs_hash_from_name(t->hash);
	if (out->hash == CS_HASH_NONE)
		return cs_field_bad_word(cs_path_of(path, "hash").text, t->hash, CS_HASH_WORDS, e);
	out->cka_id_len = strlen(t->cka_id) / 2;
	if (!cs_hex_decode(t->cka_id, out->cka_id, out->cka_id_len))
		return CS_FAIL(e, CS_E_INVALID,
			       "%s.cka_id: must be 1 to %d bytes as lower-case hexadecimal digits",
			       path, CS_CKA_ID_MAX);
	return CS_OK;
}

static enum cs_rc read_key(const struct cs_json *object, const char *path,
			   const struct cs_policy *p, struct cs_key *out, struct cs_err *e)
{
	struct key_text t = { 0 };
	const struct cs_json_field fields[] = {
		CS_FIELD_WORD("algorithm", &t.algorithm),
		CS_JSON_STR_FIELD("cka_id", false, CS_TEXT_ANY, 2, 2 * CS_CKA_ID_MAX, &t.cka_id),
		CS_JSON_BOOL_FIELD("disabled", false, &out->disabled),
		CS_FIELD_WORD("environment", &t.environment),
		CS_FIELD_WORD("format", &t.format),
		CS_FIELD_WORD("hash", &t.hash),
		CS_JSON_BOOL_FIELD("imported", false, &out->imported),
		CS_JSON_INT_FIELD("max_uses", true, 1, CS_MAX_USES_MAX, &out->max_uses),
		CS_JSON_INT_FIELD("max_wait", false, 1, CS_MAX_WAIT_MAX, &out->max_wait),
		CS_FIELD_NAME("name", &t.name),
		CS_JSON_STR_FIELD("not_after", true, CS_TEXT_ANY, 1, CS_NAME_MAX, &t.not_after),
		CS_JSON_STR_FIELD("not_before", true, CS_TEXT_ANY, 1, CS_NAME_MAX, &t.not_before),
		CS_JSON_ARRAY_FIELD("quorum", false, 0, CS_QUORUM_LINES_MAX, &t.quorum),
		CS_JSON_STR_FIELD("spki", false, CS_TEXT_ANY, 1, 2 * CS_SPKI_MAX, &t.spki),
		CS_FIELD_NAME("token", &t.token),
	};
	enum cs_rc rc = cs_json_read(object, path, fields, CS_COUNT(fields), e);

	if (!rc)
		rc = read_key_lifetime(&t, path, out, e);
	if (!rc)
		rc = read_key_words(&t, path, p, out, e);
	if (!rc)
		rc = cs_quorum_list_read(t.quorum, cs_path_of(path, "quorum").text, &out->quorum,
					 e);
	if (!rc)
		rc = read_spki(t.spki, t.algorithm, path, &out->pk, e);
	if (rc)
		return rc;
	out->alg = cs_pk_alg(out->pk);
	cs_field_copy(out->name, sizeof(out->name), t.name);
	return CS_OK;
}

static enum cs_rc read_approval_key(const struct cs_json *object, const char *path,
				    struct cs_approval_key *out, struct cs_err *e)
{
	const char *algorithm = NULL, *enrolment = NULL, *spki = NULL;
	const struct cs_json_field fields[] = {
		CS_FIELD_WORD("algorithm", &algorithm),
		CS_JSON_STR_FIELD("enrolment", false, CS_TEXT_ANY, 1, 2 * CS_ENVELOPE_MAX,
				  &enrolment),
		CS_JSON_STR_FIELD("spki", false, CS_TEXT_ANY, 1, 2 * CS_SPKI_MAX, &spki),
	};
	enum cs_rc rc = cs_json_read(object, path, fields, CS_COUNT(fields), e);

	if (rc)
		return rc;
	cs_buf_init(&out->enrolment, CS_ENVELOPE_MAX);
	rc = cs_base64_decode(enrolment, strlen(enrolment), &out->enrolment,
			      cs_path_of(path, "enrolment").text, e);
	if (!rc)
		rc = read_spki(spki, algorithm, path, &out->pk, e);
	return rc;
}

static enum cs_rc read_approver(const struct cs_json *object, const char *path,
				struct cs_approver *out, struct cs_err *e)
{
	const char *group = NULL, *person = NULL;
	const struct cs_json *keys = NULL;
	const struct cs_json_field fields[] = {
		CS_FIELD_NAME("group", &group),
		CS_JSON_ARRAY_FIELD("keys", false, 1, CS_APPROVAL_KEYS_MAX, &keys),
		CS_FIELD_NAME("person", &person),
	};
	struct cs_path keys_path = cs_path_of(path, "keys");
	enum cs_rc rc = cs_json_read(object, path, fields, CS_COUNT(fields), e);

	for (size_t i = 0; !rc && i < cs_json_size(keys); i++) {
		struct cs_path at = cs_path_at(keys_path.text, i);

		rc = read_approval_key(cs_json_at(keys, i), at.text, &out->keys[i], e);
		if (!rc && i > 0 &&
		    memcmp(cs_pk_spki_sha256(out->keys[i - 1].pk)->b,
			   cs_pk_spki_sha256(out->keys[i].pk)->b, CS_SHA256_LEN) >= 0)
			rc = CS_FAIL(e, CS_E_INVALID,
				     "%s: keys must be unique and ascending by the SHA-256 of spki",
				     at.text);
	}
	if (rc)
		return rc;
	out->key_count = cs_json_size(keys);
	cs_field_copy(out->group, sizeof(out->group), group);
	cs_field_copy(out->person, sizeof(out->person), person);
	return CS_OK;
}

static enum cs_rc read_tokens(const struct cs_json *array, struct cs_policy *p, struct cs_err *e)
{
	enum cs_rc rc = CS_OK;

	p->tokens = new_elements(array, sizeof(p->tokens[0]));
	if (!p->tokens)
		return CS_FAIL(e, CS_E_NOMEM, "tokens of the policy");
	p->token_count = cs_json_size(array);
	for (size_t i = 0; !rc && i < p->token_count; i++) {
		struct cs_path at = cs_path_at("tokens", i);

		rc = read_token(cs_json_at(array, i), at.text, &p->tokens[i], e);
		if (!rc && i > 0)
			rc = cs_field_ascending(p->tokens[i - 1].name, p->tokens[i].name, at.text,
						e);
	}
	return rc;
}

static enum cs_rc read_keys(const struct cs_json *array, struct cs_policy *p, struct cs_err *e)
{
	enum cs_rc rc = CS_OK;

	p->keys = new_elements(array, sizeof(p->keys[0]));
	if (!p->keys)
		return CS_FAIL(e, CS_E_NOMEM, "keys of the policy");
	p->key_count = cs_json_size(array);
	for (size_t i = 0; !rc && i < p->key_count; i++) {
		struct cs_path at = cs_path_at("keys", i);

		rc = read_key(cs_json_at(array, i), at.text, p, &p->keys[i], e);
		if (!rc && i > 0)
			rc = cs_field_ascending(p->keys[i - 1].name, p->keys[i].name, at.text, e);
	}
	return rc;
}

static enum cs_rc read_approvers(const struct cs_json *array, struct cs_policy *p, struct cs_err *e)
{
	enum cs_rc rc = CS_OK;

	p->approvers = new_elements(array, sizeof(p->approvers[0]));
	if (!p->approvers)
		return CS_FAIL(e, CS_E_NOMEM, "approvers of the policy");
	p->approver_count = cs_json_size(array);
	for (size_t i = 0; !rc && i < p->approver_count; i++) {
		struct cs_path at = cs_path_at("approvers", i);

		rc = read_approver(cs_json_at(array, i), at.text, &p->approvers[i], e);
		if (!rc && i > 0)
			rc = cs_field_ascending(p->approvers[i - 1].person, p->approvers[i].person,
						at.text, e);
	}
	return rc;
}

static enum cs_rc read_policy(const struct cs_json *root, struct cs_policy *p, struct cs_err *e)
{
	const struct cs_json *approvers = NULL, *keys = NULL, *tokens = NULL;
	const char *instance = NULL, *type = NULL;
	int64_t v;
	const struct cs_json_field fields[] = {
		CS_JSON_ARRAY_FIELD("approvers", false, 0, CS_APPROVERS_MAX, &approvers),
		CS_FIELD_NAME("instance", &instance),
		CS_JSON_ARRAY_FIELD("keys", false, 0, CS_KEYS_MAX, &keys),
		CS_JSON_ARRAY_FIELD("tokens", false, 0, CS_TOKENS_MAX, &tokens),
		CS_FIELD_TYPE("type", &type),
		CS_JSON_INT_FIELD("v", false, 1, 1, &v),
		CS_JSON_INT_FIELD("version", false, 1, CS_JCS_INT_MAX, &p->version),
	};
	enum cs_rc rc = cs_json_read(root, "", fields, CS_COUNT(fields), e);

	if (!rc)
		rc = read_tokens(tokens, p, e); /* first: keys name them */
	if (!rc)
		rc = read_keys(keys, p, e);
	if (!rc)
		rc = read_approvers(approvers, p, e);
	if (!rc)
		cs_field_copy(p->instance, sizeof(p->instance), instance);
	return rc;
}

enum cs_rc cs_policy_parse(struct cs_bytes json, struct cs_policy **pp, struct cs_err *e)
{
	struct cs_policy *p = NULL;
	struct cs_json *root = NULL;
	enum cs_rc rc;

	p = cs_policy_new();
	if (!p) {
		rc = CS_FAIL(e, CS_E_NOMEM, "resolved policy");
		goto out;
	}
	rc = cs_jcs_parse(json, CS_POLICY_JSON_MAX, "resolved policy", &root, e);
	if (!rc)
		rc = cs_field_head(root, CS_POLICY_TYPE, e);
	if (!rc)
		rc = read_policy(root, p, e);
	if (rc)
		goto out;
	cs_buf_add(&p->json, json.data, json.len);
	rc = cs_buf_ok(&p->json, "resolved policy", e);
	if (rc)
		goto out;
	p->digest = cs_sha256(json);
	*pp = p;
	p = NULL; /* transferred */
out:
	cs_policy_unref(p);
	cs_json_free(root);
	return rc;
}
