/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON log lines to stderr, for people and journald; not the audit log.
 * Only core/, http/ and the mains call it. Never a line per signature, never a secret.
 */
#ifndef CS_BASE_LOG_H
#define CS_BASE_LOG_H

#include "base/err.h"

enum cs_log_level { CS_LOG_ERROR, CS_LOG_WARN, CS_LOG_INFO, CS_LOG_DEBUG };

void cs_log_set_level(enum cs_log_level level);
/** Name of the program in each line; static storage. */
void cs_log_set_program(const char *name);
/**
 * {"time":…,"level":…,"program":…,"event":…,"message":…} and a newline, in one write(2). Control,
 * format and bidi characters of the message are shown as \xNN.
 *
 * @param event  a stable kebab-case name
 */
void cs_log(enum cs_log_level level, const char *event, const char *fmt, ...) CS_PRINTF(3, 4);

#endif
