/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of configuration files: what is refused, where, and that one run reports all of it.
 */
#include <stddef.h>
#include <string.h>

#include "base/clock.h"
#include "base/yaml.h"
#include "unit/base_unit.h"

/* All problems as text, in `out`. */
static void print(const struct cs_problems *p, struct cs_buf *out)
{
	cs_buf_init(out, 1U << 16);
	cs_problems_print(p, out);
}

/* --- the tree */

START_TEST(a_tree_knows_its_positions)
{
	static const char text[] = "# comment\n"
				   "name: boot\n"
				   "list:\n"
				   "  - 'quoted # text'\n"
				   "  - [a, b]\n"
				   "map: {x: 1.10, \"y\": }\n"
				   "text: |\n"
				   "  two\n"
				   "  lines\n";
	const struct cs_yaml *list, *map;
	struct cs_problems p;
	struct cs_yaml *y;

	cs_problems_init(&p, "file");
	y = cs_yaml_parse(cs_bytes_of(text), &p);
	ck_assert_uint_eq(p.count, 0);
	ck_assert_int_eq(y->kind, CS_YAML_MAP);
	ck_assert_uint_eq(y->count, 4);
	ck_assert_str_eq(y->keys[1], "list");
	ck_assert_uint_eq(y->key_pos[1].line, 3);
	ck_assert_uint_eq(y->key_pos[1].column, 1);
	ck_assert_str_eq(cs_yaml_get(y, "name")->scalar, "boot");
	ck_assert(!cs_yaml_get(y, "name")->quoted);
	ck_assert_uint_eq(cs_yaml_get(y, "name")->column, 7);
	list = cs_yaml_get(y, "list");
	ck_assert_int_eq(list->kind, CS_YAML_LIST);
	ck_assert_uint_eq(list->count, 2);
	ck_assert_str_eq(list->children[0]->scalar, "quoted # text");
	ck_assert(list->children[0]->quoted);
	ck_assert_uint_eq(list->children[1]->line, 5);
	ck_assert_str_eq(list->children[1]->children[1]->scalar, "b");
	map = cs_yaml_get(y, "map");
	ck_assert_str_eq(cs_yaml_get(map, "x")->scalar, "1.10");
	ck_assert_str_eq(cs_yaml_get(map, "y")->scalar, "");
	ck_assert_str_eq(cs_yaml_get(y, "text")->scalar, "two\nlines\n");
	ck_assert_ptr_null(cs_yaml_get(y, "none"));
	ck_assert_ptr_null(cs_yaml_get(list, "none"));
	ck_assert_ptr_null(cs_yaml_get(NULL, "none"));
	cs_yaml_free(y);
	cs_problems_done(&p);
}
END_TEST

#define DEEP "[[[[[[[[[[["
#define UNDEEP "]]]]]]]]]]]"

