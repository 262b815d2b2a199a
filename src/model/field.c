/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed fields of JSON objects: times, hashes, names of closed lists, sets.
 * Strict: what the writers below would not write is not accepted.
 */
#include "model/field.h"

#include <assert.h>
#include <string.h>

/* Paths are made for every object that is read, and shown for hardly any: so not by snprintf. */
static void extend_path(struct cs_path *p, const char *text, size_t len)
{
	size_t have = strlen(p->text);
	size_t room = sizeof(p->text) - 1 - have;

	if (len > room)
		len = room;
	memcpy(p->text + have, text, len);
	p->text[have + len] = '\0';
}

struct cs_path cs_path_at(const char *parent, size_t index)
{
	char digits[24]; /* of SIZE_MAX and two brackets */
	size_t at = sizeof(digits);
	struct cs_path p = { "" };

	digits[--at] = ']';
	do {
		digits[--at] = (char)('0' + index % 10);
		index /= 10;
	} while (index > 0);
	digits[--at] = '[';
	extend_path(&p, parent, strlen(parent));
	extend_path(&p, digits + at, sizeof(digits) - at);
	return p;
}

struct cs_path cs_path_of(const char *parent, const char *name)
{
	struct cs_path p = { "" };

	extend_path(&p, parent, strlen(parent));
	if (parent[0])
		extend_path(&p, ".", 1);
	extend_path(&p, name, strlen(name));
	return p;
}

void cs_field_copy(char *dst, size_t size, const char *src)
{
	size_t len = src ? strlen(src) : 0;

	assert(len < size);
	if (len > 0)
		memcpy(dst, src, len);
	dst[len] = '\0';
}

enum cs_rc cs_field_time(const char *text, const char *path, int64_t *usp, struct cs_err *e)
{
	int64_t us;

	if (!cs_time_parse(text, &us))
		return CS_FAIL(e, CS_E_INVALID,
			       "%s: \"%s\" is no time of the form 2026-01-31T12:00:00.000000Z",
			       path, text);
	*usp = us;
	return CS_OK;
}

enum cs_rc cs_field_sha256(const char *text, const char *path, struct cs_sha256 *out,
			   struct cs_err *e)
{
	if (!cs_sha256_from_hex(text, out))
		return CS_FAIL(e, CS_E_INVALID,
			       "%s: must be a SHA-256 of 64 lower-case hexadecimal digits", path);
	return CS_OK;
}

enum cs_rc cs_field_bad_word(const char *path, const char *value, const char *allowed,
			     struct cs_err *e)
{
	return CS_FAIL(e, CS_E_INVALID, "%s: \"%s\" is not known; it must be one of %s", path,
		       value, allowed);
}

enum cs_rc cs_field_head(const struct cs_json *root, const char *expected, struct cs_err *e)
{
	const char *type = cs_json_string(cs_json_get(root, "type"));
	const struct cs_json *v = cs_json_get(root, "v");

	if (!type || strcmp(type, expected) != 0)
		return CS_FAIL(e, CS_E_INVALID, "type: must be \"%s\"", expected);
	if (!v || v->kind != CS_JSON_INT || v->number < 1)
		return CS_FAIL(e, CS_E_INVALID, "v: must be 1, the version of this document");
	if (v->number > 1)
		return CS_FAIL(
			e, CS_E_VERSION,
			"v: version %lld is newer than this program, which knows 1; upgrade it",
			(long long)v->number);
	return CS_OK;
}

enum cs_rc cs_field_ascending(const char *last, const char *name, const char *path,
			      struct cs_err *e)
{
	int order = last ? strcmp(last, name) : -1;

	if (order == 0)
		return CS_FAIL(e, CS_E_INVALID, "%s: \"%s\" is there twice; remove one", path,
			       name);
	if (order > 0)
		return CS_FAIL(e, CS_E_INVALID,
			       "%s: \"%s\" must come before \"%s\": the order is ascending", path,
			       name, last);
	return CS_OK;
}

enum cs_rc cs_field_name_set(const struct cs_json *array, const char *path,
			     char (*out)[CS_NAME_MAX + 1], size_t *countp, struct cs_err *e)
{
	size_t count = cs_json_size(array);

	for (size_t i = 0; i < count; i++) {
		struct cs_path at = cs_path_at(path, i);
		const char *name = cs_json_string(cs_json_at(array, i));
		enum cs_rc rc;

		if (!name || !cs_text_is_name(name, CS_NAME_MAX))
			return CS_FAIL(e, CS_E_INVALID,
				       "%s: must be a name of 1 to %d bytes of [A-Za-z0-9._+/@:-]",
				       at.text, CS_NAME_MAX);
		rc = cs_field_ascending(i > 0 ? out[i - 1] : NULL, name, at.text, e);
		if (rc)
			return rc;
		cs_field_copy(out[i], sizeof(out[i]), name);
	}
	*countp = count;
	return CS_OK;
}

void cs_field_write_time(struct cs_jw *w, const char *key, int64_t us)
{
	char text[CS_TIME_TEXT];

	cs_time_text(us, text);
	cs_jw_str(w, key, text);
}

void cs_field_write_sha256(struct cs_jw *w, const char *key, const struct cs_sha256 *h)
{
	cs_jw_hex(w, key, h->b, sizeof(h->b));
}

void cs_field_write_names(struct cs_jw *w, const char *key, const char (*names)[CS_NAME_MAX + 1],
			  size_t count)
{
	cs_jw_array(w, key);
	for (size_t i = 0; i < count; i++)
		cs_jw_str(w, NULL, names[i]);
	cs_jw_end_array(w);
}
