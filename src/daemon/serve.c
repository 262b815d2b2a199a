/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Start, reload and stop of the daemon, and its life under a service manager.
 * Must not do work of its own: the main thread only waits for signals.
 * See countersignd(8).
 */
#include "daemon/serve.h"

#include <errno.h>
#include <inttypes.h>
#include <malloc.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/notify.h"
#include "base/text.h"
#include "base/thread.h"
#include "daemon/files.h"
#include "daemon/report.h"
#include "http/http.h"

#define STOP_SECONDS 10     /* from SIGTERM to the end, whatever happens */
#define STOP_HTTP_SECONDS 6 /* of these, for what clients are still being sent */
#define FILES_MORE 128      /* signers, threads, libraries */

struct daemon {
	const struct cs_options *options;
	struct cs_files files; /* config for good; policy and access are the core's after start */
	struct cs_core *core;
	struct cs_http *http;
	sigset_t signals;
};

/* Each problem is a line of its own. */
static void log_problems(const struct cs_buf *report, const struct cs_err *e)
{
	const char *line = cs_buf_str(report);

	if (*line == '\0')
		cs_log(CS_LOG_ERROR, "configuration", "%s", e->msg);
	while (*line) {
		size_t len = strcspn(line, "\n");

		cs_log(CS_LOG_ERROR, "configuration", "%.*s", (int)len, line);
		line += len + (line[len] == '\n');
	}
}

/* Nothing of this process is anybody's business: no core, no ptrace, no new privileges. */
static enum cs_rc harden(struct cs_err *e)
{
	const struct rlimit none = { 0, 0 };

	umask(077);
	if (setrlimit(RLIMIT_CORE, &none) != 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
		return CS_FAIL(e, CS_E_INTERNAL, "process limits: %s", strerror(errno));
	return CS_OK;
}

/* A descriptor for each connection, three for each worker's database connection, and some more. */
static enum cs_rc raise_file_limit(const struct cs_config *config, struct cs_err *e)
{
	const rlim_t need = (rlim_t)(config->connections_max + 3 * config->workers + FILES_MORE);
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return CS_FAIL(e, CS_E_INTERNAL, "limit of open files: %s", strerror(errno));
	if (files.rlim_cur >= need)
		return CS_OK;
	if (files.rlim_max < need)
		return CS_FAIL(
			e, CS_E_CONFIG,
			"connections-max and workers take %llu open files, and only %llu are "
			"allowed; lower them, or raise LimitNOFILE= of the service",
			(unsigned long long)need, (unsigned long long)files.rlim_max);
	files.rlim_cur = need;
	if (setrlimit(RLIMIT_NOFILE, &files) != 0)
		return CS_FAIL(e, CS_E_INTERNAL, "limit of open files: %s", strerror(errno));
	return CS_OK;
}

static enum cs_rc uid_of(const char *user, int64_t *uidp, struct cs_err *e)
{
	const struct passwd *entry;

	*uidp = -1;
	if (!user || cs_text_to_int(user, 0, UINT32_MAX - 1, uidp)) /* a number needs no account */
		return CS_OK;
	errno = 0;
	entry = getpwnam(user);
	if (!entry)
		return CS_FAIL(e, CS_E_CONFIG, "signers: user %s: %s", user,
			       errno ? strerror(errno) : "no such user on this machine");
	*uidp = (int64_t)entry->pw_uid;
	return CS_OK;
}

static enum cs_rc open_core(struct daemon *d, struct cs_err *e)
{
	const struct cs_config *config = d->files.config;
	struct cs_core_config core = {
		.database = config->database,
		.version = PACKAGE_VERSION,
		.readers = (size_t)config->workers,
		.disk_watermark = config->disk_watermark,
		.waits_per_principal = (size_t)config->long_polls_per_principal,
		.log_check = { .period_us = config->log_check_period * CS_SECOND,
			       .share = config->log_check_share },
		.signer_count = config->signer_count,
		.accept_restore = d->options->accept_restore != NULL,
	};
	const struct cs_core_policy files = {
		.policy = d->files.policy,
		.policy_yaml = cs_buf_bytes(&d->files.policy_yaml),
		.access = d->files.access,
	};

