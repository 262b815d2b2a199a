/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Expected problems of a configuration file.
 */
#ifndef TESTS_UNIT_PROBLEMS_H
#define TESTS_UNIT_PROBLEMS_H

#include "base/yaml.h"

struct expected_problem {
	size_t line;
	const char *phrase; /* part of the text; NULL ends the list */
};

/** Fail the test unless exactly these were found, each on its line, in any order. */
void problems_expect(const struct cs_problems *p, const struct expected_problem *expected,
		     size_t max, const char *test);

#endif
