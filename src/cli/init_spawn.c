/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs a helper program to its end and collects what it prints.
 * Must not go through a shell.
 * See init.h for the contract.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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

/** Start it with both outputs in the pipe. */
static int start(const char *const *argv, int out_fd, pid_t *pidp)
{
	posix_spawn_file_actions_t actions;
	char **copy = NULL;
	size_t count = 0;
	int failed;

	while (argv[count])
		count++;
	copy = calloc(count + 1, sizeof(*copy));
	if (!copy || posix_spawn_file_actions_init(&actions) != 0) {
		free(copy);
		return ENOMEM;
	}
	memcpy(copy, argv, count * sizeof(*copy)); /* posix_spawn wants char *const [] */
	failed = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	failed = failed ? failed
			: posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
	failed = failed ? failed
			: posix_spawn_file_actions_adddup2(&actions, out_fd, STDERR_FILENO);
	failed = failed ? failed : posix_spawnp(pidp, argv[0], &actions, NULL, copy, environ);
	posix_spawn_file_actions_destroy(&actions);
	free(copy);
	return failed;
}

enum cs_rc cs_init_spawn(const char *const *argv, const char *softhsm_conf, struct cs_buf *out,
			 struct cs_err *e)
{
	int fds[2], failed, status = 0;
	pid_t pid = -1;

	if (setenv("SOFTHSM2_CONF", softhsm_conf, 1) < 0 || pipe2(fds, O_CLOEXEC) < 0)
		return CS_FAIL(e, CS_E_IO, "%s: %s", argv[0], strerror(errno));
	failed = start(argv, fds[1], &pid);
	close(fds[1]);
	if (failed) {
		close(fds[0]);
		return CS_FAIL(e, failed == ENOENT ? CS_E_NOT_FOUND : CS_E_IO,
			       "%s cannot be started (is it installed?): %s", argv[0],
			       strerror(failed));
	}
	collect(fds[0], out);
	close(fds[0]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return cs_buf_ok(out, argv[0], e);
	return CS_FAIL(e, CS_E_IO, "%s failed: %.300s", argv[0], last_line(out));
}
