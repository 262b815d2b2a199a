/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key disable: the emergency stop of one key, on the server's machine: signing.yaml, reload, and
 * what the key was used for. Works with the daemon down.
 * Must not weaken anything: key_edit.h proves what the new file means. See countersign(1).
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "cli/child.h"
#include "cli/command.h"
#include "cli/key_edit.h"
#include "cli/lines.h"
#include "cli/register.h"
#include "cli/term.h"
#include "policy/explain.h"

#define CONFIG_DEFAULT "/etc/countersign/countersignd.conf"
#define SYSTEMD "/run/systemd/system" /* is there when systemd runs the machine: sd_booted(3) */
#define OUTPUT_MAX (1U << 20)
#define LOOKS 20          /* for the event that says that the policy is in force ... */
#define LOOK_NS 500000000 /* ... that far apart */

struct disable {
	struct cs_cli *cli;
	const char *name;
	const char *config;
	char *daemon;          /* countersignd; owned */
	char policy[PATH_MAX]; /* signing.yaml, as the configuration has it */
	struct cs_key_edit edit;
	struct cs_register *uses;
};

/* --- what the daemon's program prints --- */

typedef enum cs_rc read_fn(FILE *in, void *arg, struct cs_err *e);

/** Run it and read it. *statusp is cs_child_end's; what it means is the caller's to say. */
static enum cs_rc read_printed(const char *const *argv, read_fn *fn, void *arg, const char *what,
			       int *statusp, struct cs_err *e)
{
	struct cs_child child;
	FILE *in;
	enum cs_rc rc = cs_child_start(argv, CS_CHILD_OUT_STDOUT, &child, e);

	if (rc)
		return rc;
	in = fdopen(child.out, "r");
	rc = in ? fn(in, arg, e) : CS_FAIL(e, CS_E_NOMEM, "%s", what);
	if (in) {
		fclose(in);
		child.out = -1;
	}
	*statusp = cs_child_end(&child);
	return rc;
}

/* --- the configuration, by the daemon's own word --- */

static enum cs_rc read_all(FILE *in, void *arg, struct cs_err *e)
{
	struct cs_buf *out = arg;
	char piece[4096];
	size_t n;

	while ((n = fread(piece, 1, sizeof(piece), in)) > 0)
		cs_buf_add(out, piece, n);
	return cs_buf_ok(out, "configuration", e);
}

/** signing-policy of what --print-config says. */
static enum cs_rc take_policy_path(struct disable *d, struct cs_bytes printed, struct cs_err *e)
{
	const struct cs_yaml *path;
	struct cs_yaml *root;
	struct cs_problems p;
	enum cs_rc rc = CS_OK;

	cs_problems_init(&p, d->config);
	root = cs_yaml_parse(printed, &p);
	path = root && root->kind == CS_YAML_MAP ? cs_yaml_get(root, "signing-policy") : NULL;
	if (!path || path->kind != CS_YAML_SCALAR || strlen(path->scalar) >= sizeof(d->policy))
		rc = CS_FAIL(e, CS_E_CONFIG, "%s --print-config names no signing-policy",
			     d->daemon);
	else
		memcpy(d->policy, path->scalar, strlen(path->scalar) + 1);
	cs_yaml_free(root);
	cs_problems_done(&p);
	return rc;
}

static enum cs_rc find_policy(struct disable *d, struct cs_err *e)
{
	const char *const argv[] = { d->daemon, "--config", d->config, "--print-config", NULL };
	struct cs_buf out;
	int status = 0;
	enum cs_rc rc;

	cs_buf_init(&out, OUTPUT_MAX);
	rc = read_printed(argv, read_all, &out, "configuration", &status, e);
	if (!rc && status != 0)
		rc = CS_FAIL(e, CS_E_CONFIG, "%s: cannot be read; see above", d->config);
	rc = rc ? rc : take_policy_path(d, cs_buf_bytes(&out), e);
	cs_buf_done(&out);
	return rc;
}

