/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The heads file, and the question whether the log still holds what it held.
 * Must not forget a head before a newer one is on the disk.
 * See heads.h for the contract.
 */
#include "cli/heads.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/jcs.h"
#include "base/text.h"
#include "cli/remote.h"
#include "cli/term.h"

#define HEADS_BYTES_MAX (CS_HEADS_MAX * 160U)

enum cs_rc cs_heads_parse(struct cs_bytes text, const char *path, struct cs_heads *out,
			  struct cs_err *e)
{
	struct cs_heads h = { 0, calloc(CS_HEADS_MAX, sizeof(struct cs_log_ref)) };
	const char *p = (const char *)text.data;
	const char *all = p ? p + text.len : p;
	size_t number = 1;

	if (!h.list)
		return CS_FAIL(e, CS_E_NOMEM, "%s", path);
	for (; p < all; number++) {
		const char *newline = memchr(p, '\n', (size_t)(all - p));
		const char *end = newline ? newline : all;

		if (h.count == CS_HEADS_MAX) {
			cs_heads_done(&h);
			return CS_FAIL(e, CS_E_INVALID, "%s: more than %d lines", path,
				       CS_HEADS_MAX);
		}
		if (!cs_head_line_read((struct cs_bytes){ (const uint8_t *)p, (size_t)(end - p) },
				       &h.list[h.count])) {
			cs_heads_done(&h);
			return CS_FAIL(e, CS_E_INVALID,
				       "%s line %zu: must be LOG-ID SIZE HEAD, hashes as 64 "
				       "lower-case hexadecimal digits",
				       path, number);
		}
		h.count++;
		p = newline ? newline + 1 : all;
	}
	*out = h;
	return CS_OK;
}

enum cs_rc cs_heads_read(const char *path, struct cs_heads *out, struct cs_err *e)
{
	struct cs_buf text;
	enum cs_rc rc;

	cs_buf_init(&text, HEADS_BYTES_MAX);
	rc = cs_file_read(path, &text, e);
	rc = rc ? rc : cs_heads_parse(cs_buf_bytes(&text), path, out, e);
	cs_buf_done(&text);
	return rc;
}

void cs_heads_done(struct cs_heads *h)
{
	free(h->list);
	*h = (struct cs_heads){ 0 };
}

static enum cs_rc write_heads(const char *path, const struct cs_heads *h, struct cs_err *e)
{
	struct cs_buf text;
	enum cs_rc rc;

	cs_buf_init(&text, HEADS_BYTES_MAX);
	for (size_t i = 0; i < h->count; i++)
		cs_head_line_write(&h->list[i], &text);
	rc = cs_buf_ok(&text, path, e);
	rc = rc ? rc : cs_file_replace(path, cs_buf_bytes(&text), 0600, e);
	cs_buf_done(&text);
	return rc;
}

/** GET /v1/audit/head; size 0: now. */
static enum cs_rc ask_head(struct cs_cli *cli, int64_t size, struct cs_log_ref *out,
			   struct cs_err *e)
{
	json_t *root = NULL;
	char path[64];
	enum cs_rc rc;

	snprintf(path, sizeof(path), size > 0 ? "/v1/audit/head?size=%lld" : "/v1/audit/head",
		 (long long)size);
	rc = cs_remote_get_json(cli, path, 0, &root, e);
	if (rc)
		return rc;
	out->size = cs_remote_int(root, "size");
	if (!cs_sha256_from_hex(cs_remote_str(root, "id"), &out->id) ||
	    !cs_sha256_from_hex(cs_remote_str(root, "head"), &out->head) || out->size < 1)
		rc = CS_FAIL(e, CS_E_VERSION, "the server's answer holds no head of its log");
	json_decref(root);
	return rc;
}

/** The old head must still be where it was. */
static enum cs_rc compare(struct cs_cli *cli, const struct cs_log_ref *old,
			  const struct cs_log_ref *now, struct cs_err *e)
{
	struct cs_log_ref then = *now;
	enum cs_rc rc = CS_OK;

	if (old->size > now->size)
		return CS_FAIL(e, CS_E_CORRUPT,
			       "the server's log was rolled back: it had %lld events when we saw "
			       "it last and has %lld now; tell an auditor, and do not sign",
			       (long long)old->size, (long long)now->size);
	if (old->size < now->size)
		rc = ask_head(cli, old->size, &then, e);
	if (rc)
		return rc;
	if (cs_sha256_equal(&then.head, &old->head))
		return CS_OK;
	return CS_FAIL(e, CS_E_CORRUPT,
		       "the server's log was rewritten: event %lld is not the one that we saw; "
		       "tell an auditor, and do not sign",
		       (long long)old->size);
}

static struct cs_log_ref *find(struct cs_heads *h, const struct cs_sha256 *id)
{
	for (size_t i = 0; i < h->count; i++) {
		if (cs_sha256_equal(&h->list[i].id, id))
			return &h->list[i];
	}
	return NULL;
}

static enum cs_rc update(struct cs_cli *cli, const char *path, struct cs_heads *h,
			 const struct cs_log_ref *now, struct cs_err *e)
{
	struct cs_log_ref *old = find(h, &now->id);
	enum cs_rc rc;

	if (!old && h->count > 0 && !cli->args.new_log)
		return CS_FAIL(e, CS_E_CORRUPT,
			       "the server's log is not one that %s knows: if it is another "
			       "server's, say --new-log once, or use a heads file for each; else "
			       "tell an auditor, and do not sign",
			       path);
	rc = old ? compare(cli, old, now, e) : CS_OK;
	if (rc)
		return rc;
	if (!old) {
		if (h->count == CS_HEADS_MAX)
			return CS_FAIL(e, CS_E_NO_SPACE, "%s: it knows %d logs already", path,
				       CS_HEADS_MAX);
		old = &h->list[h->count++];
	}
	*old = *now;
	return write_heads(path, h, e);
}

enum cs_rc cs_heads_check(struct cs_cli *cli, struct cs_log_ref *out, struct cs_err *e)
{
	struct cs_heads heads = { 0 };
	char *path = NULL;
	enum cs_rc rc;

	if (cli->profile.heads) {
		path = strdup(cli->profile.heads);
		rc = path ? CS_OK : CS_FAIL(e, CS_E_NOMEM, "heads file");
	} else {
		rc = cs_profile_state_path("heads", &path, e);
	}
	if (rc)
		goto out;
	rc = cs_heads_read(path, &heads, e);
	if (rc == CS_E_NOT_FOUND)
		rc = cs_heads_parse((struct cs_bytes){ NULL, 0 }, path, &heads, e);
	rc = rc ? rc : ask_head(cli, 0, out, e);
	rc = rc ? rc : update(cli, path, &heads, out, e);
out:
	cs_heads_done(&heads);
	free(path);
	return rc;
}
