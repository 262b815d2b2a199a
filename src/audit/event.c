/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bytes of an event, and its hash.
 * Must not know what a detail holds: detail.c does.
 * See event.h for the contract and docs/PROTOCOL.log for the text.
 */
#include "audit/event.h"

#include <assert.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#define CS_EVENT_NAME(code, name) [code] = name,
static const char *const kind_names[CS_EV__COUNT] = { CS_EVENT_KINDS(CS_EVENT_NAME) };
#undef CS_EVENT_NAME

const char *cs_event_kind_name(enum cs_event_kind k)
{
	assert(k > CS_EV_NONE && k < CS_EV__COUNT);
	return kind_names[k];
}

enum cs_event_kind cs_event_kind_from_name(const char *name)
{
	for (int k = CS_EV_NONE + 1; k < CS_EV__COUNT; k++) {
		if (strcmp(kind_names[k], name) == 0)
			return (enum cs_event_kind)k;
	}
	return CS_EV_NONE;
}

void cs_event_write(const struct cs_event *ev, struct cs_buf *out)
{
	char time[CS_TIME_TEXT];
	struct cs_jw w;

	assert(ev->seq > 0 && ev->actor[0] != '\0' && ev->detail.len > 0);

	cs_time_text(ev->time, time);
	cs_jw_init(&w, out);
	cs_jw_object(&w, NULL);
	cs_jw_str(&w, "actor", ev->actor);
	cs_jw_raw(&w, "detail", ev->detail);
	cs_jw_str(&w, "kind", cs_event_kind_name(ev->kind));
	cs_jw_hex(&w, "prev", ev->prev.b, sizeof(ev->prev.b));
	cs_jw_str(&w, "request", ev->request);
	cs_jw_int(&w, "seq", ev->seq);
	cs_jw_str(&w, "time", time);
	cs_jw_str(&w, "type", CS_EVENT_TYPE);
	cs_jw_int(&w, "v", 1);
	cs_jw_end_object(&w);
}

struct cs_sha256 cs_event_hash(struct cs_bytes event)
{
	return cs_sha256_leaf(event);
}

/* The members of an event as they stand in the JSON; strings are borrowed from the tree. */
struct members {
	const char *actor, *kind, *prev, *request, *time, *type;
	const struct cs_json *detail;
	int64_t seq, v;
};

static enum cs_rc read_members(const struct cs_json *root, struct members *m, struct cs_err *e)
{
	const struct cs_json_field fields[] = {
		CS_JSON_STR_FIELD("actor", false, CS_TEXT_NAME, 1, CS_ACTOR_MAX, &m->actor),
		CS_JSON_OBJECT_FIELD("detail", false, &m->detail),
		CS_JSON_STR_FIELD("kind", false, CS_TEXT_NAME, 1, CS_NAME_MAX, &m->kind),
		CS_JSON_STR_FIELD("prev", false, CS_TEXT_HEX, 2 * CS_SHA256_LEN, 2 * CS_SHA256_LEN,
				  &m->prev),
		CS_JSON_STR_FIELD("request", false, CS_TEXT_ANY, 0, CS_UUID_TEXT - 1, &m->request),
		CS_JSON_INT_FIELD("seq", false, 1, CS_JCS_INT_MAX, &m->seq),
		CS_JSON_STR_FIELD("time", false, CS_TEXT_ANY, CS_TIME_TEXT - 1, CS_TIME_TEXT - 1,
				  &m->time),
		CS_JSON_STR_FIELD("type", false, CS_TEXT_ANY, 1, CS_TEXT_MAX, &m->type),
		CS_JSON_INT_FIELD("v", false, 1, 1, &m->v),
	};

	return cs_json_read(root, "", fields, sizeof(fields) / sizeof(fields[0]), e);
}

static enum cs_rc interpret(const struct members *m, struct cs_event *ev, struct cs_err *e)
{
	if (strcmp(m->type, CS_EVENT_TYPE) != 0)
		return CS_FAIL(e, CS_E_INVALID, "type: not %s", CS_EVENT_TYPE);
	ev->kind = cs_event_kind_from_name(m->kind);
	if (ev->kind == CS_EV_NONE)
		return CS_FAIL(e, CS_E_INVALID, "kind: \"%s\" is no kind of event", m->kind);
	if (m->request[0] != '\0' && !cs_text_is_uuid(m->request))
		return CS_FAIL(e, CS_E_INVALID, "request: neither a request's id nor empty");
	if (!cs_time_parse(m->time, &ev->time))
		return CS_FAIL(e, CS_E_INVALID,
			       "time: not a time of the form 2026-01-31T12:00:00.000000Z");
	if (!cs_sha256_from_hex(m->prev, &ev->prev))
		return CS_FAIL(e, CS_E_INVALID, "prev: not 64 hexadecimal digits");
	ev->seq = m->seq;
	memcpy(ev->actor, m->actor, strlen(m->actor) + 1);
	memcpy(ev->request, m->request, strlen(m->request) + 1);
	return CS_OK;
}

enum cs_rc cs_event_parse(struct cs_bytes bytes, struct cs_event *ev, struct cs_json **rootp,
			  struct cs_err *e)
{
	struct cs_event parsed = { 0 };
	struct members m = { 0 };
	struct cs_json *root = NULL;
	enum cs_rc rc;

	rc = cs_jcs_parse(bytes, CS_EVENT_MAX, "event", &root, e);
	if (rc != CS_OK)
		goto out;
	rc = read_members(root, &m, e);
	if (rc != CS_OK)
		goto out;
	rc = interpret(&m, &parsed, e);
	if (rc != CS_OK)
		goto out;

	*ev = parsed;
	*rootp = root;
	root = NULL; /* transferred */
out:
	cs_json_free(root);
	return rc;
}
