/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log as a file of one event a line, read from the database: beside a daemon, without one, or
 * from a copy.
 */
#ifndef CS_DAEMON_EXPORT_H
#define CS_DAEMON_EXPORT_H

#include <stdint.h>

#include "base/err.h"

/**
 * @param database  must exist
 * @param from      the first event, from 1; beyond the end nothing is written
 * @param file      a path that does not exist yet, or "-" for standard output
 */
enum cs_rc cs_export(const char *database, int64_t from, const char *file,
		     struct cs_err *e) CS_MUST_CHECK;

#endif
