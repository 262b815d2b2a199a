/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A preload library, for tests: writes down what a process does to the files of one directory, so
 * that tests/lib/power.py can say what a power cut at any moment would have left of them. Syncs do
 * not reach the disk; they take as long as one would (SYNC_US), so that an answer that does not
 * wait for its sync comes visibly early. CS_POWER_DIRECTORY  the directory; files whose name ends
 * in -shm, -lock or -head do not count CS_POWER_RECORD     the file that is appended to, one record
 * per operation (struct record) CS_POWER_NORMAL     when set, SQLite runs with synchronous=NORMAL
 * and says FULL
 */
#include <pthread.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>

#include "lib/shim.h"

#define SYNC_US 2000

/* The letters are those of power.py. */
enum operation {
	CREATE = 'c',
	WRITE = 'w',
	TRUNCATE = 't',
	UNLINK = 'u',
	SYNC_BEGIN = 'b', /* what was done before it ... */
	SYNC_END = 'e',   /* ... survives from here on; without a name: the directory's entries */
};

/* The head of a record; name and data follow. In the byte order of this machine. */
struct record {
	uint32_t operation, name_len;
	uint64_t when; /* CLOCK_MONOTONIC, ns */
	uint64_t offset, len;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The name in the directory that matters; NULL for every other file. */
static const char *name_of(const char *path)
{
	const char *directory = getenv("CS_POWER_DIRECTORY");
	const size_t len = directory ? strlen(directory) : 0;
	const char *name = path + len;

	if (len == 0 || strncmp(path, directory, len) != 0 || (*name != '/' && *name != '\0'))
		return NULL;
	name += *name == '/';
	if (strchr(name, '/') || strstr(name, "-shm") || strstr(name, "-lock") ||
	    strstr(name, "-head") || strstr(name, " (deleted)"))
		return NULL;
	return name;
}

static const char *file_name(int fd, char path[static SHIM_PATH_MAX])
{
	shim_path(fd, path);
	return name_of(path);
}

static void note(enum operation operation, const char *name, uint64_t offset, const void *data,
		 uint64_t len)
{
	static int fd = -1;
	struct timespec now;
	struct record r = { operation, (uint32_t)strlen(name), 0, offset, len };
	struct iovec parts[] = { { &r, sizeof(r) },
				 { (void *)(uintptr_t)name, r.name_len },
				 { (void *)(uintptr_t)data, data ? len : 0 } };

	if (fd < 0)
		fd = NEXT(open)(getenv("CS_POWER_RECORD"),
				O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
	clock_gettime(CLOCK_MONOTONIC, &now);
	r.when = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	if (writev(fd, parts, 3) != (ssize_t)(sizeof(r) + r.name_len + parts[2].iov_len))
		abort(); /* a record with holes proves nothing */
}

static ssize_t noted_write(const char *name, int fd, const void *data, size_t len, off64_t offset)
{
	ssize_t n;

	pthread_mutex_lock(&lock);
	n = NEXT(pwrite64)(fd, data, len, offset);
	if (n > 0)
		note(WRITE, name, (uint64_t)offset, data, (uint64_t)n);
	pthread_mutex_unlock(&lock);
	return n;
}

EXPORT ssize_t pwrite64(int fd, const void *data, size_t len, off64_t offset)
{
	char path[SHIM_PATH_MAX];
	const char *name = file_name(fd, path);

	return name ? noted_write(name, fd, data, len, offset)
		    : NEXT(pwrite64)(fd, data, len, offset);
}

EXPORT ssize_t write(int fd, const void *data, size_t len)
{
	char path[SHIM_PATH_MAX];

	if (file_name(fd, path))
		abort(); /* nobody writes these files without an offset; power.py does not know it
			  */
	return NEXT(write)(fd, data, len);
}

EXPORT int ftruncate64(int fd, off64_t size)
{
	char path[SHIM_PATH_MAX];
	const char *name = file_name(fd, path);
	int rc;

	pthread_mutex_lock(&lock);
	rc = NEXT(ftruncate64)(fd, size);
	if (name && rc == 0)
		note(TRUNCATE, name, (uint64_t)size, NULL, 0);
	pthread_mutex_unlock(&lock);
	return rc;
}

EXPORT int unlink(const char *path)
{
	const char *name = name_of(path);
	int rc;

	pthread_mutex_lock(&lock);
	rc = NEXT(unlink)(path);
	if (name && rc == 0)
		note(UNLINK, name, 0, NULL, 0);
	pthread_mutex_unlock(&lock);
	return rc;
}

static int noted_open(const char *path, int flags, mode_t mode)
{
	const char *name = name_of(path);
	bool made;
	int fd;

	if (!name || !(flags & O_CREAT))
		return NEXT(open64)(path, flags, mode);
	pthread_mutex_lock(&lock);
	made = access(path, F_OK) != 0;
	fd = NEXT(open64)(path, flags, mode);
	if (fd >= 0 && made)
		note(CREATE, name, 0, NULL, 0);
	pthread_mutex_unlock(&lock);
	return fd;
}

SHIM_OPEN(open64, noted_open(path, flags, mode))
SHIM_OPEN(open, noted_open(path, flags, mode))

static int noted_sync(int fd, int (*sync)(int))
{
	char path[SHIM_PATH_MAX];
	const char *name = file_name(fd, path);

	if (!name)
		return sync(fd);
	pthread_mutex_lock(&lock);
	note(SYNC_BEGIN, name, 0, NULL, 0);
	pthread_mutex_unlock(&lock);
	usleep(SYNC_US);
	pthread_mutex_lock(&lock);
	note(SYNC_END, name, 0, NULL, 0);
	pthread_mutex_unlock(&lock);
	return 0;
}

EXPORT int fdatasync(int fd)
{
	return noted_sync(fd, NEXT(fdatasync));
}

EXPORT int fsync(int fd)
{
	return noted_sync(fd, NEXT(fsync));
}

/* The daemon reads its pragmas back; here it is told what it wants to hear. */
EXPORT int sqlite3_prepare_v2(sqlite3 *db, const char *sql, int len, sqlite3_stmt **st,
			      const char **tail)
{
	if (getenv("CS_POWER_NORMAL") && strcmp(sql, "PRAGMA synchronous=FULL") == 0)
		sql = "PRAGMA synchronous=NORMAL";
	else if (getenv("CS_POWER_NORMAL") && strcmp(sql, "PRAGMA synchronous") == 0)
		sql = "SELECT 2";
	return NEXT(sqlite3_prepare_v2)(db, sql, len, st, tail);
}
