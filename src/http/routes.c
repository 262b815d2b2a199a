/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The route table and its matcher.
 * Must not have a row without a role: cs_routes_sane stops the daemon at start.
 * See route.h for the contract, HACKING.md for how to add a row.
 */
#include <assert.h>
#include <string.h>

#include "base/text.h"
#include "http/handlers.h"

#define AGENT CS_ROLE_BIT(CS_ROLE_AGENT)
#define APPROVER CS_ROLE_BIT(CS_ROLE_APPROVER)
#define AUDITOR CS_ROLE_BIT(CS_ROLE_AUDITOR)
#define OPERATOR CS_ROLE_BIT(CS_ROLE_OPERATOR)
#define EVERYONE (AGENT | APPROVER | AUDITOR | OPERATOR)
#define READERS (AGENT | APPROVER | AUDITOR)

#define P(name) CS_PARAM_BIT(CS_PARAM_##name)
#define POLL (P(WAIT) | P(REVISION))

#define LIST_COST 10 /* a page of requests, in reads of one */

/* clang-format off */
static const struct cs_route routes[] = {
	{ .method = "POST", .path = "/v1/requests", .roles = AGENT,
	  .body = &cs_schema_submission, .reply = &cs_schema_request, .codes = "200 201 202", .idempotent = true,
	  .starter = cs_post_request, .name = "submitRequest",
	  .summary = "Ask for signatures. 201 when they were made at once, 202 when the request waits, for "
		     "approvals or for the HSM; a replay answers 200 when signed, else 202." },
	{ .method = "GET", .path = "/v1/requests", .roles = READERS,
	  .params = P(STATE) | P(ENVIRONMENT) | P(WAITS_FOR_ME) | P(AFTER) | P(LIMIT) | POLL, .wait = CS_WAIT_ANY,
	  .cost = LIST_COST,
	  .reply = &cs_schema_request_list, .handler = cs_get_requests, .name = "listRequests",
	  .summary = "Requests, newest first: agents see their own, approvers what they may approve, auditors all." },
	{ .method = "GET", .path = "/v1/requests/{id}", .roles = READERS,
	  .params = POLL, .wait = CS_WAIT_REQUEST,
	  .reply = &cs_schema_request, .handler = cs_get_request, .name = "getRequest",
	  .summary = "One request; with `wait`, as soon as it changes." },
	{ .method = "GET", .path = "/v1/requests/{id}/document", .roles = READERS,
	  .reply_type = CS_REQUEST_TYPE, .handler = cs_get_document, .name = "getDocument",
	  .summary = "The exact bytes that approvers sign." },
	{ .method = "GET", .path = "/v1/requests/{id}/decisions", .roles = READERS,
	  .reply = &cs_schema_decision_list, .handler = cs_get_decisions, .name = "listDecisions",
	  .summary = "The signed decisions on a request, in the order of the log." },
	{ .method = "POST", .path = "/v1/requests/{id}/decisions", .roles = APPROVER,
	  .body = &cs_schema_decision_post, .reply = &cs_schema_request, .handler = cs_post_decision, .name = "postDecision",
	  .summary = "Approve, reject or withdraw, by a signed decision." },
	{ .method = "POST", .path = "/v1/requests/{id}/cancel", .roles = AGENT,
	  .reply = &cs_schema_request, .handler = cs_post_cancel, .name = "cancelRequest",
	  .summary = "Cancel one's own request." },
	{ .method = "GET", .path = "/v1/requests/{id}/signatures/{n}", .roles = AGENT | AUDITOR,
	  .reply_type = "application/octet-stream", .handler = cs_get_signature, .name = "getSignature",
	  .summary = "The signature of artifact n, counted from 0; only when the whole request is signed." },
	{ .method = "GET", .path = "/v1/keys", .roles = EVERYONE,
	  .reply = &cs_schema_key_list, .handler = cs_get_keys, .name = "listKeys",
	  .summary = "Signing keys; agents see those that they may use." },
	{ .method = "GET", .path = "/v1/keys/{name}", .roles = EVERYONE,
	  .reply = &cs_schema_key, .handler = cs_get_key, .name = "getKey",
	  .summary = "One signing key." },
	{ .method = "GET", .path = "/v1/audit/events", .roles = AUDITOR,
	  .params = P(FROM) | P(RESUME), .reply_type = "application/x-ndjson",
	  .handler = cs_get_events, .name = "exportEvents",
	  .summary = "A page of the log, one event a line, then one line with the head and where to go on." },
	{ .method = "GET", .path = "/v1/audit/head", .roles = EVERYONE,
	  .params = P(SIZE), .reply = &cs_schema_head, .handler = cs_get_head, .name = "getHead",
	  .summary = "The log's head, now or when it had a given size." },
	{ .method = "GET", .path = "/v1/health", .roles = EVERYONE,
	  .reply = &cs_schema_health, .handler = cs_get_health, .name = "getHealth",
	  .summary = "Does the process answer?" },
	{ .method = "GET", .path = "/v1/ready", .roles = EVERYONE,
	  .reply = &cs_schema_ready, .codes = "200 503", .handler = cs_get_ready, .name = "getReady",
	  .summary = "Can it sign? 503 with the same body when not." },
	{ .method = "GET", .path = "/v1/openapi.json", .roles = EVERYONE,
	  .reply_type = "application/json", .handler = cs_get_openapi, .name = "getOpenApi",
	  .summary = "This description." },
};
/* clang-format on */

