/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request guard: what libmicrohttpd lets through and two parsers could read differently is
 * refused before anything else looks at it. Pure. Every refusal ends the connection.
 */
#ifndef CS_HTTP_GUARD_H
#define CS_HTTP_GUARD_H

#include "base/buf.h"

#define CS_GUARD_HEADERS_MAX 48

/** Places are offsets from the first byte of the method. */
struct cs_guard_header {
	struct cs_bytes name, value;
	size_t name_at, value_at;
};

/** A request's head as libmicrohttpd's callbacks gave it, and where it stood on the wire. All
 * borrowed. */
struct cs_guard_head {
	const char *method;
	const char *target;  /* raw */
	const char *version; /* "HTTP/1.1" */
	size_t version_at;
	size_t wire_size; /* bytes from the method to the empty line, as read */
	size_t count;     /* may exceed the maximum; then only that many are there */
	struct cs_guard_header headers[CS_GUARD_HEADERS_MAX];
};

/** What the rest needs of the head; borrowed from it, empty when absent. */
struct cs_guard_facts {
	int64_t content_length; /* −1 when absent */
	bool chunked;
	struct cs_bytes content_type;
	bool has_idempotency_key;
	struct cs_bytes idempotency_key;
};

/**
 * Check a head: version, method, names, values, what may come once only, framing, and that on the
 * wire stood exactly what the callbacks show.
 *
 * @return CS_OK, or CS_E_INVALID: answer 400 and close
 */
enum cs_rc cs_guard_check(const struct cs_guard_head *head, struct cs_guard_facts *facts,
			  struct cs_err *e) CS_MUST_CHECK;

#endif
