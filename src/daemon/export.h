/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of a stopped daemon, or of a copy of its database, as a file of one event a line.
 */
#ifndef CS_DAEMON_EXPORT_H
#define CS_DAEMON_EXPORT_H

#include "base/err.h"

/**
 * @param database  must exist, and no daemon may have it open (CS_E_BUSY)
 * @param file      a path that does not exist yet, or "-" for standard output
 */
enum cs_rc cs_export(const char *database, const char *file, struct cs_err *e) CS_MUST_CHECK;

#endif
