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
/**
 * Replace a file's content if it is still `old`, and keep its owner, group and mode; a symbolic
 * link stays, and what it names is replaced. CS_E_CONFLICT when somebody changed it meanwhile.
 */
enum cs_rc cs_file_update(const char *path, struct cs_bytes old, struct cs_bytes content,
			  struct cs_err *e) CS_MUST_CHECK;
/** Create a file that must not exist yet (O_EXCL). */
enum cs_rc cs_file_create(const char *path, struct cs_bytes content, unsigned mode,
			  struct cs_err *e) CS_MUST_CHECK;
/** Give a file, whose content is on disk, a name that nobody may have yet (CS_E_CONFLICT), and
 * fsync the directory. */
enum cs_rc cs_file_rename_new(const char *from, const char *to, struct cs_err *e) CS_MUST_CHECK;
/** Make the entry of a file in its directory last, after it was made or renamed. */
enum cs_rc cs_file_sync_directory(const char *path, struct cs_err *e) CS_MUST_CHECK;
/**
 * Append a regular file's content if the file and every directory above it belong to root or to
 * `uid`, and nobody else may write them; sticky directories of root such as /tmp pass.
 * CS_E_FORBIDDEN names what is wrong. The same open file is checked and read.
 */
enum cs_rc cs_file_read_trusted(const char *path, unsigned uid, struct cs_buf *out,
				struct cs_err *e) CS_MUST_CHECK;

#endif
