/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads pages of the log.
 * Must not judge what the events say: verify/ does.
 * See events.h for the contract.
 */
#include "cli/events.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "cli/remote.h"

#define PAGE_SECONDS 120
#define END_MAX 1024

static enum cs_rc read_end(struct cs_bytes line, struct cs_events_end *out, struct cs_err *e)
{
	const char *head, *id;
	const struct cs_json_field fields[] = {
		CS_JSON_STR_FIELD("head", false, CS_TEXT_HEX, 64, 64, &head),
		CS_JSON_STR_FIELD("id", false, CS_TEXT_HEX, 64, 64, &id),
		CS_JSON_INT_FIELD("next", false, 1, INT64_MAX, &out->next),
		CS_JSON_INT_FIELD("size", false, 0, INT64_MAX, &out->log.size),
	};
	struct cs_json *root = NULL;
	enum cs_rc rc = cs_json_parse(line, END_MAX, "last line of a page of the log", &root, e);

	rc = rc ? rc : cs_json_read(root, "", fields, sizeof(fields) / sizeof(fields[0]), e);
	if (rc) {
		rc = CS_FAIL(e, CS_E_VERSION,
			     "the server's page of the log does not end with the log's head");
	} else {
		cs_sha256_from_hex(head, &out->log.head); /* the length was checked */
		cs_sha256_from_hex(id, &out->log.id);
	}
	cs_json_free(root);
	return rc;
}

enum cs_rc cs_events_cut(struct cs_bytes page, cs_events_fn *fn, void *arg,
			 struct cs_events_end *out, struct cs_err *e)
{
	const uint8_t *p = page.data;
	const uint8_t *end = p ? p + page.len : p;
	struct cs_bytes held = { NULL, 0 }; /* an event unless nothing follows */
	enum cs_rc rc = CS_OK;

	while (!rc && p < end) {
		const uint8_t *newline = memchr(p, '\n', (size_t)(end - p));
		const uint8_t *stop = newline ? newline : end;

		if (held.data)
			rc = fn(arg, held, e);
		held = (struct cs_bytes){ p, (size_t)(stop - p) };
		p = newline ? newline + 1 : end;
	}
	return rc ? rc : read_end(held, out, e);
}

enum cs_rc cs_events_page(struct cs_cli *cli, int64_t from, bool first, cs_events_fn *fn, void *arg,
			  struct cs_events_end *out, struct cs_err *e)
{
	struct countersign_reply page;
	char path[96];
	enum cs_rc rc;

	snprintf(path, sizeof(path), "/v1/audit/events?from=%lld%s", (long long)from,
		 first ? "" : "&resume=true");
	rc = cs_remote_get(cli, path, PAGE_SECONDS, &page, e);
	if (rc)
		return rc;
	rc = cs_events_cut((struct cs_bytes){ (const uint8_t *)page.data, page.len }, fn, arg, out,
			   e);
	if (!rc && out->next <= out->log.size && out->next <= from)
		rc = CS_FAIL(e, CS_E_VERSION, "the server's page of the log does not go on");
	countersign_reply_done(&page);
	return rc;
}
