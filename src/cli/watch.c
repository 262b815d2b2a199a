/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watch: says, or runs a command, when a request begins to wait for us.
 * Must not put anything from a request into the command but its id, which is hexadecimal.
 * See countersign(1).
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.h"
#include "base/uuid.h"
#include "cli/command.h"
#include "cli/remote.h"
#include "cli/requests.h"
#include "cli/term.h"

#define HOLD_SECONDS 30 /* how long the server may hold an answer back */
#define SEEN_MAX 200    /* as many as one list shows */

/** The requests of the last list: one that is not among them is new. */
struct seen {
	size_t count;
	char ids[SEEN_MAX][CS_UUID_TEXT];
};

static bool has(const struct seen *s, const char *id)
{
	for (size_t i = 0; i < s->count; i++) {
		if (strcmp(s->ids[i], id) == 0)
			return true;
	}
	return false;
}

/** Run the command by the shell, the request's id in COUNTERSIGN_REQUEST, and wait for it. */
static enum cs_rc run(const char *command, const char *id, struct cs_err *e)
{
	char shell[] = "/bin/sh", dash_c[] = "-c";
	char *copy = strdup(command);
	char *argv[] = { shell, dash_c, copy, NULL };
	int failed, status;
	pid_t pid;

	if (!copy || setenv("COUNTERSIGN_REQUEST", id, 1) < 0) {
		free(copy);
		return CS_FAIL(e, CS_E_NOMEM, "--exec");
	}
	fflush(stdout);
	failed = posix_spawn(&pid, shell, NULL, NULL, argv, environ);
	free(copy);
	if (failed)
		return CS_FAIL(e, CS_E_IO, "--exec: %s: %s", shell, strerror(failed));
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return CS_OK; /* what the command says is its own affair */
}

/** Announce what is new in a list, and remember the list. */
static enum cs_rc announce(const struct cs_cli *cli, const json_t *list, struct seen *seen,
			   bool *anyp, struct cs_err *e)
{
	struct seen now = { 0 };
	const json_t *request;
	enum cs_rc rc = CS_OK;
	size_t i;

	json_array_foreach (list, i, request) {
		const char *id = cs_remote_str(request, "id");

		if (rc || now.count == SEEN_MAX || !cs_text_is_uuid(id))
			continue;
		snprintf(now.ids[now.count++], CS_UUID_TEXT, "%s", id);
		if (has(seen, id))
			continue;
		*anyp = true;
		if (cli->args.json)
			cs_remote_print(request);
		else
			cs_requests_line(request);
		if (cli->args.exec)
			rc = run(cli->args.exec, id, e);
	}
	fflush(stdout);
	*seen = now;
	return rc;
}

enum cs_rc cs_cmd_watch(struct cs_cli *cli, struct cs_err *e)
{
	struct seen seen = { 0 };
	int64_t revision = 0;
	bool any = false;
	enum cs_rc rc = CS_OK;

	cli->args.waits_for_me = true;
	cli->args.limit = SEEN_MAX;
	for (int64_t hold = 0; !rc && !(any && cli->args.once); hold = HOLD_SECONDS) {
		json_t *root = NULL;
		struct cs_buf path;

		cs_buf_init(&path, 512);
		rc = cs_requests_path(&cli->args, hold, revision, &path, e);
		rc = rc ? rc
			: cs_remote_get_json(cli, cs_buf_str(&path), 2 * HOLD_SECONDS, &root, e);
		cs_term_live_end(cli);
		if (!rc) {
			revision = cs_remote_int(root, "revision");
			rc = announce(cli, json_object_get(root, "requests"), &seen, &any, e);
		}
		json_decref(root);
		cs_buf_done(&path);
	}
	return rc;
}
