/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening, reloading, draining and closing: the order in which the parts come and go.
 */
#include "core/core.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "core/internal.h"

struct cs_policy *cs_core_policy_get(struct cs_core *c)
{
	struct cs_policy *p;

	pthread_mutex_lock(&c->lock);
	p = cs_policy_ref(c->policy);
	pthread_mutex_unlock(&c->lock);
	return p;
}

struct cs_access *cs_core_access(struct cs_core *c)
{
	struct cs_access *a;

	pthread_mutex_lock(&c->lock);
	a = cs_access_ref(c->access);
	pthread_mutex_unlock(&c->lock);
	return a;
}

enum cs_rc cs_core_policy_is(const struct cs_core *c, const struct cs_policy *p, struct cs_err *e)
{
	/* only the writer's thread, which runs this, ever replaces c->policy */
	if (c->policy != p)
		return CS_FAIL(e, CS_E_CONFLICT, "the policy changed under way; try again");
	return CS_OK;
}

int cs_core_signer_index(const struct cs_core *c, const char *token)
{
	for (size_t i = 0; i < c->signer_count; i++)
		if (strcmp(c->signer_names[i], token) == 0)
			return (int)i;
	return -1;
}

/* --- attempt threads --- */

void cs_core_schedule(struct cs_core *c, const char *id)
{
	char *copy = strdup(id);

	if (copy && cs_queue_put(c->attempts, copy) != CS_OK)
		free(copy); /* full, or stopping: the timer finds the request again */
}

static void *attempts_main(void *arg)
{
	struct cs_core *c = arg;
	char *id;

	while ((id = cs_queue_take(c->attempts)) != NULL) {
		if (!atomic_load(&c->draining))
			cs_core_attempt(c, id);
		free(id);
	}
	return NULL;
}

static enum cs_rc start_attempts(struct cs_core *c, struct cs_err *e)
{
	enum cs_rc rc = cs_queue_new(1024, &c->attempts, e);

	while (rc == CS_OK && c->attempt_thread_count < CS_ATTEMPT_THREADS) {
		const int err = pthread_create(&c->attempt_threads[c->attempt_thread_count], NULL,
					       attempts_main, c);

		if (err)
			return CS_FAIL(e, CS_E_NOMEM, "an attempt thread: %s", strerror(err));
		c->attempt_thread_count++;
	}
	return rc;
}

static void stop_attempts(struct cs_core *c)
{
	if (!c->attempts)
		return;
	cs_queue_close(c->attempts);
	while (c->attempt_thread_count > 0)
		pthread_join(c->attempt_threads[--c->attempt_thread_count], NULL);
	cs_queue_free(c->attempts);
	c->attempts = NULL;
}

/* --- what the log says at start and reload --- */

static enum cs_rc note(struct cs_core *c, struct cs_store *s, enum cs_event_kind kind,
		       const struct cs_buf *detail, struct cs_err *e)
{
	return cs_core_note(c, s, kind, "daemon", "", detail, e);
}

/** The detail of an event of the log, parsed. */
static enum cs_rc read_detail(struct cs_store *s, int64_t seq, enum cs_event_kind kind,
			      struct cs_detail *detail, json_t **rootp, struct cs_err *e)
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
		rc = cs_detail_read(kind, json_object_get(*rootp, "detail"), detail, e);
	cs_buf_done(&bytes);
	return rc;
}

/** The log begins with the instance that it belongs to. */
static enum cs_rc check_instance(struct cs_store *s, const char *instance, struct cs_err *e)
{
	struct cs_detail d = { 0 };
	json_t *root = NULL;
	enum cs_rc rc = read_detail(s, 1, CS_EV_LOG_CREATED, &d, &root, e);

	if (rc == CS_OK && strcmp(d.instance, instance) != 0)
		rc = CS_FAIL(e, CS_E_CONFIG,
			     "the database belongs to instance %s, signing.yaml to %s", d.instance,
			     instance);
	cs_detail_free(&d);
	json_decref(root);
	return rc;
}

/** @param changedp  false when this very policy is the last one in the log */
static enum cs_rc check_policy_version(struct cs_store *s, const struct cs_policy *p,
				       bool *changedp, struct cs_err *e)
{
	struct cs_detail d = { 0 };
	json_t *root = NULL;
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
	json_decref(root);
	return rc;
}

static enum cs_rc note_policy(struct cs_core *c, struct cs_store *s,
			      const struct cs_core_policy *files, struct cs_err *e)
{
	struct cs_buf detail;
	bool changed = false;
	int64_t seq;
	enum cs_rc rc = check_policy_version(s, files->policy, &changed, e);

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
		rc = cs_store_mark_set(s, CS_MARK_RUNNING, 1, e);
out:
	cs_buf_done(&detail);
	return rc;
}

/** Everything that the log must say before the first request, in one transaction. */
static enum cs_rc begin_log(struct cs_core *c, const struct cs_core_policy *files, struct cs_err *e)
{
	struct cs_store *s = c->store;
	enum cs_rc rc = cs_store_begin(s, e);

	if (rc != CS_OK)
		return rc;
	if ((rc = note_start(c, s, files->policy->instance, e)) != CS_OK ||
	    (rc = cs_core_repair(c, s, e)) != CS_OK ||
	    (rc = note_policy(c, s, files, e)) != CS_OK ||
	    (rc = note_access(c, s, files->access, e)) != CS_OK) {
		cs_store_rollback(s);
		return rc;
	}
	return cs_store_commit(s, e);
}

static enum cs_rc end_log(struct cs_core *c, struct cs_err *e)
{
	struct cs_buf detail;
	enum cs_rc rc = cs_store_begin(c->store, e);

