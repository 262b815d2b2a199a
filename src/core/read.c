/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be read of requests: one, many, the document, the decisions, a signature.
 */
#include <string.h>

#include "core/internal.h"

void cs_answer_init(struct cs_answer *a)
{
	memset(a, 0, sizeof(*a));
	cs_buf_init(&a->body, 2 * CS_EVENT_MAX);
	a->content_type = "application/json";
}

void cs_answer_done(struct cs_answer *a)
{
	cs_buf_done(&a->body);
}

enum cs_rc cs_core_request(struct cs_core *c, const struct cs_caller *who, const char *id,
			   struct cs_answer *a, struct cs_err *e)
{
	struct cs_case *k = NULL;
	enum cs_rc rc = cs_case_open(c, who, id, &k, e);

	if (rc == CS_OK)
		rc = cs_view_case(k, who, a, e);
	cs_case_free(k);
	return rc;
}

/** A page of ids, collected before any of them is read, because a statement cannot be used twice at
 * once. */
struct page {
	size_t count;
	char ids[200][CS_UUID_TEXT];
};

static enum cs_rc collect_id(void *arg, const struct cs_request_row *row, struct cs_err *e)
{
	struct page *p = arg;

	(void)e;
	memcpy(p->ids[p->count++], row->id, CS_UUID_TEXT);
	return CS_OK;
}

static enum cs_rc list_ids(struct cs_store *s, const struct cs_policy *policy,
			   const struct cs_principal *who, const struct cs_list_filter *filter,
			   struct page *p, struct cs_err *e)
{
	struct cs_store_filter f = {
		.state = filter->waits_for_me ? CS_ST_PENDING : filter->state,
		.environment = filter->environment,
		.after = filter->after,
		.limit = filter->limit,
	};
	const struct cs_approver *approver;

	if (who->role == CS_ROLE_AGENT) {
		f.principal = who->name;
	} else if (who->role == CS_ROLE_APPROVER) {
		approver = cs_policy_approver(policy, who->persons[0]);
		if (!approver)
			return CS_OK; /* in no group any more: nothing to see */
		f.group = approver->group;
	} else if (who->role != CS_ROLE_AUDITOR) {
		return CS_OK;
	}
	return cs_store_requests(s, &f, collect_id, p, e);
}

static enum cs_rc write_page(struct cs_case *k, struct cs_store *s, const struct cs_principal *who,
			     bool waits_for_me, const struct page *p, struct cs_jw *w,
			     struct cs_err *e)
{
	struct cs_buf view;
	enum cs_rc rc = CS_OK;

	cs_buf_init(&view, CS_EVENT_MAX);
	for (size_t i = 0; rc == CS_OK && i < p->count; i++) {
		rc = cs_case_load(k, s, p->ids[i], e);
		if (rc != CS_OK || !cs_case_is_visible(k->policy, who, &k->row, &k->doc))
			continue;
		if (waits_for_me && !cs_view_waits_for(k, who->persons[0]))
			continue;
		cs_buf_reset(&view);
		rc = cs_view_write(k, who, &view, e);
		if (rc == CS_OK)
			cs_jw_raw(w, NULL, cs_buf_bytes(&view));
	}
	cs_buf_done(&view);
	return rc;
}

enum cs_rc cs_core_requests(struct cs_core *c, const struct cs_caller *who,
			    const struct cs_list_filter *filter, struct cs_answer *a,
			    struct cs_err *e)
{
	struct cs_case *k = cs_case_new(c);
	struct page p = { 0 };
	struct cs_store *s;
	struct cs_jw w;
	enum cs_rc rc;

