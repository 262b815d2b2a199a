/* SPDX-License-Identifier: Apache-2.0 */
/*
 * show, requests, keys, status: what the server says, in words.
 * Must not print a string of the server's but through cs_term_text.
 * See countersign(1).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/document.h"
#include "cli/follow.h"
#include "cli/remote.h"
#include "cli/requests.h"
#include "cli/term.h"

/* --- show -------------------------------------------------------------------------------- */

static void show_decisions(const json_t *decisions)
{
	const json_t *d;
	size_t i;

	json_array_foreach (decisions, i, d) {
		printf("\nDecision %lld of ", (long long)cs_remote_int(d, "n"));
		cs_term_text(stdout, cs_remote_str(d, "person"));
		printf("\n");
		cs_term_row(stdout, "  decision", cs_remote_str(d, "decision"));
		cs_term_row(stdout, "  group", cs_remote_str(d, "group"));
		cs_term_row(stdout, "  comment", cs_remote_str(d, "comment"));
		cs_term_rowf(stdout, "  event", "%lld", (long long)cs_remote_int(d, "seq"));
	}
}

enum cs_rc cs_cmd_show(struct cs_cli *cli, struct cs_err *e)
{
	struct countersign_request r = { 0 };
	struct countersign_error err;
	struct cs_document d = { 0 };
	json_t *decisions = NULL;
	char path[80];
	const char *id;
	enum cs_rc rc;

	rc = cs_remote_id(cli, &id, e);
	rc = rc ? rc : cs_document_fetch(cli, id, &d, e);
	if (rc || cli->args.document) {
		if (!rc)
			fwrite(d.bytes.data, 1, d.bytes.len, stdout);
		goto out;
	}
	rc = cs_remote_check(cli, countersign_get(cli->client, id, &r, &err), &err, e);
	snprintf(path, sizeof(path), "/v1/requests/%.36s/decisions", id);
	rc = rc ? rc : cs_remote_get_json(cli, path, 0, &decisions, e);
	if (rc)
		goto out;
	if (cli->args.json) {
		cs_follow_print(cli, &r);
		goto out;
	}
	cs_document_show(&d, &r, cs_clock_now());
	printf("\n");
	cs_follow_print(cli, &r);
	show_decisions(json_object_get(decisions, "decisions"));
out:
	json_decref(decisions);
	countersign_request_done(&r);
	cs_document_done(&d);
	return rc;
}

/* --- requests ---------------------------------------------------------------------------- */

enum cs_rc cs_requests_path(const struct cs_args *a, int64_t wait, int64_t revision,
			    struct cs_buf *out, struct cs_err *e)
{
	cs_buf_addf(out, "/v1/requests?limit=%lld", (long long)a->limit);
	if (a->state)
		cs_buf_addf(out, "&state=%s", a->state);
	if (a->environment)
		cs_buf_addf(out, "&environment=%s", a->environment);
	if (a->waits_for_me)
		cs_buf_add_str(out, "&waits_for_me=true");
	if (a->after)
		cs_buf_addf(out, "&after=%s", a->after);
	if (wait > 0)
		cs_buf_addf(out, "&wait=%lld&revision=%lld", (long long)wait, (long long)revision);
	return cs_buf_ok(out, "path", e);
}

void cs_requests_line(const json_t *request)
{
	const json_t *artifacts = json_object_get(request, "artifacts");
	const json_t *first = json_array_get(artifacts, 0);
	size_t count = json_array_size(artifacts);

	cs_term_text(stdout, cs_remote_str(request, "id"));
	printf("  ");
	cs_term_text(stdout, cs_remote_str(request, "state"));
	printf("%*s", 11 - (int)strlen(cs_remote_str(request, "state")), "");
	cs_term_text(stdout, cs_remote_str(request, "environment"));
	printf("  missing %lld  ", (long long)cs_remote_int(request, "missing"));
	cs_term_text(stdout, cs_remote_str(request, "principal"));
	printf("  ");
	cs_term_text(stdout, cs_remote_str(first, "name"));
	if (count > 1)
		printf(" and %zu more", count - 1);
	printf("\n");
}

enum cs_rc cs_cmd_requests(struct cs_cli *cli, struct cs_err *e)
{
	const json_t *request;
	json_t *root = NULL;
	struct cs_buf path;
	enum cs_rc rc;
	size_t i;

	cs_buf_init(&path, 512);
	if (cli->args.after && !cs_text_is_uuid(cli->args.after)) {
		rc = cs_cli_usage(cli, e, "--after: must be a request id");
		goto out;
	}
	rc = cs_requests_path(&cli->args, 0, 0, &path, e);
	rc = rc ? rc : cs_remote_get_json(cli, cs_buf_str(&path), 0, &root, e);
	if (rc)
		goto out;
	if (cli->args.json) {
		cs_remote_print(root);
		goto out;
	}
	json_array_foreach (json_object_get(root, "requests"), i, request)
		cs_requests_line(request);
	if (cs_remote_str(root, "next")[0])
		cs_term_note(cli, "there are more: --after %s", cs_remote_str(root, "next"));
out:
	json_decref(root);
	cs_buf_done(&path);
	return rc;
}

