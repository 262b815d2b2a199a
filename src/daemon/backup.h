/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy of the database beside a running daemon, checked before it gets its name.
 */
#ifndef CS_DAEMON_BACKUP_H
#define CS_DAEMON_BACKUP_H

#include "model/decision.h"

struct cs_backup {
	int64_t bytes;         /* size of the file */
	struct cs_log_ref log; /* of the copy; every event of it was checked */
};

/**
 * @param database  must exist; whether a daemon has it open does not matter
 * @param file      must not exist, nor what SQLite would take for a part of it (-wal, -shm,
 *                  -journal): CS_E_CONFLICT. On failure there is no such file afterwards either
 * @return CS_E_CORRUPT when database or copy are damaged; CS_E_IO, CS_E_NO_SPACE …
 */
enum cs_rc cs_backup(const char *database, const char *file, struct cs_backup *out,
		     struct cs_err *e) CS_MUST_CHECK;

#endif
