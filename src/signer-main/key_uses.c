/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Uses of keys that have a limit, counted before the token is asked, for all children and restarts.
 * Must not trust the daemon's count, and never forgets a use.
 * See docs/PROTOCOL.signer, "SIGN".
 */
#include "signer-main/key_uses.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

static enum cs_rc used_up(const struct cs_key *key, struct cs_err *e)
{
	return CS_FAIL(e, CS_E_DENIED,
		       "key %s has made the %lld signatures that its max_uses allows; use its "
		       "successor",
		       key->name, (long long)key->max_uses);
}

/* A file has a byte for each use: appending is atomic, so its length is the number of this use,
 * whichever child appends. */
static enum cs_rc append(int fd, const char *path, const struct cs_key *key, struct cs_err *e)
{
	enum cs_rc rc = CS_OK;
	struct stat st;
	off_t number;

	if (fstat(fd, &st) != 0)
		return CS_FAIL(e, CS_E_IO, "%s: %s", path, strerror(errno));
	if (st.st_size >= key->max_uses)
		return used_up(key, e);
	if (st.st_size == 0) /* the entry of a new file must last, too */
		rc = cs_file_sync_directory(path, e);
	if (rc != CS_OK)
		return rc;
	if (write(fd, "u", 1) != 1 || fsync(fd) != 0)
		return CS_FAIL(e, CS_E_IO, "%s: a use cannot be counted: %s", path,
			       strerror(errno));
	number = lseek(fd, 0, SEEK_CUR);
	if (number < 0)
		return CS_FAIL(e, CS_E_IO, "%s: %s", path, strerror(errno));
	return number <= key->max_uses ? CS_OK : used_up(key, e);
}

enum cs_rc cs_key_uses_take(const char *state, const struct cs_key *key, struct cs_err *e)
{
	char hex[CS_SHA256_HEX], path[PATH_MAX];
	enum cs_rc rc;
	int fd;

	if (key->max_uses == 0)
		return CS_OK;
	cs_sha256_hex(cs_pk_spki_sha256(key->pk), hex);
	if (snprintf(path, sizeof(path), "%s/uses-%s", state, hex) >= (int)sizeof(path))
		return CS_FAIL(e, CS_E_TOO_LARGE, "%s: the path is too long", state);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return CS_FAIL(e, CS_E_IO, "%s: %s", path, strerror(errno));
	rc = append(fd, path, key, e);
	close(fd);
	return rc;
}
