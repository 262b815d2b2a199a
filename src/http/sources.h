/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often clients of each address failed to authenticate: who does so too often is not listened
 * to for a while. A table of fixed size; it may forget an address, and never accuses another one.
 */
#ifndef CS_HTTP_SOURCES_H
#define CS_HTTP_SOURCES_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

struct cs_sources;

/** @param per_minute  failures that an address may have; as many at once, refilled continuously */
enum cs_rc cs_sources_new(int64_t per_minute, struct cs_sources **sp,
			  struct cs_err *e) CS_MUST_CHECK;
void cs_sources_free(struct cs_sources *s);

/** The address without the port: of IPv4 all of it, of IPv6 the network, its first 64 bits. */
uint64_t cs_source_of(const struct sockaddr *address);

/** May this source try (again) now? @param now  cs_clock_mono */
bool cs_sources_may(struct cs_sources *s, uint64_t source, int64_t now);
/** It tried and failed. */
void cs_sources_failed(struct cs_sources *s, uint64_t source, int64_t now);

#endif
