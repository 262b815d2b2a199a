/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people see: rows and tables on standard output, a live line and questions on standard error.
 * Every string from others passes through cs_text_show.
 */
#ifndef CS_CLI_TERM_H
#define CS_CLI_TERM_H

#include "base/buf.h"
#include "cli/cli.h"

/** Print text from others, without control characters. */
void cs_term_text(FILE *out, const char *text);
/** "label:        value"; nothing for NULL and "". */
void cs_term_row(FILE *out, const char *label, const char *value);
/** The same, formatted; what is formatted may come from others. */
void cs_term_rowf(FILE *out, const char *label, const char *fmt, ...) CS_PRINTF(3, 4);

/** Replace the live line on standard error; only on a terminal. */
void cs_term_live(struct cs_cli *cli, const char *fmt, ...) CS_PRINTF(2, 3);
/** Remove the live line. */
void cs_term_live_end(struct cs_cli *cli);
/** A line on standard error, in place of the live line; only on a terminal. */
void cs_term_note(struct cs_cli *cli, const char *fmt, ...) CS_PRINTF(2, 3);

/**
 * Ask a question that wants y.
 *
 * @return CS_OK for yes; CS_E_DENIED for anything else; CS_E_INVALID when there is no terminal
 */
enum cs_rc cs_term_ask(struct cs_cli *cli, const char *question, struct cs_err *e) CS_MUST_CHECK;
/** Ask for a secret without echo: countersign_profile's passphrase function. `arg` is unused. */
int cs_term_secret(void *arg, const char *what, char *buf, size_t size);

/** How far a hash is: "u-boot.bin  45 % of 1.2 MiB". Pure, for the live line. */
void cs_term_progress(const char *what, uint64_t done, uint64_t size, struct cs_buf *out);
/** "3 days 4 h", "4 h 12 min", "12 min", "40 s"; "now" for 0 and less. Pure. */
void cs_term_duration(int64_t seconds, char out[static 64]);
/** Cut to `columns` characters of UTF-8, with "…" for the rest. Pure. */
void cs_term_cut(struct cs_buf *text, size_t columns);

#endif
