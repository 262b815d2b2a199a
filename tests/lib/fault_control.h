/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a test tells a preload library which calls fail while the process runs: a small file, mapped
 * by both. tests/lib/faults.py writes it. Without CS_FAULT_CONTROL nothing fails.
 */
#ifndef TESTS_LIB_FAULT_CONTROL_H
#define TESTS_LIB_FAULT_CONTROL_H

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

struct fault_control {
	atomic_uint call; /* which calls are counted: a number that the library defines; 0 = none */
	atomic_uint at;   /* the first one that fails, from 1 */
	atomic_uint times;  /* how many fail from there on; 0 = all */
	atomic_uint error;  /* errno, or a number of the library's own */
	atomic_uint seen;   /* counted so far */
	atomic_uint failed; /* of them */
};

/** The mapped file; NULL without one. By system calls: open and mmap may be the library's own. */
static inline struct fault_control *fault_control(void)
{
	static _Atomic(struct fault_control *) mapped;
	static atomic_bool tried;
	struct fault_control *c = atomic_load(&mapped);
	const char *path;
	long fd, at;

	if (c || !environ) /* a sanitizer allocates before there is an environment */
		return c;
	if (atomic_exchange(&tried, true))
		return NULL;
	path = getenv("CS_FAULT_CONTROL");
	fd = path ? syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0) : -1;
	if (fd < 0)
		return NULL;
	at = syscall(SYS_mmap, NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0L);
	syscall(SYS_close, fd);
	c = at == -1 ? NULL : (struct fault_control *)(uintptr_t)at;
	atomic_store(&mapped, c);
	return c;
}

/** Count a call. @return the error it fails with; −1 when it does not */
static inline int fault_count(unsigned call)
{
	struct fault_control *c = fault_control();
	unsigned number, at, times;

	if (!c || atomic_load(&c->call) != call)
		return -1;
	number = atomic_fetch_add(&c->seen, 1) + 1;
	at = atomic_load(&c->at);
	times = atomic_load(&c->times);
	if (at == 0 || number < at || (times != 0 && number - at >= times))
		return -1;
	atomic_fetch_add(&c->failed, 1);
	return (int)atomic_load(&c->error);
}

#endif
