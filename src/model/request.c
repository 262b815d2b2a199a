/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request document: what approvers sign. Writer and parser are inverse to each other.
 * Must stay independent of any policy: the same bytes mean the same for daemon, signer, approver
 * and auditor. See docs/PROTOCOL.decision, "Request document".
 */
#include <string.h>

#include "model/field.h"
#include "model/fits.h"

/* The parsed objects of a document, borrowed from its root. */
struct parts {
	const struct cs_json *artifacts, *build, *policy, *quorum, *release, *requester;
};

static void write_artifact(struct cs_jw *w, const struct cs_artifact *a)
{
	cs_jw_object(w, NULL);
	cs_digest_write(w, "digest", &a->digest);
	cs_jw_str(w, "format", cs_format_name(a->format));
	cs_jw_object(w, "key");
	cs_jw_str(w, "algorithm", cs_alg_name(a->key_alg));
	cs_jw_str(w, "hash", cs_hash_name(a->key_hash));
	cs_jw_str(w, "name", a->key);
	cs_field_write_sha256(w, "spki_sha256", &a->key_spki);
	cs_jw_end_object(w);
	cs_jw_str(w, "name", a->name);
	cs_jw_int(w, "size", a->size);
	cs_jw_end_object(w);
}

void cs_request_write(const struct cs_request *r, struct cs_buf *out)
{
	struct cs_jw w;

	cs_jw_init(&w, out);
	cs_jw_object(&w, NULL);
	cs_jw_array(&w, "artifacts");
	for (size_t i = 0; i < r->count; i++)
		write_artifact(&w, &r->artifacts[i]);
	cs_jw_end_array(&w);
	cs_build_write(&w, "build", &r->build);
	if (r->has_comment)
		cs_field_write_sha256(&w, "comment_sha256", &r->comment_sha256);
	cs_field_write_time(&w, "created", r->created);
	cs_jw_str(&w, "environment", cs_env_name(r->environment));
	cs_field_write_time(&w, "expires", r->expires);
	cs_jw_str(&w, "id", r->id);
	cs_jw_str(&w, "instance", r->instance);
	cs_jw_object(&w, "policy");
	cs_field_write_sha256(&w, "digest", &r->policy_digest);
	cs_jw_int(&w, "version", r->policy_version);
	cs_jw_end_object(&w);
	cs_quorum_list_write(&w, "quorum", &r->quorum);
	cs_release_write(&w, "release", &r->release);
	cs_jw_object(&w, "requester");
	cs_jw_str(&w, "method", cs_method_name(r->method));
	cs_field_write_names(&w, "persons", r->persons, r->person_count);
	cs_jw_str(&w, "principal", r->principal);
	cs_jw_end_object(&w);
	cs_jw_str(&w, "type", CS_REQUEST_TYPE);
	cs_jw_int(&w, "v", 1);
	cs_jw_end_object(&w);
}

static enum cs_rc read_key(const struct cs_json *object, const char *path, struct cs_artifact *out,
			   struct cs_err *e)
{
	const char *algorithm = NULL, *hash = NULL, *name = NULL, *spki = NULL;
	const struct cs_json_field fields[] = {
		CS_FIELD_WORD("algorithm", &algorithm),
		CS_FIELD_WORD("hash", &hash),
		CS_FIELD_NAME("name", &name),
		CS_FIELD_SHA256("spki_sha256", false, &spki),
	};
	struct cs_path at = cs_path_of(path, "key");
	enum cs_rc rc = cs_json_read(object, at.text, fields, CS_COUNT(fields), e);

	if (!rc)
		rc = cs_field_sha256(spki, cs_path_of(at.text, "spki_sha256").text, &out->key_spki,
				     e);
	if (rc)
		return rc;
	out->key_alg = cs_alg_from_name(algorithm);
	if (out->key_alg == CS_ALG_NONE)
		return cs_field_bad_word(cs_path_of(at.text, "algorithm").text, algorithm,
					 CS_ALG_WORDS, e);
	out->key_hash = cs_hash_from_name(hash);
	if (out->key_hash == CS_HASH_NONE)
		return cs_field_bad_word(cs_path_of(at.text, "hash").text, hash, CS_HASH_WORDS, e);
	cs_field_copy(out->key, sizeof(out->key), name);
	return CS_OK;
}

