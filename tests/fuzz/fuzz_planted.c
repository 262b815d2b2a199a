/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A target with a fault, to show that a crash is noticed: replay.py and search.py must fail on it.
 * Tests nothing of the product. See HACKING.md, "Fuzzing".
 */
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char planted[] = "fault";

	fuzz_holds(size < strlen(planted) || memcmp(data, planted, strlen(planted)) != 0);
	return 0;
}
