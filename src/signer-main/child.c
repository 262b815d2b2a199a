/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens in a child, in order. The only process that ever holds the PIN or loads the module.
 * Ends with an exit status that tells the parent whether another try makes sense.
 */
#include "signer-main/child.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "signer-main/marker.h"
#include "signer-main/serve.h"

static volatile sig_atomic_t stop;

static void on_term(int signal)
{
	(void)signal;
	stop = 1;
}

/* SIGTERM arrives only while the child waits; the terminal's signals are the parent's business. */
static enum cs_rc take_signals(sigset_t *wait_mask, struct cs_err *e)
{
	struct sigaction term = { .sa_handler = on_term };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigemptyset(wait_mask);
	if (sigaction(SIGTERM, &term, NULL) != 0 || sigaction(SIGINT, &ignore, NULL) != 0 ||
	    sigaction(SIGHUP, &ignore, NULL) != 0 || prctl(PR_SET_PDEATHSIG, SIGTERM) != 0)
		return CS_FAIL(e, CS_E_INTERNAL, "signals: %s", strerror(errno));
	return CS_OK;
}

static bool is_software(const struct cs_p11_token_info *info)
{
	static const char *const makers[] = { "SoftHSM", "Kryoptic", "NSS", "Mozilla" };
	size_t i;

	for (i = 0; i < sizeof(makers) / sizeof(makers[0]); i++)
		if (strstr(info->manufacturer, makers[i]) || strstr(info->model, makers[i]))
			return true;
	return false;
}

enum cs_rc cs_child_check_token(const struct cs_options *o, const struct cs_accepted *a,
				const struct cs_p11_token_info *info, bool *softwarep,
				struct cs_err *e)
{
	const struct cs_token *t = &a->policy->tokens[a->token];

	*softwarep = is_software(info);
	if (*softwarep && t->environment == CS_ENV_PROD && !t->software_token)
		return CS_FAIL(
			e, CS_E_CONFIG,
			"token %s is software (%s), and prod keys belong into hardware; for a "
			"demonstration say software_token: true in the policy",
			t->name, info->model);
	if (info->session_max > 0 && o->children > info->session_max)
		return CS_FAIL(
			e, CS_E_CONFIG,
			"--children %lld: the token allows %lld sessions; give at most that many",
			(long long)o->children, (long long)info->session_max);
	return CS_OK;
}

/* One C_Login, with the marker around it: a refused PIN is never tried again. */
static enum cs_rc login(const struct cs_options *o, struct cs_p11 *p11,
			const struct cs_p11_token_info *info, struct cs_err *e)
{
	struct cs_secret *pin = NULL;
	struct cs_err ignored = { 0 };
	struct cs_marker marker;
	enum cs_rc rc;

	/* identified before it is read: when it is replaced in between, the new one is tried later
	 */
	rc = cs_marker_init(&marker, o->state, info->serial, o->pin_origin, e);
	if (rc == CS_OK)
		rc = cs_marker_check(&marker, info, e);
	if (rc == CS_OK)
		rc = cs_secret_from_file(o->pin_file, &pin, e);
	if (rc == CS_OK)
		rc = cs_marker_trying(&marker, e);
	if (rc != CS_OK)
		goto out;
	rc = cs_p11_login(p11, pin, e);
	if (rc == CS_OK)
		rc = cs_marker_clear(o->state, e);
	else if (rc == CS_E_PIN && cs_marker_refused(&marker, &ignored) != CS_OK)
		cs_log(CS_LOG_ERROR, "pin-marker", "%s", ignored.msg);
out:
	cs_secret_free(pin);
	return rc;
}

static void fill_hello(const struct cs_child *c, bool software, struct cs_signer_hello *hello)
{
	const struct cs_policy *policy = c->accepted->policy;
	const struct cs_token *t = &policy->tokens[c->accepted->token];

	*hello = (struct cs_signer_hello){ .protocol = CS_SIGNER_PROTOCOL,
					   .environment = t->environment,
					   .software_token = software,
					   .policy_version = policy->version,
					   .policy_digest = policy->digest };
	memcpy(hello->instance, policy->instance, sizeof(hello->instance));
	memcpy(hello->token, t->name, sizeof(hello->token));
	memcpy(hello->serial, t->serial, sizeof(hello->serial));
}

/* Weaknesses that the policy allows are said aloud, once a start. */
static void announce(const struct cs_child *c, bool software)
{
	const struct cs_policy *policy = c->accepted->policy;
	size_t i;

	if (software)
		cs_log(CS_LOG_WARN, "software-token",
		       "the keys of token %s are in software, not in a hardware module",
		       c->options->token);
	for (i = 0; i < policy->key_count; i++)
		if (policy->keys[i].token == c->accepted->token && policy->keys[i].imported)
			cs_log(CS_LOG_WARN, "imported-key",
			       "key %s was not necessarily made on this token",
			       policy->keys[i].name);
}