static enum cs_rc read_artifact(const struct cs_json *object, const char *path,
				struct cs_artifact *out, struct cs_err *e)
{
	const char *name = NULL, *format = NULL;
	const struct cs_json *digest = NULL, *key = NULL;
	const struct cs_json_field fields[] = {
		CS_JSON_OBJECT_FIELD("digest", false, &digest),
		CS_FIELD_WORD("format", &format),
		CS_JSON_OBJECT_FIELD("key", false, &key),
		CS_FIELD_NAME("name", &name),
		CS_JSON_INT_FIELD("size", false, 1, CS_SIZE_MAX, &out->size),
	};
	enum cs_rc rc = cs_json_read(object, path, fields, CS_COUNT(fields), e);

	if (!rc)
		rc = cs_digest_read(digest, path, &out->digest, e);
	if (!rc)
		rc = read_key(key, path, out, e);
	if (rc)
		return rc;
	out->format = cs_format_from_name(format);
	if (out->format == CS_FORMAT_NONE)
		return cs_field_bad_word(cs_path_of(path, "format").text, format, CS_FORMAT_WORDS,
					 e);
	if (out->digest.hash != out->key_hash)
		return CS_FAIL(e, CS_E_INVALID, "%s.digest.algorithm: %s, but the key signs %s",
			       path, cs_hash_name(out->digest.hash), cs_hash_name(out->key_hash));
	rc = cs_fits_check(out->format, out->key_alg, out->key_hash, e);
	if (rc) {
		cs_err_prefix(e, "%s", path);
		return rc;
	}
	cs_field_copy(out->name, sizeof(out->name), name);
	return CS_OK;
}

static enum cs_rc read_artifacts(const struct cs_json *array, struct cs_request *r,
				 struct cs_err *e)
{
	size_t count = cs_json_size(array);

	for (size_t i = 0; i < count; i++) {
		struct cs_path at = cs_path_at("artifacts", i);
		enum cs_rc rc = read_artifact(cs_json_at(array, i), at.text, &r->artifacts[i], e);

		if (!rc)
			rc = cs_artifact_name_is_new(r->artifacts, i, e);
		if (rc)
			return rc;
	}
	r->count = count;
	return CS_OK;
}

static enum cs_rc read_policy(const struct cs_json *object, struct cs_request *r, struct cs_err *e)
{
	const char *digest = NULL;
	const struct cs_json_field fields[] = {
		CS_FIELD_SHA256("digest", false, &digest),
		CS_JSON_INT_FIELD("version", false, 1, CS_JCS_INT_MAX, &r->policy_version),
	};
	enum cs_rc rc = cs_json_read(object, "policy", fields, CS_COUNT(fields), e);

	if (!rc)
		rc = cs_field_sha256(digest, "policy.digest", &r->policy_digest, e);
	return rc;
}

static enum cs_rc read_requester(const struct cs_json *object, struct cs_request *r,
				 struct cs_err *e)
{
	const char *method = NULL, *principal = NULL;
	const struct cs_json *persons = NULL;
	const struct cs_json_field fields[] = {
		CS_FIELD_WORD("method", &method),
		CS_JSON_ARRAY_FIELD("persons", false, 1, CS_PERSONS_MAX, &persons),
		CS_FIELD_NAME("principal", &principal),
	};
	enum cs_rc rc = cs_json_read(object, "requester", fields, CS_COUNT(fields), e);

	if (!rc)
		rc = cs_field_name_set(persons, "requester.persons", r->persons, &r->person_count,
				       e);
	if (rc)
		return rc;
	r->method = cs_method_from_name(method);
	if (r->method == CS_METHOD_NONE)
		return cs_field_bad_word("requester.method", method, "mtls", e);
	cs_field_copy(r->principal, sizeof(r->principal), principal);
	return CS_OK;
}

