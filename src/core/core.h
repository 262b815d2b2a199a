/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the server does, free of HTTP: every request's way from submission to release. Calls block
 * their worker thread for the log at most, a submission not even for that. The only layer that
 * writes the store. See ARCHITECTURE.md,
 * "A request's life".
 */
#ifndef CS_CORE_CORE_H
#define CS_CORE_CORE_H

#include "base/metrics.h"
#include "base/pool.h"
#include "base/yaml.h"
#include "model/access.h"
#include "model/policy.h"
#include "model/state.h"
#include "signer/client.h"

/** Exit status when a commit failed or the log is damaged: a service manager must not start the
 * daemon again by itself. */
#define CS_EXIT_LOG_BROKEN 74

struct cs_core;

/** The continuous check of the log: how often, and how much of the machine. */
struct cs_logcheck_config {
	int64_t period_us; /* all of the log is read once in it, if the share allows; 0 = no check
			    */
	int64_t share;     /* percent of one processor that it may take, 1..100 */
};

struct cs_core_config {
	const char *database;       /* path; created when absent */
	const char *version;        /* of this program */
	size_t readers;             /* worker threads that will call in at the same time */
	int64_t disk_watermark;     /* bytes free below which new requests are refused */
	size_t waits_per_principal; /* of its callers that may be in cs_core_wait */
	struct cs_logcheck_config log_check;
	bool accept_restore; /* of a database that is not the one served last */
	size_t signer_count;
	struct cs_signer_config signers[CS_TOKENS_MAX];
};

/** The three files as loaded and checked by the daemon; references are taken by the core. */
struct cs_core_policy {
	struct cs_policy *policy;
	struct cs_bytes policy_yaml;
	struct cs_access *access;
};

/**
 * Open the store, take its lock, repair what an unclean stop left, append the start events, start
 * the writer and the timers. CS_E_CORRUPT, CS_E_VERSION, CS_E_BUSY (a second daemon) and
 * CS_E_CONFIG (a policy version below the log's, a database that was restored) refuse to start.
 */
enum cs_rc cs_core_open(const struct cs_core_config *config, const struct cs_core_policy *files,
			struct cs_core **cp, struct cs_err *e) CS_MUST_CHECK;
/** All or nothing; waiting requests are judged again. CS_E_CONFIG leaves everything as it was. */
enum cs_rc cs_core_reload(struct cs_core *c, const struct cs_core_policy *files,
			  struct cs_err *e) CS_MUST_CHECK;
/** No new work; running attempts end; waiters are woken. Call before the HTTP server is stopped. */
void cs_core_drain(struct cs_core *c);
/** Stop timers and writer, append daemon.stopped, close the store. No call may be running. */
void cs_core_close(struct cs_core *c);

/** The access list in force; the caller drops the reference. */
struct cs_access *cs_core_access(struct cs_core *c);

/** Who calls; borrowed for the call. */
struct cs_caller {
	const struct cs_principal *principal;
	const char *source; /* address, for refusals */
};

/** What a call gives back. cs_answer_init before, cs_answer_done after, whatever the call returned.
 */
struct cs_answer {
	struct cs_buf body;       /* JSON, unless content_type says otherwise */
	const char *content_type; /* static storage */
	enum cs_state state;      /* of the request concerned; CS_ST_NONE when none */
	char id[CS_UUID_TEXT];    /* of the request concerned; "" when none */
	bool replay;              /* an earlier request was returned */
	int64_t revision;         /* of what was shown; for waits */
	const char *rule;         /* with CS_E_DENIED …: the rule that said no; static storage */
	int64_t retry_after; /* seconds, with CS_E_RATE, CS_E_BUSY, CS_E_UNAVAILABLE; 0 = none */
};

void cs_answer_init(struct cs_answer *a);
void cs_answer_done(struct cs_answer *a);

