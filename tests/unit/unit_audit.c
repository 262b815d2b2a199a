/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of audit/: each kind of event is written, read back and compared with bytes that stand
 * here; what is not exactly an event is refused with the member's name.
 */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "audit/detail.h"
#include "base/clock.h"
#include "base/enc.h"

#define REQUEST "019aa5e7-3c1f-7a3e-9d55-3d8ab0f6c0f1"

static const struct cs_sha256 ones = { { [0 ... 31] = 0x11 } };
static const struct cs_sha256 twos = { { [0 ... 31] = 0x22 } };
#define ONES "1111111111111111111111111111111111111111111111111111111111111111"
#define TWOS "2222222222222222222222222222222222222222222222222222222222222222"

/* --- one writer per kind, with its bytes */

static void w_log_created(struct cs_buf *b)
{
	cs_detail_log_created(b, "acme");
}

static void w_started(struct cs_buf *b)
{
	cs_detail_started(b, "0.1.0", 77);
}

static void w_unclean(struct cs_buf *b)
{
	cs_detail_unclean(b, 41);
}

static void w_policy(struct cs_buf *b)
{
	cs_detail_policy(b, &ones, cs_bytes_of("{}"), 3, cs_bytes_of("version: 3\n"));
}

static void w_access(struct cs_buf *b)
{
	cs_detail_access(b, &ones, 5);
}

static void w_auth_refused(struct cs_buf *b)
{
	cs_detail_auth_refused(b, 2, "certificate expired", "192.0.2.7");
}

static void w_access_refused(struct cs_buf *b)
{
	cs_detail_access_refused(b, 3, "GET", "/v1/audit/head", "auditor");
}

static void w_denied(struct cs_buf *b)
{
	cs_detail_denied(b, &ones, "no key app-prod", "key-not-allowed");
}

static void w_created(struct cs_buf *b)
{
	cs_detail_created(b, cs_bytes_of("{\"a\":1}"), CS_ST_PENDING);
}

static void w_decision(struct cs_buf *b)
{
	cs_detail_decision(b, cs_bytes_of("{}"), "approver1", CS_ST_APPROVED);
}

static void w_rejudged(struct cs_buf *b)
{
	cs_detail_rejudged(b, "policy 4 needs 2 of security", CS_ST_PENDING);
}

static void w_reason(struct cs_buf *b)
{
	cs_detail_reason(b, "requester");
}

static void w_signed(struct cs_buf *b)
{
	const struct cs_bytes sigs[] = { cs_bytes_of("abc"), cs_bytes_of("defg") };

	cs_detail_signed(b, sigs, 2);
}

static void w_intent(struct cs_buf *b)
{
	const struct cs_intent i = { 1, 2, ones, twos, "prod" };

	cs_detail_intent(b, &i);
}

static void w_done(struct cs_buf *b)
{
	cs_detail_done(b, 1, 2, &ones, &twos);
}

static void w_not_done(struct cs_buf *b)
{
	cs_detail_not_done(b, 0, 1, "CKR_DEVICE_ERROR", "the token said no", true);
}

static void w_export(struct cs_buf *b)
{
	cs_detail_export(b, 1, 99);
}

static void w_restored(struct cs_buf *b)
{
	const struct cs_log_ref found = { ones, 7, twos }, kept = { ones, 41, ones };

	cs_detail_restored(b, &found, &kept);
}

static void w_signer(struct cs_buf *b)
{
	cs_detail_signer(b, "connection refused", "prod");
}

static void w_selftest(struct cs_buf *b)
{
	cs_detail_selftest(b, 1, 4, false, "prod");
}

static void w_clock_jump(struct cs_buf *b)
{
	cs_detail_clock_jump(b, -2500000);
}

static void w_disk(struct cs_buf *b)
{
	cs_detail_disk(b, 1024, 2048);
}

static void w_damaged(struct cs_buf *b)
{
	cs_detail_damaged(b, "its bytes do not have its hash", 12);
}

