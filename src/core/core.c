/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Opening, reloading, draining and closing: the order in which the parts come and go.
 */
#include "core/core.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "core/internal.h"

#define POOL_LEAST 2
#define CHECKPOINT_PAGES 1000 /* 4 MiB: larger ones take the CPUs for longer at a time */

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

/** Every signature that is released is verified with one of these keys. */
static void expect_many(const struct cs_policy *policy)
{
	for (size_t i = 0; i < policy->key_count; i++)
		cs_pk_expect_many(policy->keys[i].pk);
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
	c->started = cs_clock_now();
	if (asprintf(&c->head_file, "%s-head", config->database) < 0)
		c->head_file = NULL;
	c->disk_watermark = config->disk_watermark;
	expect_many(files->policy);
	c->policy = cs_policy_ref(files->policy);
	c->access = cs_access_ref(files->access);
	return c;
}

static void core_free(struct cs_core *c)
{
	cs_writer_free(c->writer);
	cs_checkpoint_stop(c->checkpointer);
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
	free(c->head_file);
	free(c->version);
	free(c);
}

/** As many threads as there are CPUs: what they do is nearly all CPU. */
static enum cs_rc start_pool(struct cs_core *c, struct cs_err *e)
{
	const long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cs_pool_new(cpus < POOL_LEAST ? POOL_LEAST : (size_t)cpus, &c->pool, e);
}

static enum cs_rc core_start(struct cs_core *c, const struct cs_core_config *config,
			     const struct cs_core_policy *files, struct cs_err *e)
{
	struct cs_log_ref log;
	enum cs_rc rc;

	if (!c->database || !c->version || !c->head_file)
		return CS_FAIL(e, CS_E_NOMEM, "the core");
	if ((rc = cs_store_open(config->database, CS_STORE_WRITE, &c->store, e)) != CS_OK ||
	    (rc = cs_head_check(c, config->accept_restore, e)) != CS_OK ||
	    (rc = cs_core_begin_log(c, files, e)) != CS_OK ||
	    (rc = cs_store_log(c->store, &log, e)) != CS_OK ||
	    (rc = cs_readers_open(&c->readers, config->database, config->readers, e)) != CS_OK ||
	    (rc = cs_admission_new(config->waits_per_principal, &c->admission, e)) != CS_OK ||
	    (rc = cs_refusals_new(&c->refusals, e)) != CS_OK ||
	    (rc = open_signers(c, config, e)) != CS_OK)
		return rc;
	cs_head_keep(c, c->store);
	c->changed = log.size;
	atomic_store(&c->revision, log.size);
	if ((rc = cs_checkpoint_start(c->database, CHECKPOINT_PAGES, &c->checkpointer, e)) !=
		    CS_OK ||
	    (rc = cs_writer_new(c, c->store, &c->writer, e)) != CS_OK ||
	    (rc = start_pool(c, e)) != CS_OK || (rc = cs_timer_start(c, e)) != CS_OK)
		return rc;
	rc = cs_watcher_start(c, e);
	return rc == CS_OK ? cs_logcheck_start(c, &config->log_check, e) : rc;
}

/** What is under way ends first: its exchanges have deadlines, and its commits the timer. */
static void stop_threads(struct cs_core *c)
{
	while (atomic_load(&c->ongoing) > 0)
		nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
	atomic_store(&c->stopping, true);
	cs_logcheck_stop(c);
	cs_watcher_stop(c);
	cs_timer_stop(c);
	cs_pool_free(c->pool);
	c->pool = NULL;
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
		cs_core_drain(c); /* the timer may have begun attempts */
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
	if (cs_core_end_log(c, &e) != CS_OK)
		cs_log(CS_LOG_ERROR, "stop", "the stop is not recorded: %s", e.msg);
	cs_head_keep(c, c->store);
	core_free(c);
}

/* --- reload --- */

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
		.run = cs_core_note_reload,
		.arg = &copy,
		.alone = true,
		.committed = reload_committed,
	};
	enum cs_rc rc;

	expect_many(files->policy);
	rc = cs_writer_do(c, &cmd, e);
	if (rc == CS_OK)
		cs_waits_notify_all(c);
	return rc;
}

void cs_core_run(struct cs_core *c, struct cs_job *job)
{
	cs_pool_put(c->pool, job);
}
