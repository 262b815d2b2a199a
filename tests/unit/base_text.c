/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of errors, buffers, encodings, text and time: vectors, and tables of what is refused.
 */
#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/text.h"
#include "base/uuid.h"
#include "unit/base_unit.h"

/* --- err.h */

START_TEST(every_code_has_a_name_of_its_own)
{
	for (int i = 0; i < CS_RC__COUNT; i++) {
		ck_assert_ptr_nonnull(cs_rc_name((enum cs_rc)i));
		for (int k = 0; k < i; k++)
			ck_assert_str_ne(cs_rc_name((enum cs_rc)i), cs_rc_name((enum cs_rc)k));
	}
}
END_TEST

START_TEST(a_message_is_one_clean_line)
{
	struct cs_err e = { 0 };

	ck_assert_int_eq(CS_FAIL(&e, CS_E_INVALID, "a%sb", "\n\x1b[2J\x7f\xc2\x9b"), CS_E_INVALID);
	ck_assert_str_eq(e.msg, "a??[2J???b");
	ck_assert_int_eq(e.rc, CS_E_INVALID);
	ck_assert_int_eq(CS_FAIL(NULL, CS_E_IO, "nobody listens"), CS_E_IO);
}
END_TEST

START_TEST(a_long_message_is_cut_between_characters)
{
	char text[2 * CS_ERR_MSG_MAX] = "";
	struct cs_err e = { 0 };

	for (size_t shift = 0; shift < 3; shift++) {
		memset(text, 'x', shift);
		for (size_t i = shift; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "\xe2\x82\xac", 4);
		CS_FAIL(&e, CS_E_INVALID, "%s", text);
		ck_assert_uint_gt(strlen(e.msg), CS_ERR_MSG_MAX - 4);
		ck_assert(cs_text_is_free(e.msg, CS_ERR_MSG_MAX));
	}
}
END_TEST

