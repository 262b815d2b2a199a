/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The daemon itself: start in the right order, wait for signals, reload, stop.
 */
#ifndef CS_DAEMON_SERVE_H
#define CS_DAEMON_SERVE_H

#include "daemon/options.h"

/** Serve until SIGTERM or SIGINT. Returns the exit status. */
int cs_serve(const struct cs_options *o);

#endif
