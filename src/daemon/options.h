/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The command line of countersignd: one table gives parser, --help and the manual page.
 */
#ifndef CS_DAEMON_OPTIONS_H
#define CS_DAEMON_OPTIONS_H

#include "base/buf.h"

#define CS_CONFIG_DEFAULT "/etc/countersign/countersignd.conf"

/** What the program does; exactly one. */
enum cs_mode {
	CS_MODE_SERVE,
	CS_MODE_CHECK,
	CS_MODE_PRINT_POLICY,
	CS_MODE_PRINT_CONFIG,
	CS_MODE_DIFF,
	CS_MODE_EXPLAIN,
	CS_MODE_EXPORT,
	CS_MODE_BACKUP,
	CS_MODE_PRINT_OPENAPI,
	CS_MODE_VERSION,
	CS_MODE_HELP,
};

struct cs_options {
	enum cs_mode mode;
	const char *config;         /* path */
	const char *argument;       /* of the mode: OLD, REQUEST.json, FILE */
	const char *as;             /* with CS_MODE_EXPLAIN: name of a principal */
	const char *database;       /* with CS_MODE_EXPORT and _BACKUP: path, or NULL for the
				       configuration's */
	const char *from;           /* with CS_MODE_EXPORT: number of the first event, or NULL */
	const char *accept_restore; /* with CS_MODE_SERVE: not NULL when given */
};

/** Read argv; everything borrowed from it. CS_E_INVALID says what is wrong. */
enum cs_rc cs_options_parse(int argc, char **argv, struct cs_options *o,
			    struct cs_err *e) CS_MUST_CHECK;
/** The text of --help. */
void cs_options_help(struct cs_buf *out);
/** The list of options of countersignd(8), in mdoc. */
void cs_options_describe(struct cs_buf *out);

#endif
