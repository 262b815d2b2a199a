/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of query parameters and its reader.
 * Must not guess: an unknown or repeated parameter is a mistake of the caller's, and it is told so.
 * See query.h for the contract; openapi.c reads the same table.
 */
#include "http/query.h"

#include <assert.h>
#include <string.h>

#include "base/jcs.h"
#include "base/text.h"
#include "model/names.h"
#include "model/state.h"

static const char *state_value(int v)
{
	return cs_state_name((enum cs_state)v);
}

static const char *environment_value(int v)
{
	return cs_env_name((enum cs_env)v);
}

static const struct cs_param_row params[CS_PARAM__COUNT] = {
	[CS_PARAM_STATE] = { "state", CS_PARAM_ENUM, CS_ST_NONE + 1, CS_ST__COUNT - 1, CS_ST_NONE,
			     state_value, "Only requests in this state." },
	[CS_PARAM_ENVIRONMENT] = { "environment", CS_PARAM_ENUM, CS_ENV_DEV, CS_ENV_PROD,
				   CS_ENV_NONE, environment_value,
				   "Only requests of this environment." },
	[CS_PARAM_WAITS_FOR_ME] = { "waits_for_me", CS_PARAM_BOOL, 0, 1, 0, NULL,
				    "Only pending requests that the caller's approval would count "
				    "for." },
	[CS_PARAM_AFTER] = { "after", CS_PARAM_UUID, 0, 0, 0, NULL,
			     "Cursor: the `next` of the page before." },
	[CS_PARAM_LIMIT] = { "limit", CS_PARAM_INT, 1, 200, 50, NULL, "Requests on a page." },
	[CS_PARAM_WAIT] = { "wait", CS_PARAM_INT, 0, 60, 0, NULL,
			    "Seconds to wait for a change before answering." },
	[CS_PARAM_REVISION] = { "revision", CS_PARAM_INT, 0, CS_JCS_INT_MAX, 0, NULL,
				"Revision that the caller has seen; with `wait`, the answer comes "
				"at once when there is a newer one. Default: the one at arrival." },
	[CS_PARAM_FROM] = { "from", CS_PARAM_INT, 1, CS_JCS_INT_MAX, 1, NULL,
			    "Number of the first event." },
	[CS_PARAM_RESUME] = { "resume", CS_PARAM_BOOL, 0, 1, 0, NULL,
			      "Whether this page continues an export; the first page of an export "
			      "is recorded in the log." },
	[CS_PARAM_SIZE] = { "size", CS_PARAM_INT, 1, CS_JCS_INT_MAX, 0, NULL,
			    "Size of the log whose head is asked for. Default: now." },
};

const struct cs_param_row *cs_param_row(enum cs_param p)
{
	assert((unsigned)p < CS_PARAM__COUNT);
	return &params[p];
}

/* "a, b and c", for errors */
static void list_allowed(unsigned allowed, struct cs_buf *out)
{
	for (unsigned p = 0; p < CS_PARAM__COUNT; p++) {
		if (!(allowed & CS_PARAM_BIT(p)))
			continue;
		if (out->len > 0)
			cs_buf_add_str(out, ", ");
		cs_buf_add_str(out, params[p].name);
	}
}

static enum cs_rc unknown(const char *name, unsigned allowed, struct cs_err *e)
{
	struct cs_buf shown, taken;

	cs_buf_init(&shown, 128);
	cs_buf_init(&taken, 256);
	cs_text_show(name, &shown);
	list_allowed(allowed, &taken);
	if (allowed)
		cs_err_set(e, CS_E_INVALID, "query: unknown parameter \"%.64s\"; taken are %s",
			   cs_buf_str(&shown), cs_buf_str(&taken));
	else
		cs_err_set(e, CS_E_INVALID,
			   "query: unknown parameter \"%.64s\"; none is taken here",
			   cs_buf_str(&shown));
	cs_buf_done(&shown);
	cs_buf_done(&taken);
	return CS_E_INVALID;
}

static enum cs_rc read_enum(const struct cs_param_row *row, const char *value, int64_t *out,
			    struct cs_err *e)
{
	struct cs_buf names;

	for (int64_t v = row->lo; v <= row->hi; v++) {
		if (strcmp(row->value((int)v), value) == 0) {
			*out = v;
			return CS_OK;
		}
	}
	cs_buf_init(&names, 256);
	for (int64_t v = row->lo; v <= row->hi; v++)
		cs_buf_addf(&names, "%s%s", v == row->lo ? "" : ", ", row->value((int)v));
	cs_err_set(e, CS_E_INVALID, "query: %s is one of %s", row->name, cs_buf_str(&names));
	cs_buf_done(&names);
	return CS_E_INVALID;
}

static enum cs_rc read_value(const struct cs_param_row *row, const char *value, int64_t *out,
			     struct cs_err *e)
{
	switch (row->type) {
	case CS_PARAM_INT:
		if (cs_text_to_int(value, row->lo, row->hi, out))
			return CS_OK;
		return CS_FAIL(e, CS_E_INVALID, "query: %s is an integer from %lld to %lld",
			       row->name, (long long)row->lo, (long long)row->hi);
	case CS_PARAM_BOOL:
		*out = strcmp(value, "true") == 0;
		if (*out || strcmp(value, "false") == 0)
			return CS_OK;
		return CS_FAIL(e, CS_E_INVALID, "query: %s is true or false", row->name);
	case CS_PARAM_ENUM: return read_enum(row, value, out, e);
	case CS_PARAM_UUID:
		if (cs_text_is_uuid(value))
			return CS_OK;
		return CS_FAIL(e, CS_E_INVALID, "query: %s is a request id (a UUID in lower case)",
			       row->name);
	}
	return CS_FAIL(e, CS_E_INTERNAL, "query: %s has no type", row->name);
}

enum cs_rc cs_query_read(const struct cs_uri *u, unsigned allowed, struct cs_query *q,
			 struct cs_err *e)
{
	for (unsigned p = 0; p < CS_PARAM__COUNT; p++) {
		q->has[p] = false;
		q->number[p] = params[p].absent;
		q->text[p] = NULL;
	}
	for (size_t i = 0; i < u->pair_count; i++) {
		const struct cs_uri_pair *pair = &u->pairs[i];
		unsigned p = 0;
		enum cs_rc rc;

		while (p < CS_PARAM__COUNT &&
		       (!(allowed & CS_PARAM_BIT(p)) || strcmp(params[p].name, pair->name) != 0))
			p++;
		if (p == CS_PARAM__COUNT)
			return unknown(pair->name, allowed, e);
		if (q->has[p])
			return CS_FAIL(e, CS_E_INVALID, "query: %s is given more than once",
				       params[p].name);
		rc = read_value(&params[p], pair->value, &q->number[p], e);
		if (rc != CS_OK)
			return rc;
		q->has[p] = true;
		q->text[p] = pair->value;
	}
	return CS_OK;
}
