/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hexadecimal and base64 (RFC 4648 §4).
 * Must not accept what it would not write, so that one value has one text.
 * See enc.h for the contract.
 */
#include "base/enc.h"

#include <string.h>

static const char hex_digits[] = "0123456789abcdef";
static const char base64_digits[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void cs_hex_encode(const uint8_t *data, size_t len, char *out)
{
	for (size_t i = 0; i < len; i++) {
		*out++ = hex_digits[data[i] >> 4];
		*out++ = hex_digits[data[i] & 15];
	}
	*out = '\0';
}

/* Value of a digit and 1 more, so that what the table leaves out is none: upper case is refused. */
static const uint8_t hex_values[UINT8_MAX + 1] = {
	['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,
	['6'] = 7,  ['7'] = 8,  ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12,
	['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
};

bool cs_hex_decode(const char *hex, uint8_t *out, size_t outlen)
{
	/* twice: out is written on success only */
	for (size_t i = 0; i < 2 * outlen; i++) {
		if (hex_values[(uint8_t)hex[i]] == 0)
			return false; /* also stops at the NUL of a short string */
	}
	if (hex[2 * outlen] != '\0')
		return false;
	for (size_t i = 0; i < outlen; i++) {
		unsigned high = hex_values[(uint8_t)hex[2 * i]] - 1U;
		unsigned low = hex_values[(uint8_t)hex[2 * i + 1]] - 1U;

		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

void cs_base64_encode(const uint8_t *data, size_t len, char *out)
{
	for (; len >= 3; data += 3, len -= 3) {
		uint32_t v = (uint32_t)data[0] << 16 | (uint32_t)data[1] << 8 | data[2];

		*out++ = base64_digits[v >> 18];
		*out++ = base64_digits[v >> 12 & 63];
		*out++ = base64_digits[v >> 6 & 63];
		*out++ = base64_digits[v & 63];
	}
	if (len > 0) {
		uint32_t v = (uint32_t)data[0] << 16 | (len == 2 ? (uint32_t)data[1] << 8 : 0);

		*out++ = base64_digits[v >> 18];
		*out++ = base64_digits[v >> 12 & 63];
		*out++ = len == 2 ? base64_digits[v >> 6 & 63] : '=';
		*out++ = '=';
	}
	*out = '\0';
}

/* 0..63, or 64 for anything that is no digit. */
static uint32_t base64_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (uint32_t)(c - 'A');
	if (c >= 'a' && c <= 'z')
		return (uint32_t)(c - 'a') + 26;
	if (c >= '0' && c <= '9')
		return (uint32_t)(c - '0') + 52;
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* Decode one group of four into 1..3 bytes; 0 when it is malformed or holds stray bits. */
static size_t decode_group(const char *q, bool last, uint8_t out[static 3])
{
	uint32_t a = base64_value(q[0]), b = base64_value(q[1]);
	uint32_t c = base64_value(q[2]), d = base64_value(q[3]);
	size_t n = 3;

	if (last && q[3] == '=') {
		d = 0;
		n = 2;
		if (q[2] == '=') {
			c = 0;
			n = 1;
		}
	}
	if ((a | b | c | d) & 64)
		return 0;
	out[0] = (uint8_t)(a << 2 | b >> 4);
	out[1] = (uint8_t)(b << 4 | c >> 2);
	out[2] = (uint8_t)(c << 6 | d);
	for (size_t i = n; i < 3; i++) {
		if (out[i] != 0)
			return 0;
	}
	return n;
}

enum cs_rc cs_base64_decode(const char *text, size_t len, struct cs_buf *out, const char *what,
			    struct cs_err *e)
{
	if (len % 4 != 0)
		return CS_FAIL(e, CS_E_INVALID, "%s: %zu characters are no padded base64", what,
			       len);
	for (size_t i = 0; i < len; i += 4) {
		uint8_t group[3];
		size_t n = decode_group(text + i, i + 4 == len, group);

		if (n == 0)
			return CS_FAIL(e, CS_E_INVALID, "%s: no strict base64 at character %zu",
				       what, i + 1);
		cs_buf_add(out, group, n);
	}
	return cs_buf_ok(out, what, e);
}