	for (size_t i = 0; i < config->signer_count; i++) {
		const struct cs_config_signer *s = &config->signers[i];
		struct cs_signer_config *signer = &core.signers[i];
		enum cs_rc rc = uid_of(s->user, &signer->peer_uid, e);

		if (rc != CS_OK)
			return rc;
		signer->token = s->token;
		signer->socket = s->socket;
		signer->connections = s->connections;
		signer->timeout_us = config->signer_timeout * CS_SECOND;
	}
	return cs_core_open(&core, &files, &d->core, e);
}

static enum cs_rc start_http(struct daemon *d, struct cs_err *e)
{
	const struct cs_config *config = d->files.config;
	const struct cs_http_config http = {
		.listen = config->listen,
		.metrics_listen = config->metrics_listen,
		.certificate = config->tls_certificate,
		.key = config->tls_key,
		.client_ca = config->client_ca,
		.client_crl = config->client_crl,
		.threads = config->http_threads,
		.workers = config->workers,
		.connections_max = config->connections_max,
		.connections_per_ip = config->connections_per_ip,
		.body_max = config->body_max,
		.handshake_us = config->handshake_timeout * CS_SECOND,
		.request_us = config->request_timeout * CS_SECOND,
		.idle_us = config->idle_timeout * CS_SECOND,
		.long_polls_max = config->long_polls_max,
		.auth_failures = config->auth_failures,
	};

	return cs_http_start(&http, d->core, &d->http, e);
}

/* --- reload --- */

/* TLS files are checked first and put in force last, so that nothing changes when anything is
 * wrong. */
static enum cs_rc reload(struct daemon *d, struct cs_buf *report, struct cs_err *e)
{
	struct cs_files fresh;
	struct cs_problems p;
	enum cs_rc rc;

	cs_files_init(&fresh);
	rc = cs_files_load_policy(&fresh, d->files.config, report, e);
	if (rc == CS_OK) {
		cs_problems_init(&p, d->files.config->signing_policy);
		cs_config_check_signers(d->files.config, fresh.policy, &p);
		rc = cs_problems_check(&p, e);
		cs_problems_print(&p, report);
		cs_problems_done(&p);
	}
	if (rc == CS_OK)
		rc = cs_http_prepare(d->http, e);
	if (rc == CS_OK)
		rc = cs_core_reload(d->core,
				    &(struct cs_core_policy){
					    .policy = fresh.policy,
					    .policy_yaml = cs_buf_bytes(&fresh.policy_yaml),
					    .access = fresh.access,
				    },
				    e);
	if (rc == CS_OK)
		cs_http_commit(d->http);
	cs_files_done(&fresh);
	return rc;
}

static void on_hangup(struct daemon *d)
{
	char state[64];
	struct cs_buf report;
	struct cs_err e;

	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRId64, cs_clock_mono());
	cs_notify(state);
	cs_buf_init(&report, 1U << 20);
	if (reload(d, &report, &e) == CS_OK) {
		cs_log(CS_LOG_INFO, "reloaded", "policy, access list and TLS files are in force");
	} else {
		log_problems(&report, &e);
		cs_log(CS_LOG_ERROR, "reload-failed", "%s; everything stays as it was", e.msg);
	}
	cs_buf_done(&report);
	cs_notify("READY=1");
}

/* --- stop --- */

/* What does not end in time is ended. That loses nothing: whatever was answered is on disk, and the
 * next start repairs the rest, as after a crash. */
static void on_overdue(int signal_number)
{
	static const char text[] =
		"{\"event\":\"stop-overdue\",\"level\":\"error\",\"message\":\"the "
		"stop took too long and was cut short\"}\n";

	(void)signal_number;
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(CS_EXIT_FAILURE);
	_exit(CS_EXIT_FAILURE);
}

