/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fetches, checks and shows request documents.
 * Must not show a field that is not in the document: what is shown is what is signed.
 * See document.h for the contract.
 */
#include "cli/document.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "cli/remote.h"
#include "cli/term.h"
#include "format/format.h"

static enum cs_rc check(const char *id, struct cs_document *d, struct cs_err *e)
{
	struct cs_buf again;
	enum cs_rc rc;

	d->request = malloc(sizeof(*d->request));
	if (!d->request)
		return CS_FAIL(e, CS_E_NOMEM, "request document");
	rc = cs_request_parse(cs_buf_bytes(&d->bytes), d->request, e);
	if (rc) {
		cs_err_prefix(e, "request document");
		return e->rc = CS_E_VERSION;
	}
	/* the parser checked this already; an approver's signature deserves a second way */
	cs_buf_init(&again, CS_DOCUMENT_MAX);
	cs_request_write(d->request, &again);
	if (!cs_bytes_equal(cs_buf_bytes(&again), cs_buf_bytes(&d->bytes)))
		rc = CS_FAIL(e, CS_E_VERSION,
			     "request document: its bytes are not what its content says");
	else if (strcmp(d->request->id, id) != 0)
		rc = CS_FAIL(e, CS_E_VERSION, "request document: it is the one of request %s",
			     d->request->id);
	cs_buf_done(&again);
	return rc;
}

enum cs_rc cs_document_fetch(struct cs_cli *cli, const char *id, struct cs_document *out,
			     struct cs_err *e)
{
	struct countersign_reply reply;
	struct cs_document d = { 0 };
	char path[80];
	enum cs_rc rc;

	cs_buf_init(&d.bytes, CS_DOCUMENT_MAX);
	snprintf(path, sizeof(path), "/v1/requests/%.36s/document", id);
	rc = cs_remote_get(cli, path, 0, &reply, e);
	if (rc)
		goto out;
	cs_buf_add(&d.bytes, reply.data, reply.len);
	countersign_reply_done(&reply);
	rc = cs_buf_ok(&d.bytes, "request document", e);
	rc = rc ? rc : check(id, &d, e);
	if (rc)
		goto out;
	d.sha256 = cs_sha256(cs_buf_bytes(&d.bytes));
	*out = d;
	d = (struct cs_document){ 0 }; /* transferred */
out:
	cs_document_done(&d);
	return rc;
}

void cs_document_done(struct cs_document *d)
{
	cs_buf_done(&d->bytes);
	free(d->request);
	d->request = NULL;
}

static void show_artifact(const struct cs_artifact *a, size_t number, size_t count)
{
	char hex[2 * CS_HASH_MAX_LEN + 1];
	char spki[CS_SHA256_HEX];

	cs_hex_encode(a->digest.value, cs_hash_len(a->digest.hash), hex);
	cs_sha256_hex(&a->key_spki, spki);
	printf("\nArtifact %zu of %zu\n", number, count);
	cs_term_row(stdout, "  name", a->name);
	cs_term_rowf(stdout, "  size", "%lld bytes", (long long)a->size);
	cs_term_rowf(stdout, "  digest", "%s %s", cs_hash_name(a->digest.hash), hex);
	cs_term_rowf(stdout, "  key", "%s (%s, %s)", a->key, cs_alg_name(a->key_alg),
		     cs_format_name(a->format));
	cs_term_row(stdout, "  key's SHA-256", spki);
}

static void show_lifetime(const struct cs_request *r, int64_t now)
{
	char created[CS_TIME_TEXT], expires[CS_TIME_TEXT], left[64];

	cs_time_text(r->created, created);
	cs_time_text(r->expires, expires);
	cs_term_duration((r->expires - now) / CS_SECOND, left);
	cs_term_row(stdout, "created", created);
	cs_term_rowf(stdout, "expires", "%s (%s%s)", expires, r->expires > now ? "in " : "",
		     r->expires > now ? left : "past");
}

/** The comment is beside the document, which holds its hash only, so that it can be erased. */
static void show_comment(const struct cs_document *d, const struct countersign_request *r)
{
	json_t *view = json_loads(r->json, 0, NULL);
	const char *comment = cs_remote_str(view, "comment");
	struct cs_sha256 hash = cs_sha256(cs_bytes_of(comment));

	if (comment[0] && d->request->has_comment &&
	    cs_sha256_equal(&hash, &d->request->comment_sha256))
		cs_term_row(stdout, "comment", comment);
	else if (comment[0] || d->request->has_comment)
		cs_term_row(stdout, "comment", "(erased, or not the one of the document)");
	json_decref(view);
}

void cs_document_show(const struct cs_document *d, const struct countersign_request *view,
		      int64_t now)
{
	const struct cs_request *r = d->request;
	char hex[CS_SHA256_HEX];

	cs_term_row(stdout, "request", r->id);
	cs_term_rowf(stdout, "for", "%s, on %s", cs_env_name(r->environment), r->instance);
	cs_term_row(stdout, "requested by", r->principal);
	for (size_t i = 0; i < r->person_count; i++)
		cs_term_rowf(stdout, "may not approve", "%s", r->persons[i]);
	show_lifetime(r, now);
	for (size_t i = 0; i < r->quorum.count; i++)
		cs_term_rowf(stdout, "needs", "%lld of group %s",
			     (long long)r->quorum.lines[i].count, r->quorum.lines[i].group);
	cs_term_row(stdout, "product", r->release.product);
	cs_term_row(stdout, "component", r->release.component);
	cs_term_row(stdout, "version", r->release.version);
	if (r->release.security_version >= 0)
		cs_term_rowf(stdout, "security version", "%lld",
			     (long long)r->release.security_version);
	cs_term_row(stdout, "repository", r->build.repository);
	cs_term_row(stdout, "commit", r->build.commit);
	cs_term_row(stdout, "pipeline", r->build.pipeline);
	show_comment(d, view);
	cs_term_rowf(stdout, "policy version", "%lld", (long long)r->policy_version);
	cs_sha256_hex(&d->sha256, hex);
	cs_term_row(stdout, "document", hex);
	for (size_t i = 0; i < r->count; i++)
		show_artifact(&r->artifacts[i], i + 1, r->count);
}

enum cs_rc cs_document_verify(const struct cs_document *d, size_t index, const char *pem,
			      struct cs_bytes sig, struct cs_err *e)
{
	const struct cs_artifact *a = &d->request->artifacts[index];
	struct cs_pk *pk = NULL;
	enum cs_rc rc = cs_pk_from_pem(cs_bytes_of(pem), &pk, e);

	if (rc) {
		cs_err_prefix(e, "key %s", a->key);
		goto out;
	}
	if (!cs_sha256_equal(cs_pk_spki_sha256(pk), &a->key_spki)) {
		rc = CS_FAIL(e, CS_E_SIGNATURE,
			     "key %s: the public key given is not the one of the request document",
			     a->key);
		goto out;
	}
	rc = cs_format_verify(d->request, index, pk, sig, e);
	if (rc)
		cs_err_prefix(e, "signature of %s", a->name);
out:
	cs_pk_free(pk);
	return rc;
}
