/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of the pure parts of http/: guard, targets, queries, routes, problems, OpenAPI. What needs
 * sockets is in tests/flow.
 */
#include <check.h>
#include <jansson.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "http/guard.h"
#include "http/http.h"
#include "http/problem.h"
#include "http/route.h"
#include "http/sources.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define ID "01900000-0000-7000-8000-000000000001"

/* --- the guard --- */

/* Heads as libmicrohttpd 0.9.75 shows them: `lines` is "Name: value" joined by newlines, `off` what
 * the wire had more or less than that behind the last one. */
static const struct head_case {
	const char *name;
	const char *method, *target, *version;
	const char *lines;
	int off;
	const char *message; /* part of the refusal; NULL: passes */
} head_cases[] = {
	{ "plain", "GET", "/v1/keys", "HTTP/1.1", "Host: a", 0, NULL },
	{ "with a body", "POST", "/", "HTTP/1.1", "Host: a\nContent-Length: 12", 0, NULL },
	{ "chunked", "POST", "/", "HTTP/1.1", "Host: a\nTransfer-Encoding: Chunked", 0, NULL },
	{ "tab in a value", "GET", "/", "HTTP/1.1", "Host: a\nX: b\tc", 0, NULL },
	{ "empty value", "GET", "/", "HTTP/1.1", "Host: a\nX: ", 0, NULL },
	{ "HTTP/1.0", "GET", "/", "HTTP/1.0", "Host: a", 0, "HTTP/1.1" },
	{ "HTTP/1.2", "GET", "/", "HTTP/1.2", "Host: a", 0, "HTTP/1.1" },
	{ "no version", "GET", "/", "", "Host: a", 0, "HTTP/1.1" },
	{ "method with a colon", "GE:T", "/", "HTTP/1.1", "Host: a", 0, "method" },
	{ "no Host", "GET", "/", "HTTP/1.1", "X: a", 0, "Host: missing" },
	{ "two Hosts", "GET", "/", "HTTP/1.1", "Host: a\nHost: a", 0, "Host: more than one" },
	{ "two Hosts, one shouted", "GET", "/", "HTTP/1.1", "Host: a\nHOST: b", 0, "Host: more" },
	{ "two equal lengths", "POST", "/", "HTTP/1.1",
	  "Host: a\nContent-Length: 3\nContent-Length: 3", 0, "Content-Length: more than one" },
	{ "two lengths", "POST", "/", "HTTP/1.1", "Host: a\nContent-Length: 3\nContent-length: 4",
	  0, "Content-Length: more than one" },
	{ "list of lengths", "POST", "/", "HTTP/1.1", "Host: a\nContent-Length: 3, 3", 0,
	  "not a number" },
	{ "signed length", "POST", "/", "HTTP/1.1", "Host: a\nContent-Length: +3", 0,
	  "not a number" },
	{ "hexadecimal length", "POST", "/", "HTTP/1.1", "Host: a\nContent-Length: 0x3", 0,
	  "not a number" },
	{ "length with leading zero", "POST", "/", "HTTP/1.1", "Host: a\nContent-Length: 03", 0,
	  "not a number" },
	{ "enormous length", "POST", "/", "HTTP/1.1",
	  "Host: a\nContent-Length: 99999999999999999999", 0, "not a number" },
	{ "length with trailing space", "POST", "/", "HTTP/1.1", "Host: a\nContent-Length: 3 ", 0,
	  "not a number" },
	{ "length and coding", "POST", "/", "HTTP/1.1",
	  "Host: a\nContent-Length: 3\nTransfer-Encoding: chunked", 0, "together with" },
	{ "two codings", "POST", "/", "HTTP/1.1",
	  "Host: a\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked", 0,
	  "Transfer-Encoding: more than one" },
	{ "gzip, chunked", "POST", "/", "HTTP/1.1", "Host: a\nTransfer-Encoding: gzip, chunked", 0,
	  "only chunked" },
	{ "identity", "POST", "/", "HTTP/1.1", "Host: a\nTransfer-Encoding: identity", 0,
	  "only chunked" },
	{ "chunked in a vertical tab", "POST", "/", "HTTP/1.1",
	  "Host: a\nTransfer-Encoding: \vchunked", 0, "Transfer-Encoding: only visible" },
	{ "two authorizations", "GET", "/", "HTTP/1.1",
	  "Host: a\nAuthorization: a\nauthorization: b", 0, "Authorization: more than one" },
	{ "two idempotency keys", "POST", "/", "HTTP/1.1",
	  "Host: a\nIdempotency-Key: a\nIdempotency-Key: b", 0, "Idempotency-Key: more than one" },
	{ "two content types", "POST", "/", "HTTP/1.1", "Host: a\nContent-Type: a\nContent-Type: b",
	  0, "Content-Type: more than one" },
	{ "space before the colon", "POST", "/", "HTTP/1.1", "Host: a\nContent-Length : 3", 0,
	  "header 2" },
	{ "tab in a name", "GET", "/", "HTTP/1.1", "Host: a\nX\tY: 3", 0, "header 2" },
	{ "control character in a name", "GET", "/", "HTTP/1.1", "Host: a\nX\001: 3", 0,
	  "header 2" },
	{ "byte above ASCII in a name", "GET", "/", "HTTP/1.1", "Host: a\nX\xc3\xa9: 3", 0,
	  "header 2" },
	{ "empty name", "GET", "/", "HTTP/1.1", "Host: a\n: 3", 0, "header 2" },
	{ "escape in a value", "GET", "/", "HTTP/1.1", "Host: a\nX: \033[2J", 0, "header X" },
	{ "DEL in a value", "GET", "/", "HTTP/1.1", "Host: a\nX: \177", 0, "header X" },
	{ "byte above ASCII in a value", "GET", "/", "HTTP/1.1", "Host: a\nX: \xa9", 0,
	  "header X" },
	{ "carriage return in a value", "GET", "/", "HTTP/1.1", "Host: a\nX: b\rc", 0, "header X" },
	/* invisible in the callbacks: only where things stood on the wire shows them */
	{ "NUL and more in a value", "GET", "/", "HTTP/1.1", "Host: a", 4, "at its end" },
	{ "bare LF after a header", "GET", "/", "HTTP/1.1", "Host: a\nX: b", -1, "at its end" },
	{ "folded line", "GET", "/", "HTTP/1.1", "Host: a\nX: b", 3, "at its end" },
	{ "NUL in the target", "GET", "/v1/keys", "HTTP/1.1", "Host: a", 5, "at its end" },
};

