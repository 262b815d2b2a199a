/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Export from the database itself, in pages, so that a log of any size takes little memory.
 * Must not write to the database, nor over a file.
 * See export.h for the contract.
 */
#include "daemon/export.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "store/store.h"

#define PAGE_SOFT_MAX (1U << 20)
#define PAGE_MAX (PAGE_SOFT_MAX + CS_EVENT_MAX + 1)

static enum cs_rc write_all(int fd, struct cs_bytes bytes, const char *file, struct cs_err *e)
{
	while (bytes.len > 0) {
		ssize_t n = write(fd, bytes.data, bytes.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return CS_FAIL(e, errno == ENOSPC ? CS_E_NO_SPACE : CS_E_IO, "%s: %s", file,
				       strerror(errno));
		bytes.data += n;
		bytes.len -= (size_t)n;
	}
	return CS_OK;
}

static enum cs_rc write_events(struct cs_store *s, int64_t from, int fd, const char *file,
			       struct cs_err *e)
{
	struct cs_log_ref log;
	struct cs_buf page;
	int64_t next = from;
	enum cs_rc rc = cs_store_log(s, &log, e);

	cs_buf_init(&page, PAGE_MAX);
	while (rc == CS_OK && next <= log.size) {
		cs_buf_reset(&page);
		rc = cs_store_events(s, next, log.size, PAGE_SOFT_MAX, &page, &next, e);
		if (rc == CS_OK)
			rc = cs_buf_ok(&page, "page of the log", e);
		if (rc == CS_OK)
			rc = write_all(fd, cs_buf_bytes(&page), file, e);
	}
	cs_buf_done(&page);
	return rc;
}

enum cs_rc cs_export(const char *database, int64_t from, const char *file, struct cs_err *e)
{
	struct cs_store *s = NULL;
	int fd = STDOUT_FILENO;
	enum cs_rc rc = cs_store_open(database, CS_STORE_READ, &s, e);

	if (rc != CS_OK)
		return rc;
	if (strcmp(file, "-") != 0) {
		fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0) {
			rc = CS_FAIL(e, CS_E_IO, "%s: %s", file, strerror(errno));
			goto out;
		}
	}
	rc = write_events(s, from, fd, file, e);
	if (fd != STDOUT_FILENO) {
		if (rc == CS_OK && fsync(fd) != 0)
			rc = CS_FAIL(e, CS_E_IO, "%s: %s", file, strerror(errno));
		close(fd);
		/* half an export would look like a truncated log */
		if (rc != CS_OK)
			unlink(file);
	}
out:
	cs_store_close(s);
	return rc;
}