/**
 * Take a read from the caller's allowance, before anything is read. Never blocks.
 *
 * @param cost         1, more for what costs more
 * @param retry_after  seconds; set with CS_E_RATE
 */
enum cs_rc cs_core_admit_read(struct cs_core *c, const struct cs_caller *who, int64_t cost,
			      int64_t *retry_after, struct cs_err *e) CS_MUST_CHECK;

/* --- requests --- */

/** The end of a submission: called once, on one of the core's threads or inside cs_core_submit.
 * @param e  with anything but CS_OK */
typedef void cs_core_submitted_fn(void *arg, enum cs_rc rc, const struct cs_err *e);

/**
 * Submit. The answer is the request's view: signed when the signer answered in its time, else as
 * far as it is. Blocks no thread for the log or the HSM: `done` is called in the end, with CS_OK;
 * CS_E_DENIED, CS_E_NOT_FOUND, CS_E_INVALID by policy; CS_E_MISMATCH (same key, other body);
 * CS_E_RATE; CS_E_BUSY, CS_E_UNAVAILABLE, CS_E_NO_SPACE (nothing was recorded). Until then `who`,
 * `submission`, `idempotency_key` and `a` must stay.
 *
 * @param idempotency_key  1..CS_IDEMPOTENCY_KEY_MAX printable ASCII, or NULL
 */
void cs_core_submit(struct cs_core *c, const struct cs_caller *who,
		    const struct cs_submission *submission, const char *idempotency_key,
		    struct cs_answer *a, cs_core_submitted_fn *done, void *arg);

/** Run a job on the core's pool, as many at a time as there are CPUs. It must wait for nothing. */
void cs_core_run(struct cs_core *c, struct cs_job *job);

/** The view of one request. "Not found" and "not yours" look alike. */
enum cs_rc cs_core_request(struct cs_core *c, const struct cs_caller *who, const char *id,
			   struct cs_answer *a, struct cs_err *e) CS_MUST_CHECK;

struct cs_list_filter {
	enum cs_state state;     /* CS_ST_NONE = any */
	enum cs_env environment; /* CS_ENV_NONE = any */
	bool waits_for_me;       /* approvers: pending, and my approval would count */
	const char *after;       /* request id, exclusive: the cursor; NULL = from the newest */
	int64_t limit;           /* 1..200 */
};
/** {"next":cursor or absent,"requests":[views],"revision":N}, newest first. CS_E_INVALID for a
 * stale cursor. */
enum cs_rc cs_core_requests(struct cs_core *c, const struct cs_caller *who,
			    const struct cs_list_filter *filter, struct cs_answer *a,
			    struct cs_err *e) CS_MUST_CHECK;

/** The request document's exact bytes. */
enum cs_rc cs_core_document(struct cs_core *c, const struct cs_caller *who, const char *id,
			    struct cs_answer *a, struct cs_err *e) CS_MUST_CHECK;
/** {"decisions":[{"comment"?,"decision","envelope" (base64),"group","n","person","seq"}]}, in the
 * order of the log. */
enum cs_rc cs_core_decisions(struct cs_core *c, const struct cs_caller *who, const char *id,
			     struct cs_answer *a, struct cs_err *e) CS_MUST_CHECK;
/**
 * Post a decision.
 *
 * @param comment  "" when none; its hash must be the payload's
 * @return CS_OK with the request's view; CS_E_FORBIDDEN wrong person or not enrolled;
 * CS_E_SIGNATURE; CS_E_CONFLICT lower n, signing, final state, other request or a log head that is
 * not ours; CS_E_EXPIRED
 */
enum cs_rc cs_core_decide(struct cs_core *c, const struct cs_caller *who, const char *id,
			  struct cs_bytes envelope, const char *comment, struct cs_answer *a,
			  struct cs_err *e) CS_MUST_CHECK;
/** Requester only. CS_E_CONFLICT while signing and after the end. */
enum cs_rc cs_core_cancel(struct cs_core *c, const struct cs_caller *who, const char *id,
			  struct cs_answer *a, struct cs_err *e) CS_MUST_CHECK;
