/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of unit_base share: their test cases, and checks that show the error's message.
 */
#ifndef TESTS_UNIT_BASE_UNIT_H
#define TESTS_UNIT_BASE_UNIT_H

#include <check.h>
#include <stdlib.h>

#include "base/buf.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/** A literal with whatever it holds, NUL bytes too. */
#define BYTES(literal) ((struct cs_bytes)BYTES_INIT(literal))
#define BYTES_INIT(literal)                                     \
	{                                                       \
		(const uint8_t *)(literal), sizeof(literal) - 1 \
	}

/** The code is `want`, and e.msg holds `part`. */
#define CHECK_FAILS(call, want, part)                                                          \
	do {                                                                                   \
		enum cs_rc got_ = (call);                                                      \
		ck_assert_msg(got_ == (want), "%s, not %s: %s", cs_rc_name(got_),              \
			      cs_rc_name(want), e.msg);                                        \
		ck_assert_msg(e.rc == (want) && strstr(e.msg, (part)), "\"%s\" not in \"%s\"", \
			      (part), e.msg);                                                  \
	} while (0)

#define CHECK_OK(call)                                                           \
	do {                                                                     \
		enum cs_rc got_ = (call);                                        \
		ck_assert_msg(got_ == CS_OK, "%s: %s", cs_rc_name(got_), e.msg); \
	} while (0)

/* One test case each; the table in unit_base.c names them. */
void add_err_tests(TCase *tc);
void add_buf_tests(TCase *tc);
void add_enc_tests(TCase *tc);
void add_text_tests(TCase *tc);
void add_time_tests(TCase *tc);
void add_json_tests(TCase *tc);
void add_jcs_tests(TCase *tc);
void add_hash_tests(TCase *tc);
void add_der_tests(TCase *tc);
void add_pk_tests(TCase *tc);
void add_pk_table_tests(TCase *tc);
void add_dsse_tests(TCase *tc);
void add_frame_tests(TCase *tc);
void add_unix_tests(TCase *tc);
void add_queue_tests(TCase *tc);
void add_file_tests(TCase *tc);
void add_secret_tests(TCase *tc);
void add_log_tests(TCase *tc);
void add_notify_tests(TCase *tc);
void add_metrics_tests(TCase *tc);
void add_bloom_tests(TCase *tc);
void add_thread_tests(TCase *tc);
void add_yaml_tests(TCase *tc);
void add_schema_tests(TCase *tc);

#endif
