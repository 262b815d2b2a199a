/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files read whole, replaced whole and durably, and who may write them.
 * Must not leave a half-written file under its name, nor a temporary one behind.
 * See file.h for the contract.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_CHUNK 4096

/* The error of a system call on a path. */
static enum cs_rc io_error(const char *path, int error, struct cs_err *e)
{
	enum cs_rc rc = CS_E_IO;

	if (error == ENOENT || error == ENOTDIR)
		rc = CS_E_NOT_FOUND;
	else if (error == EEXIST)
		rc = CS_E_CONFLICT;
	else if (error == ENOSPC || error == EDQUOT)
		rc = CS_E_NO_SPACE;
	else if (error == ENOMEM)
		rc = CS_E_NOMEM;
	return CS_FAIL(e, rc, "%s: %s", path, strerror(error));
}

/* Open for reading; a FIFO or a device neither blocks nor passes. */
static enum cs_rc open_regular(const char *path, int flags, int *fdp, struct stat *st,
			       struct cs_err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | flags);
	enum cs_rc rc;

	if (fd < 0)
		return io_error(path, errno, e);
	if (fstat(fd, st) != 0)
		rc = io_error(path, errno, e);
	else if (!S_ISREG(st->st_mode))
		rc = CS_FAIL(e, CS_E_INVALID, "%s: not a regular file", path);
	else
		rc = CS_OK;
	if (rc != CS_OK) {
		close(fd);
		return rc;
	}
	*fdp = fd;
	return CS_OK;
}

/* The rest of fd. The size that fstat gave is not trusted: the file may grow meanwhile. */
static enum cs_rc read_all(int fd, const char *path, struct cs_buf *out, struct cs_err *e)
{
	char chunk[READ_CHUNK];
	ssize_t n;

	for (;;) {
		n = read(fd, chunk, sizeof(chunk));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return io_error(path, errno, e);
		if (n == 0)
			return cs_buf_ok(out, path, e);
		cs_buf_add(out, chunk, (size_t)n);
		if (out->failed != CS_OK)
			return cs_buf_ok(out, path, e);
	}
}

enum cs_rc cs_file_read(const char *path, struct cs_buf *out, struct cs_err *e)
{
	struct stat st;
	enum cs_rc rc;
	int fd;

	rc = open_regular(path, 0, &fd, &st, e);
	if (rc != CS_OK)
		return rc;
	rc = read_all(fd, path, out, e);
	close(fd);
	return rc;
}

static enum cs_rc write_all(int fd, const char *path, struct cs_bytes content, struct cs_err *e)
{
	size_t done = 0;

	while (done < content.len) {
		ssize_t n = write(fd, content.data + done, content.len - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return io_error(path, errno, e);
		done += (size_t)n;
	}
	return CS_OK;
}

/* Content and mode of a new file, on disk before anybody can rely on it. Closes fd. */
static enum cs_rc fill_and_close(int fd, const char *path, struct cs_bytes content, unsigned mode,
				 struct cs_err *e)
{
	enum cs_rc rc = write_all(fd, path, content, e);

	if (rc == CS_OK && (fchmod(fd, (mode_t)mode) != 0 || fsync(fd) != 0))
		rc = io_error(path, errno, e);
	if (close(fd) != 0 && rc == CS_OK)
		rc = io_error(path, errno, e);
	return rc;
}

/* Length of the directory part with its slash; 0 when the path has none. */
static size_t dir_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? (size_t)(slash - path) + 1 : 0;
}

enum cs_rc cs_file_sync_directory(const char *path, struct cs_err *e)
{
	char *dir = dir_len(path) ? strndup(path, dir_len(path)) : strdup(".");
	enum cs_rc rc = CS_OK;
	int fd;

	if (!dir)
		return CS_FAIL(e, CS_E_NOMEM, "%s: out of memory", path);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) != 0)
		rc = io_error(dir, errno, e);
	if (fd >= 0)
		close(fd);
	free(dir);
	return rc;
}

/* The content in a new file beside `path`, so that rename(2) stays inside one file system. The
 * caller frees the name after put_in_place. @param owner  whose it shall be; NULL: ours */
static enum cs_rc write_beside(const char *path, struct cs_bytes content, unsigned mode,
			       const struct stat *owner, char **temporaryp, struct cs_err *e)
{
	char *temporary = NULL;
	enum cs_rc rc;
	int fd;

	if (asprintf(&temporary, "%s.XXXXXX", path) < 0)
		return CS_FAIL(e, CS_E_NOMEM, "%s: out of memory", path);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		rc = io_error(path, errno, e);
		free(temporary);
		return rc;
	}
	if (owner && fchown(fd, owner->st_uid, owner->st_gid) != 0) {
		rc = io_error(path, errno, e);
		close(fd);
	} else {
		rc = fill_and_close(fd, path, content, mode, e);
	}
	if (rc != CS_OK) {
		unlink(temporary);
		free(temporary);
		return rc;
	}
	*temporaryp = temporary;
	return CS_OK;
}

/* Give it its name, unless something went wrong meanwhile; then remove it. */
static enum cs_rc put_in_place(const char *temporary, const char *path, enum cs_rc rc,
			       struct cs_err *e)
{
	if (rc == CS_OK && rename(temporary, path) != 0)
		rc = io_error(path, errno, e);
	if (rc == CS_OK)
		return cs_file_sync_directory(path, e);
	unlink(temporary);
	return rc;
}

