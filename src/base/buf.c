/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte buffer with a maximum, and a reader over borrowed bytes.
 * Must not grow past the maximum, and must not fail twice: the first error stays.
 * See buf.h for the contract.
 */
#include "base/buf.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/enc.h"

#define FIRST_CAP 1024

void cs_buf_init(struct cs_buf *b, size_t max)
{
	assert(max < SIZE_MAX / 4);
	*b = (struct cs_buf){ .max = max };
}

void cs_buf_done(struct cs_buf *b)
{
	free(b->data);
	*b = (struct cs_buf){ .max = b->max };
}

void cs_buf_wipe(struct cs_buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->cap);
	cs_buf_done(b);
}

void cs_buf_reset(struct cs_buf *b)
{
	b->len = 0;
	b->failed = CS_OK;
	if (b->data)
		b->data[0] = '\0';
}

void cs_buf_fail(struct cs_buf *b, enum cs_rc rc)
{
	assert(rc != CS_OK);
	if (b->failed == CS_OK)
		b->failed = rc;
}

/* Room for len more bytes and the NUL; false after an error. */
static bool reserve(struct cs_buf *b, size_t len)
{
	size_t cap = b->cap ? b->cap : FIRST_CAP;
	uint8_t *data;

	if (b->failed != CS_OK)
		return false;
	/* nearly always; what is allocated is within the maximum */
	if (len < b->cap - b->len)
		return true;
	if (len > b->max - b->len) {
		b->failed = CS_E_TOO_LARGE;
		return false;
	}
	while (cap <= b->len + len)
		cap *= 2;
	if (cap > b->max + 1)
		cap = b->max + 1;
	data = realloc(b->data, cap);
	if (!data) {
		b->failed = CS_E_NOMEM;
		return false;
	}
	b->data = data;
	b->cap = cap;
	b->data[b->len] = '\0';
	return true;
}

uint8_t *cs_buf_extend(struct cs_buf *b, size_t len)
{
	uint8_t *p;

	if (!reserve(b, len))
		return NULL;
	p = b->data + b->len;
	b->len += len;
	b->data[b->len] = '\0';
	return p;
}

void cs_buf_add(struct cs_buf *b, const void *data, size_t len)
{
	uint8_t *p = cs_buf_extend(b, len);

	if (p && len)
		memcpy(p, data, len);
}

void cs_buf_add_str(struct cs_buf *b, const char *s)
{
	cs_buf_add(b, s, strlen(s));
}

void cs_buf_add_char(struct cs_buf *b, char c)
{
	uint8_t *p = cs_buf_extend(b, 1);

	if (p)
		*p = (uint8_t)c;
}

void cs_buf_vaddf(struct cs_buf *b, const char *fmt, va_list ap)
{
	va_list again;
	uint8_t *p;
	int n;

	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n < 0) {
		cs_buf_fail(b, CS_E_INVALID);
	} else {
		p = cs_buf_extend(b, (size_t)n);
		if (p)
			vsnprintf((char *)p, (size_t)n + 1, fmt, again);
	}
	va_end(again);
}

void cs_buf_addf(struct cs_buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cs_buf_vaddf(b, fmt, ap);
	va_end(ap);
}

void cs_buf_add_hex(struct cs_buf *b, const uint8_t *data, size_t len)
{
	uint8_t *p;

	assert(len < SIZE_MAX / 4);
	p = cs_buf_extend(b, 2 * len);
	if (p)
		cs_hex_encode(data, len, (char *)p);
}

void cs_buf_add_base64(struct cs_buf *b, const uint8_t *data, size_t len)
{
	uint8_t *p;

	assert(len < SIZE_MAX / 4);
	p = cs_buf_extend(b, CS_BASE64_LEN(len));
	if (p)
		cs_base64_encode(data, len, (char *)p);
}

static void add_number(struct cs_buf *b, uint64_t v, size_t width)
{
	uint8_t *p = cs_buf_extend(b, width);

	for (size_t i = width; p && i-- > 0; v >>= 8)
		p[i] = (uint8_t)v;
}

void cs_buf_add_u8(struct cs_buf *b, uint8_t v)
{
	add_number(b, v, 1);
}

void cs_buf_add_u32(struct cs_buf *b, uint32_t v)
{
	add_number(b, v, 4);
}

void cs_buf_add_u64(struct cs_buf *b, uint64_t v)
{
	add_number(b, v, 8);
}

void cs_buf_add_string(struct cs_buf *b, const void *data, size_t len)
{
	if (len > UINT32_MAX) {
		cs_buf_fail(b, CS_E_TOO_LARGE);
		return;
	}
	cs_buf_add_u32(b, (uint32_t)len);
	cs_buf_add(b, data, len);
}

enum cs_rc cs_buf_ok(const struct cs_buf *b, const char *what, struct cs_err *e)
{
	if (b->failed == CS_OK)
		return CS_OK;
	if (b->failed == CS_E_TOO_LARGE)
		return CS_FAIL(e, b->failed, "%s: larger than the limit of %zu bytes", what,
			       b->max);
	if (b->failed == CS_E_NOMEM)
		return CS_FAIL(e, b->failed, "%s: out of memory after %zu bytes", what, b->len);
	return CS_FAIL(e, b->failed, "%s: holds a value that cannot be written", what);
}

const char *cs_buf_str(const struct cs_buf *b)
{
	return b->data ? (const char *)b->data : "";
}

struct cs_bytes cs_buf_bytes(const struct cs_buf *b)
{
	return (struct cs_bytes){ b->data, b->len };
}

uint8_t *cs_buf_steal(struct cs_buf *b, size_t *lenp)
{
	uint8_t *data = NULL;

	/* an empty buffer gives an empty string, so that NULL means failure only */
	if (reserve(b, 0)) {
		*lenp = b->len;
		data = b->data;
		b->data = NULL; /* transferred */
	}
	cs_buf_done(b);
	return data;
}

struct cs_bytes cs_bytes_of(const char *s)
{
	return (struct cs_bytes){ (const uint8_t *)s, strlen(s) };
}

bool cs_bytes_equal(struct cs_bytes a, struct cs_bytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

void cs_reader_init(struct cs_reader *r, struct cs_bytes in)
{
	*r = (struct cs_reader){ .p = in.data, .left = in.len };
}

/* The next len bytes, or NULL with the error noted. */
static const uint8_t *take(struct cs_reader *r, size_t len)
{
	const uint8_t *p = r->p;

	if (r->failed || len > r->left) {
		r->failed = true;
		return NULL;
	}
	r->p = len ? p + len : p;
	r->left -= len;
	return p;
}

static uint64_t read_number(struct cs_reader *r, size_t width)
{
	const uint8_t *p = take(r, width);
	uint64_t v = 0;

	for (size_t i = 0; p && i < width; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t cs_read_u8(struct cs_reader *r)
{
	return (uint8_t)read_number(r, 1);
}

uint32_t cs_read_u32(struct cs_reader *r)
{
	return (uint32_t)read_number(r, 4);
}

uint64_t cs_read_u64(struct cs_reader *r)
{
	return read_number(r, 8);
}

struct cs_bytes cs_read_string(struct cs_reader *r, size_t max)
{
	size_t len = cs_read_u32(r);

	if (len > max)
		r->failed = true;
	if (r->failed || len > r->left) {
		r->failed = true;
		return (struct cs_bytes){ NULL, 0 };
	}
	return (struct cs_bytes){ take(r, len), len };
}

bool cs_reader_done(const struct cs_reader *r)
{
	return !r->failed && r->left == 0;
}
