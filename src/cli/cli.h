/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One run of the command line: what was asked, by whom, and what it ends with.
 * Commands return cs_rc; main turns that into an exit code by one table (exits.c).
 */
#ifndef CS_CLI_CLI_H
#define CS_CLI_CLI_H

#include <countersign/countersign.h>

#include "cli/option.h"
#include "cli/profile.h"

/** Every option of every command; each command's table names the ones it has. */
struct cs_args {
	struct cs_profile_args profile;
	bool json, help, version;
	int64_t retry; /* seconds */
	/* what to sign */
	const char *key, *format, *name, *manifest;
	const char *product, *component, *image_version, *repository, *commit, *pipeline;
	int64_t security_version; /* −1: not given */
	const char *comment;
	const char *state_file;
	bool again;
	int64_t timeout;
	const char *output, *output_dir;
	/* decisions */
	struct cs_option_list images;
	bool no_image, yes, new_log;
	/* lists */
	const char *state, *environment, *after;
	bool waits_for_me;
	int64_t limit;
	const char *exec;
	bool once;
	bool document;
	/* keys and signatures */
	const char *pem, *hash;
	const char *instance;
	/* the log */
	const char *encoding;
	int64_t from;
	const char *since, *until; /* times, as people write them */
	struct cs_option_list known_heads, head_files, journals, policies;
	/* key disable */
	const char *reason, *config, *reload;
	bool dry_run;
	/* init */
	const char *user_separation, *module, *program_dir;
	int64_t port;
};

/** Exit codes; countersign(1) has the table. */
enum cs_exit {
	CS_EXIT_OK = 0,
	CS_EXIT_FAILED = 1,       /* a check failed, or a request ended otherwise */
	CS_EXIT_USAGE = 2,        /* the command line itself */
	CS_EXIT_NOT_ANCHORED = 3, /* audit verify: consistent, but not anchored */
	CS_EXIT_DATA = 65,        /* malformed input */
	CS_EXIT_NO_INPUT = 66,    /* a file, key or request is not there */
	CS_EXIT_UNAVAILABLE = 69, /* the server, or a token, does not answer */
	CS_EXIT_INTERNAL = 70,
	CS_EXIT_IO = 74,       /* a file cannot be read or written */
	CS_EXIT_PENDING = 75,  /* still pending: run again later */
	CS_EXIT_PROTOCOL = 76, /* the server's answer was not understood */
	CS_EXIT_REFUSED = 77,  /* by policy or for lack of a permission */
	CS_EXIT_CONFIG = 78,   /* the profile or its files */
};

struct cs_cli {
	struct cs_args args;
	struct cs_profile profile;
	struct countersign *client; /* cs_remote_open makes it */
	int operand_count;
	char **operands; /* borrowed from argv */
	bool tty;        /* standard error is a terminal: live lines, questions */
	bool live;       /* a live line is on the screen */
	int exit;        /* what to end with instead of the error's own code; 0 = that one */
	char rule[65];   /* the server's rule that said no, for --json */
};

/** The exit code of an error. */
int cs_exit_of(enum cs_rc rc);
/** An error of the command line itself: sets the exit code. Returns CS_E_INVALID. */
enum cs_rc cs_cli_usage(struct cs_cli *cli, struct cs_err *e, const char *fmt, ...) CS_PRINTF(3, 4);

#endif
