/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading of countersignd.conf, signing.yaml and access.yaml.
 * Must not stop at the first file with problems: people want to see all of them.
 * See files.h for the contract.
 */
#include "daemon/files.h"

#include <string.h>

#include "policy/load.h"

void cs_files_init(struct cs_files *f)
{
	memset(f, 0, sizeof(*f));
	cs_buf_init(&f->policy_yaml, CS_YAML_MAX);
}

void cs_files_done(struct cs_files *f)
{
	cs_config_free(f->config);
	cs_policy_unref(f->policy);
	cs_access_unref(f->access);
	cs_buf_done(&f->policy_yaml);
	cs_files_init(f);
}

/* Close a list of problems: into the report, and into the verdict on all files. */
static void settle(struct cs_problems *p, struct cs_buf *report, enum cs_rc *rc, struct cs_err *e)
{
	if (p->count > 0 && *rc == CS_OK)
		*rc = cs_problems_check(p, e);
	cs_problems_print(p, report);
	cs_problems_done(p);
}

enum cs_rc cs_files_policy(const char *path, struct cs_buf *yaml, struct cs_policy **pp,
			   struct cs_buf *report, struct cs_err *e)
{
	struct cs_problems p;
	enum cs_rc rc = CS_OK;

	cs_problems_init(&p, path);
	cs_config_read(path, yaml, &p);
	if (p.count == 0)
		*pp = cs_policy_load(cs_buf_bytes(yaml), &p);
	settle(&p, report, &rc, e);
	return rc;
}

static enum cs_rc load_access(struct cs_files *f, const char *path, struct cs_buf *report,
			      struct cs_err *e)
{
	struct cs_problems p;
	struct cs_buf yaml;
	enum cs_rc rc = CS_OK;

	cs_problems_init(&p, path);
	cs_buf_init(&yaml, CS_YAML_MAX);
	cs_config_read(path, &yaml, &p);
	if (p.count == 0)
		f->access = cs_access_load(cs_buf_bytes(&yaml), f->policy, &p);
	cs_buf_done(&yaml);
	settle(&p, report, &rc, e);
	return rc;
}

enum cs_rc cs_files_load_policy(struct cs_files *f, const struct cs_config *config,
				struct cs_buf *report, struct cs_err *e)
{
	struct cs_err later;
	enum cs_rc rc = cs_files_policy(config->signing_policy, &f->policy_yaml, &f->policy, report,
					e);
	enum cs_rc rc_access = load_access(f, config->access, report, rc == CS_OK ? e : &later);

	return rc == CS_OK ? rc_access : rc;
}

enum cs_rc cs_files_load(struct cs_files *f, const char *config, struct cs_buf *report,
			 struct cs_err *e)
{
	struct cs_problems p;
	enum cs_rc rc = CS_OK;

	cs_problems_init(&p, config);
	f->config = cs_config_load(config, &p);
	if (f->config)
		rc = cs_files_load_policy(f, f->config, report, e);
	if (f->config && f->policy)
		cs_config_check_signers(f->config, f->policy, &p);
	settle(&p, report, &rc, e);
	return rc;
}