/* --- keys -------------------------------------------------------------------------------- */

static void show_key(const json_t *key)
{
	const json_t *line;
	size_t i;

	cs_term_row(stdout, "key", cs_remote_str(key, "name"));
	cs_term_rowf(stdout, "  for", "%s, on token %s%s", cs_remote_str(key, "environment"),
		     cs_remote_str(key, "token"),
		     json_is_true(json_object_get(key, "software_token")) ? " (software)" : "");
	cs_term_rowf(stdout, "  makes", "%s with %s, of %s digests", cs_remote_str(key, "format"),
		     cs_remote_str(key, "algorithm"), cs_remote_str(key, "hash"));
	json_array_foreach (json_object_get(key, "quorum"), i, line)
		cs_term_rowf(stdout, "  needs", "%lld of group %s",
			     (long long)cs_remote_int(line, "count"), cs_remote_str(line, "group"));
	cs_term_row(stdout, "  from", cs_remote_str(key, "not_before"));
	cs_term_row(stdout, "  until", cs_remote_str(key, "not_after"));
	cs_term_row(stdout, "  SHA-256", cs_remote_str(key, "spki_sha256"));
	if (json_is_true(json_object_get(key, "disabled")))
		cs_term_row(stdout, "  disabled", "signs nothing");
}

/** Print the PEM of the key called so, or fail. */
static enum cs_rc print_pem(const json_t *keys, const char *name, struct cs_err *e)
{
	const json_t *key;
	size_t i;

	json_array_foreach (keys, i, key) {
		struct cs_pk *pk = NULL;
		struct cs_buf pem;
		enum cs_rc rc;

		if (strcmp(cs_remote_str(key, "name"), name) != 0)
			continue;
		rc = cs_pk_from_pem(cs_bytes_of(cs_remote_str(key, "public_key")), &pk, e);
		if (rc)
			return rc;
		cs_buf_init(&pem, 4096);
		cs_pk_to_pem(pk, &pem);
		fputs(cs_buf_str(&pem), stdout);
		cs_buf_done(&pem);
		cs_pk_free(pk);
		return CS_OK;
	}
	return CS_FAIL(e, CS_E_NOT_FOUND, "key %s: the server has no such key for us", name);
}

enum cs_rc cs_cmd_keys(struct cs_cli *cli, struct cs_err *e)
{
	const json_t *keys, *key;
	json_t *root = NULL;
	enum cs_rc rc = cs_remote_get_json(cli, "/v1/keys", 0, &root, e);
	size_t i;

	if (rc)
		return rc;
	keys = json_object_get(root, "keys");
	if (cli->args.pem) {
		rc = print_pem(keys, cli->args.pem, e);
	} else if (cli->args.json) {
		cs_remote_print(root);
	} else {
		json_array_foreach (keys, i, key)
			show_key(key);
	}
	json_decref(root);
	return rc;
}

/* --- status ------------------------------------------------------------------------------ */

static enum cs_rc show_ready(struct cs_cli *cli, const json_t *root, struct cs_err *e)
{
	bool ready = json_is_true(json_object_get(root, "ready"));
	const json_t *check;
	size_t i;

	if (cli->args.json)
		cs_remote_print(root);
	else
		cs_term_row(stdout, "ready", ready ? "yes" : "NO");
	json_array_foreach (json_object_get(root, "checks"), i, check) {
		bool ok = json_is_true(json_object_get(check, "ok"));
		const char *message = cs_remote_str(check, "message");

		if (!cli->args.json)
			cs_term_rowf(stdout, cs_remote_str(check, "name"), "%s%s%s",
				     ok ? "ok" : "NOT OK", message[0] ? ": " : "", message);
	}
	return ready ? CS_OK : CS_FAIL(e, CS_E_UNAVAILABLE, "the server is not ready");
}

enum cs_rc cs_cmd_status(struct cs_cli *cli, struct cs_err *e)
{
	struct countersign_call call = { .method = "GET", .path = "/v1/ready" };
	struct countersign_reply reply = { 0 };
	struct countersign_error err;
	json_t *root = NULL;
	enum cs_rc rc = cs_remote_open(cli, e);

	if (rc)
		return rc;
	countersign_set_patience(cli->client, 0); /* 503 is an answer here */
	rc = cs_remote_check(cli, countersign_call(cli->client, &call, &reply, &err), &err, e);
	if (reply.data)
		root = json_loadb(reply.data, reply.len, JSON_REJECT_DUPLICATES, NULL);
	if (json_object_get(root, "checks"))
		rc = show_ready(cli, root, e);
	json_decref(root);
	countersign_reply_done(&reply);
	return rc;
}
