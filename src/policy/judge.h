/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Facts in, verdict out, the rule named. Pure: the caller gives the time.
 * Must not count approvals: that is quorum/, for the daemon and for the signer alike.
 */
#ifndef CS_POLICY_JUDGE_H
#define CS_POLICY_JUDGE_H

#include "model/access.h"
#include "model/policy.h"

enum cs_judgement { CS_JUDGE_DENY, CS_JUDGE_PENDING, CS_JUDGE_APPROVED };

/**
 * Every rule that a verdict can name, in the order of judging. Names are stable: logs, problem
 * documents and --explain show them.
 */
#define CS_RULES(X)                                                                               \
	/* name, judgement, code, what it says */                                                 \
	X(ROLE, "role", CS_JUDGE_DENY, CS_E_DENIED, "Only agents may request signatures.")        \
	X(NO_ARTIFACTS, "no-artifacts", CS_JUDGE_DENY, CS_E_INVALID,                              \
	  "A request has 1 to 16 artifacts.")                                                     \
	X(KEY_NOT_ALLOWED, "key-not-allowed", CS_JUDGE_DENY, CS_E_NOT_FOUND,                      \
	  "The key does not exist, or this agent may not use it; both look alike.")               \
	X(ENVIRONMENTS_MIXED, "environments-mixed", CS_JUDGE_DENY, CS_E_INVALID,                  \
	  "All keys of a request are of one environment.")                                        \
	X(FORMAT_MISMATCH, "format-mismatch", CS_JUDGE_DENY, CS_E_INVALID,                        \
	  "A key makes exactly one format.")                                                      \
	X(HASH_MISMATCH, "hash-mismatch", CS_JUDGE_DENY, CS_E_INVALID,                            \
	  "A key signs digests of exactly one hash.")                                             \
	X(KEY_DISABLED, "key-disabled", CS_JUDGE_DENY, CS_E_DENIED,                               \
	  "The key was stopped in the signing policy.")                                           \
	X(KEY_NOT_YET_VALID, "key-not-yet-valid", CS_JUDGE_DENY, CS_E_DENIED,                     \
	  "The key's not_before has not come.")                                                   \
	X(KEY_EXPIRED, "key-expired", CS_JUDGE_DENY, CS_E_DENIED, "The key's not_after is past.") \
	X(KEY_USED_UP, "key-used-up", CS_JUDGE_DENY, CS_E_DENIED,                                 \
	  "The key has made as many signatures as its max_uses allows.")                          \
	X(QUORUM_TOO_LONG, "quorum-too-long", CS_JUDGE_DENY, CS_E_INVALID,                        \
	  "The quorums of all keys together have at most 8 lines.")                               \
	X(QUORUM_UNREACHABLE, "quorum-unreachable", CS_JUDGE_DENY, CS_E_DENIED,                   \
	  "Without the requester's own persons a group has too few approvers left.")              \
	X(QUORUM, "quorum", CS_JUDGE_PENDING, CS_OK, "Signed as soon as the quorum is met.")      \
	X(NO_QUORUM, "no-quorum", CS_JUDGE_APPROVED, CS_OK, "Signed at once: no key has a quorum.")

#define CS_RULE_ENUM(id, name, judgement, rc, summary) CS_RULE_##id,
enum cs_rule { CS_RULES(CS_RULE_ENUM) CS_RULE__COUNT };
#undef CS_RULE_ENUM

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
	int64_t now;                    /* µs */
	int64_t used[CS_ARTIFACTS_MAX]; /* by each artifact's key so far, where that has a limit */
};

/**
 * Judge a submission. Unless it is denied, *doc is filled completely but for its id: keys resolved,
 * quorum merged, expires = now + the smallest max_wait of its keys. When denied, *doc holds nothing
 * of use.
 */
struct cs_verdict cs_policy_judge(const struct cs_facts *facts, struct cs_request *doc);

/** What a rule says, by its stable name; NULL when there is no such rule. Static storage. */
const char *cs_rule_summary(const char *rule);

#endif