/* Cuts `lines` into headers that point into it, and lays the head out as it should be. */
static void lay_out(const char *lines, struct cs_guard_head *head)
{
	size_t at = strlen(head->method) + strlen(head->target) + 2;

	head->version_at = at;
	at += strlen(head->version) + 2;
	for (const char *line = lines; *line; line += *line == '\n') {
		size_t len = strcspn(line, "\n");
		const char *colon = strstr(line, ": ");

		ck_assert(colon && colon < line + len);
		head->headers[head->count++] = (struct cs_guard_header){
			.name = { (const uint8_t *)line, (size_t)(colon - line) },
			.value = { (const uint8_t *)colon + 2, (size_t)(line + len - colon) - 2 },
			.name_at = at,
			.value_at = at + (size_t)(colon - line) + 2,
		};
		at += len + 2;
		line += len;
	}
	head->wire_size = at + 2;
}

START_TEST(heads_are_guarded)
{
	const struct head_case *t = &head_cases[_i];
	struct cs_guard_head head = { .method = t->method,
				      .target = t->target,
				      .version = t->version };
	struct cs_guard_facts facts;
	struct cs_err e = { .rc = CS_OK };
	enum cs_rc rc;

	lay_out(t->lines, &head);
	head.wire_size = (size_t)((int)head.wire_size + t->off);
	rc = cs_guard_check(&head, &facts, &e);
	if (t->message) {
		ck_assert_msg(rc == CS_E_INVALID, "%s: passed", t->name);
		ck_assert_msg(strstr(e.msg, t->message) != NULL, "%s: %s", t->name, e.msg);
	} else {
		ck_assert_msg(rc == CS_OK, "%s: %s", t->name, e.msg);
	}
}
END_TEST

/* Two irregularities of which one makes up for the other's bytes. */
static const struct {
	const char *name;
	int version, name1, value1, name2, value2; /* how far each stood from where it should */
	const char *message;
} shifts[] = {
	{ "as it should be", 0, 0, 0, 0, 0, NULL },
	{ "two spaces, bare LF", 0, 0, 1, 0, 0, "at X:" },
	{ "no space, NUL", 0, 0, -1, 0, 0, "at X:" },
	{ "bare LF, two spaces", 0, 0, 0, -1, 0, "at Y:" },
	{ "bare LF after the request line", 0, -1, -1, 0, 0, "at X:" },
	{ "two spaces in the request line", 1, 0, 0, 0, 0, "request line" },
	{ "folded line, copied elsewhere", 0, 5000, 0, 0, 0, "at X:" },
	{ "copied to a lower address", 0, 0, 0, -5000, 0, "at Y:" },
};

