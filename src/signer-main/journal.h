/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this child did with the token: one line before and one after each use of a key.
 * No line, no signature. Lines, rotation and repair in docs/PROTOCOL.signer, "Journal".
 */
#ifndef CS_SIGNER_MAIN_JOURNAL_H
#define CS_SIGNER_MAIN_JOURNAL_H

#include "base/hash.h"

struct cs_journal;

/** One use of a key. Borrowed. */
struct cs_journal_entry {
	const char *request; /* id; NULL for a self-test */
	uint32_t artifact, attempt;
	const struct cs_sha256 *spki;
	struct cs_sha256 tbs; /* of the bytes given to C_Sign */
};

/**
 * Open the journal of a child's slot, mend a cut last line, and note the start.
 *
 * @param state  state directory
 * @param token  its name in signing.yaml; borrowed for the journal's life
 */
enum cs_rc cs_journal_open(const char *state, unsigned slot, const char *token,
			   struct cs_journal **jp, struct cs_err *e) CS_MUST_CHECK;
/** The directory that it was opened in; borrowed. */
const char *cs_journal_state(const struct cs_journal *j);
void cs_journal_close(struct cs_journal *j);

/** Before C_SignInit. After a failure nothing may be signed. */
enum cs_rc cs_journal_begin(struct cs_journal *j, const struct cs_journal_entry *entry,
			    struct cs_err *e) CS_MUST_CHECK;
/** After it. raw is looked at when rv is "CKR_OK". */
enum cs_rc cs_journal_end(struct cs_journal *j, const struct cs_journal_entry *entry,
			  const char *rv, struct cs_bytes raw, struct cs_err *e) CS_MUST_CHECK;

/**
 * Sync what a child wrote; the parent's part, so that no signature waits for the disk.
 *
 * @param seenp  size at the last sync; nothing happens while it stays
 */
enum cs_rc cs_journal_sync(const char *state, unsigned slot, int64_t *seenp,
			   struct cs_err *e) CS_MUST_CHECK;

#endif
