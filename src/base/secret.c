/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets in a mapping of their own: locked where the limit allows, left out of core dumps, wiped.
 * Must not copy a secret into memory that is not wiped.
 * See secret.h for the contract.
 */
#include "base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct cs_secret {
	size_t len;
	uint8_t data[CS_SECRET_MAX + 1]; /* with a NUL, for C_Login and friends */
};

/* The mapping is of whole pages, so that locking and DONTDUMP cover nothing else. */
static struct cs_secret *map_secret(void)
{
	struct cs_secret *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (s == MAP_FAILED)
		return NULL;
	/* best effort: RLIMIT_MEMLOCK may be 0, and a secret in swap beats no service */
	(void)mlock(s, sizeof(*s));
	(void)madvise(s, sizeof(*s), MADV_DONTDUMP);
	return s;
}

enum cs_rc cs_secret_from_bytes(struct cs_bytes in, struct cs_secret **sp, struct cs_err *e)
{
	struct cs_secret *s;

	if (in.len == 0 || in.len > CS_SECRET_MAX)
		return CS_FAIL(e, CS_E_INVALID, "secret of %zu bytes; 1 to %d are allowed", in.len,
			       CS_SECRET_MAX);
	s = map_secret();
	if (!s)
		return CS_FAIL(e, CS_E_NOMEM, "secret: out of memory");
	memcpy(s->data, in.data, in.len);
	s->len = in.len;
	*sp = s;
	return CS_OK;
}

/* Up to size bytes of the file's beginning. */
static enum cs_rc read_beginning(const char *path, uint8_t *p, size_t size, size_t *gotp,
				 struct cs_err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum cs_rc rc = CS_OK;
	size_t got = 0;
	struct stat st;
	ssize_t n = 1;

	if (fd < 0)
		return CS_FAIL(e, errno == ENOENT ? CS_E_NOT_FOUND : CS_E_IO, "%s: %s", path,
			       strerror(errno));
	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		rc = CS_FAIL(e, CS_E_INVALID, "%s: not a regular file", path);
	else if (st.st_mode & S_IRWXO)
		rc = CS_FAIL(e, CS_E_CONFIG, "%s: everybody may use it; chmod it to 0600", path);
	while (rc == CS_OK && n != 0 && got < size) {
		n = read(fd, p + got, size - got);
		if (n > 0)
			got += (size_t)n;
		else if (n < 0 && errno != EINTR)
			rc = CS_FAIL(e, CS_E_IO, "%s: %s", path, strerror(errno));
	}
	close(fd);
	if (rc == CS_OK)
		*gotp = got;
	return rc;
}

enum cs_rc cs_secret_from_file(const char *path, struct cs_secret **sp, struct cs_err *e)
{
	struct cs_secret *s = map_secret();
	const uint8_t *newline;
	size_t got = 0;
	enum cs_rc rc;

	if (!s)
		return CS_FAIL(e, CS_E_NOMEM, "secret: out of memory");
	rc = read_beginning(path, s->data, sizeof(s->data), &got, e);
	if (rc != CS_OK)
		goto out;
	newline = memchr(s->data, '\n', got);
	s->len = newline ? (size_t)(newline - s->data) : got;
	if (s->len == 0 || s->len > CS_SECRET_MAX) {
		rc = CS_FAIL(e, CS_E_INVALID, "%s: the first line must have 1 to %d bytes", path,
			     CS_SECRET_MAX);
		goto out;
	}
	for (size_t i = 0; i < s->len; i++) {
		if (s->data[i] < 0x20 || s->data[i] == 0x7f) {
			rc = CS_FAIL(e, CS_E_INVALID,
				     "%s: control character in the first line (CR LF line ends?)",
				     path);
			goto out;
		}
	}
	explicit_bzero(s->data + s->len, sizeof(s->data) - s->len);

	*sp = s;
	s = NULL; /* transferred */
out:
	cs_secret_free(s);
	return rc;
}

struct cs_bytes cs_secret_bytes(const struct cs_secret *s)
{
	return (struct cs_bytes){ s->data, s->len };
}

void cs_secret_free(struct cs_secret *s)
{
	if (!s)
		return;
	explicit_bzero(s, sizeof(*s));
	munmap(s, sizeof(*s));
}
