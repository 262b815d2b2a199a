/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What countersignd does besides serving: check, print, explain, compare, export. Each writes to
 * standard output, problems to standard error, and returns the exit status.
 */
#ifndef CS_DAEMON_REPORT_H
#define CS_DAEMON_REPORT_H

#include "daemon/options.h"

#define CS_EXIT_FAILURE 1
#define CS_EXIT_USAGE 2
#define CS_EXIT_CONFIG 78 /* EX_CONFIG of sysexits.h */

/** Any mode but CS_MODE_SERVE. */
int cs_report(const struct cs_options *o);

#endif