/* --- the file --- */

/** Where words for people go: beside a list for programs they must not stand. */
static FILE *for_people(const struct disable *d)
{
	return cs_register_out(d->cli).how == CS_OUT_TABLE ? stdout : stderr;
}

static void print_change(const struct disable *d)
{
	FILE *to = for_people(d);
	struct cs_buf diff;

	cs_buf_init(&diff, OUTPUT_MAX);
	cs_policy_diff(d->edit.old, d->edit.new, &diff);
	cs_term_row(to, "file", d->policy);
	fputs(cs_buf_str(&diff), to);
	cs_buf_done(&diff);
}

static enum cs_rc write_note(const struct disable *d, char *out, size_t size, struct cs_err *e)
{
	const char *reason = d->cli->args.reason;
	char time[CS_TIME_TEXT];

	if (reason && !cs_text_is_free(reason, strlen(reason)))
		return cs_cli_usage(d->cli, e,
				    "--reason: control and format characters may not stand in it");
	cs_time_text(cs_clock_now(), time);
	snprintf(out, size, "%s: key %s disabled%s%s", time, d->name, reason ? ": " : "",
		 reason ? reason : "");
	return CS_OK;
}

static enum cs_rc change_file(struct disable *d, struct cs_err *e)
{
	char note[2 * CS_REASON_MAX];
	struct cs_buf yaml;
	enum cs_rc rc = write_note(d, note, sizeof(note), e);

	cs_buf_init(&yaml, CS_YAML_MAX);
	rc = rc ? rc : cs_file_read(d->policy, &yaml, e);
	rc = rc ? rc : cs_key_edit(cs_buf_bytes(&yaml), d->policy, d->name, note, &d->edit, e);
	if (!rc && d->edit.already)
		fprintf(for_people(d), "key %s is disabled already in %s\n", d->name, d->policy);
	if (!rc && !d->edit.already) {
		print_change(d);
		if (!d->cli->args.dry_run)
			rc = cs_file_update(d->policy, cs_buf_bytes(&yaml),
					    cs_buf_bytes(&d->edit.text), e);
	}
	cs_buf_done(&yaml);
	fflush(stdout); /* what was done is told before anything else is tried */
	return rc;
}

/* --- reload --- */

/** CS_E_UNAVAILABLE when nobody could be told. */
static enum cs_rc reload(struct disable *d, struct cs_err *e)
{
	const char *const by_systemd[] = { "systemctl", "try-reload-or-restart",
					   "countersignd.service", "countersign-signer@*.service",
					   NULL };
	const char *const by_shell[] = { "/bin/sh", "-c", d->cli->args.reload, NULL };
	const char *const *argv = d->cli->args.reload ? by_shell : by_systemd;
	struct cs_child child;
	enum cs_rc rc;

	if (!d->cli->args.reload && access(SYSTEMD, F_OK) != 0)
		return CS_FAIL(e, CS_E_UNAVAILABLE,
			       "systemd does not run here: send SIGHUP to the daemon and to each "
			       "signer NOW, or name a command for it with --reload");
	rc = cs_child_start(argv, CS_CHILD_OUT_NOTHING, &child, e);
	if (!rc && cs_child_end(&child) != 0)
		rc = CS_FAIL(e, CS_E_UNAVAILABLE,
			     "%s failed: send SIGHUP to the daemon and to "
			     "each signer NOW",
			     d->cli->args.reload ? d->cli->args.reload : "systemctl");
	return rc;
}

/* --- uses --- */

static enum cs_rc read_lines(FILE *in, void *arg, struct cs_err *e)
{
	return cs_lines_each(in, "log", cs_register_take, arg, e);
}

/** Read on in the log, from where the register is. */
static enum cs_rc read_log(struct disable *d, struct cs_err *e)
{
	char from[24];
	const char *const argv[] = { d->daemon, "--config", d->config, "--from",
				     from,      "--export", "-",       NULL };
	int status = 0;
	enum cs_rc rc;

