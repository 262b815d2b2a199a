/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Jobs: from options or a manifest to digests.
 * Must not send anything but the question for keys.
 * See job.h for the contract.
 */
#include "cli/job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/jcs.h"
#include "base/text.h"
#include "cli/image.h"
#include "cli/remote.h"

struct manifest_yaml {
	const struct cs_yaml *artifacts, *release, *build;
	const char *comment;
};

static const struct cs_yaml_field manifest_fields[] = {
	{ "artifacts", CS_Y_LIST, offsetof(struct manifest_yaml, artifacts), true, 1,
	  CS_ARTIFACTS_MAX, NULL, NULL },
	{ "release", CS_Y_MAP, offsetof(struct manifest_yaml, release), false, 0, 0, NULL, NULL },
	{ "build", CS_Y_MAP, offsetof(struct manifest_yaml, build), false, 0, 0, NULL, NULL },
	{ "comment", CS_Y_TEXT, offsetof(struct manifest_yaml, comment), false, 1, CS_COMMENT_MAX,
	  NULL, NULL },
};

struct artifact_yaml {
	const char *file, *name, *key, *format, *signature;
};

static const struct cs_yaml_field artifact_fields[] = {
	{ "file", CS_Y_PATH, offsetof(struct artifact_yaml, file), true, 1, 4095, NULL, NULL },
	{ "name", CS_Y_NAME, offsetof(struct artifact_yaml, name), false, 1, CS_NAME_MAX, NULL,
	  NULL },
	{ "key", CS_Y_NAME, offsetof(struct artifact_yaml, key), true, 1, CS_NAME_MAX, NULL, NULL },
	{ "format", CS_Y_NAME, offsetof(struct artifact_yaml, format), false, 1, CS_NAME_MAX, NULL,
	  NULL },
	{ "signature", CS_Y_PATH, offsetof(struct artifact_yaml, signature), false, 1, 4095, NULL,
	  NULL },
};

#define JOB_TEXT(key, field)                                                                   \
	{                                                                                      \
		(key), CS_Y_TEXT, offsetof(struct cs_job, field), false, 1, CS_TEXT_MAX, NULL, \
			NULL                                                                   \
	}
static const struct cs_yaml_field release_fields[] = {
	JOB_TEXT("product", product),
	JOB_TEXT("component", component),
	JOB_TEXT("version", version),
	{ "security_version", CS_Y_INT, offsetof(struct cs_job, security_version), false, 0,
	  CS_JCS_INT_MAX, NULL, NULL },
};

static const struct cs_yaml_field build_fields[] = {
	JOB_TEXT("repository", repository),
	JOB_TEXT("commit", commit),
	JOB_TEXT("pipeline", pipeline),
};

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/** The file part of a path, which names an artifact unless it is named otherwise. */
static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/** Where a signature goes unless it is said otherwise: IMAGE.sig. Caller frees. */
static char *default_signature(const char *file)
{
	char *path = NULL;

	return asprintf(&path, "%s.sig", file) < 0 ? NULL : path;
}

/** A name in a manifest, relative to the manifest's directory. Caller frees. */
static char *beside(const char *manifest, const char *name)
{
	const char *slash = strrchr(manifest, '/');
	char *path = NULL;

	if (name[0] == '/' || !slash)
		return strdup(name);
	return asprintf(&path, "%.*s/%s", (int)(slash - manifest), manifest, name) < 0 ? NULL
										       : path;
}

static enum cs_rc name_artifact(struct cs_job_artifact *a, const char *name, struct cs_err *e)
{
	a->name = name ? name : base_name(a->file);
	if (cs_text_is_name(a->name, CS_NAME_MAX))
		return CS_OK;
	return CS_FAIL(
		e, CS_E_INVALID,
		"image %s: its file name cannot be an artifact's name (1 to %d characters "
		"of A-Z a-z 0-9 . _ + / @ : -): give one with --name, or name: in a manifest",
		a->file, CS_NAME_MAX);
}

static enum cs_rc read_artifact(const struct cs_yaml *item, size_t i, const char *path,
				struct cs_job *job, struct cs_problems *p, struct cs_err *e)
{
	struct cs_job_artifact *a = &job->artifacts[i];
	struct artifact_yaml y = { 0 };
	size_t before = p->count;
	char where[32];

	snprintf(where, sizeof(where), "artifacts[%zu]", i);
	cs_yaml_read(item, where, artifact_fields, COUNT(artifact_fields), &y, p);
	if (p->count > before)
		return CS_OK; /* reported with the others */
	a->file = beside(path, y.file);
	a->signature = y.signature ? beside(path, y.signature)
		       : a->file   ? default_signature(a->file)
				   : NULL;
	a->key = y.key;
	a->format = y.format;
	if (!a->file || !a->signature)
		return CS_FAIL(e, CS_E_NOMEM, "%s", path);
	return name_artifact(a, y.name, e);
}

