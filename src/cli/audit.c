/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit export and audit tail: the log as lines, for verifiers, spreadsheets and people.
 * Must not change a byte of an exported event.
 * See countersign(1).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "audit/event.h"
#include "base/clock.h"
#include "cli/command.h"
#include "cli/csv.h"
#include "cli/events.h"
#include "cli/remote.h"
#include "cli/term.h"

#define TAIL_EVENTS 10
#define TAIL_PAUSE_SECONDS 1
#define DETAIL_SHOWN 120
#define CSV_ROW_MAX (3U * CS_EVENT_MAX)

/** Where lines go, and how. */
struct sink {
	FILE *out;
	bool csv;
	int64_t count;
};

/* --- export ------------------------------------------------------------------------------ */

static enum cs_rc write_csv(struct sink *s, struct cs_bytes line, struct cs_err *e)
{
	char seq[24], time[CS_TIME_TEXT], hash[CS_SHA256_HEX];
	struct cs_sha256 own = cs_event_hash(line);
	struct cs_json *root = NULL;
	struct cs_buf row, detail;
	struct cs_event ev;
	enum cs_rc rc = cs_event_parse(line, &ev, &root, e);

	cs_buf_init(&row, CSV_ROW_MAX);
	cs_buf_init(&detail, CS_EVENT_MAX);
	if (!rc)
		rc = cs_jcs_write(cs_json_get(root, "detail"), &detail, e);
	if (rc) {
		cs_err_prefix(e, "an event of the server's log");
		goto out;
	}
	snprintf(seq, sizeof(seq), "%lld", (long long)ev.seq);
	cs_time_text(ev.time, time);
	cs_sha256_hex(&own, hash);
	cs_csv_row(&row,
		   (const char *const[]){ seq, time, cs_event_kind_name(ev.kind), ev.actor,
					  ev.request, cs_buf_str(&detail), hash },
		   7);
	rc = cs_buf_ok(&row, "CSV row", e);
	if (!rc)
		fwrite(row.data, 1, row.len, s->out);
out:
	cs_json_free(root);
	cs_buf_done(&detail);
	cs_buf_done(&row);
	return rc;
}

static enum cs_rc write_line(void *arg, struct cs_bytes line, struct cs_err *e)
{
	struct sink *s = arg;

	s->count++;
	if (s->csv)
		return write_csv(s, line, e);
	fwrite(line.data, 1, line.len, s->out);
	fputc('\n', s->out);
	return CS_OK;
}

/** Every page from the option's event on. */
static enum cs_rc write_all(struct cs_cli *cli, struct sink *s, struct cs_events_end *end,
			    struct cs_err *e)
{
	int64_t from = cli->args.from;
	bool first = true;
	enum cs_rc rc;

	if (s->csv)
		fputs("\"seq\",\"time\",\"kind\",\"actor\",\"request\",\"detail\",\"hash\"\r\n",
		      s->out);
	do {
		rc = cs_events_page(cli, from, first, write_line, s, end, e);
		if (rc)
			return rc;
		first = false;
		from = end->next;
		cs_term_live(cli, "%lld of %lld events", (long long)(from - 1),
			     (long long)end->log.size);
	} while (end->next <= end->log.size);
	cs_term_live_end(cli);
	if (fflush(s->out) != 0 || ferror(s->out))
		return CS_FAIL(e, CS_E_IO, "the export cannot be written: %s", strerror(errno));
	return CS_OK;
}

/** What was exported, for people; to standard error when the export itself is on standard output.
 */
static void print_end(const struct cs_cli *cli, const struct sink *s,
		      const struct cs_events_end *end)
{
	char id[CS_SHA256_HEX], head[CS_SHA256_HEX];

	cs_sha256_hex(&end->log.id, id);
	cs_sha256_hex(&end->log.head, head);
	if (cli->args.json)
		printf("{\"events\":%lld,\"head\":\"%s\",\"id\":\"%s\",\"size\":%lld}\n",
		       (long long)s->count, head, id, (long long)end->log.size);
	else
		printf("events:           %lld\nlog:              %s\nhead:             %lld:%s\n",
		       (long long)s->count, id, (long long)end->log.size, head);
}

/** Into a file that appears whole or not at all, and overwrites nothing. */
static enum cs_rc export_to(struct cs_cli *cli, const char *path, struct sink *s,
			    struct cs_events_end *end, struct cs_err *e)
{
	char *part = NULL;
	enum cs_rc rc;
	int fd;