const struct cs_route *cs_routes(size_t *countp)
{
	*countp = sizeof(routes) / sizeof(routes[0]);
	return routes;
}

/* --- the matcher --- */

static bool take_id(const char *segment, struct cs_call *call)
{
	call->id = segment;
	return cs_text_is_uuid(segment);
}

static bool take_name(const char *segment, struct cs_call *call)
{
	call->name = segment;
	return cs_text_is_name(segment, CS_NAME_MAX);
}

static bool take_number(const char *segment, struct cs_call *call)
{
	return cs_text_to_int(segment, 0, CS_ARTIFACTS_MAX - 1, &call->number);
}

/* A segment in braces, and what it must be; a value that is not is "no such path". */
static const struct {
	const char *pattern;
	bool (*take)(const char *segment, struct cs_call *call);
} variables[] = {
	{ "{id}", take_id },
	{ "{name}", take_name },
	{ "{n}", take_number },
};

static bool match_segment(const char *pattern, size_t len, const char *segment,
			  struct cs_call *call)
{
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		if (strlen(variables[i].pattern) == len &&
		    memcmp(variables[i].pattern, pattern, len) == 0)
			return variables[i].take(segment, call);
	return strlen(segment) == len && memcmp(segment, pattern, len) == 0;
}

static bool match_path(const char *path, const struct cs_uri *u, struct cs_call *call)
{
	size_t i = 0;

	while (*path == '/') {
		size_t len = strcspn(path + 1, "/");

		if (i == u->segment_count || !match_segment(path + 1, len, u->segments[i], call))
			return false;
		path += 1 + len;
		i++;
	}
	return i == u->segment_count;
}

enum cs_rc cs_route_find(const char *method, const struct cs_uri *u, struct cs_call *call,
			 const struct cs_route **rp, struct cs_buf *allow, struct cs_err *e)
{
	call->id = call->name = NULL;
	for (size_t i = 0; i < sizeof(routes) / sizeof(routes[0]); i++) {
		if (!match_path(routes[i].path, u, call))
			continue;
		if (strcmp(routes[i].method, method) == 0) {
			*rp = &routes[i];
			return CS_OK;
		}
		if (allow->len > 0)
			cs_buf_add_str(allow, ", ");
		cs_buf_add_str(allow, routes[i].method);
	}
	if (allow->len > 0)
		return CS_FAIL(e, CS_E_UNSUPPORTED, "method %.16s: this path has %s", method,
			       cs_buf_str(allow));
	return CS_FAIL(e, CS_E_NOT_FOUND, "no such path; GET /v1/openapi.json lists them");
}

/* --- sanity --- */

void cs_roles_list(unsigned roles, struct cs_buf *out)
{
	for (int r = CS_ROLE_AGENT; r <= CS_ROLE_OPERATOR; r++) {
		if (!(roles & CS_ROLE_BIT(r)))
			continue;
		if (out->len > 0)
			cs_buf_add_str(out, ", ");
		cs_buf_add_str(out, cs_role_name((enum cs_role)r));
	}
}

static bool variables_are_known(const char *path)
{
	for (const char *p = strchr(path, '{'); p; p = strchr(p + 1, '{')) {
		size_t len = strcspn(p, "/");
		bool known = false;

		for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
			known = known || (strlen(variables[i].pattern) == len &&
					  memcmp(variables[i].pattern, p, len) == 0);
		if (!known)
			return false;
	}
	return true;
}

static const char *flaw_of(const struct cs_route *r)
{
	if (!r->roles || (r->roles & ~EVERYONE))
		return "no role, or an unknown one";
	if (!r->handler == !r->starter || !r->summary || !r->name)
		return "no handler, name or summary";
	if (strcmp(r->method, "GET") != 0 && strcmp(r->method, "POST") != 0)
		return "a method other than GET and POST";
	if (r->path[0] != '/' || !variables_are_known(r->path))
		return "a path that the matcher does not know";
	if (!r->reply == !r->reply_type)
		return "needs exactly one of reply and reply_type";
	if (r->params >> CS_PARAM__COUNT)
		return "an unknown query parameter";
	if ((r->wait != CS_WAIT_NONE) != ((r->params & P(WAIT)) != 0))
		return "waits without the parameter, or the other way round";
	return NULL;
}

enum cs_rc cs_routes_sane(const struct cs_route *table, size_t count, struct cs_err *e)
{
	for (size_t i = 0; i < count; i++) {
		const char *flaw;

		if (!table[i].method || !table[i].path)
			return CS_FAIL(e, CS_E_INTERNAL, "route %zu: no method or no path", i + 1);
		flaw = flaw_of(&table[i]);
		for (size_t k = 0; k < i && !flaw; k++)
			if (strcmp(table[i].method, table[k].method) == 0 &&
			    strcmp(table[i].path, table[k].path) == 0)
				flaw = "is there twice";
		if (flaw)
			return CS_FAIL(e, CS_E_INTERNAL, "route %s %s: %s", table[i].method,
				       table[i].path, flaw);
	}
	return CS_OK;
}