/* Texts and what they get, one line each. */
static const struct {
	struct cs_bytes text;
	const char *problems;
} trees[] = {
	{ BYTES_INIT(""), "file: the file is empty\n" },
	{ BYTES_INIT("# only a comment\n"), "file: the file is empty\n" },
	{ BYTES_INIT("a: &x 1\nb: *x\n"),
	  "file:1:4: anchors (&name) are not supported; write the value where it is used\n"
	  "file:2:4: aliases (*name) are not supported; write the value where it is used\n" },
	{ BYTES_INIT("a: &x [1]\nb: &y {c: 1}\n"),
	  "file:1:4: anchors (&name) are not supported; write the value where it is used\n"
	  "file:2:4: anchors (&name) are not supported; write the value where it is used\n" },
	{ BYTES_INIT("a: !!str 1\nb: !x [1]\nc: !y {d: 1}\n"),
	  "file:1:4: tags (!name) are not supported; leave it out\n"
	  "file:2:4: tags (!name) are not supported; leave it out\n"
	  "file:3:4: tags (!name) are not supported; leave it out\n" },
	{ BYTES_INIT("a: ! 1\n"), "file:1:4: tags (!name) are not supported; leave it out\n" },
	{ BYTES_INIT("a: 1\n---\nb: 2\n"),
	  "file:2:1: a second document; the file must hold one\n" },
	{ BYTES_INIT("%YAML 1.1\n---\na: 1\n"),
	  "file:1:1: directives (%YAML, %TAG) are not supported; leave them out\n" },
	{ BYTES_INIT("%TAG ! tag:x,2000:\n---\na: 1\n"),
	  "file:1:1: directives (%YAML, %TAG) are not supported; leave them out\n" },
	{ BYTES_INIT("a: 1\nb: 2\na: 3\nb: 4\n"),
	  "file:3:1: duplicate key \"a\"; the first one is on line 1\n"
	  "file:4:1: duplicate key \"b\"; the first one is on line 2\n" },
	{ BYTES_INIT("? [x]\n: 1\n? {y: 2}\n: 3\n"),
	  "file:1:3: a key must be a name, not a list or map\n"
	  "file:3:3: a key must be a name, not a list or map\n" },
	{ BYTES_INIT("a: \"x\\0y\"\n"), "file:1:4: NUL characters are not supported\n" },
	{ BYTES_INIT("a: x\0y\n"), "file:1:5: control character 0x00\n" },
	{ BYTES_INIT("a: 1\nb: \x1b[2J\n"), "file:2:4: control character 0x1b\n" },
	{ BYTES_INIT("a: \xff\n"), "file: the file is not valid UTF-8\n" },
	{ BYTES_INIT("a: \xed\xa0\x80\n"), "file: the file is not valid UTF-8\n" },
	{ BYTES_INIT("a: " DEEP UNDEEP "\n"), "" },
	{ BYTES_INIT("a: [" DEEP UNDEEP "]\nb: {c: " DEEP "x, [], {}" UNDEEP "}\n"),
	  "file:1:15: nested deeper than 12 levels\n"
	  "file:2:18: nested deeper than 12 levels\n" },
	{ BYTES_INIT("a: b: c\n"),
	  "file:1:5: not valid YAML: mapping values are not allowed in this context\n" },
	{ BYTES_INIT("a: &x 1\nb: [1\n"),
	  "file:1:4: anchors (&name) are not supported; write the value where it is used\n"
	  "file:3:1: not valid YAML: while parsing a flow sequence, did not find expected ',' or "
	  "']'\n" },
	{ BYTES_INIT("a: 'x\n"),
	  "file:2:1: not valid YAML: while scanning a quoted scalar, found unexpected end of "
	  "stream\n" },
	{ BYTES_INIT("a: 1\n\tb: 2\n"),
	  "file:2:1: not valid YAML: while scanning a plain scalar, found a tab character that "
	  "violates indentation\n" },
};

START_TEST(refusals_have_a_line_and_a_column)
{
	struct cs_problems p;
	struct cs_buf out;

	cs_problems_init(&p, "file");
	cs_yaml_free(cs_yaml_parse(trees[_i].text, &p));
	print(&p, &out);
	ck_assert_str_eq(cs_buf_str(&out), trees[_i].problems);
	cs_buf_done(&out);
	cs_problems_done(&p);
}
END_TEST

START_TEST(files_and_lists_have_limits)
{
	struct cs_problems p;
	struct cs_buf text, out;

	cs_buf_init(&text, 2 * CS_YAML_MAX);
	for (size_t i = 0; i <= CS_YAML_CHILDREN_MAX; i++)
		cs_buf_add_str(&text, "- x\n");
	cs_problems_init(&p, "file");
	ck_assert_ptr_null(cs_yaml_parse(cs_buf_bytes(&text), &p));
	print(&p, &out);
	ck_assert_str_eq(cs_buf_str(&out), "file:10001:3: more than 10000 entries\n");
	cs_buf_done(&out);
	cs_problems_done(&p);

	while (text.len <= CS_YAML_MAX)
		cs_buf_add_str(&text, "# more and more comment\n");
	cs_problems_init(&p, "file");
	ck_assert_ptr_null(cs_yaml_parse(cs_buf_bytes(&text), &p));
	print(&p, &out);
	ck_assert_ptr_nonnull(strstr(cs_buf_str(&out), "the limit is 1048576"));
	cs_buf_done(&out);
	cs_problems_done(&p);
	cs_buf_done(&text);
}
END_TEST

