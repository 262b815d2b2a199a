/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of unit_model share: its test cases, and edits of sample documents.
 */
#ifndef TESTS_UNIT_UNIT_MODEL_H
#define TESTS_UNIT_UNIT_MODEL_H

#include <check.h>

#include "base/buf.h"

/** A change of a sample document and what its parser must say. */
struct edit {
	const char *find;    /* must be in the sample; its first occurrence is replaced */
	const char *replace; /* may be NULL: nothing is replaced, the sample is good */
	enum cs_rc rc;
	const char *message; /* part of the error's message */
};

/** The sample after the edit; the caller frees it with free(). */
char *edit_apply(const struct edit *edit, const char *sample);
/** Fail the test unless rc and e are what the edit expects. */
void edit_expect(const struct edit *edit, enum cs_rc rc, const struct cs_err *e);
struct cs_bytes bytes_of(const char *text);

TCase *tcase_names(void);
TCase *tcase_states(void);
TCase *tcase_submission(void);
TCase *tcase_request(void);
TCase *tcase_decision(void);
TCase *tcase_quorum_list(void);
TCase *tcase_policy(void);
TCase *tcase_access(void);

#endif
