/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Checkpoints: a thread of its own brings what the write-ahead log holds into the database, so that
 * no commit waits for it. What was committed meanwhile is brought by the writer, between two
 * commits: then everything is, and the write-ahead log begins anew instead of growing. See
 * sqlite.org/wal.html, "Checkpointing".
 */
#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/thread.h"
#include "core/internal.h"

enum turn {
	TURN_NOBODY,
	TURN_THREAD,
	TURN_WRITER,
};

struct cs_checkpointer {
	struct cs_store *store; /* a reading connection of its own */
	int64_t pages;          /* that are worth a checkpoint */
	pthread_t thread;
	sem_t wake;
	_Atomic(enum turn) turn;
	atomic_bool stopping;
	int64_t brought; /* pages that the last checkpoint brought; the writer's thread only */
};

static void checkpoint(struct cs_store *s)
{
	struct cs_err e = { 0 };
	const enum cs_rc rc = cs_store_checkpoint(s, &e);

	if (rc == CS_E_IO || rc == CS_E_CORRUPT)
		cs_writer_end_process(&e);
	if (rc != CS_OK)
		cs_log(CS_LOG_WARN, "checkpoint", "%s; it is tried again", e.msg);
}

static void *checkpoint_main(void *arg)
{
	struct cs_checkpointer *k = arg;

	for (;;) {
		while (sem_wait(&k->wake) != 0)
			;
		if (atomic_load(&k->stopping))
			return NULL;
		checkpoint(k->store);
		atomic_store(&k->turn, TURN_WRITER);
	}
}

void cs_checkpoint_after_commit(struct cs_checkpointer *k, struct cs_store *s)
{
	const int64_t pages = cs_store_wal_pages(s);

	if (pages < k->brought)
		k->brought = 0; /* it began anew */
	switch (atomic_load(&k->turn)) {
	case TURN_NOBODY:
		if (pages - k->brought < k->pages)
			return;
		atomic_store(&k->turn, TURN_THREAD);
		sem_post(&k->wake);
		return;
	case TURN_THREAD: return;
	case TURN_WRITER:
		checkpoint(s);
		k->brought = pages;
		atomic_store(&k->turn, TURN_NOBODY);
		return;
	}
}

enum cs_rc cs_checkpoint_start(const char *database, int64_t pages, struct cs_checkpointer **kp,
			       struct cs_err *e)
{
	struct cs_checkpointer *k = calloc(1, sizeof(*k));
	enum cs_rc rc;

	if (!k)
		return CS_FAIL(e, CS_E_NOMEM, "the checkpoints");
	k->pages = pages;
	rc = cs_store_open(database, CS_STORE_READ, &k->store, e);
	if (rc != CS_OK)
		goto out;
	sem_init(&k->wake, 0, 0);
	rc = cs_thread_start(&k->thread, "checkpoint", checkpoint_main, k, e);
	if (rc != CS_OK)
		goto out;
	*kp = k;
	k = NULL; /* transferred */
out:
	if (k)
		cs_store_close(k->store);
	free(k);
	return rc;
}

void cs_checkpoint_stop(struct cs_checkpointer *k)
{
	if (!k)
		return;
	atomic_store(&k->stopping, true);
	sem_post(&k->wake);
	pthread_join(k->thread, NULL);
	sem_destroy(&k->wake);
	cs_store_close(k->store);
	free(k);
}
