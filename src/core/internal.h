/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of core/: its state and the pieces that the files share. No other layer includes it.
 * Threads: workers (http's), one writer, a few for steps (the pool), one per signer, one timer, one
 * watcher. Locks are never held across fsync or HSM.
 */
#ifndef CS_CORE_INTERNAL_H
#define CS_CORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "audit/detail.h"
#include "base/pool.h"
#include "base/queue.h"
#include "core/core.h"
#include "core/logcheck.h"
#include "core/metrics.h"
#include "quorum/quorum.h"
#include "store/store.h"

#define CS_READERS_MAX 4                               /* reading connections; reads are short */
#define CS_EQUAL_AGE (30 * INT64_C(86400) * CS_SECOND) /* equal requests and idempotency keys */
#define CS_RETRIES 16 /* of an optimistic command that met a conflict */
#define CS_CHECKS_MAX 8

/* --- writer.c: one thread, one writing connection, whole batches --- */

struct cs_command;
typedef enum cs_rc cs_command_fn(struct cs_core *c, struct cs_store *s, void *arg,
				 struct cs_err *e);

/** One unit of change. Its owner keeps it until `done` is called. Its first statement is its guard.
 * It may be run again in place of a run that was undone, so what it changes in memory it sets anew.
 */
struct cs_command {
	cs_command_fn *run;
	void *arg;
	bool alone;     /* a batch of its own */
	int64_t queued; /* cs_clock_mono */
	/** On the writer's thread, after the commit; may be NULL. */
	void (*committed)(struct cs_core *c, void *arg);
	/** The same, last, whatever became of it; must only take note. */
	void (*done)(struct cs_command *cmd);
	enum cs_rc rc;
	struct cs_err err;
};

/* --- checkpoint.c --- */

struct cs_checkpointer;
/** @param pages  so many new ones in the write-ahead log are worth a checkpoint */
enum cs_rc cs_checkpoint_start(const char *database, int64_t pages, struct cs_checkpointer **kp,
			       struct cs_err *e) CS_MUST_CHECK;
/** After the writer. */
void cs_checkpoint_stop(struct cs_checkpointer *k);
/** On the writer's thread, while nobody waits for it. @param s  the writing connection */
void cs_checkpoint_after_commit(struct cs_checkpointer *k, struct cs_store *s);

struct cs_writer;
enum cs_rc cs_writer_new(struct cs_core *c, struct cs_store *s, struct cs_writer **wp,
			 struct cs_err *e) CS_MUST_CHECK;
/** Ends after what is queued. The store stays open. */
void cs_writer_free(struct cs_writer *w);
/** Queue a command. When the queue is full it is `done` at once, on this thread, with CS_E_BUSY. */
void cs_writer_put(struct cs_core *c, struct cs_command *cmd);
/** Run a command like this one and wait for its commit; its `done` is not used. */
enum cs_rc cs_writer_do(struct cs_core *c, const struct cs_command *what,
			struct cs_err *e) CS_MUST_CHECK;
enum cs_rc cs_writer_run(struct cs_core *c, cs_command_fn *run, void *arg,
			 struct cs_err *e) CS_MUST_CHECK;
/** The disk did not take what callers may be told: nobody is told anything any more. */
_Noreturn void cs_writer_end_process(const struct cs_err *e);
/** Commands that wait for the next batch. */
size_t cs_writer_waiting(struct cs_core *c);

/* --- readers.c --- */

struct cs_readers {
	pthread_mutex_t lock;
	pthread_cond_t free;
	size_t count, idle;
	struct cs_store *stores[CS_READERS_MAX];
};

enum cs_rc cs_readers_open(struct cs_readers *r, const char *path, size_t count,
			   struct cs_err *e) CS_MUST_CHECK;
void cs_readers_close(struct cs_readers *r);
/** Waits for a free connection; give it back with cs_reader_put. */
struct cs_store *cs_reader_get(struct cs_core *c);
void cs_reader_put(struct cs_core *c, struct cs_store *s);

/* --- wait.c --- */

struct cs_waiter;
struct cs_waits {
	pthread_mutex_t lock;
	struct cs_waiter *first;
	size_t count;
	bool closed;
};

void cs_waits_init(struct cs_waits *w);
/** Wake those who wait for this request. Any thread. */
void cs_waits_notify(struct cs_core *c, const char *id);
/** Wake everybody: a reload may have changed any request. */
void cs_waits_notify_all(struct cs_core *c);
/** Wake those whose time is over, and those who wait for anything when something changed. The
 * timer's thread. */
void cs_waits_tick(struct cs_core *c, int64_t now_mono);
void cs_waits_close(struct cs_core *c);

/** How many wait. */
size_t cs_waits_count(struct cs_core *c);

/* --- ready.c --- */

/** Told of a check; message "" = met. With c->lock held: no calls into the core. */
typedef void cs_check_fn(void *arg, const char *name, const char *message);
/** Tell fn, which may be NULL, of every check. @return all are met */
bool cs_core_each_check(struct cs_core *c, cs_check_fn *fn, void *arg);

/* --- admission.c, refusals.c --- */

struct cs_admission;
struct cs_share; /* of one principal */
/** @param waits_max  places of one principal in cs_waits */
enum cs_rc cs_admission_new(size_t waits_max, struct cs_admission **ap,
			    struct cs_err *e) CS_MUST_CHECK;
void cs_admission_free(struct cs_admission *a);
/** Take one from the principal's allowance. CS_E_RATE with *retry_after in seconds. */
enum cs_rc cs_admission_take(struct cs_admission *a, const struct cs_principal *p, int64_t now_mono,
			     int64_t *retry_after, struct cs_err *e) CS_MUST_CHECK;
/** Take a place to wait in; give it back with cs_admission_wait_over. CS_E_BUSY when the principal
 * has all of its own. @param xp  set on success; borrowed until the end */
enum cs_rc cs_admission_wait(struct cs_admission *a, const struct cs_principal *p,
			     struct cs_share **xp, struct cs_err *e) CS_MUST_CHECK;
void cs_admission_wait_over(struct cs_admission *a, struct cs_share *x);

struct cs_refusals;
enum cs_rc cs_refusals_new(struct cs_refusals **rp, struct cs_err *e) CS_MUST_CHECK;
void cs_refusals_free(struct cs_refusals *r);
/** Write the events of the minute that ended. */
void cs_refusals_flush(struct cs_core *c);

/* --- clock.c: the times of events --- */

/** Events never go back in time, but for a clock.jump that says so. */
struct cs_event_clock {
	int64_t offset; /* wall minus monotonic, µs, when last looked at */
	int64_t last;   /* time of the last event */
};

/** At start: the last event of the log may be later than now. In a transaction. */
enum cs_rc cs_event_clock_start(struct cs_core *c, struct cs_store *s,
				struct cs_err *e) CS_MUST_CHECK;
/** Note a jump of a second or more since the last look. In a transaction, before its first event.
 */
enum cs_rc cs_event_clock_check(struct cs_core *c, struct cs_store *s,
				struct cs_err *e) CS_MUST_CHECK;
/** Look at the clock. Once before each command: what it checks and what it writes have one time. */
void cs_event_clock_tick(struct cs_core *c);
/** The time of an event that is appended now. */
int64_t cs_event_clock_now(const struct cs_core *c);
/** Did the clock jump since `offset` was taken, which is renewed then? Any thread. */
bool cs_event_clock_jumped(int64_t *offset);

/** Requests made between two jumps of the wall clock. A document's times are meant by the clock
 * that it was made by, whatever was done to it later; the monotonic clock goes on. */
#define CS_CLOCK_SPANS 8
struct cs_clock_span {
	int64_t first_num; /* of the requests made in it */
	int64_t offset;    /* wall minus monotonic, µs */
};
struct cs_clock_spans {
	size_t count; /* one at least, once the log has begun */
	struct cs_clock_span span[CS_CLOCK_SPANS];
};
/** Copy them. Any thread. */
void cs_clock_spans_get(struct cs_core *c, struct cs_clock_spans *out);
/** The wall clock, but never behind what the monotonic clock says to requests of this span: a clock
 * set back lengthens no request's life. */
int64_t cs_clock_span_now(const struct cs_clock_span *span);
/** The same for one request. Any thread. */
int64_t cs_core_expiry_now(struct cs_core *c, int64_t num);

/* --- the state --- */

struct cs_case; /* one request on a worker, below */

struct cs_core_check {
	const char *name;
	char message[CS_REASON_MAX + 1]; /* "" = ok */
};

/** What the watcher last learnt of a token's signer. */
struct cs_signer_seen {
	bool known, ok;
	bool answered; /* once since the daemon's start: the numbers are the signer's */
	bool away;     /* it does not answer, or has another policy: a frame would be in vain */
	int64_t selftest_time, selftest_failed; /* when the last one was, and keys that failed it */
	int64_t restarts;                       /* of its children, since its own start */
	char message[CS_REASON_MAX + 1];
};

struct cs_core {
	char *database, *version; /* owned */
	int64_t disk_watermark;
	size_t signer_count;
	struct cs_signer *signers[CS_TOKENS_MAX];
	char signer_names[CS_TOKENS_MAX][CS_NAME_MAX + 1];

	struct cs_event_clock clock; /* the writer's thread only */
	int64_t changed;             /* the same; becomes `revision` with the commit */
	struct cs_tally tally;       /* the same; counted with the commit */
	struct cs_core_counters counters;
	int64_t started; /* cs_clock_now */
	struct cs_logcheck logcheck;
	struct cs_store *store; /* the writing connection; the writer's thread only, once it runs */
	struct cs_checkpointer *checkpointer;
	struct cs_writer *writer;
	struct cs_readers readers;
	struct cs_waits waits;
	struct cs_admission *admission;
	struct cs_refusals *refusals;
	struct cs_pool *pool; /* steps that take CPU, or read a little; none waits for an HSM */
	pthread_t timer, watcher;
	bool timer_runs, watcher_runs;
	int64_t timer_offset; /* the clock when the timer looked; its thread only */

	char *head_file;         /* owned */
	struct cs_log_ref kept;  /* what it says; main thread and timer, never at once */
	struct cs_log_ref found; /* the log as it was opened */
	bool restored, head_lost;

	pthread_mutex_t lock; /* guards what follows */
	struct cs_clock_spans spans;
	struct cs_policy *policy;
	struct cs_access *access;
	struct cs_core_check checks[CS_CHECKS_MAX];
	size_t check_count;
	struct cs_signer_seen seen[CS_TOKENS_MAX];
	struct cs_attempt *running;   /* every attempt from its plan to its end */
	struct cs_attempt *unsettled; /* of them those whose outcomes the writer must take again */

	atomic_int ongoing;   /* submissions and attempts that have not ended */
	atomic_int scheduled; /* attempts that wait for their turn on the pool */
	atomic_bool stopping;
	atomic_bool draining;
	atomic_bool log_broken; /* the last commit failed, or another program wrote; cleared by one
				   that succeeds */
	atomic_bool disk_low;
	atomic_bool outcome_lost; /* an outcome could not be written: the timer repairs */
	_Atomic int64_t revision; /* seq of the last event that changed a request, once committed */
};

/* --- begin.c: what the log says at start, reload and stop --- */

/** One transaction before the writer runs: the start, repairs, policy and access list. */
enum cs_rc cs_core_begin_log(struct cs_core *c, const struct cs_core_policy *files,
			     struct cs_err *e) CS_MUST_CHECK;
/** A command of its own; arg is a struct cs_core_policy. */
enum cs_rc cs_core_note_reload(struct cs_core *c, struct cs_store *s, void *arg,
			       struct cs_err *e) CS_MUST_CHECK;
/** One transaction after the writer ended. */
enum cs_rc cs_core_end_log(struct cs_core *c, struct cs_err *e) CS_MUST_CHECK;

/* --- head.c: the last head, in a file beside the database --- */

/**
 * The log that was opened must go on from the head that was kept, or CS_E_CONFIG says what it is.
 * Before anything is written.
 *
 * @param accept  let it pass; cs_head_note then says so in the log
 */
enum cs_rc cs_head_check(struct cs_core *c, bool accept, struct cs_err *e) CS_MUST_CHECK;
/** In the start's transaction. */
enum cs_rc cs_head_note(struct cs_core *c, struct cs_store *s, struct cs_err *e) CS_MUST_CHECK;
/** Keep the head that this connection sees, if it is another. What fails is logged, no more. */
void cs_head_keep(struct cs_core *c, struct cs_store *s);

/* --- snapshot.c --- */

/** Snapshots with a reference of their own. */
struct cs_policy *cs_core_policy_get(struct cs_core *c);
/** True on the writer's thread when the policy is still this one; else CS_E_CONFLICT and the caller
 * begins again. */
enum cs_rc cs_core_policy_is(const struct cs_core *c, const struct cs_policy *p,
			     struct cs_err *e) CS_MUST_CHECK;
/** The same, and the case's document may be used at the time of the event that is appended now.
 * Whoever reads the log asks exactly that. */
enum cs_rc cs_core_may_use(const struct cs_core *c, const struct cs_case *k,
			   struct cs_err *e) CS_MUST_CHECK;
/** The index of a token's signer, or −1. */
int cs_core_signer_index(const struct cs_core *c, const char *token);

/* --- move.c: the only place that changes a request's state --- */

struct cs_move {
	int64_t num;
	const char *id;
	enum cs_state from, to; /* equal: only the revision moves */
	int64_t revision;       /* it must have; −1 = any */
	int64_t next_attempt;   /* 0 = none */
	bool count_attempt;
	const char *reason; /* NULL = keep */
	enum cs_event_kind kind;
	const char *actor;
	const struct cs_buf *detail;
};

/** Guard, event, and what an end implies (signatures deleted). @param seqp number of the event; may
 * be NULL */
enum cs_rc cs_core_move(struct cs_core *c, struct cs_store *s, const struct cs_move *m,
			int64_t *seqp, struct cs_err *e) CS_MUST_CHECK;
/** The guard and the change alone, where the events of an attempt say what happened. */
enum cs_rc cs_core_change(struct cs_core *c, struct cs_store *s, int64_t num,
			  const struct cs_request_change *change, struct cs_err *e) CS_MUST_CHECK;
/** The same for an artifact of a request. CS_E_CORRUPT for a move that no artifact makes. */
enum cs_rc cs_core_change_artifact(struct cs_store *s, int64_t num, size_t index,
				   enum cs_artifact_state from, enum cs_artifact_state to,
				   struct cs_err *e) CS_MUST_CHECK;
/** An event without a change of state. */
enum cs_rc cs_core_note(struct cs_core *c, struct cs_store *s, enum cs_event_kind kind,
			const char *actor, const char *request, const struct cs_buf *detail,
			struct cs_err *e) CS_MUST_CHECK;
/** The same in a command of its own. */
enum cs_rc cs_core_log_event(struct cs_core *c, enum cs_event_kind kind, const char *actor,
			     const struct cs_buf *detail, struct cs_err *e) CS_MUST_CHECK;
/** End a live request: expired, cancelled. CS_E_CONFLICT when it moved on. */
enum cs_rc cs_core_end(struct cs_core *c, const struct cs_request_row *row, enum cs_state to,
		       enum cs_event_kind kind, const char *actor, const char *reason,
		       struct cs_err *e) CS_MUST_CHECK;

/* --- load.c: a request with all that belongs to it --- */

/** A stored decision. */
struct cs_stored_decision {
	char person[CS_NAME_MAX + 1];
	int64_t n, seq;
	enum cs_verdict_kind verdict;
	struct cs_sha256 spki;
	struct cs_buf envelope; /* owned */
	char *comment;          /* owned */
};

struct cs_case {
	struct cs_policy *policy; /* snapshot, owned reference */
	struct cs_request_row row;
	struct cs_request doc;
	struct cs_artifact_row artifacts[CS_ARTIFACTS_MAX];
	size_t decision_count;
	struct cs_stored_decision *decisions; /* owned */
	size_t vote_count;
	struct cs_vote *votes;  /* of persons enrolled now; owned; room for one more */
	size_t signature_count; /* 0 until the whole request is signed */
	struct cs_buf signatures[CS_ARTIFACTS_MAX];
};

/** NULL without memory. */
struct cs_case *cs_case_new(struct cs_core *c);
void cs_case_free(struct cs_case *k);
/** Read everything through one connection, at one moment. CS_E_NOT_FOUND. Votes are taken from the
 * rows, not verified. */
enum cs_rc cs_case_load(struct cs_case *k, struct cs_store *s, const char *id,
			struct cs_err *e) CS_MUST_CHECK;
/** The same through a reading connection. */
enum cs_rc cs_case_read(struct cs_core *c, struct cs_case *k, const char *id,
			struct cs_err *e) CS_MUST_CHECK;
/** Read the signatures of a request whose artifacts are all signed; cs_case_load does, too. */
enum cs_rc cs_case_load_signatures(struct cs_case *k, struct cs_store *s,
				   struct cs_err *e) CS_MUST_CHECK;
/** The signature of a request of one artifact, as it was just made. */
enum cs_rc cs_case_set_signature(struct cs_case *k, struct cs_bytes sig,
				 struct cs_err *e) CS_MUST_CHECK;
/** Verify every decision again and replace the votes by the verified ones. */
void cs_case_verify_votes(struct cs_case *k);
/** May this caller see it? Agents their own, approvers what asks their group, auditors everything.
 */
bool cs_case_is_visible(const struct cs_policy *policy, const struct cs_principal *who,
			const struct cs_request_row *row, const struct cs_request *doc);
/** Read and check the visibility; a request that may not be seen does not exist. */
enum cs_rc cs_case_open(struct cs_core *c, const struct cs_caller *who, const char *id,
			struct cs_case **kp, struct cs_err *e) CS_MUST_CHECK;

/** What is done with a live request; it may write. `state` is that of a moment ago. */
typedef enum cs_rc cs_live_fn(struct cs_core *c, struct cs_store *s, const char *id,
			      enum cs_state state, void *arg, struct cs_err *e);
/** Every request in pending, approved or signing, oldest first. A result other than CS_OK stops and
 * is returned. */
enum cs_rc cs_live_each(struct cs_core *c, struct cs_store *s, cs_live_fn *fn, void *arg,
			struct cs_err *e) CS_MUST_CHECK;

/* --- key_uses.c: keys with a limit of uses --- */

/** What the keys of a submission have made so far; keys without a limit are left out. */
enum cs_rc cs_key_uses_read(struct cs_core *c, const struct cs_policy *policy,
			    const struct cs_submission *submission,
			    int64_t used[static CS_ARTIFACTS_MAX], struct cs_err *e) CS_MUST_CHECK;
/** CS_E_CONFLICT when a key of the case may not make what is still to be signed. */
enum cs_rc cs_key_uses_check(struct cs_store *s, const struct cs_case *k,
			     struct cs_err *e) CS_MUST_CHECK;
/** Count an intent (by 1), or that its token was not asked (by −1); in the transaction of the
 * event. */
enum cs_rc cs_key_uses_count(struct cs_store *s, const struct cs_key *key, int64_t by,
			     struct cs_err *e) CS_MUST_CHECK;

/* --- view.c --- */

/** Append the view of a case as JSON. */
enum cs_rc cs_view_write(const struct cs_case *k, const struct cs_principal *who,
			 struct cs_buf *out, struct cs_err *e) CS_MUST_CHECK;
/** Would an approval of this person bring the quorum nearer now? */
bool cs_view_waits_for(const struct cs_case *k, const char *person);
/** Put the view of a case into the answer: one that was read, or one as it was just committed. */
enum cs_rc cs_view_case(const struct cs_case *k, const struct cs_caller *who, struct cs_answer *a,
			struct cs_err *e) CS_MUST_CHECK;
/** Read the request again and put its view into the answer, to a caller who was let in before. */
enum cs_rc cs_view_answer(struct cs_core *c, const struct cs_caller *who, const char *id,
			  struct cs_answer *a, struct cs_err *e) CS_MUST_CHECK;

/* --- attempt.c, answers.c, settle.c: attempts; schedule.c: their turns --- */

struct cs_attempt;

/** An attempt on a case that is approved; plans every artifact that is not signed yet. Takes the
 * case. */
enum cs_rc cs_attempt_new(struct cs_core *c, struct cs_case *k, struct cs_attempt **ap,
			  struct cs_err *e) CS_MUST_CHECK;
void cs_attempt_free(struct cs_attempt *a);
/** In the writer's transaction: approved → signing and one sign.intent per artifact. */
enum cs_rc cs_attempt_begin(struct cs_attempt *a, struct cs_store *s,
			    struct cs_err *e) CS_MUST_CHECK;
/** The same for a request that the same command inserts in state signing: only the events. */
enum cs_rc cs_attempt_begin_new(struct cs_attempt *a, struct cs_store *s,
				struct cs_err *e) CS_MUST_CHECK;
/** Called once, on the writer's thread or from cs_attempt_start: the request is signed, failed or
 * approved (again); the case shows it when it is signed. Must only take note. */
typedef void cs_attempt_end_fn(void *arg);
/** Once its intents are committed: ask the signers, verify, commit each outcome. Returns at once;
 * any thread. The attempt stays until `ended` was called. */
void cs_attempt_start(struct cs_attempt *a, cs_attempt_end_fn *ended, void *arg);
/** Give the writer what it could not take a moment ago. The timer's thread. */
void cs_attempts_settle_again(struct cs_core *c);
/** Let the pool try this request soon; the timer finds it when too many wait. */
void cs_core_schedule(struct cs_core *c, const char *id);
/** Is an attempt on this request running in this process? */
bool cs_attempt_is_running(struct cs_core *c, const char *id);
/**
 * Intents without an outcome and without a running attempt become sign.unknown: after an unclean
 * stop, and when the log could not take an outcome. In a transaction.
 */
enum cs_rc cs_core_repair(struct cs_core *c, struct cs_store *s, struct cs_err *e) CS_MUST_CHECK;

/* --- rejudge.c, timer.c, signers.c --- */

/** Judge every waiting request again under c's new policy; in the reload's transaction. */
enum cs_rc cs_core_rejudge(struct cs_core *c, struct cs_store *s, struct cs_policy *policy,
			   struct cs_err *e) CS_MUST_CHECK;
/** Judge one that came out of an attempt again; on the writer's thread, in a transaction. */
enum cs_rc cs_core_rejudge_one(struct cs_core *c, struct cs_store *s, const char *id,
			       struct cs_err *e) CS_MUST_CHECK;
enum cs_rc cs_timer_start(struct cs_core *c, struct cs_err *e) CS_MUST_CHECK;
void cs_timer_stop(struct cs_core *c);
/** The thread that asks every signer how it is. */
enum cs_rc cs_watcher_start(struct cs_core *c, struct cs_err *e) CS_MUST_CHECK;
void cs_watcher_stop(struct cs_core *c);

#endif
