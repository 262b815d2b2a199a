/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched_setattr(2) and sched_getattr(2) for the calling thread. Debian 12's C library has neither,
 * and the kernel's own header defines sched_param once more.
 */
#ifndef CS_BASE_SCHED_ATTR_H
#define CS_BASE_SCHED_ATTR_H

#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

struct cs_sched_attr {
	uint32_t size, policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime, deadline, period; /* ns; of the normal policies, runtime is a turn */
};
_Static_assert(sizeof(struct cs_sched_attr) == 48, "as the kernel first had it");

/** 0, or −1 with errno. */
static inline int cs_sched_getattr(struct cs_sched_attr *a)
{
	return (int)syscall(SYS_sched_getattr, 0, a, sizeof(*a), 0);
}

/** 0, or −1 with errno; `a` as cs_sched_getattr filled it, but for what is to change. */
static inline int cs_sched_setattr(const struct cs_sched_attr *a)
{
	return (int)syscall(SYS_sched_setattr, 0, a, 0);
}

#endif
