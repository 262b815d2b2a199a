/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts that several documents share: quorum lists, digests, release and build.
 * Each has its writer beside its reader, and they must stay inverse to each other.
 * See docs/PROTOCOL.decision.
 */
#include <assert.h>
#include <string.h>

#include "model/field.h"

void cs_quorum_list_write(struct cs_jw *w, const char *key, const struct cs_quorum_list *q)
{
	cs_jw_array(w, key);
	for (size_t i = 0; i < q->count; i++) {
		cs_jw_object(w, NULL);
		cs_jw_int(w, "count", q->lines[i].count);
		cs_jw_str(w, "group", q->lines[i].group);
		cs_jw_end_object(w);
	}
	cs_jw_end_array(w);
}

enum cs_rc cs_quorum_list_read(const struct cs_json *array, const char *path,
			       struct cs_quorum_list *out, struct cs_err *e)
{
	size_t count = cs_json_size(array);

	assert(count <= CS_QUORUM_LINES_MAX); /* the array's field limits it */
	for (size_t i = 0; i < count; i++) {
		struct cs_quorum_line *line = &out->lines[i];
		struct cs_path at = cs_path_at(path, i);
		const char *group = NULL;
		const struct cs_json_field fields[] = {
			CS_JSON_INT_FIELD("count", false, 1, CS_QUORUM_COUNT_MAX, &line->count),
			CS_FIELD_NAME("group", &group),
		};
		enum cs_rc rc = cs_json_read(cs_json_at(array, i), at.text, fields,
					     CS_COUNT(fields), e);

		if (!rc)
			rc = cs_field_ascending(i > 0 ? out->lines[i - 1].group : NULL, group,
						at.text, e);
		if (rc)
			return rc;
		cs_field_copy(line->group, sizeof(line->group), group);
	}
	out->count = count;
	return CS_OK;
}

enum cs_rc cs_quorum_list_merge(struct cs_quorum_list *dst, const struct cs_quorum_list *src,
				struct cs_err *e)
{
	struct cs_quorum_list merged = { 0 };
	size_t a = 0, b = 0;

	while (a < dst->count || b < src->count) {
		int order;

		if (a == dst->count)
			order = 1;
		else if (b == src->count)
			order = -1;
		else
			order = strcmp(dst->lines[a].group, src->lines[b].group);
		if (merged.count == CS_QUORUM_LINES_MAX)
			return CS_FAIL(
				e, CS_E_INVALID,
				"quorum: more than %d groups together; submit the artifacts in separate requests",
				CS_QUORUM_LINES_MAX);
		merged.lines[merged.count] = order <= 0 ? dst->lines[a] : src->lines[b];
		if (order == 0 && src->lines[b].count > dst->lines[a].count)
			merged.lines[merged.count].count = src->lines[b].count;
		merged.count++;
		a += order <= 0;
		b += order >= 0;
	}
	*dst = merged;
	return CS_OK;
}

int64_t cs_quorum_list_total(const struct cs_quorum_list *q)
{
	int64_t total = 0;

	for (size_t i = 0; i < q->count; i++)
		total += q->lines[i].count;
	return total;
}

void cs_digest_write(struct cs_jw *w, const char *key, const struct cs_digest *d)
{
	cs_jw_object(w, key);
	cs_jw_str(w, "algorithm", cs_hash_name(d->hash));
	cs_jw_hex(w, "value", d->value, cs_hash_len(d->hash));
	cs_jw_end_object(w);
}

enum cs_rc cs_digest_read(const struct cs_json *object, const char *path, struct cs_digest *out,
			  struct cs_err *e)
{
	const char *algorithm = NULL, *value = NULL;
	const struct cs_json_field fields[] = {
		CS_FIELD_WORD("algorithm", &algorithm),
		CS_JSON_STR_FIELD("value", false, CS_TEXT_ANY, 1, 2 * CS_HASH_MAX_LEN, &value),
	};
	struct cs_path at = cs_path_of(path, "digest");
	enum cs_rc rc = cs_json_read(object, at.text, fields, CS_COUNT(fields), e);
	size_t len;

