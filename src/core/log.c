/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit log as auditors and approvers read it: pages of the export, and heads.
 * Only what is committed is ever shown, because reading connections see nothing else.
 */
#include <string.h>

#include "core/internal.h"

#define PAGE_EVENTS 1000
#define PAGE_BYTES (4U << 20)

static void write_head(struct cs_jw *w, const struct cs_log_ref *log, int64_t next)
{
	cs_jw_object(w, NULL);
	cs_jw_hex(w, "head", log->head.b, CS_SHA256_LEN);
	cs_jw_hex(w, "id", log->id.b, CS_SHA256_LEN);
	if (next > 0)
		cs_jw_int(w, "next", next);
	cs_jw_int(w, "size", log->size);
	cs_jw_end_object(w);
}

static enum cs_rc note_export(struct cs_core *c, const struct cs_caller *who, int64_t from,
			      struct cs_err *e)
{
	struct cs_store *s = cs_reader_get(c);
	struct cs_log_ref log;
	struct cs_buf detail;
	enum cs_rc rc = cs_store_log(s, &log, e);

	cs_reader_put(c, s);
	if (rc != CS_OK)
		return rc;
	cs_buf_init(&detail, 256);
	cs_detail_export(&detail, from, log.size);
	rc = cs_core_log_event(c, CS_EV_EXPORT, who->principal->name, &detail, e);
	cs_buf_done(&detail);
	return rc;
}

enum cs_rc cs_core_events(struct cs_core *c, const struct cs_caller *who, int64_t from, bool first,
			  struct cs_answer *a, struct cs_err *e)
{
	struct cs_log_ref log;
	struct cs_store *s;
	struct cs_jw w;
	int64_t next = from;
	enum cs_rc rc;

	/* each is an event, so nobody may ask for them without end */
	if (first && ((rc = cs_admission_take(c->admission, who->principal, cs_clock_mono(),
					      &a->retry_after, e)) != CS_OK ||
		      (rc = note_export(c, who, from, e)) != CS_OK))
		return rc;
	a->content_type = "application/x-ndjson";
	s = cs_reader_get(c);
	rc = cs_store_log(s, &log, e);
	if (rc == CS_OK && from > log.size + 1)
		rc = CS_FAIL(e, CS_E_NOT_FOUND, "from: the log ends at %lld", (long long)log.size);
	if (rc == CS_OK && from <= log.size) {
		int64_t to = from + PAGE_EVENTS - 1;

		rc = cs_store_events(s, from, to < log.size ? to : log.size, PAGE_BYTES, &a->body,
				     &next, e);
	}
	cs_reader_put(c, s);
	if (rc != CS_OK)
		return rc;
	cs_jw_init(&w, &a->body);
	write_head(&w, &log, next);
	cs_buf_add_char(&a->body, '\n');
	return cs_buf_ok(&a->body, "export page", e);
}

enum cs_rc cs_core_head(struct cs_core *c, int64_t size, struct cs_answer *a, struct cs_err *e)
{
	struct cs_store *s = cs_reader_get(c);
	struct cs_log_ref log;
	struct cs_jw w;
	enum cs_rc rc = cs_store_log(s, &log, e);

	if (rc == CS_OK && size > log.size)
		rc = CS_FAIL(e, CS_E_NOT_FOUND, "size: the log has %lld events",
			     (long long)log.size);
	if (rc == CS_OK && size > 0) {
		rc = cs_store_event_hash(s, size, &log.head, e);
		log.size = size;
	}
	cs_reader_put(c, s);
	if (rc != CS_OK)
		return rc;
	cs_jw_init(&w, &a->body);
	write_head(&w, &log, 0);
	return cs_buf_ok(&a->body, "answer", e);
}
