/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The OpenAPI 3.1 description, from the tables of routes, parameters, schemas and problems.
 * Must not know anything that those tables do not say.
 * See docs/openapi.json for the result.
 */
#include <stdio.h>
#include <string.h>

#include "base/jcs.h"
#include "http/http.h"
#include "http/problem.h"
#include "http/route.h"

#define NAME_PATTERN "^[A-Za-z0-9._+/@:-]+$"
#define HEX_PATTERN "^([0-9a-f]{2})+$"
#define REF_MAX 96

static void write_ref(struct cs_jw *w, const char *kind, const char *name)
{
	char ref[REF_MAX];

	snprintf(ref, sizeof(ref), "#/components/%s/%s", kind, name);
	cs_jw_str(w, "$ref", ref);
}

/* --- schemas --- */

static void write_string(struct cs_jw *w, const struct cs_schema_field *f, const char *pattern)
{
	if (f->max > 0) {
		cs_jw_int(w, "maxLength", f->max);
		cs_jw_int(w, "minLength", f->min);
	}
	if (pattern)
		cs_jw_str(w, "pattern", pattern);
	cs_jw_str(w, "type", "string");
}

static void write_enum(struct cs_jw *w, int64_t lo, int64_t hi, const char *(*value)(int v))
{
	cs_jw_array(w, "enum");
	for (int64_t v = lo; v <= hi; v++)
		cs_jw_str(w, NULL, value((int)v));
	cs_jw_end_array(w);
	cs_jw_str(w, "type", "string");
}

static void write_list(struct cs_jw *w, const struct cs_schema_field *f)
{
	cs_jw_object(w, "items");
	if (f->of)
		write_ref(w, "schemas", f->of->name);
	else
		cs_jw_str(w, "type", "string");
	cs_jw_end_object(w);
	if (f->max > 0) {
		cs_jw_int(w, "maxItems", f->max);
		cs_jw_int(w, "minItems", f->min);
	}
	cs_jw_str(w, "type", "array");
}

/* Keys in ascending order: $ref, contentEncoding, description, enum, format, items, max…, type. */
static void write_field(struct cs_jw *w, const struct cs_schema_field *f)
{
	cs_jw_object(w, f->name);
	if (f->type == CS_S_OBJECT)
		write_ref(w, "schemas", f->of->name);
	if (f->type == CS_S_BASE64)
		cs_jw_str(w, "contentEncoding", "base64");
	if (f->doc)
		cs_jw_str(w, "description", f->doc);
	switch (f->type) {
	case CS_S_NAME: write_string(w, f, NAME_PATTERN); break;
	case CS_S_HEX: write_string(w, f, HEX_PATTERN); break;
	case CS_S_TEXT:
	case CS_S_BASE64: write_string(w, f, NULL); break;
	case CS_S_UUID:
		cs_jw_str(w, "format", "uuid");
		write_string(w, f, NULL);
		break;
	case CS_S_TIME:
		cs_jw_str(w, "format", "date-time");
		write_string(w, f, NULL);
		break;
	case CS_S_ENUM: write_enum(w, f->min, f->max, f->value); break;
	case CS_S_INT:
		cs_jw_int(w, "maximum", f->max);
		cs_jw_int(w, "minimum", f->min);
		cs_jw_str(w, "type", "integer");
		break;
	case CS_S_BOOL: cs_jw_str(w, "type", "boolean"); break;
	case CS_S_LIST: write_list(w, f); break;
	case CS_S_OBJECT: break;
	}
	cs_jw_end_object(w);
}

static void write_schema(struct cs_jw *w, const struct cs_schema *s)
{
	cs_jw_object(w, s->name);
	cs_jw_bool(w, "additionalProperties", !s->strict);
	cs_jw_str(w, "description", s->doc);
	cs_jw_object(w, "properties");
	for (size_t i = 0; i < s->count; i++)
		write_field(w, &s->fields[i]);
	cs_jw_end_object(w);
	cs_jw_array(w, "required");
	for (size_t i = 0; i < s->count; i++)
		if (!s->fields[i].optional)
			cs_jw_str(w, NULL, s->fields[i].name);
	cs_jw_end_array(w);
	cs_jw_str(w, "type", "object");
	cs_jw_end_object(w);
}

/* --- operations --- */

static void begin_parameter(struct cs_jw *w, const char *doc, const char *in, const char *name,
			    bool required)
{
	cs_jw_object(w, NULL);
	cs_jw_str(w, "description", doc);
	cs_jw_str(w, "in", in);
	cs_jw_str(w, "name", name);
	cs_jw_bool(w, "required", required);
	cs_jw_object(w, "schema");
}

