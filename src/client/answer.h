/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's JSON as the library's structs, and back. Unknown fields pass: a newer server may say
 * more.
 */
#ifndef CS_CLIENT_ANSWER_H
#define CS_CLIENT_ANSWER_H

#include <countersign/countersign.h>

#include "base/buf.h"

/** The body of POST /v1/requests. CS_E_INVALID names what is missing or too long. */
enum cs_rc cs_answer_submission(const struct countersign_submission *s, struct cs_buf *out,
				struct cs_err *e) CS_MUST_CHECK;

/** A request's view. *out is empty before; on success countersign_request_done frees it. */
enum cs_rc cs_answer_request(struct cs_bytes body, struct countersign_request *out,
			     struct cs_err *e) CS_MUST_CHECK;

/** What an answer of 400 and above says (RFC 9457, or nothing readable). */
void cs_answer_problem(long status, struct cs_bytes body, struct countersign_error *e);

#endif
