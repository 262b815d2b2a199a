/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of strict JSON input and canonical JSON: RFC 8785 samples, and tables of what is refused.
 */
#include <signal.h>
#include <string.h>

#include "base/jcs.h"
#include "base/json.h"
#include "unit/base_unit.h"

#define DEEP8 "[[[[[[[["
#define UNDEEP8 "]]]]]]]]"

/* --- json.h */

static const struct {
	struct cs_bytes in;
	enum cs_rc rc;
	const char *part;
} bad_json[] = {
	{ BYTES_INIT(""), CS_E_INVALID, "doc: empty" },
	{ BYTES_INIT("["), CS_E_INVALID, "doc: line 1, column 1" },
	{ BYTES_INIT("[]"), CS_E_INVALID, "doc: an array" },
	{ BYTES_INIT("1"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("null"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("{\"a\":1"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("{\"a\":1,}"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("{'a':1}"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("{\"a\":01}"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("{\"a\":+1}"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("{\"a\":NaN}"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("{\n\"a\":1,\n\"a\":2}"), CS_E_INVALID, "duplicate" },
	{ BYTES_INIT("{\"a\":1,\"\\u0061\":2}"), CS_E_INVALID, "duplicate" },
	{ BYTES_INIT("{\"a\":1} x"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("{\"a\":1}\0"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("{\"a\":1}{}"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("\xef\xbb\xbf{}"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("{\"a\":\"\\u0000\"}"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("{\"\\u0000\":1}"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("{\"a\":\"\x01\"}"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("{\"a\":\"\\ud800\"}"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("{\"a\":\"\\udc00\\ud800\"}"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("{\"a\":\"\xc0\xaf\"}"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("{\"a\":\"\xed\xa0\x80\"}"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("{\"a\":\"\\x\"}"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("{\"a\":9223372036854775808}"), CS_E_INVALID, "doc: line 1" },
	{ BYTES_INIT("{\"a\":" DEEP8 DEEP8 UNDEEP8 UNDEEP8 "}"), CS_E_INVALID, "deeper than 16" },
	{ BYTES_INIT(DEEP8 DEEP8 "["), CS_E_INVALID, "deeper than 16" },
	{ BYTES_INIT("{\"a\":\"a string that makes it longer than the limit, which is one hundred "
		     "bytes: 0123456789 0123456789 0123456789\"}"),
	  CS_E_TOO_LARGE, "doc: 114 bytes; the limit is 100" },
	{ BYTES_INIT("{\"a\":\xe2\x80\xae\x1b}"), CS_E_INVALID, "\\x" },
};

START_TEST(malformed_json_is_refused)
{
	struct cs_err e = { 0 };
	struct cs_json *root = NULL;

	CHECK_FAILS(cs_json_parse(bad_json[_i].in, 100, "doc", &root, &e), bad_json[_i].rc,
		    bad_json[_i].part);
	ck_assert_ptr_null(root);
	ck_assert_ptr_null(strstr(e.msg, "\xe2\x80\xae"));
}
END_TEST

static const char *const good_json[] = {
	"{}",
	" {\r\n\t\"a\" : [ ] } \n",
	"{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[\\\\\"}",
	"{\"a\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}",
	"{\"a\":1.5e3,\"b\":null}",
};

START_TEST(strict_json_is_parsed)
{
	struct cs_err e = { 0 };
	struct cs_json *root = NULL;

	CHECK_OK(cs_json_parse(cs_bytes_of(good_json[_i]), 100, "doc", &root, &e));
	ck_assert_int_eq(root->kind, CS_JSON_OBJECT);
	cs_json_free(root);
}
END_TEST

/* A field of each kind, and what an absent one must leave alone. */
struct sample {
	const char *name, *text, *hex, *any;
	int64_t count;
	bool flag;
	const struct cs_json *object, *array;
};

static enum cs_rc read_sample(const char *json, const char *path, struct sample *s,
			      struct cs_json **rootp, struct cs_err *e)
{
	const struct cs_json_field fields[] = {
		CS_JSON_STR_FIELD("name", false, CS_TEXT_NAME, 1, 8, &s->name),
		CS_JSON_STR_FIELD("text", true, CS_TEXT_FREE, 0, 8, &s->text),
		CS_JSON_STR_FIELD("hex", true, CS_TEXT_HEX, 4, 4, &s->hex),
		CS_JSON_STR_FIELD("any", true, CS_TEXT_ANY, 0, 8, &s->any),
		CS_JSON_INT_FIELD("count", true, -5, 5, &s->count),
		CS_JSON_BOOL_FIELD("flag", true, &s->flag),
		CS_JSON_OBJECT_FIELD("object", true, &s->object),
		CS_JSON_ARRAY_FIELD("array", true, 1, 2, &s->array),
	};
	enum cs_rc rc = cs_json_parse(cs_bytes_of(json), 1000, "sample", rootp, e);

	return rc == CS_OK ? cs_json_read(*rootp, path, fields, COUNT(fields), e) : rc;
}

START_TEST(a_table_fills_a_struct)
{
	struct sample s = { .text = "default" };
	struct cs_err e = { 0 };
	struct cs_json *root = NULL;

	CHECK_OK(read_sample("{\"array\":[1],\"object\":{},\"flag\":true,\"count\":-5,"
			     "\"hex\":\"00ff\",\"any\":\"\\n\",\"name\":\"a/b\"}",
			     "", &s, &root, &e));
	ck_assert_str_eq(s.name, "a/b");
	ck_assert_str_eq(s.text, "default");
	ck_assert_str_eq(s.hex, "00ff");
	ck_assert_str_eq(s.any, "\n");
	ck_assert_int_eq(s.count, -5);
	ck_assert(s.flag);
	ck_assert_int_eq(s.object->kind, CS_JSON_OBJECT);
	ck_assert_uint_eq(cs_json_size(s.array), 1);
	cs_json_free(root);
}
END_TEST

static const struct {
	const char *json, *path, *message;
} bad_fields[] = {
	{ "{}", "", "name: missing" },
	{ "{}", "artifacts[2]", "artifacts[2].name: missing" },
	{ "{\"name\":\"a\",\"nam\":1}", "", "nam: unknown field" },
	{ "{\"name\":\"a\",\"\\u202e\":1}", "x", "x.\\xe2\\x80\\xae: unknown field" },
	{ "{\"name\":null}", "", "name: null; it must be a string" },
	{ "{\"name\":7}", "x.y", "x.y.name: an integer; it must be a string" },
	{ "{\"name\":\"\"}", "", "name: 0 bytes; 1 to 8 are allowed" },
	{ "{\"name\":\"123456789\"}", "", "name: 9 bytes; 1 to 8 are allowed" },
	{ "{\"name\":\"a b\"}", "", "name: only letters" },
	{ "{\"name\":\"a\",\"text\":\"\\u001b[2J\"}", "", "text: control, format and bidi" },
	{ "{\"name\":\"a\",\"text\":\"\\u202e\"}", "", "text: control, format and bidi" },
	{ "{\"name\":\"a\",\"hex\":\"00FF\"}", "", "hex: only whole bytes" },
	{ "{\"name\":\"a\",\"hex\":\"00f\"}", "", "hex: 3 bytes; 4 to 4 are allowed" },
	{ "{\"name\":\"a\",\"count\":6}", "", "count: 6; -5 to 5 are allowed" },
	{ "{\"name\":\"a\",\"count\":-6}", "", "count: -6; -5 to 5 are allowed" },
	{ "{\"name\":\"a\",\"count\":1.0}", "", "count: a number with a fraction or exponent" },
	{ "{\"name\":\"a\",\"count\":1e0}", "", "count: a number with a fraction or exponent" },
	{ "{\"name\":\"a\",\"count\":\"1\"}", "", "count: a string; it must be an integer" },
	{ "{\"name\":\"a\",\"flag\":0}", "", "flag: an integer; it must be true or false" },
	{ "{\"name\":\"a\",\"object\":[]}", "", "object: an array; it must be an object" },
	{ "{\"name\":\"a\",\"array\":{}}", "", "array: an object; it must be an array" },
	{ "{\"name\":\"a\",\"array\":[]}", "", "array: 0 elements; 1 to 2 are allowed" },
	{ "{\"name\":\"a\",\"array\":[1,2,3]}", "", "array: 3 elements; 1 to 2 are allowed" },
	{ "{\"name\":true}", "", "name: a boolean; it must be a string" },
};

START_TEST(a_wrong_field_is_named)
{
	struct sample s = { .text = "default" };
	struct cs_err e = { 0 };
	struct cs_json *root = NULL;

	CHECK_FAILS(read_sample(bad_fields[_i].json, bad_fields[_i].path, &s, &root, &e),
		    CS_E_INVALID, bad_fields[_i].message);
	ck_assert_mem_eq(e.msg, bad_fields[_i].message, strlen(bad_fields[_i].message));
	/* nothing was stored, although earlier fields were right */
	ck_assert_ptr_null(s.name);
	ck_assert_str_eq(s.text, "default");
	cs_json_free(root);
}
END_TEST

START_TEST(only_an_object_is_read)
{
	const struct cs_json array = { .kind = CS_JSON_ARRAY };
	struct cs_err e = { 0 };

	CHECK_FAILS(cs_json_read(&array, "artifacts[0]", NULL, 0, &e), CS_E_INVALID,
		    "artifacts[0]: an array; it must be an object");
	CHECK_FAILS(cs_json_read(&array, "", NULL, 0, &e), CS_E_INVALID, "document: an array");
	CHECK_FAILS(cs_json_read(NULL, "x", NULL, 0, &e), CS_E_INVALID, "x: missing");
}
END_TEST

void add_json_tests(TCase *tc)
{
	tcase_add_loop_test(tc, malformed_json_is_refused, 0, COUNT(bad_json));
	tcase_add_loop_test(tc, strict_json_is_parsed, 0, COUNT(good_json));
	tcase_add_test(tc, a_table_fills_a_struct);
	tcase_add_loop_test(tc, a_wrong_field_is_named, 0, COUNT(bad_fields));
	tcase_add_test(tc, only_an_object_is_read);
}

/* --- jcs.h */

START_TEST(the_writer_writes_canonical_json)
{
	struct cs_err e = { 0 };
	struct cs_json *root = NULL;
	struct cs_buf b;
	struct cs_jw w;

	cs_buf_init(&b, 1000);
	cs_jw_init(&w, &b);
	cs_jw_object(&w, NULL);
	cs_jw_array(&w, "array");
	cs_jw_str(&w, NULL, "x");
	cs_jw_int(&w, NULL, -7);
	cs_jw_object(&w, NULL);
	cs_jw_end_object(&w);
	cs_jw_array(&w, NULL);
	cs_jw_end_array(&w);
	cs_jw_end_array(&w);
	cs_jw_base64(&w, "base64", BYTES("foob"));
	cs_jw_hex(&w, "hex", (const uint8_t *)"\x00\xff", 2);
	cs_jw_int(&w, "most", CS_JCS_INT_MAX);
	cs_jw_bool(&w, "no", false);
	cs_jw_raw(&w, "raw", BYTES("{\"a\":1}"));
	cs_jw_bool(&w, "yes", true);
	cs_jw_end_object(&w);
	CHECK_OK(cs_buf_ok(&b, "x", &e));
	ck_assert_str_eq(cs_buf_str(&b),
			 "{\"array\":[\"x\",-7,{},[]],\"base64\":\"Zm9vYg==\",\"hex\":\"00ff\","
			 "\"most\":9007199254740991,\"no\":false,\"raw\":{\"a\":1},\"yes\":true}");
	CHECK_OK(cs_jcs_parse(cs_buf_bytes(&b), 1000, "x", &root, &e));
	cs_json_free(root);
	cs_buf_done(&b);
}
END_TEST

START_TEST(what_cannot_be_canonical_fails)
{
	struct cs_buf b;
	struct cs_jw w;

	cs_buf_init(&b, 1000);
	cs_jw_init(&w, &b);
	cs_jw_int(&w, NULL, CS_JCS_INT_MAX + 1);
	ck_assert_int_eq(b.failed, CS_E_INVALID);
	cs_buf_reset(&b);
	cs_jw_int(&w, NULL, -CS_JCS_INT_MAX - 1);
	ck_assert_int_eq(b.failed, CS_E_INVALID);
	cs_buf_reset(&b);
	cs_jw_str(&w, NULL, "\xff");
	ck_assert_int_eq(b.failed, CS_E_INVALID);
	cs_buf_done(&b);
}
END_TEST

#ifndef NDEBUG
/* Mistakes of a programmer, each ended by an assertion; only where tests are forked. */
START_TEST(descending_keys_are_a_bug)
{
	struct cs_buf b;
	struct cs_jw w;

	cs_buf_init(&b, 1000);
	cs_jw_init(&w, &b);
	cs_jw_object(&w, NULL);
	cs_jw_int(&w, "b", 1);
	cs_jw_int(&w, _i ? "b" : "a", 1);
}
END_TEST

START_TEST(a_value_without_key_is_a_bug)
{
	struct cs_buf b;
	struct cs_jw w;

	cs_buf_init(&b, 1000);
	cs_jw_init(&w, &b);
	cs_jw_object(&w, NULL);
	cs_jw_int(&w, NULL, 1);
}
END_TEST
#endif

/* Texts and their canonical form, NULL when there is none; after RFC 8785 §3.2. */
static const struct {
	const char *in, *out;
} canonical[] = {
	{ "{\"string\":\"\\u20ac$\\u000F\\u000aA'\\u0042\\u0022\\u005c\\\\\\\"\\/\","
	  "\"literals\":[true,false]}",
	  "{\"literals\":[true,false],"
	  "\"string\":\"\xe2\x82\xac$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}" },
	{ "{\"1\":\"One\",\"\\r\":\"x\"}", NULL },
	{ "{\"peach\":\"This sorting order\",\"1\":{\"f\":{\"f\":\"hi\",\"F\":5},\"A\":56},"
	  "\"10\":{},\"a\":{}}",
	  "{\"1\":{\"A\":56,\"f\":{\"F\":5,\"f\":\"hi\"}},\"10\":{},\"a\":{},"
	  "\"peach\":\"This sorting order\"}" },
	{ "{\"a\":\"\\b\\t\\n\\f\\r\\u0000\"}", NULL },
	{ "{\"a\":\"\\b\\t\\n\\f\\r\\u0001\\u001f\\u007f\\u2028\\ud83d\\udd11\"}",
	  "{\"a\":\"\\b\\t\\n\\f\\r\\u0001\\u001f\x7f\xe2\x80\xa8\xf0\x9f\x94\x91\"}" },
	{ " { \"b\" : 1 , \"a\" : -0 } ", "{\"a\":0,\"b\":1}" },
	{ "{\"a\":9007199254740991,\"b\":-9007199254740991}",
	  "{\"a\":9007199254740991,\"b\":-9007199254740991}" },
	{ "{\"a\":9007199254740992}", NULL },
	{ "{\"a\":-9007199254740992}", NULL },
	{ "{\"a\":1.0}", NULL },
	{ "{\"a\":1e2}", NULL },
	{ "{\"a\":[null]}", NULL },
	{ "{\"\\u00e9\":1}", NULL },
	{ "{\"\\n\":1}", NULL },
	{ "{\"\\\"\":1}", "{\"\\\"\":1}" },
	{ "{\"a2345678901234567890123456789012345678901234567\":1}",
	  "{\"a2345678901234567890123456789012345678901234567\":1}" },
	{ "{\"a23456789012345678901234567890123456789012345678\":1}", NULL },
	{ "{\"a\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}", "{\"a\":[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]}" },
};

START_TEST(values_have_one_form)
{
	enum cs_rc rc, want = canonical[_i].out ? CS_OK : CS_E_INVALID;
	struct cs_err e = { 0 };
	struct cs_json *root = NULL;
	struct cs_buf b;

	cs_buf_init(&b, 1000);
	rc = cs_json_parse(cs_bytes_of(canonical[_i].in), 1000, "x", &root, &e);
	if (rc == CS_OK)
		rc = cs_jcs_write(root, &b, &e);
	ck_assert_msg(rc == want, "%s: %s", cs_rc_name(rc), e.msg);
	if (rc == CS_OK)
		ck_assert_str_eq(cs_buf_str(&b), canonical[_i].out);
	cs_json_free(root);
	cs_buf_done(&b);
}
END_TEST

START_TEST(deep_values_are_refused)
{
	struct cs_json levels[CS_JCS_DEPTH_MAX + 1];
	struct cs_err e = { 0 };
	struct cs_buf b;

	for (int i = CS_JCS_DEPTH_MAX; i >= 0; i--) {
		bool innermost = i == CS_JCS_DEPTH_MAX;

		levels[i] = (struct cs_json){ .kind = CS_JSON_ARRAY,
					      .size = innermost ? 0 : 1,
					      .first = innermost ? NULL : &levels[i + 1] };
	}
	cs_buf_init(&b, 1000);
	CHECK_FAILS(cs_jcs_write(&levels[0], &b, &e), CS_E_INVALID, "deeper than 16");
	cs_buf_done(&b);
	cs_buf_init(&b, 3);
	CHECK_FAILS(cs_jcs_write(&levels[1], &b, &e), CS_E_TOO_LARGE, "3 bytes");
	cs_buf_done(&b);
}
END_TEST

static const struct {
	struct cs_bytes in;
	const char *part;
} not_canonical[] = {
	{ BYTES_INIT("{\"a\":1} "), "not canonical" },
	{ BYTES_INIT("{ \"a\":1}"), "not canonical" },
	{ BYTES_INIT("{\"b\":1,\"a\":1}"), "not canonical" },
	{ BYTES_INIT("{\"a\":\"\\u0041\"}"), "not canonical" },
	{ BYTES_INIT("{\"a\":\"\\/\"}"), "not canonical" },
	{ BYTES_INIT("{\"a\":\"\\u001F\"}"), "not canonical" },
	{ BYTES_INIT("{\"a\":\"\\u000a\"}"), "not canonical" },
	{ BYTES_INIT("{\"a\":-0}"), "not canonical" },
	{ BYTES_INIT("{\"a\":1.0}"), "document: numbers with a fraction" },
	{ BYTES_INIT("{\"a\":null}"), "document: null is refused" },
	{ BYTES_INIT("{\"a\":1,\"a\":1}"), "document: line 1" },
	{ BYTES_INIT("[]"), "document: an array" },
	{ BYTES_INIT(""), "document: empty" },
};

START_TEST(another_form_is_refused)
{
	struct cs_err e = { 0 };
	struct cs_json *root = NULL;

	CHECK_FAILS(cs_jcs_parse(not_canonical[_i].in, 100, "document", &root, &e), CS_E_INVALID,
		    not_canonical[_i].part);
	ck_assert_ptr_null(root);
}
END_TEST

void add_jcs_tests(TCase *tc)
{
	const char *fork = getenv("CK_FORK");

	tcase_add_test(tc, the_writer_writes_canonical_json);
	tcase_add_test(tc, what_cannot_be_canonical_fails);
	tcase_add_loop_test(tc, values_have_one_form, 0, COUNT(canonical));
	tcase_add_test(tc, deep_values_are_refused);
	tcase_add_loop_test(tc, another_form_is_refused, 0, COUNT(not_canonical));
#ifndef NDEBUG
	if (!fork || strcmp(fork, "no") != 0) {
		tcase_add_loop_test_raise_signal(tc, descending_keys_are_a_bug, SIGABRT, 0, 2);
		tcase_add_test_raise_signal(tc, a_value_without_key_is_a_bug, SIGABRT);
	}
#endif
}
