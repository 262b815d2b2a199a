/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metrics of core/: one table, and a function for each group of them. What was counted is
 * printed, the rest is looked up now. Must not print what grows with the log or with requests.
 * docs/METRICS.md is generated from the table.
 */
#include "core/metrics.h"

#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"
#include "core/internal.h"

#define CS_METRICS_OF_CORE(COUNTER, GAUGE, HISTOGRAM)                                            \
	GAUGE(BUILD, "countersign_build_info", "version", NULL,                                  \
	      "Always 1; the program's version.")                                                \
	GAUGE(READY, "countersign_ready", NULL, NULL, "1 when GET /v1/ready answers 200.")       \
	GAUGE(CHECK, "countersign_ready_check", "check", NULL,                                   \
	      "1 for each check of GET /v1/ready that is met.")                                  \
	GAUGE(POLICY, "countersign_policy_version", NULL, NULL,                                  \
	      "Version of signing.yaml in force.")                                               \
	GAUGE(REQUESTS, "countersign_requests", "state", NULL,                                   \
	      "Requests that have not ended, by state; `pending` wait for approvals.")           \
	GAUGE(OLDEST, "countersign_request_oldest_seconds", "state", NULL,                       \
	      "Age of the oldest of them; 0 when there is none.")                                \
	GAUGE(WAITS, "countersign_waiters", NULL, NULL, "Clients that wait for a change.")       \
	COUNTER(EVENTS, "countersign_events_total", "kind", NULL,                                \
		"Events written to the log since the start, by kind: signatures, decisions, "    \
		"refusals, clock jumps.")                                                        \
	COUNTER(DENIALS, "countersign_denials_total", "rule", NULL,                              \
		"Requests that the policy denied, by the rule that said no.")                    \
	GAUGE(WRITER_QUEUE, "countersign_writer_queue_length", NULL, NULL,                       \
	      "Commands that wait to be written.")                                               \
	COUNTER(COMMANDS, "countersign_writer_commands_total", NULL, NULL,                       \
		"Commands written; divided by commits, how many share one.")                     \
	HISTOGRAM(WRITER_WAIT, "countersign_writer_wait_seconds", NULL,                          \
		  "How long commands waited for the writer.")                                    \
	HISTOGRAM(FSYNC, "countersign_fsync_seconds", NULL,                                      \
		  "How long commits waited for the fsync of the write-ahead log.")               \
	HISTOGRAM(COMMIT, "countersign_commit_seconds", NULL,                                    \
		  "How long commits took: the write-ahead log's write and fsync.")               \
	GAUGE(ATTEMPT_QUEUE, "countersign_attempt_queue_length", NULL, NULL,                     \
	      "Approved requests that wait for their turn to be signed.")                        \
	HISTOGRAM(SIGN, "countersign_sign_seconds", "token",                                     \
		  "How long exchanges with a signer took, the wait for a connection included.")  \
	GAUGE(SIGNER_LOAD, "countersign_signer_exchanges", "token", NULL,                        \
	      "Exchanges that the signer was asked for and that have not ended.")                \
	GAUGE(SIGNER_UP, "countersign_signer_up", "token", NULL,                                 \
	      "1 when the signer answers, has our policy and can sign.")                         \
	COUNTER(SIGNER_CHANGES, "countersign_signer_changes_total", "token", "to",               \
		"How often the signer was `lost` and came `back`; the first `back` is its "      \
		"start.")                                                                        \
	COUNTER(SIGNER_RESTARTS, "countersign_signer_restarts_total", "token", NULL,             \
		"Children of the signer that ended by themselves or by a deadline since its "    \
		"start (a crash, a lost token, a call that hung) and were started anew; those "  \
		"replaced at a reload do not count.")                                            \
	GAUGE(SELFTEST, "countersign_selftest_timestamp_seconds", "token", NULL,                 \
	      "When the signer last tested its keys; 0 = not since the daemon's start.")         \
	GAUGE(SELFTEST_FAILED, "countersign_selftest_failed_keys", "token", NULL,                \
	      "Keys that failed that test.")                                                     \
	GAUGE(KEY_EXPIRY, "countersign_key_not_after_timestamp_seconds", "key", NULL,            \
	      "not_after of each signing key that has one.")                                     \
	GAUGE(KEY_DISABLED, "countersign_key_disabled", "key", NULL,                             \
	      "1 for each signing key that is stopped in the policy.")                           \
	GAUGE(LOG_WRITABLE, "countersign_log_writable", NULL, NULL,                              \
	      "0 when the last commit failed, or another program wrote: nothing is signed.")     \
	GAUGE(LOG_EVENTS, "countersign_log_events", NULL, NULL, "Size of the log.")              \
	GAUGE(LOG_HEAD, "countersign_log_head", NULL, NULL,                                      \
	      "The first 48 bits of the log's head, as a number: what others keep of it can be " \
	      "compared.")                                                                       \
	GAUGE(LOG_INFO, "countersign_log_info", "id", NULL, "Always 1; the log's id.")           \
	GAUGE(LOG_DAMAGED, "countersign_log_damaged", NULL, NULL,                                \
	      "1 from when the check of the log found damage until it found none in all of it.") \
	COUNTER(LOG_ALARMS, "countersign_log_alarms_total", NULL, NULL,                          \
		"Places of the log that were found damaged.")                                    \
	COUNTER(CHECK_EVENTS, "countersign_log_check_events_total", NULL, NULL,                  \
		"Events that the check has read.")                                               \
	COUNTER(CHECK_BYTES, "countersign_log_check_bytes_total", NULL, NULL,                    \
		"Bytes of these events.")                                                        \
	COUNTER(CHECK_CPU, "countersign_log_check_cpu_seconds_total", NULL, NULL,                \
		"Processor time that the check took.")                                           \
	COUNTER(CHECK_PASSES, "countersign_log_check_passes_total", NULL, NULL,                  \
		"How often the check has read all of the log.")                                  \
	COUNTER(CHECK_ERRORS, "countersign_log_check_errors_total", NULL, NULL,                  \
		"How often the check could not read.")                                           \
	GAUGE(CHECK_LAST, "countersign_log_check_timestamp_seconds", NULL, NULL,                 \
	      "When it last finished reading all of it; at first the daemon's start.")           \
	GAUGE(CHECK_PASS, "countersign_log_check_pass_seconds", NULL, NULL,                      \
	      "Within this time every event is read: log-check-period, or longer when "          \
	      "log-check-share does not allow it.")                                              \
	GAUGE(CHECK_WINDOW, "countersign_log_check_window_events", NULL, NULL,                   \
	      "How many of the newest events are read within log-check-period in any case.")     \
	GAUGE(DATABASE, "countersign_database_bytes", NULL, NULL, "Size of the database file.")  \
	GAUGE(WAL, "countersign_database_wal_bytes", NULL, NULL, "Size of its write-ahead log.") \
	GAUGE(DISK_FREE, "countersign_disk_free_bytes", NULL, NULL,                              \
	      "Free space beside the database.")                                                 \
	GAUGE(DISK_WATERMARK, "countersign_disk_watermark_bytes", NULL, NULL,                    \
	      "disk-watermark: with less, new requests are refused.")                            \
	COUNTER(CPU, "process_cpu_seconds_total", NULL, NULL,                                    \
		"Processor time of the daemon, its threads together.")                           \
	GAUGE(RSS, "process_resident_memory_bytes", NULL, NULL, "Memory of the daemon.")         \
	GAUGE(STARTED, "process_start_time_seconds", NULL, NULL, "When it was started.")