static const struct {
	enum cs_event_kind kind;
	void (*write)(struct cs_buf *b);
	const char *bytes;
} details[] = {
	{ CS_EV_LOG_CREATED, w_log_created, "{\"instance\":\"acme\"}" },
	{ CS_EV_START, w_started, "{\"pid\":77,\"version\":\"0.1.0\"}" },
	{ CS_EV_STOP, cs_detail_empty, "{}" },
	{ CS_EV_UNCLEAN, w_unclean, "{\"last_seq\":41}" },
	{ CS_EV_POLICY, w_policy,
	  "{\"digest\":\"" ONES "\",\"resolved\":\"e30=\",\"version\":3,"
	  "\"yaml\":\"dmVyc2lvbjogMwo=\"}" },
	{ CS_EV_ACCESS, w_access, "{\"digest\":\"" ONES "\",\"principals\":5}" },
	{ CS_EV_AUTH_REFUSED, w_auth_refused,
	  "{\"count\":2,\"reason\":\"certificate expired\",\"source\":\"192.0.2.7\"}" },
	{ CS_EV_ACCESS_REFUSED, w_access_refused,
	  "{\"count\":3,\"method\":\"GET\",\"path\":\"/v1/audit/head\",\"role\":\"auditor\"}" },
	{ CS_EV_REQUEST_DENIED, w_denied,
	  "{\"fingerprint\":\"" ONES "\",\"reason\":\"no key app-prod\","
	  "\"rule\":\"key-not-allowed\"}" },
	{ CS_EV_REQUEST_CREATED, w_created,
	  "{\"document\":\"eyJhIjoxfQ==\",\"state\":\"pending\"}" },
	{ CS_EV_REQUEST_DECISION, w_decision,
	  "{\"envelope\":\"e30=\",\"person\":\"approver1\",\"state\":\"approved\"}" },
	{ CS_EV_REQUEST_REJUDGED, w_rejudged,
	  "{\"reason\":\"policy 4 needs 2 of security\",\"state\":\"pending\"}" },
	{ CS_EV_REQUEST_CANCELLED, w_reason, "{\"reason\":\"requester\"}" },
	{ CS_EV_REQUEST_EXPIRED, cs_detail_empty, "{}" },
	{ CS_EV_REQUEST_SIGNED, w_signed, "{\"signatures\":[\"YWJj\",\"ZGVmZw==\"]}" },
	{ CS_EV_REQUEST_FAILED, w_reason, "{\"reason\":\"requester\"}" },
	{ CS_EV_SIGN_INTENT, w_intent,
	  "{\"artifact\":1,\"attempt\":2,\"spki_sha256\":\"" ONES "\",\"tbs_sha256\":\"" TWOS
	  "\",\"token\":\"prod\"}" },
	{ CS_EV_SIGN_DONE, w_done,
	  "{\"artifact\":1,\"attempt\":2,\"raw_sha256\":\"" ONES "\",\"signature_sha256\":\"" TWOS
	  "\"}" },
	{ CS_EV_SIGN_FAILED, w_not_done,
	  "{\"artifact\":0,\"attempt\":1,\"code\":\"CKR_DEVICE_ERROR\","
	  "\"message\":\"the token said no\",\"reached_hsm\":true}" },
	{ CS_EV_SIGN_UNKNOWN, w_not_done,
	  "{\"artifact\":0,\"attempt\":1,\"code\":\"CKR_DEVICE_ERROR\","
	  "\"message\":\"the token said no\",\"reached_hsm\":true}" },
	{ CS_EV_EXPORT, w_export, "{\"from\":1,\"to\":99}" },
	{ CS_EV_RESTORED, w_restored,
	  "{\"head\":\"" TWOS "\",\"id\":\"" ONES "\",\"kept_head\":\"" ONES
	  "\",\"kept_id\":\"" ONES "\",\"kept_size\":41,\"size\":7}" },
	{ CS_EV_SIGNER_LOST, w_signer, "{\"message\":\"connection refused\",\"token\":\"prod\"}" },
	{ CS_EV_SIGNER_BACK, w_signer, "{\"message\":\"connection refused\",\"token\":\"prod\"}" },
	{ CS_EV_SELFTEST, w_selftest, "{\"failed\":1,\"keys\":4,\"ok\":false,\"token\":\"prod\"}" },
	{ CS_EV_CLOCK_JUMP, w_clock_jump, "{\"jump_us\":-2500000}" },
	{ CS_EV_DISK_LOW, w_disk, "{\"free_bytes\":1024,\"watermark_bytes\":2048}" },
	{ CS_EV_DISK_BACK, w_disk, "{\"free_bytes\":1024,\"watermark_bytes\":2048}" },
	{ CS_EV_LOG_DAMAGED, w_damaged,
	  "{\"message\":\"its bytes do not have its hash\",\"seq\":12}" },
};

