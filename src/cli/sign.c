/* SPDX-License-Identifier: Apache-2.0 */
/*
 * submit, wait, fetch, and sign, which is all three.
 * Must not write a signature that does not verify under the request document and the server's key.
 * See countersign(1).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/document.h"
#include "cli/follow.h"
#include "cli/job.h"
#include "cli/remote.h"
#include "cli/ticket.h"

/* --- submit ------------------------------------------------------------------------------ */

/** POST under the ticket's key; when an earlier run's request ended unsigned, under a new one. */
static enum cs_rc post(struct cs_cli *cli, const struct cs_job *job, struct cs_ticket *ticket,
		       struct countersign_request *r, struct cs_err *e)
{
	struct countersign_artifact artifacts[CS_ARTIFACTS_MAX];
	struct countersign_submission submission;
	struct countersign_error err;
	enum cs_rc rc;

	cs_job_submission(job, artifacts, &submission);
	rc = cs_remote_check(
		cli, countersign_submit(cli->client, &submission, ticket->key, r, &err), &err, e);
	if (!rc && ticket->found && r->is_final && !r->is_signed) {
		rc = cs_ticket_renew(ticket, e);
		rc = rc ? rc
			: cs_remote_check(cli,
					  countersign_submit(cli->client, &submission, ticket->key,
							     r, &err),
					  &err, e);
	}
	if (rc == CS_E_DENIED)
		unlink(ticket->path); /* a denial is an end: the next run asks afresh */
	return rc ? rc : cs_ticket_note(ticket, r->id, e);
}

static enum cs_rc submit(struct cs_cli *cli, struct cs_job *job, struct countersign_request *r,
			 struct cs_err *e)
{
	struct cs_ticket ticket = { 0 };
	struct cs_sha256 fingerprint;
	enum cs_rc rc;

	rc = cs_job_prepare(cli, job, e);
	if (rc)
		goto out;
	cs_job_fingerprint(job, cli->profile.url, &fingerprint);
	rc = cs_ticket_open(cli, &fingerprint, cli->args.again, &ticket, e);
	if (rc)
		goto out;
	rc = post(cli, job, &ticket, r, e);
out:
	cs_ticket_done(&ticket);
	return rc;
}

enum cs_rc cs_cmd_submit(struct cs_cli *cli, struct cs_err *e)
{
	struct countersign_request r = { 0 };
	struct cs_job job = { 0 };
	enum cs_rc rc = cs_job_load(cli, &job, e);

	rc = rc ? rc : submit(cli, &job, &r, e);
	if (!rc)
		cs_follow_print(cli, &r);
	countersign_request_done(&r);
	cs_job_done(&job);
	return rc;
}

/* --- wait -------------------------------------------------------------------------------- */

static enum cs_rc get(struct cs_cli *cli, struct countersign_request *r, struct cs_err *e)
{
	struct countersign_error err;
	const char *id;
	enum cs_rc rc = cs_remote_id(cli, &id, e);

	rc = rc ? rc : cs_remote_open(cli, e);
	return rc ? rc : cs_remote_check(cli, countersign_get(cli->client, id, r, &err), &err, e);
}

enum cs_rc cs_cmd_wait(struct cs_cli *cli, struct cs_err *e)
{
	struct countersign_request r = { 0 };
	enum cs_rc rc = get(cli, &r, e);

	rc = rc ? rc : cs_follow(cli, cli->args.timeout, &r, e);
	if (r.json)
		cs_follow_print(cli, &r);
	countersign_request_done(&r);
	return rc;
}

/* --- fetch ------------------------------------------------------------------------------- */

/** The public key that the server gives for a name, in PEM. Borrowed from keys. */
static enum cs_rc find_pem(const json_t *keys, const char *name, const char **pemp,
			   struct cs_err *e)
{
	const json_t *key;
	size_t i;

	json_array_foreach (keys, i, key) {
		if (strcmp(cs_remote_str(key, "name"), name) == 0) {
			*pemp = cs_remote_str(key, "public_key");
			return CS_OK;
		}
	}
	return CS_FAIL(e, CS_E_NOT_FOUND,
		       "key %s: the server no longer shows it to us, so its signature cannot be "
		       "verified",
		       name);
}

/** One signature: fetched, verified, written. */
static enum cs_rc save(struct cs_cli *cli, const struct cs_document *d, size_t index,
		       const json_t *keys, const char *path, struct cs_err *e)
{
	uint8_t *sig = malloc(COUNTERSIGN_SIGNATURE_MAX);
	struct countersign_error err;
	const char *pem;
	size_t len = 0;
	enum cs_rc rc;

	if (!sig)
		return CS_FAIL(e, CS_E_NOMEM, "signature");
	rc = find_pem(keys, d->request->artifacts[index].key, &pem, e);
	rc = rc ? rc
		: cs_remote_check(cli,
				  countersign_signature(cli->client, d->request->id, index, sig,
							&len, &err),
				  &err, e);
	rc = rc ? rc : cs_document_verify(d, index, pem, (struct cs_bytes){ sig, len }, e);
	rc = rc ? rc : cs_file_replace(path, (struct cs_bytes){ sig, len }, 0644, e);
	free(sig);
	return rc;
}

