/* SPDX-License-Identifier: Apache-2.0 */
/*
 * approve, reject, withdraw, and cancel.
 * Must not sign before the approver saw the document, compared the images (or said that she will
 * not), and the log was found to be the one she knows.
 * See countersign(1).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/text.h"
#include "cli/approval.h"
#include "cli/command.h"
#include "cli/document.h"
#include "cli/follow.h"
#include "cli/heads.h"
#include "cli/image.h"
#include "cli/remote.h"
#include "cli/term.h"
#include "model/decision.h"

#define POST_TRIES 4

/* --- images ------------------------------------------------------------------------------ */

static const struct cs_artifact *artifact_named(const struct cs_request *r, const char *name,
						size_t len)
{
	for (size_t i = 0; i < r->count; i++) {
		if (strlen(r->artifacts[i].name) == len &&
		    memcmp(r->artifacts[i].name, name, len) == 0)
			return &r->artifacts[i];
	}
	return NULL;
}

/** Which artifact is "[NAME=]FILE" about? One alone needs no name, nor does a file named like it.
 */
static const struct cs_artifact *artifact_of(const struct cs_request *r, const char *image,
					     const char **filep)
{
	const char *equals = strchr(image, '=');
	const struct cs_artifact *a = NULL;
	const char *base = strrchr(image, '/');

	if (equals)
		a = artifact_named(r, image, (size_t)(equals - image));
	if (a) {
		*filep = equals + 1;
		return a;
	}
	*filep = image;
	base = base ? base + 1 : image;
	return r->count == 1 ? &r->artifacts[0] : artifact_named(r, base, strlen(base));
}

