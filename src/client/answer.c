/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads request views and problems, writes submissions.
 * Must not trust lengths: what does not fit a field of the public structs is an error.
 * See answer.h for the contract.
 */
#include "client/answer.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "base/json.h"

#define ERR_PART 200 /* of the server's words in a message */

/* --- submissions ------------------------------------------------------------------------- */

/** Set a string unless it is NULL; false without memory or when it is not UTF-8. */
static bool put(json_t *object, const char *key, const char *value)
{
	return !value || json_object_set_new(object, key, json_string(value)) == 0;
}

/** Hang a child below an object unless it is an empty object. Takes the child; false for NULL. */
static bool put_object(json_t *object, const char *key, json_t *child)
{
	if (json_is_object(child) && json_object_size(child) == 0) {
		json_decref(child);
		return true;
	}
	return json_object_set_new(object, key, child) == 0;
}

static json_t *artifact_json(const struct countersign_artifact *a)
{
	char hex[2 * COUNTERSIGN_DIGEST_MAX + 1];
	json_t *o;

	cs_hex_encode(a->digest, a->digest_len, hex);
	o = json_pack("{s:s, s:{s:s, s:s}, s:I, s:s}", "name", a->name, "digest", "algorithm",
		      a->algorithm, "value", hex, "size", (json_int_t)a->size, "key", a->key);
	if (o && !put(o, "format", a->format)) {
		json_decref(o);
		o = NULL;
	}
	return o;
}

static enum cs_rc check_artifacts(const struct countersign_submission *s, struct cs_err *e)
{
	if (s->count < 1 || s->count > COUNTERSIGN_ARTIFACTS_MAX)
		return CS_FAIL(e, CS_E_INVALID, "artifacts: %zu, must be 1 to %d", s->count,
			       COUNTERSIGN_ARTIFACTS_MAX);
	for (size_t i = 0; i < s->count; i++) {
		const struct countersign_artifact *a = &s->artifacts[i];

		if (!a->name || !a->algorithm || !a->digest || !a->key || a->digest_len < 1 ||
		    a->digest_len > COUNTERSIGN_DIGEST_MAX)
			return CS_FAIL(e, CS_E_INVALID,
				       "artifacts[%zu]: name, algorithm, digest (1 to %d bytes) "
				       "and key are required",
				       i, COUNTERSIGN_DIGEST_MAX);
	}
	return CS_OK;
}

static json_t *release_json(const struct countersign_submission *s)
{
	json_t *o = json_object();
	bool ok = o && put(o, "product", s->product) && put(o, "component", s->component) &&
		  put(o, "version", s->version);

	if (ok && s->security_version >= 0)
		ok = json_object_set_new(o, "security_version",
					 json_integer(s->security_version)) == 0;
	if (ok)
		return o;
	json_decref(o);
	return NULL;
}

static json_t *build_json(const struct countersign_submission *s)
{
	json_t *o = json_object();

	if (o && put(o, "repository", s->repository) && put(o, "commit", s->commit) &&
	    put(o, "pipeline", s->pipeline))
		return o;
	json_decref(o);
	return NULL;
}

