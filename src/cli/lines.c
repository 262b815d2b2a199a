/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads lines.
 * Must not hold more than one of them.
 * See lines.h for the contract.
 */
#include "cli/lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum cs_rc cs_lines_each(FILE *in, const char *name, cs_line_fn *fn, void *arg, struct cs_err *e)
{
	size_t room = 0, number = 0;
	char *line = NULL;
	enum cs_rc rc = CS_OK;
	ssize_t len;

	while (!rc && (len = getline(&line, &room, in)) >= 0) {
		number++;
		if (len > 0 && line[len - 1] == '\n')
			line[--len] = '\0';
		rc = fn(arg, (struct cs_bytes){ (const uint8_t *)line, (size_t)len }, e);
		if (rc)
			cs_err_prefix(e, "%s line %zu", name, number);
	}
	if (!rc && ferror(in))
		rc = CS_FAIL(e, CS_E_IO, "%s: %s", name, strerror(errno));
	free(line);
	return rc;
}

enum cs_rc cs_lines_of(const char *path, cs_line_fn *fn, void *arg, struct cs_err *e)
{
	FILE *in = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	enum cs_rc rc;

	if (!in)
		return CS_FAIL(e, errno == ENOENT ? CS_E_NOT_FOUND : CS_E_IO, "%s: %s", path,
			       strerror(errno));
	rc = cs_lines_each(in, path, fn, arg, e);
	if (in != stdin)
		fclose(in);
	return rc;
}