START_TEST(problems_are_counted_beyond_their_limit)
{
	struct cs_err e = { 0 };
	struct cs_problems p;
	struct cs_buf out;

	cs_problems_init(&p, "etc/x.yaml");
	CHECK_OK(cs_problems_check(&p, &e));
	cs_problem_add(&p, 3, 4, "bad \"%s\"", "\x1b[2J\xe2\x80\xae");
	CHECK_FAILS(cs_problems_check(&p, &e), CS_E_CONFIG,
		    "etc/x.yaml:3:4: bad \"\\x1b[2J\\xe2\\x80\\xae\"");
	ck_assert_ptr_null(strstr(e.msg, "more"));
	for (int i = 0; i < CS_YAML_PROBLEMS_MAX + 5; i++)
		cs_problem_add(&p, 0, 0, "%0300d", i);
	CHECK_FAILS(cs_problems_check(&p, &e), CS_E_CONFIG, "(and 105 more)");
	ck_assert_uint_eq(p.count, 106);
	ck_assert_uint_eq(strlen(p.list[1].text), 255);
	print(&p, &out);
	ck_assert_ptr_nonnull(strstr(cs_buf_str(&out), "etc/x.yaml: 6 more problems\n"));
	cs_buf_done(&out);
	cs_problems_done(&p);
	cs_problems_done(&p);
}
END_TEST

void add_yaml_tests(TCase *tc)
{
	tcase_add_test(tc, a_tree_knows_its_positions);
	tcase_add_loop_test(tc, refusals_have_a_line_and_a_column, 0, COUNT(trees));
	tcase_add_test(tc, files_and_lists_have_limits);
	tcase_add_test(tc, problems_are_counted_beyond_their_limit);
}

/* --- the schema */

struct settings {
	const char *name, *text, *path, *hex, *base64;
	int64_t count, wait, size, until;
	bool on;
	int color;
	const struct cs_yaml *list, *map;
};

static const char *const colors[] = { "red", "green", NULL };

#define FIELD(member, type, ...)                                              \
	{                                                                     \
#member, type, offsetof(struct settings, member), __VA_ARGS__ \
	}

static const struct cs_yaml_field fields[] = {
	FIELD(name, CS_Y_NAME, true, 1, 8, NULL, "Name of the thing."),
	FIELD(text, CS_Y_TEXT, false, 0, 0, NULL, NULL),
	FIELD(path, CS_Y_PATH, false, 0, 0, NULL, NULL),
	FIELD(hex, CS_Y_HEX, false, 4, 4, NULL, NULL),
	FIELD(base64, CS_Y_BASE64, false, 0, 0, NULL, NULL),
	FIELD(count, CS_Y_INT, false, 1, 100, NULL, NULL),
	FIELD(wait, CS_Y_SECONDS, false, 60, 86400, NULL, NULL),
	FIELD(size, CS_Y_BYTES, false, 0, 0, NULL, NULL),
	FIELD(until, CS_Y_TIME, false, 0, 0, NULL, NULL),
	FIELD(on, CS_Y_BOOL, false, 0, 0, NULL, NULL),
	FIELD(color, CS_Y_ENUM, false, 0, 0, colors, NULL),
	FIELD(list, CS_Y_LIST, false, 1, 2, NULL, NULL),
	FIELD(map, CS_Y_MAP, false, 0, 0, NULL, NULL),
};

