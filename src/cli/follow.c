/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows one request to its end.
 * Must not stop because a connection was lost: the library comes back, and we with it.
 * See follow.h for the contract.
 */
#include "cli/follow.h"

#include <string.h>

#include "base/clock.h"
#include "cli/remote.h"
#include "cli/term.h"

#define POLL_SECONDS 30 /* how long the server may hold an answer back */
#define TICK_SECONDS 5  /* … with a live line, whose remaining time should move */

static void add_votes(const struct countersign_request *r, struct cs_buf *out)
{
	const char *before = "; ";

	for (size_t i = 0; i < r->vote_count; i++) {
		bool approve = strcmp(r->votes[i].decision, "approve") == 0;

		cs_buf_addf(out, "%s%s by %s (%s)", before,
			    approve ? "approved" : r->votes[i].decision, r->votes[i].person,
			    r->votes[i].group);
		before = ", ";
	}
}

static void add_missing(const struct countersign_request *r, struct cs_buf *out)
{
	const char *before = " (";

	if (r->missing < 1)
		return;
	cs_buf_addf(out, "; %lld missing", (long long)r->missing);
	for (size_t i = 0; i < r->quorum_count; i++) {
		cs_buf_addf(out, "%s%s %lld/%lld", before, r->quorum[i].group,
			    (long long)r->quorum[i].have, (long long)r->quorum[i].need);
		before = ", ";
	}
	cs_buf_add_str(out, r->quorum_count > 0 ? ")" : "");
}

void cs_follow_line(const struct countersign_request *r, int64_t now, struct cs_buf *out)
{
	char left[64];
	int64_t expires;

	cs_buf_add_str(out, r->state);
	add_votes(r, out);
	add_missing(r, out);
	if (!r->is_final && cs_time_parse(r->expires, &expires)) {
		cs_term_duration((expires - now) / CS_SECOND, left);
		cs_buf_addf(out, "; expires in %s", left);
	}
}

enum cs_rc cs_follow_verdict(const struct countersign_request *r, struct cs_err *e)
{
	if (r->is_signed)
		return CS_OK;
	if (!r->is_final)
		return CS_FAIL(e, CS_E_PENDING,
			       "request %s is still %s: run the same command again later", r->id,
			       r->state);
	return CS_FAIL(e, strcmp(r->state, "denied") == 0 ? CS_E_DENIED : CS_E_CONFLICT,
		       "request %s was not signed: %s%s%s", r->id, r->state,
		       r->reason[0] ? ": " : "", r->reason);
}

enum cs_rc cs_follow(struct cs_cli *cli, int64_t seconds, struct countersign_request *r,
		     struct cs_err *e)
{
	int64_t until = cs_clock_mono() + seconds * CS_SECOND;
	enum cs_rc rc = CS_OK;

	if (!r->is_final)
		cs_term_note(cli, "request %s", r->id);
	while (!rc && !r->is_final) {
		int64_t left = (until - cs_clock_mono()) / CS_SECOND;
		int64_t hold = cli->tty ? TICK_SECONDS : POLL_SECONDS;
		struct countersign_error err;
		char id[COUNTERSIGN_ID_SIZE];
		struct cs_buf line;

		if (left <= 0)
			break;
		cs_buf_init(&line, 8192);
		cs_follow_line(r, cs_clock_now(), &line);
		cs_term_live(cli, "%s", cs_buf_str(&line));
		cs_buf_done(&line);
		memcpy(id, r->id, sizeof(id));
		countersign_set_patience(cli->client, (unsigned)left);
		rc = cs_remote_check(cli,
				     countersign_poll(cli->client, id, r->revision,
						      (unsigned)(left < hold ? left : hold), r,
						      &err),
				     &err, e);
	}
	cs_term_live_end(cli);
	return rc ? rc : cs_follow_verdict(r, e);
}

void cs_follow_print(const struct cs_cli *cli, const struct countersign_request *r)
{
	if (cli->args.json) {
		json_t *view = json_loads(r->json, 0, NULL);

		cs_remote_print(view);
		json_decref(view);
		return;
	}
	cs_term_row(stdout, "request", r->id);
	cs_term_row(stdout, "state", r->state);
	cs_term_row(stdout, "reason", r->reason);
	for (size_t i = 0; i < r->vote_count; i++)
		cs_term_rowf(stdout, r->votes[i].decision, "%s (%s)", r->votes[i].person,
			     r->votes[i].group);
	if (r->missing > 0)
		cs_term_rowf(stdout, "missing", "%lld", (long long)r->missing);
	for (size_t i = 0; r->missing > 0 && i < r->quorum_count; i++)
		cs_term_rowf(stdout, "quorum", "%s %lld of %lld", r->quorum[i].group,
			     (long long)r->quorum[i].have, (long long)r->quorum[i].need);
}
