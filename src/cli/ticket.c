/* SPDX-License-Identifier: Apache-2.0 */
/*
 * State files of jobs, one small JSON object each.
 * Must not be lost between key and POST: written with fsync.
 * See ticket.h for the contract.
 */
#include "cli/ticket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/enc.h"
#include "base/file.h"
#include "base/jcs.h"
#include "base/json.h"
#include "base/text.h"

#define TICKET_MAX 4096

static enum cs_rc save(const struct cs_ticket *t, struct cs_err *e)
{
	struct cs_buf text;
	struct cs_jw w;
	enum cs_rc rc;

	cs_buf_init(&text, TICKET_MAX);
	cs_jw_init(&w, &text);
	cs_jw_object(&w, NULL);
	cs_jw_str(&w, "fingerprint", t->fingerprint);
	if (t->id[0])
		cs_jw_str(&w, "id", t->id);
	cs_jw_str(&w, "idempotency_key", t->key);
	cs_jw_end_object(&w);
	cs_buf_add_char(&text, '\n');
	rc = cs_buf_ok(&text, "state file", e);
	rc = rc ? rc : cs_file_replace(t->path, cs_buf_bytes(&text), 0600, e);
	cs_buf_done(&text);
	return rc;
}

/** Read what is there; CS_E_NOT_FOUND when nothing is. */
static enum cs_rc load(struct cs_ticket *t, struct cs_err *e)
{
	const char *key, *fingerprint, *id = "";
	const struct cs_json_field fields[] = {
		CS_JSON_STR_FIELD("fingerprint", false, CS_TEXT_HEX, 64, 64, &fingerprint),
		CS_JSON_STR_FIELD("id", true, CS_TEXT_NAME, 36, 36, &id),
		CS_JSON_STR_FIELD("idempotency_key", false, CS_TEXT_HEX, 32, 32, &key),
	};
	struct cs_json *root = NULL;
	struct cs_buf text;
	enum cs_rc rc;

	cs_buf_init(&text, TICKET_MAX);
	rc = cs_file_read(t->path, &text, e);
	if (rc)
		goto out;
	rc = cs_json_parse(cs_buf_bytes(&text), TICKET_MAX, t->path, &root, e);
	rc = rc ? rc : cs_json_read(root, "", fields, 3, e);
	if (rc) {
		rc = cs_err_prefix(e, "state file %s: remove it if no run of this job is under way",
				   t->path);
		goto out;
	}
	memcpy(t->key, key, sizeof(t->key));
	memcpy(t->fingerprint, fingerprint, sizeof(t->fingerprint));
	snprintf(t->id, sizeof(t->id), "%s", id);
out:
	cs_json_free(root);
	cs_buf_done(&text);
	return rc;
}

enum cs_rc cs_ticket_renew(struct cs_ticket *t, struct cs_err *e)
{
	uint8_t chance[16];

	if (getrandom(chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
		return CS_FAIL(e, CS_E_INTERNAL, "no random bytes from the kernel");
	cs_hex_encode(chance, sizeof(chance), t->key);
	t->id[0] = '\0';
	t->found = false;
	return save(t, e);
}

enum cs_rc cs_ticket_open(struct cs_cli *cli, const struct cs_sha256 *fingerprint, bool again,
			  struct cs_ticket *out, struct cs_err *e)
{
	struct cs_ticket t = { 0 };
	char wanted[CS_SHA256_HEX];
	char name[64];
	enum cs_rc rc;

	cs_sha256_hex(fingerprint, wanted);
	if (cli->args.state_file) {
		t.path = strdup(cli->args.state_file);
		rc = t.path ? CS_OK : CS_FAIL(e, CS_E_NOMEM, "state file");
	} else {
		snprintf(name, sizeof(name), "jobs/%.32s.json", wanted);
		rc = cs_profile_state_path(name, &t.path, e);
	}
	if (rc)
		goto out;
	rc = again ? CS_E_NOT_FOUND : load(&t, e);
	if (rc && rc != CS_E_NOT_FOUND)
		goto out;
	/* another job in a file given by name: its request is not ours */
	if (rc == CS_OK && strcmp(t.fingerprint, wanted) == 0) {
		t.found = true;
	} else {
		memcpy(t.fingerprint, wanted, sizeof(wanted));
		rc = cs_ticket_renew(&t, e);
		if (rc)
			goto out;
	}
	*out = t;
	t = (struct cs_ticket){ 0 }; /* transferred */
out:
	cs_ticket_done(&t);
	return rc;
}

enum cs_rc cs_ticket_note(struct cs_ticket *t, const char *id, struct cs_err *e)
{
	if (strcmp(t->id, id) == 0)
		return CS_OK;
	snprintf(t->id, sizeof(t->id), "%s", id);
	return save(t, e);
}

void cs_ticket_done(struct cs_ticket *t)
{
	free(t->path);
	*t = (struct cs_ticket){ 0 };
}