START_TEST(a_schema_fills_a_struct)
{
	static const char text[] = "name: a/b\n"
				   "text: Some \"text\" \xe2\x82\xac\n"
				   "path: ../x y/z\n"
				   "hex: 00ff\n"
				   "base64: Zm9vYg==\n"
				   "count: 100\n"
				   "wait: 2h\n"
				   "size: 64KiB\n"
				   "until: 2027-01-01\n"
				   "on: true\n"
				   "color: green\n"
				   "list: [x]\n"
				   "map: {}\n";
	struct settings s = { .count = 5 };
	struct cs_problems p;
	struct cs_yaml *y;

	cs_problems_init(&p, "file");
	y = cs_yaml_parse(cs_bytes_of(text), &p);
	cs_yaml_read(y, "", fields, COUNT(fields), &s, &p);
	ck_assert_uint_eq(p.count, 0);
	ck_assert_str_eq(s.name, "a/b");
	ck_assert_str_eq(s.text, "Some \"text\" \xe2\x82\xac");
	ck_assert_str_eq(s.path, "../x y/z");
	ck_assert_str_eq(s.hex, "00ff");
	ck_assert_str_eq(s.base64, "Zm9vYg==");
	ck_assert_int_eq(s.count, 100);
	ck_assert_int_eq(s.wait, 7200);
	ck_assert_int_eq(s.size, 65536);
	ck_assert(s.until == 1798761600 * CS_SECOND);
	ck_assert(s.on);
	ck_assert_int_eq(s.color, 1);
	ck_assert_str_eq(s.list->children[0]->scalar, "x");
	ck_assert_uint_eq(s.map->count, 0);
	cs_yaml_free(y);
	cs_problems_done(&p);
}
END_TEST