/** Where `fetch` puts a signature: names may hold slashes, files may not. Caller frees. */
static char *fetched_path(const struct cs_args *args, const char *name)
{
	const char *dir = args->output_dir ? args->output_dir : ".";
	char *path = NULL;

	if (args->output)
		return strdup(args->output);
	if (asprintf(&path, "%s/%s.sig", dir, name) < 0)
		return NULL;
	for (char *c = path + strlen(dir) + 1; *c; c++) {
		if (*c == '/')
			*c = '_';
	}
	return path;
}

/** What --json prints after signatures were written: the request and the files. */
static void print_files(struct cs_cli *cli, const struct countersign_request *r,
			const struct cs_document *d, char *const *paths)
{
	json_t *files, *root;

	if (!cli->args.json) {
		cs_follow_print(cli, r);
		for (size_t i = 0; i < d->request->count; i++)
			printf("signature:        %s\n", paths[i]);
		return;
	}
	files = json_array();
	for (size_t i = 0; i < d->request->count; i++)
		json_array_append_new(files, json_pack("{s:s, s:s}", "file", paths[i], "name",
						       d->request->artifacts[i].name));
	root = json_pack("{s:o, s:o}", "files", files, "request", json_loads(r->json, 0, NULL));
	cs_remote_print(root);
	json_decref(root);
}

/** Fetch the signatures of a signed request into paths, which are one per artifact. */
static enum cs_rc fetch(struct cs_cli *cli, const struct countersign_request *r,
			const struct cs_document *d, char *const *paths, struct cs_err *e)
{
	json_t *root = NULL;
	enum cs_rc rc = cs_remote_get_json(cli, "/v1/keys", 0, &root, e);

	for (size_t i = 0; !rc && i < d->request->count; i++)
		rc = save(cli, d, i, json_object_get(root, "keys"), paths[i], e);
	if (!rc)
		print_files(cli, r, d, paths);
	json_decref(root);
	return rc;
}

enum cs_rc cs_cmd_fetch(struct cs_cli *cli, struct cs_err *e)
{
	char *paths[CS_ARTIFACTS_MAX] = { NULL };
	struct countersign_request r = { 0 };
	struct cs_document d = { 0 };
	enum cs_rc rc = get(cli, &r, e);

	rc = rc ? rc : cs_follow_verdict(&r, e);
	rc = rc ? rc : cs_document_fetch(cli, r.id, &d, e);
	if (rc)
		goto out;
	if (cli->args.output && d.request->count > 1) {
		rc = cs_cli_usage(cli, e,
				  "--output: this request has %zu artifacts: use --output-dir",
				  d.request->count);
		goto out;
	}
	for (size_t i = 0; !rc && i < d.request->count; i++) {
		paths[i] = fetched_path(&cli->args, d.request->artifacts[i].name);
		if (!paths[i])
			rc = CS_FAIL(e, CS_E_NOMEM, "signature");
	}
	rc = rc ? rc : fetch(cli, &r, &d, paths, e);
out:
	for (size_t i = 0; i < CS_ARTIFACTS_MAX; i++)
		free(paths[i]);
	cs_document_done(&d);
	countersign_request_done(&r);
	return rc;
}

/* --- sign -------------------------------------------------------------------------------- */

/** The document must ask for what we hashed: the server substitutes nothing. */
static enum cs_rc check_same(const struct cs_job *job, const struct cs_request *doc,
			     struct cs_err *e)
{
	bool same = job->count == doc->count;

	for (size_t i = 0; same && i < job->count; i++) {
		const struct cs_job_artifact *a = &job->artifacts[i];
		const struct cs_artifact *b = &doc->artifacts[i];

		same = strcmp(a->name, b->name) == 0 && strcmp(a->key, b->key) == 0 &&
		       a->size == b->size && a->digest.hash == b->digest.hash &&
		       memcmp(a->digest.value, b->digest.value, cs_hash_len(a->digest.hash)) == 0;
	}
	return same ? CS_OK
		    : CS_FAIL(e, CS_E_SIGNATURE,
			      "request %s: its document is not about the images given", doc->id);
}

enum cs_rc cs_cmd_sign(struct cs_cli *cli, struct cs_err *e)
{
	char *paths[CS_ARTIFACTS_MAX] = { NULL };
	struct countersign_request r = { 0 };
	struct cs_document d = { 0 };
	struct cs_job job = { 0 };
	enum cs_rc rc;

	rc = cs_job_load(cli, &job, e);
	rc = rc ? rc : submit(cli, &job, &r, e);
	rc = rc ? rc : cs_follow(cli, cli->args.timeout, &r, e);
	if (rc) {
		if (r.json)
			cs_follow_print(cli, &r);
		goto out;
	}
	rc = cs_document_fetch(cli, r.id, &d, e);
	rc = rc ? rc : check_same(&job, d.request, e);
	for (size_t i = 0; i < job.count; i++)
		paths[i] = job.artifacts[i].signature; /* borrowed */
	rc = rc ? rc : fetch(cli, &r, &d, paths, e);
out:
	cs_document_done(&d);
	countersign_request_done(&r);
	cs_job_done(&job);
	return rc;
}
