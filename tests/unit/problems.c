/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expected problems of a configuration file.
 */
#include "unit/problems.h"

#include <check.h>
#include <string.h>

static bool has(const struct cs_problems *p, const struct expected_problem *expected)
{
	for (size_t i = 0; i < p->count; i++) {
		if (p->list[i].line == expected->line && strstr(p->list[i].text, expected->phrase))
			return true;
	}
	return false;
}

void problems_expect(const struct cs_problems *p, const struct expected_problem *expected,
		     size_t max, const char *test)
{
	struct cs_buf text;
	size_t count = 0;

	cs_buf_init(&text, CS_YAML_MAX);
	cs_problems_print(p, &text);
	while (count < max && expected[count].phrase) {
		ck_assert_msg(has(p, &expected[count]),
			      "%s: no problem \"%s\" on line %zu, only:\n%s", test,
			      expected[count].phrase, expected[count].line, cs_buf_str(&text));
		count++;
	}
	ck_assert_msg(p->count == count, "%s: %zu problems, expected %zu:\n%s", test, p->count,
		      count, cs_buf_str(&text));
	cs_buf_done(&text);
}