/* One value that is wrong, and the problem, without file and line; "" when it is right. */
static const struct {
	const char *line, *problem;
} values[] = {
	{ "name: a b", "1:7: name: \"a b\": only letters, digits and . _ + / @ : - are allowed" },
	{ "name: 123456789", "1:7: name: 9 bytes; 1 to 8 are allowed" },
	{ "name: 'null'", "" },
	{ "name:", "1:6: name: no value; write one, or leave the key out" },
	{ "name: ~", "1:7: name: no value; write one, or leave the key out" },
	{ "name: null", "1:7: name: no value; write one, or leave the key out" },
	{ "name: ''", "1:7: name: 0 bytes; 1 to 8 are allowed" },
	{ "name: [a]", "1:7: name: a list; it must be a single value" },
	{ "name: {a: b}", "1:7: name: a map of keys; it must be a single value" },
	{ "name: 010", "" },
	{ "text: \"a\\tb\"", "1:7: text: control, format and bidi characters are not allowed" },
	{ "text: \"a\\u202eb\"", "1:7: text: control, format and bidi characters are not allowed" },
	{ "path: \"a\\nb\"", "1:7: path: control, format and bidi characters are not allowed" },
	{ "hex: 00FF", "1:6: hex: only whole bytes in lower-case hexadecimal are allowed" },
	{ "hex: 00ff00", "1:6: hex: 6 bytes; 4 to 4 are allowed" },
	{ "base64: Zm9vYg=",
	  "1:9: base64: not base64 (RFC 4648 section 4, with padding, in one line)" },
	{ "count: 0", "1:8: count: 0; 1 to 100 are allowed" },
	{ "count: 101", "1:8: count: 101; 1 to 100 are allowed" },
	{ "count: 010", "1:8: count: \"010\": leading zeros are not allowed" },
	{ "count: 00", "1:8: count: \"00\": leading zeros are not allowed" },
	{ "count: 2x", "1:8: count: \"2x\" is not a number such as 10" },
	{ "count: 1e2", "1:8: count: \"1e2\" is not a number such as 10" },
	{ "count: 0x10", "1:8: count: \"0x10\" is not a number such as 10" },
	{ "count: -1", "1:8: count: \"-1\" is not a number such as 10" },
	{ "count: +1", "1:8: count: \"+1\" is not a number such as 10" },
	{ "count: 1_0", "1:8: count: \"1_0\" is not a number such as 10" },
	{ "count:", "1:7: count: \"\" is not a number such as 10" },
	{ "count: '10'", "1:8: count: \"10\": write the number without quotes" },
	{ "count: 9223372036854775808", "1:8: count: \"9223372036854775808\" is too large" },
	{ "count: 99999999999999999999999999",
	  "1:8: count: \"99999999999999999999999999\" is not a number such as 10" },
	{ "wait: 59s", "1:7: wait: 59; 60 to 86400 are allowed" },
	{ "wait: 2d", "1:7: wait: 172800; 60 to 86400 are allowed" },
	{ "wait: 15m", "" },
	{ "wait: 90", "1:7: wait: \"90\" is not a duration such as 90s, 15m, 72h or 30d" },
	{ "wait: 1h30m", "1:7: wait: \"1h30m\" is not a duration such as 90s, 15m, 72h or 30d" },
	{ "wait: s", "1:7: wait: \"s\" is not a duration such as 90s, 15m, 72h or 30d" },
	{ "wait: 060s", "1:7: wait: \"060s\": leading zeros are not allowed" },
	{ "wait: 106751991167301d", "1:7: wait: \"106751991167301d\" is too large" },
	{ "size: 2GiB", "" },
	{ "size: 512", "" },
	{ "size: 2GB", "1:7: size: \"2GB\" is not a size such as 512, 64KiB, 10MiB or 2GiB" },
	{ "size: 8589934592GiB", "1:7: size: \"8589934592GiB\" is too large" },
	{ "until: tomorrow",
	  "1:8: until: \"tomorrow\" is not a time such as 2027-01-01 or 2027-01-01T12:00:00Z" },
	{ "until: 2027-02-30",
	  "1:8: until: \"2027-02-30\" is not a time such as 2027-01-01 or 2027-01-01T12:00:00Z" },
	{ "on: ture", "1:5: on: \"ture\": write true or false, without quotes" },
	{ "on: yes", "1:5: on: \"yes\": write true or false, without quotes" },
	{ "on: True", "1:5: on: \"True\": write true or false, without quotes" },
	{ "on: 'true'", "1:5: on: \"true\": write true or false, without quotes" },
	{ "on: false", "" },
	{ "color: blue", "1:8: color: \"blue\" is none of: red, green" },
	{ "list: x", "1:7: list: a single value; it must be a list" },
	{ "list: []", "1:7: list: 0 entries; 1 to 2 are allowed" },
	{ "list: [1, 2, 3]", "1:7: list: 3 entries; 1 to 2 are allowed" },
	{ "map: [1]", "1:6: map: a list; it must be a map of keys" },
	{ "nmae: x", "1:1: unknown key \"nmae\"" },
};

START_TEST(wrong_values_are_problems)
{
	struct settings before = { .count = 5 }, s = before;
	const char *problem = values[_i].problem;
	struct cs_buf text, out, want;
	struct cs_problems p;
	struct cs_yaml *y;

	cs_buf_init(&text, 1000);
	cs_buf_init(&want, 1000);
	cs_buf_addf(&text, "%s\n%s", values[_i].line,

		    strncmp(values[_i].line, "name:", 5) == 0 ? "" : "name: x\n");
	if (*problem)
		cs_buf_addf(&want, "file:%s\n", problem);
	cs_problems_init(&p, "file");
	y = cs_yaml_parse(cs_buf_bytes(&text), &p);
	cs_yaml_read(y, "", fields, COUNT(fields), &s, &p);
	print(&p, &out);
	ck_assert_str_eq(cs_buf_str(&out), cs_buf_str(&want));
	if (*problem) {
		/* what is wrong leaves its member alone, and nothing else was given */
		s.name = NULL;
		ck_assert_mem_eq(&s, &before, sizeof(s));
	}
	cs_buf_done(&out);
	cs_buf_done(&want);
	cs_buf_done(&text);
	cs_yaml_free(y);
	cs_problems_done(&p);
}
END_TEST

