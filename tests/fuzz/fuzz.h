/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What fuzz targets share. A target looks for crashes, and for answers that contradict themselves:
 * what was parsed and is written again must be the bytes that came in.
 */
#ifndef CS_TESTS_FUZZ_H
#define CS_TESTS_FUZZ_H

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"

/** The entry point of libFuzzer, and of main.c, which replays files. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** Ends the program, as a crash does, when something that must hold does not. */
static inline void fuzz_holds(bool what)
{
	if (!what)
		abort();
}

/** The input as a string. False when it has no room. */
static inline bool fuzz_string(const uint8_t *data, size_t size, char *out, size_t room)
{
	if (size >= room)
		return false;
	memcpy(out, data, size);
	out[size] = '\0';
	return true;
}

/** `out`, which was written from what `in` was parsed to, is `in`. Ends the buffer. */
static inline void fuzz_same(struct cs_bytes in, struct cs_buf *out)
{
	fuzz_holds(out->failed == CS_OK);
	fuzz_holds(cs_bytes_equal(in, cs_buf_bytes(out)));
	cs_buf_done(out);
}

/** A refusal has a code and a message of one clean line. */
static inline void fuzz_refused(enum cs_rc rc, const struct cs_err *e)
{
	fuzz_holds(rc != CS_OK && rc == e->rc && e->msg[0] != '\0');
	for (const char *p = e->msg; *p; p++)
		fuzz_holds((unsigned char)*p >= 0x20 && *p != 0x7f);
}

#endif
