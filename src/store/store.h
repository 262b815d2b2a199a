/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the daemon keeps: the event log and the tables beside it. Rows in, rows out; no rule of the
 * business lives here. One writing connection belongs to core's writer thread; reading ones are
 * used by one thread at a time. The schema is sql/schema-2.sql. SQLite is behind this header
 * (store/sqlite/); another database would be, too.
 */
#ifndef CS_STORE_STORE_H
#define CS_STORE_STORE_H

#include "audit/event.h"
#include "model/request.h"
#include "model/state.h"

#define CS_STORE_SCHEMA 2
#define CS_EQUAL_MAX 64 /* equal requests that are looked at */

struct cs_store;

enum cs_store_mode {
	CS_STORE_WRITE, /* create or migrate, hold the lock for life */
	CS_STORE_READ,  /* beside a writer or without one; changes nothing */
};

/**
 * Open a database. CS_E_BUSY another daemon has it; CS_E_CORRUPT not ours or damaged; CS_E_VERSION
 * a newer schema; CS_E_CONFIG a pragma that did not take; CS_E_IO, CS_E_NO_SPACE.
 */
enum cs_rc cs_store_open(const char *path, enum cs_store_mode mode, struct cs_store **sp,
			 struct cs_err *e) CS_MUST_CHECK;
void cs_store_close(struct cs_store *s);

/* --- transactions (writer) --- */

/** CS_E_IO from commit means that durability is in doubt: the process must end, never retry.
 * CS_E_NO_SPACE rolled back. */
enum cs_rc cs_store_begin(struct cs_store *s, struct cs_err *e) CS_MUST_CHECK;
enum cs_rc cs_store_commit(struct cs_store *s, struct cs_err *e) CS_MUST_CHECK;
void cs_store_rollback(struct cs_store *s);
/** True while another program's rows stand behind what this connection wrote, or rows of its own
 * are gone; seen by a transaction that appends, and then by all until it is mended. */
bool cs_store_end_differs(const struct cs_store *s);
/** How long the last commit waited for fsync, µs. */
int64_t cs_store_sync_us(const struct cs_store *s);
/** How much was written so far; −1 outside of a transaction, where SQLite ended it after an error,
 * too. The same number twice: there is nothing to undo between. */
int64_t cs_store_written(const struct cs_store *s);
/** A savepoint within the transaction; the head of the log in memory goes back with it. */
enum cs_rc cs_store_savepoint(struct cs_store *s, struct cs_err *e) CS_MUST_CHECK;
enum cs_rc cs_store_release(struct cs_store *s, struct cs_err *e) CS_MUST_CHECK;
enum cs_rc cs_store_revert(struct cs_store *s, struct cs_err *e) CS_MUST_CHECK;

/* --- events --- */

/** Append an event: seq, prev and hash are filled here. CS_E_UNAVAILABLE: the log does not end as
 * this connection left it, so another program wrote, and nothing is written behind that.
 * @param seqp may be NULL */
enum cs_rc cs_store_append(struct cs_store *s, struct cs_event *ev, int64_t *seqp,
			   struct cs_err *e) CS_MUST_CHECK;
/** The number that the next event will get; only in the writer's transaction. */
int64_t cs_store_next_seq(const struct cs_store *s);
/** The log's end as this connection sees it; size 0 for an empty log. */
enum cs_rc cs_store_log(struct cs_store *s, struct cs_log_ref *out, struct cs_err *e) CS_MUST_CHECK;
/** Hash of event seq. CS_E_NOT_FOUND. */
enum cs_rc cs_store_event_hash(struct cs_store *s, int64_t seq, struct cs_sha256 *out,
			       struct cs_err *e) CS_MUST_CHECK;
/**
 * Append the bytes of events from..to to out, each followed by a newline; stops before out would
 * pass `soft_max` bytes (but gives at least one). *nextp is the first one not given.
 */
