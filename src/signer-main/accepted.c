/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Accepts or refuses a policy. The last accepted version and digest are in the state directory.
 * Never falls back to an older policy: without a record that can be read nothing is accepted.
 */
#include "signer-main/accepted.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/jcs.h"
#include "base/json.h"
#include "policy/load.h"

#define RECORD_FILE "accepted-policy"
#define RECORD_MAX 1024
#define RECORD_PATH_MAX 4096

static enum cs_rc load_file(const char *path, struct cs_policy **policyp, struct cs_err *e)
{
	struct cs_problems problems;
	struct cs_buf yaml;
	enum cs_rc rc;

	cs_problems_init(&problems, path);
	cs_buf_init(&yaml, CS_YAML_MAX);
	rc = cs_file_read_trusted(path, geteuid(), &yaml, e);
	if (rc == CS_OK) {
		*policyp = cs_policy_load(cs_buf_bytes(&yaml), &problems);
		rc = *policyp ? CS_OK : cs_problems_check(&problems, e);
	}
	cs_buf_done(&yaml);
	cs_problems_done(&problems);
	return rc;
}

static enum cs_rc differs(const struct cs_options *o, const char *what, const char *policy,
			  const char *pinned, struct cs_err *e)
{
	return CS_FAIL(e, CS_E_CONFIG,
		       "token %s: the policy says %s %s, this signer was started for %s", o->token,
		       what, policy, pinned);
}

static enum cs_rc check_token(const struct cs_options *o, const struct cs_token *t,
			      struct cs_err *e)
{
	if (strcmp(t->label, o->label) != 0)
		return differs(o, "label", t->label, o->label, e);
	if (strcmp(t->serial, o->serial) != 0)
		return differs(o, "serial", t->serial, o->serial, e);
	if (t->environment != o->environment)
		return differs(o, "environment", cs_env_name(t->environment),
			       cs_env_name(o->environment), e);
	return CS_OK;
}

static enum cs_rc check_keys(const struct cs_options *o, const struct cs_accepted *a,
			     struct cs_err *e)
{
	size_t i;

	for (i = 0; i < a->policy->key_count; i++) {
		const struct cs_key *k = &a->policy->keys[i];
		int64_t total = cs_quorum_list_total(&k->quorum);

		if (k->token == a->token && total < o->least_quorum)
			return CS_FAIL(e, CS_E_CONFIG,
				       "key %s: a quorum of %lld; this signer was started with "
				       "--least-quorum %lld",
				       k->name, (long long)total, (long long)o->least_quorum);
	}
	return CS_OK;
}

static enum cs_rc find_token(const struct cs_options *o, struct cs_accepted *a, struct cs_err *e)
{
	const struct cs_token *t = cs_policy_token(a->policy, o->token);

	if (!t)
		return CS_FAIL(e, CS_E_CONFIG, "%s: no token named %s", o->policy, o->token);
	a->token = (size_t)(t - a->policy->tokens);
	return check_token(o, t, e);
}

static enum cs_rc record_path(const struct cs_options *o, char out[static RECORD_PATH_MAX],
			      struct cs_err *e)
{
	if (snprintf(out, RECORD_PATH_MAX, "%s/%s", o->state, RECORD_FILE) >= RECORD_PATH_MAX)
		return CS_FAIL(e, CS_E_CONFIG, "state directory's path is too long");
	return CS_OK;
}

static enum cs_rc compare(const struct cs_policy *p, const struct cs_json *root, struct cs_err *e)
{
	const char *hex = "";
	int64_t version = 0;
	struct cs_sha256 digest;
	const struct cs_json_field fields[] = {
		CS_JSON_STR_FIELD("digest", false, CS_TEXT_HEX, 64, 64, &hex),
		CS_JSON_INT_FIELD("version", false, 1, CS_JCS_INT_MAX, &version),
	};
	enum cs_rc rc;

	rc = cs_json_read(root, "", fields, sizeof(fields) / sizeof(fields[0]), e);
	if (rc != CS_OK)
		return rc;
	if (!cs_sha256_from_hex(hex, &digest))
		return CS_FAIL(e, CS_E_CORRUPT, "digest is not hexadecimal");
	if (p->version < version)
		return CS_FAIL(
			e, CS_E_CONFIG,
			"signing.yaml has version %lld, but %lld was accepted before; an older "
			"policy is never taken: raise its version",
			(long long)p->version, (long long)version);
	if (p->version == version && !cs_sha256_equal(&p->digest, &digest))
		return CS_FAIL(
			e, CS_E_CONFIG,
			"signing.yaml changed, but its version is still %lld; raise its version",
			(long long)version);
	return CS_OK;
}

static enum cs_rc check_record(const struct cs_options *o, const struct cs_policy *p,
			       struct cs_err *e)
{
	char path[RECORD_PATH_MAX];
	struct cs_json *root = NULL;
	struct cs_buf in;
	enum cs_rc rc;

	rc = record_path(o, path, e);
	if (rc != CS_OK)
		return rc;
	cs_buf_init(&in, RECORD_MAX);
	rc = cs_file_read(path, &in, e);
	if (rc == CS_E_NOT_FOUND) {
		rc = CS_OK;
		goto out;
	}
	if (rc == CS_OK)
		rc = cs_jcs_parse(cs_buf_bytes(&in), RECORD_MAX, path, &root, e);
	if (rc == CS_OK)
		rc = compare(p, root, e);
	if (rc != CS_OK && rc != CS_E_CONFIG)
		rc = CS_FAIL(
			e, CS_E_CORRUPT,
			"%s cannot be read; restore it, or remove it when the policy in force is "
			"certainly the newest",
			path);
out:
	cs_json_free(root);
	cs_buf_done(&in);
	return rc;
}

enum cs_rc cs_accepted_load(const struct cs_options *o, struct cs_accepted *out, struct cs_err *e)
{
	struct cs_accepted a = { 0 };
	enum cs_rc rc;

	rc = load_file(o->policy, &a.policy, e);
	if (rc != CS_OK)
		return rc;
	rc = find_token(o, &a, e);
	if (rc == CS_OK)
		rc = check_keys(o, &a, e);
	if (rc == CS_OK)
		rc = check_record(o, a.policy, e);
	if (rc != CS_OK) {
		cs_policy_unref(a.policy);
		return rc;
	}
	*out = a;
	return CS_OK;
}

enum cs_rc cs_accepted_record(const struct cs_options *o, const struct cs_accepted *a,
			      struct cs_err *e)
{
	const struct cs_sha256 *digest = &a->policy->digest;
	char path[RECORD_PATH_MAX];
	struct cs_buf out;
	struct cs_jw w;
	enum cs_rc rc;

	rc = record_path(o, path, e);
	if (rc != CS_OK)
		return rc;
	cs_buf_init(&out, RECORD_MAX);
	cs_jw_init(&w, &out);
	cs_jw_object(&w, NULL);
	cs_jw_hex(&w, "digest", digest->b, sizeof(digest->b));
	cs_jw_int(&w, "version", a->policy->version);
	cs_jw_end_object(&w);
	rc = cs_buf_ok(&out, "accepted policy", e);
	if (rc == CS_OK)
		rc = cs_file_replace(path, cs_buf_bytes(&out), 0600, e);
	cs_buf_done(&out);
	return rc;
}
