/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Time as text (RFC 3339), by the Gregorian calendar alone.
 * Must not look at a clock, a time zone or the locale.
 * See clock.h for the contract.
 */
#include "base/clock.h"

#include <string.h>

#define DAY INT64_C(86400)
#define YEAR_MAX INT64_C(9999)
#define TIME_MAX (INT64_C(253402300800) * CS_SECOND - 1) /* the last µs of 9999 */

/* Days of the year before each month, in a year that is not a leap year. */
static const int days_before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 };

static bool is_leap(int64_t year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* Days from 1970-01-01 to the first of January of a year from 1970 on. */
static int64_t days_to_year(int64_t year)
{
	int64_t y = year - 1;

	return 365 * (year - 1970) + (y / 4 - y / 100 + y / 400) - 477;
}

static int days_to_month(int64_t year, int month)
{
	return days_before[month - 1] + (month > 2 && is_leap(year));
}

/* `count` digits; returns where the next character goes */
static char *put(char *out, int64_t value, int count)
{
	for (int i = count - 1; i >= 0; i--, value /= 10)
		out[i] = (char)('0' + value % 10);
	return out + count;
}

void cs_time_text(int64_t us, char out[static CS_TIME_TEXT])
{
	int64_t days, secs, year;
	int month = 12, day;

	us = us < 0 ? 0 : us > TIME_MAX ? TIME_MAX : us;
	days = us / CS_SECOND / DAY;
	secs = us / CS_SECOND % DAY;

	year = 1970 + days / 366; /* never too late, rarely early */
	while (days_to_year(year + 1) <= days)
		year++;
	day = (int)(days - days_to_year(year));
	while (days_to_month(year, month) > day)
		month--;
	day -= days_to_month(year, month);

	/* not by snprintf: the log asks for a time in every event */
	memcpy(out, "0000-00-00T00:00:00.000000Z", CS_TIME_TEXT);
	out = put(out, year, 4) + 1;
	out = put(out, month, 2) + 1;
	out = put(out, day + 1, 2) + 1;
	out = put(out, secs / 3600, 2) + 1;
	out = put(out, secs / 60 % 60, 2) + 1;
	out = put(out, secs % 60, 2) + 1;
	put(out, us % CS_SECOND, 6);
}

/* A text being parsed; a failed step makes all later ones fail. */
struct cursor {
	const char *p;
	bool failed;
};

static int64_t digits(struct cursor *c, int count, int64_t lo, int64_t hi)
{
	int64_t v = 0;

	for (int i = 0; i < count && !c->failed; i++, c->p++) {
		if (*c->p < '0' || *c->p > '9')
			c->failed = true;
		else
			v = v * 10 + (*c->p - '0');
		if (c->failed)
			return lo;
	}
	if (v < lo || v > hi)
		c->failed = true;
	return c->failed ? lo : v;
}

static void literal(struct cursor *c, char want)
{
	if (c->failed || *c->p != want)
		c->failed = true;
	else
		c->p++;
}

/* "2026-11-21" as seconds since the epoch. */
static int64_t read_date(struct cursor *c)
{
	int64_t year = digits(c, 4, 2000, YEAR_MAX);
	int month, day, last;

	literal(c, '-');
	month = (int)digits(c, 2, 1, 12);
	literal(c, '-');
	last = days_before[month] - days_before[month - 1] + (month == 2 && is_leap(year));
	day = (int)digits(c, 2, 1, last);
	return (days_to_year(year) + days_to_month(year, month) + day - 1) * DAY;
}

/* "10:41:50" as seconds; no leap second, the clock has none. */
static int64_t read_time_of_day(struct cursor *c)
{
	int64_t h = digits(c, 2, 0, 23), m, s;

	literal(c, ':');
	m = digits(c, 2, 0, 59);
	literal(c, ':');
	s = digits(c, 2, 0, 59);
	return h * 3600 + m * 60 + s;
}

/* ".5" to ".500000" as µs; 0 when there is no fraction. */
static int64_t read_fraction(struct cursor *c)
{
	int64_t us = 0, unit = CS_SECOND;

	if (c->failed || *c->p != '.')
		return 0;
	c->p++;
	do {
		us = us * 10 + digits(c, 1, 0, 9);
		unit /= 10;
	} while (!c->failed && unit > 1 && *c->p >= '0' && *c->p <= '9');
	return us * unit;
}

/* "Z" or "+02:00" as seconds east. */
static int64_t read_offset(struct cursor *c)
{
	int64_t east, sign;

	if (c->failed || *c->p == 'Z') {
		literal(c, 'Z');
		return 0;
	}
	sign = *c->p == '-' ? -1 : 1;
	literal(c, sign < 0 ? '-' : '+');
	east = digits(c, 2, 0, 23) * 3600;
	literal(c, ':');
	return sign * (east + digits(c, 2, 0, 59) * 60);
}

bool cs_time_parse(const char *s, int64_t *usp)
{
	if (strlen(s) != CS_TIME_TEXT - 1 || s[CS_TIME_TEXT - 2] != 'Z')
		return false;
	return cs_time_parse_any(s, usp);
}

bool cs_time_parse_any(const char *s, int64_t *usp)
{
	struct cursor c = { .p = s };
	int64_t secs = read_date(&c), us = 0;

	if (!c.failed && *c.p != '\0') {
		literal(&c, 'T');
		secs += read_time_of_day(&c);
		us = read_fraction(&c);
		secs -= read_offset(&c);
	}
	if (c.failed || *c.p != '\0')
		return false;
	*usp = secs * CS_SECOND + us;
	return true;
}
