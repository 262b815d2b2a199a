/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hashes image files.
 * Must not keep an image in memory.
 * See image.h for the contract.
 */
#include "cli/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/term.h"

#define PIECE (256U << 10)
#define SHOW_EVERY (CS_SECOND / 5)

static enum cs_rc open_image(const char *path, int *fdp, int64_t *sizep, struct cs_err *e)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return CS_FAIL(e, errno == ENOENT ? CS_E_NOT_FOUND : CS_E_IO, "image %s: %s", path,
			       strerror(errno));
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
		close(fd);
		return CS_FAIL(e, CS_E_INVALID, "image %s: must be a regular file", path);
	}
	if (st.st_size < 1 || st.st_size > CS_SIZE_MAX) {
		close(fd);
		return CS_FAIL(e, CS_E_INVALID, "image %s: %lld bytes, must be 1 to %lld", path,
			       (long long)st.st_size, (long long)CS_SIZE_MAX);
	}
	*fdp = fd;
	*sizep = st.st_size;
	return CS_OK;
}

static void show(struct cs_cli *cli, const char *path, int64_t done, int64_t size, int64_t *shown)
{
	const char *slash = strrchr(path, '/');
	struct cs_buf line;

	if (!cli->tty || cs_clock_mono() < *shown + SHOW_EVERY)
		return;
	*shown = cs_clock_mono();
	cs_buf_init(&line, 1024);
	cs_term_progress(slash ? slash + 1 : path, (uint64_t)done, (uint64_t)size, &line);
	cs_term_live(cli, "%s", cs_buf_str(&line));
	cs_buf_done(&line);
}

enum cs_rc cs_image_hash(struct cs_cli *cli, const char *path, enum cs_hash hash,
			 struct cs_digest *out, int64_t *sizep, struct cs_err *e)
{
	struct cs_hash_ctx *ctx = NULL;
	int64_t size = 0, done = 0;
	int64_t shown = cs_clock_mono(); /* small images finish before the first line */
	uint8_t *piece = NULL;
	enum cs_rc rc;
	int fd = -1;

	rc = open_image(path, &fd, &size, e);
	if (rc)
		goto out;
	ctx = cs_hash_new(hash);
	piece = malloc(PIECE);
	if (!ctx || !piece) {
		rc = CS_FAIL(e, CS_E_NOMEM, "image %s", path);
		goto out;
	}
	for (;;) {
		ssize_t n = read(fd, piece, PIECE);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			rc = CS_FAIL(e, CS_E_IO, "image %s: %s", path, strerror(errno));
			goto out;
		}
		if (n == 0)
			break;
		cs_hash_update(ctx, piece, (size_t)n);
		done += n;
		show(cli, path, done, size, &shown);
	}
	if (done != size) {
		rc = CS_FAIL(e, CS_E_IO, "image %s: its size changed while it was read", path);
		goto out;
	}
	*out = (struct cs_digest){ .hash = hash };
	cs_hash_final(ctx, out->value);
	*sizep = size;
out:
	cs_term_live_end(cli);
	cs_hash_free(ctx);
	free(piece);
	if (fd >= 0)
		close(fd);
	return rc;
}
