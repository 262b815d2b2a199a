/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A wall clock that a test sets: the system's own plus what the test says. The monotonic clocks
 * go on as they are. Test only; a program that links it has this clock everywhere.
 */
#ifndef TESTS_UNIT_HAND_CLOCK_H
#define TESTS_UNIT_HAND_CLOCK_H

#include <stdint.h>

/** Set the wall clock this far from the true one, in microseconds. Any thread. */
void hand_clock_set(int64_t ahead);

#endif
