/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tells the service manager how a daemon is: sd_notify(3) as one datagram, without libsystemd and
 * what comes with it. Does nothing when nobody listens.
 */
#ifndef CS_BASE_NOTIFY_H
#define CS_BASE_NOTIFY_H

#include <stdint.h>

/** Send "READY=1", "STATUS=…", several separated by newlines. Never fails its caller. */
void cs_notify(const char *state);
/** How often to send "WATCHDOG=1": half of the watchdog's period in µs; INT64_MAX for never. */
int64_t cs_notify_watchdog(void);

#endif