static void stop(struct daemon *d)
{
	int64_t deadline = cs_clock_mono() + STOP_HTTP_SECONDS * CS_SECOND;
	const struct sigaction overdue = { .sa_handler = on_overdue };
	sigset_t alarm_only;

	cs_notify("STOPPING=1");
	cs_log(CS_LOG_INFO, "stopping", "requests that run are finished first");
	sigaction(SIGALRM, &overdue, NULL);
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	pthread_sigmask(SIG_UNBLOCK, &alarm_only, NULL);
	alarm(STOP_SECONDS);
	cs_core_drain(d->core);
	if (d->http)
		cs_http_stop(d->http, deadline);
	cs_core_close(d->core);
	alarm(0);
	cs_log(CS_LOG_INFO, "stopped", "nothing is left to do");
}

/* --- start --- */

/* Before the first thread, so that all threads inherit it and only wait_for_signal takes signals.
 */
static void block_signals(struct daemon *d)
{
	sigset_t blocked;

	sigemptyset(&d->signals);
	sigaddset(&d->signals, SIGTERM);
	sigaddset(&d->signals, SIGINT);
	sigaddset(&d->signals, SIGHUP);
	blocked = d->signals;
	sigaddset(&blocked, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &blocked, NULL);
	signal(SIGPIPE, SIG_IGN);
}

/* Memory that requests free and take again stays with the process: giving it back to the kernel and
 * asking for it anew costs more than the work in between. */
static void keep_memory(void)
{
	mallopt(M_MMAP_THRESHOLD, 1 << 20);
	mallopt(M_TRIM_THRESHOLD, 16 << 20);
	mallopt(M_TOP_PAD, 1 << 20);
}

static enum cs_rc start(struct daemon *d, struct cs_err *e)
{
	struct cs_buf report;
	enum cs_rc rc;

	cs_buf_init(&report, 1U << 20);
	rc = cs_files_load(&d->files, d->options->config, &report, e);
	if (rc != CS_OK)
		log_problems(&report, e);
	cs_buf_done(&report);
	if (rc != CS_OK)
		return rc;
	cs_log_set_level((enum cs_log_level)d->files.config->log_level);
	/* a signer that computes would keep the others waiting for milliseconds at every step */
	cs_thread_take_short_turns();
	rc = harden(e);
	if (rc == CS_OK)
		rc = raise_file_limit(d->files.config, e);
	if (rc == CS_OK)
		rc = open_core(d, e);
	if (rc == CS_OK)
		rc = start_http(d, e);
	if (rc != CS_OK)
		cs_log(CS_LOG_ERROR, "start-failed", "%s", e->msg);
	return rc;
}

/* The signal that came, or 0 when it is time for the watchdog. */
static int wait_for_signal(const struct daemon *d, int64_t period_us)
{
	struct timespec ts = { .tv_sec = (time_t)(period_us / CS_SECOND),
			       .tv_nsec = (long)(period_us % CS_SECOND) * 1000 };
	int got = period_us == INT64_MAX ? sigwaitinfo(&d->signals, NULL)
					 : sigtimedwait(&d->signals, NULL, &ts);

	return got > 0 ? got : 0;
}

static void run(struct daemon *d)
{
	int64_t period_us = cs_notify_watchdog();

	cs_log(CS_LOG_INFO, "listening", "%s, port %u", d->files.config->listen,
	       cs_http_port(d->http));
	if (cs_http_metrics_port(d->http) > 0)
		cs_log(CS_LOG_INFO, "metrics", "%s, port %u", d->files.config->metrics_listen,
		       cs_http_metrics_port(d->http));
	cs_notify("READY=1");
	for (;;) {
		int got = wait_for_signal(d, period_us);

		if (got == SIGTERM || got == SIGINT)
			return;
		if (got == SIGHUP)
			on_hangup(d);
		else
			cs_notify("WATCHDOG=1");
	}
}

int cs_serve(const struct cs_options *o)
{
	struct daemon d = { .options = o };
	struct cs_err e = { .rc = CS_OK };
	int status = 0;

	cs_files_init(&d.files);
	keep_memory();
	block_signals(&d);
	if (start(&d, &e) == CS_OK)
		run(&d);
	else
		status = e.rc == CS_E_CONFIG ? CS_EXIT_CONFIG : CS_EXIT_FAILURE;
	if (d.core)
		stop(&d);
	cs_files_done(&d.files);
	return status;
}