/** The released signature of artifact `index`, raw bytes. CS_E_PENDING until the whole request is
 * signed. */
enum cs_rc cs_core_signature(struct cs_core *c, const struct cs_caller *who, const char *id,
			     int64_t index, struct cs_answer *a, struct cs_err *e) CS_MUST_CHECK;

/* --- keys, log, health --- */

/** {"keys":[{"algorithm","disabled","environment","format","hash","max_uses"?,"max_wait","name","not_after"?,"not_before"?,"public_key"
 * (PEM),"quorum","software_token","spki_sha256","token"}]}; agents see the ones they may use. */
enum cs_rc cs_core_keys(struct cs_core *c, const struct cs_caller *who, struct cs_answer *a,
			struct cs_err *e) CS_MUST_CHECK;
enum cs_rc cs_core_key(struct cs_core *c, const struct cs_caller *who, const char *name,
		       struct cs_answer *a, struct cs_err *e) CS_MUST_CHECK;

/**
 * A page of the export: events from `from`, one per line, at most 1,000 or 4 MiB of them, then one
 * line
 * {"head":…,"id":…,"next":SEQ,"size":N}, where next > size says that the end was reached. Appends
 * log.exported when the page starts at the beginning of an export (first = true).
 */
enum cs_rc cs_core_events(struct cs_core *c, const struct cs_caller *who, int64_t from, bool first,
			  struct cs_answer *a, struct cs_err *e) CS_MUST_CHECK;
/** {"head":hex,"id":hex,"size":N}; size 0 = now. CS_E_NOT_FOUND beyond the end. */
enum cs_rc cs_core_head(struct cs_core *c, int64_t size, struct cs_answer *a,
			struct cs_err *e) CS_MUST_CHECK;

/** {"status":"ok"}: the process answers. */
enum cs_rc cs_core_health(struct cs_core *c, struct cs_answer *a, struct cs_err *e) CS_MUST_CHECK;
/** {"ready":bool,"checks":[{"name","ok","message"}]}; CS_E_UNAVAILABLE when not ready, with the
 * body filled all the same. Checks: "log", "disk", "signer:TOKEN", and what cs_core_set_check
 * added. */
enum cs_rc cs_core_ready(struct cs_core *c, struct cs_answer *a, struct cs_err *e) CS_MUST_CHECK;
/** Another layer's part in readiness ("crl"): message "" = ok. `name` in static storage. */
void cs_core_set_check(struct cs_core *c, const char *name, const char *message);

/* --- metrics --- */

/** Append what there is to know of the core, as Prometheus reads it (base/metrics.h). */
enum cs_rc cs_core_metrics(struct cs_core *c, struct cs_buf *out, struct cs_err *e) CS_MUST_CHECK;
/** Every metric of the above, also those without a sample now. Static storage. */
const struct cs_metric *cs_core_metric_table(size_t *countp);

/* --- refusals --- */

/** Counted per source and minute, one event each; never blocks. */
void cs_core_auth_refused(struct cs_core *c, const char *source, const char *reason);
void cs_core_access_refused(struct cs_core *c, const struct cs_caller *who, const char *method,
			    const char *path, const char *role);

/* --- waiting without a thread --- */

/** Called once, from a core thread: something changed, the time is over, or the core drains. Must
 * only queue work. */
typedef void cs_core_wake_fn(void *arg);

/**
 * Wait until the revision of a request (id) or of anything (id NULL) is no longer `revision`, or
 * until `deadline` (cs_clock_mono). CS_E_BUSY when too many wait, in all or of this caller; fn is
 * then never called.
 */
enum cs_rc cs_core_wait(struct cs_core *c, const struct cs_caller *who, const char *id,
			int64_t revision, int64_t deadline, cs_core_wake_fn *fn, void *arg,
			struct cs_err *e) CS_MUST_CHECK;

#endif
