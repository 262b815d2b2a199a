/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes CSV.
 * Must not leave a cell unquoted: what is harmless today is a formula in the next program.
 * See csv.h for the contract.
 */
#include "cli/csv.h"

#include <string.h>

void cs_csv_cell(struct cs_buf *out, const char *text)
{
	cs_buf_add_char(out, '"');
	if (text[0] != '\0' && strchr("=+-@\t\r", text[0]))
		cs_buf_add_char(out, '\'');
	for (; *text; text++) {
		if (*text == '"')
			cs_buf_add_char(out, '"');
		cs_buf_add_char(out, *text);
	}
	cs_buf_add_char(out, '"');
}

void cs_csv_row(struct cs_buf *out, const char *const *cells, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (i > 0)
			cs_buf_add_char(out, ',');
		cs_csv_cell(out, cells[i]);
	}
	cs_buf_add_str(out, "\r\n");
}
