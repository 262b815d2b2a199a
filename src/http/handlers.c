/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One handler per operation, run by a worker thread; the submission begins on the core's pool.
 * Must stay thin: what is decided is decided in core/.
 * See route.h for the contract.
 */
#include "http/handlers.h"

#include <string.h>

#include "base/enc.h"
#include "base/json.h"
#include "http/http.h"

#define STATUS_OK 200
#define STATUS_CREATED 201
#define STATUS_ACCEPTED 202
#define STATUS_UNAVAILABLE 503

static void submitted(void *arg, enum cs_rc rc, const struct cs_err *e)
{
	struct cs_call *call = arg;
	const struct cs_answer *a = call->answer;

	if (rc == CS_OK) {
		call->has_location = true;
		if (a->state != CS_ST_SIGNED)
			call->status = STATUS_ACCEPTED;
		else
			call->status = a->replay ? STATUS_OK : STATUS_CREATED;
	}
	call->answered(call, rc, e);
}

void cs_post_request(struct cs_call *call)
{
	struct cs_err e = { 0 };
	enum cs_rc rc = cs_submission_parse(call->body, call->submission, &e);

	if (rc == CS_OK)
		cs_core_submit(call->core, &call->who, call->submission, call->idempotency_key,
			       call->answer, submitted, call);
	else
		call->answered(call, rc, &e);
}

enum cs_rc cs_get_requests(struct cs_call *call, struct cs_err *e)
{
	const struct cs_query *q = &call->query;
	struct cs_list_filter filter = {
		.state = (enum cs_state)q->number[CS_PARAM_STATE],
		.environment = (enum cs_env)q->number[CS_PARAM_ENVIRONMENT],
		.waits_for_me = q->number[CS_PARAM_WAITS_FOR_ME] != 0,
		.after = q->text[CS_PARAM_AFTER],
		.limit = q->number[CS_PARAM_LIMIT],
	};

	return cs_core_requests(call->core, &call->who, &filter, call->answer, e);
}

enum cs_rc cs_get_request(struct cs_call *call, struct cs_err *e)
{
	return cs_core_request(call->core, &call->who, call->id, call->answer, e);
}

enum cs_rc cs_get_document(struct cs_call *call, struct cs_err *e)
{
	call->answer->content_type = CS_REQUEST_TYPE;
	return cs_core_document(call->core, &call->who, call->id, call->answer, e);
}

enum cs_rc cs_get_decisions(struct cs_call *call, struct cs_err *e)
{
	return cs_core_decisions(call->core, &call->who, call->id, call->answer, e);
}

enum cs_rc cs_post_decision(struct cs_call *call, struct cs_err *e)
{
	const char *text = "", *comment = "";
	const struct cs_json_field fields[] = {
		CS_JSON_STR_FIELD("comment", true, CS_TEXT_FREE, 1, CS_COMMENT_MAX, &comment),
		CS_JSON_STR_FIELD("envelope", false, CS_TEXT_ANY, 1, CS_BASE64_LEN(CS_ENVELOPE_MAX),
				  &text),
	};
	struct cs_buf envelope;
	struct cs_json *root = NULL;
	enum cs_rc rc;

	cs_buf_init(&envelope, CS_ENVELOPE_MAX);
	rc = cs_json_parse(call->body, CS_BODY_MAX, "decision", &root, e);
	if (rc == CS_OK)
		rc = cs_json_read(root, "", fields, sizeof(fields) / sizeof(fields[0]), e);
	if (rc == CS_OK)
		rc = cs_base64_decode(text, strlen(text), &envelope, "envelope", e);
	if (rc == CS_OK)
		rc = cs_core_decide(call->core, &call->who, call->id, cs_buf_bytes(&envelope),
				    comment, call->answer, e);
	cs_json_free(root);
	cs_buf_done(&envelope);
	return rc;
}

enum cs_rc cs_post_cancel(struct cs_call *call, struct cs_err *e)
{
	return cs_core_cancel(call->core, &call->who, call->id, call->answer, e);
}

enum cs_rc cs_get_signature(struct cs_call *call, struct cs_err *e)
{
	call->answer->content_type = "application/octet-stream";
	return cs_core_signature(call->core, &call->who, call->id, call->number, call->answer, e);
}

enum cs_rc cs_get_keys(struct cs_call *call, struct cs_err *e)
{
	return cs_core_keys(call->core, &call->who, call->answer, e);
}

enum cs_rc cs_get_key(struct cs_call *call, struct cs_err *e)
{
	return cs_core_key(call->core, &call->who, call->name, call->answer, e);
}

enum cs_rc cs_get_events(struct cs_call *call, struct cs_err *e)
{
	const struct cs_query *q = &call->query;

	call->answer->content_type = "application/x-ndjson";
	return cs_core_events(call->core, &call->who, q->number[CS_PARAM_FROM],
			      q->number[CS_PARAM_RESUME] == 0, call->answer, e);
}

enum cs_rc cs_get_head(struct cs_call *call, struct cs_err *e)
{
	return cs_core_head(call->core, call->query.number[CS_PARAM_SIZE], call->answer, e);
}

enum cs_rc cs_get_health(struct cs_call *call, struct cs_err *e)
{
	return cs_core_health(call->core, call->answer, e);
}

enum cs_rc cs_get_ready(struct cs_call *call, struct cs_err *e)
{
	enum cs_rc rc = cs_core_ready(call->core, call->answer, e);

	if (rc != CS_E_UNAVAILABLE || call->answer->body.len == 0)
		return rc;
	/* the list of checks says more than a problem would */
	call->status = STATUS_UNAVAILABLE;
	return CS_OK;
}

enum cs_rc cs_get_openapi(struct cs_call *call, struct cs_err *e)
{
	cs_http_openapi(&call->answer->body);
	return cs_buf_ok(&call->answer->body, "OpenAPI document", e);
}