static enum cs_rc check_names(const struct cs_job *job, const char *path, struct cs_err *e)
{
	for (size_t i = 0; i < job->count; i++) {
		for (size_t k = 0; k < i; k++) {
			if (strcmp(job->artifacts[i].name, job->artifacts[k].name) == 0)
				return CS_FAIL(e, CS_E_INVALID,
					       "%s: two artifacts are named %s: give one of them "
					       "another name:",
					       path, job->artifacts[i].name);
			if (strcmp(job->artifacts[i].signature, job->artifacts[k].signature) == 0)
				return CS_FAIL(e, CS_E_INVALID,
					       "%s: two signatures would go to %s: give one of "
					       "them another signature:",
					       path, job->artifacts[i].signature);
		}
	}
	return CS_OK;
}

enum cs_rc cs_job_read(struct cs_bytes text, const char *path, struct cs_job *job, struct cs_err *e)
{
	struct manifest_yaml y = { 0 };
	struct cs_problems problems;
	enum cs_rc rc = CS_OK;

	*job = (struct cs_job){ .security_version = -1 };
	cs_problems_init(&problems, path);
	job->manifest = cs_yaml_parse(text, &problems);
	if (job->manifest)
		cs_yaml_read(job->manifest, "", manifest_fields, COUNT(manifest_fields), &y,
			     &problems);
	if (y.release)
		cs_yaml_read(y.release, "release", release_fields, COUNT(release_fields), job,
			     &problems);
	if (y.build)
		cs_yaml_read(y.build, "build", build_fields, COUNT(build_fields), job, &problems);
	job->comment = y.comment;
	for (size_t i = 0; !rc && y.artifacts && i < y.artifacts->count && i < CS_ARTIFACTS_MAX;
	     i++) {
		rc = read_artifact(y.artifacts->children[i], i, path, job, &problems, e);
		job->count = i + 1;
	}
	if (problems.count > 0) {
		rc = cs_problems_check(&problems, e);
		rc = e ? (e->rc = CS_E_INVALID) : rc; /* a bad input, no bad configuration */
	}
	rc = rc ? rc : check_names(job, path, e);
	cs_problems_done(&problems);
	if (rc)
		cs_job_done(job);
	return rc;
}

static enum cs_rc from_options(struct cs_cli *cli, struct cs_job *job, struct cs_err *e)
{
	const struct cs_args *args = &cli->args;
	struct cs_job_artifact *a = &job->artifacts[0];
	enum cs_rc rc;

	if (cli->operand_count != 1 || !args->key)
		return cs_cli_usage(cli, e, "name one image and its --key, or use --manifest FILE");
	*job = (struct cs_job){
		.count = 1,
		.product = args->product,
		.component = args->component,
		.version = args->image_version,
		.security_version = args->security_version,
		.repository = args->repository,
		.commit = args->commit,
		.pipeline = args->pipeline,
		.comment = args->comment,
	};
	a->key = args->key;
	a->format = args->format;
	a->file = strdup(cli->operands[0]);
	a->signature = args->output ? strdup(args->output) : default_signature(cli->operands[0]);
	if (!a->file || !a->signature)
		rc = CS_FAIL(e, CS_E_NOMEM, "job");
	else
		rc = name_artifact(a, args->name, e);
	if (rc)
		cs_job_done(job);
	return rc;
}

/** Options that a manifest says better; with --manifest they would be ignored, so refuse them. */
static enum cs_rc check_manifest_alone(struct cs_cli *cli, struct cs_err *e)
{
	const struct cs_args *a = &cli->args;
	const struct {
		const char *value, *name;
	} excluded[] = { { a->key, "key" },
			 { a->name, "name" },
			 { a->format, "format" },
			 { a->output, "output" },
			 { a->product, "product" },
			 { a->component, "component" },
			 { a->image_version, "image-version" },
			 { a->repository, "repository" },
			 { a->commit, "commit" },
			 { a->pipeline, "pipeline" },
			 { a->comment, "comment" },
			 { a->security_version >= 0 ? "" : NULL, "security-version" } };

	for (size_t i = 0; i < COUNT(excluded); i++) {
		if (excluded[i].value)
			return cs_cli_usage(cli, e, "--%s: goes into the manifest",
					    excluded[i].name);
	}
	if (cli->operand_count > 0)
		return cs_cli_usage(cli, e, "%.80s: with --manifest, images go into the manifest",
				    cli->operands[0]);
	return CS_OK;
}

