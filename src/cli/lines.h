/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files of lines, of any size, line by line.
 */
#ifndef CS_CLI_LINES_H
#define CS_CLI_LINES_H

#include <stdio.h>

#include "base/buf.h"

/** Told about each line without its newline; a NUL follows it. */
typedef enum cs_rc cs_line_fn(void *arg, struct cs_bytes line, struct cs_err *e);

/** Every line of a stream; errors name it and the line. */
enum cs_rc cs_lines_each(FILE *in, const char *name, cs_line_fn *fn, void *arg,
			 struct cs_err *e) CS_MUST_CHECK;
/** Every line of a file; "-" is standard input. */
enum cs_rc cs_lines_of(const char *path, cs_line_fn *fn, void *arg, struct cs_err *e) CS_MUST_CHECK;

#endif