static enum cs_rc read_lifetime(const char *created, const char *expires, struct cs_request *r,
				struct cs_err *e)
{
	enum cs_rc rc = cs_field_time(created, "created", &r->created, e);

	if (!rc)
		rc = cs_field_time(expires, "expires", &r->expires, e);
	if (rc)
		return rc;
	if (r->expires <= r->created)
		return CS_FAIL(e, CS_E_INVALID, "expires: must be later than created");
	if (r->expires - r->created > CS_MAX_WAIT_MAX * CS_SECOND)
		return CS_FAIL(e, CS_E_INVALID, "expires: more than %d days after created",
			       CS_MAX_WAIT_MAX / 86400);
	return CS_OK;
}

/* The members of the top level that are strings; `p` takes the objects and arrays. */
static enum cs_rc read_top(const struct cs_json *root, struct parts *p, struct cs_request *r,
			   struct cs_err *e)
{
	const char *comment = NULL, *created = NULL, *environment = NULL, *expires = NULL,
		   *id = NULL;
	const char *instance = NULL, *type = NULL;
	int64_t v;
	const struct cs_json_field fields[] = {
		CS_JSON_ARRAY_FIELD("artifacts", false, 1, CS_ARTIFACTS_MAX, &p->artifacts),
		CS_JSON_OBJECT_FIELD("build", true, &p->build),
		CS_FIELD_SHA256("comment_sha256", true, &comment),
		CS_FIELD_WORD("created", &created),
		CS_FIELD_WORD("environment", &environment),
		CS_FIELD_WORD("expires", &expires),
		CS_FIELD_WORD("id", &id),
		CS_FIELD_NAME("instance", &instance),
		CS_JSON_OBJECT_FIELD("policy", false, &p->policy),
		CS_JSON_ARRAY_FIELD("quorum", false, 0, CS_QUORUM_LINES_MAX, &p->quorum),
		CS_JSON_OBJECT_FIELD("release", true, &p->release),
		CS_JSON_OBJECT_FIELD("requester", false, &p->requester),
		CS_FIELD_TYPE("type", &type),
		CS_JSON_INT_FIELD("v", false, 1, 1, &v),
	};
	enum cs_rc rc = cs_json_read(root, "", fields, CS_COUNT(fields), e);

	if (!rc && comment)
		rc = cs_field_sha256(comment, "comment_sha256", &r->comment_sha256, e);
	if (!rc)
		rc = read_lifetime(created, expires, r, e);
	if (rc)
		return rc;
	r->has_comment = comment != NULL;
	r->environment = cs_env_from_name(environment);
	if (r->environment == CS_ENV_NONE)
		return cs_field_bad_word("environment", environment, CS_ENV_WORDS, e);
	if (!cs_text_is_uuid(id))
		return CS_FAIL(e, CS_E_INVALID, "id: \"%s\" is no UUID in lower case", id);
	cs_field_copy(r->id, sizeof(r->id), id);
	cs_field_copy(r->instance, sizeof(r->instance), instance);
	return CS_OK;
}

enum cs_rc cs_request_parse(struct cs_bytes document, struct cs_request *out, struct cs_err *e)
{
	struct cs_request r = { 0 };
	struct parts p = { 0 };
	struct cs_json *root = NULL;
	enum cs_rc rc;

	rc = cs_jcs_parse(document, CS_DOCUMENT_MAX, "request document", &root, e);
	if (!rc)
		rc = cs_field_head(root, CS_REQUEST_TYPE, e);
	if (!rc)
		rc = read_top(root, &p, &r, e);
	if (!rc)
		rc = read_artifacts(p.artifacts, &r, e);
	if (!rc)
		rc = cs_build_read(p.build, "build", &r.build, e);
	if (!rc)
		rc = read_policy(p.policy, &r, e);
	if (!rc)
		rc = cs_quorum_list_read(p.quorum, "quorum", &r.quorum, e);
	if (!rc)
		rc = cs_release_read(p.release, "release", &r.release, e);
	if (!rc)
		rc = read_requester(p.requester, &r, e);
	if (!rc)
		*out = r;
	cs_json_free(root);
	return rc;
}
