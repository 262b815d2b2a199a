/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier: the chain, line by line, and which check sees which kind of event.
 * Must not stop at a finding: an auditor wants to know all that is wrong.
 * See verify.h for the contract, docs/PROTOCOL.log, "Rules", for the names of findings.
 */
#include "verify/verify.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "verify/state.h"

static const struct {
	const char *name;
	int exit;
} verdicts[] = {
	[CS_AUDIT_ANCHORED] = { "anchored", 0 },
	[CS_AUDIT_CONSISTENT] = { "consistent, not anchored", 3 },
	[CS_AUDIT_FAILED] = { "failed", 1 },
};

const char *cs_audit_verdict_name(enum cs_audit_verdict v)
{
	return verdicts[v].name;
}

int cs_audit_verdict_exit(enum cs_audit_verdict v)
{
	return verdicts[v].exit;
}

enum cs_rc cs_broken(struct cs_audit_verifier *v, const char *rule, struct cs_err *e,
		     const char *fmt, ...)
{
	enum cs_rc rc;
	va_list ap;

	v->rule = rule;
	va_start(ap, fmt);
	rc = cs_err_vset(e, CS_E_INVALID, fmt, ap);
	va_end(ap);
	return rc;
}

enum cs_rc cs_broken_by(struct cs_audit_verifier *v, const char *rule, struct cs_err *e)
{
	v->rule = rule;
	return e->rc;
}

void cs_report(struct cs_audit_verifier *v, int64_t seq, const char *rule, const char *text)
{
	if (v->sum.findings < CS_AUDIT_FINDINGS_MAX && v->fn)
		v->fn(v->arg, seq, rule, text);
	v->sum.findings++;
}

enum cs_rc cs_settle(struct cs_audit_verifier *v, int64_t seq, enum cs_rc rc, struct cs_err *e)
{
	if (rc == CS_OK || rc == CS_E_NOMEM)
		return rc;
	cs_report(v, seq, v->rule, e->msg);
	return CS_OK;
}

void *cs_more(void *array, size_t count, size_t size)
{
	/* the capacity is the power of two at or above count: it grows when count reaches it */
	if (count > 0 && (count & (count - 1)) != 0)
		return array;
	return reallocarray(array, count > 0 ? 2 * count : 1, size);
}

enum cs_rc cs_audit_new(cs_audit_finding_fn *fn, void *arg, struct cs_audit_verifier **vp,
			struct cs_err *e)
{
	struct cs_audit_verifier *v = calloc(1, sizeof(*v));

	if (!v)
		return CS_FAIL(e, CS_E_NOMEM, "verifier");
	v->fn = fn;
	v->arg = arg;
	*vp = v;
	return CS_OK;
}

void cs_audit_free(struct cs_audit_verifier *v)
{
	if (!v)
		return;
	for (size_t i = 0; i < v->requests.cap; i++)
		cs_live_free(v->requests.slots[i].value);
	cs_map_done(&v->requests);
	cs_journal_free(v->journal);
	cs_policy_unref(v->policy);
	free(v->uses);
	free(v->trusted);
	free(v->heads);
	free(v->hashes);
	free(v);
}

/* --- kinds without a request that mean something to the verifier */

static enum cs_rc check_log_created(struct cs_audit_verifier *v, const struct cs_audited *a,
				    struct cs_err *e)
{
	(void)e;
	memcpy(v->instance, a->d.instance, strlen(a->d.instance) + 1);
	return CS_OK;
}

static enum cs_rc check_started(struct cs_audit_verifier *v, const struct cs_audited *a,
				struct cs_err *e)
{
	bool was_running = v->running;

	(void)a;
	v->running = true;
	v->starts++;
	if (was_running)
		return cs_broken(
			v, "restart", e,
			"daemon.started, but the last start has neither daemon.stopped nor "
			"daemon.unclean-stop");
	return CS_OK;
}

static enum cs_rc check_stopped(struct cs_audit_verifier *v, const struct cs_audited *a,
				struct cs_err *e)
{
	bool was_running = v->running;