START_TEST(places_are_compared)
{
	struct cs_guard_head head = { .method = "GET", .target = "/", .version = "HTTP/1.1" };
	struct cs_guard_facts facts;
	struct cs_err e = { .rc = CS_OK };
	enum cs_rc rc;

	lay_out("Host: a\nX: b\nY: c", &head);
	head.version_at += (size_t)shifts[_i].version;
	head.headers[1].name_at += (size_t)shifts[_i].name1;
	head.headers[1].value_at += (size_t)shifts[_i].value1;
	head.headers[2].name_at += (size_t)shifts[_i].name2;
	head.headers[2].value_at += (size_t)shifts[_i].value2;
	rc = cs_guard_check(&head, &facts, &e);
	if (shifts[_i].message) {
		ck_assert_msg(rc == CS_E_INVALID, "%s: passed", shifts[_i].name);
		ck_assert_msg(strstr(e.msg, shifts[_i].message) != NULL, "%s: %s", shifts[_i].name,
			      e.msg);
	} else {
		ck_assert_msg(rc == CS_OK, "%s: %s", shifts[_i].name, e.msg);
	}
}
END_TEST

START_TEST(facts_of_a_head)
{
	struct cs_guard_head head = { .method = "POST", .target = "/", .version = "HTTP/1.1" };
	struct cs_guard_facts facts;
	struct cs_err e = { .rc = CS_OK };

	lay_out("Host: example\nContent-Length: 65536\nIdempotency-Key: k", &head);
	ck_assert_msg(cs_guard_check(&head, &facts, &e) == CS_OK, "%s", e.msg);
	ck_assert_int_eq(facts.content_length, 65536);
	ck_assert(!facts.chunked);
	ck_assert(facts.has_idempotency_key);
	ck_assert(cs_bytes_equal(facts.idempotency_key, cs_bytes_of("k")));
	ck_assert_uint_eq(facts.content_type.len, 0);
}
END_TEST

START_TEST(too_many_headers)
{
	struct cs_guard_head head = { .method = "GET", .target = "/", .version = "HTTP/1.1" };
	struct cs_guard_facts facts;
	struct cs_err e = { .rc = CS_OK };

	head.count = CS_GUARD_HEADERS_MAX + 1;
	ck_assert_int_eq(cs_guard_check(&head, &facts, &e), CS_E_INVALID);
	ck_assert_ptr_nonnull(strstr(e.msg, "more than"));
}
END_TEST

/* --- targets --- */

static const struct target_case {
	const char *target;
	const char *parts; /* segments joined by '|', then "?name=value" each; NULL: refused */
} target_cases[] = {
	{ "/v1/keys", "v1|keys" },
	{ "/v1/keys/vendor%2Fapp", "v1|keys|vendor/app" },
	{ "/v1/keys/a%2eb", "v1|keys|a.b" },
	{ "/v1/requests?limit=3&state=pending", "v1|requests?limit=3?state=pending" },
	{ "/v1/requests?state=%70ending", "v1|requests?state=pending" },
	{ "/v1/requests?after=", "v1|requests?after=" },
	{ "/v1/requests?a=b+c", "v1|requests?a=b+c" },
	{ "", NULL },
	{ "*", NULL },
	{ "v1/keys", NULL },
	{ "https://example/v1/keys", NULL },
	{ "/", NULL },
	{ "/v1/", NULL },
	{ "//v1/keys", NULL },
	{ "/v1//keys", NULL },
	{ "/v1/../v1/keys", NULL },
	{ "/v1/%2e%2e/keys", NULL },
	{ "/v1/.%2E/keys", NULL },
	{ "/v1/./keys", NULL },
	{ "/v1\\keys", NULL },
	{ "/v1/keys%00", NULL },
	{ "/v1/keys%00.json", NULL },
	{ "/v1/keys/%0a", NULL },
	{ "/v1/keys/%7f", NULL },
	{ "/v1/keys/%", NULL },
	{ "/v1/keys/%4", NULL },
	{ "/v1/keys/%4g", NULL },
	{ "/v1/keys#x", NULL },
	{ "/v1/keys x", NULL },
	{ "/v1/\xc3\xa9", NULL },
	{ "/v1/keys\x01", NULL },
	{ "/v1/keys?", NULL },
	{ "/v1/keys?x", NULL },
	{ "/v1/keys?=x", NULL },
	{ "/v1/keys?a=1&", NULL },
	{ "/v1/keys?&a=1", NULL },
	{ "/v1/keys?a=%00", NULL },
	{ "/1/2/3/4/5/6/7/8", "1|2|3|4|5|6|7|8" },
	{ "/1/2/3/4/5/6/7/8/9", NULL },
};

