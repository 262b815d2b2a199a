/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What names and free text may hold.
 * Must not use <ctype.h> or anything else that asks the locale.
 * See text.h for the contract.
 */
#include "base/text.h"

#include <string.h>

/* Code points that free text may not hold although they are valid UTF-8; ascending, inclusive. */
static const struct {
	uint32_t first, last;
} refused[] = {
	{ 0x0000, 0x001f },   /* C0 controls */
	{ 0x007f, 0x009f },   /* DEL and C1 controls */
	{ 0x00ad, 0x00ad },   /* soft hyphen */
	{ 0x0600, 0x0605 },   /* Arabic number signs */
	{ 0x061c, 0x061c },   /* Arabic letter mark */
	{ 0x06dd, 0x06dd },   /* Arabic end of ayah */
	{ 0x070f, 0x070f },   /* Syriac abbreviation mark */
	{ 0x0890, 0x0891 },   /* Arabic pound and piastre mark above */
	{ 0x08e2, 0x08e2 },   /* Arabic disputed end of ayah */
	{ 0x180e, 0x180e },   /* Mongolian vowel separator */
	{ 0x200b, 0x200f },   /* zero width, left-to-right and right-to-left marks */
	{ 0x2028, 0x202e },   /* line and paragraph separator, bidi embeddings and overrides */
	{ 0x2060, 0x206f },   /* word joiner, invisible operators, bidi isolates */
	{ 0xfeff, 0xfeff },   /* byte order mark */
	{ 0xfff0, 0xfffb },   /* unassigned specials, interlinear annotation */
	{ 0x110bd, 0x110bd }, /* Kaithi number sign */
	{ 0x110cd, 0x110cd }, /* Kaithi number sign above */
	{ 0x13430, 0x1343f }, /* Egyptian hieroglyph format controls */
	{ 0x1bca0, 0x1bca3 }, /* shorthand format controls */
	{ 0x1d173, 0x1d17a }, /* musical symbol format controls */
	{ 0xe0000, 0xe0fff }, /* tags, and what Unicode keeps free for more of them */
};

/*
 * Length of the valid UTF-8 character at s, its code point in *cp; 0 when there is none. Overlong
 * forms, surrogates and values over U+10FFFF are not valid (RFC 3629 §4).
 */
static size_t decode(const uint8_t *s, size_t len, uint32_t *cp)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t v;
	size_t n;

	if (len == 0)
		return 0;
	if (s[0] < 0x80) {
		*cp = s[0];
		return 1;
	}
	n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
	if (s[0] < 0xc2 || s[0] > 0xf4 || n > len)
		return 0;
	v = s[0] & (0xffU >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s[i] & 0x3fU);
	}
	if (v < least[n] || v > 0x10ffff || (v >= 0xd800 && v <= 0xdfff))
		return 0;
	*cp = v;
	return n;
}

static bool may_show(uint32_t cp)
{
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (cp <= refused[i].last)
			return cp < refused[i].first;
	}
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static const bool is_name_char[UINT8_MAX + 1] = {
	['0' ... '9'] = true, ['A' ... 'Z'] = true, ['a' ... 'z'] = true, ['.'] = true,
	['_'] = true,         ['+'] = true,         ['/'] = true,         ['@'] = true,
	[':'] = true,         ['-'] = true,
};

bool cs_text_is_name(const char *s, size_t max)
{
	size_t len = 0;

	while (is_name_char[(uint8_t)s[len]])
		len++;
	return s[len] == '\0' && len >= 1 && len <= max;
}

bool cs_text_is_free(const char *s, size_t max)
{
	const uint8_t *p = (const uint8_t *)s;
	size_t left = strlen(s);

	if (left > max)
		return false;
	while (left > 0) {
		uint32_t cp = *p;
		size_t n = 1;

		if (cp < 0x20 || cp >= 0x7f) { /* nearly all is printable ASCII */
			n = decode(p, left, &cp);
			if (n == 0 || !may_show(cp))
				return false;
		}
		p += n;
		left -= n;
	}
	return true;
}

bool cs_text_is_utf8(const uint8_t *s, size_t len)
{
	while (len > 0) {
		uint32_t cp;
		size_t n = *s < 0x80 ? 1 : decode(s, len, &cp); /* nearly all is ASCII */

		if (n == 0)
			return false;
		s += n;
		len -= n;
	}
	return true;
}

bool cs_text_is_hex(const char *s)
{
	size_t len = 0;

	while (is_digit(s[len]) || (s[len] >= 'a' && s[len] <= 'f'))
		len++;
	return s[len] == '\0' && len % 2 == 0;
}

bool cs_text_is_uuid(const char *s)
{
	static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

	for (size_t i = 0; i < sizeof(form) - 1; i++) {
		bool hex = is_digit(s[i]) || (s[i] >= 'a' && s[i] <= 'f');

		if (form[i] == 'x' ? !hex : s[i] != '-')
			return false; /* also stops at the NUL of a short string */
	}
	return s[sizeof(form) - 1] == '\0';
}

void cs_text_show(const char *s, struct cs_buf *out)
{
	const uint8_t *p = (const uint8_t *)s;
	size_t left = strlen(s);

	while (left > 0) {
		uint32_t cp;
		size_t n = decode(p, left, &cp);

		if (n > 0 && may_show(cp)) {
			cs_buf_add(out, p, n);
		} else {
			n = n > 0 ? n : 1;
			for (size_t i = 0; i < n; i++)
				cs_buf_addf(out, "\\x%02x", (unsigned)p[i]);
		}
		p += n;
		left -= n;
	}
}

bool cs_text_to_int(const char *s, int64_t lo, int64_t hi, int64_t *out)
{
	uint64_t v = 0;

	if (!is_digit(s[0]) || (s[0] == '0' && s[1] != '\0'))
		return false;
	for (; is_digit(*s); s++) {
		if (v > (INT64_MAX - (uint64_t)(*s - '0')) / 10)
			return false;
		v = v * 10 + (uint64_t)(*s - '0');
	}
	if (*s != '\0' || (int64_t)v < lo || (int64_t)v > hi)
		return false;
	*out = (int64_t)v;
	return true;
}
