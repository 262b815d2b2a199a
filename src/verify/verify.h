/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Offline verification of an exported log, line by line: the chain, every decision, quorum and
 * signature, intents and outcomes, the log heads named in decisions, and what the caller knows from
 * elsewhere. Needs the export only. docs/verify_log.py is a second implementation of the same
 * rules; docs/PROTOCOL.log states them.
 */
#ifndef CS_VERIFY_VERIFY_H
#define CS_VERIFY_VERIFY_H

#include "audit/event.h"

/** Findings that are told; more are counted. */
#define CS_AUDIT_FINDINGS_MAX 1000

enum cs_audit_verdict {
	CS_AUDIT_ANCHORED,   /* consistent, and a trusted head matches */
	CS_AUDIT_CONSISTENT, /* consistent, not anchored: truncation of the end cannot be excluded
			      */
	CS_AUDIT_FAILED,
};

/** "anchored", "consistent, not anchored", "failed". Static storage. */
const char *cs_audit_verdict_name(enum cs_audit_verdict v);
/** Exit code of programs that verify: 0, 3, 1. */
int cs_audit_verdict_exit(enum cs_audit_verdict v);

struct cs_audit_verifier;

/**
 * Told about each finding, the first CS_AUDIT_FINDINGS_MAX of them.
 *
 * @param seq   the event's number; 0 when it concerns the whole log or a journal
 * @param rule  one of docs/PROTOCOL.log's; static storage
 */
typedef void cs_audit_finding_fn(void *arg, int64_t seq, const char *rule, const char *text);

enum cs_rc cs_audit_new(cs_audit_finding_fn *fn, void *arg, struct cs_audit_verifier **vp,
			struct cs_err *e) CS_MUST_CHECK;
void cs_audit_free(struct cs_audit_verifier *v);

/**
 * A head that somebody kept. A log shorter than its size fails.
 *
 * @param has_id  head->id is known too: the head counts for the log with this id only. When all
 *                known heads are of other logs, that is a finding.
 */
enum cs_rc cs_audit_know_head(struct cs_audit_verifier *v, const struct cs_log_ref *head,
			      bool has_id, struct cs_err *e) CS_MUST_CHECK;
/** "SIZE:HASH", as --head takes it. CS_E_INVALID says what is wrong. */
enum cs_rc cs_audit_know_head_text(struct cs_audit_verifier *v, const char *text,
				   struct cs_err *e) CS_MUST_CHECK;
/** A line of a heads file without its newline: "ID SIZE HASH"; empty ones and those that begin with
 * # are passed over. */
enum cs_rc cs_audit_know_head_line(struct cs_audit_verifier *v, const char *line,
				   struct cs_err *e) CS_MUST_CHECK;
/** The digest of a policy that the auditor trusts; once there is one, every policy.loaded must have
 * one of them. Before the first line of the log. */
enum cs_rc cs_audit_trust_policy(struct cs_audit_verifier *v, const struct cs_sha256 *digest,
				 struct cs_err *e) CS_MUST_CHECK;
/** One line of a signer's journal (docs/PROTOCOL.signer) without its newline; all journals before
 * the first line of the log, each child's files in order. */
enum cs_rc cs_audit_journal_line(struct cs_audit_verifier *v, struct cs_bytes line,
				 struct cs_err *e) CS_MUST_CHECK;

/** One line of the export without its newline. Findings are reported, not returned; errors are ours
 * (CS_E_NOMEM). */
enum cs_rc cs_audit_line(struct cs_audit_verifier *v, struct cs_bytes line,
			 struct cs_err *e) CS_MUST_CHECK;

struct cs_audit_summary {
	enum cs_audit_verdict verdict;
	struct cs_log_ref last; /* id, size, head of the export; zero when it is empty */
	int64_t anchored_size;  /* largest known head that matched; 0 = none */
	int64_t findings, requests, decisions, signatures, policies, open_intents;
};

/** After the last line; once. */
enum cs_rc cs_audit_finish(struct cs_audit_verifier *v, struct cs_audit_summary *out,
			   struct cs_err *e) CS_MUST_CHECK;

#endif
