/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Programs that a command runs, without a shell between.
 */
#ifndef CS_CLI_CHILD_H
#define CS_CLI_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/err.h"

/** A program that runs. */
struct cs_child {
	pid_t pid;
	int out; /* what it prints; −1 when that was not asked for */
};

/** What of a program's output is read. */
enum cs_child_output {
	CS_CHILD_OUT_NOTHING, /* it prints where we do */
	CS_CHILD_OUT_STDOUT,
	CS_CHILD_OUT_BOTH, /* standard error, too */
};

/** Start a program, found in PATH unless its name has a slash; its standard input is empty. */
enum cs_rc cs_child_start(const char *const *argv, enum cs_child_output output,
			  struct cs_child *out, struct cs_err *e) CS_MUST_CHECK;
/** Wait for its end and close what it printed into. The exit status; −1 when a signal ended it. */
int cs_child_end(struct cs_child *c);
/** A countersign program: in `dir`, or beside ours, or where `make install` puts it. The caller
 * frees *pathp. */
enum cs_rc cs_child_find(const char *dir, const char *name, char **pathp,
			 struct cs_err *e) CS_MUST_CHECK;

#endif