	if (rc)
		return rc;
	out->hash = cs_hash_from_name(algorithm);
	if (out->hash == CS_HASH_NONE)
		return cs_field_bad_word(cs_path_of(at.text, "algorithm").text, algorithm,
					 CS_HASH_WORDS, e);
	len = cs_hash_len(out->hash);
	if (!cs_hex_decode(value, out->value, len))
		return CS_FAIL(
			e, CS_E_INVALID,
			"%s.value: must be %zu lower-case hexadecimal digits for %s, not %zu",
			at.text, 2 * len, algorithm, strlen(value));
	return CS_OK;
}

enum cs_rc cs_artifact_name_is_new(const struct cs_artifact *a, size_t i, struct cs_err *e)
{
	for (size_t j = 0; j < i; j++) {
		if (strcmp(a[j].name, a[i].name) == 0)
			return CS_FAIL(
				e, CS_E_INVALID,
				"artifacts[%zu].name: \"%s\" is the name of artifacts[%zu] already",
				i, a[i].name, j);
	}
	return CS_OK;
}

/* Optional free text: an absent member is "" in memory, and "" is never written. */
static void write_text(struct cs_jw *w, const char *key, const char *text)
{
	if (text[0])
		cs_jw_str(w, key, text);
}

static enum cs_rc not_empty(const struct cs_json *object, const char *path, struct cs_err *e)
{
	if (cs_json_size(object) == 0)
		return CS_FAIL(e, CS_E_INVALID, "%s: is empty; leave it out", path);
	return CS_OK;
}

#define TEXT_FIELD(n, p) CS_JSON_STR_FIELD(n, true, CS_TEXT_FREE, 1, CS_TEXT_MAX, p)

void cs_release_write(struct cs_jw *w, const char *key, const struct cs_release *r)
{
	if (!r->component[0] && !r->product[0] && !r->version[0] && r->security_version < 0)
		return;
	cs_jw_object(w, key);
	write_text(w, "component", r->component);
	write_text(w, "product", r->product);
	if (r->security_version >= 0)
		cs_jw_int(w, "security_version", r->security_version);
	write_text(w, "version", r->version);
	cs_jw_end_object(w);
}

enum cs_rc cs_release_read(const struct cs_json *object, const char *path, struct cs_release *out,
			   struct cs_err *e)
{
	const char *component = NULL, *product = NULL, *version = NULL;
	const struct cs_json_field fields[] = {
		TEXT_FIELD("component", &component),
		TEXT_FIELD("product", &product),
		CS_JSON_INT_FIELD("security_version", true, 0, CS_JCS_INT_MAX,
				  &out->security_version),
		TEXT_FIELD("version", &version),
	};
	enum cs_rc rc;

	out->security_version = -1;
	if (!object)
		return CS_OK;
	rc = cs_json_read(object, path, fields, CS_COUNT(fields), e);
	if (!rc)
		rc = not_empty(object, path, e);
	if (rc)
		return rc;
	cs_field_copy(out->component, sizeof(out->component), component);
	cs_field_copy(out->product, sizeof(out->product), product);
	cs_field_copy(out->version, sizeof(out->version), version);
	return CS_OK;
}

void cs_build_write(struct cs_jw *w, const char *key, const struct cs_build *b)
{
	if (!b->commit[0] && !b->pipeline[0] && !b->repository[0])
		return;
	cs_jw_object(w, key);
	write_text(w, "commit", b->commit);
	write_text(w, "pipeline", b->pipeline);
	write_text(w, "repository", b->repository);
	cs_jw_end_object(w);
}

enum cs_rc cs_build_read(const struct cs_json *object, const char *path, struct cs_build *out,
			 struct cs_err *e)
{
	const char *commit = NULL, *pipeline = NULL, *repository = NULL;
	const struct cs_json_field fields[] = {
		TEXT_FIELD("commit", &commit),
		TEXT_FIELD("pipeline", &pipeline),
		TEXT_FIELD("repository", &repository),
	};
	enum cs_rc rc;

	if (!object)
		return CS_OK;
	rc = cs_json_read(object, path, fields, CS_COUNT(fields), e);
	if (!rc)
		rc = not_empty(object, path, e);
	if (rc)
		return rc;
	cs_field_copy(out->commit, sizeof(out->commit), commit);
	cs_field_copy(out->pipeline, sizeof(out->pipeline), pipeline);
	cs_field_copy(out->repository, sizeof(out->repository), repository);
	return CS_OK;
}
