/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A preload library, for tests: writes to files whose name holds CS_SHIM_NAME fail while
 * CS_SHIM_FLAG exists. The flag's content is the error: "ENOSPC" for writes, "EIO" for syncs. A
 * test makes and removes it at will.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool flag_says(const char *word)
{
	const char *path = getenv("CS_SHIM_FLAG");
	char text[16] = "";
	ssize_t n;
	int fd;

	fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n > 0 && strncmp(text, word, strlen(word)) == 0;
}

static bool is_target(int fd)
{
	const char *name = getenv("CS_SHIM_NAME");
	char link[64], path[512];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0 || !name)
		return false;
	path[n] = '\0';
	return strstr(path, name) != NULL;
}

static bool fails(int fd, const char *word, int error)
{
	const int kept = errno;

	if (is_target(fd) && flag_says(word)) {
		errno = error;
		return true;
	}
	errno = kept;
	return false;
}

#define EXPORT __attribute__((visibility("default")))
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

EXPORT ssize_t pwrite64(int fd, const void *data, size_t len, off64_t offset)
{
	return fails(fd, "ENOSPC", ENOSPC) ? -1 : NEXT(pwrite64)(fd, data, len, offset);
}

EXPORT ssize_t pwrite(int fd, const void *data, size_t len, off_t offset)
{
	return fails(fd, "ENOSPC", ENOSPC) ? -1 : NEXT(pwrite)(fd, data, len, offset);
}

EXPORT ssize_t write(int fd, const void *data, size_t len)
{
	return fails(fd, "ENOSPC", ENOSPC) ? -1 : NEXT(write)(fd, data, len);
}

EXPORT int fdatasync(int fd)
{
	return fails(fd, "EIO", EIO) ? -1 : NEXT(fdatasync)(fd);
}

EXPORT int fsync(int fd)
{
	return fails(fd, "EIO", EIO) ? -1 : NEXT(fsync)(fd);
}
