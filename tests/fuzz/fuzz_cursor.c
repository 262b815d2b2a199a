/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cursors: where a client wants a list or an export to go on. Input: a request target. The route
 * that it names takes its own parameters only, and what it gets is in their limits.
 */
#include "fuzz/fuzz.h"
#include "http/route.h"

#define CURSORS                                                       \
	(CS_PARAM_BIT(CS_PARAM_AFTER) | CS_PARAM_BIT(CS_PARAM_FROM) | \
	 CS_PARAM_BIT(CS_PARAM_SIZE) | CS_PARAM_BIT(CS_PARAM_REVISION))

static void check_cursor(const struct cs_query *q, enum cs_param p)
{
	const struct cs_param_row *row = cs_param_row(p);

	if (!q->has[p]) {
		fuzz_holds(q->number[p] == row->absent && !q->text[p]);
		return;
	}
	if (row->type == CS_PARAM_INT)
		fuzz_holds(q->number[p] >= row->lo && q->number[p] <= row->hi);
	if (row->type == CS_PARAM_UUID)
		fuzz_holds(strlen(q->text[p]) == CS_UUID_TEXT - 1 &&
			   strspn(q->text[p], "0123456789abcdef-") == CS_UUID_TEXT - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char target[CS_URI_MAX + 2];
	const struct cs_route *route = NULL;
	struct cs_call call = { 0 };
	struct cs_err e = { 0 };
	struct cs_buf allow;
	struct cs_uri u;
	enum cs_rc rc;

	if (!fuzz_string(data, size, target, sizeof(target)) ||
	    cs_uri_parse(target, &u, &e) != CS_OK)
		return 0;
	cs_buf_init(&allow, 64);
	rc = cs_route_find("GET", &u, &call, &route, &allow, &e);
	cs_buf_done(&allow);
	if (rc == CS_OK)
		rc = cs_query_read(&u, route->params, &call.query, &e);
	if (rc != CS_OK) {
		fuzz_refused(rc, &e);
		return 0;
	}
	for (unsigned p = 0; p < CS_PARAM__COUNT; p++) {
		fuzz_holds(!call.query.has[p] || (route->params & CS_PARAM_BIT(p)));
		if (CURSORS & CS_PARAM_BIT(p))
			check_cursor(&call.query, p);
	}
	return 0;
}
