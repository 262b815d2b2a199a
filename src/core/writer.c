/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The writer: takes whole batches of commands, runs each whole or not at all, commits once, wakes
 * the callers. It waits for nothing but the disk. A commit whose durability is in doubt ends the
 * process.
 */
#include <assert.h>
#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"
#include "core/internal.h"

#define BATCH_MAX 64
#define QUEUE_MAX 4096
#define GATHER_PART 3   /* of what is under way is worth a commit */
#define GATHER_MAX 8000 /* µs that a commit waits for it */

struct cs_writer {
	struct cs_core *core;
	struct cs_store *store;
	struct cs_queue *queue;
	pthread_t thread;
	void *taken[BATCH_MAX]; /* commands; first to end are still to be run */
	size_t first, end;
};

/** Run one command in its savepoint. Anything but CS_OK means that the whole batch is lost. */
static enum cs_rc run_undoable(struct cs_writer *w, struct cs_command *cmd, struct cs_err *e)
{
	const struct cs_tally tally = w->core->tally;
	enum cs_rc rc = cs_store_savepoint(w->store, e);

	if (rc != CS_OK)
		return rc;
	cmd->rc = cmd->run(w->core, w->store, cmd->arg, &cmd->err);
	if (cmd->rc == CS_OK)
		return cs_store_release(w->store, e);
	w->core->tally = tally;
	rc = cs_store_revert(w->store, e);
	if (rc != CS_OK && (cmd->rc == CS_E_NO_SPACE || cmd->rc == CS_E_NOMEM)) {
		*e = cmd->err; /* SQLite undid the whole batch by itself, and nothing worse */
		rc = cmd->rc;
	}
	return rc;
}

/** Run one command without a way back, unless it fails before it has written anything, as guards
 * do. @return CS_E_CONFLICT when it had written */
static enum cs_rc run_plain(struct cs_writer *w, struct cs_command *cmd, struct cs_err *e)
{
	const int64_t written = cs_store_written(w->store);

	cmd->rc = cmd->run(w->core, w->store, cmd->arg, &cmd->err);
	if (cmd->rc == CS_OK || cs_store_written(w->store) == written)
		return CS_OK;
	return CS_FAIL(e, CS_E_CONFLICT, "%s", cmd->err.msg);
}

/** How long commands waited until their batch began. */
static void count_waits(struct cs_core_counters *counters, void *const *batch, size_t count)
{
	const int64_t now = cs_clock_mono();

	cs_counter_add(&counters->commands, count);
	for (size_t i = 0; i < count; i++)
		cs_histogram_add(&counters->writer_wait,
				 now - ((const struct cs_command *)batch[i])->queued);
}

static enum cs_rc commit(struct cs_writer *w, struct cs_err *e)
{
	const int64_t start = cs_clock_mono();
	const enum cs_rc rc = cs_store_commit(w->store, e);

	cs_histogram_add(&w->core->counters.commit, cs_clock_mono() - start);
	cs_histogram_add(&w->core->counters.fsync, cs_store_sync_us(w->store));
	return rc;
}

static enum cs_rc try_batch(struct cs_writer *w, void *const *batch, size_t count, bool undoable,
			    struct cs_err *e)
{
	const struct cs_event_clock clock = w->core->clock;
	const struct cs_tally tally = w->core->tally;
	const int64_t changed = w->core->changed;
	enum cs_rc rc = cs_store_begin(w->store, e);

	if (rc != CS_OK)
		return rc;
	rc = cs_event_clock_check(w->core, w->store, e);
	for (size_t i = 0; rc == CS_OK && i < count; i++) {
		const int64_t before = w->core->changed;
		struct cs_command *cmd = batch[i];

		cs_event_clock_tick(w->core);
		rc = undoable ? run_undoable(w, cmd, e) : run_plain(w, cmd, e);
		if (cmd->rc != CS_OK)
			w->core->changed = before;
	}
	if (rc == CS_OK)
		rc = commit(w, e);
	else
		cs_store_rollback(w->store);
	if (rc == CS_OK) {
		/* not before: who saw the number must find the change */
		atomic_store(&w->core->revision, w->core->changed);
		cs_tally_commit(&w->core->tally, &w->core->counters);
	} else {
		/* with the events that were not written */
		w->core->clock = clock;
		w->core->changed = changed;
		w->core->tally = tally;
	}
	return rc;
}

/** Savepoints cost more than the commands themselves, and hardly any command fails after its first
 * write: such a batch is undone and run again with them. */
static enum cs_rc run_batch(struct cs_writer *w, void *const *batch, size_t count, struct cs_err *e)
{
	enum cs_rc rc;

	count_waits(&w->core->counters, batch, count);
	rc = try_batch(w, batch, count, false, e);

	return rc == CS_E_CONFLICT ? try_batch(w, batch, count, true, e) : rc;
}

/** The disk did not take what callers may be told: nobody is told anything any more. */
void cs_writer_end_process(const struct cs_err *e)
{
	cs_log(CS_LOG_ERROR, "log-broken",
	       "%s; the audit log cannot be trusted to be on disk, so the daemon ends", e->msg);
	_exit(CS_EXIT_LOG_BROKEN);
}