enum cs_rc cs_file_replace(const char *path, struct cs_bytes content, unsigned mode,
			   struct cs_err *e)
{
	char *temporary = NULL;
	enum cs_rc rc = write_beside(path, content, mode, NULL, &temporary, e);

	if (rc == CS_OK)
		rc = put_in_place(temporary, path, CS_OK, e);
	free(temporary);
	return rc;
}

/* The state of a file that still holds `old`. */
static enum cs_rc expect(const char *path, struct cs_bytes old, struct stat *st, struct cs_err *e)
{
	struct cs_buf now;
	enum cs_rc rc;
	int fd;

	rc = open_regular(path, O_NOFOLLOW, &fd, st, e);
	if (rc != CS_OK)
		return rc;
	cs_buf_init(&now, old.len);
	rc = read_all(fd, path, &now, e);
	close(fd);
	if (rc == CS_E_TOO_LARGE ||
	    (rc == CS_OK && (now.len != old.len || memcmp(now.data, old.data, old.len) != 0)))
		rc = CS_FAIL(e, CS_E_CONFLICT, "%s: somebody else changed it meanwhile; try again",
			     path);
	cs_buf_done(&now);
	return rc;
}

enum cs_rc cs_file_update(const char *path, struct cs_bytes old, struct cs_bytes content,
			  struct cs_err *e)
{
	char real[PATH_MAX], *temporary = NULL;
	struct stat st;
	enum cs_rc rc;

	if (!realpath(path, real))
		return io_error(path, errno, e);
	rc = expect(real, old, &st, e);
	if (rc == CS_OK)
		rc = write_beside(real, content, st.st_mode & 07777, &st, &temporary, e);
	if (rc == CS_OK)
		rc = put_in_place(temporary, real, expect(real, old, &st, e), e);
	free(temporary);
	return rc;
}

enum cs_rc cs_file_create(const char *path, struct cs_bytes content, unsigned mode,
			  struct cs_err *e)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	enum cs_rc rc;

	if (fd < 0)
		return io_error(path, errno, e);
	rc = fill_and_close(fd, path, content, mode, e);
	if (rc != CS_OK)
		unlink(path);
	else
		rc = cs_file_sync_directory(path, e);
	return rc;
}

enum cs_rc cs_file_rename_new(const char *from, const char *to, struct cs_err *e)
{
	/* not every file system knows the flag; where it does not, a link fails on a name in use */
	if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) != 0 &&
	    (errno != EINVAL || link(from, to) != 0 || unlink(from) != 0))
		return io_error(to, errno, e);
	return cs_file_sync_directory(to, e);
}

/* The rule for one file or directory, whose state is st. */
static enum cs_rc check_owner(const char *path, const struct stat *st, unsigned uid,
			      struct cs_err *e)
{
	bool others_write = (st->st_mode & (S_IWGRP | S_IWOTH)) != 0;
	bool sticky_root = S_ISDIR(st->st_mode) && st->st_uid == 0 && (st->st_mode & S_ISVTX);

	if (st->st_uid != 0 && st->st_uid != uid)
		return CS_FAIL(e, CS_E_FORBIDDEN,
			       "%s: belongs to user %u; it must belong to root or user %u", path,
			       (unsigned)st->st_uid, uid);
	if (others_write && !sticky_root)
		return CS_FAIL(e, CS_E_FORBIDDEN,
			       "%s: group or others may write it (mode %04o); use chmod go-w", path,
			       (unsigned)st->st_mode & 07777);
	return CS_OK;
}

/* Every directory above an absolute path without symbolic links, up to the root. */
static enum cs_rc check_directories(const char *real, unsigned uid, struct cs_err *e)
{
	char dir[PATH_MAX];
	enum cs_rc rc = CS_OK;
	struct stat st;
	size_t len;

	memcpy(dir, real, strlen(real) + 1);
	while (rc == CS_OK && strcmp(dir, "/") != 0) {
		len = dir_len(dir);
		dir[len > 1 ? len - 1 : 1] = '\0';
		rc = lstat(dir, &st) == 0 ? check_owner(dir, &st, uid, e) : io_error(dir, errno, e);
	}
	return rc;
}

/* Open the file behind path, and its name without symbolic links, once all of it is trusted. */
static enum cs_rc open_trusted(const char *path, unsigned uid, int *fdp, struct cs_err *e)
{
	char real[PATH_MAX];
	struct stat st;
	enum cs_rc rc;
	int fd;

	if (!realpath(path, real))
		return io_error(path, errno, e);
	/* once the directories are trusted, nobody else can put another file there */
	rc = check_directories(real, uid, e);
	if (rc != CS_OK)
		return rc;
	rc = open_regular(real, O_NOFOLLOW, &fd, &st, e);
	if (rc != CS_OK)
		return rc;
	rc = check_owner(real, &st, uid, e);
	if (rc != CS_OK) {
		close(fd);
		return rc;
	}
	*fdp = fd;
	return CS_OK;
}

enum cs_rc cs_file_read_trusted(const char *path, unsigned uid, struct cs_buf *out,
				struct cs_err *e)
{
	int fd;
	enum cs_rc rc = open_trusted(path, uid, &fd, e);

	if (rc != CS_OK)
		return rc;
	rc = read_all(fd, path, out, e);
	close(fd);
	return rc;
}
