/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the preload libraries of the tests share: the function behind, a descriptor's file.
 * Must not allocate: a library that is preloaded runs before anything is set up.
 */
#ifndef TESTS_LIB_SHIM_H
#define TESTS_LIB_SHIM_H

#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
/** The function that would have been called without the shim. */
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

#define SHIM_PATH_MAX 512

/** open(2), under one of its names; `result` is made of path, flags and mode. */
#define SHIM_OPEN(name, result)                                                  \
	EXPORT int name(const char *path, int flags, ...)                        \
	{                                                                        \
		mode_t mode;                                                     \
		va_list ap;                                                      \
                                                                                 \
		va_start(ap, flags);                                             \
		mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0; \
		va_end(ap);                                                      \
		return result;                                                   \
	}

/** The path of an open descriptor; "" when it has none. Changes errno. */
static inline void shim_path(int fd, char path[static SHIM_PATH_MAX])
{
	char link[64];
	ssize_t n;

	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, path, SHIM_PATH_MAX - 1);
	path[n > 0 ? n : 0] = '\0';
}

#endif
