/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the command line by one table: an option is a row, and --help prints the rows.
 * Opens no file; only looks up the peer's user name.
 */
#include "signer-main/options.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

#define RUNS (CS_CMD_RUN | CS_CMD_CHECK)
#define TOOLS (CS_CMD_KEYGEN | CS_CMD_DESCRIBE | CS_CMD_BENCH)
#define PIN_PATH_MAX 4096

/* One option's value into *target, a field of struct cs_options. False when it is out of range. */
typedef bool convert_fn(const char *value, int64_t lo, int64_t hi, void *target);

static bool to_text(const char *value, int64_t lo, int64_t hi, void *target)
{
	size_t len = strlen(value);

	*(const char **)target = value;
	return len >= (size_t)lo && len <= (size_t)hi && cs_text_is_free(value, (size_t)hi);
}

static bool to_name(const char *value, int64_t lo, int64_t hi, void *target)
{
	return to_text(value, lo, hi, target) && cs_text_is_name(value, (size_t)hi);
}

static bool to_hex(const char *value, int64_t lo, int64_t hi, void *target)
{
	return to_text(value, lo, hi, target) && cs_text_is_hex(value);
}

static bool to_int(const char *value, int64_t lo, int64_t hi, void *target)
{
	return cs_text_to_int(value, lo, hi, target);
}

static bool to_seconds(const char *value, int64_t lo, int64_t hi, void *target)
{
	int64_t seconds;

	if (!cs_text_to_int(value, lo, hi, &seconds))
		return false;
	*(int64_t *)target = seconds * CS_SECOND;
	return true;
}

static bool to_ms(const char *value, int64_t lo, int64_t hi, void *target)
{
	int64_t ms;

	if (!cs_text_to_int(value, lo, hi, &ms))
		return false;
	*(int64_t *)target = ms * 1000;
	return true;
}

static bool to_env(const char *value, int64_t lo, int64_t hi, void *target)
{
	enum cs_env env = cs_env_from_name(value);

	(void)lo;
	(void)hi;
	*(enum cs_env *)target = env;
	return env != CS_ENV_NONE;
}

static bool to_alg(const char *value, int64_t lo, int64_t hi, void *target)
{
	enum cs_alg alg = cs_alg_from_name(value);

	(void)lo;
	(void)hi;
	*(enum cs_alg *)target = alg;
	return alg != CS_ALG_NONE;
}

static bool to_user(const char *value, int64_t lo, int64_t hi, void *target)
{
	const struct passwd *pw;

	if (cs_text_to_int(value, lo, hi, target))
		return true;
	pw = getpwnam(value);
	if (!pw)
		return false;
	*(int64_t *)target = pw->pw_uid;
	return true;
}

static bool to_level(const char *value, int64_t lo, int64_t hi, void *target)
{
	static const char *const names[] = { "error", "warning", "info", "debug" };
	size_t i;

	(void)lo;
	(void)hi;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], value) == 0) {
			*(enum cs_log_level *)target = (enum cs_log_level)i;
			return true;
		}
	}
	return false;
}

struct option_row {
	const char *name, *argument;
	unsigned commands, required; /* which commands take it, which need it */
	convert_fn *convert;
	int64_t lo, hi;
	size_t offset;
	const char *doc;
};

#define AT(field) offsetof(struct cs_options, field)

