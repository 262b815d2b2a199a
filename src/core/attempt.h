/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of an attempt, for attempt.c, answers.c and settle.c: what is asked, what was
 * answered, what became of it. Nobody waits for an attempt: the signers' threads note the answers,
 * a job on the core's pool checks them, the writer's thread commits their outcomes and begins the
 * next step or the end.
 */
#ifndef CS_CORE_ATTEMPT_H
#define CS_CORE_ATTEMPT_H

#include "core/internal.h"

/** What became of one artifact. */
struct cs_outcome {
	enum cs_event_kind kind; /* sign.done, sign.failed or sign.unknown */
	enum cs_artifact_state state;
	const char *code, *message;
	bool reached_hsm;
	struct cs_sha256 raw;
	struct cs_buf signature; /* with sign.done */
};

/** One artifact of an attempt. */
struct cs_attempt_job {
	bool planned; /* this attempt signs it */
	int64_t number;
	enum cs_artifact_state before;
	const struct cs_key *key; /* borrowed from the case's policy */
	struct cs_sha256 tbs;
	struct cs_attempt_frame *frame; /* that asks for it */

	/* the answer; under the attempt's lock until `due` was seen */
	bool has_answer, due; /* due: to be settled, with an answer or without */
	enum cs_sign_outcome answer;
	char code[CS_NAME_MAX + 1], message[CS_REASON_MAX + 1];
	struct cs_buf raw;

	/* the step's */
	bool settling, settled; /* its outcome is being committed; is committed */
	struct cs_outcome outcome;
	struct cs_err error; /* that the outcome's texts are borrowed from */
};

/** What one token is asked. */
struct cs_attempt_frame {
	struct cs_exchange x; /* first */
	struct cs_attempt *attempt;
	const char *token; /* borrowed from the case's policy */
	int signer;        /* index, or −1 */
	int64_t began;     /* cs_clock_mono */
	struct cs_buf bytes;
};

struct cs_attempt {
	struct cs_attempt *next; /* in the core's list of running ones */
	struct cs_attempt
		*next_unsettled; /* in its list of those that the writer must take again */
	struct cs_core *core;
	struct cs_case *k;
	cs_attempt_end_fn *ended;
	void *ended_arg;

	struct cs_job step;         /* on the pool: look at the answers */
	struct cs_command settling; /* at the writer: commit their outcomes */
	int64_t settle_until;
	int64_t revision;   /* of the request after the intents */
	int64_t signed_seq; /* of request.signed, 0 before; it may still be rolled back */
	size_t open;        /* planned and not settled */
	bool lost;          /* an outcome could not be written */

	pthread_mutex_t lock; /* guards what follows, and the answers of the jobs */
	bool is_stepping;     /* a step or its commit is under way */
	bool has_news;        /* since that step looked */

	size_t frame_count;
	struct cs_attempt_frame *frames; /* owned */
	struct cs_attempt_job jobs[];    /* one for each artifact of the document */
};

/* --- answers.c --- */

/** On a signer's thread. */
void cs_attempt_note_answer(struct cs_exchange *x, const struct cs_signer_result *r);
void cs_attempt_note_end(struct cs_exchange *x);
/** On the pool: look at the answers. */
void cs_attempt_take_step(struct cs_job *step);
/** The step is over; the next one begins if there is something to look at. */
void cs_attempt_end_step(struct cs_attempt *a);

/* --- settle.c --- */

/** Commit the outcomes of the jobs that are settling; then the attempt ends, or the step. */
void cs_attempt_settle(struct cs_attempt *a);

#endif
