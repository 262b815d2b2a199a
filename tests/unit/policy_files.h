/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signing.yaml and access.yaml for tests: texts with marks where keys and enrolments go, and edits
 * of them. A failure ends the test.
 */
#ifndef TESTS_UNIT_POLICY_FILES_H
#define TESTS_UNIT_POLICY_FILES_H

#include "model/access.h"
#include "model/policy.h"

/** Good files: two tokens, two keys, three approvers; an agent, an approver and an auditor. */
extern const char policy_files_signing[];
extern const char policy_files_access[];

/** One change of a text: its first `find` becomes `replace`. NULL: no change. */
struct text_edit {
	const char *find, *replace;
};

/**
 * The edited text with its marks filled in; the caller frees it with free().
 * {pk:KEY} base64 SPKI of tests/keys/KEY.pem; {sha:KEY} its SHA-256;
 * {enrolment:KEY:PERSON:INSTANCE:OTHER} signed by KEY for the public key of OTHER.
 */
char *policy_files_text(const char *template, const struct text_edit *edit);

/** Make the marks of both files, for tests that fork afterwards; and free them. */
void policy_files_prepare(void);
void policy_files_forget(void);

/** Load what must load. */
struct cs_policy *policy_files_policy(const struct text_edit *edit);
struct cs_access *policy_files_access_list(const struct cs_policy *policy,
					   const struct text_edit *edit);

#endif
