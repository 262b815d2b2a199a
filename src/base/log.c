/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Log lines: one JSON object, one write(2).
 * Must not fail its caller, and must not pass control or bidi characters on to a terminal.
 * See log.h for the contract.
 */
#include "base/log.h"

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/jcs.h"
#include "base/text.h"

#define MESSAGE_MAX 4096
/* the longest that the JSON around it and its escapes can make of a message */
#define LINE_MAX_LEN (8 * MESSAGE_MAX)

static const char *const level_names[] = {
	[CS_LOG_ERROR] = "error",
	[CS_LOG_WARN] = "warning",
	[CS_LOG_INFO] = "info",
	[CS_LOG_DEBUG] = "debug",
};

/* set once at start; atomic because threads log while a reload may change the level */
static _Atomic int max_level = CS_LOG_INFO;
static const char *_Atomic program = "countersign";

void cs_log_set_level(enum cs_log_level level)
{
	atomic_store(&max_level, (int)level);
}

void cs_log_set_program(const char *name)
{
	atomic_store(&program, name);
}

static void write_line(const void *line, size_t len)
{
	ssize_t n;

	do {
		n = write(STDERR_FILENO, line, len);
	} while (n < 0 && errno == EINTR);
	/* nobody is left to tell when stderr is gone */
}

/** What can be said without memory: both are words of ours, which need no escapes. */
static void write_bare(const char *time, enum cs_log_level level, const char *event)
{
	char line[256];
	const int len = snprintf(line, sizeof(line),
				 "{\"time\":\"%s\",\"level\":\"%s\",\"program\":\"%s\","
				 "\"event\":\"%s\",\"message\":\"(no memory for the message)\"}\n",
				 time, level_names[level], atomic_load(&program), event);

	if (len > 0 && (size_t)len < sizeof(line))
		write_line(line, (size_t)len);
}

void cs_log(enum cs_log_level level, const char *event, const char *fmt, ...)
{
	struct cs_buf message, shown, line;
	char time[CS_TIME_TEXT];
	va_list ap;

	assert((unsigned)level < sizeof(level_names) / sizeof(level_names[0]));
	if ((int)level > atomic_load(&max_level))
		return;

	cs_buf_init(&message, MESSAGE_MAX);
	cs_buf_init(&shown, 4 * MESSAGE_MAX);
	cs_buf_init(&line, LINE_MAX_LEN);
	va_start(ap, fmt);
	cs_buf_vaddf(&message, fmt, ap);
	va_end(ap);
	if (message.failed == CS_E_TOO_LARGE) {
		cs_buf_reset(&message);
		cs_buf_add_str(&message, "(the message is longer than the log's limit)");
	}
	cs_text_show(cs_buf_str(&message), &shown);
	cs_time_text(cs_clock_now(), time);
	cs_buf_addf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"program\":", time,
		    level_names[level]);
	cs_jcs_add_string(&line, atomic_load(&program));
	cs_buf_add_str(&line, ",\"event\":");
	cs_jcs_add_string(&line, event);
	cs_buf_add_str(&line, ",\"message\":");
	cs_jcs_add_string(&line, cs_buf_str(&shown));
	cs_buf_add_str(&line, "}\n");
	if (message.failed != CS_OK || shown.failed != CS_OK || line.failed != CS_OK)
		write_bare(time, level, event);
	else
		write_line(line.data, line.len);
	cs_buf_done(&line);
	cs_buf_done(&shown);
	cs_buf_done(&message);
}
