/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of the log from the server, cut into events.
 */
#ifndef CS_CLI_EVENTS_H
#define CS_CLI_EVENTS_H

#include "cli/cli.h"
#include "model/decision.h"

/** Told about each event: its exact bytes, without the newline. */
typedef enum cs_rc(cs_events_fn)(void *arg, struct cs_bytes line, struct cs_err *e);

/** Where a page ended. */
struct cs_events_end {
	struct cs_log_ref log;
	int64_t next; /* above log.size: that was all */
};

/**
 * Cut a page: every line but the last is an event, and the last says where it ended. CS_E_VERSION
 * for anything else.
 */
enum cs_rc cs_events_cut(struct cs_bytes page, cs_events_fn *fn, void *arg,
			 struct cs_events_end *out, struct cs_err *e) CS_MUST_CHECK;
/**
 * Fetch one page.
 *
 * @param first  the beginning of an export, which the log notes
 */
enum cs_rc cs_events_page(struct cs_cli *cli, int64_t from, bool first, cs_events_fn *fn, void *arg,
			  struct cs_events_end *out, struct cs_err *e) CS_MUST_CHECK;

#endif
