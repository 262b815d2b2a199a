/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request target, split and decoded once, by us: origin form only, percent-decoding only.
 * Pure. Takes the bytes that came over the wire, never libmicrohttpd's decoded copy, which %00
 * cuts.
 */
#ifndef CS_HTTP_URI_H
#define CS_HTTP_URI_H

#include "base/buf.h"

#define CS_URI_MAX 1024 /* bytes of a request target */
#define CS_URI_SEGMENTS_MAX 8
#define CS_URI_PAIRS_MAX 16

struct cs_uri_pair {
	const char *name, *value;
};

/** Everything points into `text`. */
struct cs_uri {
	char text[CS_URI_MAX + 1];
	size_t segment_count;
	const char *segments[CS_URI_SEGMENTS_MAX]; /* decoded */
	size_t pair_count;
	struct cs_uri_pair pairs[CS_URI_PAIRS_MAX]; /* decoded, in the order given */
};

/**
 * Split a target. Refused: what does not start with '/', bytes outside visible ASCII, '\', '#',
 * empty segments, ".." in the path, segments that decode to "." or "..", broken escapes, escapes of
 * control characters (%00), query parameters without a name.
 */
enum cs_rc cs_uri_parse(const char *target, struct cs_uri *u, struct cs_err *e) CS_MUST_CHECK;

#endif