	v->running = false;
	if (!was_running)
		return cs_broken(v, "restart", e, "%s without daemon.started",
				 cs_event_kind_name(a->ev.kind));
	if (a->ev.kind == CS_EV_UNCLEAN && a->d.last_seq >= a->ev.seq)
		return cs_broken(v, "restart", e, "last_seq %lld is not before this event",
				 (long long)a->d.last_seq);
	return CS_OK;
}

/* Two heads: of the log as it was opened, and the last one that the daemon had kept, which this log
 * does not have. */
static enum cs_rc check_restored(struct cs_audit_verifier *v, const struct cs_audited *a,
				 struct cs_err *e)
{
	static const struct cs_sha256 zero;
	const struct cs_log_ref *found = &a->d.found, *kept = &a->d.kept;

	if (!cs_sha256_equal(&found->id, &v->hashes[0]))
		return cs_broken(v, "restored", e, "id is not this log's");
	if (found->size >= a->ev.seq)
		return cs_broken(v, "restored", e, "size %lld is not before this event",
				 (long long)found->size);
	if (!cs_sha256_equal(&found->head, found->size ? &v->hashes[found->size - 1] : &zero))
		return cs_broken(v, "restored", e, "head is not the hash of event %lld",
				 (long long)found->size);
	if (kept->size < v->lines && cs_sha256_equal(&kept->head, &v->hashes[kept->size - 1]))
		return cs_broken(v, "restored", e, "the head that was kept is in this log");
	return CS_OK;
}

/* Which check sees which kind, and whether the event has a request's id. */
static const struct {
	cs_audit_check_fn *check; /* NULL: the form is all */
	enum { NO_ID, MAY_HAVE_ID, HAS_ID } id;
} kinds[CS_EV__COUNT] = {
	[CS_EV_LOG_CREATED] = { check_log_created, NO_ID },
	[CS_EV_START] = { check_started, NO_ID },
	[CS_EV_STOP] = { check_stopped, NO_ID },
	[CS_EV_UNCLEAN] = { check_stopped, NO_ID },
	[CS_EV_RESTORED] = { check_restored, NO_ID },
	[CS_EV_POLICY] = { cs_check_policy, NO_ID },
	[CS_EV_REQUEST_DENIED] = { cs_check_denied, MAY_HAVE_ID },
	[CS_EV_REQUEST_CREATED] = { cs_check_created, HAS_ID },
	[CS_EV_REQUEST_DECISION] = { cs_check_decision, HAS_ID },
	[CS_EV_REQUEST_REJUDGED] = { cs_check_rejudged, HAS_ID },
	[CS_EV_REQUEST_CANCELLED] = { cs_check_cancelled, HAS_ID },
	[CS_EV_REQUEST_EXPIRED] = { cs_check_expired, HAS_ID },
	[CS_EV_REQUEST_SIGNED] = { cs_check_signed, HAS_ID },
	[CS_EV_REQUEST_FAILED] = { cs_check_request_failed, HAS_ID },
	[CS_EV_SIGN_INTENT] = { cs_check_intent, HAS_ID },
	[CS_EV_SIGN_DONE] = { cs_check_outcome, HAS_ID },
	[CS_EV_SIGN_FAILED] = { cs_check_outcome, HAS_ID },
	[CS_EV_SIGN_UNKNOWN] = { cs_check_outcome, HAS_ID },
};

/* --- the chain */

static enum cs_rc check_link(struct cs_audit_verifier *v, const struct cs_event *ev,
			     struct cs_err *e)
{
	static const struct cs_sha256 zero;
	const struct cs_sha256 *prev = v->lines > 1 ? &v->hashes[v->lines - 2] : &zero;