static const struct option_row rows[] = {
	{ "token", "NAME", RUNS, RUNS, to_name, 1, CS_NAME_MAX, AT(token),
	  "Token's name in signing.yaml." },
	{ "module", "FILE", RUNS | TOOLS, RUNS | TOOLS, to_text, 2, 4096, AT(module),
	  "PKCS#11 module, an absolute path." },
	{ "label", "TEXT", RUNS | TOOLS, RUNS | TOOLS, to_text, 1, 32, AT(label),
	  "Label of the token." },
	{ "serial", "TEXT", RUNS | TOOLS, RUNS, to_text, 1, 16, AT(serial),
	  "Serial number of the token." },
	{ "environment", "dev|prod", RUNS, RUNS, to_env, 0, 0, AT(environment),
	  "The only environment this signer signs for." },
	{ "least-quorum", "N", RUNS, 0, to_int, 0, 128, AT(least_quorum),
	  "Fewest approvals of any request, whatever the policy says; default 2 for prod, 0 for "
	  "dev." },
	{ "policy", "FILE", RUNS, RUNS, to_text, 1, 4096, AT(policy), "signing.yaml." },
	{ "pin-file", "FILE", RUNS | TOOLS, 0, to_text, 1, 4096, AT(pin_file),
	  "File whose first line is the PIN; default $CREDENTIALS_DIRECTORY/pin." },
	{ "pin-origin", "FILE", CS_CMD_RUN, 0, to_text, 1, 4096, AT(pin_origin),
	  "File that the PIN was copied from: a refused PIN is tried again only after this file "
	  "changed. Default: the PIN file." },
	{ "socket", "FILE", CS_CMD_RUN, CS_CMD_RUN, to_text, 1, 107, AT(socket),
	  "Unix socket to listen on." },
	{ "state", "DIR", RUNS | CS_CMD_CLEAR, RUNS | CS_CMD_CLEAR, to_text, 1, 4000, AT(state),
	  "State directory: accepted policy, PIN marker, journals." },
	{ "children", "N", RUNS | CS_CMD_BENCH, 0, to_int, 1, 64, AT(children),
	  "Processes, each with one session of the token; default 1." },
	{ "peer-user", "USER", CS_CMD_RUN, 0, to_user, 0, UINT32_MAX - 1, AT(peer_uid),
	  "User (name or number) of countersignd; default: the signer's own." },
	{ "selftest-interval", "SECONDS", CS_CMD_RUN, 0, to_seconds, 1, 86400, AT(selftest_us),
	  "Period of the self-tests; default 900." },
	{ "call-timeout", "MS", RUNS | CS_CMD_BENCH, 0, to_ms, 100, 600000, AT(call_us),
	  "Deadline of one PKCS#11 call; default 3000." },
	{ "log-level", "LEVEL", RUNS, 0, to_level, 0, 0, AT(log_level),
	  "error, warning, info (default) or debug." },
	{ "id", "HEX", CS_CMD_KEYGEN | CS_CMD_BENCH, CS_CMD_KEYGEN | CS_CMD_BENCH, to_hex, 2, 128,
	  AT(id), "CKA_ID of the key, in hexadecimal." },
	{ "algorithm", "NAME", CS_CMD_KEYGEN, CS_CMD_KEYGEN, to_alg, 0, 0, AT(algorithm),
	  "rsa-3072, rsa-4096, p-256, p-384 or ed25519." },
	{ "name", "NAME", CS_CMD_KEYGEN, CS_CMD_KEYGEN, to_name, 1, CS_NAME_MAX, AT(name),
	  "Name of the key: its label on the token and its name in signing.yaml." },
	{ "seconds", "N", CS_CMD_BENCH, 0, to_int, 1, 3600, AT(seconds),
	  "How long to measure; default 5." },
};

#define ROW_COUNT (sizeof(rows) / sizeof(rows[0]))

/* The command is the first word, or an option that stands for one; without any the signer runs. */
static const struct {
	const char *word;
	enum cs_command command;
	const char *doc;
} commands[] = {
	{ "--check", CS_CMD_CHECK, "Check options, policy and token, and end." },
	{ "--clear-pin-refusal", CS_CMD_CLEAR, "Allow a refused PIN to be tried once more." },
	{ "keygen", CS_CMD_KEYGEN, "Make a key on the token; print its entry for signing.yaml." },
	{ "describe", CS_CMD_DESCRIBE, "Print the entries of token and keys for signing.yaml." },
	{ "bench", CS_CMD_BENCH, "Measure how many signatures a second the token makes." },
	{ "--help", CS_CMD_HELP, "Print this." },
	{ "--version", CS_CMD_VERSION, "Print the version." },
};

/* A command stands first, or anywhere between options: never where an option's value stands. */
static enum cs_command find_command(int argc, char *const *argv, int *atp)
{
	size_t i;
	int at;

	for (at = 1; at < argc; at++) {
		for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
			if (strcmp(argv[at], commands[i].word) != 0)
				continue;
			*atp = at;
			return commands[i].command;
		}
		if (strncmp(argv[at], "--", 2) == 0 && !strchr(argv[at], '='))
			at++; /* its value */
	}
	*atp = 0;
	return CS_CMD_RUN;
}

static const struct option_row *find_row(const char *word, size_t len)
{
	size_t i;

	for (i = 0; i < ROW_COUNT; i++)
		if (strlen(rows[i].name) == len && strncmp(rows[i].name, word, len) == 0)
			return &rows[i];
	return NULL;
}

