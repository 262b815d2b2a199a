/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an agent submits: parsing the body, and the two hashes by which submissions are compared.
 * Knows no policy: whether the key exists and may be used is judged elsewhere.
 * See docs/PROTOCOL.decision, "Submission".
 */
#include <string.h>

#include "model/field.h"

static enum cs_rc read_artifact(const struct cs_json *object, const char *path,
				struct cs_artifact *out, struct cs_err *e)
{
	const char *name = NULL, *key = NULL, *format = NULL;
	const struct cs_json *digest = NULL;
	const struct cs_json_field fields[] = {
		CS_JSON_OBJECT_FIELD("digest", false, &digest),
		CS_JSON_STR_FIELD("format", true, CS_TEXT_ANY, 1, CS_NAME_MAX, &format),
		CS_FIELD_NAME("key", &key),
		CS_FIELD_NAME("name", &name),
		CS_JSON_INT_FIELD("size", false, 1, CS_SIZE_MAX, &out->size),
	};
	enum cs_rc rc = cs_json_read(object, path, fields, CS_COUNT(fields), e);

	if (!rc)
		rc = cs_digest_read(digest, path, &out->digest, e);
	if (rc)
		return rc;
	out->format = cs_format_from_name(format);
	if (format && out->format == CS_FORMAT_NONE)
		return cs_field_bad_word(cs_path_of(path, "format").text, format, CS_FORMAT_WORDS,
					 e);
	cs_field_copy(out->name, sizeof(out->name), name);
	cs_field_copy(out->key, sizeof(out->key), key);
	return CS_OK;
}

static enum cs_rc read_artifacts(const struct cs_json *array, struct cs_submission *s,
				 struct cs_err *e)
{
	size_t count = cs_json_size(array);

	for (size_t i = 0; i < count; i++) {
		struct cs_path at = cs_path_at("artifacts", i);
		enum cs_rc rc = read_artifact(cs_json_at(array, i), at.text, &s->artifacts[i], e);

		if (!rc)
			rc = cs_artifact_name_is_new(s->artifacts, i, e);
		if (rc)
			return rc;
	}
	s->count = count;
	return CS_OK;
}

enum cs_rc cs_submission_parse(struct cs_bytes body, struct cs_submission *out, struct cs_err *e)
{
	struct cs_submission s = { 0 };
	const struct cs_json *artifacts = NULL, *release = NULL, *build = NULL;
	struct cs_json *root = NULL;
	const char *comment = NULL;
	const struct cs_json_field fields[] = {
		CS_JSON_ARRAY_FIELD("artifacts", false, 1, CS_ARTIFACTS_MAX, &artifacts),
		CS_JSON_OBJECT_FIELD("build", true, &build),
		CS_JSON_STR_FIELD("comment", true, CS_TEXT_FREE, 1, CS_COMMENT_MAX, &comment),
		CS_JSON_OBJECT_FIELD("release", true, &release),
	};
	enum cs_rc rc;

	rc = cs_json_parse(body, CS_BODY_MAX, "request body", &root, e);
	if (!rc)
		rc = cs_json_read(root, "", fields, CS_COUNT(fields), e);
	if (!rc)
		rc = read_artifacts(artifacts, &s, e);
	if (!rc)
		rc = cs_build_read(build, "build", &s.build, e);
	if (!rc)
		rc = cs_release_read(release, "release", &s.release, e);
	if (rc)
		goto out;
	cs_field_copy(s.comment, sizeof(s.comment), comment);
	*out = s;
out:
	cs_json_free(root);
	return rc;
}

static void write_artifacts(struct cs_jw *w, const struct cs_submission *s)
{
	cs_jw_array(w, "artifacts");
	for (size_t i = 0; i < s->count; i++) {
		const struct cs_artifact *a = &s->artifacts[i];

		cs_jw_object(w, NULL);
		cs_digest_write(w, "digest", &a->digest);
		if (a->format != CS_FORMAT_NONE)
			cs_jw_str(w, "format", cs_format_name(a->format));
		cs_jw_str(w, "key", a->key);
		cs_jw_str(w, "name", a->name);
		cs_jw_int(w, "size", a->size);
		cs_jw_end_object(w);
	}
	cs_jw_end_array(w);
}

/* Hash a canonical form and let go of it. */
static enum cs_rc hash_form(struct cs_buf *form, struct cs_sha256 *out, struct cs_err *e)
{
	enum cs_rc rc = cs_buf_ok(form, "canonical form of the submission", e);

	if (!rc)
		*out = cs_sha256(cs_buf_bytes(form));
	cs_buf_done(form);
	return rc;
}

enum cs_rc cs_submission_fingerprint(const struct cs_submission *s, struct cs_sha256 *out,
				     struct cs_err *e)
{
	struct cs_buf form;
	struct cs_jw w;

	cs_buf_init(&form, CS_BODY_MAX);
	cs_jw_init(&w, &form);
	cs_jw_object(&w, NULL);
	write_artifacts(&w, s);
	cs_build_write(&w, "build", &s->build);
	if (s->comment[0])
		cs_jw_str(&w, "comment", s->comment);
	cs_release_write(&w, "release", &s->release);
	cs_jw_end_object(&w);
	return hash_form(&form, out, e);
}

enum cs_rc cs_submission_equality(const struct cs_submission *s, struct cs_sha256 *out,
				  struct cs_err *e)
{
	struct cs_buf form;
	struct cs_jw w;

	cs_buf_init(&form, CS_BODY_MAX);
	cs_jw_init(&w, &form);
	cs_jw_object(&w, NULL);
	write_artifacts(&w, s);
	cs_jw_str(&w, "commit", s->build.commit);
	cs_release_write(&w, "release", &s->release);
	cs_jw_end_object(&w);
	return hash_form(&form, out, e);
}
