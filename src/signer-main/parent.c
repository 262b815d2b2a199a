/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Supervises the children of one token: a table of slots and one loop over signals, reports and
 * times. At most one child starts at a time, and nobody is killed before its login returned, as far
 * as patience goes.
 */
#include "signer-main/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/frame.h"
#include "base/metrics.h"
#include "base/notify.h"
#include "signer-main/child.h"
#include "signer-main/journal.h"
#include "signer-main/journal_file.h"

#define CHILDREN_MAX 64
#define START_LIMIT (120 * CS_SECOND) /* longer than any login that still returns */
#define STOP_LIMIT (8 * CS_SECOND)    /* of the 10 s that a stop may take */
#define BACKOFF_MIN (CS_SECOND / 10)
#define BACKOFF_MAX (5 * CS_SECOND)
#define PROVEN (5 * CS_SECOND) /* a child that served this long starts without back-off again */
#define BETWEEN_TRIES (5 * CS_SECOND) /* of children, with a key that hung; longer than a start */
#define SYNC_PERIOD CS_SECOND
#define LOCK_PATH_MAX 4096

enum slot_state { EMPTY, STARTING, SERVING, STOPPING };

struct slot {
	enum slot_state state;
	pid_t pid;
	int report_fd; /* −1 when there is none */
	unsigned generation;
	int64_t since;   /* state's begin; for EMPTY: when to start again */
	int64_t started; /* the last child */
	int64_t backoff; /* from one start to the next, so that a child that hung does not wait
			    twice */
	int64_t journal_seen;
};

struct parent {
	const struct cs_options *o;
	struct cs_accepted accepted;
	unsigned generation; /* of the policy; children of an older one are replaced */
	int listen_fd, signal_fd, lock_fd;
	int64_t watchdog, next_watchdog, next_sync;
	bool logged_in; /* some child's login succeeded */
	bool told_ready, reloading, stopping, pin_refused;
	enum cs_exit status;
	struct cs_hung_keys hung_keys;
	struct cs_counter *restarts; /* in memory that the children see, too */
	size_t count;
	struct slot slots[CHILDREN_MAX];
};

/* One signer per state directory: two would overwrite each other's marker and journals. */
static enum cs_rc lock_state(struct parent *p, struct cs_err *e)
{
	char path[LOCK_PATH_MAX];
	struct stat st;

	if (stat(p->o->state, &st) != 0)
		return CS_FAIL(e, CS_E_CONFIG, "state directory %s: %s", p->o->state,
			       strerror(errno));
	if (st.st_uid != geteuid() || (st.st_mode & 077))
		return CS_FAIL(
			e, CS_E_CONFIG,
			"state directory %s: must belong to the signer's user with mode 0700",
			p->o->state);
	snprintf(path, sizeof(path), "%s/lock", p->o->state);
	p->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (p->lock_fd < 0)
		return CS_FAIL(e, CS_E_IO, "%s: %s", path, strerror(errno));
	if (flock(p->lock_fd, LOCK_EX | LOCK_NB) != 0)
		return CS_FAIL(e, CS_E_CONFIG, "another signer uses the state directory %s",
			       p->o->state);
	return CS_OK;
}

static enum cs_rc take_signals(struct parent *p, struct cs_err *e)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return CS_FAIL(e, CS_E_INTERNAL, "signals: %s", strerror(errno));
	p->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (p->signal_fd < 0)
		return CS_FAIL(e, CS_E_INTERNAL, "signalfd: %s", strerror(errno));
	return CS_OK;
}

static enum cs_rc listen_socket(struct parent *p, struct cs_err *e)
{
	/* who may talk is decided by SO_PEERCRED, and by the directory */
	enum cs_rc rc = cs_unix_listen(p->o->socket, 0666, &p->listen_fd, e);

	if (rc == CS_OK && fcntl(p->listen_fd, F_SETFL, O_NONBLOCK) != 0)
		rc = CS_FAIL(e, CS_E_IO, "socket %s: %s", p->o->socket, strerror(errno));
	return rc;
}

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "a counter that processes share must be lock-free");