static void join(const struct cs_uri *u, struct cs_buf *out)
{
	for (size_t i = 0; i < u->segment_count; i++)
		cs_buf_addf(out, "%s%s", i ? "|" : "", u->segments[i]);
	for (size_t i = 0; i < u->pair_count; i++)
		cs_buf_addf(out, "?%s=%s", u->pairs[i].name, u->pairs[i].value);
}

START_TEST(targets_are_split)
{
	const struct target_case *t = &target_cases[_i];
	struct cs_err e = { .rc = CS_OK };
	struct cs_buf parts;
	struct cs_uri u;
	enum cs_rc rc = cs_uri_parse(t->target, &u, &e);

	if (!t->parts) {
		ck_assert_msg(rc != CS_OK, "%s: passed", t->target);
		return;
	}
	ck_assert_msg(rc == CS_OK, "%s: %s", t->target, e.msg);
	cs_buf_init(&parts, 1024);
	join(&u, &parts);
	ck_assert_str_eq(cs_buf_str(&parts), t->parts);
	cs_buf_done(&parts);
}
END_TEST

START_TEST(long_targets_are_refused)
{
	char target[CS_URI_MAX + 2];
	struct cs_uri u;

	memset(target, 'a', sizeof(target));
	target[0] = '/';
	target[CS_URI_MAX] = '\0';
	ck_assert_int_eq(cs_uri_parse(target, &u, NULL), CS_OK);
	target[CS_URI_MAX] = 'a';
	target[CS_URI_MAX + 1] = '\0';
	ck_assert_int_eq(cs_uri_parse(target, &u, NULL), CS_E_TOO_LARGE);
}
END_TEST

/* --- queries --- */

#define LIST                                                                  \
	(CS_PARAM_BIT(CS_PARAM_STATE) | CS_PARAM_BIT(CS_PARAM_ENVIRONMENT) |  \
	 CS_PARAM_BIT(CS_PARAM_WAITS_FOR_ME) | CS_PARAM_BIT(CS_PARAM_AFTER) | \
	 CS_PARAM_BIT(CS_PARAM_LIMIT) | CS_PARAM_BIT(CS_PARAM_WAIT))

static const struct query_case {
	const char *query;
	enum cs_param param;
	int64_t value;
	const char *message; /* part of the refusal; NULL: passes */
} query_cases[] = {
	{ "limit=200", CS_PARAM_LIMIT, 200, NULL },
	{ "wait=0", CS_PARAM_LIMIT, 50, NULL },
	{ "wait=60", CS_PARAM_WAIT, 60, NULL },
	{ "state=signed", CS_PARAM_STATE, CS_ST_SIGNED, NULL },
	{ "environment=prod", CS_PARAM_ENVIRONMENT, CS_ENV_PROD, NULL },
	{ "waits_for_me=true", CS_PARAM_WAITS_FOR_ME, 1, NULL },
	{ "waits_for_me=false", CS_PARAM_WAITS_FOR_ME, 0, NULL },
	{ "limit=0", CS_PARAM_LIMIT, 0, "limit is an integer from 1 to 200" },
	{ "limit=201", CS_PARAM_LIMIT, 0, "limit is" },
	{ "limit=-1", CS_PARAM_LIMIT, 0, "limit is" },
	{ "limit=010", CS_PARAM_LIMIT, 0, "limit is" },
	{ "limit=0x10", CS_PARAM_LIMIT, 0, "limit is" },
	{ "limit=1e1", CS_PARAM_LIMIT, 0, "limit is" },
	{ "limit=", CS_PARAM_LIMIT, 0, "limit is" },
	{ "limit=99999999999999999999", CS_PARAM_LIMIT, 0, "limit is" },
	{ "wait=61", CS_PARAM_WAIT, 0, "wait is an integer from 0 to 60" },
	{ "state=none", CS_PARAM_STATE, 0, "state is one of denied, pending" },
	{ "state=Signed", CS_PARAM_STATE, 0, "state is one of" },
	{ "environment=", CS_PARAM_ENVIRONMENT, 0, "environment is one of dev, prod" },
	{ "waits_for_me=yes", CS_PARAM_WAITS_FOR_ME, 0, "waits_for_me is true or false" },
	{ "after=1", CS_PARAM_AFTER, 0, "after is a request id" },
	{ "limit=1&limit=1", CS_PARAM_LIMIT, 0, "limit is given more than once" },
	{ "limit=1&wait=1&limit=2", CS_PARAM_LIMIT, 0, "limit is given more than once" },
	{ "from=1", CS_PARAM_FROM, 0, "unknown parameter \"from\"; taken are state" },
	{ "Limit=1", CS_PARAM_LIMIT, 0, "unknown parameter \"Limit\"" },
	{ "%e2%80%ae=1", CS_PARAM_LIMIT, 0, "unknown parameter \"\\xe2\\x80\\xae\"" },
};

