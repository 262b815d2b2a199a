/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Subcommands that end by themselves: keygen, describe, --check, --clear-pin-refusal.
 */
#ifndef CS_SIGNER_MAIN_TOOL_H
#define CS_SIGNER_MAIN_TOOL_H

#include "signer-main/options.h"

/** Each appends what it has to say to out; the caller prints it. */
enum cs_rc cs_tool_keygen(const struct cs_options *o, struct cs_buf *out,
			  struct cs_err *e) CS_MUST_CHECK;
enum cs_rc cs_tool_describe(const struct cs_options *o, struct cs_buf *out,
			    struct cs_err *e) CS_MUST_CHECK;
enum cs_rc cs_tool_check(const struct cs_options *o, struct cs_buf *out,
			 struct cs_err *e) CS_MUST_CHECK;
enum cs_rc cs_tool_clear(const struct cs_options *o, struct cs_buf *out,
			 struct cs_err *e) CS_MUST_CHECK;

#endif
