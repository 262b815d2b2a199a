/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A preload library, for tests: the n-th allocation of a process gives nothing (fault_control.h).
 * Works in front of a sanitizer's allocator, too. Aligned allocations are left alone: nobody here
 * asks for them but thread stacks and loaders. Those that a library named in CS_FAULT_EXCEPT asks
 * for itself always succeed: not every library on the system minds them (memory_that_fails.py).
 */
#include <errno.h>
#include <link.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/fault_control.h"
#include "lib/shim.h"

/* The number is that of faults.py. */
#define ALLOCATION 16
/* Numbers in place of an errno, for negative controls. */
enum instead { NOTHING = ENOMEM, CRASH = 1000, LEAK = 1001 };

/* The allocator behind: the sanitizer's where there is one, else glibc's. No dlsym: it allocates.
 */
#define BEHIND(type, name, ...)                                                     \
	extern type __interceptor_##name(__VA_ARGS__) __attribute__((weak));        \
	extern type __libc_##name(__VA_ARGS__);                                     \
	static type (*behind_##name(void))(__VA_ARGS__)                             \
	{                                                                           \
		return __interceptor_##name ? __interceptor_##name : __libc_##name; \
	}

BEHIND(void *, malloc, size_t)
BEHIND(void *, calloc, size_t, size_t)
BEHIND(void *, realloc, void *, size_t)

struct place {
	uintptr_t address;
	const char *except;
};

/* Is the place in one of the excepted libraries? */
static int is_excepted(struct dl_phdr_info *library, size_t size, void *arg)
{
	const struct place *p = arg;
	const char *name = strrchr(library->dlpi_name, '/');
	const char *end = name ? strstr(name, ".so") : NULL;

	(void)size;
	if (!end || !memmem(p->except, strlen(p->except), name + 1, (size_t)(end - name - 1)))
		return 0;
	for (size_t i = 0; i < library->dlpi_phnum; i++) {
		const uintptr_t begin = library->dlpi_addr + library->dlpi_phdr[i].p_vaddr;

		if (library->dlpi_phdr[i].p_type == PT_LOAD &&
		    p->address - begin < library->dlpi_phdr[i].p_memsz)
			return 1;
	}
	return 0;
}

static bool fails(const void *caller)
{
	const int kept = errno;
	const int instead = fault_count(ALLOCATION);
	struct place place = { (uintptr_t)caller, getenv("CS_FAULT_EXCEPT") };

	errno = kept;
	if (instead == CRASH)
		abort();
	if (instead == LEAK)
		memset(behind_malloc()(64), 1, 64); /* nobody has its address */
	if (instead != NOTHING || (place.except && dl_iterate_phdr(is_excepted, &place)))
		return false;
	errno = ENOMEM;
	return true;
}

#define CALLER __builtin_return_address(0)

EXPORT void *malloc(size_t size)
{
	return fails(CALLER) ? NULL : behind_malloc()(size);
}

EXPORT void *calloc(size_t count, size_t size)
{
	return fails(CALLER) ? NULL : behind_calloc()(count, size);
}

EXPORT void *realloc(void *p, size_t size)
{
	return fails(CALLER) ? NULL : behind_realloc()(p, size);
}
