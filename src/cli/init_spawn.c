/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a helper program to its end and collects what it prints.
 * Must not go through a shell.
 * See init.h for the contract.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/child.h"
#include "cli/init.h"

#define PIECE 4096

/** Read a pipe to its end; more than the buffer holds is read and dropped. */
static void collect(int fd, struct cs_buf *out)
{
	char piece[PIECE];
	ssize_t n;

	while ((n = read(fd, piece, sizeof(piece))) > 0 || (n < 0 && errno == EINTR)) {
		if (n > 0)
			cs_buf_add(out, piece, (size_t)n);
	}
}

/** The last line of what a program printed, for an error message. */
static const char *last_line(const struct cs_buf *out)
{
	const char *text = cs_buf_str(out);
	const char *end = text + strlen(text);

	while (end > text && end[-1] == '\n')
		end--;
	while (end > text && end[-1] != '\n')
		end--;
	return end;
}

enum cs_rc cs_init_spawn(const char *const *argv, const char *softhsm_conf, struct cs_buf *out,
			 struct cs_err *e)
{
	struct cs_child child;
	enum cs_rc rc;

	if (setenv("SOFTHSM2_CONF", softhsm_conf, 1) < 0)
		return CS_FAIL(e, CS_E_IO, "%s: %s", argv[0], strerror(errno));
	rc = cs_child_start(argv, CS_CHILD_OUT_BOTH, &child, e);
	if (rc)
		return rc;
	collect(child.out, out);
	if (cs_child_end(&child) == 0)
		return cs_buf_ok(out, argv[0], e);
	return CS_FAIL(e, CS_E_IO, "%s failed: %.300s", argv[0], last_line(out));
}
