/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time as int64_t microseconds since the epoch, UTC, and its one text form: RFC 3339 with six
 * decimals and 'Z'. Only the cs_clock functions look at a clock; the rest is pure (timefmt.c).
 */
#ifndef CS_BASE_CLOCK_H
#define CS_BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CS_TIME_TEXT 28 /* "2026-11-21T10:41:50.123456Z" with the NUL */
#define CS_SECOND INT64_C(1000000)

int64_t cs_clock_now(void);    /* wall clock, µs since 1970 */
int64_t cs_clock_mono(void);   /* monotonic, µs; counts suspend (CLOCK_BOOTTIME) */
int64_t cs_clock_thread(void); /* processor time of the calling thread, µs */

/** Times before 1970 and after 9999 are written as the nearest time in between. */
void cs_time_text(int64_t us, char out[static CS_TIME_TEXT]);
/** Exactly the form above, years 2000..9999. */
bool cs_time_parse(const char *s, int64_t *usp);
/** What people write: "2027-01-01" (its midnight), or RFC 3339 with at most 6 decimals. */
bool cs_time_parse_any(const char *s, int64_t *usp);

#endif
