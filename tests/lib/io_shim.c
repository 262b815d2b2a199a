/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A preload library, for tests: calls on files whose path holds CS_SHIM_NAME fail. Two ways, and a
 * test changes its mind at will:
 *   CS_SHIM_FLAG      while this file exists, writes fail if it says ENOSPC, syncs if it says EIO
 *   CS_FAULT_CONTROL  the n-th call of a kind fails (fault_control.h); error 0 means that it claims
 *                     success and does nothing
 * Standard error never fails: a test wants to read it.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/fault_control.h"
#include "lib/shim.h"

/* The numbers are those of faults.py. */
enum kind { OPEN = 1, READ, WRITE, SYNC, TRUNCATE, MAP };

static bool flag_says(const char *word)
{
	const char *path = getenv("CS_SHIM_FLAG");
	char text[16] = "";
	ssize_t n;
	int fd;

	fd = path ? NEXT(open)(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return false;
	n = NEXT(read)(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 && strncmp(text, word, strlen(word)) == 0;
}

static bool is_target(int fd)
{
	const char *name = getenv("CS_SHIM_NAME");
	char path[SHIM_PATH_MAX];

	if (!name || fd <= STDERR_FILENO)
		return false;
	shim_path(fd, path);
	return strstr(path, name) != NULL;
}

/* Does a call go wrong? Then errno is set, to 0 for one that shall claim success. */
static bool fails(enum kind kind, int fd)
{
	const int kept = errno;
	int error = -1;

	if (is_target(fd)) {
		error = fault_count(kind);
		if (kind == WRITE && flag_says("ENOSPC"))
			error = ENOSPC;
		if (kind == SYNC && flag_says("EIO"))
			error = EIO;
	}
	errno = error >= 0 ? error : kept;
	return error >= 0;
}

/* What a failing call returns: −1, or the lie. */
static ssize_t outcome(size_t lie)
{
	return errno ? -1 : (ssize_t)lie;
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t len, off64_t offset)
{
	return fails(WRITE, fd) ? outcome(len) : NEXT(pwrite64)(fd, data, len, offset);
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
	return fails(WRITE, fd) ? outcome(len) : NEXT(pwrite)(fd, data, len, offset);
}

EXPORT ssize_t write(int fd, const void *data, size_t len)
{
	return fails(WRITE, fd) ? outcome(len) : NEXT(write)(fd, data, len);
}

EXPORT ssize_t pread64(int fd, void *data, size_t len, off64_t offset)
{
	return fails(READ, fd) ? outcome(0) : NEXT(pread64)(fd, data, len, offset);
}

EXPORT ssize_t read(int fd, void *data, size_t len)
{
	return fails(READ, fd) ? outcome(0) : NEXT(read)(fd, data, len);
}

EXPORT int fdatasync(int fd)
{
	return fails(SYNC, fd) ? (int)outcome(0) : NEXT(fdatasync)(fd);
}

EXPORT int fsync(int fd)
{
	return fails(SYNC, fd) ? (int)outcome(0) : NEXT(fsync)(fd);
}

EXPORT int ftruncate64(int fd, off64_t size)
{
	return fails(TRUNCATE, fd) ? (int)outcome(0) : NEXT(ftruncate64)(fd, size);
}

EXPORT int ftruncate(int fd, off_t size)
{
	return fails(TRUNCATE, fd) ? (int)outcome(0) : NEXT(ftruncate)(fd, size);
}

EXPORT void *mmap64(void *at, size_t len, int protection, int flags, int fd, off64_t offset)
{
	return fails(MAP, fd) ? MAP_FAILED : NEXT(mmap64)(at, len, protection, flags, fd, offset);
}

static bool open_fails(const char *path)
{
	const char *name = getenv("CS_SHIM_NAME");
	int error = name && strstr(path, name) ? fault_count(OPEN) : -1;

	if (error >= 0)
		errno = error;
	return error >= 0;
}

SHIM_OPEN(open64, open_fails(path) ? -1 : NEXT(open64)(path, flags, mode))
SHIM_OPEN(open, open_fails(path) ? -1 : NEXT(open)(path, flags, mode))

EXPORT FILE *fopen64(const char *path, const char *mode)
{
	return open_fails(path) ? NULL : NEXT(fopen64)(path, mode);
}

EXPORT FILE *fopen(const char *path, const char *mode)
{
	return open_fails(path) ? NULL : NEXT(fopen)(path, mode);
}
