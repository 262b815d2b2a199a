/* SPDX-License-Identifier: Apache-2.0 */
/*
 * UUID version 7.
 * Must not depend on a generator in the process: the random bits come from the kernel.
 * See uuid.h for the contract.
 */
#include "base/uuid.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/enc.h"

static void fill_random(uint8_t *p, size_t len)
{
	ssize_t n;

	do {
		n = getrandom(p, len, 0);
	} while (n < 0 && errno == EINTR);
	/* up to 256 bytes come whole; without random there are no ids */
	if (n != (ssize_t)len)
		abort();
}

void cs_uuid7(int64_t now_us, char out[static CS_UUID_TEXT])
{
	static const size_t groups[] = { 4, 2, 2, 2, 6 };
	uint64_t ms, fraction;
	const uint8_t *p;
	uint8_t b[16];

	assert(now_us >= 0);

	ms = (uint64_t)now_us / 1000;
	/* rand_a: 12 bits of the millisecond's fraction, so that ids sort to the µs (§6.2 method 3)
	 */
	fraction = (uint64_t)now_us % 1000 * 4096 / 1000;
	fill_random(b + 8, 8);
	for (int i = 5; i >= 0; i--, ms >>= 8)
		b[i] = (uint8_t)ms;
	b[6] = (uint8_t)(0x70 | fraction >> 8);
	b[7] = (uint8_t)fraction;
	b[8] = (uint8_t)(0x80 | (b[8] & 0x3f));

	p = b;
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		cs_hex_encode(p, groups[i], out);
		p += groups[i];
		out += 2 * groups[i];
		*out++ = '-';
	}
	out[-1] = '\0';
}
