/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state file of `sign` and `submit`: the idempotency key of a job, durable before the first
 * POST, so that a job that is run again finds its request instead of making another.
 */
#ifndef CS_CLI_TICKET_H
#define CS_CLI_TICKET_H

#include "base/hash.h"
#include "base/uuid.h"
#include "cli/cli.h"

struct cs_ticket {
	char *path;   /* owned */
	char key[33]; /* the idempotency key */
	char fingerprint[CS_SHA256_HEX];
	char id[CS_UUID_TEXT]; /* the request, once known; else "" */
	bool found;            /* it was there before this run */
};

/**
 * Find the job's ticket, or make one.
 *
 * @param again  make a new one in any case
 */
enum cs_rc cs_ticket_open(struct cs_cli *cli, const struct cs_sha256 *fingerprint, bool again,
			  struct cs_ticket *out, struct cs_err *e) CS_MUST_CHECK;
/** Give the job a new key: its request ended without a signature. */
enum cs_rc cs_ticket_renew(struct cs_ticket *t, struct cs_err *e) CS_MUST_CHECK;
/** Note the request's id. */
enum cs_rc cs_ticket_note(struct cs_ticket *t, const char *id, struct cs_err *e) CS_MUST_CHECK;
void cs_ticket_done(struct cs_ticket *t);

#endif