	if (rc != CS_OK)
		return rc;
	cs_buf_init(&detail, 64);
	cs_detail_empty(&detail);
	if ((rc = note(c, c->store, CS_EV_STOP, &detail, e)) != CS_OK ||
	    (rc = cs_store_mark_set(c->store, CS_MARK_RUNNING, 0, e)) != CS_OK)
		cs_store_rollback(c->store);
	else
		rc = cs_store_commit(c->store, e);
	cs_buf_done(&detail);
	return rc;
}

/* --- open and close --- */

static enum cs_rc open_signers(struct cs_core *c, const struct cs_core_config *config,
			       struct cs_err *e)
{
	enum cs_rc rc;

	for (size_t i = 0; i < config->signer_count; i++) {
		rc = cs_signer_new(&config->signers[i], &c->signers[i], e);
		if (rc != CS_OK)
			return rc;
		assert(strlen(config->signers[i].token) <= CS_NAME_MAX);
		memcpy(c->signer_names[i], config->signers[i].token,
		       strlen(config->signers[i].token) + 1);
		c->signer_count++;
	}
	return CS_OK;
}

static struct cs_core *core_new(const struct cs_core_config *config,
				const struct cs_core_policy *files)
{
	struct cs_core *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	cs_waits_init(&c->waits);
	c->database = strdup(config->database);
	c->version = strdup(config->version);
	c->disk_watermark = config->disk_watermark;
	c->policy = cs_policy_ref(files->policy);
	c->access = cs_access_ref(files->access);
	c->start_now = cs_clock_now();
	c->start_mono = cs_clock_mono();
	return c;
}

static void core_free(struct cs_core *c)
{
	cs_writer_free(c->writer);
	cs_readers_close(&c->readers);
	for (size_t i = 0; i < c->signer_count; i++)
		cs_signer_free(c->signers[i]);
	cs_admission_free(c->admission);
	cs_refusals_free(c->refusals);
	cs_store_close(c->store);
	cs_policy_unref(c->policy);
	cs_access_unref(c->access);
	pthread_mutex_destroy(&c->lock);
	free(c->database);
	free(c->version);
	free(c);
}

static enum cs_rc core_start(struct cs_core *c, const struct cs_core_config *config,
			     const struct cs_core_policy *files, struct cs_err *e)
{
	struct cs_log_ref log;
	enum cs_rc rc;

	if (!c->database || !c->version)
		return CS_FAIL(e, CS_E_NOMEM, "the core");
	if ((rc = cs_store_open(config->database, CS_STORE_WRITE, &c->store, e)) != CS_OK ||
	    (rc = begin_log(c, files, e)) != CS_OK ||
	    (rc = cs_store_log(c->store, &log, e)) != CS_OK ||
	    (rc = cs_readers_open(&c->readers, config->database, config->readers, e)) != CS_OK ||
	    (rc = cs_admission_new(&c->admission, e)) != CS_OK ||
	    (rc = cs_refusals_new(&c->refusals, e)) != CS_OK ||
	    (rc = open_signers(c, config, e)) != CS_OK ||
	    (rc = cs_writer_new(c, c->store, &c->writer, e)) != CS_OK ||
	    (rc = start_attempts(c, e)) != CS_OK || (rc = cs_timer_start(c, e)) != CS_OK)
		return rc;
	atomic_store(&c->revision, log.size);
	return cs_watcher_start(c, e);
}

static void stop_threads(struct cs_core *c)
{
	atomic_store(&c->stopping, true);
	cs_watcher_stop(c);
	cs_timer_stop(c);
	stop_attempts(c);
}

enum cs_rc cs_core_open(const struct cs_core_config *config, const struct cs_core_policy *files,
			struct cs_core **cp, struct cs_err *e)
{
	struct cs_core *c = core_new(config, files);
	enum cs_rc rc;

	if (!c)
		return CS_FAIL(e, CS_E_NOMEM, "the core");
	rc = core_start(c, config, files, e);
	if (rc != CS_OK) {
		stop_threads(c);
		core_free(c);
		return rc;
	}
	*cp = c;
	return CS_OK;
}

void cs_core_drain(struct cs_core *c)
{
	atomic_store(&c->draining, true);
	cs_waits_close(c);
}

void cs_core_close(struct cs_core *c)
{
	struct cs_err e = { 0 };

	if (!c)
		return;
	cs_core_drain(c);
	stop_threads(c);
	cs_refusals_flush(c);
	cs_writer_free(c->writer);
	c->writer = NULL;
	if (end_log(c, &e) != CS_OK)
		cs_log(CS_LOG_ERROR, "stop", "the stop is not recorded: %s", e.msg);
	core_free(c);
}

/* --- reload --- */

static enum cs_rc reload_run(struct cs_core *c, struct cs_store *s, void *arg, struct cs_err *e)
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

/** Still on the writer's thread: no command runs between the commit and this. */
static void reload_committed(struct cs_core *c, void *arg)
{
	const struct cs_core_policy *files = arg;
	struct cs_policy *policy = c->policy;
	struct cs_access *access = c->access;

	pthread_mutex_lock(&c->lock);
	c->policy = cs_policy_ref(files->policy);
	c->access = cs_access_ref(files->access);
	pthread_mutex_unlock(&c->lock);
	cs_policy_unref(policy);
	cs_access_unref(access);
}

enum cs_rc cs_core_reload(struct cs_core *c, const struct cs_core_policy *files, struct cs_err *e)
{
	struct cs_core_policy copy = *files;
	struct cs_command cmd = {
		.run = reload_run,
		.arg = &copy,
		.alone = true,
		.committed = reload_committed,
	};

	return cs_writer_submit(c, &cmd, e);
}
