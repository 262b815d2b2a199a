/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `submit` and `sign` are to have signed: one image by options, or several by a manifest
 * (countersign(1), "MANIFEST"). Loaded, resolved against the server's keys, then hashed.
 */
#ifndef CS_CLI_JOB_H
#define CS_CLI_JOB_H

#include "base/yaml.h"
#include "cli/cli.h"
#include "model/request.h"

struct cs_job_artifact {
	char *file;      /* owned */
	char *signature; /* owned; where the signature goes */
	const char *name, *key,
		*format;   /* borrowed from argv or the manifest; format may be NULL */
	enum cs_hash hash; /* resolved: the key's */
	struct cs_digest digest;
	int64_t size;
};

struct cs_job {
	size_t count;
	struct cs_job_artifact artifacts[CS_ARTIFACTS_MAX];
	const char *product, *component, *version, *repository, *commit, *pipeline, *comment;
	int64_t security_version;
	struct cs_yaml *manifest; /* owned; what strings are borrowed from */
};

/** From the operand and options, or from --manifest. */
enum cs_rc cs_job_load(struct cs_cli *cli, struct cs_job *job, struct cs_err *e) CS_MUST_CHECK;
/** From a manifest's text; `path` is its file, for errors and relative names. */
enum cs_rc cs_job_read(struct cs_bytes text, const char *path, struct cs_job *job,
		       struct cs_err *e) CS_MUST_CHECK;
/** Ask the server for the keys, and hash every image by its key's hash. */
enum cs_rc cs_job_prepare(struct cs_cli *cli, struct cs_job *job, struct cs_err *e) CS_MUST_CHECK;
/** As the library wants it; borrows from the job. */
void cs_job_submission(const struct cs_job *job,
		       struct countersign_artifact artifacts[static CS_ARTIFACTS_MAX],
		       struct countersign_submission *out);
/** Names the job and the server: equal jobs have equal fingerprints. */
void cs_job_fingerprint(const struct cs_job *job, const char *url, struct cs_sha256 *out);
void cs_job_done(struct cs_job *job);

#endif
