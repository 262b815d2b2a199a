/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of unit_policy share.
 */
#ifndef TESTS_UNIT_UNIT_POLICY_H
#define TESTS_UNIT_UNIT_POLICY_H

#include <check.h>

TCase *tcase_signing(void);
TCase *tcase_access(void);
TCase *tcase_judge(void);
TCase *tcase_explain(void);

#endif