	if (asprintf(&part, "%s.part", path) < 0)
		return CS_FAIL(e, CS_E_NOMEM, "%s", path);
	fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	s->out = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (!s->out) {
		rc = CS_FAIL(e, CS_E_IO, "%s: %s", part, strerror(errno));
		if (fd >= 0)
			close(fd);
		goto out;
	}
	rc = write_all(cli, s, end, e);
	if (!rc && fsync(fd) < 0)
		rc = CS_FAIL(e, CS_E_IO, "%s: %s", part, strerror(errno));
	if (fclose(s->out) != 0 && !rc)
		rc = CS_FAIL(e, CS_E_IO, "%s: %s", part, strerror(errno));
	if (!rc && link(part, path) < 0)
		rc = CS_FAIL(e, errno == EEXIST ? CS_E_CONFLICT : CS_E_IO,
			     "%s: %s: nothing is overwritten", path, strerror(errno));
	unlink(part);
out:
	free(part);
	return rc;
}

enum cs_rc cs_cmd_audit_export(struct cs_cli *cli, struct cs_err *e)
{
	const char *path = cli->args.output;
	struct sink s = { .out = stdout };
	struct cs_events_end end;
	enum cs_rc rc;

	s.csv = cli->args.encoding && strcmp(cli->args.encoding, "csv") == 0;
	if (!path && isatty(STDOUT_FILENO))
		return cs_cli_usage(cli, e,
				    "standard output is a terminal: say --output FILE; `audit "
				    "tail` shows events");
	if (!path || strcmp(path, "-") == 0)
		return write_all(cli, &s, &end, e);
	if (access(path, F_OK) == 0)
		return CS_FAIL(e, CS_E_CONFLICT, "%s: exists; nothing is overwritten", path);
	rc = export_to(cli, path, &s, &end, e);
	if (!rc)
		print_end(cli, &s, &end);
	return rc;
}

/* --- tail -------------------------------------------------------------------------------- */

static enum cs_rc show_event(const struct cs_event *ev, const struct cs_json *detail,
			     struct cs_err *e)
{
	char time[CS_TIME_TEXT];
	struct cs_buf shown;
	enum cs_rc rc;

	cs_time_text(ev->time, time);
	cs_buf_init(&shown, CSV_ROW_MAX);
	rc = cs_jcs_write(detail, &shown, e);
	cs_term_cut(&shown, DETAIL_SHOWN);
	printf("%lld %s %s %s%s%s ", (long long)ev->seq, time, cs_event_kind_name(ev->kind),
	       ev->actor, ev->request[0] ? " " : "", ev->request);
	cs_term_text(stdout, cs_buf_str(&shown));
	putchar('\n');
	cs_buf_done(&shown);
	return rc;
}

static enum cs_rc show_line(void *arg, struct cs_bytes line, struct cs_err *e)
{
	const struct cs_cli *cli = arg;
	struct cs_json *root = NULL;
	json_t *shown = NULL;
	struct cs_event ev;
	enum cs_rc rc;

	rc = cs_event_parse(line, &ev, &root, e);
	if (!rc && cli->args.json)
		rc = cs_json_load(line, line.len, "event", &shown, e);
	else if (!rc)
		rc = show_event(&ev, cs_json_get(root, "detail"), e);
	if (shown)
		cs_remote_print(shown);
	json_decref(shown);
	cs_json_free(root);
	return rc;
}

enum cs_rc cs_cmd_audit_tail(struct cs_cli *cli, struct cs_err *e)
{
	const struct timespec pause = { .tv_sec = TAIL_PAUSE_SECONDS };
	int64_t from = cli->args.from;
	json_t *head = NULL;
	enum cs_rc rc = CS_OK;

	if (from == 1) { /* not given: the last few */
		rc = cs_remote_get_json(cli, "/v1/audit/head", 0, &head, e);
		from = cs_remote_int(head, "size") - TAIL_EVENTS + 1;
		from = from > 1 ? from : 1;
		json_decref(head);
	}
	while (!rc) {
		struct cs_events_end end;

		rc = cs_events_page(cli, from, false, show_line, cli, &end, e);
		fflush(stdout);
		if (rc)
			break;
		from = end.next;
		if (end.next <= end.log.size)
			continue;
		if (cli->args.once)
			break;
		nanosleep(&pause, NULL);
	}
	return rc;
}