/** @param error  why nothing can be written, or NULL */
static void note_state(struct cs_writer *w, const char *error)
{
	const bool was_broken = atomic_exchange(&w->core->log_broken, error != NULL);

	if (error && !was_broken)
		cs_log(CS_LOG_ERROR, "log-not-writable", "%s", error);
	if (!error && was_broken)
		cs_log(CS_LOG_WARN, "log-writable", "the log is written again");
}

static void finish_batch(struct cs_writer *w, void *const *batch, size_t count, enum cs_rc rc,
			 const struct cs_err *e)
{
	if (rc == CS_E_IO || rc == CS_E_CORRUPT)
		cs_writer_end_process(e);
	if (rc != CS_OK)
		note_state(w, e->msg);
	else if (cs_store_end_differs(w->store))
		note_state(w, "another program wrote to the log's end; see `audit verify`");
	else
		note_state(w, NULL);
	for (size_t i = 0; i < count; i++) {
		struct cs_command *cmd = batch[i];

		if (rc != CS_OK) {
			cmd->rc = rc == CS_E_NO_SPACE ? rc : CS_E_UNAVAILABLE;
			cmd->err = *e;
			cmd->err.rc = cmd->rc;
		}
		if (cmd->rc == CS_OK && cmd->committed)
			cmd->committed(w->core, cmd->arg);
		cmd->done(cmd); /* the command is gone from here on */
	}
}

/** While much is under way, a commit gains little by being early: let more commands come, so that
 * there are fewer commits, and more of the CPU for the HSM where that is software. */
static void gather(struct cs_writer *w)
{
	const size_t wanted = (size_t)atomic_load(&w->core->ongoing) / GATHER_PART;

	if (wanted > 1)
		cs_queue_wait(w->queue, wanted < BATCH_MAX ? wanted : BATCH_MAX, GATHER_MAX);
}

/** The next batch: what was queued, up to a command that wants to be alone. 0 = closed and empty.
 */
static size_t next_batch(struct cs_writer *w, void *const **batchp)
{
	size_t count = 0;

	if (w->first == w->end) {
		gather(w);
		w->first = 0;
		w->end = cs_queue_take_many(w->queue, w->taken, BATCH_MAX);
	}
	*batchp = w->taken + w->first;
	while (w->first + count < w->end) {
		const struct cs_command *cmd = (*batchp)[count];

		if (!cmd->alone || count == 0)
			count++;
		if (cmd->alone)
			break;
	}
	w->first += count;
	return count;
}

static void *writer_main(void *arg)
{
	struct cs_writer *w = arg;
	void *const *batch;
	size_t count;

	while ((count = next_batch(w, &batch)) > 0) {
		struct cs_err e = { 0 };
		enum cs_rc rc = run_batch(w, batch, count, &e);

		finish_batch(w, batch, count, rc, &e);
		if (rc == CS_OK)
			cs_checkpoint_after_commit(w->core->checkpointer, w->store);
	}
	return NULL;
}

enum cs_rc cs_writer_new(struct cs_core *c, struct cs_store *s, struct cs_writer **wp,
			 struct cs_err *e)
{
	struct cs_writer *w = calloc(1, sizeof(*w));
	enum cs_rc rc;

	if (!w)
		return CS_FAIL(e, CS_E_NOMEM, "the writer");
	w->core = c;
	w->store = s;
	rc = cs_queue_new(QUEUE_MAX, &w->queue, e);
	if (rc != CS_OK)
		goto out;
	rc = cs_thread_start(&w->thread, "writer", writer_main, w, e);
	if (rc != CS_OK)
		goto out;
	*wp = w;
	w = NULL; /* transferred */
out:
	if (w)
		cs_queue_free(w->queue);
	free(w);
	return rc;
}

size_t cs_writer_waiting(struct cs_core *c)
{
	return cs_queue_len(c->writer->queue);
}

void cs_writer_free(struct cs_writer *w)
{
	if (!w)
		return;
	cs_queue_close(w->queue);
	pthread_join(w->thread, NULL);
	cs_queue_free(w->queue);
	free(w);
}

void cs_writer_put(struct cs_core *c, struct cs_command *cmd)
{
	assert(cmd->run && cmd->done);
	cmd->queued = cs_clock_mono();
	if (cs_queue_put(c->writer->queue, cmd) == CS_OK)
		return; /* it is the writer's from here on, and may be gone */
	cmd->rc = CS_FAIL(&cmd->err, CS_E_BUSY,
			  "the server has more to write than it can; try again later");
	cmd->done(cmd);
}

/* A command that a thread waits for. */
struct awaited {
	struct cs_command cmd; /* first */
	sem_t done;
};

static void awaited_done(struct cs_command *cmd)
{
	sem_post(&((struct awaited *)cmd)->done);
}

enum cs_rc cs_writer_do(struct cs_core *c, const struct cs_command *what, struct cs_err *e)
{
	struct awaited x = { .cmd = *what };

	x.cmd.done = awaited_done;
	sem_init(&x.done, 0, 0);
	cs_writer_put(c, &x.cmd);
	while (sem_wait(&x.done) != 0)
		assert(errno == EINTR);
	sem_destroy(&x.done);
	if (x.cmd.rc != CS_OK && e)
		*e = x.cmd.err;
	return x.cmd.rc;
}

enum cs_rc cs_writer_run(struct cs_core *c, cs_command_fn *run, void *arg, struct cs_err *e)
{
	return cs_writer_do(c, &(struct cs_command){ .run = run, .arg = arg }, e);
}
