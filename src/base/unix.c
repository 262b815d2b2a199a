/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Unix sockets: listen, connect, and who is at the other end.
 * Must not take a socket away from a process that still answers on it.
 * See frame.h for the contract.
 */
#include "base/frame.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define BACKLOG 64

static enum cs_rc fill_address(const char *path, struct sockaddr_un *a, struct cs_err *e)
{
	size_t len = strlen(path);

	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (len == 0 || len >= sizeof(a->sun_path))
		return CS_FAIL(e, CS_E_CONFIG,
			       "socket path of %zu bytes; 1 to %zu are possible: %s", len,
			       sizeof(a->sun_path) - 1, path);
	memcpy(a->sun_path, path, len + 1);
	return CS_OK;
}

static enum cs_rc new_socket(int *fdp, struct cs_err *e)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return CS_FAIL(e, CS_E_IO, "socket: %s", strerror(errno));
	*fdp = fd;
	return CS_OK;
}

/* connect(2) that does not wait for room in the listener's queue: 0 or an errno. */
static int try_connect(int fd, const struct sockaddr_un *a)
{
	int flags = fcntl(fd, F_GETFL), error = 0;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
		return errno;
	if (connect(fd, (const struct sockaddr *)a, sizeof(*a)) != 0)
		error = errno;
	if (fcntl(fd, F_SETFL, flags) != 0)
		return errno;
	return error;
}

/* Remove what a dead process left; a living one keeps its socket. */
static enum cs_rc remove_stale(const char *path, const struct sockaddr_un *a, struct cs_err *e)
{
	struct stat st;
	int probe, error;
	enum cs_rc rc;

	if (lstat(path, &st) != 0)
		return errno == ENOENT
			       ? CS_OK
			       : CS_FAIL(e, CS_E_IO, "socket %s: %s", path, strerror(errno));
	if (!S_ISSOCK(st.st_mode))
		return CS_FAIL(e, CS_E_CONFIG, "socket %s: something else has this name", path);
	rc = new_socket(&probe, e);
	if (rc != CS_OK)
		return rc;
	error = try_connect(probe, a);
	close(probe);
	if (error != ECONNREFUSED && error != ENOENT)
		return CS_FAIL(e, CS_E_CONFLICT, "socket %s: another process listens there", path);
	if (unlink(path) != 0 && errno != ENOENT)
		return CS_FAIL(e, CS_E_IO, "socket %s: %s", path, strerror(errno));
	return CS_OK;
}

enum cs_rc cs_unix_listen(const char *path, unsigned mode, int *fdp, struct cs_err *e)
{
	struct sockaddr_un a;
	enum cs_rc rc;
	int fd = -1;

	rc = fill_address(path, &a, e);
	if (rc == CS_OK)
		rc = remove_stale(path, &a, e);
	if (rc == CS_OK)
		rc = new_socket(&fd, e);
	if (rc != CS_OK)
		return rc;
	/* fchmod first, so that the file is never wider open than asked, whatever the umask */
	if (fchmod(fd, (mode_t)mode) != 0 ||
	    bind(fd, (const struct sockaddr *)&a, sizeof(a)) != 0 ||
	    chmod(path, (mode_t)mode) != 0 || listen(fd, BACKLOG) != 0) {
		rc = CS_FAIL(e, CS_E_IO, "socket %s: %s", path, strerror(errno));
		close(fd);
		return rc;
	}
	*fdp = fd;
	return CS_OK;
}

enum cs_rc cs_unix_connect(const char *path, int *fdp, struct cs_err *e)
{
	struct sockaddr_un a;
	enum cs_rc rc;
	int fd = -1, error;

	rc = fill_address(path, &a, e);
	if (rc == CS_OK)
		rc = new_socket(&fd, e);
	if (rc != CS_OK)
		return rc;
	error = try_connect(fd, &a);
	if (error != 0) {
		close(fd);
		return CS_FAIL(e, CS_E_UNAVAILABLE, "socket %s: %s", path, strerror(error));
	}
	*fdp = fd;
	return CS_OK;
}

enum cs_rc cs_unix_peer_uid(int fd, unsigned *uidp, struct cs_err *e)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return CS_FAIL(e, CS_E_IO, "peer of a socket: %s", strerror(errno));
	*uidp = cred.uid;
	return CS_OK;
}
