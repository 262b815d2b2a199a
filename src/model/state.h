/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a request and of its artifacts, as data. core/move.c is the only place that changes a
 * state.
 */
#ifndef CS_MODEL_STATE_H
#define CS_MODEL_STATE_H

#include <stdbool.h>

enum cs_state {
	CS_ST_NONE,
	CS_ST_DENIED,
	CS_ST_PENDING,  /* waits for approvals */
	CS_ST_APPROVED, /* waits for an attempt */
	CS_ST_SIGNING,  /* an attempt runs */
	CS_ST_SIGNED,
	CS_ST_REJECTED,
	CS_ST_EXPIRED,
	CS_ST_CANCELLED,
	CS_ST_FAILED,
	CS_ST__COUNT
};

enum cs_artifact_state {
	CS_AS_NONE,
	CS_AS_WAITING, /* "waiting" */
	CS_AS_SIGNING, /* an intent is in the log, no outcome yet */
	CS_AS_UNKNOWN, /* a frame was sent, no answer came: one more attempt at most */
	CS_AS_SIGNED,
	CS_AS_FAILED,
	CS_AS__COUNT
};

const char *cs_state_name(enum cs_state s); /* "pending" */
enum cs_state cs_state_from_name(const char *name);
/** The table of design: pending → approved | rejected | …. */
bool cs_state_may_move(enum cs_state from, enum cs_state to);
/** Nothing follows: denied, signed, rejected, expired, cancelled, failed. */
bool cs_state_is_final(enum cs_state s);

const char *cs_artifact_state_name(enum cs_artifact_state s);
enum cs_artifact_state cs_artifact_state_from_name(const char *name);
bool cs_artifact_state_may_move(enum cs_artifact_state from, enum cs_artifact_state to);

#endif