static enum cs_rc read_text(enum cs_event_kind kind, const char *text, struct cs_detail *d,
			    struct cs_json **jsonp, struct cs_err *e)
{
	*jsonp = NULL;
	ck_assert_int_eq(cs_json_parse(cs_bytes_of(text), CS_EVENT_MAX, "detail", jsonp, e), CS_OK);
	return cs_detail_read(kind, *jsonp, d, e);
}

START_TEST(every_detail_is_written_and_read)
{
	struct cs_detail d;
	struct cs_err e = { 0 };
	struct cs_buf b;
	struct cs_json *json;

	cs_buf_init(&b, 4096);
	details[_i].write(&b);
	ck_assert_str_eq(cs_buf_str(&b), details[_i].bytes);
	ck_assert_msg(read_text(details[_i].kind, cs_buf_str(&b), &d, &json, &e) == CS_OK, "%s: %s",
		      cs_event_kind_name(details[_i].kind), e.msg);
	cs_detail_free(&d);
	cs_json_free(json);
	cs_buf_done(&b);
}
END_TEST

START_TEST(every_kind_has_a_detail_and_a_name)
{
	size_t count = sizeof(details) / sizeof(details[0]);

	ck_assert_uint_eq(count, CS_EV__COUNT - 1);
	for (int k = CS_EV_NONE + 1; k < CS_EV__COUNT; k++) {
		ck_assert_int_eq(details[k - 1].kind, k);
		ck_assert_int_eq(cs_event_kind_from_name(cs_event_kind_name((enum cs_event_kind)k)),
				 k);
	}
	ck_assert_int_eq(cs_event_kind_from_name("request.forgotten"), CS_EV_NONE);
}
END_TEST

START_TEST(members_arrive_where_they_belong)
{
	struct cs_detail d;
	struct cs_json *json;

	ck_assert_int_eq(
		read_text(CS_EV_SIGN_DONE, details[CS_EV_SIGN_DONE - 1].bytes, &d, &json, NULL),
		CS_OK);
	ck_assert_int_eq(d.artifact, 1);
	ck_assert_int_eq(d.attempt, 2);
	ck_assert(cs_sha256_equal(&d.raw, &ones));
	ck_assert(cs_sha256_equal(&d.signature, &twos));
	cs_detail_free(&d);
	cs_json_free(json);

	ck_assert_int_eq(read_text(CS_EV_REQUEST_SIGNED, details[CS_EV_REQUEST_SIGNED - 1].bytes,
				   &d, &json, NULL),
			 CS_OK);
	ck_assert_uint_eq(d.signature_count, 2);
	ck_assert_str_eq(cs_buf_str(&d.signatures[1]), "defg");
	cs_detail_free(&d);
	cs_json_free(json);

	ck_assert_int_eq(read_text(CS_EV_REQUEST_DECISION,
				   details[CS_EV_REQUEST_DECISION - 1].bytes, &d, &json, NULL),
			 CS_OK);
	ck_assert_str_eq(d.person, "approver1");
	ck_assert_int_eq(d.state, CS_ST_APPROVED);
	ck_assert_str_eq(cs_buf_str(&d.envelope), "{}");
	cs_detail_free(&d);
	cs_json_free(json);
}
END_TEST

