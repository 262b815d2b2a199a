/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules of RFC 9112 that libmicrohttpd 0.9.75 does not enforce, and some that are stricter.
 * Must not repair: a request that two parsers could read in two ways is refused.
 * See guard.h for the contract.
 */
#include "http/guard.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

/* RFC 9110 §5.6.2 */
static bool is_token_char(uint8_t c)
{
	if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
		return true;
	return c != '\0' && strchr("!#$%&'*+-.^_`|~", c);
}

static bool is_token(struct cs_bytes s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_token_char(s.data[i]))
			return false;
	return s.len > 0;
}

static bool is_field_value(struct cs_bytes s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((s.data[i] < 0x20 && s.data[i] != '\t') || s.data[i] >= 0x7f)
			return false;
	return true;
}

static bool is_named(const struct cs_guard_header *h, const char *name)
{
	return strlen(name) == h->name.len &&
	       strncasecmp(name, (const char *)h->name.data, h->name.len) == 0;
}

static bool equals_caseless(struct cs_bytes s, const char *text)
{
	return strlen(text) == s.len && strncasecmp(text, (const char *)s.data, s.len) == 0;
}

/* Headers that may come once. The order is that of `once`. */
enum {
	HOST,
	CONTENT_LENGTH,
	TRANSFER_ENCODING,
	AUTHORIZATION,
	CONTENT_TYPE,
	EXPECT,
	IDEMPOTENCY_KEY,
	ONCE_COUNT
};

static const char *const once[ONCE_COUNT] = {
	[HOST] = "Host",
	[CONTENT_LENGTH] = "Content-Length",
	[TRANSFER_ENCODING] = "Transfer-Encoding",
	[AUTHORIZATION] = "Authorization",
	[CONTENT_TYPE] = "Content-Type",
	[EXPECT] = "Expect",
	[IDEMPOTENCY_KEY] = "Idempotency-Key",
};

static enum cs_rc check_line(const struct cs_guard_head *head, struct cs_err *e)
{
	if (strcmp(head->version, "HTTP/1.1") != 0)
		return CS_FAIL(e, CS_E_INVALID, "request line: only HTTP/1.1 is spoken here");
	if (!is_token(cs_bytes_of(head->method)))
		return CS_FAIL(e, CS_E_INVALID, "request line: the method is not a token");
	if (head->count > CS_GUARD_HEADERS_MAX)
		return CS_FAIL(e, CS_E_INVALID, "more than %d headers", CS_GUARD_HEADERS_MAX);
	return CS_OK;
}

static enum cs_rc check_headers(const struct cs_guard_head *head,
				const struct cs_guard_header *seen[ONCE_COUNT], struct cs_err *e)
{
	for (size_t i = 0; i < head->count; i++) {
		const struct cs_guard_header *h = &head->headers[i];

		if (!is_token(h->name))
			return CS_FAIL(e, CS_E_INVALID,
				       "header %zu: the name holds bytes that are not allowed",
				       i + 1);
		if (!is_field_value(h->value))
			return CS_FAIL(e, CS_E_INVALID,
				       "header %.*s: only visible ASCII, spaces and tabs are taken",
				       (int)h->name.len, (const char *)h->name.data);
		for (size_t k = 0; k < ONCE_COUNT; k++) {
			if (!is_named(h, once[k]))
				continue;
			if (seen[k])
				return CS_FAIL(e, CS_E_INVALID, "header %s: more than one",
					       once[k]);
			seen[k] = h;
		}
	}
	if (!seen[HOST])
		return CS_FAIL(e, CS_E_INVALID, "header Host: missing");
	return CS_OK;
}

static enum cs_rc not_as_shown(struct cs_bytes where, struct cs_err *e)
{
	return CS_FAIL(e, CS_E_INVALID,
		       "request head, at %.*s: lines end with CR LF, headers are written \"Name: "
		       "value\" on one line with one space, and nothing else",
		       (int)where.len, (const char *)where.data);
}

/*
 * NUL bytes, bare LF, folded lines, white space that was skipped and names that were cut are
 * invisible in the callbacks, but not in their places: a request is "METHOD SP TARGET SP VERSION
 * CRLF", then "Name: value CRLF" for each header, then CRLF. The sum alone would not do, a bare LF
 * makes up for a second space. What stays invisible, because libmicrohttpd overwrites it: NUL LF
 * for CR LF, a colon with LF for the empty line, and at the end of the head a NUL together with
 * bare LF or CR, when they are four bytes as CR LF CR LF are. A tab in place of the one space is
 * invisible, too, and means the same.
 */
static enum cs_rc check_places(const struct cs_guard_head *head, struct cs_err *e)
{
	size_t at = strlen(head->method) + 1 + strlen(head->target) + 1;

	if (head->version_at != at)
		return not_as_shown(cs_bytes_of("the request line"), e);
	at += strlen(head->version) + strlen("\r\n");
	for (size_t i = 0; i < head->count; i++) {
		const struct cs_guard_header *h = &head->headers[i];

		if (h->name_at != at || h->value_at != at + h->name.len + strlen(": "))
			return not_as_shown(h->name, e);
		at = h->value_at + h->value.len + strlen("\r\n");
	}
	if (head->wire_size != at + strlen("\r\n"))
		return not_as_shown(cs_bytes_of("its end"), e);
	return CS_OK;
}

static enum cs_rc check_framing(const struct cs_guard_header *seen[ONCE_COUNT],
				struct cs_guard_facts *facts, struct cs_err *e)
{
	const struct cs_guard_header *length = seen[CONTENT_LENGTH];
	const struct cs_guard_header *coding = seen[TRANSFER_ENCODING];
	char digits[20];

	if (length && coding)
		return CS_FAIL(e, CS_E_INVALID,
			       "Content-Length together with Transfer-Encoding: send one of them");
	if (coding && !equals_caseless(coding->value, "chunked"))
		return CS_FAIL(e, CS_E_INVALID, "Transfer-Encoding: only chunked is taken");
	facts->chunked = coding != NULL;
	facts->content_length = -1;
	if (!length)
		return CS_OK;
	if (length->value.len >= sizeof(digits))
		return CS_FAIL(e, CS_E_INVALID, "Content-Length: not a number of bytes");
	memcpy(digits, length->value.data, length->value.len);
	digits[length->value.len] = '\0';
	if (!cs_text_to_int(digits, 0, INT64_MAX, &facts->content_length))
		return CS_FAIL(e, CS_E_INVALID, "Content-Length: not a number of bytes");
	return CS_OK;
}

enum cs_rc cs_guard_check(const struct cs_guard_head *head, struct cs_guard_facts *facts,
			  struct cs_err *e)
{
	const struct cs_guard_header *seen[ONCE_COUNT] = { NULL };
	enum cs_rc rc;

	rc = check_line(head, e);
	if (rc == CS_OK)
		rc = check_headers(head, seen, e);
	if (rc == CS_OK)
		rc = check_places(head, e);
	if (rc == CS_OK)
		rc = check_framing(seen, facts, e);
	if (rc != CS_OK)
		return rc;
	facts->content_type = (struct cs_bytes){ NULL, 0 };
	if (seen[CONTENT_TYPE])
		facts->content_type = seen[CONTENT_TYPE]->value;
	facts->has_idempotency_key = seen[IDEMPOTENCY_KEY] != NULL;
	facts->idempotency_key = (struct cs_bytes){ NULL, 0 };
	if (seen[IDEMPOTENCY_KEY])
		facts->idempotency_key = seen[IDEMPOTENCY_KEY]->value;
	return CS_OK;
}
