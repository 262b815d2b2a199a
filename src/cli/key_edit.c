/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Edits signing.yaml where its tree says that things stand.
 * Must not give a text that means anything but "this key is disabled, the version is one higher".
 * See key_edit.h for the contract.
 */
#include "cli/key_edit.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/jcs.h"
#include "policy/load.h"

#define EDITS_MAX 3

/** Replace `len` bytes at `at`. */
struct edit {
	size_t at, len;
	char text[CS_REASON_MAX + 256];
};

struct edits {
	size_t count;
	struct edit list[EDITS_MAX];
};

/** The byte where line and column are; columns count characters. */
static size_t offset_of(struct cs_bytes yaml, size_t line, size_t column)
{
	size_t at = 0;

	for (size_t l = 1; l < line && at < yaml.len; at++)
		l += yaml.data[at] == '\n';
	for (size_t c = 1; c < column && at < yaml.len; c++)
		for (at++; at < yaml.len && (yaml.data[at] & 0xc0) == 0x80;)
			at++;
	return at;
}

static size_t end_of_line(struct cs_bytes yaml, size_t at)
{
	const uint8_t *newline = at < yaml.len ? memchr(yaml.data + at, '\n', yaml.len - at) : NULL;
	size_t end = newline ? (size_t)(newline - yaml.data) : yaml.len;

	return end > at && yaml.data[end - 1] == '\r' ? end - 1 : end;
}

/** Where a key of a map stands; false without it. */
static bool key_position(const struct cs_yaml *map, const char *key, struct cs_yaml_pos *out)
{
	for (size_t i = 0; i < map->count; i++) {
		if (strcmp(map->keys[i], key) == 0) {
			*out = map->key_pos[i];
			return true;
		}
	}
	return false;
}

static struct edit *add(struct edits *list, size_t at, size_t len)
{
	struct edit *e = &list->list[list->count++];

	*e = (struct edit){ .at = at, .len = len };
	return e;
}

static void raise_version(struct cs_bytes yaml, const struct cs_yaml *root, int64_t version,
			  const char *note, struct edits *out)
{
	const struct cs_yaml *old = cs_yaml_get(root, "version");
	struct cs_yaml_pos key = { 1, 1 };
	struct edit *e;

	(void)key_position(root, "version", &key);
	if (note[0]) {
		/* a comment of its own, at the left margin: right in every layout */
		e = add(out, offset_of(yaml, key.line, 1), 0);
		snprintf(e->text, sizeof(e->text), "# %s\n", note);
	}
	e = add(out, offset_of(yaml, old->line, old->column), strlen(old->scalar));
	snprintf(e->text, sizeof(e->text), "%" PRId64, version);
}

/** The ways to say it, tried in turn: the first that means what it should is taken. */
enum way {
	IN_PLACE, /* "disabled: false" becomes true */
	OWN_LINE, /* a line behind that of the name */
	IN_FLOW,  /* { disabled: true, name: ... */
	WAYS
};

/** False when this way is not open here. */
static bool disable(struct cs_bytes yaml, const struct cs_yaml *entry, enum way way,
		    struct edits *out)
{
	const struct cs_yaml *flag = cs_yaml_get(entry, "disabled");
	const struct cs_yaml *name = cs_yaml_get(entry, "name");
	static const char indent[] = "                                ";
	struct cs_yaml_pos key;
	struct edit *e;

	if (!name || !key_position(entry, "name", &key) || (way == IN_PLACE) != (flag != NULL))
		return false;
	switch (way) {
	case IN_PLACE:
		if (flag->kind != CS_YAML_SCALAR)
			return false;
		e = add(out, offset_of(yaml, flag->line, flag->column), strlen(flag->scalar));
		snprintf(e->text, sizeof(e->text), "true");
		return true;
	case OWN_LINE:
		if (key.column >= sizeof(indent))
			return false;
		e = add(out, end_of_line(yaml, offset_of(yaml, name->line, name->column)), 0);
		snprintf(e->text, sizeof(e->text), "\n%.*sdisabled: true", (int)key.column - 1,
			 indent);
		return true;
	case IN_FLOW:
		e = add(out, offset_of(yaml, key.line, key.column), 0);
		snprintf(e->text, sizeof(e->text), "disabled: true, ");
		return true;
	case WAYS: break;
	}
	return false;
}

