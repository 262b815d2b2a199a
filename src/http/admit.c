/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From the head of a request to its row of the route table: the guard first, then who, then what.
 * Must not read a body, and must not reveal paths to those it does not know.
 * See conn.h for the contract.
 */
#include <string.h>
#include <strings.h>

#include "http/conn.h"

/*
 * Where a string of the head stood on the wire: libmicrohttpd parses in place. Should a version of
 * it copy them elsewhere, nothing would be where the guard expects it, and everything refused.
 */
static size_t place_of(const char *s, const char *method)
{
	return (size_t)((uintptr_t)s - (uintptr_t)method);
}

static enum MHD_Result take_header(void *arg, enum MHD_ValueKind kind, const char *name,
				   size_t name_len, const char *value, size_t value_len)
{
	struct cs_guard_head *head = arg;

	(void)kind;
	if (head->count < CS_GUARD_HEADERS_MAX)
		head->headers[head->count] = (struct cs_guard_header){
			.name = { (const uint8_t *)name, name_len },
			.value = { (const uint8_t *)value, value_len },
			.name_at = place_of(name, head->method),
			.value_at = place_of(value, head->method),
		};
	head->count++;
	return MHD_YES;
}

static enum cs_rc guard(struct cs_conn *c, const char *method, const char *version,
			struct cs_guard_facts *facts, struct cs_err *e)
{
	const union MHD_ConnectionInfo *info = MHD_get_connection_info(
		c->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
	struct cs_guard_head head = {
		.method = method,
		.target = c->target,
		.version = version,
		.version_at = place_of(version, method),
		.wire_size = info ? info->header_size : 0,
	};

	MHD_get_connection_values_n(c->mhd, MHD_HEADER_KIND, take_header, &head);
	return cs_guard_check(&head, facts, e);
}

static enum cs_rc check_role(struct cs_conn *c, const char *method, struct cs_err *e)
{
	const struct cs_principal *p = c->principal;
	struct cs_buf roles;

	if (c->route->roles & CS_ROLE_BIT(p->role))
		return CS_OK;
	cs_core_access_refused(c->http->core, &c->call.who, method, c->route->path,
			       cs_role_name(p->role));
	cs_buf_init(&roles, 128);
	cs_roles_list(c->route->roles, &roles);
	cs_err_set(e, CS_E_FORBIDDEN, "%s is %s; this is for %s", p->name, cs_role_name(p->role),
		   cs_buf_str(&roles));
	cs_buf_done(&roles);
	return CS_E_FORBIDDEN;
}

/* "application/json", or with "; charset=utf-8" */
static bool is_json(struct cs_bytes type)
{
	static const char json[] = "application/json", charset[] = "charset=utf-8";
	const char *s = (const char *)type.data;
	size_t i = strlen(json);

	if (type.len < i || strncasecmp(s, json, i) != 0)
		return false;
	if (type.len == i)
		return true;
	if (s[i++] != ';')
		return false;
	while (i < type.len && s[i] == ' ')
		i++;
	return type.len - i == strlen(charset) && strncasecmp(s + i, charset, type.len - i) == 0;
}

/* Reads have an allowance here, before a thread is taken; what changes something has one in core/.
 */
static enum cs_rc check_rate(struct cs_conn *c, struct cs_err *e)
{
	const int64_t cost = c->route->cost > 0 ? c->route->cost : 1;

	if (!cs_route_is_read(c->route))
		return CS_OK;
	return cs_core_admit_read(c->http->core, &c->call.who, cost, &c->retry_after, e);
}

static unsigned check_body(const struct cs_conn *c, const struct cs_guard_facts *facts,
			   struct cs_err *e)
{
	int64_t max = c->http->config.body_max;

	if (!c->route->body) {
		if (facts->chunked || facts->content_length > 0)
			return CS_FAIL(e, CS_E_INVALID, "body: %s %s takes none", c->route->method,
				       c->route->path);
		return CS_OK;
	}
	if (facts->content_length > max)
		return CS_FAIL(e, CS_E_TOO_LARGE, "body of %lld bytes; at most %lld are taken",
			       (long long)facts->content_length, (long long)max);
	if (!is_json(facts->content_type)) {
		cs_err_set(e, CS_E_INVALID,
			   "Content-Type: send the body as application/json (in UTF-8)");
		return CS_REFUSE_MEDIA_TYPE;
	}
	return CS_OK;
}

static enum cs_rc take_idempotency_key(struct cs_conn *c, const struct cs_guard_facts *facts,
				       struct cs_err *e)
{
	struct cs_bytes key = facts->idempotency_key;

	c->call.idempotency_key = NULL;
	if (!c->route->idempotent || !facts->has_idempotency_key)
		return CS_OK;
	if (key.len == 0 || key.len > CS_IDEMPOTENCY_KEY_MAX)
		return CS_FAIL(e, CS_E_INVALID, "Idempotency-Key: 1 to %d characters",
			       CS_IDEMPOTENCY_KEY_MAX);
	for (size_t i = 0; i < key.len; i++)
		if (key.data[i] <= 0x20 || key.data[i] >= 0x7f)
			return CS_FAIL(e, CS_E_INVALID,
				       "Idempotency-Key: visible ASCII only, no spaces");
	memcpy(c->idempotency_key, key.data, key.len);
	c->idempotency_key[key.len] = '\0';
	c->call.idempotency_key = c->idempotency_key;
	return CS_OK;
}

/* What is wrong with the request itself, in the order of the table in ARCHITECTURE.md. */
static unsigned match(struct cs_conn *c, const char *method, const struct cs_guard_facts *facts,
		      struct cs_buf *allow, struct cs_err *e)
{
	enum cs_rc rc = cs_route_find(method, &c->uri, &c->call, &c->route, allow, e);

	if (rc == CS_E_UNSUPPORTED)
		return CS_REFUSE_METHOD;
	if (rc == CS_OK)
		rc = check_role(c, method, e);
	if (rc == CS_OK)
		rc = check_rate(c, e);
	if (rc == CS_OK)
		rc = cs_query_read(&c->uri, c->route->params, &c->call.query, e);
	if (rc == CS_OK)
		rc = take_idempotency_key(c, facts, e);
	if (rc != CS_OK)
		return rc;
	return check_body(c, facts, e);
}

unsigned cs_conn_admit(struct cs_conn *c, const char *method, const char *version,
		       struct cs_buf *allow, struct cs_err *e)
{
	struct cs_guard_facts facts = { .content_length = -1 };
	unsigned code;
	enum cs_rc rc;

	c->close = true;
	if (strlen(c->target) > CS_URI_MAX) {
		cs_err_set(e, CS_E_TOO_LARGE, "request target of more than %d bytes", CS_URI_MAX);
		return CS_REFUSE_TARGET_TOO_LONG;
	}
	rc = guard(c, method, version, &facts, e);
	if (rc == CS_OK)
		rc = cs_uri_parse(c->target, &c->uri, e);
	if (rc == CS_OK)
		rc = cs_conn_authenticate(c, e);
	if (rc != CS_OK)
		return rc;
	c->call.core = c->http->core;
	c->call.who = (struct cs_caller){ .principal = c->principal, .source = c->source };
	c->call.has_location = false;
	code = match(c, method, &facts, allow, e);
	/* what is left of a refused body, and what follows a chunked one, is never parsed */
	c->close = facts.chunked || (code != CS_OK && facts.content_length > 0);
	return code;
}