	if (ev->seq != v->lines)
		return cs_broken(v, "seq", e, "seq is %lld in line %lld", (long long)ev->seq,
				 (long long)v->lines);
	if (!cs_sha256_equal(&ev->prev, prev))
		return cs_broken(v, "prev", e, "prev is not the hash of the event before");
	if ((v->lines == 1) != (ev->kind == CS_EV_LOG_CREATED))
		return cs_broken(v, "first", e, "%s as event %lld; log.created is event 1",
				 cs_event_kind_name(ev->kind), (long long)v->lines);
	return CS_OK;
}

static enum cs_rc check_time(struct cs_audit_verifier *v, const struct cs_audited *a,
			     struct cs_err *e)
{
	bool back = a->ev.time < v->time;
	bool allowed = a->ev.kind == CS_EV_CLOCK_JUMP && a->d.jump_us < 0;

	v->time = a->ev.time;
	if (back && !allowed)
		return cs_broken(v, "time", e, "time is before that of the event before");
	return CS_OK;
}

/* Everything about a parsed event; ends with its first finding. */
static enum cs_rc check_event(struct cs_audit_verifier *v, struct cs_audited *a,
			      const struct cs_json *root, struct cs_err *e)
{
	const char *kind = cs_event_kind_name(a->ev.kind);
	bool has_id = a->ev.request[0] != '\0';
	enum cs_rc rc;

	if ((kinds[a->ev.kind].id == HAS_ID && !has_id) ||
	    (kinds[a->ev.kind].id == NO_ID && has_id))
		return cs_broken(v, "line", e, "request: %s a request's id in %s",
				 has_id ? "there is" : "there is not", kind);
	rc = cs_detail_read(a->ev.kind, cs_json_get(root, "detail"), &a->d, e);
	if (rc != CS_OK)
		return cs_broken_by(v, "line", e);
	rc = check_link(v, &a->ev, e);
	if (rc != CS_OK)
		return rc;
	rc = check_time(v, a, e);
	if (rc != CS_OK || !kinds[a->ev.kind].check)
		return rc;
	return kinds[a->ev.kind].check(v, a, e);
}

static enum cs_rc keep_hash(struct cs_audit_verifier *v, const struct cs_sha256 *hash,
			    struct cs_err *e)
{
	struct cs_sha256 *more = cs_more(v->hashes, (size_t)v->lines, sizeof(*more));

	if (!more)
		return CS_FAIL(e, CS_E_NOMEM, "hashes of %lld events", (long long)v->lines);
	v->hashes = more;
	v->hashes[v->lines++] = *hash;
	return CS_OK;
}

enum cs_rc cs_audit_line(struct cs_audit_verifier *v, struct cs_bytes line, struct cs_err *e)
{
	struct cs_audited a = { .hash = cs_event_hash(line) };
	struct cs_err found = { 0 };
	struct cs_json *root = NULL;
	enum cs_rc rc;

	/* before the line is judged: the next line's prev is the hash of whatever stands here */
	rc = keep_hash(v, &a.hash, e);
	if (rc != CS_OK)
		return rc;
	v->rule = "line";
	rc = cs_event_parse(line, &a.ev, &root, &found);
	if (rc == CS_OK)
		rc = check_event(v, &a, root, &found);
	rc = cs_settle(v, v->lines, rc, &found);
	if (rc != CS_OK && e)
		*e = found;
	cs_detail_free(&a.d);
	cs_json_free(root);
	return rc;
}

enum cs_rc cs_audit_finish(struct cs_audit_verifier *v, struct cs_audit_summary *out,
			   struct cs_err *e)
{
	(void)e;
	if (v->lines == 0) {
		cs_report(v, 0, "empty", "there is no event");
	} else {
		v->sum.last.id = v->hashes[0];
		v->sum.last.size = v->lines;
		v->sum.last.head = v->hashes[v->lines - 1];
	}
	cs_journal_finish(v);
	cs_check_heads(v);
	if (v->sum.findings > 0)
		v->sum.verdict = CS_AUDIT_FAILED;
	else if (v->sum.anchored_size > 0)
		v->sum.verdict = CS_AUDIT_ANCHORED;
	else
		v->sum.verdict = CS_AUDIT_CONSISTENT;
	*out = v->sum;
	return CS_OK;
}
