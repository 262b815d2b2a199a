/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signer in a thread, for tests of core/: real protocol, software keys of tests/keys, and faults
 * on demand. It checks nothing; what the real one refuses is tested in tests/flow.
 */
#ifndef TESTS_UNIT_FAKE_SIGNER_H
#define TESTS_UNIT_FAKE_SIGNER_H

#include "model/policy.h"

/** What it does with the next SIGN frames. */
enum fake_mode {
	FAKE_SIGN,
	FAKE_REFUSE,    /* outcome refused, "quorum" */
	FAKE_NOT_TRIED, /* CKR_SESSION_HANDLE_INVALID before C_Sign */
	FAKE_SILENT,    /* take the frame, close without an answer */
	FAKE_FLIP,      /* sign, then flip a bit */
};

struct fake_signer;

/** Listens on dir/NAME.sock until it is stopped. The policy is borrowed. */
struct fake_signer *fake_signer_start(const char *dir, const char *token,
				      const struct cs_policy *policy);
/** Do this `times` times, then sign again; −1 = for ever. */
void fake_signer_set(struct fake_signer *f, enum fake_mode mode, int times);
/** Announce another policy from the next connection on. */
void fake_signer_policy(struct fake_signer *f, const struct cs_policy *policy);
/** Give these times of the last self-test in turn, as two children would. */
void fake_signer_selftests(struct fake_signer *f, int64_t one, int64_t other);
/** Say that so many children were started anew. */
void fake_signer_restarts(struct fake_signer *f, int64_t count);
/** Signatures made. */
int fake_signer_count(struct fake_signer *f);
void fake_signer_stop(struct fake_signer *f);

#endif