#define ROW_COUNTER(id, name, a, b, help) { name, CS_METRIC_COUNTER, { a, b }, help },
#define ROW_GAUGE(id, name, a, b, help) { name, CS_METRIC_GAUGE, { a, b }, help },
#define ROW_HISTOGRAM(id, name, a, help) { name, CS_METRIC_HISTOGRAM, { a }, help },
#define ID(id, ...) M_##id,

enum { CS_METRICS_OF_CORE(ID, ID, ID) M__COUNT };

static const struct cs_metric table[M__COUNT] = { CS_METRICS_OF_CORE(ROW_COUNTER, ROW_GAUGE,
								     ROW_HISTOGRAM) };

const struct cs_metric *cs_core_metric_table(size_t *countp)
{
	*countp = M__COUNT;
	return table;
}

/* --- counting --- */

void cs_tally_commit(struct cs_tally *t, struct cs_core_counters *counters)
{
	for (size_t i = 0; i < CS_EV__COUNT; i++)
		if (t->kinds[i] > 0)
			cs_counter_add(&counters->events[i], t->kinds[i]);
	*t = (struct cs_tally){ { 0 } };
}

static const char *const rule_names[CS_RULE__COUNT] = {
#define NAME(id, name, judgement, rc, summary) name,
	CS_RULES(NAME)
#undef NAME
};

