/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the log says before the first request, at a reload and at the stop: which instance, which
 * policy, who may talk. Refuses a policy that goes back.
 */
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "core/internal.h"

static enum cs_rc note(struct cs_core *c, struct cs_store *s, enum cs_event_kind kind,
		       const struct cs_buf *detail, struct cs_err *e)
{
	return cs_core_note(c, s, kind, "daemon", "", detail, e);
}

/** The detail of an event of the log, parsed. */
static enum cs_rc read_detail(struct cs_store *s, int64_t seq, enum cs_event_kind kind,
			      struct cs_detail *detail, struct cs_json **rootp, struct cs_err *e)
{
	struct cs_event ev;
	struct cs_buf bytes;
	int64_t next = 0;
	enum cs_rc rc;

	cs_buf_init(&bytes, CS_EVENT_MAX + 1);
	rc = cs_store_events(s, seq, seq, CS_EVENT_MAX, &bytes, &next, e);
	if (rc == CS_OK && next != seq + 1)
		rc = CS_FAIL(e, CS_E_CORRUPT, "event %lld is missing", (long long)seq);
	if (rc == CS_OK)
		rc = cs_event_parse((struct cs_bytes){ bytes.data, bytes.len - 1 }, &ev, rootp, e);
	if (rc == CS_OK && ev.kind != kind)
		rc = CS_FAIL(e, CS_E_CORRUPT, "event %lld is not %s", (long long)seq,
			     cs_event_kind_name(kind));
	if (rc == CS_OK)
		rc = cs_detail_read(kind, cs_json_get(*rootp, "detail"), detail, e);
	cs_buf_done(&bytes);
	return rc;
}

/** The log begins with the instance that it belongs to. */
static enum cs_rc check_instance(struct cs_store *s, const char *instance, struct cs_err *e)
{
	struct cs_detail d = { 0 };
	struct cs_json *root = NULL;
	enum cs_rc rc = read_detail(s, 1, CS_EV_LOG_CREATED, &d, &root, e);

	if (rc == CS_OK && strcmp(d.instance, instance) != 0)
		rc = CS_FAIL(e, CS_E_CONFIG,
			     "the database belongs to instance %s, signing.yaml to %s", d.instance,
			     instance);
	cs_detail_free(&d);
	cs_json_free(root);
	return rc;
}

/** @param changedp  false when this very policy is the last one in the log */
static enum cs_rc check_policy_version(struct cs_store *s, const struct cs_policy *p,
				       bool *changedp, struct cs_err *e)
{
	struct cs_detail d = { 0 };
	struct cs_json *root = NULL;
	int64_t seq = 0;
	enum cs_rc rc = cs_store_mark_get(s, CS_MARK_POLICY_SEQ, &seq, e);

	*changedp = true;
	if (rc != CS_OK || seq == 0)
		return rc;
	rc = read_detail(s, seq, CS_EV_POLICY, &d, &root, e);
	if (rc == CS_OK && cs_sha256_equal(&d.digest, &p->digest))
		*changedp = false;
	else if (rc == CS_OK && p->version <= d.version)
		rc = CS_FAIL(
			e, CS_E_CONFIG,
			"signing.yaml has version %lld and version %lld with other content was "
			"loaded before; raise the version",
			(long long)p->version, (long long)d.version);
	cs_detail_free(&d);
	cs_json_free(root);
	return rc;
}

/** Prod keys outside of a hardware module shall not be overlooked. */
static void announce_software(const struct cs_policy *p)
{
	for (size_t i = 0; i < p->token_count; i++)
		if (p->tokens[i].software_token && p->tokens[i].environment == CS_ENV_PROD)
			cs_log(CS_LOG_WARN, "software-token",
			       "the prod keys of token %s may be in software: signing.yaml says "
			       "software_token",
			       p->tokens[i].name);
}

static enum cs_rc note_policy(struct cs_core *c, struct cs_store *s,
			      const struct cs_core_policy *files, struct cs_err *e)
{
	struct cs_buf detail;
	bool changed = false;
	int64_t seq;
	enum cs_rc rc = check_policy_version(s, files->policy, &changed, e);

	announce_software(files->policy);
	if (rc != CS_OK || !changed)
		return rc;
	seq = cs_store_next_seq(s);
	cs_buf_init(&detail, CS_EVENT_MAX);
	cs_detail_policy(&detail, &files->policy->digest, cs_buf_bytes(&files->policy->json),
			 files->policy->version, files->policy_yaml);
	rc = note(c, s, CS_EV_POLICY, &detail, e);
	cs_buf_done(&detail);
	if (rc == CS_OK)
		rc = cs_store_mark_set(s, CS_MARK_POLICY_SEQ, seq, e);
	return rc == CS_OK ? cs_core_rejudge(c, s, files->policy, e) : rc;
}

