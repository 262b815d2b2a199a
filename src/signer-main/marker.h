/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Remembers a refused PIN across restarts, so that no loop of restarts locks a token.
 * Holds which token and which PIN file, never the PIN or its hash. See countersign-signer(8), "The
 * PIN".
 */
#ifndef CS_SIGNER_MAIN_MARKER_H
#define CS_SIGNER_MAIN_MARKER_H

#include "p11/p11.h"

#define CS_MARKER_FILE "pin-marker"
#define CS_MARKER_PATH_MAX 4096
#define CS_MARKER_NUMBER 48 /* digits of two numbers and a NUL */

/** Where the marker is, and which PIN it speaks of. */
struct cs_marker {
	char path[CS_MARKER_PATH_MAX];
	char serial[CS_NAME_MAX + 1];
	char device[CS_MARKER_NUMBER], inode[CS_MARKER_NUMBER], mtime_ns[CS_MARKER_NUMBER];
};

/** Identify the PIN: the token's serial, and the file that it comes from. */
enum cs_rc cs_marker_init(struct cs_marker *m, const char *state, const char *serial,
			  const char *pin_origin, struct cs_err *e) CS_MUST_CHECK;
/**
 * May this PIN be tried? CS_E_PIN when it was refused, or when a try ended unknown and the token
 * shows that few are left. A marker about another PIN file or token does not count.
 */
enum cs_rc cs_marker_check(const struct cs_marker *m, const struct cs_p11_token_info *token,
			   struct cs_err *e) CS_MUST_CHECK;
/** On disk, synced, before C_Login. */
enum cs_rc cs_marker_trying(const struct cs_marker *m, struct cs_err *e) CS_MUST_CHECK;
/** After CKR_PIN_INCORRECT and the like. */
enum cs_rc cs_marker_refused(const struct cs_marker *m, struct cs_err *e) CS_MUST_CHECK;
/** After a login, and for --clear-pin-refusal. */
enum cs_rc cs_marker_clear(const char *state, struct cs_err *e) CS_MUST_CHECK;

#endif
