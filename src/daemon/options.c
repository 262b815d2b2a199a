/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of options and its two readers.
 * Must not act on anything.
 * See countersignd(8) for what the options do.
 */
#include "daemon/options.h"

#include <stddef.h>
#include <string.h>

#define HELP_COLUMN 26

#define NO_MODE (-1)
#define NO_FIELD ((size_t)-1)
#define FIELD(name) offsetof(struct cs_options, name)

static const struct row {
	const char *name;
	const char *argument; /* what --help calls it; NULL: takes none */
	int mode;             /* enum cs_mode or NO_MODE */
	size_t field;         /* where the argument goes */
	const char *doc;
} rows[] = {
	{ "config", "FILE", NO_MODE, FIELD(config),
	  "Configuration file; default " CS_CONFIG_DEFAULT "." },
	{ "check", NULL, CS_MODE_CHECK, NO_FIELD,
	  "Read all three files, print every problem, and stop." },
	{ "print-config", NULL, CS_MODE_PRINT_CONFIG, NO_FIELD,
	  "Print the configuration in force, defaults filled in." },
	{ "print-policy", NULL, CS_MODE_PRINT_POLICY, NO_FIELD,
	  "Print the resolved policy: canonical JSON, as its digest covers it." },
	{ "diff", "OLD", CS_MODE_DIFF, FIELD(argument),
	  "Print what the policy changes against the signing.yaml OLD." },
	{ "explain", "REQUEST", CS_MODE_EXPLAIN, FIELD(argument),
	  "Say what would happen to the request in this JSON file, and by which rule; needs --as." },
	{ "as", "PRINCIPAL", NO_MODE, FIELD(as), "Who would send it, a name of access.yaml." },
	{ "export", "FILE", CS_MODE_EXPORT, FIELD(argument),
	  "Write the log, of a running daemon too, to a new FILE; - is standard output." },
	{ "backup", "FILE", CS_MODE_BACKUP, FIELD(argument),
	  "Copy the database, of a running daemon too, to a new FILE, and check the copy." },
	{ "from", "SEQ", NO_MODE, FIELD(from), "With --export: begin with this event." },
	{ "database", "FILE", NO_MODE, FIELD(database),
	  "With --export and --backup: this database, not the configuration's." },
	{ "accept-restore", NULL, NO_MODE, FIELD(accept_restore),
	  "Serve with a database that is older than, or another than, the one served last." },
	{ "print-openapi", NULL, CS_MODE_PRINT_OPENAPI, NO_FIELD,
	  "Print the OpenAPI description of the HTTP interface." },
	{ "version", NULL, CS_MODE_VERSION, NO_FIELD, "Print the version." },
	{ "help", NULL, CS_MODE_HELP, NO_FIELD, "Print this text." },
};

/* The row of "--name" or "--name=value"; *valuep is set to what follows '=', or NULL. */
static const struct row *find(const char *arg, const char **valuep)
{
	size_t len;

	if (strncmp(arg, "--", 2) != 0)
		return NULL;
	arg += 2;
	len = strcspn(arg, "=");
	*valuep = arg[len] == '=' ? arg + len + 1 : NULL;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strlen(rows[i].name) == len && strncmp(rows[i].name, arg, len) == 0)
			return &rows[i];
	return NULL;
}

static enum cs_rc check_companions(const struct cs_options *o, struct cs_err *e)
{
	if (o->mode == CS_MODE_EXPLAIN && !o->as)
		return CS_FAIL(e, CS_E_INVALID, "--explain: say who asks, with --as PRINCIPAL");
	if (o->mode != CS_MODE_EXPLAIN && o->as)
		return CS_FAIL(e, CS_E_INVALID, "--as: only together with --explain");
	if (o->mode != CS_MODE_EXPORT && o->mode != CS_MODE_BACKUP && o->database)
		return CS_FAIL(e, CS_E_INVALID,
			       "--database: only together with --export or --backup");
	if (o->mode != CS_MODE_EXPORT && o->from)
		return CS_FAIL(e, CS_E_INVALID, "--from: only together with --export");
	if (o->mode != CS_MODE_SERVE && o->accept_restore)
		return CS_FAIL(e, CS_E_INVALID, "--accept-restore: only to serve");
	return CS_OK;
}

enum cs_rc cs_options_parse(int argc, char **argv, struct cs_options *o, struct cs_err *e)
{
	*o = (struct cs_options){ .mode = CS_MODE_SERVE, .config = CS_CONFIG_DEFAULT };
	for (int i = 1; i < argc; i++) {
		const char *value = NULL;
		const struct row *row = find(argv[i], &value);

		if (!row)
			return CS_FAIL(e, CS_E_INVALID, "%s: unknown option; --help lists them",
				       argv[i]);
		if (!row->argument && value)
			return CS_FAIL(e, CS_E_INVALID, "--%s: takes no argument", row->name);
		if (row->argument && !value) {
			if (i + 1 == argc)
				return CS_FAIL(e, CS_E_INVALID, "--%s: %s is missing", row->name,
					       row->argument);
			value = argv[++i];
		}
		if (row->mode != NO_MODE && o->mode != CS_MODE_SERVE)
			return CS_FAIL(e, CS_E_INVALID, "--%s: one thing at a time", row->name);
		if (row->mode != NO_MODE)
			o->mode = (enum cs_mode)row->mode;
		if (!row->argument)
			value = row->name; /* anything but NULL: it was given */
		if (row->field != NO_FIELD)
			memcpy((char *)o + row->field, &value, sizeof(value));
	}
	return check_companions(o, e);
}

void cs_options_describe(struct cs_buf *out)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		cs_buf_addf(out, ".It Fl Fl %s", rows[i].name);
		if (rows[i].argument)
			cs_buf_addf(out, " Ar %s", rows[i].argument);
		cs_buf_addf(out, "\n%s\n", rows[i].doc);
	}
}

void cs_options_help(struct cs_buf *out)
{
	cs_buf_add_str(out, "usage: countersignd [--config FILE] [option ...]\n"
			    "Serves signing requests; in the foreground, logging to standard "
			    "error.\n\n");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		size_t start = out->len;

		cs_buf_addf(out, "  --%s%s%s", rows[i].name, rows[i].argument ? " " : "",
			    rows[i].argument ? rows[i].argument : "");
		while (out->len - start < HELP_COLUMN)
			cs_buf_add_char(out, ' ');
		cs_buf_addf(out, "%s\n", rows[i].doc);
	}
	cs_buf_add_str(out,
		       "\nSIGHUP reads policy, access list and TLS files again, all or nothing; "
		       "SIGTERM stops.\nExit status: 0 done, 1 failed, 2 wrong usage, 74 the log "
		       "cannot be written, 78 configuration.\n");
}
