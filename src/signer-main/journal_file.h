/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of a journal's files, and where an earlier child left off.
 */
#ifndef CS_SIGNER_MAIN_JOURNAL_FILE_H
#define CS_SIGNER_MAIN_JOURNAL_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/hash.h"

#define CS_JOURNAL_SELFTEST_BEGIN "selftest-begin" /* a line's event */
#define CS_JOURNAL_PATH_MAX 4200 /* a state directory of 4000 bytes and the name */

/** STATE/journal-N.ndjson, and STATE/journal-N.SEQ.ndjson once rotated. */
void cs_journal_path(const char *state, unsigned slot, char out[static CS_JOURNAL_PATH_MAX]);
void cs_journal_rotated_path(const char *state, unsigned slot, int64_t seq,
			     char out[static CS_JOURNAL_PATH_MAX]);

/**
 * The end of a slot's journal.
 *
 * @param seqp   number of the last whole line, in rotated files too; 0 when there is none
 * @param sizep  of the current file
 * @param cutp   the current file does not end with a newline
 * @return CS_E_CORRUPT when the file is not empty and none of its last lines can be read
 */
enum cs_rc cs_journal_last(const char *state, unsigned slot, int64_t *seqp, int64_t *sizep,
			   bool *cutp, struct cs_err *e) CS_MUST_CHECK;

/**
 * The key whose self-test has begun with the last line that can be read, and so has not ended: of a
 * child that was killed, what it was doing.
 *
 * @return CS_E_NOT_FOUND when that line says anything else
 */
enum cs_rc cs_journal_open_selftest(const char *state, unsigned slot, struct cs_sha256 *spkip,
				    struct cs_err *e) CS_MUST_CHECK;

#endif
