/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cells of comma-separated values (RFC 4180) that no spreadsheet takes for a formula. Pure.
 */
#ifndef CS_CLI_CSV_H
#define CS_CLI_CSV_H

#include "base/buf.h"

/**
 * Append a quoted cell. One that begins with = + - @, a tab or a carriage return gets an apostrophe
 * in front, which spreadsheets show as text.
 */
void cs_csv_cell(struct cs_buf *out, const char *text);
/** Append cells of a row, with commas between and CR LF behind. */
void cs_csv_row(struct cs_buf *out, const char *const *cells, size_t count);

#endif
