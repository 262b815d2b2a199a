/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a request is shown: one JSON object, the same in every answer. The document itself is fetched
 * separately.
 */
#include <string.h>

#include "core/internal.h"

static void write_artifacts(struct cs_jw *w, const struct cs_case *k)
{
	cs_jw_array(w, "artifacts");
	for (size_t i = 0; i < k->doc.count; i++) {
		const struct cs_artifact *a = &k->doc.artifacts[i];

		cs_jw_object(w, NULL);
		cs_jw_object(w, "digest");
		cs_jw_str(w, "algorithm", cs_hash_name(a->digest.hash));
		cs_jw_hex(w, "value", a->digest.value, cs_hash_len(a->digest.hash));
		cs_jw_end_object(w);
		cs_jw_str(w, "format", cs_format_name(a->format));
		cs_jw_str(w, "key", a->key);
		cs_jw_str(w, "name", a->name);
		cs_jw_int(w, "size", a->size);
		cs_jw_str(w, "state", cs_artifact_state_name(k->artifacts[i].state));
		cs_jw_end_object(w);
	}
	cs_jw_end_array(w);
}

static void write_optional(struct cs_jw *w, const char *key, const char *value)
{
	if (value[0])
		cs_jw_str(w, key, value);
}

static void write_build(struct cs_jw *w, const struct cs_build *b)
{
	if (!b->commit[0] && !b->pipeline[0] && !b->repository[0])
		return;
	cs_jw_object(w, "build");
	write_optional(w, "commit", b->commit);
	write_optional(w, "pipeline", b->pipeline);
	write_optional(w, "repository", b->repository);
	cs_jw_end_object(w);
}

static void write_release(struct cs_jw *w, const struct cs_release *r)
{
	if (!r->component[0] && !r->product[0] && !r->version[0] && r->security_version < 0)
		return;
	cs_jw_object(w, "release");
	write_optional(w, "component", r->component);
	write_optional(w, "product", r->product);
	if (r->security_version >= 0)
		cs_jw_int(w, "security_version", r->security_version);
	write_optional(w, "version", r->version);
	cs_jw_end_object(w);
}

/** When a key was replaced nothing can be counted any more; then the document's own lines are
 * shown. */
static void count_quorum(const struct cs_case *k, struct cs_quorum_status *q)
{
	memset(q, 0, sizeof(*q));
	if (cs_quorum_count(k->policy, &k->doc, k->votes, k->vote_count, q, NULL) == CS_OK)
		return;
	memset(q, 0, sizeof(*q));
	q->count = k->doc.quorum.count;
	q->missing = cs_quorum_list_total(&k->doc.quorum);
	for (size_t i = 0; i < q->count; i++) {
		memcpy(q->lines[i].group, k->doc.quorum.lines[i].group, sizeof(q->lines[i].group));
		q->lines[i].need = k->doc.quorum.lines[i].count;
	}
}

static void write_quorum(struct cs_jw *w, const struct cs_quorum_status *q)
{
	cs_jw_array(w, "quorum");
	for (size_t i = 0; i < q->count; i++) {
		cs_jw_object(w, NULL);
		cs_jw_str(w, "group", q->lines[i].group);
		cs_jw_int(w, "have", q->lines[i].have);
		cs_jw_int(w, "need", q->lines[i].need);
		cs_jw_end_object(w);
	}
	cs_jw_end_array(w);
}

/** Only the requester and auditors get signatures, and only of requests that are signed as a whole.
 */
static void write_signatures(struct cs_jw *w, const struct cs_case *k,
			     const struct cs_principal *who)
{
	if (k->row.state != CS_ST_SIGNED ||
	    (who->role != CS_ROLE_AGENT && who->role != CS_ROLE_AUDITOR))
		return;
	cs_jw_array(w, "signatures");
	for (size_t i = 0; i < k->signature_count; i++)
		cs_jw_base64(w, NULL, cs_buf_bytes(&k->signatures[i]));
	cs_jw_end_array(w);
}