START_TEST(queries_are_read)
{
	const struct query_case *t = &query_cases[_i];
	struct cs_err e = { .rc = CS_OK };
	struct cs_query q;
	struct cs_uri u;
	char target[128];
	enum cs_rc rc;

	snprintf(target, sizeof(target), "/v1/requests?%s", t->query);
	ck_assert_int_eq(cs_uri_parse(target, &u, &e), CS_OK);
	rc = cs_query_read(&u, LIST, &q, &e);
	if (t->message) {
		ck_assert_msg(rc == CS_E_INVALID, "%s: passed", t->query);
		ck_assert_msg(strstr(e.msg, t->message) != NULL, "%s: %s", t->query, e.msg);
	} else {
		ck_assert_msg(rc == CS_OK, "%s: %s", t->query, e.msg);
		ck_assert_int_eq(q.number[t->param], t->value);
	}
}
END_TEST

START_TEST(every_parameter_is_described)
{
	for (unsigned p = 0; p < CS_PARAM__COUNT; p++) {
		const struct cs_param_row *row = cs_param_row(p);

		ck_assert_ptr_nonnull(row->name);
		ck_assert_ptr_nonnull(row->doc);
		ck_assert((row->type == CS_PARAM_ENUM) == (row->value != NULL));
	}
}
END_TEST

/* --- routes --- */

static const struct route_case {
	const char *method, *target;
	const char *name;  /* operationId; NULL: none */
	const char *allow; /* with none: other methods of the path */
} route_cases[] = {
	{ "GET", "/v1/requests", "listRequests", NULL },
	{ "POST", "/v1/requests", "submitRequest", NULL },
	{ "GET", "/v1/requests/" ID, "getRequest", NULL },
	{ "GET", "/v1/requests/" ID "/signatures/0", "getSignature", NULL },
	{ "GET", "/v1/requests/" ID "/signatures/15", "getSignature", NULL },
	{ "GET", "/v1/keys/vendor%2fapp", "getKey", NULL },
	{ "GET", "/v1/requests/" ID "/signatures/16", NULL, NULL },
	{ "GET", "/v1/requests/" ID "/signatures/00", NULL, NULL },
	{ "GET", "/v1/requests/" ID "/signatures", NULL, NULL },
	{ "GET", "/v1/requests/01900000-0000-7000-8000-00000000000A", NULL, NULL },
	{ "GET", "/v1/requests/1", NULL, NULL },
	{ "GET", "/v1/requests/" ID "/document/x", NULL, NULL },
	{ "GET", "/v1/keys/a%20b", NULL, NULL },
	{ "GET", "/v1", NULL, NULL },
	{ "GET", "/v2/keys", NULL, NULL },
	{ "GET", "/V1/keys", NULL, NULL },
	{ "DELETE", "/v1/requests", NULL, "POST, GET" },
	{ "HEAD", "/v1/keys", NULL, "GET" },
	{ "get", "/v1/keys", NULL, "GET" },
	{ "GET", "/v1/requests/" ID "/cancel", NULL, "POST" },
};

START_TEST(routes_are_found)
{
	const struct route_case *t = &route_cases[_i];
	const struct cs_route *r = NULL;
	struct cs_err e = { .rc = CS_OK };
	struct cs_call call;
	struct cs_buf allow;
	struct cs_uri u;
	enum cs_rc rc;

	cs_buf_init(&allow, 64);
	ck_assert_int_eq(cs_uri_parse(t->target, &u, &e), CS_OK);
	rc = cs_route_find(t->method, &u, &call, &r, &allow, &e);
	if (t->name) {
		ck_assert_msg(rc == CS_OK, "%s: %s", t->target, e.msg);
		ck_assert_str_eq(r->name, t->name);
	} else {
		ck_assert_msg(rc == (t->allow ? CS_E_UNSUPPORTED : CS_E_NOT_FOUND), "%s",
			      t->target);
		ck_assert_str_eq(cs_buf_str(&allow), t->allow ? t->allow : "");
	}
	cs_buf_done(&allow);
}
END_TEST

