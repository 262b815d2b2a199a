/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What names and free text may hold, and how text from others is shown on a terminal.
 * Must not depend on the locale.
 */
#ifndef CS_BASE_TEXT_H
#define CS_BASE_TEXT_H

#include "base/buf.h"

/** 1..max bytes of [A-Za-z0-9._+/@:-]. */
bool cs_text_is_name(const char *s, size_t max);
/** UTF-8 of at most max bytes; no control, format (so no bidi) or line separator characters. */
bool cs_text_is_free(const char *s, size_t max);
bool cs_text_is_utf8(const uint8_t *s, size_t len);
/** Whole bytes of lower-case hexadecimal digits; "" passes. */
bool cs_text_is_hex(const char *s);
/** A UUID in its lower-case 8-4-4-4-12 form. */
bool cs_text_is_uuid(const char *s);
/** Append s with every byte of what cs_text_is_free would refuse shown as \xNN. */
void cs_text_show(const char *s, struct cs_buf *out);
/** Decimal digits only, no sign, no leading zero (but "0"), within lo..hi. */
bool cs_text_to_int(const char *s, int64_t lo, int64_t hi, int64_t *out);

#endif