static const bool rule_denies[CS_RULE__COUNT] = {
#define DENIES(id, name, judgement, rc, summary) judgement == CS_JUDGE_DENY,
	CS_RULES(DENIES)
#undef DENIES
};

void cs_count_denial(struct cs_core_counters *counters, const char *rule)
{
	for (size_t i = 0; i < CS_RULE__COUNT; i++)
		if (strcmp(rule_names[i], rule) == 0)
			cs_counter_add(&counters->denials[i], 1);
}

/* --- one group after the other --- */

static void put(struct cs_metrics_writer *w, size_t metric, int64_t value)
{
	cs_metrics_begin(w, &table[metric]);
	cs_metrics_int(w, NULL, NULL, value);
}

static void put_time(struct cs_metrics_writer *w, size_t metric, int64_t us)
{
	cs_metrics_begin(w, &table[metric]);
	cs_metrics_time(w, NULL, NULL, us);
}

static void put_counter(struct cs_metrics_writer *w, size_t metric, const struct cs_counter *n)
{
	cs_metrics_begin(w, &table[metric]);
	cs_metrics_counter(w, NULL, NULL, n);
}

static void put_histogram(struct cs_metrics_writer *w, size_t metric, const struct cs_histogram *h)
{
	cs_metrics_begin(w, &table[metric]);
	cs_metrics_histogram(w, NULL, h);
}

static void put_check(void *arg, const char *name, const char *message)
{
	cs_metrics_int(arg, name, NULL, message[0] == '\0');
}

static void add_state(struct cs_core *c, struct cs_metrics_writer *w)
{
	struct cs_policy *policy = cs_core_policy_get(c);

	cs_metrics_begin(w, &table[M_BUILD]);
	cs_metrics_int(w, c->version, NULL, 1);
	put(w, M_READY, cs_core_each_check(c, NULL, NULL));
	cs_metrics_begin(w, &table[M_CHECK]);
	cs_core_each_check(c, put_check, w);
	put(w, M_POLICY, policy->version);
	cs_policy_unref(policy);
}

static enum cs_rc add_requests(struct cs_core *c, struct cs_store *s, struct cs_metrics_writer *w,
			       struct cs_err *e)
{
	static const enum cs_state live[] = { CS_ST_PENDING, CS_ST_APPROVED, CS_ST_SIGNING };
	struct cs_live_count counts[CS_ST__COUNT];
	const int64_t now = cs_clock_now();
	enum cs_rc rc = cs_store_live_counts(s, counts, e);

	if (rc != CS_OK)
		return rc;
	cs_metrics_begin(w, &table[M_REQUESTS]);
	for (size_t i = 0; i < CS_COUNT(live); i++)
		cs_metrics_int(w, cs_state_name(live[i]), NULL, counts[live[i]].count);
	cs_metrics_begin(w, &table[M_OLDEST]);
	for (size_t i = 0; i < CS_COUNT(live); i++) {
		const int64_t oldest = counts[live[i]].oldest;

		cs_metrics_time(w, cs_state_name(live[i]), NULL,
				oldest > 0 && oldest < now ? now - oldest : 0);
	}
	put(w, M_WAITS, (int64_t)cs_waits_count(c));
	return CS_OK;
}

