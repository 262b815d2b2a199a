/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The modes that read and print.
 * Must not change the database, nor any file but the new one of an export or a backup.
 * See report.h for the contract.
 */
#include "daemon/report.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/jcs.h"
#include "base/text.h"
#include "daemon/backup.h"
#include "daemon/export.h"
#include "daemon/files.h"
#include "http/http.h"
#include "policy/explain.h"

#define OUTPUT_MAX (8U << 20)

/* A mode's work: text for standard output. */
typedef enum cs_rc print_fn(const struct cs_options *o, struct cs_buf *out, struct cs_buf *problems,
			    struct cs_err *e);

static enum cs_rc print_config(const struct cs_options *o, struct cs_buf *out,
			       struct cs_buf *problems, struct cs_err *e)
{
	struct cs_problems p;
	struct cs_config *config;
	enum cs_rc rc;

	cs_problems_init(&p, o->config);
	config = cs_config_load(o->config, &p);
	rc = cs_problems_check(&p, e);
	cs_problems_print(&p, problems);
	cs_problems_done(&p);
	if (config)
		cs_config_print(config, out);
	cs_config_free(config);
	return rc;
}

static enum cs_rc check(const struct cs_options *o, struct cs_buf *out, struct cs_buf *problems,
			struct cs_err *e)
{
	struct cs_files f;
	char digest[CS_SHA256_HEX];
	enum cs_rc rc;

	cs_files_init(&f);
	rc = cs_files_load(&f, o->config, problems, e);
	if (rc == CS_OK)
		rc = cs_http_check(
			&(struct cs_http_config){ .certificate = f.config->tls_certificate,
						  .key = f.config->tls_key,
						  .client_ca = f.config->client_ca,
						  .client_crl = f.config->client_crl },
			e);
	if (rc != CS_OK)
		goto out;
	cs_sha256_hex(&f.policy->digest, digest);
	cs_buf_addf(out,
		    "ok: instance %s, policy version %lld\n"
		    "%zu tokens, %zu keys, %zu approvers, %zu principals\n"
		    "policy digest %s\n",
		    f.policy->instance, (long long)f.policy->version, f.policy->token_count,
		    f.policy->key_count, f.policy->approver_count, f.access->count, digest);
out:
	cs_files_done(&f);
	return rc;
}

static enum cs_rc print_policy(const struct cs_options *o, struct cs_buf *out,
			       struct cs_buf *problems, struct cs_err *e)
{
	struct cs_files f;
	enum cs_rc rc;

	cs_files_init(&f);
	rc = cs_files_load(&f, o->config, problems, e);
	if (rc == CS_OK) {
		cs_buf_add(out, f.policy->json.data, f.policy->json.len);
		cs_buf_add_char(out, '\n');
	}
	cs_files_done(&f);
	return rc;
}

static enum cs_rc diff(const struct cs_options *o, struct cs_buf *out, struct cs_buf *problems,
		       struct cs_err *e)
{
	struct cs_policy *old = NULL;
	struct cs_files f;
	struct cs_buf yaml;
	enum cs_rc rc;

	cs_files_init(&f);
	cs_buf_init(&yaml, CS_YAML_MAX);
	rc = cs_files_load(&f, o->config, problems, e);
	if (rc == CS_OK)
		rc = cs_files_policy(o->argument, &yaml, &old, problems, e);
	if (rc == CS_OK)
		cs_policy_diff(old, f.policy, out);
	cs_policy_unref(old);
	cs_buf_done(&yaml);
	cs_files_done(&f);
	return rc;
}

static enum cs_rc read_submission(const char *path, struct cs_submission *s, struct cs_err *e)
{
	struct cs_buf body;
	enum cs_rc rc;

	cs_buf_init(&body, CS_BODY_MAX);
	rc = cs_file_read(path, &body, e);
	if (rc == CS_OK && cs_submission_parse(cs_buf_bytes(&body), s, e) != CS_OK)
		rc = cs_err_prefix(e, "%s", path);
	cs_buf_done(&body);
	return rc;
}

static enum cs_rc explain(const struct cs_options *o, struct cs_buf *out, struct cs_buf *problems,
			  struct cs_err *e)
{
	struct cs_submission submission;
	struct cs_facts facts = { .submission = &submission, .now = cs_clock_now() };
	struct cs_files f;
	enum cs_rc rc;

	cs_files_init(&f);
	rc = cs_files_load(&f, o->config, problems, e);
	if (rc == CS_OK)
		rc = read_submission(o->argument, &submission, e);
	if (rc != CS_OK)
		goto out;
	facts.policy = f.policy;
	facts.principal = cs_access_principal(f.access, o->as);
	if (facts.principal)
		cs_policy_explain(&facts, out);
	else
		rc = CS_FAIL(e, CS_E_NOT_FOUND, "--as %s: no such principal in %s", o->as,
			     f.config->access);
out:
	cs_files_done(&f);
	return rc;
}

