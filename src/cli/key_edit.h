/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Disables a key in the text of signing.yaml and leaves every other byte as it stands. Pure: text
 * in, text out. What the edit means is proved by resolving both texts: the new policy is the old
 * one with this key disabled and the version one higher, or there is no edit.
 */
#ifndef CS_CLI_KEY_EDIT_H
#define CS_CLI_KEY_EDIT_H

#include "model/policy.h"

struct cs_key_edit {
	bool already;          /* it is disabled as it is; text is empty and new is NULL */
	struct cs_buf text;    /* the new file */
	struct cs_policy *old; /* one reference each */
	struct cs_policy *new;
};

/**
 * @param yaml  the file's bytes
 * @param file  its name, for messages
 * @param name  the key's
 * @param note  a line that is put above the version as a comment, without "# "; "" for none
 * @param out   end it with cs_key_edit_done, whatever this returns
 * @return CS_E_CONFIG when the file has problems, or cannot be edited without changing more;
 *         CS_E_NOT_FOUND
 */
enum cs_rc cs_key_edit(struct cs_bytes yaml, const char *file, const char *name, const char *note,
		       struct cs_key_edit *out, struct cs_err *e) CS_MUST_CHECK;
void cs_key_edit_done(struct cs_key_edit *k);

#endif