static void write_votes(struct cs_jw *w, const struct cs_case *k)
{
	cs_jw_array(w, "votes");
	for (size_t i = 0; i < k->vote_count; i++) {
		const struct cs_vote *v = &k->votes[i];

		cs_jw_object(w, NULL);
		cs_jw_str(w, "decision", cs_verdict_name(v->decision.verdict));
		cs_jw_str(w, "group", v->approver->group);
		cs_jw_int(w, "n", v->decision.n);
		cs_jw_str(w, "person", v->approver->person);
		cs_jw_end_object(w);
	}
	cs_jw_end_array(w);
}

/** The person's decision that counts, or CS_VERDICT_NONE. */
static enum cs_verdict_kind standing_of(const struct cs_case *k, const char *person)
{
	enum cs_verdict_kind verdict = CS_VERDICT_NONE;
	int64_t n = 0;

	for (size_t i = 0; i < k->vote_count; i++)
		if (strcmp(k->votes[i].approver->person, person) == 0 &&
		    k->votes[i].decision.n > n) {
			n = k->votes[i].decision.n;
			verdict = k->votes[i].decision.verdict;
		}
	return verdict;
}

bool cs_view_waits_for(const struct cs_case *k, const char *person)
{
	const struct cs_approver *approver = cs_policy_approver(k->policy, person);
	struct cs_quorum_status q;

	if (!approver || k->row.state != CS_ST_PENDING ||
	    standing_of(k, person) == CS_VERDICT_APPROVE)
		return false;
	for (size_t i = 0; i < k->doc.person_count; i++)
		if (strcmp(k->doc.persons[i], person) == 0)
			return false;
	count_quorum(k, &q);
	for (size_t i = 0; i < q.count; i++)
		if (strcmp(q.lines[i].group, approver->group) == 0)
			return q.lines[i].have < q.lines[i].need;
	return false;
}

static void write_time(struct cs_jw *w, const char *key, int64_t us)
{
	char text[CS_TIME_TEXT];

	cs_time_text(us, text);
	cs_jw_str(w, key, text);
}

enum cs_rc cs_view_write(const struct cs_case *k, const struct cs_principal *who,
			 struct cs_buf *out, struct cs_err *e)
{
	struct cs_quorum_status q;
	struct cs_jw w;

	count_quorum(k, &q);
	cs_jw_init(&w, out);
	cs_jw_object(&w, NULL);
	write_artifacts(&w, k);
	write_build(&w, &k->doc.build);
	write_optional(&w, "comment", k->row.comment);
	write_time(&w, "created", k->row.created);
	cs_jw_hex(&w, "document_sha256", k->row.document_sha256.b, CS_SHA256_LEN);
	cs_jw_str(&w, "environment", cs_env_name(k->row.environment));
	write_time(&w, "expires", k->row.expires);
	cs_jw_str(&w, "id", k->row.id);
	cs_jw_int(&w, "missing", q.missing);
	cs_jw_str(&w, "principal", k->row.principal);
	write_quorum(&w, &q);
	write_optional(&w, "reason", k->row.reason);
	write_release(&w, &k->doc.release);
	cs_jw_int(&w, "revision", k->row.revision);
	write_signatures(&w, k, who);
	cs_jw_str(&w, "state", cs_state_name(k->row.state));
	write_votes(&w, k);
	if (who->role == CS_ROLE_APPROVER)
		cs_jw_bool(&w, "waits_for_me", cs_view_waits_for(k, who->persons[0]));
	cs_jw_end_object(&w);
	return cs_buf_ok(out, "answer", e);
}

enum cs_rc cs_view_case(const struct cs_case *k, const struct cs_caller *who, struct cs_answer *a,
			struct cs_err *e)
{
	a->state = k->row.state;
	a->revision = k->row.revision;
	memcpy(a->id, k->row.id, sizeof(a->id));
	return cs_view_write(k, who->principal, &a->body, e);
}

enum cs_rc cs_view_answer(struct cs_core *c, const struct cs_caller *who, const char *id,
			  struct cs_answer *a, struct cs_err *e)
{
	struct cs_case *k = cs_case_new(c);
	enum cs_rc rc;

	if (!k)
		return CS_FAIL(e, CS_E_NOMEM, "request %s", id);
	/* visible when the caller was let in: a new policy must not make what was done look undone
	 */
	rc = cs_case_read(c, k, id, e);
	if (rc == CS_OK)
		rc = cs_view_case(k, who, a, e);
	cs_case_free(k);
	return rc;
}