static void end_parameter(struct cs_jw *w)
{
	cs_jw_end_object(w);
	cs_jw_end_object(w);
}

static void write_path_parameters(struct cs_jw *w, const char *path)
{
	if (strstr(path, "{id}")) {
		begin_parameter(w, "The request's id.", "path", "id", true);
		cs_jw_str(w, "format", "uuid");
		cs_jw_str(w, "type", "string");
		end_parameter(w);
	}
	if (strstr(path, "{n}")) {
		begin_parameter(w, "Index of the artifact, from 0.", "path", "n", true);
		cs_jw_int(w, "maximum", CS_ARTIFACTS_MAX - 1);
		cs_jw_int(w, "minimum", 0);
		cs_jw_str(w, "type", "integer");
		end_parameter(w);
	}
	if (strstr(path, "{name}")) {
		begin_parameter(w, "The key's name; / is written %2F.", "path", "name", true);
		cs_jw_int(w, "maxLength", CS_NAME_MAX);
		cs_jw_int(w, "minLength", 1);
		cs_jw_str(w, "pattern", NAME_PATTERN);
		cs_jw_str(w, "type", "string");
		end_parameter(w);
	}
}

static void write_query_parameter(struct cs_jw *w, const struct cs_param_row *row)
{
	begin_parameter(w, row->doc, "query", row->name, false);
	switch (row->type) {
	case CS_PARAM_INT:
		cs_jw_int(w, "maximum", row->hi);
		cs_jw_int(w, "minimum", row->lo);
		cs_jw_str(w, "type", "integer");
		break;
	case CS_PARAM_BOOL: cs_jw_str(w, "type", "boolean"); break;
	case CS_PARAM_ENUM: write_enum(w, row->lo, row->hi, row->value); break;
	case CS_PARAM_UUID:
		cs_jw_str(w, "format", "uuid");
		cs_jw_str(w, "type", "string");
		break;
	}
	end_parameter(w);
}

static void write_parameters(struct cs_jw *w, const struct cs_route *r)
{
	cs_jw_array(w, "parameters");
	write_path_parameters(w, r->path);
	for (unsigned p = 0; p < CS_PARAM__COUNT; p++)
		if (r->params & CS_PARAM_BIT(p))
			write_query_parameter(w, cs_param_row(p));
	if (r->idempotent) {
		begin_parameter(
			w,
			"Unique for each thing to be signed; repeat it with the same body as "
			"often as needed, nothing is signed twice.",
			"header", "Idempotency-Key", false);
		cs_jw_int(w, "maxLength", CS_IDEMPOTENCY_KEY_MAX);
		cs_jw_int(w, "minLength", 1);
		cs_jw_str(w, "pattern", "^[!-~]+$");
		cs_jw_str(w, "type", "string");
		end_parameter(w);
	}
	cs_jw_end_array(w);
}

static void write_content(struct cs_jw *w, const char *type, const struct cs_schema *schema)
{
	cs_jw_object(w, "content");
	cs_jw_object(w, type);
	if (schema) {
		cs_jw_object(w, "schema");
		write_ref(w, "schemas", schema->name);
		cs_jw_end_object(w);
	}
	cs_jw_end_object(w);
	cs_jw_end_object(w);
}

static void write_responses(struct cs_jw *w, const struct cs_route *r)
{
	const char *codes = r->codes ? r->codes : "200";

	cs_jw_object(w, "responses");
	for (const char *p = codes; *p; p += *p == ' ') {
		char code[4] = "";
		size_t len = strcspn(p, " ");

		memcpy(code, p, len < sizeof(code) ? len : sizeof(code) - 1);
		cs_jw_object(w, code);
		write_content(w, r->reply_type ? r->reply_type : "application/json", r->reply);
		cs_jw_str(w, "description", r->reply ? r->reply->doc : r->summary);
		cs_jw_end_object(w);
		p += len;
	}
	cs_jw_object(w, "default");
	write_ref(w, "responses", "Problem");
	cs_jw_end_object(w);
	cs_jw_end_object(w);
}

static void write_roles(struct cs_jw *w, unsigned roles)
{
	cs_jw_array(w, "x-countersign-roles");
	for (int role = CS_ROLE_AGENT; role <= CS_ROLE_OPERATOR; role++)
		if (roles & CS_ROLE_BIT(role))
			cs_jw_str(w, NULL, cs_role_name((enum cs_role)role));
	cs_jw_end_array(w);
}

