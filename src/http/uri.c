/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request targets (RFC 9112 §3.2.1, RFC 3986 §3.3 and §3.4).
 * Must not repair: what is not plainly right is refused.
 * See uri.h for the contract.
 */
#include "http/uri.h"

#include <assert.h>
#include <string.h>

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* Decode in place; the result is never longer. */
static enum cs_rc decode(char *s, struct cs_err *e)
{
	char *out = s;

	for (const char *p = s; *p; p++) {
		int hi, lo;

		if (*p != '%') {
			*out++ = *p;
			continue;
		}
		hi = hex_digit(p[1]);
		lo = hi < 0 ? -1 : hex_digit(p[2]);
		if (lo < 0)
			return CS_FAIL(e, CS_E_INVALID,
				       "request target: %% without two hexadecimal digits");
		if (hi < 2 || (hi == 7 && lo == 15))
			return CS_FAIL(e, CS_E_INVALID,
				       "request target: %%%c%c is a control character", p[1], p[2]);
		*out++ = (char)(hi * 16 + lo);
		p += 2;
	}
	*out = '\0';
	return CS_OK;
}

static enum cs_rc check_bytes(const char *target, struct cs_err *e)
{
	if (target[0] != '/')
		return CS_FAIL(e, CS_E_INVALID,
			       "request target: must start with / (origin form, RFC 9112 3.2.1)");
	for (const char *p = target; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (c <= 0x20 || c >= 0x7f || c == '\\' || c == '#')
			return CS_FAIL(e, CS_E_INVALID,
				       "request target: byte 0x%02x must be percent-encoded", c);
	}
	return CS_OK;
}

static enum cs_rc split_path(char *path, struct cs_uri *u, struct cs_err *e)
{
	enum cs_rc rc;

	if (strstr(path, ".."))
		return CS_FAIL(e, CS_E_INVALID, "request target: .. in the path");
	while (path) {
		char *segment = path;

		path = strchr(segment, '/');
		if (path)
			*path++ = '\0';
		if (segment[0] == '\0')
			return CS_FAIL(e, CS_E_INVALID, "request target: empty path segment");
		if (u->segment_count == CS_URI_SEGMENTS_MAX)
			return CS_FAIL(e, CS_E_NOT_FOUND, "no such path");
		rc = decode(segment, e);
		if (rc != CS_OK)
			return rc;
		if (strcmp(segment, ".") == 0 || strcmp(segment, "..") == 0)
			return CS_FAIL(e, CS_E_INVALID, "request target: path segment \"%s\"",
				       segment);
		u->segments[u->segment_count++] = segment;
	}
	return CS_OK;
}

static enum cs_rc split_query(char *query, struct cs_uri *u, struct cs_err *e)
{
	enum cs_rc rc;

	while (query) {
		char *name = query;
		char *value;

		query = strchr(name, '&');
		if (query)
			*query++ = '\0';
		value = strchr(name, '=');
		if (!value || value == name)
			return CS_FAIL(e, CS_E_INVALID,
				       "query: parameters are written name=value, joined by &");
		*value++ = '\0';
		if (u->pair_count == CS_URI_PAIRS_MAX)
			return CS_FAIL(e, CS_E_INVALID, "query: more than %d parameters",
				       CS_URI_PAIRS_MAX);
		rc = decode(name, e);
		if (rc == CS_OK)
			rc = decode(value, e);
		if (rc != CS_OK)
			return rc;
		u->pairs[u->pair_count++] = (struct cs_uri_pair){ name, value };
	}
	return CS_OK;
}

enum cs_rc cs_uri_parse(const char *target, struct cs_uri *u, struct cs_err *e)
{
	size_t len = strlen(target);
	char *query;
	enum cs_rc rc;

	u->segment_count = u->pair_count = 0;
	if (len > CS_URI_MAX)
		return CS_FAIL(e, CS_E_TOO_LARGE, "request target of more than %d bytes",
			       CS_URI_MAX);
	rc = check_bytes(target, e);
	if (rc != CS_OK)
		return rc;
	memcpy(u->text, target, len + 1);
	query = strchr(u->text, '?');
	if (query)
		*query++ = '\0';
	rc = split_path(u->text + 1, u, e);
	if (rc == CS_OK && query)
		rc = split_query(query, u, e);
	return rc;
}
