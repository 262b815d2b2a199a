/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of unit_signer share: sample messages and test cases.
 */
#ifndef TESTS_UNIT_UNIT_SIGNER_H
#define TESTS_UNIT_UNIT_SIGNER_H

#include <check.h>

#include "signer/protocol.h"

extern const struct cs_signer_hello sample_hello;
/** A result of artifact `index` that is ok. */
struct cs_signer_result sample_result(uint32_t index);

TCase *tcase_protocol(void);
TCase *tcase_client(void);

#endif
