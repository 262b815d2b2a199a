/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Backup: copy to a temporary name, check the copy, give it its name.
 * Must not write to the database, nor over a file.
 * See backup.h for the contract.
 */
#include "daemon/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "store/store.h"

#define STEP_BYTES (16U << 20) /* of events, checked at once */

/* What belongs to a database file; a leftover of another one would be taken for a part of it. */
static const char *const parts[] = { "", "-wal", "-shm", "-journal" };

static enum cs_rc is_free(const char *file, struct cs_err *e)
{
	enum cs_rc rc = CS_OK;

	for (size_t i = 0; rc == CS_OK && i < sizeof(parts) / sizeof(parts[0]); i++) {
		char *name = NULL;
		struct stat st;

		if (asprintf(&name, "%s%s", file, parts[i]) < 0)
			return CS_FAIL(e, CS_E_NOMEM, "%s: out of memory", file);
		if (lstat(name, &st) == 0)
			rc = CS_FAIL(e, CS_E_CONFLICT,
				     "%s: is there already; a backup overwrites nothing", name);
		else if (errno != ENOENT)
			rc = CS_FAIL(e, CS_E_IO, "%s: %s", name, strerror(errno));
		free(name);
	}
	return rc;
}

/* The temporary copy and what SQLite made beside it while it was checked. */
static void remove_parts(const char *file, size_t first)
{
	for (size_t i = first; i < sizeof(parts) / sizeof(parts[0]); i++) {
		char *name = NULL;

		if (asprintf(&name, "%s%s", file, parts[i]) < 0)
			continue;
		unlink(name);
		free(name);
	}
}

static enum cs_rc copy(const char *database, const char *file, struct cs_err *e)
{
	struct cs_store *s = NULL;
	enum cs_rc rc = cs_store_open(database, CS_STORE_READ, &s, e);

	if (rc == CS_OK && cs_store_backup(s, file, e) != CS_OK)
		rc = cs_err_prefix(e, "%s", database);
	cs_store_close(s);
	return rc;
}

/* The copy is what it is trusted for: whole, and a log without a gap up to its head. */
static enum cs_rc check(const char *file, struct cs_log_ref *log, struct cs_err *e)
{
	struct cs_chain_check at = { .next = 1, .anchored = true };
	struct cs_log_ref end = { 0 };
	size_t bytes;
	struct cs_store *s = NULL;
	enum cs_rc rc = cs_store_open(file, CS_STORE_READ, &s, e);

	if (rc == CS_OK)
		rc = cs_store_log(s, &end, e);
	if (rc == CS_OK)
		rc = cs_store_check_pages(s, e);
	while (rc == CS_OK && at.next <= end.size)
		rc = cs_store_check(s, &at, end.size, STEP_BYTES, &bytes, e);
	if (rc == CS_E_CORRUPT && at.bad)
		cs_err_prefix(e, "event %lld", (long long)at.bad);
	cs_store_close(s);
	remove_parts(file, 1);
	if (rc == CS_OK)
		*log = end;
	return rc;
}

enum cs_rc cs_backup(const char *database, const char *file, struct cs_backup *out,
		     struct cs_err *e)
{
	struct cs_log_ref log = { 0 };
	char *temporary = NULL;
	struct stat st;
	enum cs_rc rc;
	int fd;

	rc = is_free(file, e);
	if (rc != CS_OK)
		return rc;
	if (asprintf(&temporary, "%s.XXXXXX", file) < 0)
		return CS_FAIL(e, CS_E_NOMEM, "%s: out of memory", file);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		rc = CS_FAIL(e, CS_E_IO, "%s: %s", file, strerror(errno));
		free(temporary);
		return rc;
	}
	close(fd); /* SQLite opens it by its name */
	rc = copy(database, temporary, e);
	if (rc == CS_OK)
		rc = check(temporary, &log, e);
	if (rc == CS_OK && stat(temporary, &st) != 0)
		rc = CS_FAIL(e, CS_E_IO, "%s: %s", file, strerror(errno));
	if (rc == CS_OK)
		rc = cs_file_rename_new(temporary, file, e);
	if (rc != CS_OK)
		remove_parts(temporary, 0);
	else
		*out = (struct cs_backup){ .bytes = (int64_t)st.st_size, .log = log };
	free(temporary);
	return rc;
}
