/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to a signer and the exchanges on it, oldest first. Belongs to the thread of
 * client.c; never waits.
 */
#ifndef CS_SIGNER_CONN_H
#define CS_SIGNER_CONN_H

#include "signer/client.h"

/** Exchanges on one connection: while the signer works on one, the next is there already, and
 * neither side sleeps in between. */
#define CS_SIGNER_DEPTH 4

/** A list of exchanges. */
struct cs_exchange_list {
	struct cs_exchange *first, **end;
};

enum cs_signer_conn_state { CS_CONN_CLOSED, CS_CONN_GREETING, CS_CONN_OPEN };

struct cs_signer_conn {
	enum cs_signer_conn_state state;
	int fd; /* −1 when closed */
	struct cs_signer_hello hello;
	struct cs_buf in, out; /* received and not taken; to be sent */
	size_t sent;           /* of out */
	struct cs_exchange_list flying;
	size_t in_flight; /* how many those are */
	uint64_t used;    /* when it was last given an exchange, as a count */
	bool is_retired;  /* gets no more exchanges; closed with the last one */
};

void cs_signer_conn_init(struct cs_signer_conn *c);
void cs_signer_conn_done(struct cs_signer_conn *c);

/** Connect; the signer greets first. CS_E_UNAVAILABLE, CS_E_FORBIDDEN (another user serves it). */
enum cs_rc cs_signer_conn_open(struct cs_signer_conn *c, const char *socket, int64_t peer_uid,
			       struct cs_err *e) CS_MUST_CHECK;
/** Send an exchange's frame, or as much as the socket takes. After an error nothing of it has left,
 * and the connection is to be ended. */
enum cs_rc cs_signer_conn_send(struct cs_signer_conn *c, struct cs_exchange *x,
			       struct cs_err *e) CS_MUST_CHECK;
/** Send what is left to send. */
enum cs_rc cs_signer_conn_flush(struct cs_signer_conn *c, struct cs_err *e) CS_MUST_CHECK;
/** Read all there is and act on it. After an error the connection is to be ended. */
enum cs_rc cs_signer_conn_read(struct cs_signer_conn *c, const char *token,
			       struct cs_err *e) CS_MUST_CHECK;
/**
 * Close. The oldest exchange ends with `why`, in doubt; the ones behind it were not begun and go to
 * `back`, unless the signer broke the protocol or its answers cannot be read: then all are in
 * doubt.
 */
void cs_signer_conn_end(struct cs_signer_conn *c, const char *token, const struct cs_err *why,
			struct cs_exchange_list *back);

/** End an exchange. */
void cs_exchange_end(struct cs_exchange *x, const struct cs_signer_conn *c,
		     const struct cs_err *why);

void cs_exchange_list_init(struct cs_exchange_list *l);
void cs_exchange_list_add(struct cs_exchange_list *l, struct cs_exchange *x);
struct cs_exchange *cs_exchange_list_take(struct cs_exchange_list *l);
/** Move all of `more` to the front of `l`. */
void cs_exchange_list_push_front(struct cs_exchange_list *l, struct cs_exchange_list *more);

#endif