enum cs_rc cs_store_events(struct cs_store *s, int64_t from, int64_t to, size_t soft_max,
			   struct cs_buf *out, int64_t *nextp, struct cs_err *e) CS_MUST_CHECK;

/** How far a check of the chain is. */
struct cs_chain_check {
	int64_t next;  /* the first event that was not looked at, from 1 */
	int64_t bad;   /* the event that the last call found damaged, or 0 */
	bool anchored; /* the hashes are known; without, the next event may follow anything */
	struct cs_sha256 stored, computed; /* hash of the event before: by its row, by its bytes */
};
/**
 * Read events up to `to`, which was committed, from the disk and not from this connection's memory:
 * each must have its number and its hash and follow the one before.
 *
 * @param at        moved on, also past a damaged event
 * @param soft_max  stop after so many bytes of events
 * @param bytesp    bytes that were read; set always
 * @return CS_OK at `to` or after soft_max; CS_E_CORRUPT at a damaged event, which is at->bad, with
 * what is wrong with it: call again for the rest; else the reading failed and may be tried again
 */
enum cs_rc cs_store_check(struct cs_store *s, struct cs_chain_check *at, int64_t to,
			  size_t soft_max, size_t *bytesp, struct cs_err *e) CS_MUST_CHECK;
/** The log's end as the writing connection knows it, whatever the file says; only in the writer's
 * transaction. */
struct cs_log_ref cs_store_known_log(const struct cs_store *s);

/* --- the write-ahead log --- */

/** Pages in it as the last commit left it; it begins anew with the first commit after a checkpoint
 * that brought all of them. */
int64_t cs_store_wal_pages(const struct cs_store *s);
/**
 * Bring what is committed into the database, beside whoever writes or reads. On any connection;
 * CS_OK when another one is at it, too. CS_E_IO means that the database may lack what a later
 * checkpoint takes for brought: the process must end, and the next start brings all that the
 * write-ahead log has. After any other error the next checkpoint does it again.
 */
enum cs_rc cs_store_checkpoint(struct cs_store *s, struct cs_err *e) CS_MUST_CHECK;

/* --- copies and checks (readers) --- */

/**
 * Copy the whole database as it is at one moment, beside whoever writes it. The copy is on disk
 * when this returns.
 *
 * @param file  exists and is empty
 */
enum cs_rc cs_store_backup(struct cs_store *s, const char *file, struct cs_err *e) CS_MUST_CHECK;
/** Every page, index and constraint of the file. CS_E_CORRUPT names the first problem. */
enum cs_rc cs_store_check_pages(struct cs_store *s, struct cs_err *e) CS_MUST_CHECK;

/* --- requests --- */

struct cs_request_row {
	int64_t num;
	char id[CS_UUID_TEXT];
	char principal[CS_NAME_MAX + 1];
	enum cs_env environment;
	enum cs_state state;
	char reason[CS_REASON_MAX + 1];
	int64_t created, expires, revision;
	int64_t next_attempt; /* 0 = not scheduled */
	int64_t attempts;
	struct cs_sha256 document_sha256, equality;
	char comment[CS_COMMENT_MAX + 1];
	struct cs_buf document; /* owned; cs_request_row_done */
};

void cs_request_row_init(struct cs_request_row *r);
void cs_request_row_done(struct cs_request_row *r);

/** An Idempotency-Key and the hash of the body that it came with. */
struct cs_idempotency {
	const char *key;
	struct cs_sha256 fingerprint;
};

/**
 * Insert with its document, its artifacts and the groups of its quorum; r->num is set. The
 * artifacts wait, or are in their first attempt like a request that is inserted in state signing.
 *
 * @param key  NULL without one
 */
enum cs_rc cs_store_request_insert(struct cs_store *s, struct cs_request_row *r,
				   const struct cs_request *doc, const struct cs_idempotency *key,
				   struct cs_err *e) CS_MUST_CHECK;
/** The groups of one more quorum list, as a new policy may ask them: their approvers see the
 * request from now on. */
