/* SPDX-License-Identifier: Apache-2.0 */
/*
 * This token's keys as the policy has them: found, checked, self-tested, and used through the
 * journal. A key is usable only while its last self-test passed; one in disorder is set aside
 * alone.
 */
#ifndef CS_SIGNER_MAIN_KEYRING_H
#define CS_SIGNER_MAIN_KEYRING_H

#include "format/format.h"
#include "p11/p11.h"
#include "signer-main/hung_keys.h"
#include "signer-main/journal.h"
#include "signer/protocol.h"

struct cs_keyring;

/**
 * Find each key of the token. Keys that are missing or wrong stay, unusable, with their problem;
 * they are looked for again every few seconds.
 *
 * @param policy       borrowed for the keyring's life, like p11 and journal
 * @param selftest_us  period of the self-tests
 */
enum cs_rc cs_keyring_new(const struct cs_policy *policy, size_t token, struct cs_p11 *p11,
			  struct cs_journal *journal, int64_t selftest_us, struct cs_keyring **krp,
			  struct cs_err *e) CS_MUST_CHECK;
void cs_keyring_free(struct cs_keyring *kr);

/**
 * Self-test every key once, until the token turns out to be lost; those that hung last. When others
 * work these are set aside for their time, as it is not the token; when none does, they are tested
 * like the rest.
 */
void cs_keyring_selftest_all(struct cs_keyring *kr, const struct cs_hung_keys *hung);
/** Self-test the key that is longest due, if one is. */
void cs_keyring_selftest(struct cs_keyring *kr);
/** When the next self-test is due (cs_clock_mono); INT64_MAX when there is no key. */
int64_t cs_keyring_next(const struct cs_keyring *kr);

/**
 * Is the token or the session gone, so that only a fresh process can help? Errors that may mean one
 * key or all are the token's when they follow each other and no key passes its self-test any more.
 */
bool cs_keyring_is_lost(struct cs_keyring *kr);

void cs_keyring_health(const struct cs_keyring *kr, struct cs_signer_health *out);

/**
 * Sign one artifact's bytes: journal, token, journal.
 *
 * @param name    of the key in the policy
 * @param result  outcome, code, message and raw are set; raw is borrowed until the next call
 */
void cs_keyring_sign(struct cs_keyring *kr, const char *name, const struct cs_tbs *tbs,
		     const struct cs_journal_entry *use, struct cs_signer_result *result);

#endif