/* log what the first self-tests found; the parent starts the next child after this */
static void report(const struct cs_child *c, const struct cs_keyring *keyring, bool software)
{
	struct cs_signer_health health;

	cs_keyring_health(keyring, &health);
	if (health.ready)
		cs_log(CS_LOG_INFO, "child-ready", "child %u serves %lld keys", c->slot,
		       (long long)health.keys);
	else
		cs_log(CS_LOG_ERROR, "keys-not-usable", "child %u: %lld of %lld keys: %s", c->slot,
		       (long long)health.failed, (long long)health.keys, health.message);
	if (c->slot == 0)
		announce(c, software);
	if (write(c->report_fd, "S", 1) != 1)
		stop = 1; /* no parent, no child */
}

static enum cs_rc serve(const struct cs_child *c, struct cs_keyring *keyring, bool software,
			struct cs_err *e)
{
	struct cs_serve s = { .listen_fd = c->listen_fd, .stop = &stop, .restarts = c->restarts };
	struct cs_signing *signing = calloc(1, sizeof(*signing));
	enum cs_rc rc;

	if (!signing)
		return CS_FAIL(e, CS_E_NOMEM, "request");
	signing->policy = c->accepted->policy;
	signing->token = c->accepted->token;
	signing->environment = c->options->environment;
	signing->least_quorum = c->options->least_quorum;
	signing->keyring = keyring;
	s.signing = signing;
	s.peer_uid = c->options->peer_uid >= 0 ? c->options->peer_uid : (int64_t)geteuid();
	fill_hello(c, software, &s.hello);
	rc = take_signals(&s.wait_mask, e);
	if (rc == CS_OK) {
		report(c, keyring, software);
		rc = cs_serve(&s, e);
	}
	free(signing);
	return rc;
}

/* everything before the first connection: token, login, journal, keys, self-tests */
static enum cs_rc prepare(const struct cs_child *c, struct cs_p11 *p11,
			  struct cs_journal **journalp, struct cs_keyring **keyringp,
			  bool *softwarep, struct cs_err *e)
{
	const struct cs_options *o = c->options;
	struct cs_p11_token_info info;
	enum cs_rc rc;

	cs_p11_token_info(p11, &info);
	rc = cs_child_check_token(o, c->accepted, &info, softwarep, e);
	/* the journal first: a login that can sign nothing is not worth a try of the PIN */
	if (rc == CS_OK)
		rc = cs_journal_open(o->state, c->slot, o->token, journalp, e);
	if (rc == CS_OK)
		rc = login(o, p11, &info, e);
	if (rc == CS_OK)
		rc = cs_keyring_new(c->accepted->policy, c->accepted->token, p11, *journalp,
				    o->selftest_us, keyringp, e);
	if (rc == CS_OK)
		cs_keyring_selftest_all(*keyringp, c->hung_keys);
	if (rc == CS_OK && cs_keyring_is_lost(*keyringp))
		rc = CS_FAIL(e, CS_E_HSM, "the session was lost during the first self-tests");
	return rc;
}

static enum cs_exit exit_status(enum cs_rc rc)
{
	static const struct {
		enum cs_rc rc;
		enum cs_exit status;
	} rows[] = {
		{ CS_OK, CS_EXIT_OK },           { CS_E_PIN, CS_EXIT_PIN },
		{ CS_E_CONFIG, CS_EXIT_CONFIG }, { CS_E_INVALID, CS_EXIT_CONFIG },
		{ CS_E_IO, CS_EXIT_IO },         { CS_E_CORRUPT, CS_EXIT_IO },
	};
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].rc == rc)
			return rows[i].status;
	return CS_EXIT_TOKEN;
}

void cs_child_run(const struct cs_child *c)
{
	const struct cs_options *o = c->options;
	const struct cs_p11_config config = { o->module, o->label, o->serial, o->call_us };
	struct cs_keyring *keyring = NULL;
	struct cs_journal *journal = NULL;
	struct cs_p11 *p11 = NULL;
	struct cs_err e = { 0 };
	bool software = false;
	enum cs_rc rc;

	rc = cs_p11_open(&config, false, &p11, &e);
	if (rc == CS_OK)
		rc = prepare(c, p11, &journal, &keyring, &software, &e);
	if (rc == CS_OK)
		rc = serve(c, keyring, software, &e);
	if (rc != CS_OK)
		cs_log(CS_LOG_ERROR, "child-ends", "child %u: %s", c->slot, e.msg);
	cs_keyring_free(keyring);
	cs_p11_close(p11);
	cs_journal_close(journal);
	/* not exit(3): the module's exit handlers are known to crash */
	_exit((int)exit_status(rc));
}