enum cs_rc cs_store_request_groups(struct cs_store *s, int64_t num, const struct cs_quorum_list *q,
				   struct cs_err *e) CS_MUST_CHECK;
/** CS_E_NOT_FOUND. */
enum cs_rc cs_store_request(struct cs_store *s, const char *id, struct cs_request_row *out,
			    struct cs_err *e) CS_MUST_CHECK;

struct cs_request_change {
	enum cs_state from, to;
	int64_t revision; /* it must have now; −1 = any */
	int64_t new_revision;
	int64_t next_attempt; /* 0 = none */
	bool count_attempt;
	const char *reason; /* NULL = keep */
};
/** The guard of every command: CS_E_CONFLICT when state or revision are no longer the ones named.
 */
enum cs_rc cs_store_request_change(struct cs_store *s, int64_t num,
				   const struct cs_request_change *c,
				   struct cs_err *e) CS_MUST_CHECK;

struct cs_store_filter {
	const char *principal; /* only hers; NULL = all */
	const char *group;     /* only those that ask this group; NULL = all */
	enum cs_state state;   /* CS_ST_NONE = any */
	enum cs_env environment;
	const char *after; /* id; NULL = newest */
	int64_t limit;
};
/** Called per row, which is borrowed and without its document. A result other than CS_OK stops and
 * is returned. */
typedef enum cs_rc cs_request_fn(void *arg, const struct cs_request_row *row, struct cs_err *e);
/** Newest first. CS_E_INVALID when `after` names no request. */
enum cs_rc cs_store_requests(struct cs_store *s, const struct cs_store_filter *f, cs_request_fn *fn,
			     void *arg, struct cs_err *e) CS_MUST_CHECK;
/** Requests in pending, approved or signing, oldest first, num > after_num; at most limit. Nothing
 * may be written inside fn. */
enum cs_rc cs_store_live(struct cs_store *s, int64_t after_num, int64_t limit, cs_request_fn *fn,
			 void *arg, struct cs_err *e) CS_MUST_CHECK;
/** The highest number of a request; 0 when there is none. */
enum cs_rc cs_store_last_request(struct cs_store *s, int64_t *nump, struct cs_err *e) CS_MUST_CHECK;
/** Ids of live requests from first to last num with expires <= now, or approved ones with
 * next_attempt <= now; at most max. */
enum cs_rc cs_store_expired(struct cs_store *s, int64_t now, int64_t first, int64_t last,
			    char (*ids)[CS_UUID_TEXT], size_t max, size_t *countp,
			    struct cs_err *e) CS_MUST_CHECK;
enum cs_rc cs_store_due(struct cs_store *s, int64_t now, char (*ids)[CS_UUID_TEXT], size_t max,
			size_t *countp, struct cs_err *e) CS_MUST_CHECK;
/** How many live requests there are in a state, and since when the oldest; both 0 when none. */
struct cs_live_count {
	int64_t count, oldest;
};
/** @param counts  indexed by enum cs_state */
enum cs_rc cs_store_live_counts(struct cs_store *s,
				struct cs_live_count counts[static CS_ST__COUNT],
				struct cs_err *e) CS_MUST_CHECK;
/** Live requests of a principal. */
enum cs_rc cs_store_open_count(struct cs_store *s, const char *principal, int64_t *countp,
			       struct cs_err *e) CS_MUST_CHECK;
/** The newest live or signed request of the principal with this equality hash, created after
 * `since`, among the last CS_EQUAL_MAX with it: who submits the same and cancels it again and again
 * must not make every look longer. Only on the writing connection, as the next. CS_E_NOT_FOUND. */
enum cs_rc cs_store_equal(struct cs_store *s, const char *principal,
			  const struct cs_sha256 *equality, int64_t since,
			  char id[static CS_UUID_TEXT], struct cs_err *e) CS_MUST_CHECK;
