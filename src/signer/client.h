/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon's side of a signer: one thread and a fixed number of connections to one token's
 * socket. Exchanges are put and end by themselves; nobody blocks. A connection that fails is opened
 * again when it is needed; a signer is never started.
 */
#ifndef CS_SIGNER_CLIENT_H
#define CS_SIGNER_CLIENT_H

#include "signer/protocol.h"

struct cs_signer;
struct cs_exchange;

/** What a STATUS asks for, in cs_exchange.asked. */
#define CS_ASK_HEALTH (UINT32_C(1) << 31)

struct cs_signer_config {
	const char *token;   /* name in signing.yaml */
	const char *socket;  /* path */
	int64_t connections; /* as many as the signer has children */
	int64_t timeout_us;  /* for one whole exchange, waiting for a connection included */
	int64_t peer_uid;    /* uid the signer must have; −1 = any */
};

enum cs_rc cs_signer_new(const struct cs_signer_config *config, struct cs_signer **sp,
			 struct cs_err *e) CS_MUST_CHECK;
/** Waits for the exchanges that were put. NULL is fine. */
void cs_signer_free(struct cs_signer *s);

/**
 * One frame to the signer and all that it answers. Its owner fills the first part and puts it; it
 * belongs to the signer until on_end. Both functions are called on the signer's thread: they must
 * only take note.
 */
struct cs_exchange {
	struct cs_bytes frame;          /* with its header; borrowed until on_end */
	uint32_t asked;                 /* artifacts of a SIGN as bits, or CS_ASK_HEALTH */
	const struct cs_sha256 *expect; /* policy the signer must have; NULL: any */
	/** A result, as it comes, of one of the artifacts asked for. */
	void (*on_result)(struct cs_exchange *x, const struct cs_signer_result *result);
	/** Called once. The exchange is its owner's again. */
	void (*on_end)(struct cs_exchange *x);

	/* how it ended; with on_end */
	bool sent;         /* the signer may have begun: a result that is missing is unknown */
	struct cs_err err; /* .rc: CS_OK when everything came, see cs_signer_put */
	const struct cs_signer_hello *hello; /* of its connection; borrowed during on_end */
	struct cs_signer_health health;      /* of a STATUS that ended well */

	/* the signer's */
	struct cs_exchange *next;
	_Atomic size_t *load; /* of exchanges that have not ended */
	int64_t deadline;     /* cs_clock_mono */
	uint32_t missing;
};

/**
 * Put an exchange. Several may be under way on one connection; the signer answers them in order and
 * begins none before the one ahead of it is answered. on_end gets in err.rc: CS_OK;
 * CS_E_UNAVAILABLE (no connection, another policy); CS_E_BUSY (no connection had room in time);
 * CS_E_TIMEOUT; CS_E_CLOSED; CS_E_INVALID (the signer broke the protocol).
 */
void cs_signer_put(struct cs_signer *s, struct cs_exchange *x);

/** A STATUS exchange that waits for its end. Not from on_result or on_end. */
enum cs_rc cs_signer_status(struct cs_signer *s, struct cs_signer_hello *hello,
			    struct cs_signer_health *health, struct cs_err *e) CS_MUST_CHECK;

/** How many exchanges were put and have not ended. Any thread. */
size_t cs_signer_load(struct cs_signer *s);

#endif