static void add_work(struct cs_core *c, struct cs_metrics_writer *w)
{
	const struct cs_core_counters *counters = &c->counters;

	cs_metrics_begin(w, &table[M_EVENTS]);
	for (int i = CS_EV_NONE + 1; i < CS_EV__COUNT; i++)
		cs_metrics_counter(w, cs_event_kind_name((enum cs_event_kind)i), NULL,
				   &counters->events[i]);
	cs_metrics_begin(w, &table[M_DENIALS]);
	for (size_t i = 0; i < CS_RULE__COUNT; i++)
		if (rule_denies[i])
			cs_metrics_counter(w, rule_names[i], NULL, &counters->denials[i]);
	put(w, M_WRITER_QUEUE, (int64_t)cs_writer_waiting(c));
	put_counter(w, M_COMMANDS, &counters->commands);
	put_histogram(w, M_WRITER_WAIT, &counters->writer_wait);
	put_histogram(w, M_FSYNC, &counters->fsync);
	put_histogram(w, M_COMMIT, &counters->commit);
	put(w, M_ATTEMPT_QUEUE, atomic_load(&c->scheduled));
}

static void add_signers(struct cs_core *c, struct cs_metrics_writer *w)
{
	struct cs_signer_seen seen[CS_TOKENS_MAX];

	pthread_mutex_lock(&c->lock);
	memcpy(seen, c->seen, sizeof(seen));
	pthread_mutex_unlock(&c->lock);
	cs_metrics_begin(w, &table[M_SIGN]);
	for (size_t i = 0; i < c->signer_count; i++)
		cs_metrics_histogram(w, c->signer_names[i], &c->counters.sign[i]);
	cs_metrics_begin(w, &table[M_SIGNER_LOAD]);
	for (size_t i = 0; i < c->signer_count; i++)
		cs_metrics_int(w, c->signer_names[i], NULL, (int64_t)cs_signer_load(c->signers[i]));
	cs_metrics_begin(w, &table[M_SIGNER_UP]);
	for (size_t i = 0; i < c->signer_count; i++)
		cs_metrics_int(w, c->signer_names[i], NULL, seen[i].ok);
	cs_metrics_begin(w, &table[M_SIGNER_CHANGES]);
	for (size_t i = 0; i < c->signer_count; i++) {
		cs_metrics_counter(w, c->signer_names[i], "lost", &c->counters.lost[i]);
		cs_metrics_counter(w, c->signer_names[i], "back", &c->counters.back[i]);
	}
	cs_metrics_begin(w, &table[M_SIGNER_RESTARTS]);
	/* a 0 before its first answer would look as if all its restarts had come since */
	for (size_t i = 0; i < c->signer_count; i++)
		if (seen[i].answered)
			cs_metrics_int(w, c->signer_names[i], NULL, seen[i].restarts);
	cs_metrics_begin(w, &table[M_SELFTEST]);
	for (size_t i = 0; i < c->signer_count; i++)
		cs_metrics_time(w, c->signer_names[i], NULL, seen[i].selftest_time);
	cs_metrics_begin(w, &table[M_SELFTEST_FAILED]);
	for (size_t i = 0; i < c->signer_count; i++)
		cs_metrics_int(w, c->signer_names[i], NULL, seen[i].selftest_failed);
}

static void add_keys(struct cs_core *c, struct cs_metrics_writer *w)
{
	struct cs_policy *policy = cs_core_policy_get(c);

	cs_metrics_begin(w, &table[M_KEY_EXPIRY]);
	for (size_t i = 0; i < policy->key_count; i++)
		if (policy->keys[i].not_after != INT64_MAX)
			cs_metrics_time(w, policy->keys[i].name, NULL, policy->keys[i].not_after);
	cs_metrics_begin(w, &table[M_KEY_DISABLED]);
	for (size_t i = 0; i < policy->key_count; i++)
		cs_metrics_int(w, policy->keys[i].name, NULL, policy->keys[i].disabled);
	cs_policy_unref(policy);
}

static int64_t first_48_bits(const struct cs_sha256 *h)
{
	int64_t out = 0;

	for (size_t i = 0; i < 6; i++)
		out = out << 8 | h->b[i];
	return out;
}

static enum cs_rc add_log(struct cs_core *c, struct cs_store *s, struct cs_metrics_writer *w,
			  struct cs_err *e)
{
	struct cs_log_ref log;
	char id[CS_SHA256_HEX];
	enum cs_rc rc = cs_store_log(s, &log, e);

