/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hardening of the process, before anything else.
 */
#ifndef CS_SIGNER_MAIN_HARDEN_H
#define CS_SIGNER_MAIN_HARDEN_H

#include "base/err.h"

/** Lasts for the process and its children. CS_E_INTERNAL when the kernel refuses. */
enum cs_rc cs_harden(struct cs_err *e) CS_MUST_CHECK;

#endif
