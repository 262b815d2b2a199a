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

enum cs_audit_verdict {
	CS_AUDIT_ANCHORED,   /* consistent, and a trusted head matches */
	CS_AUDIT_CONSISTENT, /* consistent, not anchored: truncation of the end cannot be excluded
			      */
	CS_AUDIT_FAILED,
};

struct cs_audit_verifier;

/** Told about each finding (at most 1,000 are reported); seq 0 when it concerns the whole. */
typedef void cs_audit_finding_fn(void *arg, int64_t seq, const char *rule, const char *text);

enum cs_rc cs_audit_new(cs_audit_finding_fn *fn, void *arg, struct cs_audit_verifier **vp,
			struct cs_err *e) CS_MUST_CHECK;
void cs_audit_free(struct cs_audit_verifier *v);

/** Before the first line: a head that somebody kept ("size:hash" in files). A log shorter than size
 * fails. */
enum cs_rc cs_audit_know_head(struct cs_audit_verifier *v, const struct cs_log_ref *head,
			      bool has_id, struct cs_err *e) CS_MUST_CHECK;
/** The digest of a policy that the auditor trusts; every policy of the log that signed anything
 * must be among them. */
enum cs_rc cs_audit_trust_policy(struct cs_audit_verifier *v, const struct cs_sha256 *digest,
				 struct cs_err *e) CS_MUST_CHECK;
/** One line of a signer's journal (docs/PROTOCOL.signer), without its newline; may come before or
 * after the log's lines. */
enum cs_rc cs_audit_journal_line(struct cs_audit_verifier *v, struct cs_bytes line,
				 struct cs_err *e) CS_MUST_CHECK;

/** One line of the export without its newline. Findings are reported, not returned; errors are ours
 * (memory). */
enum cs_rc cs_audit_line(struct cs_audit_verifier *v, struct cs_bytes line,
			 struct cs_err *e) CS_MUST_CHECK;

struct cs_audit_summary {
	enum cs_audit_verdict verdict;
	struct cs_log_ref last; /* id, size, head of the export */
	int64_t anchored_size;  /* largest trusted head that matched; 0 = none */
	int64_t findings, requests, decisions, signatures, policies, open_intents;
};

enum cs_rc cs_audit_finish(struct cs_audit_verifier *v, struct cs_audit_summary *out,
			   struct cs_err *e) CS_MUST_CHECK;

#endif
