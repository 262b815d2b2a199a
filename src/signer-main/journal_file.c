/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal's files on disk: their names, their end, and the parent's sync.
 * Reads only; journal.c writes.
 */
#include "signer-main/journal_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "base/text.h"
#include "signer-main/journal.h"

#define TAIL_MAX 65536 /* dozens of lines */
#define LINE_TEXT_MAX 8192

void cs_journal_path(const char *state, unsigned slot, char out[static CS_JOURNAL_PATH_MAX])
{
	snprintf(out, CS_JOURNAL_PATH_MAX, "%s/journal-%u.ndjson", state, slot);
}

void cs_journal_rotated_path(const char *state, unsigned slot, int64_t seq,
			     char out[static CS_JOURNAL_PATH_MAX])
{
	snprintf(out, CS_JOURNAL_PATH_MAX, "%s/journal-%u.%" PRId64 ".ndjson", state, slot, seq);
}

/* SEQ of a rotated file's name, 0 for other names */
static int64_t rotated_seq(const char *name, const char *prefix)
{
	char digits[24];
	const char *end;
	int64_t seq = 0;
	size_t len;

	if (strncmp(name, prefix, strlen(prefix)) != 0)
		return 0;
	name += strlen(prefix);
	end = strchr(name, '.');
	if (!end || strcmp(end, ".ndjson") != 0)
		return 0;
	len = (size_t)(end - name);
	if (len >= sizeof(digits))
		return 0;
	memcpy(digits, name, len);
	digits[len] = '\0';
	return cs_text_to_int(digits, 1, INT64_MAX, &seq) ? seq : 0;
}

static enum cs_rc last_rotated(const char *state, unsigned slot, int64_t *seqp, struct cs_err *e)
{
	char prefix[32];
	struct dirent *entry;
	DIR *dir = opendir(state);

	if (!dir)
		return CS_FAIL(e, CS_E_IO, "state directory %s: %s", state, strerror(errno));
	snprintf(prefix, sizeof(prefix), "journal-%u.", slot);
	*seqp = 0;
	while ((entry = readdir(dir))) {
		int64_t seq = rotated_seq(entry->d_name, prefix);

		if (seq > *seqp)
			*seqp = seq;
	}
	closedir(dir);
	return CS_OK;
}

/* a line, and its seq; NULL when it cannot be read */
static struct cs_json *parse_line(const char *line, size_t len, int64_t *seqp)
{
	struct cs_bytes in = { (const uint8_t *)line, len };
	struct cs_json *root = NULL;
	const struct cs_json *seq;

	if (cs_json_parse(in, LINE_TEXT_MAX, "journal line", &root, NULL) != CS_OK)
		return NULL;
	seq = cs_json_get(root, "seq");
	if (!seq || seq->kind != CS_JSON_INT || seq->number <= 0) {
		cs_json_free(root);
		return NULL;
	}
	*seqp = seq->number;
	return root;
}

/* The last whole line that can be read; after a crash the ones behind it may be cut. NULL when
 * there is none. The caller frees it. */
static struct cs_json *last_line(const struct cs_buf *tail, int64_t *seqp)
{
	const char *text = cs_buf_str(tail);
	size_t end = tail->len;

	while (end > 0) {
		size_t start = end;
		struct cs_json *line;

		while (start > 0 && text[start - 1] != '\n')
			start--;
		line = parse_line(text + start, end - start, seqp);
		if (line)
			return line;
		end = start > 0 ? start - 1 : 0;
	}
	return NULL;
}

static enum cs_rc read_tail(const char *path, struct cs_buf *tail, int64_t *sizep, struct cs_err *e)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st = { 0 };
	size_t len = 0;
	ssize_t n = 0;

	if (fd < 0 || fstat(fd, &st) != 0)
		goto out;
	len = st.st_size < TAIL_MAX ? (size_t)st.st_size : TAIL_MAX;
	if (len > 0 && cs_buf_extend(tail, len))
		n = pread(fd, tail->data, len, st.st_size - (off_t)len);
out:
	if (fd < 0 || n < 0 || (size_t)n != len) {
		(void)CS_FAIL(e, CS_E_IO, "journal %s: %s", path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return CS_E_IO;
	}
	close(fd);
	*sizep = st.st_size;
	return CS_OK;
}

enum cs_rc cs_journal_last(const char *state, unsigned slot, int64_t *seqp, int64_t *sizep,
			   bool *cutp, struct cs_err *e)
{
	char path[CS_JOURNAL_PATH_MAX];
	struct cs_json *line = NULL;
	struct cs_buf tail;
	enum cs_rc rc;

	cs_buf_init(&tail, TAIL_MAX);
	cs_journal_path(state, slot, path);
	rc = read_tail(path, &tail, sizep, e);
	if (rc != CS_OK)
		goto out;
	if (tail.len == 0) {
		*cutp = false;
		rc = last_rotated(state, slot, seqp, e);
		goto out;
	}
	*cutp = tail.data[tail.len - 1] != '\n';
	line = last_line(&tail, seqp);
	if (!line)
		rc = CS_FAIL(
			e, CS_E_CORRUPT,
			"journal %s: none of its last lines can be read; move it away and keep it",
			path);
out:
	cs_json_free(line);
	cs_buf_done(&tail);
	return rc;
}

enum cs_rc cs_journal_open_selftest(const char *state, unsigned slot, struct cs_sha256 *spkip,
				    struct cs_err *e)
{
	char path[CS_JOURNAL_PATH_MAX];
	struct cs_json *line = NULL;
	const char *event, *spki;
	struct cs_buf tail;
	int64_t size, seq;
	enum cs_rc rc;

	cs_buf_init(&tail, TAIL_MAX);
	cs_journal_path(state, slot, path);
	rc = read_tail(path, &tail, &size, e);
	if (rc != CS_OK)
		goto out;
	line = last_line(&tail, &seq);
	event = cs_json_string(cs_json_get(line, "event"));
	spki = cs_json_string(cs_json_get(line, "spki_sha256"));
	if (!event || strcmp(event, CS_JOURNAL_SELFTEST_BEGIN) != 0 || !spki ||
	    !cs_sha256_from_hex(spki, spkip))
		rc = CS_FAIL(e, CS_E_NOT_FOUND, "journal %s: no self-test is under way", path);
out:
	cs_json_free(line);
	cs_buf_done(&tail);
	return rc;
}

enum cs_rc cs_journal_sync(const char *state, unsigned slot, int64_t *seenp, struct cs_err *e)
{
	char path[CS_JOURNAL_PATH_MAX];
	enum cs_rc rc = CS_OK;
	struct stat st;
	int fd;

	cs_journal_path(state, slot, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return CS_OK; /* no child yet, or between two names */
	if (fd < 0 || fstat(fd, &st) != 0)
		rc = CS_FAIL(e, CS_E_IO, "journal %s: %s", path, strerror(errno));
	else if (st.st_size != *seenp && fsync(fd) != 0)
		rc = CS_FAIL(e, CS_E_IO, "journal %s: fsync: %s", path, strerror(errno));
	else
		*seenp = st.st_size;
	if (fd >= 0)
		close(fd);
	return rc;
}
