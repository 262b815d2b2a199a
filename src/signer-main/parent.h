/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parent: starts children one at a time, replaces dead ones, reloads the policy, syncs
 * journals. Never loads the module, never reads the PIN.
 */
#ifndef CS_SIGNER_MAIN_PARENT_H
#define CS_SIGNER_MAIN_PARENT_H

#include "signer-main/exits.h"
#include "signer-main/options.h"

/** Run until SIGTERM or SIGINT, or until no child can ever serve. */
enum cs_exit cs_parent_run(const struct cs_options *o);

#endif
