/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request targets and their queries (http/uri.h, http/query.h).
 */
#include "http/query.h"

#include "fuzz/fuzz.h"

#define ALL_PARAMS (CS_PARAM_BIT(CS_PARAM__COUNT) - 1)

/* What came through can neither climb, nor end a string early, nor write on a terminal. */
static void check_text(const char *s)
{
	for (; *s; s++)
		fuzz_holds((unsigned char)*s >= 0x20 && *s != 0x7f);
}

static void check_query(const struct cs_uri *u)
{
	struct cs_err e = { 0 };
	struct cs_query q;
	enum cs_rc rc = cs_query_read(u, ALL_PARAMS, &q, &e);

	if (rc != CS_OK) {
		fuzz_refused(rc, &e);
		return;
	}
	for (unsigned p = 0; p < CS_PARAM__COUNT; p++) {
		const struct cs_param_row *row = cs_param_row(p);

		fuzz_holds(q.has[p] == (q.text[p] != NULL));
		if (q.has[p] && row->type == CS_PARAM_INT)
			fuzz_holds(q.number[p] >= row->lo && q.number[p] <= row->hi);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char target[CS_URI_MAX + 2];
	struct cs_err e = { 0 };
	struct cs_uri u;
	enum cs_rc rc;

	if (!fuzz_string(data, size, target, sizeof(target)))
		return 0;
	rc = cs_uri_parse(target, &u, &e);
	if (rc != CS_OK) {
		fuzz_refused(rc, &e);
		return 0;
	}
	fuzz_holds(u.segment_count > 0 && u.segment_count <= CS_URI_SEGMENTS_MAX);
	for (size_t i = 0; i < u.segment_count; i++) {
		fuzz_holds(u.segments[i][0] != '\0');
		fuzz_holds(strcmp(u.segments[i], ".") != 0 && strcmp(u.segments[i], "..") != 0);
		check_text(u.segments[i]);
	}
	for (size_t i = 0; i < u.pair_count; i++) {
		fuzz_holds(u.pairs[i].name[0] != '\0');
		check_text(u.pairs[i].name);
		check_text(u.pairs[i].value);
	}
	check_query(&u);
	return 0;
}