/* "--name value" or "--name=value"; *seen gets the row's bit */
static enum cs_rc read_option(int argc, char *const *argv, int *atp, struct cs_options *o,
			      unsigned *seen, struct cs_err *e)
{
	const char *word = argv[*atp];
	const struct option_row *row = NULL;
	const char *value;
	size_t len = 0;

	if (strncmp(word, "--", 2) == 0) {
		word += 2;
		len = strcspn(word, "=");
		row = find_row(word, len);
	}
	if (!row || !(row->commands & o->command))
		return CS_FAIL(e, CS_E_CONFIG, "%s is no option here; see --help", argv[*atp]);
	if (*seen & (1U << (row - rows)))
		return CS_FAIL(e, CS_E_CONFIG, "--%s is given twice", row->name);
	*seen |= 1U << (row - rows);
	value = word[len] == '=' ? word + len + 1 : NULL;
	if (!value) {
		if (*atp + 1 >= argc)
			return CS_FAIL(e, CS_E_CONFIG, "--%s needs a value: %s", row->name,
				       row->argument);
		value = argv[++*atp];
	}
	if (row->convert(value, row->lo, row->hi, (char *)o + row->offset))
		return CS_OK;
	if (row->hi > 0)
		return CS_FAIL(
			e, CS_E_CONFIG, "--%s %s: not %s, or not within %lld to %lld%s", row->name,
			value, row->argument, (long long)row->lo, (long long)row->hi,
			row->convert == to_text || row->convert == to_name || row->convert == to_hex
				? " characters"
				: "");
	return CS_FAIL(e, CS_E_CONFIG, "--%s %s: not one of %s", row->name, value, row->doc);
}

static enum cs_rc check_required(const struct cs_options *o, unsigned seen, struct cs_err *e)
{
	size_t i;

	for (i = 0; i < ROW_COUNT; i++)
		if ((rows[i].required & o->command) && !(seen & (1U << i)))
			return CS_FAIL(e, CS_E_CONFIG, "--%s %s is missing: %s", rows[i].name,
				       rows[i].argument, rows[i].doc);
	return CS_OK;
}

/* the PIN as systemd hands it over (systemd.exec(5), LoadCredential=) */
static enum cs_rc default_pin_file(struct cs_options *o, struct cs_err *e)
{
	static char path[PIN_PATH_MAX];
	const char *dir = getenv("CREDENTIALS_DIRECTORY");

	if (o->pin_file || o->command == CS_CMD_CLEAR)
		return CS_OK;
	if (!dir)
		return CS_FAIL(e, CS_E_CONFIG,
			       "--pin-file FILE is missing, and CREDENTIALS_DIRECTORY is not set");
	if (snprintf(path, sizeof(path), "%s/pin", dir) >= (int)sizeof(path))
		return CS_FAIL(e, CS_E_CONFIG, "CREDENTIALS_DIRECTORY is too long");
	o->pin_file = path;
	return CS_OK;
}

enum cs_rc cs_options_parse(int argc, char *const *argv, struct cs_options *out, struct cs_err *e)
{
	struct cs_options o = {
		.least_quorum = -1,
		.children = 1,
		.peer_uid = -1,
		.selftest_us = 900 * CS_SECOND,
		.call_us = 3 * CS_SECOND,
		.seconds = 5,
		.log_level = CS_LOG_INFO,
	};
	unsigned seen = 0;
	enum cs_rc rc = CS_OK;
	int command_at, at;

	o.command = find_command(argc, argv, &command_at);
	if (o.command == CS_CMD_HELP || o.command == CS_CMD_VERSION) {
		*out = o;
		return CS_OK;
	}
	for (at = 1; at < argc && rc == CS_OK; at++)
		if (at != command_at)
			rc = read_option(argc, argv, &at, &o, &seen, e);
	if (rc == CS_OK)
		rc = check_required(&o, seen, e);
	if (rc == CS_OK)
		rc = default_pin_file(&o, e);
	if (rc != CS_OK)
		return rc;
	if (!o.pin_origin)
		o.pin_origin = o.pin_file;
	if (o.least_quorum < 0)
		o.least_quorum = o.environment == CS_ENV_PROD ? CS_QUORUM_PROD_MIN : 0;
	*out = o;
	return CS_OK;
}

void cs_options_help(struct cs_buf *out)
{
	size_t i;

	cs_buf_add_str(out, "usage: countersign-signer [command] options\n\ncommands:\n");
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		cs_buf_addf(out, "  %-22s %s\n", commands[i].word, commands[i].doc);
	cs_buf_add_str(out, "\noptions:\n");
	for (i = 0; i < ROW_COUNT; i++)
		cs_buf_addf(out, "  --%s %s\n      %s\n", rows[i].name, rows[i].argument,
			    rows[i].doc);
	cs_buf_add_str(out, "\nSee countersign-signer(8).\n");
}