/* One number whichever child is asked, also one that is older than the last restart. */
static enum cs_rc share_counter(struct parent *p, struct cs_err *e)
{
	void *page = mmap(NULL, sizeof(*p->restarts), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (page == MAP_FAILED)
		return CS_FAIL(e, CS_E_NOMEM, "memory to share with the children: %s",
			       strerror(errno));
	p->restarts = page;
	return CS_OK;
}

static void set_state(struct slot *s, enum slot_state state)
{
	s->state = state;
	s->since = cs_clock_mono();
}

static void close_report(struct slot *s)
{
	if (s->report_fd >= 0)
		close(s->report_fd);
	s->report_fd = -1;
}

/* In the new process: only what the child needs stays open. */
static _Noreturn void run_child(struct parent *p, unsigned slot, int report_fd)
{
	struct cs_child child = { .options = p->o,
				  .accepted = &p->accepted,
				  .hung_keys = &p->hung_keys,
				  .restarts = p->restarts,
				  .slot = slot,
				  .listen_fd = p->listen_fd,
				  .report_fd = report_fd };
	size_t i;

	/* a try may cost a child its life: not that of all at once */
	cs_hung_keys_delay(&p->hung_keys, slot * BETWEEN_TRIES);
	/* against stray writes of the module: the others tell the number, too */
	(void)mprotect(p->restarts, sizeof(*p->restarts), PROT_READ);
	close(p->signal_fd);
	for (i = 0; i < p->count; i++)
		close_report(&p->slots[i]);
	cs_child_run(&child);
}

static void start(struct parent *p, struct slot *s)
{
	pid_t pid = -1;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0) {
		pid = fork();
		if (pid == 0) {
			close(fds[0]); /* or the report of an orphan would not fail */
			run_child(p, (unsigned)(s - p->slots), fds[1]);
		}
		close(fds[1]);
		if (pid < 0)
			close(fds[0]);
	}
	if (pid < 0) {
		cs_log(CS_LOG_ERROR, "fork", "child %zu: %s", (size_t)(s - p->slots),
		       strerror(errno));
		s->since = cs_clock_mono() + BACKOFF_MAX;
		return;
	}
	s->pid = pid;
	s->report_fd = fds[0];
	s->generation = p->generation;
	set_state(s, STARTING);
	s->started = s->since;
}

static size_t count_state(const struct parent *p, enum slot_state state)
{
	size_t count = 0;
	size_t i;

	for (i = 0; i < p->count; i++)
		count += p->slots[i].state == state;
	return count;
}

/* The first child goes alone; then one after the other. */
static void start_next(struct parent *p)
{
	size_t limit = p->logged_in ? p->count : 1;
	int64_t now = cs_clock_mono();
	size_t i;

	if (p->stopping || p->pin_refused || count_state(p, STARTING) > 0)
		return;
	for (i = 0; i < limit; i++) {
		if (p->slots[i].state == EMPTY && p->slots[i].since <= now) {
			start(p, &p->slots[i]);
			return;
		}
	}
}

static void terminate(struct slot *s)
{
	kill(s->pid, SIGTERM);
	set_state(s, STOPPING);
}

/* Children of an older policy go one by one, each after its predecessor's successor serves. */
static void replace_next(struct parent *p)
{
	bool old_left = false;
	size_t i;

	if (!p->reloading || p->stopping || count_state(p, STARTING) + count_state(p, STOPPING) > 0)
		return;
	for (i = 0; i < p->count; i++) {
		struct slot *s = &p->slots[i];

		if (s->state != SERVING || s->generation == p->generation)
			continue;
		if (old_left)
			break;
		terminate(s);
		old_left = true;
	}
	if (!old_left && count_state(p, EMPTY) == 0) {
		p->reloading = false;
		cs_notify("READY=1\nSTATUS=serving");
		cs_log(CS_LOG_INFO, "reloaded", "all children have policy version %lld",
		       (long long)p->accepted.policy->version);
	}
}

static void tell_ready(struct parent *p, const char *status)
{
	char message[128];

	snprintf(message, sizeof(message), "%sSTATUS=%s", p->told_ready ? "" : "READY=1\n", status);
	cs_notify(message);
	p->told_ready = true;
}

static void take_report(struct parent *p, struct slot *s)
{
	char byte;

	if (read(s->report_fd, &byte, 1) != 1)
		return; /* the end of it: SIGCHLD says the rest */
	if (s->state == STARTING)
		set_state(s, SERVING);
	p->logged_in = true;
	tell_ready(p, "serving");
}

static void stop_all(struct parent *p, enum cs_exit status)
{
	size_t i;

	if (!p->stopping)
		p->status = status;
	p->stopping = true;
	cs_notify("STOPPING=1");
	for (i = 0; i < p->count; i++)
		if (p->slots[i].state == STARTING || p->slots[i].state == SERVING)
			terminate(&p->slots[i]);
}

/* What a child's end means for the others. */
static void judge_end(struct parent *p, int exit_status)
{
	bool alone = count_state(p, SERVING) + count_state(p, STARTING) == 0;

	if (exit_status == CS_EXIT_PIN)
		p->pin_refused = true;
	if (exit_status == CS_EXIT_IO)
		stop_all(p, CS_EXIT_IO);
	else if (alone && (p->pin_refused || (exit_status == CS_EXIT_CONFIG && !p->logged_in)))
		stop_all(p, p->pin_refused ? CS_EXIT_PIN : CS_EXIT_CONFIG);
	else if (!p->told_ready)
		tell_ready(p, "waiting for the token");
}