START_TEST(one_run_reports_all)
{
	static const char text[] = "text: &a x\n"
				   "count: 010\n"
				   "on: ture\n"
				   "other: 1\n"
				   "color: *a\n"
				   "color: red\n"
				   "list:\n"
				   "  - 1\n"
				   "  - 2\n"
				   "  - 3\n";
	static const char want[] =
		"file:1:7: anchors (&name) are not supported; write the value where it is used\n"
		"file:5:8: aliases (*name) are not supported; write the value where it is used\n"
		"file:6:1: duplicate key \"color\"; the first one is on line 5\n"
		"file:4:1: keys[2]: unknown key \"other\"\n"
		"file:1:1: keys[2]: missing key \"name\": Name of the thing.\n"
		"file:2:8: keys[2].count: \"010\": leading zeros are not allowed\n"
		"file:3:5: keys[2].on: \"ture\": write true or false, without quotes\n"
		"file:8:3: keys[2].list: 3 entries; 1 to 2 are allowed\n";
	struct settings s = { 0 };
	struct cs_problems p;
	struct cs_buf out;
	struct cs_yaml *y;

	cs_problems_init(&p, "file");
	y = cs_yaml_parse(cs_bytes_of(text), &p);
	cs_yaml_read(y, "keys[2]", fields, COUNT(fields), &s, &p);
	print(&p, &out);
	ck_assert_str_eq(cs_buf_str(&out), want);
	ck_assert_str_eq(s.text, "x");
	cs_buf_done(&out);
	cs_yaml_free(y);
	cs_problems_done(&p);
}
END_TEST

START_TEST(elements_and_maps_are_checked_alike)
{
	static const struct cs_yaml_field count = FIELD(count, CS_Y_INT, false, 1, 9, NULL, NULL);
	struct settings s = { 0 };
	struct cs_problems p;
	struct cs_buf out;
	struct cs_yaml *y;

	cs_problems_init(&p, "file");
	y = cs_yaml_parse(cs_bytes_of("- 3\n- 30\n- *x\n"), &p);
	ck_assert(cs_yaml_read_value(y->children[0], "counts[0]", &count, &s, &p));
	ck_assert_int_eq(s.count, 3);
	ck_assert(!cs_yaml_read_value(y->children[1], "counts[1]", &count, &s, &p));
	ck_assert(!cs_yaml_read_value(y->children[2], "counts[2]", &count, &s, &p));
	ck_assert_int_eq(s.count, 3);
	cs_yaml_read(y, "keys", fields, COUNT(fields), &s, &p);
	cs_yaml_read(y, "", fields, COUNT(fields), &s, &p);
	cs_yaml_read(y->children[2], "x", fields, COUNT(fields), &s, &p);
	print(&p, &out);
	ck_assert_str_eq(
		cs_buf_str(&out),
		"file:3:3: aliases (*name) are not supported; write the value where it is used\n"
		"file:2:3: counts[1]: 30; 1 to 9 are allowed\n"
		"file:1:1: keys: a list; it must be a map of keys\n"
		"file:1:1: a list; it must be a map of keys\n");
	cs_buf_done(&out);
	cs_yaml_free(y);
	cs_problems_done(&p);
}
END_TEST

void add_schema_tests(TCase *tc)
{
	tcase_add_test(tc, a_schema_fills_a_struct);
	tcase_add_loop_test(tc, wrong_values_are_problems, 0, COUNT(values));
	tcase_add_test(tc, one_run_reports_all);
	tcase_add_test(tc, elements_and_maps_are_checked_alike);
}
