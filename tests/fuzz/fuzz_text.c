/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names, free text, numbers, times, hexadecimal and base64 (base/text.h, clock.h, enc.h).
 */
#include "base/clock.h"
#include "base/enc.h"
#include "base/text.h"

#include "fuzz/fuzz.h"

#define MAX 4096

static void check_time(const char *s)
{
	char text[CS_TIME_TEXT];
	int64_t us;

	if (cs_time_parse(s, &us)) {
		cs_time_text(us, text);
		fuzz_holds(strcmp(s, text) == 0);
	}
	(void)cs_time_parse_any(s, &us);
}

static void check_base64(const char *s, size_t len)
{
	struct cs_err e = { 0 };
	struct cs_buf raw, text;
	enum cs_rc rc;

	cs_buf_init(&raw, MAX);
	cs_buf_init(&text, 2 * MAX);
	rc = cs_base64_decode(s, len, &raw, "input", &e);
	if (rc == CS_OK) {
		cs_buf_add_base64(&text, raw.data, raw.len);
		fuzz_same((struct cs_bytes){ (const uint8_t *)s, len }, &text);
	} else {
		fuzz_refused(rc, &e);
	}
	cs_buf_done(&text);
	cs_buf_done(&raw);
}

static void check_hex(const char *s, size_t len)
{
	uint8_t raw[MAX];
	struct cs_buf text;

	if (len % 2 != 0 || !cs_hex_decode(s, raw, len / 2)) {
		fuzz_holds(!cs_text_is_hex(s));
		return;
	}
	fuzz_holds(cs_text_is_hex(s));
	cs_buf_init(&text, MAX);
	cs_buf_add_hex(&text, raw, len / 2);
	fuzz_same((struct cs_bytes){ (const uint8_t *)s, len }, &text);
}

/* What is shown may be shown: it is free text, and free text is shown as it is. */
static void check_shown(const char *s)
{
	struct cs_buf shown;

	cs_buf_init(&shown, 4 * MAX);
	cs_text_show(s, &shown);
	fuzz_holds(shown.failed == CS_OK);
	fuzz_holds(cs_text_is_free(cs_buf_str(&shown), 4 * MAX));
	if (cs_text_is_free(s, MAX))
		fuzz_holds(strcmp(s, cs_buf_str(&shown)) == 0);
	if (cs_text_is_name(s, MAX))
		fuzz_holds(cs_text_is_free(s, MAX));
	cs_buf_done(&shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char s[MAX + 1];
	int64_t n;

	(void)cs_text_is_utf8(data, size);
	if (!fuzz_string(data, size, s, sizeof(s)))
		return 0;
	if (strlen(s) == size) {
		check_base64(s, size);
		check_hex(s, size);
	}
	check_time(s);
	check_shown(s);
	(void)cs_text_is_uuid(s);
	if (cs_text_to_int(s, 0, INT64_MAX, &n))
		fuzz_holds(n >= 0);
	return 0;
}
