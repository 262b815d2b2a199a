/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of problems. A code without a row does not compile into a silent 500: routes_sane finds
 * it at start, and a unit test before that.
 * See problem.h for the contract.
 */
#include "http/problem.h"

#include "base/jcs.h"
#include "base/text.h"

/* status, title, incident; the name is the code's own */
static const struct cs_problem_row rows[CS_REFUSE__COUNT] = {
	/* theirs */
	[CS_E_INVALID] = { "invalid", 400, "The request is malformed or out of range", false },
	[CS_E_TOO_LARGE] = { "too-large", 413, "The request is over a stated limit", false },
	[CS_E_NOT_FOUND] = { "not-found", 404, "There is no such thing for you", false },
	[CS_E_FORBIDDEN] = { "forbidden", 403, "You may not do this", false },
	[CS_E_UNAUTHENTICATED] = { "unauthenticated", 403,
				   "The client certificate is nobody's here", false },
	[CS_E_CONFLICT] = { "conflict", 409, "The state has moved on", false },
	[CS_E_MISMATCH] = { "mismatch", 422, "The idempotency key was used with another body",
			    false },
	[CS_E_DENIED] = { "denied", 403, "The policy says no", false },
	[CS_E_SIGNATURE] = { "bad-signature", 400, "A signature does not verify", false },
	[CS_E_EXPIRED] = { "expired", 409, "The request has expired", false },
	[CS_E_PENDING] = { "pending", 425, "Not yet: wait for the request to be signed", false },
	[CS_E_RATE] = { "rate-limited", 429, "Too many requests", false },
	/* ours, or the environment's */
	[CS_E_BUSY] = { "busy", 503, "Too much to do right now", false },
	[CS_E_UNAVAILABLE] = { "unavailable", 503, "A part that is needed is not usable now",
			       false },
	[CS_E_TIMEOUT] = { "timeout", 504, "A part that is needed did not answer in time", false },
	[CS_E_CLOSED] = { "closed", 502, "A part that is needed hung up", false },
	[CS_E_IO] = { "io-error", 500, "Reading or writing failed", true },
	[CS_E_NO_SPACE] = { "no-space", 507, "The disk is too full to record requests", true },
	[CS_E_NOMEM] = { "out-of-memory", 503, "Out of memory", true },
	[CS_E_CORRUPT] = { "corrupt", 500, "Stored data contradicts itself", true },
	[CS_E_VERSION] = { "version", 500, "Stored data is newer than this program", true },
	[CS_E_CONFIG] = { "configuration", 500, "The configuration is not usable", true },
	[CS_E_HSM] = { "hsm-error", 502, "The HSM refused", true },
	[CS_E_PIN] = { "pin-refused", 502, "The HSM refused the PIN", true },
	[CS_E_UNSUPPORTED] = { "unsupported", 400, "Not supported", false },
	[CS_E_INTERNAL] = { "internal", 500, "A fault of the server", true },
	/* HTTP's */
	[CS_REFUSE_METHOD] = { "method-not-allowed", 405, "The path has other methods", false },
	[CS_REFUSE_MEDIA_TYPE] = { "media-type", 415, "The body must be JSON", false },
	[CS_REFUSE_TARGET_TOO_LONG] = { "target-too-long", 414, "The request target is too long",
					false },
};

const struct cs_problem_row *cs_problem_row(unsigned code)
{
	if (code >= CS_REFUSE__COUNT || !rows[code].name)
		return NULL;
	return &rows[code];
}

void cs_problem_write(const struct cs_problem_doc *doc, struct cs_buf *out)
{
	const struct cs_problem_row *row = cs_problem_row(doc->code);
	struct cs_buf urn, detail;
	struct cs_jw w;

	if (!row)
		row = &rows[CS_E_INTERNAL];
	cs_buf_init(&urn, 80);
	cs_buf_addf(&urn, CS_PROBLEM_URN "%s", row->name);
	/* a message may quote what others sent */
	cs_buf_init(&detail, (size_t)4 * CS_ERR_MSG_MAX);
	cs_text_show(doc->detail, &detail);
	cs_jw_init(&w, out);
	cs_jw_object(&w, NULL);
	cs_jw_str(&w, "detail", cs_buf_str(&detail));
	if (doc->request && doc->request[0])
		cs_jw_str(&w, "request", doc->request);
	if (doc->rule)
		cs_jw_str(&w, "rule", doc->rule);
	cs_jw_int(&w, "status", row->status);
	cs_jw_str(&w, "title", row->title);
	cs_jw_str(&w, "type", cs_buf_str(&urn));
	cs_jw_end_object(&w);
	cs_buf_done(&urn);
	cs_buf_done(&detail);
}