static const struct {
	enum cs_event_kind kind;
	const char *text, *says;
} bad_details[] = {
	{ CS_EV_STOP, "{\"why\":1}", "why" },
	{ CS_EV_LOG_CREATED, "{}", "detail.instance" },
	{ CS_EV_LOG_CREATED, "{\"instance\":\"a b\"}", "detail.instance" },
	{ CS_EV_START, "{\"pid\":0,\"version\":\"1\"}", "detail.pid" },
	{ CS_EV_POLICY, "{\"digest\":\"11\",\"resolved\":\"e30=\",\"version\":3,\"yaml\":\"\"}",
	  "detail.digest" },
	{ CS_EV_POLICY,
	  "{\"digest\":\"" ONES "\",\"resolved\":\"e30\",\"version\":3,\"yaml\":\"\"}",
	  "resolved" },
	{ CS_EV_REQUEST_CREATED, "{\"document\":\"e30=\",\"state\":\"done\"}", "state" },
	{ CS_EV_REQUEST_SIGNED, "{\"signatures\":[]}", "detail.signatures" },
	{ CS_EV_REQUEST_SIGNED, "{\"signatures\":[1]}", "signatures[0]" },
	{ CS_EV_REQUEST_SIGNED, "{\"signatures\":[\"YWJj\",\"*\"]}", "signatures" },
	{ CS_EV_SIGN_FAILED,
	  "{\"artifact\":16,\"attempt\":1,\"code\":\"\",\"message\":\"\",\"reached_hsm\":false}",
	  "detail.artifact" },
	{ CS_EV_SIGN_FAILED,
	  "{\"artifact\":0,\"attempt\":1,\"code\":\"\",\"message\":\"a\\u202e\",\"reached_hsm\":true}",
	  "detail.message" },
	{ CS_EV_SELFTEST, "{\"failed\":0,\"keys\":1,\"ok\":1,\"token\":\"t\"}", "detail.ok" },
};

START_TEST(a_bad_detail_is_refused_by_name)
{
	struct cs_detail d;
	struct cs_err e = { 0 };
	struct cs_json *json;

	ck_assert_int_eq(read_text(bad_details[_i].kind, bad_details[_i].text, &d, &json, &e),
			 CS_E_INVALID);
	ck_assert_msg(strstr(e.msg, bad_details[_i].says) != NULL, "\"%s\" does not name %s", e.msg,
		      bad_details[_i].says);
	cs_json_free(json);
}
END_TEST

START_TEST(free_text_is_cut_and_made_harmless)
{
	char path[2 * CS_EVENT_PATH_MAX + 1];
	struct cs_detail d;
	struct cs_buf b;
	struct cs_json *json;

	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	path[0] = '\x1b';
	cs_buf_init(&b, 4096);
	cs_detail_access_refused(&b, 1, "GET", path, "agent");
	ck_assert_int_eq(read_text(CS_EV_ACCESS_REFUSED, cs_buf_str(&b), &d, &json, NULL), CS_OK);
	ck_assert_uint_eq(strlen(d.path), CS_EVENT_PATH_MAX);
	ck_assert_int_eq(strncmp(d.path, "\\x1baaa", 7), 0);
	cs_detail_free(&d);
	cs_json_free(json);
	cs_buf_done(&b);
}
END_TEST

/* --- events */

#define EVENT                                                                                \
	"{\"actor\":\"daemon\",\"detail\":{},\"kind\":\"request.expired\",\"prev\":\"" ONES  \
	"\",\"request\":\"" REQUEST "\",\"seq\":7,\"time\":\"2026-11-21T10:41:50.123456Z\"," \
	"\"type\":\"application/vnd.countersign.event+json\",\"v\":1}"

static struct cs_event sample(void)
{
	struct cs_event ev = {
		.seq = 7,
		.kind = CS_EV_REQUEST_EXPIRED,
		.actor = "daemon",
		.request = REQUEST,
		.prev = ones,
		.detail = cs_bytes_of("{}"),
	};

	ck_assert(cs_time_parse("2026-11-21T10:41:50.123456Z", &ev.time));
	return ev;
}