START_TEST(table_is_sane)
{
	struct cs_err e = { .rc = CS_OK };
	size_t count;
	const struct cs_route *routes = cs_routes(&count);

	ck_assert_msg(cs_routes_sane(routes, count, &e) == CS_OK, "%s", e.msg);
}
END_TEST

/* A copy of a good row, spoilt. */
static void spoil(int how, struct cs_route *r)
{
	switch (how) {
	case 0: r->roles = 0; break;
	case 1: r->roles |= 1U << 31; break;
	case 2: r->handler = NULL; break;
	case 3: r->summary = NULL; break;
	case 4: r->method = "PUT"; break;
	case 5: r->path = "/v1/things/{thing}"; break;
	case 6: r->reply_type = "text/plain"; break;
	case 7: r->params = CS_PARAM_BIT(CS_PARAM__COUNT); break;
	case 8: r->wait = CS_WAIT_ANY; break;
	case 9: r->path = NULL; break;
	default: break;
	}
}

#define SPOILS 10

START_TEST(spoilt_rows_are_refused)
{
	struct cs_err e = { .rc = CS_OK };
	size_t count;
	struct cs_route row[2];
	const struct cs_route *routes = cs_routes(&count);

	for (size_t i = 0; i < count; i++)
		if (strcmp(routes[i].name, "listKeys") == 0)
			row[0] = row[1] = routes[i];
	row[1].path = "/v1/other";
	ck_assert_msg(cs_routes_sane(row, 2, &e) == CS_OK, "%s", e.msg);
	spoil(_i, &row[1]);
	ck_assert_int_eq(cs_routes_sane(row, 2, &e), CS_E_INTERNAL);
	row[1] = row[0];
	ck_assert_int_eq(cs_routes_sane(row, 2, &e), CS_E_INTERNAL);
	ck_assert_ptr_nonnull(strstr(e.msg, "twice"));
}
END_TEST

/* --- who failed too often --- */

static uint64_t v6(uint8_t network, uint8_t host)
{
	struct sockaddr_in6 a = { .sin6_family = AF_INET6 };

	a.sin6_addr.s6_addr[0] = 0x20;
	a.sin6_addr.s6_addr[7] = network;
	a.sin6_addr.s6_addr[15] = host;
	return cs_source_of((const struct sockaddr *)&a);
}

static uint64_t v4(uint32_t address, bool mapped)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(address) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };

	if (!mapped)
		return cs_source_of((const struct sockaddr *)&in);
	in6.sin6_addr.s6_addr[10] = in6.sin6_addr.s6_addr[11] = 0xff;
	memcpy(in6.sin6_addr.s6_addr + 12, &in.sin_addr.s_addr, 4);
	return cs_source_of((const struct sockaddr *)&in6);
}

START_TEST(addresses_are_sources)
{
	ck_assert(v4(0x7f000001, false) == v4(0x7f000001, true));
	ck_assert(v4(0x7f000001, false) != v4(0x7f000002, false));
	ck_assert(v6(1, 1) == v6(1, 2));
	ck_assert(v6(1, 1) != v6(2, 1));
	ck_assert(cs_source_of((const struct sockaddr *)&(struct sockaddr_in6){
			  .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT }) != 0);
}
END_TEST

START_TEST(failures_have_a_rate)
{
	const int64_t start = 100 * CS_SECOND;
	struct cs_sources *s = NULL;
	struct cs_err e;

	ck_assert_int_eq(cs_sources_new(6, &s, &e), CS_OK);
	for (int i = 0; i < 6; i++) {
		ck_assert(cs_sources_may(s, v6(1, 1), start));
		cs_sources_failed(s, v6(1, 1), start);
	}
	ck_assert(!cs_sources_may(s, v6(1, 1), start));
	ck_assert(cs_sources_may(s, v6(2, 1), start));
	/* one comes back every ten seconds, and all of them in a minute */
	ck_assert(!cs_sources_may(s, v6(1, 1), start + 9 * CS_SECOND));
	ck_assert(cs_sources_may(s, v6(1, 1), start + 10 * CS_SECOND));
	cs_sources_failed(s, v6(1, 1), start + 10 * CS_SECOND);
	ck_assert(!cs_sources_may(s, v6(1, 1), start + 10 * CS_SECOND));
	ck_assert(cs_sources_may(s, v6(1, 1), start + 80 * CS_SECOND));
	cs_sources_free(s);
}
END_TEST