static json_t *artifacts_json(const struct countersign_submission *s)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < s->count; i++) {
		if (json_array_append_new(list, artifact_json(&s->artifacts[i])) != 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

enum cs_rc cs_answer_submission(const struct countersign_submission *s, struct cs_buf *out,
				struct cs_err *e)
{
	json_t *root = json_object();
	char *text = NULL;
	enum cs_rc rc;

	rc = check_artifacts(s, e);
	if (rc)
		goto out;
	if (root && put_object(root, "artifacts", artifacts_json(s)) &&
	    put_object(root, "release", release_json(s)) &&
	    put_object(root, "build", build_json(s)) && put(root, "comment", s->comment))
		text = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
	if (!text) {
		rc = CS_FAIL(e, CS_E_INVALID, "submission: every text must be UTF-8");
		goto out;
	}
	cs_buf_add_str(out, text);
	rc = cs_buf_ok(out, "submission", e);
out:
	free(text);
	json_decref(root);
	return rc;
}

/* --- views ------------------------------------------------------------------------------- */

static json_t *parse(struct cs_bytes body)
{
	return json_loadb((const char *)body.data, body.len, JSON_REJECT_DUPLICATES, NULL);
}

/** Copy a string field; absent leaves "". False when it is no string or does not fit. */
static bool text_of(const json_t *object, const char *key, char *out, size_t size)
{
	const json_t *v = json_object_get(object, key);
	size_t len;

	out[0] = '\0';
	if (!v)
		return true;
	if (!json_is_string(v))
		return false;
	len = json_string_length(v);
	if (len >= size || strlen(json_string_value(v)) != len)
		return false;
	memcpy(out, json_string_value(v), len + 1);
	return true;
}

static int64_t int_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

#define TEXT_OF(object, key, field) text_of((object), (key), (field), sizeof(field))

static bool read_artifacts(const json_t *list, struct countersign_request *out)
{
	if (json_array_size(list) > COUNTERSIGN_ARTIFACTS_MAX)
		return false;
	out->artifact_count = json_array_size(list);
	for (size_t i = 0; i < out->artifact_count; i++) {
		const json_t *a = json_array_get(list, i);

		if (!TEXT_OF(a, "name", out->artifacts[i].name) ||
		    !TEXT_OF(a, "key", out->artifacts[i].key) ||
		    !TEXT_OF(a, "state", out->artifacts[i].state))
			return false;
	}
	return true;
}

static bool read_quorum(const json_t *list, struct countersign_request *out)
{
	if (json_array_size(list) > COUNTERSIGN_QUORUM_MAX)
		return false;
	out->quorum_count = json_array_size(list);
	for (size_t i = 0; i < out->quorum_count; i++) {
		const json_t *q = json_array_get(list, i);

		if (!TEXT_OF(q, "group", out->quorum[i].group))
			return false;
		out->quorum[i].need = int_of(q, "need");
		out->quorum[i].have = int_of(q, "have");
	}
	return true;
}

/** The place of a person's vote: the one that is there, or a new one. */
static struct countersign_vote *vote_of(struct countersign_request *r, const char *person)
{
	for (size_t i = 0; i < r->vote_count; i++) {
		if (strcmp(r->votes[i].person, person) == 0)
			return &r->votes[i];
	}
	return &r->votes[r->vote_count++];
}

static bool read_votes(const json_t *list, struct countersign_request *out)
{
	if (json_array_size(list) > COUNTERSIGN_VOTES_MAX)
		return false;
	out->votes = calloc(json_array_size(list) + 1, sizeof(*out->votes));
	if (!out->votes)
		return false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *v = json_array_get(list, i);
		struct countersign_vote vote;

		if (!TEXT_OF(v, "person", vote.person) || !TEXT_OF(v, "group", vote.group) ||
		    !TEXT_OF(v, "decision", vote.decision))
			return false;
		*vote_of(out, vote.person) = vote; /* they come in the order of the log */
	}
	return true;
}

static bool read_view(const json_t *root, struct countersign_request *out)
{
	static const char *const final[] = { "denied",  "signed",    "rejected",
					     "expired", "cancelled", "failed" };

	if (!TEXT_OF(root, "id", out->id) || !TEXT_OF(root, "state", out->state) ||
	    !TEXT_OF(root, "environment", out->environment) ||
	    !TEXT_OF(root, "created", out->created) || !TEXT_OF(root, "expires", out->expires) ||
	    !TEXT_OF(root, "principal", out->principal) || !TEXT_OF(root, "reason", out->reason) ||
	    out->id[0] == '\0' || out->state[0] == '\0')
		return false;
	out->revision = int_of(root, "revision");
	out->missing = int_of(root, "missing");
	out->is_signed = strcmp(out->state, "signed") == 0;
	for (size_t i = 0; i < sizeof(final) / sizeof(final[0]); i++)
		out->is_final = out->is_final || strcmp(out->state, final[i]) == 0;
	return read_artifacts(json_object_get(root, "artifacts"), out) &&
	       read_quorum(json_object_get(root, "quorum"), out) &&
	       read_votes(json_object_get(root, "votes"), out);
}

enum cs_rc cs_answer_request(struct cs_bytes body, struct countersign_request *out,
			     struct cs_err *e)
{
	struct countersign_request view = { 0 };
	json_t *root = parse(body);
	enum cs_rc rc = CS_OK;

	if (!root || !read_view(root, &view)) {
		rc = CS_FAIL(e, CS_E_VERSION,
			     "the server's answer is no request of the kind this program knows");
		goto out;
	}
	view.json = strndup((const char *)body.data, body.len);
	if (!view.json) {
		rc = CS_FAIL(e, CS_E_NOMEM, "request");
		goto out;
	}
	*out = view;
	view = (struct countersign_request){ 0 }; /* transferred */
out:
	countersign_request_done(&view);
	json_decref(root);
	return rc;
}

/* --- problems ---------------------------------------------------------------------------- */

/** What a problem's name means, the last part of its type; else its status says it. */
static const struct {
	const char *name;
	enum countersign_code code;
} names[] = {
	{ "pending", COUNTERSIGN_PENDING },
	{ "bad-signature", COUNTERSIGN_REFUSED },
};

/** What a status means; the first row whose range holds it. */
static const struct {
	long first, last;
	enum countersign_code code;
	const char *words;
} statuses[] = {
	{ 401, 401, COUNTERSIGN_REFUSED, "the server does not know our certificate" },
	{ 403, 403, COUNTERSIGN_REFUSED, "refused" },
	{ 404, 404, COUNTERSIGN_NOT_FOUND, "not found, or not yours" },
	{ 408, 408, COUNTERSIGN_UNAVAILABLE, "the server gave up waiting" },
	{ 409, 410, COUNTERSIGN_CONFLICT, "the state moved on" },
	{ 422, 422, COUNTERSIGN_CONFLICT, "another request has this idempotency key" },
	{ 429, 429, COUNTERSIGN_UNAVAILABLE, "too many requests" },
	{ 400, 499, COUNTERSIGN_INVALID, "the server does not accept the request" },
	{ 500, 599, COUNTERSIGN_UNAVAILABLE, "the server has a problem" },
};

/** Code and words of an answer. */
static void judge(long status, const json_t *root, struct countersign_error *e, const char **wordsp)
{
	const char *type = json_string_value(json_object_get(root, "type"));
	const char *name = type ? strrchr(type, ':') : NULL;

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		if (status >= statuses[i].first && status <= statuses[i].last) {
			e->code = statuses[i].code;
			*wordsp = statuses[i].words;
			break;
		}
	}
	for (size_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name + 1, names[i].name) == 0)
			e->code = names[i].code;
	}
}

void cs_answer_problem(long status, struct cs_bytes body, struct countersign_error *e)
{
	char title[ERR_PART] = "";
	char detail[CS_ERR_MSG_MAX - ERR_PART] = "";
	struct cs_err clean;
	json_t *root = body.len > 0 ? parse(body) : NULL;
	const char *words = "an answer that no route gives";

	*e = (struct countersign_error){ .code = COUNTERSIGN_PROTOCOL, .http_status = (int)status };
	judge(status, root, e, &words);
	/* a field of the wrong kind or too long is as good as none */
	if (!TEXT_OF(root, "rule", e->rule))
		e->rule[0] = '\0';
	if (!TEXT_OF(root, "title", title))
		title[0] = '\0';
	if (!TEXT_OF(root, "detail", detail))
		detail[0] = '\0';
	/* through cs_err, which leaves no control character in it */
	CS_FAIL(&clean, CS_E_INVALID, "%s%s%s%s (status %ld)",
		detail[0]  ? detail
		: title[0] ? title
			   : words,
		e->rule[0] ? "; rule " : "", e->rule, root ? "" : ", without an explanation",
		status);
	snprintf(e->message, sizeof(e->message), "%s", clean.msg);
	json_decref(root);
}