/* A call of the module did not return. In a self-test it may be the key's fault, and the next child
 * has to know which one it was. */
static void note_hung_key(struct parent *p, const struct slot *s)
{
	const unsigned number = (unsigned)(s - p->slots);
	struct cs_err e = { 0 };
	struct cs_sha256 spki;

	if (cs_journal_open_selftest(p->o->state, number, &spki, &e) == CS_OK)
		cs_hung_keys_add(&p->hung_keys, &spki);
}

static void child_ended(struct parent *p, struct slot *s, int wstatus)
{
	bool asked = s->state == STOPPING;
	bool proven = s->state == SERVING && cs_clock_mono() - s->since >= PROVEN;
	bool clean = WIFEXITED(wstatus) && WEXITSTATUS(wstatus) == 0;

	if (WIFSIGNALED(wstatus))
		cs_log(CS_LOG_ERROR, "child-killed", "child %zu: %s%s", (size_t)(s - p->slots),
		       strsignal(WTERMSIG(wstatus)),
		       WTERMSIG(wstatus) == SIGKILL ? "; a PKCS#11 call may have hung" : "");
	if (WIFSIGNALED(wstatus) && WTERMSIG(wstatus) == SIGKILL)
		note_hung_key(p, s);
	/* one that was asked and had to be killed ended by a deadline all the same */
	if (!asked || !clean)
		cs_counter_add(p->restarts, 1);
	close_report(s);
	set_state(s, EMPTY);
	if (asked || (clean && proven))
		s->backoff = 0;
	else
		s->backoff = proven || s->backoff == 0 ? BACKOFF_MIN : 2 * s->backoff;
	if (s->backoff > BACKOFF_MAX)
		s->backoff = BACKOFF_MAX;
	if (s->since < s->started + s->backoff)
		s->since = s->started + s->backoff;
	if (!asked)
		judge_end(p, WIFEXITED(wstatus) ? WEXITSTATUS(wstatus) : CS_EXIT_TOKEN);
}

static void reap(struct parent *p)
{
	int wstatus;
	pid_t pid;
	size_t i;

	while ((pid = waitpid(-1, &wstatus, WNOHANG)) > 0)
		for (i = 0; i < p->count; i++)
			if (p->slots[i].state != EMPTY && p->slots[i].pid == pid)
				child_ended(p, &p->slots[i], wstatus);
}

/* All or nothing: children keep the old policy until the new one is accepted and recorded. */
static void reload(struct parent *p)
{
	struct cs_accepted fresh = { 0 };
	struct cs_err e = { 0 };
	enum cs_rc rc;

	cs_notify("RELOADING=1");
	rc = cs_accepted_load(p->o, &fresh, &e);
	if (rc == CS_OK)
		rc = cs_accepted_record(p->o, &fresh, &e);
	if (rc != CS_OK) {
		cs_policy_unref(fresh.policy);
		cs_log(CS_LOG_ERROR, "reload-refused", "%s; the policy in force stays", e.msg);
		cs_notify("READY=1\nSTATUS=serving, new policy refused");
		return;
	}
	cs_log(CS_LOG_INFO, "policy-accepted", "version %lld", (long long)fresh.policy->version);
	cs_policy_unref(p->accepted.policy);
	p->accepted = fresh;
	p->hung_keys.count = 0; /* somebody may have mended them */
	p->generation++;
	p->reloading = true;
	/* A new PIN may have come with it; then the marker decides. But a copy of the PIN that was
	 * made before the start (a systemd credential) is still the refused one, whatever its
	 * origin says. */
	if (strcmp(p->o->pin_origin, p->o->pin_file) == 0)
		p->pin_refused = false;
}

static void take_signal(struct parent *p)
{
	struct signalfd_siginfo info;

	while (read(p->signal_fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGHUP && !p->stopping)
			reload(p);
		else if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			stop_all(p, CS_EXIT_OK);
	}
	reap(p);
}

/* Patience has an end: a login that hangs for minutes, a child that does not stop. */
static void kill_overdue(struct parent *p)
{
	int64_t now = cs_clock_mono();
	size_t i;

	for (i = 0; i < p->count; i++) {
		struct slot *s = &p->slots[i];
		int64_t limit = s->state == STARTING ? START_LIMIT : STOP_LIMIT;

		if ((s->state == STARTING || s->state == STOPPING) && now - s->since > limit) {
			cs_log(CS_LOG_ERROR, "child-overdue", "child %zu is killed: it did not %s",
			       i, s->state == STARTING ? "start" : "stop");
			kill(s->pid, SIGKILL);
			s->since = now;
		}
	}
}