static void write_operation(struct cs_jw *w, const char *method, const struct cs_route *r)
{
	cs_jw_object(w, method);
	cs_jw_str(w, "operationId", r->name);
	write_parameters(w, r);
	if (r->body) {
		cs_jw_object(w, "requestBody");
		write_content(w, "application/json", r->body);
		cs_jw_str(w, "description", r->body->doc);
		cs_jw_bool(w, "required", true);
		cs_jw_end_object(w);
	}
	write_responses(w, r);
	cs_jw_str(w, "summary", r->summary);
	write_roles(w, r->roles);
	cs_jw_end_object(w);
}

/* The path that follows `last` in the order of bytes, or NULL. */
static const char *path_after(const struct cs_route *routes, size_t count, const char *last)
{
	const char *best = NULL;

	for (size_t i = 0; i < count; i++)
		if (strcmp(routes[i].path, last) > 0 && (!best || strcmp(routes[i].path, best) < 0))
			best = routes[i].path;
	return best;
}

static void write_paths(struct cs_jw *w)
{
	static const struct {
		const char *method, *key;
	} methods[] = { { "GET", "get" }, { "POST", "post" } };
	size_t count;
	const struct cs_route *routes = cs_routes(&count);

	cs_jw_object(w, "paths");
	for (const char *path = path_after(routes, count, ""); path;
	     path = path_after(routes, count, path)) {
		cs_jw_object(w, path);
		for (size_t m = 0; m < sizeof(methods) / sizeof(methods[0]); m++)
			for (size_t i = 0; i < count; i++)
				if (strcmp(routes[i].path, path) == 0 &&
				    strcmp(routes[i].method, methods[m].method) == 0)
					write_operation(w, methods[m].key, &routes[i]);
		cs_jw_end_object(w);
	}
	cs_jw_end_object(w);
}

/* --- the document --- */

/* Every type with its status, so that clients can rely on them. */
static void write_problem_types(struct cs_jw *w)
{
	cs_jw_array(w, "x-countersign-problems");
	for (unsigned code = 0; code < CS_REFUSE__COUNT; code++) {
		const struct cs_problem_row *row = cs_problem_row(code);
		char type[REF_MAX];

		if (!row)
			continue;
		snprintf(type, sizeof(type), CS_PROBLEM_URN "%s", row->name);
		cs_jw_object(w, NULL);
		cs_jw_int(w, "status", row->status);
		cs_jw_str(w, "title", row->title);
		cs_jw_str(w, "type", type);
		cs_jw_end_object(w);
	}
	cs_jw_end_array(w);
}

static void write_components(struct cs_jw *w)
{
	cs_jw_object(w, "components");
	cs_jw_object(w, "responses");
	cs_jw_object(w, "Problem");
	write_content(w, CS_PROBLEM_CONTENT_TYPE, &cs_schema_problem);
	cs_jw_str(w, "description", "The request was refused, or failed: see `type` and `detail`.");
	cs_jw_end_object(w);
	cs_jw_end_object(w);
	cs_jw_object(w, "schemas");
	for (size_t i = 0; cs_schemas[i]; i++)
		write_schema(w, cs_schemas[i]);
	cs_jw_end_object(w);
	cs_jw_object(w, "securitySchemes");
	cs_jw_object(w, "certificate");
	cs_jw_str(w, "description",
		  "A TLS client certificate that access.yaml gives to a principal.");
	cs_jw_str(w, "type", "mutualTLS");
	cs_jw_end_object(w);
	cs_jw_end_object(w);
	cs_jw_end_object(w);
}

void cs_http_openapi(struct cs_buf *out)
{
	struct cs_jw w;

	cs_jw_init(&w, out);
	cs_jw_object(&w, NULL);
	write_components(&w);
	cs_jw_object(&w, "info");
	cs_jw_str(&w, "description",
		  "A signing server. HTTP/1.1 over TLS with client certificates; every operation "
		  "names the roles that may call it.");
	cs_jw_object(&w, "license");
	cs_jw_str(&w, "identifier", "Apache-2.0");
	cs_jw_str(&w, "name", "Apache License 2.0");
	cs_jw_end_object(&w);
	cs_jw_str(&w, "title", "countersign");
	cs_jw_str(&w, "version", "1");
	cs_jw_end_object(&w);
	cs_jw_str(&w, "openapi", "3.1.0");
	write_paths(&w);
	cs_jw_array(&w, "security");
	cs_jw_object(&w, NULL);
	cs_jw_array(&w, "certificate");
	cs_jw_end_array(&w);
	cs_jw_end_object(&w);
	cs_jw_end_array(&w);
	write_problem_types(&w);
	cs_jw_end_object(&w);
}