static int by_place(const void *a, const void *b)
{
	const struct edit *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

static void apply(struct cs_bytes yaml, struct edits *list, struct cs_buf *out)
{
	size_t at = 0;

	qsort(list->list, list->count, sizeof(list->list[0]), by_place);
	cs_buf_reset(out);
	for (size_t i = 0; i < list->count; i++) {
		const struct edit *e = &list->list[i];

		if (e->at < at || e->at + e->len > yaml.len)
			return; /* cannot be: it will not mean what it should */
		cs_buf_add(out, yaml.data + at, e->at - at);
		cs_buf_add_str(out, e->text);
		at = e->at + e->len;
	}
	cs_buf_add(out, yaml.data + at, yaml.len - at);
}

/** What the edited file must resolve to. */
static enum cs_rc write_wanted(struct cs_bytes yaml, const char *name, struct cs_buf *out,
			       struct cs_err *e)
{
	struct cs_problems p;
	struct cs_policy *policy;
	enum cs_rc rc;

	cs_problems_init(&p, "");
	policy = cs_policy_load(yaml, &p); /* one of our own, to be changed */
	rc = policy ? CS_OK : CS_FAIL(e, CS_E_NOMEM, "the policy");
	for (size_t i = 0; policy && i < policy->key_count; i++)
		if (strcmp(policy->keys[i].name, name) == 0)
			policy->keys[i].disabled = true;
	if (policy) {
		policy->version++;
		cs_policy_write(policy, out);
		rc = cs_buf_ok(out, "the policy", e);
	}
	cs_policy_unref(policy);
	cs_problems_done(&p);
	return rc;
}

static const struct cs_yaml *entry_of(const struct cs_yaml *root, const char *name)
{
	const struct cs_yaml *keys = cs_yaml_get(root, "keys");

	for (size_t i = 0; keys && i < keys->count; i++) {
		const struct cs_yaml *is = cs_yaml_get(keys->children[i], "name");

		if (is && is->kind == CS_YAML_SCALAR && strcmp(is->scalar, name) == 0)
			return keys->children[i];
	}
	return NULL;
}

/** The policy that a text resolves to if it is the wanted one; NULL otherwise. */
static struct cs_policy *load_wanted(struct cs_bytes text, const struct cs_buf *wanted)
{
	struct cs_problems p;
	struct cs_policy *policy;

	cs_problems_init(&p, "");
	policy = cs_policy_load(text, &p);
	cs_problems_done(&p);
	if (policy && policy->json.len == wanted->len &&
	    memcmp(policy->json.data, wanted->data, wanted->len) == 0)
		return policy;
	cs_policy_unref(policy);
	return NULL;
}

static enum cs_rc edit(struct cs_bytes yaml, const char *file, const char *name, const char *note,
		       struct cs_key_edit *out, struct cs_err *e)
{
	struct cs_yaml *root = NULL;
	const struct cs_yaml *entry;
	struct cs_problems p;
	struct cs_buf wanted;
	enum cs_rc rc;

	cs_problems_init(&p, file);
	cs_buf_init(&wanted, CS_POLICY_JSON_MAX);
	rc = write_wanted(yaml, name, &wanted, e);
	root = cs_yaml_parse(yaml, &p);
	entry = root ? entry_of(root, name) : NULL;
	for (int way = IN_PLACE; rc == CS_OK && entry && !out->new &&way < WAYS; way++) {
		struct edits edits = { 0 };

		if (!disable(yaml, entry, (enum way)way, &edits))
			continue;
		raise_version(yaml, root, out->old->version + 1, note, &edits);
		apply(yaml, &edits, &out->text);
		out->new = load_wanted(cs_buf_bytes(&out->text), &wanted);
	}
	if (rc == CS_OK && !out->new)
		rc = CS_FAIL(e, CS_E_CONFIG,
			     "%s: key %s cannot be disabled without changing more than that; write "
			     "`disabled: true` and raise the version by hand",
			     file, name);
	cs_yaml_free(root);
	cs_buf_done(&wanted);
	cs_problems_done(&p);
	return rc;
}

enum cs_rc cs_key_edit(struct cs_bytes yaml, const char *file, const char *name, const char *note,
		       struct cs_key_edit *out, struct cs_err *e)
{
	const struct cs_key *key;
	struct cs_problems p;
	enum cs_rc rc;

	*out = (struct cs_key_edit){ 0 };
	cs_buf_init(&out->text, CS_YAML_MAX);
	cs_problems_init(&p, file);
	out->old = cs_policy_load(yaml, &p);
	rc = cs_problems_check(&p, e);
	cs_problems_done(&p);
	if (rc != CS_OK)
		return rc;
	key = cs_policy_key(out->old, name);
	if (!key)
		return CS_FAIL(e, CS_E_NOT_FOUND, "%s: no key %s", file, name);
	out->already = key->disabled;
	if (out->already)
		return CS_OK;
	if (out->old->version >= CS_JCS_INT_MAX)
		return CS_FAIL(e, CS_E_CONFIG, "%s: the version cannot be raised", file);
	return edit(yaml, file, name, note, out, e);
}

void cs_key_edit_done(struct cs_key_edit *k)
{
	cs_buf_done(&k->text);
	cs_policy_unref(k->old);
	cs_policy_unref(k->new);
}