	if (!k)
		return CS_FAIL(e, CS_E_NOMEM, "a list of requests");
	a->revision = atomic_load(&c->revision); /* before reading, so that a wait misses nothing */
	s = cs_reader_get(c);
	rc = list_ids(s, k->policy, who->principal, filter, &p, e);
	cs_jw_init(&w, &a->body);
	cs_jw_object(&w, NULL);
	if (rc == CS_OK && (int64_t)p.count == filter->limit)
		cs_jw_str(&w, "next", p.ids[p.count - 1]);
	cs_jw_array(&w, "requests");
	if (rc == CS_OK)
		rc = write_page(k, s, who->principal, filter->waits_for_me, &p, &w, e);
	cs_jw_end_array(&w);
	cs_jw_int(&w, "revision", a->revision);
	cs_jw_end_object(&w);
	cs_reader_put(c, s);
	cs_case_free(k);
	return rc == CS_OK ? cs_buf_ok(&a->body, "answer", e) : rc;
}

static void describe(struct cs_answer *a, const struct cs_case *k)
{
	a->state = k->row.state;
	a->revision = k->row.revision;
	memcpy(a->id, k->row.id, sizeof(a->id));
}

enum cs_rc cs_core_document(struct cs_core *c, const struct cs_caller *who, const char *id,
			    struct cs_answer *a, struct cs_err *e)
{
	struct cs_case *k = NULL;
	enum cs_rc rc = cs_case_open(c, who, id, &k, e);

	if (rc != CS_OK)
		return rc;
	a->content_type = CS_REQUEST_TYPE;
	cs_buf_add(&a->body, k->row.document.data, k->row.document.len);
	describe(a, k);
	cs_case_free(k);
	return cs_buf_ok(&a->body, "answer", e);
}

enum cs_rc cs_core_decisions(struct cs_core *c, const struct cs_caller *who, const char *id,
			     struct cs_answer *a, struct cs_err *e)
{
	struct cs_case *k = NULL;
	struct cs_jw w;
	enum cs_rc rc = cs_case_open(c, who, id, &k, e);

	if (rc != CS_OK)
		return rc;
	cs_jw_init(&w, &a->body);
	cs_jw_object(&w, NULL);
	cs_jw_array(&w, "decisions");
	for (size_t i = 0; i < k->decision_count; i++) {
		const struct cs_stored_decision *d = &k->decisions[i];
		const struct cs_approver *approver = cs_policy_approver(k->policy, d->person);

		cs_jw_object(&w, NULL);
		if (d->comment[0])
			cs_jw_str(&w, "comment", d->comment);
		cs_jw_str(&w, "decision", cs_verdict_name(d->verdict));
		cs_jw_base64(&w, "envelope", cs_buf_bytes(&d->envelope));
		cs_jw_str(&w, "group", approver ? approver->group : "");
		cs_jw_int(&w, "n", d->n);
		cs_jw_str(&w, "person", d->person);
		cs_jw_int(&w, "seq", d->seq);
		cs_jw_end_object(&w);
	}
	cs_jw_end_array(&w);
	cs_jw_end_object(&w);
	describe(a, k);
	cs_case_free(k);
	return cs_buf_ok(&a->body, "answer", e);
}

enum cs_rc cs_core_signature(struct cs_core *c, const struct cs_caller *who, const char *id,
			     int64_t index, struct cs_answer *a, struct cs_err *e)
{
	struct cs_case *k = NULL;
	enum cs_rc rc = cs_case_open(c, who, id, &k, e);

	if (rc != CS_OK)
		return rc;
	describe(a, k);
	if (index < 0 || (size_t)index >= k->doc.count)
		rc = CS_FAIL(e, CS_E_NOT_FOUND, "the request has artifacts 0 to %zu",
			     k->doc.count - 1);
	else if (k->row.state != CS_ST_SIGNED)
		rc = CS_FAIL(e, cs_state_is_final(k->row.state) ? CS_E_CONFLICT : CS_E_PENDING,
			     "the request is %s; signatures are released when all of it is signed",
			     cs_state_name(k->row.state));
	if (rc == CS_OK) {
		const struct cs_buf *signature = &k->signatures[index];

		a->content_type = "application/octet-stream";
		cs_buf_add(&a->body, signature->data, signature->len);
	}
	cs_case_free(k);
	return rc == CS_OK ? cs_buf_ok(&a->body, "answer", e) : rc;
}
