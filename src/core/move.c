/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only place that changes a request's state: guard, event and consequences in the caller's
 * transaction.
 */
#include <assert.h>
#include <string.h>

#include "core/internal.h"

enum cs_rc cs_core_note(struct cs_core *c, struct cs_store *s, enum cs_event_kind kind,
			const char *actor, const char *request, const struct cs_buf *detail,
			struct cs_err *e)
{
	struct cs_event ev = { .time = cs_event_clock_now(c), .kind = kind };
	enum cs_rc rc = cs_buf_ok(detail, "an event's detail", e);

	if (rc != CS_OK)
		return rc;
	assert(strlen(actor) <= CS_NAME_MAX && strlen(request) < CS_UUID_TEXT);
	memcpy(ev.actor, actor, strlen(actor) + 1);
	memcpy(ev.request, request, strlen(request) + 1);
	ev.detail = cs_buf_bytes(detail);
	rc = cs_store_append(s, &ev, NULL, e);
	if (rc == CS_OK)
		c->tally.kinds[kind]++;
	return rc;
}

/** A reason is kept as far as its column goes, whole characters only. */
static const char *cut_reason(const char *reason, char out[static CS_REASON_MAX + 1])
{
	size_t len;

	if (!reason)
		return NULL;
	len = strnlen(reason, CS_REASON_MAX + 1);
	if (len > CS_REASON_MAX)
		for (len = CS_REASON_MAX; len > 0 && ((unsigned char)reason[len] & 0xc0) == 0x80;)
			len--;
	memcpy(out, reason, len);
	out[len] = '\0';
	return out;
}

enum cs_rc cs_core_change(struct cs_core *c, struct cs_store *s, int64_t num,
			  const struct cs_request_change *change, struct cs_err *e)
{
	enum cs_rc rc;

	assert(change->from == change->to || cs_state_may_move(change->from, change->to));
	rc = cs_store_request_change(s, num, change, e);
	if (rc == CS_OK)
		c->changed = change->new_revision;
	return rc;
}

enum cs_rc cs_core_change_artifact(struct cs_store *s, int64_t num, size_t index,
				   enum cs_artifact_state from, enum cs_artifact_state to,
				   struct cs_err *e)
{
	if (!cs_artifact_state_may_move(from, to))
		return CS_FAIL(e, CS_E_CORRUPT, "artifact %zu is %s, and cannot become %s", index,
			       cs_artifact_state_name(from), cs_artifact_state_name(to));
	return cs_store_artifact_move(s, num, index, from, to, e);
}

enum cs_rc cs_core_move(struct cs_core *c, struct cs_store *s, const struct cs_move *m,
			int64_t *seqp, struct cs_err *e)
{
	char reason[CS_REASON_MAX + 1];
	const int64_t seq = cs_store_next_seq(s);
	const struct cs_request_change change = {
		.from = m->from,
		.to = m->to,
		.revision = m->revision,
		.new_revision = seq,
		.next_attempt = m->next_attempt,
		.count_attempt = m->count_attempt,
		.reason = cut_reason(m->reason, reason),
	};
	enum cs_rc rc;

	rc = cs_core_change(c, s, m->num, &change, e);
	if (rc == CS_OK)
		rc = cs_core_note(c, s, m->kind, m->actor, m->id, m->detail, e);
	if (rc == CS_OK && cs_state_is_final(m->to) && m->to != CS_ST_SIGNED)
		rc = cs_store_signatures_drop(s, m->num, e);
	if (rc != CS_OK)
		return rc;
	if (seqp)
		*seqp = seq;
	return CS_OK;
}

struct log_event {
	enum cs_event_kind kind;
	const char *actor;
	const struct cs_buf *detail;
};

static enum cs_rc log_event_run(struct cs_core *c, struct cs_store *s, void *arg, struct cs_err *e)
{
	const struct log_event *x = arg;

	(void)c;
	return cs_core_note(c, s, x->kind, x->actor, "", x->detail, e);
}

enum cs_rc cs_core_log_event(struct cs_core *c, enum cs_event_kind kind, const char *actor,
			     const struct cs_buf *detail, struct cs_err *e)
{
	struct log_event x = { kind, actor, detail };

	return cs_writer_run(c, log_event_run, &x, e);
}

static enum cs_rc end_run(struct cs_core *c, struct cs_store *s, void *arg, struct cs_err *e)
{
	return cs_core_move(c, s, arg, NULL, e);
}

enum cs_rc cs_core_end(struct cs_core *c, const struct cs_request_row *row, enum cs_state to,
		       enum cs_event_kind kind, const char *actor, const char *reason,
		       struct cs_err *e)
{
	struct cs_buf detail;
	struct cs_move m = {
		.num = row->num,
		.id = row->id,
		.from = row->state,
		.to = to,
		.revision = row->revision,
		.reason = reason,
		.kind = kind,
		.actor = actor,
		.detail = &detail,
	};
	enum cs_rc rc;

	cs_buf_init(&detail, 4096);
	if (to == CS_ST_EXPIRED)
		cs_detail_empty(&detail); /* the document says when */
	else
		cs_detail_reason(&detail, reason);
	rc = cs_writer_run(c, end_run, &m, e);
	cs_buf_done(&detail);
	if (rc == CS_OK)
		cs_waits_notify(c, row->id);
	return rc;
}
