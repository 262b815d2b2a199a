/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit register: every use of a key, from an export or from the server.
 * Must not take a log with a gap for a whole one.
 * See countersign(1).
 */
#include "cli/command.h"
#include "cli/events.h"
#include "cli/lines.h"
#include "cli/register.h"
#include "cli/term.h"

/** The whole log, page by page. */
static enum cs_rc from_server(struct cs_cli *cli, struct cs_register *r, struct cs_err *e)
{
	struct cs_events_end end = { .next = 1 };
	bool first = true;
	enum cs_rc rc;

	do {
		rc = cs_events_page(cli, end.next, first, cs_register_take, r, &end, e);
		if (rc)
			return rc;
		first = false;
		cs_term_live(cli, "%lld of %lld events", (long long)(end.next - 1),
			     (long long)end.log.size);
	} while (end.next <= end.log.size);
	cs_term_live_end(cli);
	return CS_OK;
}

static enum cs_rc read_time(const char *option, const char *text, int64_t *out, struct cs_err *e)
{
	if (!text || cs_time_parse_any(text, out))
		return CS_OK;
	return CS_FAIL(e, CS_E_INVALID,
		       "--%s: \"%s\" is no time: write 2026-11-21, or 2026-11-21T10:00:00Z", option,
		       text);
}

enum cs_rc cs_cmd_audit_register(struct cs_cli *cli, struct cs_err *e)
{
	struct cs_register_query q = { .key = cli->args.key, .from = 0, .to = INT64_MAX };
	struct cs_register_out out = cs_register_out(cli);
	struct cs_register *r = NULL;
	enum cs_rc rc;

	if (!q.key)
		return cs_cli_usage(cli, e, "audit register: needs --key KEY");
	if (read_time("from", cli->args.since, &q.from, e) ||
	    read_time("to", cli->args.until, &q.to, e)) {
		cli->exit = CS_EXIT_USAGE;
		return e->rc;
	}
	rc = cs_register_new(&q, cs_register_print, &out, &r, e);
	if (!rc)
		rc = cli->operand_count > 0 ? cs_lines_of(cli->operands[0], cs_register_take, r, e)
					    : from_server(cli, r, e);
	rc = rc ? rc : cs_register_finish(r, e);
	if (!rc && !cs_register_so_far(r)->known)
		rc = CS_FAIL(e, CS_E_NOT_FOUND,
			     "no policy in this log has a key %s; say its name, or the SHA-256 of "
			     "its public key",
			     q.key);
	if (!rc)
		cs_register_print_end(&out, r);
	cs_register_free(r);
	return rc;
}