/** The newest request that the principal made with this Idempotency-Key after `since`, and the hash
 * of its body. CS_E_NOT_FOUND. */
enum cs_rc cs_store_idempotency(struct cs_store *s, const char *principal, const char *key,
				int64_t since, struct cs_sha256 *fingerprint,
				char id[static CS_UUID_TEXT], struct cs_err *e) CS_MUST_CHECK;

/* --- artifacts, signatures, decisions --- */

struct cs_artifact_row {
	enum cs_artifact_state state;
	int64_t attempts, unknowns;
};
/** Fills rows[0..*countp) in the order of the document. */
enum cs_rc cs_store_artifacts(struct cs_store *s, int64_t num,
			      struct cs_artifact_row rows[static CS_ARTIFACTS_MAX], size_t *countp,
			      struct cs_err *e) CS_MUST_CHECK;
/** CS_E_CONFLICT when it is not in `from`. An intent counts an attempt; an unknown counts an
 * unknown. */
enum cs_rc cs_store_artifact_move(struct cs_store *s, int64_t num, size_t index,
				  enum cs_artifact_state from, enum cs_artifact_state to,
				  struct cs_err *e) CS_MUST_CHECK;

enum cs_rc cs_store_signature_insert(struct cs_store *s, int64_t num, size_t index,
				     struct cs_bytes sig, struct cs_err *e) CS_MUST_CHECK;
/** Called per signature in the order of the document. */
typedef enum cs_rc cs_signature_fn(void *arg, size_t index, struct cs_bytes sig, struct cs_err *e);
enum cs_rc cs_store_signatures(struct cs_store *s, int64_t num, cs_signature_fn *fn, void *arg,
			       struct cs_err *e) CS_MUST_CHECK;
enum cs_rc cs_store_signatures_drop(struct cs_store *s, int64_t num,
				    struct cs_err *e) CS_MUST_CHECK;

struct cs_decision_row {
	char person[CS_NAME_MAX + 1];
	int64_t n;
	enum cs_verdict_kind verdict;
	struct cs_sha256 spki;
	struct cs_bytes envelope; /* borrowed */
	const char *comment;      /* borrowed; "" when none */
	int64_t seq;
};
enum cs_rc cs_store_decision_insert(struct cs_store *s, int64_t num,
				    const struct cs_decision_row *d,
				    struct cs_err *e) CS_MUST_CHECK;
typedef enum cs_rc cs_decision_fn(void *arg, const struct cs_decision_row *d, struct cs_err *e);
/** In the order of the log. */
enum cs_rc cs_store_decisions(struct cs_store *s, int64_t num, cs_decision_fn *fn, void *arg,
			      struct cs_err *e) CS_MUST_CHECK;

/* --- marks --- */

/** Small numbers that outlive the daemon. The list is the schema's. */
enum cs_store_mark {
	CS_MARK_RUNNING, /* 1 while a daemon has the database open: how an unclean stop is noticed
			  */
	CS_MARK_POLICY_SEQ, /* number of the last policy.loaded event; 0 = none */
};
enum cs_rc cs_store_mark_get(struct cs_store *s, enum cs_store_mark mark, int64_t *valuep,
			     struct cs_err *e) CS_MUST_CHECK;
enum cs_rc cs_store_mark_set(struct cs_store *s, enum cs_store_mark mark, int64_t value,
			     struct cs_err *e) CS_MUST_CHECK;

/* --- uses of keys that have a limit: counted since they have one --- */

/** 0 before the first. */
enum cs_rc cs_store_key_uses(struct cs_store *s, const struct cs_sha256 *spki, int64_t *usesp,
			     struct cs_err *e) CS_MUST_CHECK;
/** @param by  1 for a use, −1 for one that did not happen after all */
enum cs_rc cs_store_key_uses_count(struct cs_store *s, const struct cs_sha256 *spki, int64_t by,
				   struct cs_err *e) CS_MUST_CHECK;

#endif
