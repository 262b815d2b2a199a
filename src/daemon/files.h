/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The three files of the daemon, read and checked together: every problem of each in one run.
 */
#ifndef CS_DAEMON_FILES_H
#define CS_DAEMON_FILES_H

#include "core/core.h"
#include "daemon/config.h"

/** NULL where a file has problems. */
struct cs_files {
	struct cs_config *config;
	struct cs_policy *policy;
	struct cs_buf policy_yaml;
	struct cs_access *access;
};

void cs_files_init(struct cs_files *f);
void cs_files_done(struct cs_files *f);
/**
 * Read countersignd.conf and the two files that it names.
 *
 * @param report  gets a line for each problem, "file:line:column: text"
 * @return CS_OK, or CS_E_CONFIG with the problems in the report
 */
enum cs_rc cs_files_load(struct cs_files *f, const char *config, struct cs_buf *report,
			 struct cs_err *e) CS_MUST_CHECK;
/** Read signing.yaml and access.yaml again, under a configuration that stays as it is. */
enum cs_rc cs_files_load_policy(struct cs_files *f, const struct cs_config *config,
				struct cs_buf *report, struct cs_err *e) CS_MUST_CHECK;
/** Read a single signing.yaml; one reference belongs to the caller. */
enum cs_rc cs_files_policy(const char *path, struct cs_buf *yaml, struct cs_policy **pp,
			   struct cs_buf *report, struct cs_err *e) CS_MUST_CHECK;

#endif
