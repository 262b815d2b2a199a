/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life cycles of requests and artifacts: names and permitted moves, as two tables.
 * Nothing here changes a state; core/move.c does, and asks here first.
 * See docs/PROTOCOL.decision, "States".
 */
#include "model/state.h"

#include <stdint.h>

#include "model/list.h"

#define TO(state) (UINT32_C(1) << (state))

static const char *const state_names[CS_ST__COUNT] = {
	[CS_ST_DENIED] = "denied",   [CS_ST_PENDING] = "pending",     [CS_ST_APPROVED] = "approved",
	[CS_ST_SIGNING] = "signing", [CS_ST_SIGNED] = "signed",       [CS_ST_REJECTED] = "rejected",
	[CS_ST_EXPIRED] = "expired", [CS_ST_CANCELLED] = "cancelled", [CS_ST_FAILED] = "failed",
};

/* A state without a row is final. */
static const uint32_t next_state[CS_ST__COUNT] = {
	[CS_ST_PENDING] = TO(CS_ST_APPROVED) | TO(CS_ST_REJECTED) | TO(CS_ST_EXPIRED) |
			  TO(CS_ST_CANCELLED),
	/* back to pending when an approval is withdrawn or stops counting */
	[CS_ST_APPROVED] = TO(CS_ST_SIGNING) | TO(CS_ST_PENDING) | TO(CS_ST_REJECTED) |
			   TO(CS_ST_EXPIRED) | TO(CS_ST_CANCELLED),
	/* back to approved when the attempt ended before every artifact was signed */
	[CS_ST_SIGNING] = TO(CS_ST_SIGNED) | TO(CS_ST_APPROVED) | TO(CS_ST_FAILED),
};

static const char *const artifact_state_names[CS_AS__COUNT] = {
	[CS_AS_WAITING] = "waiting", [CS_AS_SIGNING] = "signing", [CS_AS_UNKNOWN] = "unknown",
	[CS_AS_SIGNED] = "signed",   [CS_AS_FAILED] = "failed",
};

static const uint32_t next_artifact_state[CS_AS__COUNT] = {
	[CS_AS_WAITING] = TO(CS_AS_SIGNING),
	/* back to waiting when the attempt was refused or failed before the HSM was asked */
	[CS_AS_SIGNING] = TO(CS_AS_SIGNED) | TO(CS_AS_WAITING) | TO(CS_AS_UNKNOWN) |
			  TO(CS_AS_FAILED),
	[CS_AS_UNKNOWN] = TO(CS_AS_SIGNING) | TO(CS_AS_FAILED),
};

const char *cs_state_name(enum cs_state s)
{
	return cs_list_name(state_names, CS_ST__COUNT, s);
}

enum cs_state cs_state_from_name(const char *name)
{
	return (enum cs_state)cs_list_find(state_names, CS_ST__COUNT, name);
}

bool cs_state_may_move(enum cs_state from, enum cs_state to)
{
	return from < CS_ST__COUNT && to < CS_ST__COUNT && (next_state[from] & TO(to)) != 0;
}

bool cs_state_is_final(enum cs_state s)
{
	return s > CS_ST_NONE && s < CS_ST__COUNT && next_state[s] == 0;
}

const char *cs_artifact_state_name(enum cs_artifact_state s)
{
	return cs_list_name(artifact_state_names, CS_AS__COUNT, s);
}

enum cs_artifact_state cs_artifact_state_from_name(const char *name)
{
	return (enum cs_artifact_state)cs_list_find(artifact_state_names, CS_AS__COUNT, name);
}

bool cs_artifact_state_may_move(enum cs_artifact_state from, enum cs_artifact_state to)
{
	return from < CS_AS__COUNT && to < CS_AS__COUNT &&
	       (next_artifact_state[from] & TO(to)) != 0;
}