static enum cs_rc note_access(struct cs_core *c, struct cs_store *s, const struct cs_access *access,
			      struct cs_err *e)
{
	struct cs_buf detail;
	enum cs_rc rc;

	cs_buf_init(&detail, 1024);
	cs_detail_access(&detail, &access->digest, (int64_t)access->count);
	rc = note(c, s, CS_EV_ACCESS, &detail, e);
	cs_buf_done(&detail);
	return rc;
}

static enum cs_rc note_start(struct cs_core *c, struct cs_store *s, const char *instance,
			     struct cs_err *e)
{
	struct cs_log_ref log;
	struct cs_buf detail;
	int64_t running = 0;
	enum cs_rc rc;

	cs_buf_init(&detail, 1024);
	if ((rc = cs_store_log(s, &log, e)) != CS_OK ||
	    (rc = cs_store_mark_get(s, CS_MARK_RUNNING, &running, e)) != CS_OK)
		goto out;
	rc = cs_event_clock_start(c, s, e);
	if (rc != CS_OK)
		goto out;
	if (log.size == 0) {
		cs_detail_log_created(&detail, instance);
		rc = note(c, s, CS_EV_LOG_CREATED, &detail, e);
	} else {
		rc = check_instance(s, instance, e);
	}
	if (rc == CS_OK && running) {
		cs_log(CS_LOG_WARN, "unclean-stop", "the last daemon did not stop cleanly");
		cs_buf_reset(&detail);
		cs_detail_unclean(&detail, log.size);
		rc = note(c, s, CS_EV_UNCLEAN, &detail, e);
	}
	cs_buf_reset(&detail);
	cs_detail_started(&detail, c->version, (int64_t)getpid());
	if (rc == CS_OK)
		rc = note(c, s, CS_EV_START, &detail, e);
	if (rc == CS_OK)
		rc = cs_head_note(c, s, e);
	if (rc == CS_OK)
		rc = cs_store_mark_set(s, CS_MARK_RUNNING, 1, e);
out:
	cs_buf_done(&detail);
	return rc;
}

/** Everything that the log must say before the first request, in one transaction. */
enum cs_rc cs_core_begin_log(struct cs_core *c, const struct cs_core_policy *files,
			     struct cs_err *e)
{
	struct cs_store *s = c->store;
	enum cs_rc rc = cs_store_begin(s, e);

	if (rc != CS_OK)
		return rc;
	if ((rc = note_start(c, s, files->policy->instance, e)) != CS_OK ||
	    (rc = note_policy(c, s, files, e)) != CS_OK ||
	    (rc = cs_core_repair(c, s, e)) != CS_OK || /* judges, so by a policy that is noted */
	    (rc = note_access(c, s, files->access, e)) != CS_OK) {
		cs_store_rollback(s);
		return rc;
	}
	return cs_store_commit(s, e);
}

enum cs_rc cs_core_end_log(struct cs_core *c, struct cs_err *e)
{
	struct cs_buf detail;
	enum cs_rc rc = cs_store_begin(c->store, e);

	if (rc != CS_OK)
		return rc;
	cs_buf_init(&detail, 64);
	cs_detail_empty(&detail);
	cs_event_clock_tick(c);
	if ((rc = note(c, c->store, CS_EV_STOP, &detail, e)) != CS_OK ||
	    (rc = cs_store_mark_set(c->store, CS_MARK_RUNNING, 0, e)) != CS_OK)
		cs_store_rollback(c->store);
	else
		rc = cs_store_commit(c->store, e);
	cs_buf_done(&detail);
	return rc;
}

enum cs_rc cs_core_note_reload(struct cs_core *c, struct cs_store *s, void *arg, struct cs_err *e)
{
	const struct cs_core_policy *files = arg;
	enum cs_rc rc;

	if (strcmp(files->policy->instance, c->policy->instance) != 0)
		return CS_FAIL(e, CS_E_CONFIG, "the instance cannot change from %s to %s",
			       c->policy->instance, files->policy->instance);
	rc = note_policy(c, s, files, e);
	if (rc == CS_OK && !cs_sha256_equal(&files->access->digest, &c->access->digest))
		rc = note_access(c, s, files->access, e);
	return rc;
}
