/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Query parameters: one table of all there are, read strictly, typed once. A route names those it
 * takes. Pure.
 */
#ifndef CS_HTTP_QUERY_H
#define CS_HTTP_QUERY_H

#include "http/uri.h"

enum cs_param {
	CS_PARAM_STATE,
	CS_PARAM_ENVIRONMENT,
	CS_PARAM_WAITS_FOR_ME,
	CS_PARAM_AFTER,
	CS_PARAM_LIMIT,
	CS_PARAM_WAIT,
	CS_PARAM_REVISION,
	CS_PARAM_FROM,
	CS_PARAM_RESUME,
	CS_PARAM_SIZE,
	CS_PARAM__COUNT
};
#define CS_PARAM_BIT(p) (1U << (p))

enum cs_param_type { CS_PARAM_INT, CS_PARAM_BOOL, CS_PARAM_ENUM, CS_PARAM_UUID };

struct cs_param_row {
	const char *name;
	enum cs_param_type type;
	int64_t lo, hi;              /* integers; enumerations: the values that have names */
	int64_t absent;              /* value when the parameter is not given */
	const char *(*value)(int v); /* enumerations: the name of a value */
	const char *doc;
};

/** The table's row; static storage. */
const struct cs_param_row *cs_param_row(enum cs_param p);

struct cs_query {
	bool has[CS_PARAM__COUNT];
	int64_t number[CS_PARAM__COUNT]; /* integers, booleans, enumerations; `absent` when not
					    given */
	const char
		*text[CS_PARAM__COUNT]; /* as given, borrowed from the URI; NULL when not given */
};

/**
 * Read the pairs of a target. Unknown, repeated and malformed parameters are errors that name the
 * parameter and, for unknown ones, those that the route takes.
 *
 * @param allowed  bits of the parameters that the route takes
 */
enum cs_rc cs_query_read(const struct cs_uri *u, unsigned allowed, struct cs_query *q,
			 struct cs_err *e) CS_MUST_CHECK;

#endif