/* More addresses than the table holds: somebody is forgotten, but nobody accused. */
START_TEST(many_sources)
{
	struct cs_sources *s = NULL;
	struct cs_err e;

	ck_assert_int_eq(cs_sources_new(1, &s, &e), CS_OK);
	for (uint32_t i = 0; i < 100000; i++)
		cs_sources_failed(s, v4(i, false), CS_SECOND);
	ck_assert(!cs_sources_may(s, v4(99999, false), CS_SECOND));
	for (uint32_t i = 100000; i < 200000; i++)
		ck_assert(cs_sources_may(s, v4(i, false), CS_SECOND));
	cs_sources_free(s);
}
END_TEST

/* --- problems --- */

START_TEST(every_code_has_a_problem)
{
	ck_assert_ptr_null(cs_problem_row(CS_OK));
	ck_assert_ptr_null(cs_problem_row(CS_REFUSE__COUNT));
	for (unsigned code = CS_OK + 1; code < CS_REFUSE__COUNT; code++) {
		const struct cs_problem_row *row = cs_problem_row(code);

		ck_assert_msg(row != NULL, "code %u has no row", code);
		ck_assert(row->status >= 400 && row->status < 600);
		ck_assert_ptr_nonnull(row->title);
		if (code < CS_RC__COUNT)
			ck_assert_str_eq(row->name, cs_rc_name((enum cs_rc)code));
		/* what is logged as an incident is ours */
		ck_assert(!row->incident || row->status >= 500);
	}
}
END_TEST

START_TEST(problems_are_json)
{
	struct cs_problem_doc doc = {
		.code = CS_E_DENIED,
		.detail = "quote \" escape \033 bytes \xff\xfe end",
		.rule = "quorum",
		.request = ID,
	};
	const char *detail, *type;
	struct cs_buf out;
	int status;
	json_t *root;

	cs_buf_init(&out, 4096);
	cs_problem_write(&doc, &out);
	root = json_loadb(cs_buf_str(&out), out.len, 0, NULL);
	ck_assert_msg(root != NULL, "%s", cs_buf_str(&out));
	ck_assert_int_eq(json_unpack(root, "{s:s, s:s, s:i}", "detail", &detail, "type", &type,
				     "status", &status),
			 0);
	ck_assert_str_eq(detail, "quote \" escape \\x1b bytes \\xff\\xfe end");
	ck_assert_str_eq(type, "urn:countersign:problem:denied");
	ck_assert_int_eq(status, 403);
	ck_assert_str_eq(json_string_value(json_object_get(root, "rule")), "quorum");
	ck_assert_str_eq(json_string_value(json_object_get(root, "request")), ID);
	json_decref(root);
	cs_buf_done(&out);
}
END_TEST

/* --- OpenAPI --- */

/* What "#/components/KIND/NAME" refers to, or NULL. */
static const json_t *resolve(const json_t *root, const char *ref)
{
	const json_t *at = root;

	for (const char *part = ref + strlen("#"); at && *part == '/'; part += strcspn(part, "/")) {
		part++;
		at = json_object_getn(at, part, strcspn(part, "/"));
	}
	return at;
}

/* Every reference leads somewhere. */
static void follow_refs(const json_t *root, json_t *value)
{
	const char *key;
	json_t *child;
	size_t i;

	json_array_foreach (value, i, child) {
		follow_refs(root, child);
	}
	json_object_foreach (value, key, child) {
		follow_refs(root, child);
		if (strcmp(key, "$ref") == 0)
			ck_assert_msg(resolve(root, json_string_value(child)) != NULL,
				      "%s leads nowhere", json_string_value(child));
	}
}

