/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request guard (http/guard.h), behind a parser that is as lenient as libmicrohttpd's: bare LF,
 * NUL, more spaces, none, names with anything in them. What the guard lets through, written again
 * as one writes a request, must be the bytes that came in.
 */
#include "http/guard.h"

#include "fuzz/fuzz.h"

#define HEAD_MAX 16384

/* Up to a byte of `ends` or a NUL; the end is overwritten by NUL. Returns what comes behind. */
static char *cut(char *s, const char *ends)
{
	char *end = s + strcspn(s, ends);

	if (*end == '\0')
		return end;
	*end = '\0';
	return end + 1;
}

/* A line without its end, which is LF, or CR LF. Returns the next one. */
static char *take_line(char *s, char *limit)
{
	char *end = memchr(s, '\n', (size_t)(limit - s));

	if (!end)
		return NULL;
	*end = '\0';
	if (end > s && end[-1] == '\r')
		end[-1] = '\0';
	return end + 1;
}

static struct cs_bytes text_at(const char *s)
{
	return (struct cs_bytes){ (const uint8_t *)s, strlen(s) };
}

static void take_header(struct cs_guard_head *head, char *line)
{
	char *value = cut(line, ":");

	value += strspn(value, " \t");
	if (head->count < CS_GUARD_HEADERS_MAX)
		head->headers[head->count] = (struct cs_guard_header){
			.name = text_at(line),
			.value = text_at(value),
			.name_at = (size_t)(line - head->method),
			.value_at = (size_t)(value - head->method),
		};
	head->count++;
}

/* False without an empty line at the end of the head. */
static bool parse(char *text, char *limit, struct cs_guard_head *head)
{
	char *next = take_line(text, limit), *line;

	if (!next)
		return false;
	head->method = text;
	text = cut(text, " ");
	text += strspn(text, " ");
	head->target = text;
	text = cut(text, " ");
	text += strspn(text, " ");
	head->version = text;
	head->version_at = (size_t)(text - head->method);
	for (line = next; (next = take_line(line, limit)) != NULL; line = next) {
		head->wire_size = (size_t)(next - head->method);
		if (*line == '\0')
			return true;
		take_header(head, line);
	}
	return false;
}

/* The one space may be a tab (RFC 9110, 5.6.3), which nobody reads otherwise. */
static void write_head(const struct cs_guard_head *head, const uint8_t *wire, struct cs_buf *out)
{
	cs_buf_addf(out, "%s %s %s\r\n", head->method, head->target, head->version);
	for (size_t i = 0; i < head->count; i++) {
		const struct cs_guard_header *h = &head->headers[i];

		cs_buf_add(out, h->name.data, h->name.len);
		cs_buf_add_str(out, wire[h->value_at - 1] == '\t' ? ":\t" : ": ");
		cs_buf_add(out, h->value.data, h->value.len);
		cs_buf_add_str(out, "\r\n");
	}
	cs_buf_add_str(out, "\r\n");
}

/* What libmicrohttpd overwrites before anybody sees it (see guard.c): the guard cannot know. */
static bool hides_its_end(const uint8_t *data, size_t wire_size)
{
	const size_t len = strlen("\r\n\r\n");

	return wire_size >= len && memchr(data + wire_size - len, '\0', len) != NULL;
}

static bool hides_its_lines(const uint8_t *data, size_t size)
{
	for (size_t i = 0; i + 1 < size; i++)
		if ((data[i] == '\0' || data[i] == ':') && data[i + 1] == '\n')
			return true;
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cs_guard_facts facts = { .content_length = -1 };
	struct cs_guard_head head = { .count = 0 };
	struct cs_err e = { 0 };
	static char text[HEAD_MAX + 1]; /* too much for a stack */
	struct cs_buf out;
	enum cs_rc rc;

	if (!fuzz_string(data, size, text, sizeof(text)) || hides_its_lines(data, size) ||
	    !parse(text, text + size, &head) || hides_its_end(data, head.wire_size))
		return 0;
	rc = cs_guard_check(&head, &facts, &e);
	if (rc != CS_OK) {
		fuzz_refused(rc, &e);
		return 0;
	}
	fuzz_holds(facts.content_length >= -1);
	fuzz_holds(!facts.chunked || facts.content_length == -1);
	fuzz_holds(facts.has_idempotency_key == (facts.idempotency_key.data != NULL));
	cs_buf_init(&out, HEAD_MAX + 64);
	write_head(&head, data, &out);
	fuzz_same((struct cs_bytes){ data, head.wire_size }, &out);
	return 0;
}
