/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last head of the log, kept in a small file beside the database: how a database that is older
 * than the one served last, or another one, is noticed at start.
 * Must not cost a commit anything: the timer writes the file, at most once a second.
 * See countersignd(8), "BACKUP AND RESTORE".
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "base/log.h"
#include "core/internal.h"

#define FILE_MAX 256
#define FILE_MODE 0600

/** "event 12 (…)", as people compare heads. */
static void describe(const struct cs_log_ref *log, struct cs_buf *out)
{
	if (log->size == 0) {
		cs_buf_add_str(out, "no event");
		return;
	}
	cs_buf_addf(out, "event %lld, head ", (long long)log->size);
	cs_buf_add_hex(out, log->head.b, CS_SHA256_LEN);
}

/** What is wrong with this log beside the head that was kept; NULL when it goes on from there. */
static const char *compare(struct cs_store *s, const struct cs_log_ref *log,
			   const struct cs_log_ref *kept)
{
	struct cs_sha256 then;

	if (log->size == 0)
		return "is empty, unlike";
	if (!cs_sha256_equal(&log->id, &kept->id))
		return "holds another log than";
	if (kept->size > log->size)
		return "is older than";
	if (cs_store_event_hash(s, kept->size, &then, NULL) != CS_OK ||
	    !cs_sha256_equal(&then, &kept->head))
		return "contradicts";
	return NULL;
}

static enum cs_rc refuse(struct cs_core *c, const char *what, const struct cs_log_ref *log,
			 struct cs_err *e)
{
	struct cs_buf here, kept;

	cs_buf_init(&here, FILE_MAX);
	cs_buf_init(&kept, FILE_MAX);
	describe(log, &here);
	describe(&c->kept, &kept);
	CS_FAIL(e, CS_E_CONFIG,
		"%s %s what was served last: it ends at %s, and %s says %s. Put the newer database "
		"there; if this one is all there is, start once with --accept-restore",
		c->database, what, cs_buf_str(&here), c->head_file, cs_buf_str(&kept));
	cs_buf_done(&here);
	cs_buf_done(&kept);
	return CS_E_CONFIG;
}

/** CS_E_NOT_FOUND without a file: of an earlier release, or of a machine that never served it. */
static enum cs_rc read_kept(struct cs_core *c, struct cs_err *e)
{
	struct cs_buf text;
	enum cs_rc rc;

	cs_buf_init(&text, FILE_MAX);
	rc = cs_file_read(c->head_file, &text, e);
	if (rc == CS_E_TOO_LARGE ||
	    (rc == CS_OK &&
	     (text.len == 0 || text.data[text.len - 1] != '\n' ||
	      !cs_head_line_read((struct cs_bytes){ text.data, text.len - 1 }, &c->kept))))
		rc = CS_FAIL(e, CS_E_CONFIG,
			     "%s: is not a line of log id, size and head, so whether the database "
			     "is the newest cannot be known. Compare its head with one that an "
			     "approver or auditor kept, and then remove this file",
			     c->head_file);
	cs_buf_done(&text);
	return rc;
}

enum cs_rc cs_head_check(struct cs_core *c, bool accept, struct cs_err *e)
{
	const char *what;
	enum cs_rc rc;

	rc = cs_store_log(c->store, &c->found, e);
	if (rc != CS_OK)
		return rc;
	rc = read_kept(c, e);
	if (rc == CS_E_NOT_FOUND) {
		if (c->found.size > 0)
			cs_log(CS_LOG_WARN, "head-missing",
			       "%s is not there: an older database would not be noticed",
			       c->head_file);
		return CS_OK;
	}
	if (rc != CS_OK)
		return rc;
	what = compare(c->store, &c->found, &c->kept);
	if (!what)
		return CS_OK;
	rc = refuse(c, what, &c->found, e);
	if (!accept)
		return rc;
	cs_log(CS_LOG_WARN, "restore-accepted", "%s", e->msg);
	c->restored = true;
	return CS_OK;
}

enum cs_rc cs_head_note(struct cs_core *c, struct cs_store *s, struct cs_err *e)
{
	struct cs_log_ref log;
	struct cs_buf detail;
	enum cs_rc rc;

	if (!c->restored)
		return CS_OK;
	rc = cs_store_log(s, &log, e);
	if (rc != CS_OK)
		return rc;
	c->found.id = log.id; /* an empty database has one only now */
	cs_buf_init(&detail, 1024);
	cs_detail_restored(&detail, &c->found, &c->kept);
	rc = cs_core_note(c, s, CS_EV_RESTORED, "daemon", "", &detail, e);
	cs_buf_done(&detail);
	return rc;
}

void cs_head_keep(struct cs_core *c, struct cs_store *s)
{
	struct cs_log_ref log;
	struct cs_buf line;
	struct cs_err e = { 0 };
	enum cs_rc rc = cs_store_log(s, &log, &e);

	if (rc == CS_OK && log.size == c->kept.size && cs_sha256_equal(&log.head, &c->kept.head))
		return;
	cs_buf_init(&line, FILE_MAX);
	if (rc == CS_OK) {
		cs_head_line_write(&log, &line);
		rc = cs_buf_ok(&line, "head", &e);
	}
	if (rc == CS_OK)
		rc = cs_file_replace(c->head_file, cs_buf_bytes(&line), FILE_MODE, &e);
	cs_buf_done(&line);
	if (rc == CS_OK)
		c->kept = log;
	if (rc != CS_OK && !c->head_lost)
		cs_log(CS_LOG_ERROR, "head-not-kept", "%s", e.msg);
	c->head_lost = rc != CS_OK;
}
