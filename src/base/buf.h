/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A byte buffer that grows up to a maximum given at birth.
 * Errors are sticky: append freely, ask cs_buf_ok() once. Never grows past its maximum.
 * The content is always followed by a NUL that is not counted.
 */
#ifndef CS_BASE_BUF_H
#define CS_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/** Elements of an array. */
#define CS_COUNT(array) (sizeof(array) / sizeof((array)[0]))

/** The struct of a type whose member this pointer points to. */
#define CS_OWNER(type, member, pointer) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

struct cs_buf {
	uint8_t *data; /* owned; NULL while empty */
	size_t len;
	size_t cap;
	size_t max;
	enum cs_rc failed; /* CS_OK, or the first error; sticky */
};

/** Borrowed bytes. */
struct cs_bytes {
	const uint8_t *data;
	size_t len;
};

/** The bytes of a string, without its NUL. */
struct cs_bytes cs_bytes_of(const char *s);
bool cs_bytes_equal(struct cs_bytes a, struct cs_bytes b);

void cs_buf_init(struct cs_buf *b, size_t max);
/** Free the storage; the buffer may be initialised again. Safe on a zeroed struct. */
void cs_buf_done(struct cs_buf *b);
/** Like cs_buf_done, but wipes the content first. */
void cs_buf_wipe(struct cs_buf *b);
/** Forget the content and the error, keep the storage. */
void cs_buf_reset(struct cs_buf *b);
/** Note an error, as if an addition had failed; the first one stays. */
void cs_buf_fail(struct cs_buf *b, enum cs_rc rc);

/** Append len bytes for the caller to fill. Borrowed until the next change; NULL after an error. */
uint8_t *cs_buf_extend(struct cs_buf *b, size_t len);
void cs_buf_add(struct cs_buf *b, const void *data, size_t len);
void cs_buf_add_str(struct cs_buf *b, const char *s);
void cs_buf_add_char(struct cs_buf *b, char c);
void cs_buf_addf(struct cs_buf *b, const char *fmt, ...) CS_PRINTF(2, 3);
void cs_buf_vaddf(struct cs_buf *b, const char *fmt, va_list ap) CS_PRINTF(2, 0);
void cs_buf_add_hex(struct cs_buf *b, const uint8_t *data, size_t len);
void cs_buf_add_base64(struct cs_buf *b, const uint8_t *data, size_t len);
void cs_buf_add_u8(struct cs_buf *b, uint8_t v);
void cs_buf_add_u32(struct cs_buf *b, uint32_t v); /* big-endian */
void cs_buf_add_u64(struct cs_buf *b, uint64_t v); /* big-endian */
/** Length as u32 big-endian, then the bytes (RFC 4251 §5 "string"). */
void cs_buf_add_string(struct cs_buf *b, const void *data, size_t len);

/** CS_OK, or the first error with a message that names `what` and the maximum. */
enum cs_rc cs_buf_ok(const struct cs_buf *b, const char *what, struct cs_err *e) CS_MUST_CHECK;
/** The content as a NUL-terminated string; "" when empty. Borrowed, valid until the next change. */
const char *cs_buf_str(const struct cs_buf *b);
struct cs_bytes cs_buf_bytes(const struct cs_buf *b);
/**
 * Hand the storage to the caller, who frees it with free(); the buffer is empty afterwards.
 *
 * @param lenp  set on success only
 * @return      NUL-terminated, "" for an empty buffer; NULL after an error
 */
uint8_t *cs_buf_steal(struct cs_buf *b, size_t *lenp);

/** A reader over borrowed bytes; errors are sticky, a failed read gives zeros and empty strings. */
struct cs_reader {
	const uint8_t *p;
	size_t left;
	bool failed;
};

void cs_reader_init(struct cs_reader *r, struct cs_bytes in);
uint8_t cs_read_u8(struct cs_reader *r);
uint32_t cs_read_u32(struct cs_reader *r);
uint64_t cs_read_u64(struct cs_reader *r);
/** A length-prefixed string of at most max bytes; borrowed from the input. */
struct cs_bytes cs_read_string(struct cs_reader *r, size_t max);
/** True when nothing failed and nothing is left over. */
bool cs_reader_done(const struct cs_reader *r);

#endif
