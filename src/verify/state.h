/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of verify/ share: the verifier's state and how an event is found wanting.
 * Internal; verify/verify.h is the contract.
 */
#ifndef CS_VERIFY_STATE_H
#define CS_VERIFY_STATE_H

#include "audit/detail.h"
#include "quorum/quorum.h"
#include "verify/map.h"
#include "verify/verify.h"

/** One artifact of a live request. */
struct cs_slot {
	int64_t attempt; /* the last one; 0 = none yet */
	bool open;       /* that attempt has no outcome yet */
	bool done;
	bool unknown;  /* an attempt ended as sign.unknown */
	bool counted;  /* as a use of a key that has a limit */
	bool spent;    /* and the one more that it had then ended so too, or reached the token */
	int64_t start; /* daemon starts before the open intent */
	int64_t opened_at; /* time of the last intent */
	char token[CS_NAME_MAX + 1];
	struct cs_sha256 raw, signature; /* when done */
};

/** A request that has not ended. */
struct cs_live {
	struct cs_request doc;
	struct cs_sha256 doc_sha256;
	struct cs_policy *policy; /* in force at creation; a reference; has the keys */
	enum cs_state state;      /* pending or approved: what counting said last */
	size_t open, done;        /* artifacts */
	bool attempted;
	struct cs_slot slots[CS_ARTIFACTS_MAX];
	size_t vote_count;
	struct cs_vote *votes;           /* owned */
	char (*voters)[CS_NAME_MAX + 1]; /* owned; person of each vote, as it was cast */
};

/** Uses of one key, since it has a limit. */
struct cs_key_use {
	struct cs_sha256 spki;
	int64_t count;
};

struct cs_journal;

struct cs_audit_verifier {
	cs_audit_finding_fn *fn;
	void *arg;
	const char *rule; /* of the error that a check returns */

	struct cs_sha256 *hashes; /* owned; of events 1..lines */
	int64_t lines, time;      /* time of the last event */
	bool running;             /* between a start and a stop */
	int64_t starts;
	char instance[CS_NAME_MAX + 1];

	struct cs_known_head *heads; /* owned */
	size_t head_count;
	struct cs_sha256 *trusted; /* owned */
	size_t trusted_count;

	struct cs_key_use *uses; /* owned; of keys that have a limit */
	size_t use_count;

	struct cs_policy *policy;   /* in force; a reference, or NULL */
	struct cs_map requests;     /* id → struct cs_live, NULL once ended */
	struct cs_journal *journal; /* owned; NULL without journals */

	struct cs_audit_summary sum;
};

/** An event and its detail, under one name for the checks. */
struct cs_audited {
	struct cs_event ev;
	struct cs_sha256 hash;
	struct cs_detail d;
};

/**
 * The event breaks a rule: returns CS_E_INVALID with the message, and the verifier reports it. A
 * check ends with its first such error.
 */
enum cs_rc cs_broken(struct cs_audit_verifier *v, const char *rule, struct cs_err *e,
		     const char *fmt, ...) CS_PRINTF(4, 5);
/** The same for an error that another layer filled. */
enum cs_rc cs_broken_by(struct cs_audit_verifier *v, const char *rule, struct cs_err *e);
/** Report a finding. */
void cs_report(struct cs_audit_verifier *v, int64_t seq, const char *rule, const char *text);
/** Turn a check's error into a finding; CS_OK unless the error is ours. */
enum cs_rc cs_settle(struct cs_audit_verifier *v, int64_t seq, enum cs_rc rc, struct cs_err *e);
/** The array with room for one more than `count` elements; NULL without memory, the old one stays.
 */
void *cs_more(void *array, size_t count, size_t size);

typedef enum cs_rc cs_audit_check_fn(struct cs_audit_verifier *v, const struct cs_audited *a,
				     struct cs_err *e);

/* policy.c */
cs_audit_check_fn cs_check_policy;
/* request.c */
cs_audit_check_fn cs_check_denied, cs_check_created, cs_check_decision, cs_check_rejudged,
	cs_check_cancelled, cs_check_expired;
void cs_live_free(struct cs_live *live);
/** The live request of an event, if the event may concern it now. */
enum cs_rc cs_find_live(struct cs_audit_verifier *v, const struct cs_audited *a,
			struct cs_live **lp, struct cs_err *e) CS_MUST_CHECK;
void cs_end_request(struct cs_audit_verifier *v, const struct cs_audited *a);
/* attempt.c */
cs_audit_check_fn cs_check_intent, cs_check_outcome, cs_check_signed, cs_check_request_failed;
/* heads.c */
void cs_check_heads(struct cs_audit_verifier *v);
/* journal.c; all of them do nothing without journals */
enum cs_rc cs_journal_intent(struct cs_audit_verifier *v, const struct cs_audited *a,
			     struct cs_err *e) CS_MUST_CHECK;
enum cs_rc cs_journal_outcome(struct cs_audit_verifier *v, const struct cs_audited *a,
			      const struct cs_slot *slot, struct cs_err *e) CS_MUST_CHECK;
void cs_journal_finish(struct cs_audit_verifier *v);
void cs_journal_free(struct cs_journal *j);

#endif
