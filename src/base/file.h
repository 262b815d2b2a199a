/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files read whole with a limit, files replaced whole and durably, and who may write them.
 */
#ifndef CS_BASE_FILE_H
#define CS_BASE_FILE_H

#include "base/buf.h"

/** Append a regular file's content. Errors name the path; CS_E_TOO_LARGE when it does not fit. */
enum cs_rc cs_file_read(const char *path, struct cs_buf *out, struct cs_err *e) CS_MUST_CHECK;
/** Write a temporary file beside it, fsync, rename, fsync the directory. */
enum cs_rc cs_file_replace(const char *path, struct cs_bytes content, unsigned mode,
			   struct cs_err *e) CS_MUST_CHECK;
/** Create a file that must not exist yet (O_EXCL). */
enum cs_rc cs_file_create(const char *path, struct cs_bytes content, unsigned mode,
			  struct cs_err *e) CS_MUST_CHECK;
/**
 * CS_OK when the regular file behind `path` and every directory above it belong to root or to
 * `uid`, and nobody else may write them; sticky directories of root such as /tmp pass.
 * CS_E_FORBIDDEN names what is wrong. To read what was checked, use cs_file_read_trusted.
 */
enum cs_rc cs_file_is_trusted(const char *path, unsigned uid, struct cs_err *e) CS_MUST_CHECK;
/** Read a file under the rule of cs_file_is_trusted: the same open file is checked and read. */
enum cs_rc cs_file_read_trusted(const char *path, unsigned uid, struct cs_buf *out,
				struct cs_err *e) CS_MUST_CHECK;

#endif
