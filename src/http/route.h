/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The route table: one row per operation, with its method, path, roles, query parameters, body and
 * handler. OpenAPI is generated from it. A row without a role refuses to start.
 */
#ifndef CS_HTTP_ROUTE_H
#define CS_HTTP_ROUTE_H

#include <string.h>

#include "core/core.h"
#include "http/query.h"
#include "http/schema.h"
#include "http/uri.h"

#define CS_ROLE_BIT(role) (1U << (role))

/** One request on its way through a handler. Everything borrowed for the call. */
struct cs_call {
	struct cs_core *core;
	struct cs_caller who;
	const char *id;   /* {id}: a UUID */
	const char *name; /* {name} */
	int64_t number;   /* {n} */
	struct cs_query query;
	struct cs_bytes body;
	const char *idempotency_key; /* NULL when absent */
	/* filled by the handler */
	struct cs_answer *answer; /* initialised */
	unsigned status;          /* 200 unless the handler says otherwise */
	bool has_location;        /* answer->id is where the result lives */
	/* for a starter: called once, on any thread, when the answer is there; then the call is
	 * gone
	 */
	void (*answered)(struct cs_call *call, enum cs_rc rc, const struct cs_err *e);
	struct cs_submission *submission; /* of a POST: its place until it is answered */
};

/** Answers when it returns; may wait for the log. On a worker thread. */
typedef enum cs_rc cs_handler_fn(struct cs_call *call, struct cs_err *e);
/** Begins, and answers through call->answered: nobody waits meanwhile. On the core's pool. */
typedef void cs_starter_fn(struct cs_call *call);

/** What a long poll of a route waits for. */
enum cs_route_wait { CS_WAIT_NONE, CS_WAIT_REQUEST, CS_WAIT_ANY };

struct cs_route {
	const char *method;
	const char *path;              /* "/v1/requests/{id}" */
	unsigned roles;                /* CS_ROLE_BIT; 0 is refused at start */
	unsigned params;               /* CS_PARAM_BIT */
	const struct cs_schema *body;  /* NULL: no body is taken */
	const struct cs_schema *reply; /* NULL: see reply_type */
	const char *reply_type;        /* NULL: application/json */
	const char *codes;             /* of success, "200 201"; NULL: "200" */
	bool idempotent;               /* takes Idempotency-Key */
	enum cs_route_wait wait;
	int64_t cost;           /* of a read, in reads; 0 is 1 */
	cs_handler_fn *handler; /* or: */
	cs_starter_fn *starter;
	const char *name; /* operationId */
	const char *summary;
};

/** Does it change nothing? */
static inline bool cs_route_is_read(const struct cs_route *r)
{
	return strcmp(r->method, "GET") == 0;
}

/** The table; static storage. */
const struct cs_route *cs_routes(size_t *countp);

/** Is every row complete: a role, a handler, a summary, a path that the matcher knows, no row
 * twice? CS_E_INTERNAL names the row. Checked at start. */
enum cs_rc cs_routes_sane(const struct cs_route *routes, size_t count,
			  struct cs_err *e) CS_MUST_CHECK;

/**
 * Find the row of a method and target and set the path's parameters in the call.
 *
 * @param allow  for 405: filled with the methods of the path, "GET, POST"
 * @return CS_OK, CS_E_NOT_FOUND, or CS_E_UNSUPPORTED when the path has other methods
 */
enum cs_rc cs_route_find(const char *method, const struct cs_uri *u, struct cs_call *call,
			 const struct cs_route **rp, struct cs_buf *allow,
			 struct cs_err *e) CS_MUST_CHECK;

/** Names of the roles in a set, "agent, approver". */
void cs_roles_list(unsigned roles, struct cs_buf *out);

#endif