START_TEST(openapi_is_whole)
{
	size_t count, operations = 0;
	const struct cs_route *routes = cs_routes(&count);
	struct cs_buf out;
	const char *key;
	json_t *root, *path;

	cs_buf_init(&out, 1U << 20);
	cs_http_openapi(&out);
	ck_assert_int_eq(out.failed, CS_OK);
	root = json_loadb(cs_buf_str(&out), out.len, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(root);
	json_object_foreach (json_object_get(root, "paths"), key, path) {
		operations += json_object_size(path);
	}
	ck_assert_uint_eq(operations, count);
	ck_assert_str_eq(routes[0].name, "submitRequest");
	follow_refs(root, root);
	json_decref(root);
	cs_buf_done(&out);
}
END_TEST

/* --- the described limits are the parser's --- */

static json_t *text_of_length(int64_t len)
{
	char *text = malloc((size_t)len + 1);
	json_t *value;

	ck_assert_ptr_nonnull(text);
	memset(text, 'x', (size_t)len);
	text[len] = '\0';
	value = json_string(text);
	free(text);
	return value;
}

static json_t *sample_object(const struct cs_schema *s);

/* A value of a field whose length, size or number of elements is n. */
static json_t *sample(const struct cs_schema_field *f, int64_t n)
{
	json_t *list;

	switch (f->type) {
	case CS_S_NAME:
	case CS_S_TEXT: return text_of_length(n);
	case CS_S_INT: return json_integer(n);
	case CS_S_ENUM: return json_string(f->value((int)f->min));
	case CS_S_HEX: return json_sprintf("%064d", 0);
	case CS_S_OBJECT: return sample_object(f->of);
	case CS_S_LIST:
		list = json_array();
		for (int64_t i = 0; i < n; i++) {
			json_t *item = sample_object(f->of);

			json_object_set_new(item, "name", json_sprintf("n%d", (int)i));
			json_array_append_new(list, item);
		}
		return list;
	case CS_S_BASE64:
	case CS_S_UUID:
	case CS_S_TIME:
	case CS_S_BOOL: break;
	}
	ck_abort_msg("submissions have no field of this type: %s", f->name);
	return NULL;
}

static json_t *sample_object(const struct cs_schema *s)
{
	json_t *object = json_object();

	for (size_t i = 0; i < s->count; i++)
		json_object_set_new(object, s->fields[i].name,
				    sample(&s->fields[i], s->fields[i].min));
	return object;
}

static bool parses(const json_t *root)
{
	static struct cs_submission submission;
	char *text = json_dumps(root, JSON_COMPACT);
	bool ok = cs_submission_parse(cs_bytes_of(text), &submission, NULL) == CS_OK;

	free(text);
	return ok;
}

/* Each bounded field of an object within root, at its bounds and beyond them. */
static void try_bounds(const json_t *root, json_t *object, const struct cs_schema *s)
{
	for (size_t i = 0; i < s->count; i++) {
		const struct cs_schema_field *f = &s->fields[i];
		const int64_t values[] = { f->min, f->max, f->max + 1, f->min - 1 };

		if (f->type == CS_S_OBJECT)
			try_bounds(root, json_object_get(object, f->name), f->of);
		if (f->type == CS_S_OBJECT || f->type == CS_S_ENUM || f->type == CS_S_HEX)
			continue;
		for (size_t k = 0; k < COUNT(values) && values[k] >= 0; k++) {
			json_object_set_new(object, f->name, sample(f, values[k]));
			ck_assert_msg(parses(root) == (k < 2), "%s.%s of %lld", s->name, f->name,
				      (long long)values[k]);
		}
		json_object_set_new(object, f->name, sample(f, f->min));
	}
	/* all that is required, and nothing else */
	for (size_t i = 0; i < s->count; i++) {
		json_object_del(object, s->fields[i].name);
		ck_assert_msg(parses(root) == s->fields[i].optional, "without %s.%s", s->name,
			      s->fields[i].name);
		json_object_set_new(object, s->fields[i].name,
				    sample(&s->fields[i], s->fields[i].min));
	}
	json_object_set_new(object, "surprise", json_true());
	ck_assert_msg(parses(root) == !s->strict, "%s with a surprise", s->name);
	json_object_del(object, "surprise");
}

START_TEST(described_limits_are_enforced)
{
	const struct cs_schema *s = &cs_schema_submission;
	json_t *root = sample_object(s);

	ck_assert(parses(root));
	try_bounds(root, root, s);
	try_bounds(root, json_array_get(json_object_get(root, "artifacts"), 0), s->fields[0].of);
	json_decref(root);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("http");
	TCase *tc = tcase_create("edge");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, heads_are_guarded, 0, (int)COUNT(head_cases));
	tcase_add_loop_test(tc, places_are_compared, 0, (int)COUNT(shifts));
	tcase_add_test(tc, facts_of_a_head);
	tcase_add_test(tc, too_many_headers);
	tcase_add_loop_test(tc, targets_are_split, 0, (int)COUNT(target_cases));
	tcase_add_test(tc, long_targets_are_refused);
	tcase_add_loop_test(tc, queries_are_read, 0, (int)COUNT(query_cases));
	tcase_add_test(tc, every_parameter_is_described);
	tcase_add_loop_test(tc, routes_are_found, 0, (int)COUNT(route_cases));
	tcase_add_test(tc, table_is_sane);
	tcase_add_loop_test(tc, spoilt_rows_are_refused, 0, SPOILS);
	tcase_add_test(tc, addresses_are_sources);
	tcase_add_test(tc, failures_have_a_rate);
	tcase_add_test(tc, many_sources);
	tcase_add_test(tc, every_code_has_a_problem);
	tcase_add_test(tc, problems_are_json);
	tcase_add_test(tc, openapi_is_whole);
	tcase_add_test(tc, described_limits_are_enforced);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
