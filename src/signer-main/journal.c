/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The journal's lines and its file. One write(2) a line; the parent syncs.
 * Never deletes or rewrites a line.
 */
#include "signer-main/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/jcs.h"
#include "signer-main/journal_file.h"

#define LINE_MAX_LEN 4096
#define ROTATE_AT (INT64_C(64) << 20)

struct cs_journal {
	char path[CS_JOURNAL_PATH_MAX];
	const char *state, *token;
	unsigned slot;
	int fd;
	int64_t size; /* of the file; it ends with a whole line, unless: */
	bool is_cut;
	int64_t seq; /* of the last line */
	struct cs_buf line;
};

/* What a line says beside seq, time and token; NULL for what it does not say. */
struct line {
	const char *event;
	const struct cs_journal_entry *entry;
	const char *message;
	const char *rv;
	const struct cs_sha256 *raw;
};

static void build(struct cs_journal *j, const struct line *l)
{
	const struct cs_journal_entry *en = l->entry;
	char now[CS_TIME_TEXT];
	struct cs_jw w;

	cs_time_text(cs_clock_now(), now);
	cs_buf_reset(&j->line);
	if (j->is_cut)
		cs_buf_add_char(&j->line, '\n'); /* so that it stays apart */
	cs_jw_init(&w, &j->line);
	cs_jw_object(&w, NULL);
	if (en && en->request) {
		cs_jw_int(&w, "artifact", en->artifact);
		cs_jw_int(&w, "attempt", en->attempt);
	}
	cs_jw_int(&w, "child", j->slot);
	cs_jw_str(&w, "event", l->event);
	if (l->message)
		cs_jw_str(&w, "message", l->message);
	if (l->raw)
		cs_jw_hex(&w, "raw_sha256", l->raw->b, sizeof(l->raw->b));
	if (l->rv)
		cs_jw_str(&w, "rc", l->rv);
	if (en && en->request)
		cs_jw_str(&w, "request", en->request);
	cs_jw_int(&w, "seq", j->seq + 1);
	if (en) {
		cs_jw_hex(&w, "spki_sha256", en->spki->b, sizeof(en->spki->b));
		cs_jw_hex(&w, "tbs_sha256", en->tbs.b, sizeof(en->tbs.b));
	}
	cs_jw_str(&w, "time", now);
	cs_jw_str(&w, "token", j->token);
	cs_jw_end_object(&w);
	cs_buf_add_char(&j->line, '\n');
}

/* Take back what a failed write may have left, so that the next line does not continue it. */
static enum cs_rc write_failed(struct cs_journal *j, ssize_t n, struct cs_err *e)
{
	int err = n < 0 ? errno : ENOSPC;

	if (ftruncate(j->fd, j->size) != 0) {
		(void)CS_FAIL(e, CS_E_IO, "journal %s: %s, and its last line stays cut: %s",
			      j->path, strerror(err), strerror(errno));
		j->is_cut = j->is_cut || n > 0;
		j->size += n > 0 ? n : 0;
		return CS_E_IO;
	}
	return CS_FAIL(e, err == ENOSPC ? CS_E_NO_SPACE : CS_E_IO,
		       "journal %s: %s; nothing is signed without it", j->path, strerror(err));
}

static enum cs_rc write_line(struct cs_journal *j, const struct line *l, struct cs_err *e)
{
	enum cs_rc rc;
	ssize_t n;

	build(j, l);
	rc = cs_buf_ok(&j->line, "journal line", e);
	if (rc != CS_OK)
		return rc;
	do {
		n = write(j->fd, j->line.data, j->line.len);
	} while (n < 0 && errno == EINTR);
	if (n < 0 || (size_t)n != j->line.len)
		return write_failed(j, n, e);
	j->size += n;
	j->is_cut = false;
	j->seq++;
	return CS_OK;
}

static enum cs_rc open_current(struct cs_journal *j, struct cs_err *e)
{
	j->fd = open(j->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (j->fd < 0)
		return CS_FAIL(e, CS_E_IO, "journal %s: %s", j->path, strerror(errno));
	return CS_OK;
}

/* What a power cut or a failed write left stays, and the next line says what it is. */
static enum cs_rc end_cut_line(struct cs_journal *j, struct cs_err *e)
{
	const struct line cut = { .event = "note", .message = "cut line" };

	return j->is_cut ? write_line(j, &cut, e) : CS_OK;
}

/* The parent may look at the new file only: sync the old one before its name goes. */
static enum cs_rc rotate(struct cs_journal *j, struct cs_err *e)
{
	char old[CS_JOURNAL_PATH_MAX];

	if (j->size < ROTATE_AT)
		return CS_OK;
	cs_journal_rotated_path(j->state, j->slot, j->seq, old);
	if (fsync(j->fd) != 0 || rename(j->path, old) != 0)
		return CS_FAIL(e, CS_E_IO, "journal %s: rotation: %s", j->path, strerror(errno));
	close(j->fd);
	j->fd = -1;
	j->size = 0;
	return open_current(j, e);
}

enum cs_rc cs_journal_begin(struct cs_journal *j, const struct cs_journal_entry *entry,
			    struct cs_err *e)
{
	struct line l = { .event = entry->request ? "sign-begin" : CS_JOURNAL_SELFTEST_BEGIN,
			  .entry = entry };
	enum cs_rc rc = CS_OK;

	if (j->fd < 0)
		rc = open_current(j, e);
	if (rc == CS_OK)
		rc = end_cut_line(j, e);
	if (rc == CS_OK)
		rc = rotate(j, e);
	return rc == CS_OK ? write_line(j, &l, e) : rc;
}

enum cs_rc cs_journal_end(struct cs_journal *j, const struct cs_journal_entry *entry,
			  const char *rv, struct cs_bytes raw, struct cs_err *e)
{
	struct line l = { .event = entry->request ? "sign-end" : "selftest-end",
			  .entry = entry,
			  .rv = rv };
	struct cs_sha256 hash;

	if (strcmp(rv, "CKR_OK") == 0) {
		hash = cs_sha256(raw);
		l.raw = &hash;
	}
	return write_line(j, &l, e);
}

/* Go on where the last child ended, whatever it left. */
static enum cs_rc resume(struct cs_journal *j, struct cs_err *e)
{
	const struct line start = { .event = "note", .message = "start" };
	enum cs_rc rc;

	rc = cs_journal_last(j->state, j->slot, &j->seq, &j->size, &j->is_cut, e);
	if (rc == CS_OK)
		rc = end_cut_line(j, e);
	return rc == CS_OK ? write_line(j, &start, e) : rc;
}

const char *cs_journal_state(const struct cs_journal *j)
{
	return j->state;
}

enum cs_rc cs_journal_open(const char *state, unsigned slot, const char *token,
			   struct cs_journal **jp, struct cs_err *e)
{
	struct cs_journal *j = calloc(1, sizeof(*j));
	enum cs_rc rc;

	if (!j)
		return CS_FAIL(e, CS_E_NOMEM, "journal");
	j->state = state;
	j->slot = slot;
	j->token = token;
	j->fd = -1;
	cs_buf_init(&j->line, LINE_MAX_LEN);
	cs_journal_path(state, slot, j->path);
	rc = open_current(j, e);
	if (rc == CS_OK)
		rc = resume(j, e);
	if (rc != CS_OK) {
		cs_journal_close(j);
		return rc;
	}
	*jp = j;
	return CS_OK;
}

void cs_journal_close(struct cs_journal *j)
{
	if (!j)
		return;
	if (j->fd >= 0)
		close(j->fd);
	cs_buf_done(&j->line);
	free(j);
}
