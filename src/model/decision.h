/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payloads of the two DSSE envelopes that people sign: decisions on requests and enrolments of
 * approval keys. Bytes in docs/PROTOCOL.decision. Signing and verifying is base/dsse.h's; whose
 * signature counts is quorum/'s.
 */
#ifndef CS_MODEL_DECISION_H
#define CS_MODEL_DECISION_H

#include "base/dsse.h"
#include "model/request.h"

#define CS_DECISION_TYPE "application/vnd.countersign.decision+json"
#define CS_ENROLMENT_TYPE "application/vnd.countersign.enrolment+json"

/** The log as the approver saw it: `head` is the hash of event number `size`. */
struct cs_log_ref {
	struct cs_sha256 id; /* hash of event 1 */
	int64_t size;
	struct cs_sha256 head;
};

/** "ID SIZE HEAD", a line of a heads file without its newline; false for anything else. */
bool cs_head_line_read(struct cs_bytes line, struct cs_log_ref *out);
/** The same line, with its newline. */
void cs_head_line_write(const struct cs_log_ref *r, struct cs_buf *out);

struct cs_decision {
	struct cs_sha256 request_sha256; /* of the request document's bytes */
	int64_t n; /* 1..CS_N_MAX; counts this person's decisions on this request */
	enum cs_verdict_kind verdict;
	size_t checked_count;
	char checked[CS_ARTIFACTS_MAX]
		    [CS_NAME_MAX + 1]; /* names of the artifacts compared, ascending */
	struct cs_log_ref log;
	int64_t time; /* informational */
	bool has_comment;
	struct cs_sha256 comment_sha256;
};

void cs_decision_write(const struct cs_decision *d, struct cs_buf *out);
enum cs_rc cs_decision_parse(struct cs_bytes payload, struct cs_decision *out,
			     struct cs_err *e) CS_MUST_CHECK;

/** "This key is mine": proves possession; signing.yaml gives it authority. */
struct cs_enrolment {
	char instance[CS_NAME_MAX + 1];
	char person[CS_NAME_MAX + 1];
	struct cs_sha256 spki;
	int64_t time;
};

void cs_enrolment_write(const struct cs_enrolment *en, struct cs_buf *out);
enum cs_rc cs_enrolment_parse(struct cs_bytes payload, struct cs_enrolment *out,
			      struct cs_err *e) CS_MUST_CHECK;

#endif
