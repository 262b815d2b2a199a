/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts in, verdict out, the rule named. Pure: the caller gives the time.
 */
#ifndef CS_POLICY_JUDGE_H
#define CS_POLICY_JUDGE_H

#include "model/access.h"
#include "model/policy.h"

enum cs_judgement { CS_JUDGE_DENY, CS_JUDGE_PENDING, CS_JUDGE_APPROVED };

struct cs_verdict {
	enum cs_judgement judgement;
	enum cs_rc rc; /* CS_OK, or why it was denied: CS_E_NOT_FOUND, CS_E_DENIED, CS_E_INVALID */
	const char *rule; /* stable name: "key-not-allowed", "quorum" …; static storage */
	char reason[CS_REASON_MAX + 1]; /* a sentence that says what to do */
};

/** Everything that the verdict on a new request depends on. All borrowed. */
struct cs_facts {
	const struct cs_policy *policy;
	const struct cs_principal *principal;
	const struct cs_submission *submission;
	int64_t now; /* µs */
};

/**
 * Judge a submission. Unless it is denied, *doc is filled completely but for its id: keys resolved,
 * quorum merged, expires = now + the smallest max_wait of its keys.
 */
struct cs_verdict cs_policy_judge(const struct cs_facts *facts, struct cs_request *doc);

#endif
