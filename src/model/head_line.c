/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A log's id, size and head as a line of text, as heads files hold them.
 * Must not take a line that another program would read otherwise: one form, no spare space.
 * See docs/PROTOCOL.log, "Verdicts".
 */
#include <string.h>

#include "base/jcs.h"
#include "base/text.h"
#include "model/decision.h"

#define HEX (2 * CS_SHA256_LEN)
#define SIZE_DIGITS 16

bool cs_head_line_read(struct cs_bytes line, struct cs_log_ref *out)
{
	char text[HEX + 1 + SIZE_DIGITS + 1 + HEX + 1];
	char *size = text + HEX + 1, *head;

	if (line.len <= HEX + 1 + HEX || line.len >= sizeof(text))
		return false;
	memcpy(text, line.data, line.len);
	text[line.len] = '\0';
	head = text + line.len - HEX;
	if (text[HEX] != ' ' || head[-1] != ' ' || head - 1 <= size)
		return false;
	text[HEX] = head[-1] = '\0';
	return cs_sha256_from_hex(text, &out->id) && cs_sha256_from_hex(head, &out->head) &&
	       cs_text_to_int(size, 1, CS_JCS_INT_MAX, &out->size);
}

void cs_head_line_write(const struct cs_log_ref *r, struct cs_buf *out)
{
	cs_buf_add_hex(out, r->id.b, CS_SHA256_LEN);
	cs_buf_addf(out, " %lld ", (long long)r->size);
	cs_buf_add_hex(out, r->head.b, CS_SHA256_LEN);
	cs_buf_add_char(out, '\n');
}