static enum cs_rc compare_image(struct cs_cli *cli, const struct cs_request *r, const char *image,
				bool checked[static CS_ARTIFACTS_MAX], struct cs_err *e)
{
	struct cs_digest digest;
	const struct cs_artifact *a;
	const char *file;
	int64_t size;
	enum cs_rc rc;

	a = artifact_of(r, image, &file);
	if (!a)
		return cs_cli_usage(cli, e,
				    "--image %.200s: say NAME=FILE with the name of one of the "
				    "request's %zu artifacts",
				    image, r->count);
	rc = cs_image_hash(cli, file, a->digest.hash, &digest, &size, e);
	if (rc)
		return rc;
	if (size != a->size || memcmp(digest.value, a->digest.value, cs_hash_len(digest.hash)) != 0)
		return CS_FAIL(e, CS_E_SIGNATURE,
			       "image %s is NOT artifact %s of the request: %s. Nothing was signed",
			       file, a->name,
			       size != a->size ? "their sizes differ" : "their digests differ");
	checked[a - r->artifacts] = true;
	if (!cli->args.json)
		printf("%s is artifact %s\n", file, a->name);
	return CS_OK;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

/** Compare what --image names; every artifact of an approval needs one, or --no-image. */
static enum cs_rc check_images(struct cs_cli *cli, const struct cs_request *r,
			       struct cs_decision *d, struct cs_err *e)
{
	bool checked[CS_ARTIFACTS_MAX] = { false };
	enum cs_rc rc = CS_OK;

	for (size_t i = 0; !rc && i < cli->args.images.count; i++)
		rc = compare_image(cli, r, cli->args.images.values[i], checked, e);
	if (rc)
		return rc;
	for (size_t i = 0; i < r->count; i++) {
		if (checked[i])
			snprintf(d->checked[d->checked_count++], sizeof(d->checked[0]), "%s",
				 r->artifacts[i].name);
		else if (d->verdict == CS_VERDICT_APPROVE && !cli->args.no_image)
			return cs_cli_usage(cli, e,
					    "artifact %s was not compared with an image: say "
					    "--image %s=FILE, or --no-image to approve without",
					    r->artifacts[i].name, r->artifacts[i].name);
	}
	qsort(d->checked, d->checked_count, sizeof(d->checked[0]), by_name);
	return CS_OK;
}

/* --- which decision of ours this is ------------------------------------------------------ */

/** Was this envelope signed by our key? */
static bool is_ours(const char *envelope, const struct cs_pk *pk)
{
	struct cs_dsse d = { 0 };
	struct cs_buf bytes;
	bool ours;

	cs_buf_init(&bytes, CS_ENVELOPE_MAX);
	ours = cs_base64_decode(envelope, strlen(envelope), &bytes, "envelope", NULL) == CS_OK &&
	       cs_dsse_parse(cs_buf_bytes(&bytes), &d, NULL) == CS_OK &&
	       cs_sha256_equal(&d.keyid, cs_pk_spki_sha256(pk));
	cs_dsse_done(&d);
	cs_buf_done(&bytes);
	return ours;
}

/** Our next number on this request: one above our highest, whichever of our keys made it. */
static enum cs_rc next_number(const struct cs_cli *cli, const json_t *decisions,
			      const struct cs_pk *pk, int64_t *np, struct cs_err *e)
{
	const char *person = cli->profile.person;
	const json_t *d;
	int64_t n = 0;
	size_t i;

	json_array_foreach (decisions, i, d) {
		if (!person && is_ours(cs_remote_str(d, "envelope"), pk))
			person = cs_remote_str(d, "person");
	}
	json_array_foreach (decisions, i, d) {
		if (person && strcmp(cs_remote_str(d, "person"), person) == 0 &&
		    cs_remote_int(d, "n") > n)
			n = cs_remote_int(d, "n");
	}
	if (n >= CS_N_MAX)
		return CS_FAIL(
			e, CS_E_CONFLICT,
			"you decided %lld times on this request already, and %d is the limit",
			(long long)n, CS_N_MAX);
	*np = n + 1;
	return CS_OK;
}

static enum cs_rc get_decisions(struct cs_cli *cli, const char *id, json_t **rootp,
				struct cs_err *e)
{
	char path[80];

	snprintf(path, sizeof(path), "/v1/requests/%.36s/decisions", id);
	return cs_remote_get_json(cli, path, 0, rootp, e);
}

/* --- sending ----------------------------------------------------------------------------- */

/** Is our envelope among the decisions that the server has? */
static bool has_arrived(struct cs_cli *cli, const char *id, const char *envelope)
{
	json_t *root = NULL;
	const json_t *d;
	bool found = false;
	size_t i;

	if (get_decisions(cli, id, &root, NULL))
		return false;
	json_array_foreach (json_object_get(root, "decisions"), i, d)
		found = found || strcmp(cs_remote_str(d, "envelope"), envelope) == 0;
	json_decref(root);
	return found;
}

/** POST a body once; the reply is the caller's. */
static enum cs_rc post(struct cs_cli *cli, const char *path, const char *body,
		       struct countersign_reply *reply, struct cs_err *e)
{
	struct countersign_call call = {
		.method = "POST", .path = path, .body = body, .body_len = body ? strlen(body) : 0
	};
	struct countersign_error err;

	return cs_remote_check(cli, countersign_call(cli->client, &call, reply, &err), &err, e);
}

/**
 * Send a decision. A POST whose answer was lost may have arrived: look before sending it again; the
 * same envelope twice would be refused for its number.
 */
static enum cs_rc send_decision(struct cs_cli *cli, const char *id, struct cs_bytes envelope,
				struct cs_err *e)
{
	struct countersign_reply reply = { 0 };
	char *text = malloc(CS_BASE64_LEN(envelope.len) + 1);
	json_t *root = json_object();
	char *body = NULL;
	char path[80];
	enum cs_rc rc = CS_OK;

	if (text && root) {
		cs_base64_encode(envelope.data, envelope.len, text);
		json_object_set_new(root, "envelope", json_string(text));
		if (cli->args.comment)
			json_object_set_new(root, "comment", json_string(cli->args.comment));
		body = json_dumps(root, JSON_COMPACT | JSON_SORT_KEYS);
	}
	if (!body) {
		rc = CS_FAIL(e, CS_E_NOMEM, "decision");
		goto out;
	}
	snprintf(path, sizeof(path), "/v1/requests/%.36s/decisions", id);
	for (int i = 0; i < POST_TRIES; i++) {
		countersign_reply_done(&reply);
		rc = post(cli, path, body, &reply, e);
		if (!rc || (rc != CS_E_UNAVAILABLE && i == 0))
			break;
		/* this GET comes back with the server, so it is the pause, too */
		if (has_arrived(cli, id, text)) {
			rc = CS_OK;
			break;
		}
		if (rc != CS_E_UNAVAILABLE)
			break;
	}
out:
	countersign_reply_done(&reply);
	free(body);
	free(text);
	json_decref(root);
	return rc;
}

/* --- the commands ------------------------------------------------------------------------ */

static const struct {
	const char *question, *done;
} words[] = {
	[CS_VERDICT_APPROVE] = { "Approve this request with your signature?", "approved" },
	[CS_VERDICT_REJECT] = { "Reject this request for good?", "rejected" },
	[CS_VERDICT_WITHDRAW] = { "Withdraw your approval of this request?", "withdrawn" },
};

/** Show, compare, check the log, ask. Fills what the decision says about them. */
static enum cs_rc consider(struct cs_cli *cli, const struct cs_document *doc,
			   const struct countersign_request *view, struct cs_decision *d,
			   struct cs_err *e)
{
	enum cs_rc rc;

	if (cli->args.json && !cli->args.yes)
		return cs_cli_usage(cli, e,
				    "--json does not show the request that would be signed: look "
				    "at it first, then say --yes, too");
	if (!cli->args.json)
		cs_document_show(doc, view, cs_clock_now());
	d->request_sha256 = doc->sha256;
	rc = check_images(cli, doc->request, d, e);
	rc = rc ? rc : cs_heads_check(cli, &d->log, e);
	if (rc)
		return rc;
	if (d->verdict == CS_VERDICT_APPROVE && doc->request->expires <= cs_clock_now())
		return CS_FAIL(e, CS_E_EXPIRED, "request %s has expired", doc->request->id);
	if (cli->args.comment) {
		d->has_comment = true;
		d->comment_sha256 = cs_sha256(cs_bytes_of(cli->args.comment));
	}
	fflush(stdout);
	return cli->args.yes ? CS_OK : cs_term_ask(cli, words[d->verdict].question, e);
}

/** Sign the decision and send it. */
static enum cs_rc sign_and_send(struct cs_cli *cli, const char *id, struct cs_decision *d,
				struct cs_err *e)
{
	struct cs_approval approval = { 0 };
	json_t *root = NULL;
	struct cs_buf payload, envelope;
	enum cs_rc rc;

	cs_buf_init(&payload, CS_DECISION_MAX);
	cs_buf_init(&envelope, CS_ENVELOPE_MAX);
	rc = cs_approval_open(cli, &approval, e);
	rc = rc ? rc : get_decisions(cli, id, &root, e);
	rc = rc ? rc : next_number(cli, json_object_get(root, "decisions"), approval.pk, &d->n, e);
	if (rc)
		goto out;
	d->time = cs_clock_now();
	cs_decision_write(d, &payload);
	rc = cs_buf_ok(&payload, "decision", e);
	rc = rc ? rc
		: cs_approval_sign(&approval, CS_DECISION_TYPE, cs_buf_bytes(&payload), &envelope,
				   e);
	rc = rc ? rc : send_decision(cli, id, cs_buf_bytes(&envelope), e);
out:
	cs_approval_done(&approval);
	json_decref(root);
	cs_buf_done(&payload);
	cs_buf_done(&envelope);
	return rc;
}

static enum cs_rc decide(struct cs_cli *cli, enum cs_verdict_kind verdict, struct cs_err *e)
{
	struct cs_decision *d = calloc(1, sizeof(*d));
	struct countersign_request r = { 0 };
	struct countersign_error err;
	struct cs_document doc = { 0 };
	const char *id;
	enum cs_rc rc;

	if (!d)
		return CS_FAIL(e, CS_E_NOMEM, "decision");
	d->verdict = verdict;
	rc = cs_remote_id(cli, &id, e);
	rc = rc ? rc : cs_document_fetch(cli, id, &doc, e);
	rc = rc ? rc : cs_remote_check(cli, countersign_get(cli->client, id, &r, &err), &err, e);
	rc = rc ? rc : consider(cli, &doc, &r, d, e);
	rc = rc ? rc : sign_and_send(cli, id, d, e);
	/* the head that she keeps shall hold her decision, so that it cannot be cut off */
	rc = rc ? rc : cs_heads_check(cli, &d->log, e);
	countersign_request_done(&r);
	rc = rc ? rc : cs_remote_check(cli, countersign_get(cli->client, id, &r, &err), &err, e);
	if (!rc) {
		if (!cli->args.json)
			printf("\n%s, decision number %lld of yours\n", words[verdict].done,
			       (long long)d->n);
		cs_follow_print(cli, &r);
	}
	countersign_request_done(&r);
	cs_document_done(&doc);
	free(d);
	return rc;
}

enum cs_rc cs_cmd_approve(struct cs_cli *cli, struct cs_err *e)
{
	return decide(cli, CS_VERDICT_APPROVE, e);
}

enum cs_rc cs_cmd_reject(struct cs_cli *cli, struct cs_err *e)
{
	return decide(cli, CS_VERDICT_REJECT, e);
}

enum cs_rc cs_cmd_withdraw(struct cs_cli *cli, struct cs_err *e)
{
	return decide(cli, CS_VERDICT_WITHDRAW, e);
}

enum cs_rc cs_cmd_cancel(struct cs_cli *cli, struct cs_err *e)
{
	struct countersign_request r = { 0 };
	struct countersign_reply reply = { 0 };
	struct countersign_error err;
	char path[80];
	const char *id;
	enum cs_rc rc;

	rc = cs_remote_id(cli, &id, e);
	rc = rc ? rc : cs_remote_open(cli, e);
	if (rc)
		return rc;
	snprintf(path, sizeof(path), "/v1/requests/%.36s/cancel", id);
	rc = post(cli, path, NULL, &reply, e);
	countersign_reply_done(&reply);
	rc = rc ? rc : cs_remote_check(cli, countersign_get(cli->client, id, &r, &err), &err, e);
	if (!rc)
		cs_follow_print(cli, &r);
	countersign_request_done(&r);
	return rc;
}
