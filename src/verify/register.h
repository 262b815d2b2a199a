/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register: every use of a key, with who asked and who agreed, out of an exported log. Follows
 * the chain, so nothing can be missing between the first event and the head that it ends with;
 * whether what the events say is right is verify.h's question. Pure.
 */
#ifndef CS_VERIFY_REGISTER_H
#define CS_VERIFY_REGISTER_H

#include "audit/event.h"
#include "model/request.h"

/** What became of one attempt to use the key. */
enum cs_use_outcome {
	CS_USE_RELEASED, /* signed, and the requester may have it */
	CS_USE_WITHHELD, /* signed, not released, or not yet: another artifact is not signed */
	CS_USE_UNKNOWN,  /* the token may have signed; nothing was released */
	CS_USE_FAILED,   /* the token was asked and gave no good signature */
	CS_USE_OPEN,     /* under way at the end of the log */
};

/** "released", "withheld", "unknown", "failed", "open". Static storage. */
const char *cs_use_outcome_name(enum cs_use_outcome o);

/** One use; everything borrowed for the call. */
struct cs_register_row {
	enum cs_use_outcome outcome;
	int64_t seq, time; /* of the event that tells the outcome; of the intent while it is open */
	const struct cs_request *doc;
	const struct cs_artifact *artifact; /* of the document */
	struct cs_sha256 signature;         /* of what was made; zero unless released or withheld */
	size_t approver_count;
	const char (*approvers)[CS_NAME_MAX + 1]; /* who agreed, and did not withdraw */
};

/** What is asked. */
struct cs_register_query {
	const char *key;  /* name or SPKI SHA-256 in hex; borrowed for the register's life */
	int64_t from, to; /* uses from <= time < to */
};

/** A result other than CS_OK stops and is returned. */
typedef enum cs_rc cs_register_fn(void *arg, const struct cs_register_row *row, struct cs_err *e);

struct cs_register_summary {
	struct cs_log_ref log;   /* where the log ended */
	bool known;              /* a policy of the log has such a key */
	int64_t uses;            /* rows given */
	int64_t waiting;         /* requests for the key that have not ended */
	int64_t policy_seq;      /* of the last policy.loaded; 0 = none */
	struct cs_sha256 policy; /* its digest */
};

struct cs_register;

/** @param fn  told each use when its request ends, and the rest at the end of the log */
enum cs_rc cs_register_new(const struct cs_register_query *q, cs_register_fn *fn, void *arg,
			   struct cs_register **rp, struct cs_err *e) CS_MUST_CHECK;
void cs_register_free(struct cs_register *r);
/** The next event's exact bytes, from event 1 on. CS_E_CORRUPT when it does not follow. */
enum cs_rc cs_register_line(struct cs_register *r, struct cs_bytes line,
			    struct cs_err *e) CS_MUST_CHECK;
/** How far it has come; may be asked at any time. Borrowed. */
const struct cs_register_summary *cs_register_so_far(const struct cs_register *r);
/** After the last line, once: uses of requests that have not ended. */
enum cs_rc cs_register_finish(struct cs_register *r, struct cs_err *e) CS_MUST_CHECK;
/** Called for each request for the key that has not ended. */
typedef void cs_register_waiting_fn(void *arg, const struct cs_request *doc);
void cs_register_waiting(const struct cs_register *r, cs_register_waiting_fn *fn, void *arg);

#endif