enum cs_rc cs_job_load(struct cs_cli *cli, struct cs_job *job, struct cs_err *e)
{
	const char *path = cli->args.manifest;
	struct cs_buf text;
	enum cs_rc rc;

	if (!path)
		return from_options(cli, job, e);
	rc = check_manifest_alone(cli, e);
	if (rc)
		return rc;
	cs_buf_init(&text, CS_YAML_MAX);
	rc = cs_file_read(path, &text, e);
	rc = rc ? rc : cs_job_read(cs_buf_bytes(&text), path, job, e);
	cs_buf_done(&text);
	return rc;
}

static enum cs_rc resolve_key(const json_t *keys, struct cs_job_artifact *a, struct cs_err *e)
{
	const json_t *key;
	size_t i;

	json_array_foreach (keys, i, key) {
		if (strcmp(cs_remote_str(key, "name"), a->key) != 0)
			continue;
		a->hash = cs_hash_from_name(cs_remote_str(key, "hash"));
		if (a->hash != CS_HASH_NONE)
			return CS_OK;
		return CS_FAIL(e, CS_E_VERSION, "key %s: its hash %.32s is not known here", a->key,
			       cs_remote_str(key, "hash"));
	}
	return CS_FAIL(e, CS_E_NOT_FOUND,
		       "key %s: the server has no such key for us; `countersign keys` lists them",
		       a->key);
}

enum cs_rc cs_job_prepare(struct cs_cli *cli, struct cs_job *job, struct cs_err *e)
{
	json_t *root = NULL;
	enum cs_rc rc = cs_remote_get_json(cli, "/v1/keys", 0, &root, e);

	for (size_t i = 0; !rc && i < job->count; i++)
		rc = resolve_key(json_object_get(root, "keys"), &job->artifacts[i], e);
	for (size_t i = 0; !rc && i < job->count; i++) {
		struct cs_job_artifact *a = &job->artifacts[i];

		rc = cs_image_hash(cli, a->file, a->hash, &a->digest, &a->size, e);
	}
	json_decref(root);
	return rc;
}

void cs_job_submission(const struct cs_job *job,
		       struct countersign_artifact artifacts[static CS_ARTIFACTS_MAX],
		       struct countersign_submission *out)
{
	for (size_t i = 0; i < job->count; i++) {
		const struct cs_job_artifact *a = &job->artifacts[i];

		artifacts[i] = (struct countersign_artifact){
			.name = a->name,
			.algorithm = cs_hash_name(a->hash),
			.digest = a->digest.value,
			.digest_len = cs_hash_len(a->hash),
			.size = a->size,
			.key = a->key,
			.format = a->format,
		};
	}
	*out = (struct countersign_submission){
		.count = job->count,
		.artifacts = artifacts,
		.product = job->product,
		.component = job->component,
		.version = job->version,
		.security_version = job->security_version,
		.repository = job->repository,
		.commit = job->commit,
		.pipeline = job->pipeline,
		.comment = job->comment,
	};
}

/** A text or nothing, so that neighbours cannot run into each other. */
static void add_text(struct cs_buf *b, const char *text)
{
	cs_buf_add_u8(b, text != NULL);
	cs_buf_add_string(b, text ? text : "", text ? strlen(text) : 0);
}

void cs_job_fingerprint(const struct cs_job *job, const char *url, struct cs_sha256 *out)
{
	const char *const texts[] = { url,           job->product,    job->component,
				      job->version,  job->repository, job->commit,
				      job->pipeline, job->comment };
	struct cs_buf b;

	cs_buf_init(&b, 65536);
	for (size_t i = 0; i < COUNT(texts); i++)
		add_text(&b, texts[i]);
	cs_buf_add_u64(&b, (uint64_t)job->security_version);
	for (size_t i = 0; i < job->count; i++) {
		const struct cs_job_artifact *a = &job->artifacts[i];

		add_text(&b, a->name);
		add_text(&b, a->key);
		add_text(&b, a->format);
		cs_buf_add_u64(&b, (uint64_t)a->size);
		cs_buf_add_string(&b, a->digest.value, cs_hash_len(a->digest.hash));
	}
	*out = cs_sha256(cs_buf_bytes(&b));
	cs_buf_done(&b);
}

void cs_job_done(struct cs_job *job)
{
	for (size_t i = 0; i < CS_ARTIFACTS_MAX; i++) {
		free(job->artifacts[i].file);
		free(job->artifacts[i].signature);
	}
	cs_yaml_free(job->manifest);
	*job = (struct cs_job){ 0 };
}
