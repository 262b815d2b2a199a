/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds, starts and ends programs.
 * Must not go through a shell.
 * See child.h for the contract.
 */
#include "cli/child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int spawn(char *const *argv, enum cs_child_output output, int fd, pid_t *pidp)
{
	posix_spawn_file_actions_t actions;
	int failed = posix_spawn_file_actions_init(&actions);

	if (failed)
		return failed;
	failed = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!failed && output != CS_CHILD_OUT_NOTHING)
		failed = posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	if (!failed && output == CS_CHILD_OUT_BOTH)
		failed = posix_spawn_file_actions_adddup2(&actions, fd, STDERR_FILENO);
	failed = failed ? failed : posix_spawnp(pidp, argv[0], &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return failed;
}

enum cs_rc cs_child_start(const char *const *argv, enum cs_child_output output,
			  struct cs_child *out, struct cs_err *e)
{
	int fds[2] = { -1, -1 }, failed;
	char **copy = NULL;
	size_t count = 0;

	while (argv[count])
		count++;
	if (output != CS_CHILD_OUT_NOTHING && pipe2(fds, O_CLOEXEC) < 0)
		return CS_FAIL(e, CS_E_IO, "%s: %s", argv[0], strerror(errno));
	copy = calloc(count + 1, sizeof(*copy));
	if (copy)
		memcpy(copy, argv, count * sizeof(*copy)); /* posix_spawn wants char *const [] */
	failed = copy ? spawn(copy, output, fds[1], &out->pid) : ENOMEM;
	free(copy);
	if (fds[1] >= 0)
		close(fds[1]);
	if (failed) {
		if (fds[0] >= 0)
			close(fds[0]);
		return CS_FAIL(e, failed == ENOENT ? CS_E_NOT_FOUND : CS_E_IO,
			       "%s cannot be started (is it installed?): %s", argv[0],
			       strerror(failed));
	}
	out->out = fds[0];
	return CS_OK;
}

int cs_child_end(struct cs_child *c)
{
	int status = 0;

	if (c->out >= 0)
		close(c->out);
	c->out = -1;
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

enum cs_rc cs_child_find(const char *dir, const char *name, char **pathp, struct cs_err *e)
{
	char own[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
	char *slash;
	const char *places[] = { dir, len > 0 ? own : NULL, CS_SBINDIR };

	own[len > 0 ? len : 0] = '\0';
	slash = strrchr(own, '/');
	if (slash)
		*slash = '\0';
	for (size_t i = dir ? 0 : 1; i < (dir ? 1 : sizeof(places) / sizeof(places[0])); i++) {
		char *path = NULL;

		if (!places[i] || asprintf(&path, "%s/%s", places[i], name) < 0)
			continue;
		if (access(path, X_OK) == 0) {
			*pathp = path;
			return CS_OK;
		}
		free(path);
	}
	return CS_FAIL(e, CS_E_NOT_FOUND, "%s: not found: say where it is with --program-dir",
		       name);
}
