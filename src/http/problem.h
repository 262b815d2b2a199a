/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refusals as RFC 9457 problem documents: one table from return codes to status, type and title,
 * and the few refusals that only HTTP knows. Types are URNs, stable for ever.
 */
#ifndef CS_HTTP_PROBLEM_H
#define CS_HTTP_PROBLEM_H

#include "base/buf.h"

#define CS_PROBLEM_CONTENT_TYPE "application/problem+json"
#define CS_PROBLEM_URN "urn:countersign:problem:"

/** What HTTP itself refuses; counted on behind the return codes. */
enum cs_http_refusal {
	CS_REFUSE_METHOD = CS_RC__COUNT, /* 405 */
	CS_REFUSE_MEDIA_TYPE,            /* 415 */
	CS_REFUSE_TARGET_TOO_LONG,       /* 414 */
	CS_REFUSE__COUNT
};

struct cs_problem_row {
	const char *name; /* last part of the type */
	unsigned status;
	const char *title;
	bool incident; /* our fault: worth a log line */
};

/**
 * The row of a return code or of a cs_http_refusal. Static storage; NULL for CS_OK and beyond the
 * table's end.
 */
const struct cs_problem_row *cs_problem_row(unsigned code);

struct cs_problem_doc {
	unsigned code;       /* enum cs_rc or enum cs_http_refusal */
	const char *detail;  /* what is wrong and what to do */
	const char *rule;    /* of the policy, or NULL */
	const char *request; /* id of the request concerned, or "" */
};

/** Append the document. */
void cs_problem_write(const struct cs_problem_doc *doc, struct cs_buf *out);

#endif