	if (rc != CS_OK)
		return rc;
	put(w, M_LOG_WRITABLE, !atomic_load(&c->log_broken));
	put(w, M_LOG_EVENTS, log.size);
	put(w, M_LOG_HEAD, first_48_bits(&log.head));
	cs_sha256_hex(&log.id, id);
	cs_metrics_begin(w, &table[M_LOG_INFO]);
	cs_metrics_int(w, id, NULL, 1);
	return CS_OK;
}

static void add_log_check(struct cs_core *c, struct cs_metrics_writer *w)
{
	const struct cs_logcheck *k = &c->logcheck;
	const int64_t last = atomic_load(&k->last_pass);

	put(w, M_LOG_DAMAGED, atomic_load(&k->damaged));
	put_counter(w, M_LOG_ALARMS, &k->alarms);
	put_counter(w, M_CHECK_EVENTS, &k->events);
	put_counter(w, M_CHECK_BYTES, &k->bytes);
	put_time(w, M_CHECK_CPU, (int64_t)cs_counter_get(&k->cpu_us));
	put_counter(w, M_CHECK_PASSES, &k->passes);
	put_counter(w, M_CHECK_ERRORS, &k->errors);
	put_time(w, M_CHECK_LAST, last > 0 ? last : c->started);
	put_time(w, M_CHECK_PASS, atomic_load(&k->pass_us));
	put(w, M_CHECK_WINDOW, atomic_load(&k->window));
}

/** 0 for a file that is not there. */
static int64_t size_of(const char *path, const char *suffix)
{
	struct cs_buf name;
	struct stat st = { .st_size = 0 };

	cs_buf_init(&name, 8192);
	cs_buf_addf(&name, "%s%s", path, suffix);
	if (stat(cs_buf_str(&name), &st) != 0)
		st.st_size = 0;
	cs_buf_done(&name);
	return st.st_size;
}

static void add_disk(struct cs_core *c, struct cs_metrics_writer *w)
{
	struct statvfs fs;

	put(w, M_DATABASE, size_of(c->database, ""));
	put(w, M_WAL, size_of(c->database, "-wal"));
	cs_metrics_begin(w, &table[M_DISK_FREE]);
	if (statvfs(c->database, &fs) == 0)
		cs_metrics_int(w, NULL, NULL, (int64_t)fs.f_bavail * (int64_t)fs.f_frsize);
	put(w, M_DISK_WATERMARK, c->disk_watermark);
}

static int64_t us_of(const struct timeval *t)
{
	return (int64_t)t->tv_sec * CS_SECOND + t->tv_usec;
}

/** The second number of /proc/self/statm is the resident pages. */
static int64_t resident_pages(void)
{
	struct cs_buf text;
	int64_t pages = 0;
	char *start;

	cs_buf_init(&text, 4096);
	if (cs_file_read("/proc/self/statm", &text, NULL) == CS_OK && text.len > 0) {
		start = strchr((char *)text.data, ' ');
		if (start)
			start[1 + strcspn(start + 1, " \n")] = '\0';
		if (!start || !cs_text_to_int(start + 1, 0, INT64_MAX, &pages))
			pages = 0;
	}
	cs_buf_done(&text);
	return pages;
}

static void add_process(const struct cs_core *c, struct cs_metrics_writer *w)
{
	struct rusage used = { 0 };

	(void)getrusage(RUSAGE_SELF, &used);
	put_time(w, M_CPU, us_of(&used.ru_utime) + us_of(&used.ru_stime));
	put(w, M_RSS, resident_pages() * sysconf(_SC_PAGESIZE));
	put_time(w, M_STARTED, c->started);
}

enum cs_rc cs_core_metrics(struct cs_core *c, struct cs_buf *out, struct cs_err *e)
{
	struct cs_metrics_writer w = { .out = out };
	struct cs_store *s = cs_reader_get(c);
	enum cs_rc rc;

	rc = add_requests(c, s, &w, e);
	if (rc == CS_OK)
		rc = add_log(c, s, &w, e);
	cs_reader_put(c, s);
	if (rc != CS_OK)
		return rc;
	add_state(c, &w);
	add_work(c, &w);
	add_signers(c, &w);
	add_keys(c, &w);
	add_log_check(c, &w);
	add_disk(c, &w);
	add_process(c, &w);
	return cs_buf_ok(out, "metrics", e);
}
