/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A child's life: load the module, log in once, find and test the keys, serve, end by C_Finalize
 * and _exit.
 */
#ifndef CS_SIGNER_MAIN_CHILD_H
#define CS_SIGNER_MAIN_CHILD_H

#include "base/metrics.h"
#include "p11/p11.h"
#include "signer-main/accepted.h"
#include "signer-main/exits.h"
#include "signer-main/hung_keys.h"

/** All borrowed from the parent's memory, as it was at the fork; restarts as they are now. */
struct cs_child {
	const struct cs_options *options;
	const struct cs_accepted *accepted;
	const struct cs_hung_keys *hung_keys;
	const struct cs_counter *restarts;
	unsigned slot;
	int listen_fd;
	int report_fd; /* gets one byte once the child serves */
};

/** Never returns. SIGTERM is blocked when this is called. */
_Noreturn void cs_child_run(const struct cs_child *child);

/** Does the policy allow its keys on this token? Refuses software tokens for prod, unless they are
 * announced. */
enum cs_rc cs_child_check_token(const struct cs_options *o, const struct cs_accepted *a,
				const struct cs_p11_token_info *info, bool *softwarep,
				struct cs_err *e) CS_MUST_CHECK;

#endif