START_TEST(a_prefix_keeps_code_and_cause)
{
	char longest[2 * CS_ERR_MSG_MAX];
	struct cs_err e = { 0 };

	CS_FAIL(&e, CS_E_SIGNATURE, "the cause");
	ck_assert_int_eq(cs_err_prefix(&e, "file %d", 7), CS_E_SIGNATURE);
	ck_assert_str_eq(e.msg, "file 7: the cause");
	memset(longest, 'y', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ck_assert_int_eq(cs_err_prefix(&e, "%s", longest), CS_E_SIGNATURE);
	ck_assert_uint_eq(strlen(e.msg), CS_ERR_MSG_MAX - 1);
	ck_assert_int_eq(cs_err_prefix(NULL, "x"), CS_E_INTERNAL);
}
END_TEST

START_TEST(a_message_may_be_made_of_itself)
{
	struct cs_err e = { 0 };

	ck_assert_int_eq(CS_FAIL(&e, CS_E_IO, "/etc/x: no such file"), CS_E_IO);
	ck_assert_int_eq(CS_FAIL(&e, CS_E_CONFIG, "%s!", e.msg), CS_E_CONFIG);
	ck_assert_str_eq(e.msg, "/etc/x: no such file!");
}
END_TEST

void add_err_tests(TCase *tc)
{
	tcase_add_test(tc, every_code_has_a_name_of_its_own);
	tcase_add_test(tc, a_message_is_one_clean_line);
	tcase_add_test(tc, a_long_message_is_cut_between_characters);
	tcase_add_test(tc, a_prefix_keeps_code_and_cause);
	tcase_add_test(tc, a_message_may_be_made_of_itself);
}

/* --- buf.h */

START_TEST(a_buffer_stops_at_its_maximum)
{
	struct cs_err e = { 0 };
	struct cs_buf b;

	cs_buf_init(&b, 10);
	ck_assert_str_eq(cs_buf_str(&b), "");
	cs_buf_add_str(&b, "0123456789");
	CHECK_OK(cs_buf_ok(&b, "x", &e));
	cs_buf_add_char(&b, 'a');
	cs_buf_add(&b, NULL, 0);
	CHECK_FAILS(cs_buf_ok(&b, "the text", &e), CS_E_TOO_LARGE, "the text: larger than");
	ck_assert_ptr_nonnull(strstr(e.msg, "10 bytes"));
	ck_assert_str_eq(cs_buf_str(&b), "0123456789");
	cs_buf_reset(&b);
	cs_buf_addf(&b, "%d-%s", 42, "x");
	CHECK_OK(cs_buf_ok(&b, "x", &e));
	ck_assert_str_eq(cs_buf_str(&b), "42-x");
	cs_buf_addf(&b, "%s", "0123456");
	CHECK_FAILS(cs_buf_ok(&b, "x", &e), CS_E_TOO_LARGE, "x");
	ck_assert_str_eq(cs_buf_str(&b), "42-x");
	cs_buf_wipe(&b);
	ck_assert_uint_eq(b.len, 0);
	cs_buf_done(&b);
}
END_TEST

START_TEST(a_buffer_keeps_its_first_error)
{
	struct cs_err e = { 0 };
	struct cs_buf b;

	cs_buf_init(&b, 4);
	cs_buf_fail(&b, CS_E_INVALID);
	cs_buf_add_str(&b, "12345");
	CHECK_FAILS(cs_buf_ok(&b, "a value", &e), CS_E_INVALID, "a value");
	ck_assert_ptr_null(cs_buf_steal(&b, &(size_t){ 0 }));
	cs_buf_done(&b);
}
END_TEST

START_TEST(a_stolen_buffer_is_empty_afterwards)
{
	struct cs_buf b;
	uint8_t *data;
	size_t len = 99;

	cs_buf_init(&b, 100);
	data = cs_buf_steal(&b, &len);
	ck_assert_uint_eq(len, 0);
	ck_assert_str_eq((char *)data, "");
	free(data);
	cs_buf_add_hex(&b, (const uint8_t *)"\x00\xff", 2);
	cs_buf_add_base64(&b, (const uint8_t *)"foob", 4);
	data = cs_buf_steal(&b, &len);
	ck_assert_str_eq((char *)data, "00ffZm9vYg==");
	ck_assert_uint_eq(len, 12);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_ptr_null(b.data);
	free(data);
	cs_buf_add_str(&b, "again");
	ck_assert_str_eq(cs_buf_str(&b), "again");
	cs_buf_done(&b);
}
END_TEST

START_TEST(numbers_and_strings_come_back)
{
	struct cs_reader r;
	struct cs_bytes s;
	struct cs_buf b;

	cs_buf_init(&b, 100);
	cs_buf_add_u8(&b, 0xfe);
	cs_buf_add_u32(&b, 0x01020304);
	cs_buf_add_u64(&b, UINT64_C(0xf1f2f3f4f5f6f7f8));
	cs_buf_add_string(&b, "text", 4);
	cs_buf_add_string(&b, NULL, 0);
	ck_assert_mem_eq(b.data + 1, "\x01\x02\x03\x04\xf1", 5);

	cs_reader_init(&r, cs_buf_bytes(&b));
	ck_assert_uint_eq(cs_read_u8(&r), 0xfe);
	ck_assert_uint_eq(cs_read_u32(&r), 0x01020304);
	ck_assert(cs_read_u64(&r) == UINT64_C(0xf1f2f3f4f5f6f7f8));
	s = cs_read_string(&r, 4);
	ck_assert(cs_bytes_equal(s, BYTES("text")));
	ck_assert(!cs_reader_done(&r));
	ck_assert_uint_eq(cs_read_string(&r, 0).len, 0);
	ck_assert(cs_reader_done(&r));
	ck_assert_uint_eq(cs_read_u8(&r), 0);
	ck_assert(!cs_reader_done(&r));
	cs_buf_done(&b);
}
END_TEST

static const struct {
	struct cs_bytes in;
	size_t max;
} bad_strings[] = {
	{ BYTES_INIT(""), 100 },
	{ BYTES_INIT("\x00\x00\x00"), 100 },
	{ BYTES_INIT("\x00\x00\x00\x02x"), 100 },
	{ BYTES_INIT("\x00\x00\x00\x02xy"), 1 },
	{ BYTES_INIT("\xff\xff\xff\xffxy"), SIZE_MAX },
};

START_TEST(a_malformed_string_is_refused)
{
	struct cs_reader r;
	struct cs_bytes s;

	cs_reader_init(&r, bad_strings[_i].in);
	s = cs_read_string(&r, bad_strings[_i].max);
	ck_assert_uint_eq(s.len, 0);
	ck_assert(r.failed);
	ck_assert(!cs_reader_done(&r));
}
END_TEST

void add_buf_tests(TCase *tc)
{
	tcase_add_test(tc, a_buffer_stops_at_its_maximum);
	tcase_add_test(tc, a_buffer_keeps_its_first_error);
	tcase_add_test(tc, a_stolen_buffer_is_empty_afterwards);
	tcase_add_test(tc, numbers_and_strings_come_back);
	tcase_add_loop_test(tc, a_malformed_string_is_refused, 0, COUNT(bad_strings));
}

/* --- enc.h */

/* RFC 4648 §10 */
static const struct {
	const char *plain, *base64, *hex;
} encodings[] = {
	{ "", "", "" },
	{ "f", "Zg==", "66" },
	{ "fo", "Zm8=", "666f" },
	{ "foo", "Zm9v", "666f6f" },
	{ "foob", "Zm9vYg==", "666f6f62" },
	{ "fooba", "Zm9vYmE=", "666f6f6261" },
	{ "foobar", "Zm9vYmFy", "666f6f626172" },
	{ "\xfb\xff\xbf", "+/+/", "fbffbf" },
};

START_TEST(encodings_go_both_ways)
{
	const char *plain = encodings[_i].plain;
	size_t len = strlen(plain);
	struct cs_err e = { 0 };
	struct cs_buf b;
	uint8_t raw[16];
	char text[32];

	cs_hex_encode((const uint8_t *)plain, len, text);
	ck_assert_str_eq(text, encodings[_i].hex);
	ck_assert(cs_hex_decode(text, raw, len));
	ck_assert_mem_eq(raw, plain, len);
	cs_base64_encode((const uint8_t *)plain, len, text);
	ck_assert_str_eq(text, encodings[_i].base64);
	cs_buf_init(&b, len);
	CHECK_OK(cs_base64_decode(text, strlen(text), &b, "x", &e));
	ck_assert_uint_eq(b.len, len);
	ck_assert_str_eq(cs_buf_str(&b), plain);
	cs_buf_done(&b);
}
END_TEST

static const struct cs_bytes bad_base64[] = {
	BYTES_INIT("Z"),        BYTES_INIT("Zg"),
	BYTES_INIT("Zg="),      BYTES_INIT("Zg==="),
	BYTES_INIT("===="),     BYTES_INIT("Z==="),
	BYTES_INIT("Z=g="),     BYTES_INIT("Zh=="), /* stray bits after one byte */
	BYTES_INIT("Zm9="),                         /* and after two */
	BYTES_INIT("Zg==Zg=="),                     /* padding inside */
	BYTES_INIT("Zm9v\n"),   BYTES_INIT("Zm9v    "),
	BYTES_INIT("Zm-_"), /* the alphabet of URLs */
	BYTES_INIT("Zm\0v"),    BYTES_INIT("Zm9\xc3"),
};

START_TEST(loose_base64_is_refused)
{
	const struct cs_bytes *in = &bad_base64[_i];
	struct cs_err e = { 0 };
	struct cs_buf b;

	cs_buf_init(&b, 100);
	CHECK_FAILS(cs_base64_decode((const char *)in->data, in->len, &b, "sig", &e), CS_E_INVALID,
		    "sig: ");
	cs_buf_done(&b);
}
END_TEST

START_TEST(base64_stops_at_the_buffer)
{
	struct cs_err e = { 0 };
	struct cs_buf b;

	cs_buf_init(&b, 2);
	CHECK_FAILS(cs_base64_decode("Zm9v", 4, &b, "sig", &e), CS_E_TOO_LARGE, "sig");
	cs_buf_done(&b);
}
END_TEST

static const char *const bad_hex[] = {
	"", "0", "00", "000", "00000", "00 0", "00FF", "0g00", "00-0"
};

START_TEST(loose_hex_is_refused)
{
	uint8_t raw[2] = { 7, 7 };

	ck_assert(!cs_hex_decode(bad_hex[_i], raw, 2));
	ck_assert(raw[0] == 7 && raw[1] == 7);
}
END_TEST

void add_enc_tests(TCase *tc)
{
	tcase_add_loop_test(tc, encodings_go_both_ways, 0, COUNT(encodings));
	tcase_add_loop_test(tc, loose_base64_is_refused, 0, COUNT(bad_base64));
	tcase_add_test(tc, base64_stops_at_the_buffer);
	tcase_add_loop_test(tc, loose_hex_is_refused, 0, COUNT(bad_hex));
}

/* --- text.h */

static const struct {
	const char *text;
	bool is_name, is_free, is_utf8;
} texts[] = {
	{ "boot@v1.2+rc-3/a:b_C", true, true, true },
	{ "", false, true, true },
	{ "a b", false, true, true },
	{ "a\\b", false, true, true },
	{ "Gr\xc3\xbc\xc3\x9f", false, true, true },
	{ "\xe2\x82\xac \xf0\x9f\x94\x91", false, true, true },
	{ "a\tb", false, false, true },
	{ "a\nb", false, false, true },
	{ "\x1b[31m", false, false, true },
	{ "\x7f", false, false, true },
	{ "\xc2\x9b", false, false, true },     /* C1 control CSI */
	{ "\xc2\xad", false, false, true },     /* soft hyphen */
	{ "\xe2\x80\x8b", false, false, true }, /* zero width space */
	{ "\xe2\x80\xa8", false, false, true }, /* line separator */
	{ "a\xe2\x80\xae"
	  "b",
	  false, false, true },                      /* right-to-left override */
	{ "\xe2\x81\xa6", false, false, true },      /* left-to-right isolate */
	{ "\xd8\x9c", false, false, true },          /* Arabic letter mark */
	{ "\xef\xbb\xbf", false, false, true },      /* byte order mark */
	{ "\xf3\xa0\x81\x81", false, false, true },  /* tag letter A */
	{ "\xc0\xaf", false, false, false },         /* overlong solidus, two bytes */
	{ "\xe0\x80\xaf", false, false, false },     /* three */
	{ "\xf0\x80\x80\xaf", false, false, false }, /* four */
	{ "\xed\xa0\x80", false, false, false },     /* surrogate D800 */
	{ "\xed\xbf\xbf", false, false, false },     /* surrogate DFFF */
	{ "\xf4\x90\x80\x80", false, false, false }, /* U+110000 */
	{ "\xf8\x88\x80\x80\x80", false, false, false },
	{ "\x80", false, false, false },
	{ "a\xc3", false, false, false },
	{ "\xe2\x82", false, false, false },
	{ "\xe2\x28\xa1", false, false, false },
	{ "\xff", false, false, false },
};

START_TEST(texts_are_what_they_may_be)
{
	const char *s = texts[_i].text;

	ck_assert(cs_text_is_name(s, 100) == texts[_i].is_name);
	ck_assert(cs_text_is_free(s, 100) == texts[_i].is_free);
	ck_assert(cs_text_is_utf8((const uint8_t *)s, strlen(s)) == texts[_i].is_utf8);
}
END_TEST

START_TEST(limits_of_texts_are_bytes)
{
	ck_assert(cs_text_is_name("abc", 3) && !cs_text_is_name("abcd", 3));
	ck_assert(cs_text_is_free("\xe2\x82\xac", 3) && !cs_text_is_free("\xe2\x82\xac", 2));
	ck_assert(!cs_text_is_utf8((const uint8_t *)"\xe2\x82\xac", 2));
}
END_TEST

static const struct {
	const char *in, *shown;
} shows[] = {
	{ "plain \xe2\x82\xac", "plain \xe2\x82\xac" },
	{ "\x1b[2Jx", "\\x1b[2Jx" },
	{ "a\xe2\x80\xae"
	  "b",
	  "a\\xe2\\x80\\xaeb" },
	{ "\xff\xc3", "\\xff\\xc3" },
	{ "a\nb", "a\\x0ab" },
};

START_TEST(strange_text_is_shown_in_hex)
{
	struct cs_buf b;

	cs_buf_init(&b, 100);
	cs_text_show(shows[_i].in, &b);
	ck_assert_str_eq(cs_buf_str(&b), shows[_i].shown);
	cs_buf_done(&b);
}
END_TEST

static const struct {
	const char *text;
	bool ok;
	int64_t lo, hi, want;
} numbers[] = {
	{ "0", true, 0, 9, 0 },
	{ "42", true, 42, 42, 42 },
	{ "9223372036854775807", true, 0, INT64_MAX, INT64_MAX },
	{ "9223372036854775808", false, 0, INT64_MAX, 0 },
	{ "99999999999999999999999", false, 0, INT64_MAX, 0 },
	{ "10", false, 0, 9, 0 },
	{ "1", false, 2, 9, 0 },
	{ "", false, 0, 9, 0 },
	{ "00", false, 0, 9, 0 },
	{ "01", false, 0, 9, 0 },
	{ "+1", false, 0, 9, 0 },
	{ "-1", false, -9, 9, 0 },
	{ " 1", false, 0, 9, 0 },
	{ "1 ", false, 0, 9, 0 },
	{ "2x", false, 0, 9, 0 },
	{ "0x2", false, 0, 9, 0 },
};

START_TEST(only_plain_numbers_are_numbers)
{
	int64_t n = 4711;

	ck_assert(cs_text_to_int(numbers[_i].text, numbers[_i].lo, numbers[_i].hi, &n) ==
		  numbers[_i].ok);
	ck_assert(n == (numbers[_i].ok ? numbers[_i].want : 4711));
}
END_TEST

static const struct {
	const char *text;
	bool ok;
} uuids[] = {
	{ "019aa5e7-3c1f-7a3e-9d55-3d8ab0f6c0f1", true },
	{ "019AA5E7-3c1f-7a3e-9d55-3d8ab0f6c0f1", false },
	{ "019aa5e7-3c1f-7a3e-9d55-3d8ab0f6c0f", false },
	{ "019aa5e7-3c1f-7a3e-9d55-3d8ab0f6c0f12", false },
	{ "019aa5e73c1f-7a3e-9d55-3d8ab0f6c0f1--", false },
	{ "", false },
};

START_TEST(uuids_have_one_form)
{
	ck_assert(cs_text_is_uuid(uuids[_i].text) == uuids[_i].ok);
}
END_TEST

START_TEST(new_uuids_follow_the_clock)
{
	char first[CS_UUID_TEXT], second[CS_UUID_TEXT], later[CS_UUID_TEXT];

	/* RFC 9562 appendix A.6: the time of the example, 2022-02-22 19:22:22 UTC */
	cs_uuid7(INT64_C(0x017f22e279b0) * 1000, first);
	cs_uuid7(INT64_C(0x017f22e279b0) * 1000, second);
	cs_uuid7(INT64_C(0x017f22e279b0) * 1000 + 1, later);
	ck_assert(cs_text_is_uuid(first));
	ck_assert_mem_eq(first, "017f22e2-79b0-7000-", 19);
	ck_assert_ptr_nonnull(strchr("89ab", first[19]));
	ck_assert_str_ne(first, second);
	ck_assert_str_lt(first, later);
	ck_assert_str_lt(second, later);
}
END_TEST

void add_text_tests(TCase *tc)
{
	tcase_add_loop_test(tc, texts_are_what_they_may_be, 0, COUNT(texts));
	tcase_add_test(tc, limits_of_texts_are_bytes);
	tcase_add_loop_test(tc, strange_text_is_shown_in_hex, 0, COUNT(shows));
	tcase_add_loop_test(tc, only_plain_numbers_are_numbers, 0, COUNT(numbers));
	tcase_add_loop_test(tc, uuids_have_one_form, 0, COUNT(uuids));
	tcase_add_test(tc, new_uuids_follow_the_clock);
}

/* --- clock.h; seconds by GNU date */

static const struct {
	int64_t seconds, us;
	const char *text;
} times[] = {
	{ 946684800, 0, "2000-01-01T00:00:00.000000Z" },
	{ 951782399, 999999, "2000-02-28T23:59:59.999999Z" },
	{ 951782400, 0, "2000-02-29T00:00:00.000000Z" },
	{ 1078012800, 1, "2004-02-29T00:00:00.000001Z" },
	{ 1795257710, 123456, "2026-11-21T10:41:50.123456Z" },
	{ 1798761599, 0, "2026-12-31T23:59:59.000000Z" },
	{ 4107542400, 0, "2100-03-01T00:00:00.000000Z" },
	{ INT64_C(253402300799), 999999, "9999-12-31T23:59:59.999999Z" },
};

START_TEST(times_go_both_ways)
{
	int64_t us = times[_i].seconds * CS_SECOND + times[_i].us, got = 0;
	char text[CS_TIME_TEXT];

	cs_time_text(us, text);
	ck_assert_str_eq(text, times[_i].text);
	ck_assert(cs_time_parse(text, &got));
	ck_assert(got == us);
}
END_TEST

START_TEST(times_outside_the_calendar_are_the_nearest)
{
	char text[CS_TIME_TEXT];

	cs_time_text(-1, text);
	ck_assert_str_eq(text, "1970-01-01T00:00:00.000000Z");
	cs_time_text(INT64_MAX, text);
	ck_assert_str_eq(text, "9999-12-31T23:59:59.999999Z");
}
END_TEST

START_TEST(every_day_has_its_date)
{
	char text[CS_TIME_TEXT], last[CS_TIME_TEXT] = "";
	int64_t got;

	for (int64_t day = 10957; day < 10957 + 146097; day++) {
		cs_time_text(day * 86400 * CS_SECOND, text);
		ck_assert_str_gt(text, last);
		ck_assert(cs_time_parse(text, &got));
		ck_assert(got == day * 86400 * CS_SECOND);
		memcpy(last, text, sizeof(last));
	}
}
END_TEST

static const struct {
	const char *text;
	bool ok;
	int64_t seconds, us;
} written_times[] = {
	{ "2027-01-01", true, 1798761600, 0 },
	{ "2027-01-01T00:00:00Z", true, 1798761600, 0 },
	{ "2027-01-01T02:00:00+02:00", true, 1798761600, 0 },
	{ "2026-12-31T18:30:00.5-05:30", true, 1798761600, 500000 },
	{ "2028-02-29", true, 1835395200, 0 },
	{ "2027-02-29", false, 0, 0 },
	{ "2100-02-29", false, 0, 0 },
	{ "1999-12-31", false, 0, 0 },
	{ "2027-13-01", false, 0, 0 },
	{ "2027-00-01", false, 0, 0 },
	{ "2027-01-00", false, 0, 0 },
	{ "2027-04-31", false, 0, 0 },
	{ "2027-1-1", false, 0, 0 },
	{ "2027-01-01 00:00:00Z", false, 0, 0 },
	{ "2027-01-01T24:00:00Z", false, 0, 0 },
	{ "2027-01-01T00:60:00Z", false, 0, 0 },
	{ "2027-01-01T00:00:60Z", false, 0, 0 },
	{ "2027-01-01T00:00:00", false, 0, 0 },
	{ "2027-01-01T00:00:00.Z", false, 0, 0 },
	{ "2027-01-01T00:00:00.1234567Z", false, 0, 0 },
	{ "2027-01-01T00:00:00+0200", false, 0, 0 },
	{ "2027-01-01T00:00:00z", false, 0, 0 },
	{ "2027-01-01T00:00:00Z ", false, 0, 0 },
	{ "tomorrow", false, 0, 0 },
	{ "", false, 0, 0 },
};

START_TEST(what_people_write_is_read_strictly)
{
	int64_t us = 4711;

	ck_assert(cs_time_parse_any(written_times[_i].text, &us) == written_times[_i].ok);
	ck_assert(us == (written_times[_i].ok
				 ? written_times[_i].seconds * CS_SECOND + written_times[_i].us
				 : 4711));
	/* none of these is the one form of documents */
	ck_assert(!cs_time_parse(written_times[_i].text, &us));
}
END_TEST

START_TEST(an_offset_is_not_the_one_form)
{
	int64_t us;

	ck_assert(!cs_time_parse("2027-01-01T00:00:00.0+02:00", &us));
	ck_assert(!cs_time_parse("2027-01-01T00:00:00.1234560", &us));
}
END_TEST

START_TEST(clocks_run)
{
	int64_t wall = cs_clock_now(), mono = cs_clock_mono();

	ck_assert(wall > INT64_C(1577836800) * CS_SECOND);
	ck_assert(mono > 0 && cs_clock_mono() >= mono);
}
END_TEST

void add_time_tests(TCase *tc)
{
	tcase_add_loop_test(tc, times_go_both_ways, 0, COUNT(times));
	tcase_add_test(tc, times_outside_the_calendar_are_the_nearest);
	tcase_add_test(tc, every_day_has_its_date);
	tcase_add_loop_test(tc, what_people_write_is_read_strictly, 0, COUNT(written_times));
	tcase_add_test(tc, an_offset_is_not_the_one_form);
	tcase_add_test(tc, clocks_run);
}