	snprintf(from, sizeof(from), "%lld", (long long)cs_register_so_far(d->uses)->log.size + 1);
	rc = read_printed(argv, read_lines, d->uses, "the log", &status, e);
	if (!rc && status != 0)
		rc = CS_FAIL(e, CS_E_IO, "the log cannot be read; see above");
	return rc;
}

/** Is the policy in which the key is disabled the last one that the log says was loaded? */
static bool is_in_force(const struct disable *d)
{
	const struct cs_register_summary *sum = cs_register_so_far(d->uses);
	const struct cs_policy *want = d->edit.already ? d->edit.old : d->edit.new;

	return sum->policy_seq > 0 && cs_sha256_equal(&sum->policy, &want->digest);
}

/** Everything up to the event that ends the key's use, if that comes in time. */
static enum cs_rc follow(struct disable *d, struct cs_err *e)
{
	enum cs_rc rc = read_log(d, e);

	for (int i = 0; !rc && !d->cli->args.dry_run && !is_in_force(d) && i < LOOKS; i++) {
		nanosleep(&(struct timespec){ .tv_nsec = LOOK_NS }, NULL);
		rc = read_log(d, e);
	}
	return rc;
}

static void print_waiting(void *arg, const struct cs_request *doc)
{
	(void)arg;
	printf("  %s by %s\n", doc->id, doc->principal);
}

static void print_end(struct disable *d, const struct cs_register_out *out)
{
	const struct cs_register_summary *sum = cs_register_so_far(d->uses);

	cs_register_print_end(out, d->uses);
	if (out->how == CS_OUT_TABLE && sum->waiting > 0) {
		printf("These requests wait. None is signed while the key is disabled; reject or "
		       "cancel what must never be:\n");
		cs_register_waiting(d->uses, print_waiting, NULL);
	}
	if (d->cli->args.dry_run)
		return;
	if (is_in_force(d)) {
		fprintf(for_people(d),
			"In force for the daemon since event %lld; the list is complete. "
			"`countersign status` says whether the signers have it, too.\n",
			(long long)sum->policy_seq);
		return;
	}
	fprintf(stderr,
		"countersign: the daemon has not loaded this policy. If it is stopped, the list is "
		"complete, and it takes the file when it starts; if it runs, look at its log.\n");
	d->cli->exit = CS_EXIT_PENDING;
}

static enum cs_rc list_uses(struct disable *d, struct cs_err *e)
{
	const struct cs_register_query q = { .key = d->name, .from = 0, .to = INT64_MAX };
	struct cs_register_out out = cs_register_out(d->cli);
	enum cs_rc rc = cs_register_new(&q, cs_register_print, &out, &d->uses, e);

	rc = rc ? rc : follow(d, e);
	rc = rc ? rc : cs_register_finish(d->uses, e);
	if (!rc)
		print_end(d, &out);
	return rc;
}

enum cs_rc cs_cmd_key_disable(struct cs_cli *cli, struct cs_err *e)
{
	struct disable d = { .cli = cli, .name = cli->operands[0] };
	struct cs_err late = { 0 };
	enum cs_rc rc, told = CS_OK;

	d.config = cli->args.config ? cli->args.config : CONFIG_DEFAULT;
	rc = cs_child_find(cli->args.program_dir, "countersignd", &d.daemon, e);
	rc = rc ? rc : find_policy(&d, e);
	rc = rc ? rc : change_file(&d, e);
	if (!rc && !cli->args.dry_run)
		told = reload(&d, &late);
	if (told)
		fprintf(stderr, "countersign: %s\n", late.msg);
	rc = rc ? rc : list_uses(&d, e);
	if (!rc && told && !is_in_force(&d)) {
		*e = late;
		rc = told;
		cli->exit = 0; /* the error's own, not "still pending" */
	}
	cs_register_free(d.uses);
	cs_key_edit_done(&d.edit);
	free(d.daemon);
	return rc;
}
