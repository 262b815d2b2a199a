/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of the audit log and their details (audit/event.h, audit/detail.h).
 */
#include "audit/detail.h"

#include "fuzz/fuzz.h"

static void check_detail(const struct cs_event *ev, const struct cs_json *root, struct cs_bytes in)
{
	struct cs_event again = *ev;
	const struct cs_json *detail = cs_json_get(root, "detail");
	struct cs_detail parsed;
	struct cs_err e = { 0 };
	struct cs_buf text, out;
	enum cs_rc rc;

	cs_buf_init(&text, CS_EVENT_MAX);
	cs_buf_init(&out, CS_EVENT_MAX);
	fuzz_holds(cs_jcs_write(detail, &text, &e) == CS_OK);
	again.detail = cs_buf_bytes(&text);
	cs_event_write(&again, &out);
	fuzz_same(in, &out);
	rc = cs_detail_read(ev->kind, detail, &parsed, &e);
	if (rc == CS_OK)
		cs_detail_free(&parsed);
	else
		fuzz_refused(rc, &e);
	cs_buf_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cs_bytes in = { data, size };
	struct cs_event ev;
	struct cs_err e = { 0 };
	struct cs_json *root = NULL;
	enum cs_rc rc;

	rc = cs_event_parse(in, &ev, &root, &e);
	if (rc == CS_OK)
		check_detail(&ev, root, in);
	else
		fuzz_refused(rc, &e);
	cs_json_free(root);
	return 0;
}