static enum cs_rc print_openapi(const struct cs_options *o, struct cs_buf *out,
				struct cs_buf *problems, struct cs_err *e)
{
	(void)o;
	(void)problems;
	(void)e;
	cs_http_openapi(out);
	cs_buf_add_char(out, '\n');
	return CS_OK;
}

static enum cs_rc print_version(const struct cs_options *o, struct cs_buf *out,
				struct cs_buf *problems, struct cs_err *e)
{
	(void)o;
	(void)problems;
	(void)e;
	cs_buf_add_str(out, "countersignd " PACKAGE_VERSION "\n");
	return CS_OK;
}

static enum cs_rc print_help(const struct cs_options *o, struct cs_buf *out,
			     struct cs_buf *problems, struct cs_err *e)
{
	(void)o;
	(void)problems;
	(void)e;
	cs_options_help(out);
	return CS_OK;
}

/* What is done to the database that is named, or else to the configuration's. */
typedef enum cs_rc database_fn(const struct cs_options *o, const char *database, struct cs_buf *out,
			       struct cs_err *e);

static enum cs_rc with_database(const struct cs_options *o, database_fn *fn, struct cs_buf *out,
				struct cs_buf *problems, struct cs_err *e)
{
	struct cs_problems p;
	struct cs_config *config;
	enum cs_rc rc;

	if (o->database)
		return fn(o, o->database, out, e);
	cs_problems_init(&p, o->config);
	config = cs_config_load(o->config, &p);
	rc = cs_problems_check(&p, e);
	cs_problems_print(&p, problems);
	cs_problems_done(&p);
	if (rc == CS_OK)
		rc = fn(o, config->database, out, e);
	cs_config_free(config);
	return rc;
}

static enum cs_rc export_database(const struct cs_options *o, const char *database,
				  struct cs_buf *out, struct cs_err *e)
{
	int64_t from = 1;

	(void)out; /* the log goes past it, page by page */
	if (o->from && !cs_text_to_int(o->from, 1, CS_JCS_INT_MAX, &from))
		return CS_FAIL(e, CS_E_INVALID, "--from %s: must be the number of an event",
			       o->from);
	return cs_export(database, from, o->argument, e);
}

static enum cs_rc export_log(const struct cs_options *o, struct cs_buf *out,
			     struct cs_buf *problems, struct cs_err *e)
{
	return with_database(o, export_database, out, problems, e);
}

static enum cs_rc backup_database(const struct cs_options *o, const char *database,
				  struct cs_buf *out, struct cs_err *e)
{
	char head[CS_SHA256_HEX], id[CS_SHA256_HEX];
	struct cs_backup backup;
	enum cs_rc rc = cs_backup(database, o->argument, &backup, e);

	if (rc != CS_OK)
		return rc;
	cs_sha256_hex(&backup.log.head, head);
	cs_sha256_hex(&backup.log.id, id);
	cs_buf_addf(out, "backup %s\nbytes %lld\nlog %s\nhead %lld:%s\n", o->argument,
		    (long long)backup.bytes, id, (long long)backup.log.size, head);
	return CS_OK;
}

static enum cs_rc backup(const struct cs_options *o, struct cs_buf *out, struct cs_buf *problems,
			 struct cs_err *e)
{
	return with_database(o, backup_database, out, problems, e);
}

static print_fn *const modes[] = {
	[CS_MODE_CHECK] = check,
	[CS_MODE_PRINT_POLICY] = print_policy,
	[CS_MODE_PRINT_CONFIG] = print_config,
	[CS_MODE_DIFF] = diff,
	[CS_MODE_EXPLAIN] = explain,
	[CS_MODE_EXPORT] = export_log,
	[CS_MODE_BACKUP] = backup,
	[CS_MODE_PRINT_OPENAPI] = print_openapi,
	[CS_MODE_VERSION] = print_version,
	[CS_MODE_HELP] = print_help,
};

static int exit_of(enum cs_rc rc)
{
	if (rc == CS_E_CORRUPT)
		return CS_EXIT_LOG_BROKEN;
	return rc == CS_E_CONFIG ? CS_EXIT_CONFIG : CS_EXIT_FAILURE;
}

int cs_report(const struct cs_options *o)
{
	struct cs_err e = { .rc = CS_OK };
	struct cs_buf out, problems;
	enum cs_rc rc;
	int status = 0;

	cs_buf_init(&out, OUTPUT_MAX);
	cs_buf_init(&problems, OUTPUT_MAX);
	rc = modes[o->mode](o, &out, &problems, &e);
	if (rc == CS_OK)
		rc = cs_buf_ok(&out, "output", &e);
	if (rc == CS_OK &&
	    (fwrite(cs_buf_str(&out), 1, out.len, stdout) != out.len || fflush(stdout) != 0))
		rc = CS_FAIL(&e, CS_E_IO, "standard output cannot be written");
	if (rc != CS_OK) {
		/* the list of problems says it better than the summary */
		if (problems.len > 0)
			fputs(cs_buf_str(&problems), stderr);
		else
			fprintf(stderr, "countersignd: %s\n", e.msg);
		status = exit_of(rc);
	}
	cs_buf_done(&out);
	cs_buf_done(&problems);
	return status;
}
