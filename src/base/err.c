/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Return codes and error messages.
 * Must not allocate, log or depend on the locale: it works when nothing else does.
 * See err.h for the contract.
 */
#include "base/err.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static const char *const rc_names[CS_RC__COUNT] = {
#define RC_NAME(code, name) [code] = (name),
	CS_RC_LIST(RC_NAME)
#undef RC_NAME
};

const char *cs_rc_name(enum cs_rc rc)
{
	assert((unsigned)rc < CS_RC__COUNT);
	return rc_names[rc];
}

/*
 * Make a message one clean line: C0 controls, DEL and the C1 controls (U+0080..U+009F, which
 * are C2 80..C2 9F in UTF-8) become '?', and a character that the cut split in two goes.
 */
static void clean(char *msg)
{
	size_t len = strlen(msg);
	size_t tail = 0;

	while (tail < len && tail < 3 && ((unsigned char)msg[len - 1 - tail] & 0xc0) == 0x80)
		tail++;
	if (tail < len && len == CS_ERR_MSG_MAX - 1) {
		unsigned char lead = (unsigned char)msg[len - 1 - tail];
		size_t want = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : lead >= 0xc0 ? 1 : 0;

		if (tail < want)
			msg[len - 1 - tail] = '\0';
	}
	for (char *p = msg; *p; p++) {
		unsigned char c = (unsigned char)*p;
		unsigned char next = (unsigned char)p[1];

		if (c < 0x20 || c == 0x7f)
			*p = '?';
		else if (c == 0xc2 && next >= 0x80 && next <= 0x9f)
			p[0] = p[1] = '?';
	}
}

enum cs_rc cs_err_vset(struct cs_err *e, enum cs_rc rc, const char *fmt, va_list ap)
{
	char msg[CS_ERR_MSG_MAX]; /* not in place: an argument may be the message so far */

	assert(rc != CS_OK);

	if (!e)
		return rc;
	e->rc = rc;
	if (vsnprintf(msg, sizeof(msg), fmt, ap) < 0)
		msg[0] = '\0';
	clean(msg);
	memcpy(e->msg, msg, strlen(msg) + 1);
	return rc;
}

enum cs_rc cs_err_set(struct cs_err *e, enum cs_rc rc, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	cs_err_vset(e, rc, fmt, ap);
	va_end(ap);
	return rc;
}

/* Copy s behind the first used bytes of msg; what does not fit is cut. */
static size_t append(char *msg, size_t used, const char *s)
{
	while (*s && used < CS_ERR_MSG_MAX - 1)
		msg[used++] = *s++;
	msg[used] = '\0';
	return used;
}

enum cs_rc cs_err_prefix(struct cs_err *e, const char *fmt, ...)
{
	char cause[CS_ERR_MSG_MAX];
	va_list ap;
	size_t used;

	if (!e)
		return CS_E_INTERNAL;
	assert(e->rc != CS_OK);

	memcpy(cause, e->msg, sizeof(cause));
	va_start(ap, fmt);
	cs_err_vset(e, e->rc, fmt, ap);
	va_end(ap);
	used = append(e->msg, strlen(e->msg), ": ");
	append(e->msg, used, cause);
	clean(e->msg);
	return e->rc;
}