START_TEST(an_event_is_written_and_read)
{
	struct cs_event ev = sample(), back;
	struct cs_err e = { 0 };
	struct cs_json *root = NULL;
	struct cs_buf b;

	cs_buf_init(&b, CS_EVENT_MAX);
	cs_event_write(&ev, &b);
	ck_assert_str_eq(cs_buf_str(&b), EVENT);
	ck_assert_msg(cs_event_parse(cs_buf_bytes(&b), &back, &root, &e) == CS_OK, "%s", e.msg);
	ck_assert_int_eq(back.seq, ev.seq);
	ck_assert_int_eq(back.time, ev.time);
	ck_assert_int_eq(back.kind, ev.kind);
	ck_assert_str_eq(back.actor, ev.actor);
	ck_assert_str_eq(back.request, ev.request);
	ck_assert(cs_sha256_equal(&back.prev, &ev.prev));
	ck_assert_uint_eq(back.detail.len, 0);
	cs_json_free(root);
	cs_buf_done(&b);
}
END_TEST

START_TEST(the_hash_is_the_leaf_hash)
{
	/* printf '\0abc' | sha256sum */
	struct cs_sha256 h = cs_event_hash(cs_bytes_of("abc"));
	char hex[CS_SHA256_HEX];

	cs_sha256_hex(&h, hex);
	ck_assert_str_eq(hex, "609f6e36d2405585188d5cfd761f407c7cc46a7d3f314c88270469dde315fcd1");
}
END_TEST

/* EVENT with one piece replaced. */
static const struct {
	const char *old, *new, *says;
} bad_events[] = {
	{ "\"v\":1", "\"v\":2", "v" },
	{ "\"v\":1", "\"v\": 1", "canonical" },
	{ "\"seq\":7", "\"seq\":0", "seq" },
	{ "\"seq\":7,", "", "seq" },
	{ "\"seq\":7", "\"size\":7", "size" },
	{ "request.expired", "request.vanished", "kind" },
	{ "event+json", "other+json", "type" },
	{ "2026-11-21T10", "2026-11-21T25", "time" },
	{ ".123456Z", ".123Z", "time" },
	{ REQUEST, "019aa5e7", "request" },
	{ "\"daemon\"", "\"\"", "actor" },
	{ "\"daemon\"", "\"my daemon\"", "actor" },
	{ "\"detail\":{}", "\"detail\":[]", "detail" },
	{ ONES, "11", "prev" },
	{ "\"prev\":\"1", "\"prev\":\"X", "prev" },
};

START_TEST(a_bad_event_is_refused_by_name)
{
	const char *at = strstr(EVENT, bad_events[_i].old);
	struct cs_err e = { 0 };
	struct cs_event ev;
	struct cs_json *root = NULL;
	struct cs_buf b;

	ck_assert_ptr_nonnull(at);
	cs_buf_init(&b, CS_EVENT_MAX);
	cs_buf_add(&b, EVENT, (size_t)(at - EVENT));
	cs_buf_add_str(&b, bad_events[_i].new);
	cs_buf_add_str(&b, at + strlen(bad_events[_i].old));
	ck_assert_int_eq(cs_event_parse(cs_buf_bytes(&b), &ev, &root, &e), CS_E_INVALID);
	ck_assert_msg(strstr(e.msg, bad_events[_i].says) != NULL, "\"%s\" does not name %s", e.msg,
		      bad_events[_i].says);
	ck_assert_ptr_null(root);
	cs_buf_done(&b);
}
END_TEST

#define COUNT(table) ((int)(sizeof(table) / sizeof((table)[0])))

int main(void)
{
	Suite *suite = suite_create("audit");
	TCase *tc = tcase_create("audit");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, every_detail_is_written_and_read, 0, COUNT(details));
	tcase_add_test(tc, every_kind_has_a_detail_and_a_name);
	tcase_add_test(tc, members_arrive_where_they_belong);
	tcase_add_loop_test(tc, a_bad_detail_is_refused_by_name, 0, COUNT(bad_details));
	tcase_add_test(tc, free_text_is_cut_and_made_harmless);
	tcase_add_test(tc, an_event_is_written_and_read);
	tcase_add_test(tc, the_hash_is_the_leaf_hash);
	tcase_add_loop_test(tc, a_bad_event_is_refused_by_name, 0, COUNT(bad_events));
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