static void sync_journals(struct parent *p, int64_t now)
{
	struct cs_err e = { 0 };
	size_t i;

	if (now < p->next_sync)
		return;
	p->next_sync = now + SYNC_PERIOD;
	for (i = 0; i < p->count; i++) {
		if (cs_journal_sync(p->o->state, (unsigned)i, &p->slots[i].journal_seen, &e) ==
		    CS_OK)
			continue;
		cs_log(CS_LOG_ERROR, "journal", "%s; without it nothing is signed", e.msg);
		stop_all(p, CS_EXIT_IO);
		return;
	}
}

static void feed_watchdog(struct parent *p, int64_t now)
{
	if (now < p->next_watchdog)
		return;
	cs_notify("WATCHDOG=1");
	p->next_watchdog = now + p->watchdog;
}

static int poll_timeout(const struct parent *p)
{
	int64_t now = cs_clock_mono();
	int64_t until = p->next_sync < p->next_watchdog ? p->next_sync : p->next_watchdog;
	size_t i;

	for (i = 0; i < p->count; i++)
		if (p->slots[i].state == EMPTY && p->slots[i].since > now &&
		    p->slots[i].since < until)
			until = p->slots[i].since;
	return until <= now ? 0 : (int)((until - now) / 1000) + 1;
}

static void wait_events(struct parent *p)
{
	struct pollfd fds[CHILDREN_MAX + 1] = { { .fd = p->signal_fd, .events = POLLIN } };
	size_t i;

	for (i = 0; i < p->count; i++) {
		/* only the report of a start is waited for; the end comes as SIGCHLD */
		fds[i + 1].fd = p->slots[i].state == STARTING ? p->slots[i].report_fd : -1;
		fds[i + 1].events = POLLIN;
	}
	if (poll(fds, p->count + 1, poll_timeout(p)) <= 0)
		return;
	for (i = 0; i < p->count; i++)
		if (fds[i + 1].revents)
			take_report(p, &p->slots[i]);
	if (fds[0].revents)
		take_signal(p);
}

static void supervise(struct parent *p)
{
	while (!p->stopping || count_state(p, EMPTY) < p->count) {
		int64_t now = cs_clock_mono();

		sync_journals(p, now);
		feed_watchdog(p, now);
		kill_overdue(p);
		replace_next(p);
		start_next(p);
		wait_events(p);
	}
	/* the last lines of children that ended well */
	p->next_sync = 0;
	sync_journals(p, cs_clock_mono());
}

static enum cs_rc set_up(struct parent *p, struct cs_err *e)
{
	enum cs_rc rc;

	rc = lock_state(p, e);
	if (rc == CS_OK)
		rc = cs_accepted_load(p->o, &p->accepted, e);
	if (rc == CS_OK)
		rc = cs_accepted_record(p->o, &p->accepted, e);
	if (rc == CS_OK)
		rc = take_signals(p, e);
	if (rc == CS_OK)
		rc = listen_socket(p, e);
	if (rc == CS_OK)
		rc = share_counter(p, e);
	return rc;
}

enum cs_exit cs_parent_run(const struct cs_options *o)
{
	struct parent p = { .o = o, .listen_fd = -1, .signal_fd = -1, .lock_fd = -1 };
	struct cs_err e = { 0 };
	enum cs_rc rc;
	size_t i;

	p.count = (size_t)o->children;
	for (i = 0; i < p.count; i++)
		p.slots[i].report_fd = -1;
	p.watchdog = cs_notify_watchdog();
	p.next_watchdog = p.watchdog == INT64_MAX ? INT64_MAX : 0;
	rc = set_up(&p, &e);
	if (rc == CS_OK) {
		cs_log(CS_LOG_INFO, "start", "token %s (%s), %zu children, policy version %lld",
		       o->token, cs_env_name(o->environment), p.count,
		       (long long)p.accepted.policy->version);
		supervise(&p);
		unlink(o->socket);
		cs_log(CS_LOG_INFO, "stop", "token %s", o->token);
	} else {
		cs_log(CS_LOG_ERROR, "start-refused", "%s", e.msg);
		p.status = rc == CS_E_IO || rc == CS_E_NO_SPACE || rc == CS_E_CORRUPT
				   ? CS_EXIT_IO
				   : CS_EXIT_CONFIG;
	}
	cs_policy_unref(p.accepted.policy);
	return p.status;
}
