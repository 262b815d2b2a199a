/* SPDX-License-Identifier: Apache-2.0 */
/*
 * policy.loaded: the policy that the events after it are judged by.
 * Must not put a policy in force that breaks a rule: what it allows would be judged allowed.
 * See docs/PROTOCOL.log, "Rules", policy.
 */
#include <string.h>

#include "policy/load.h"
#include "verify/state.h"

static enum cs_rc check_trusted(struct cs_audit_verifier *v, const struct cs_sha256 *digest,
				struct cs_err *e)
{
	if (v->trusted_count == 0)
		return CS_OK;
	for (size_t i = 0; i < v->trusted_count; i++) {
		if (cs_sha256_equal(&v->trusted[i], digest))
			return CS_OK;
	}
	return cs_broken(v, "policy-untrusted", e, "its digest is not among those trusted");
}

static enum cs_rc check_rules(struct cs_audit_verifier *v, const struct cs_policy *p,
			      const struct cs_audited *a, struct cs_err *e)
{
	struct cs_problems problems;
	enum cs_rc rc;

	if (p->version != a->d.version)
		return cs_broken(v, "policy", e, "version is %lld, in resolved %lld",
				 (long long)a->d.version, (long long)p->version);
	if (strcmp(p->instance, v->instance) != 0)
		return cs_broken(v, "policy", e, "of instance %s, this log is %s's", p->instance,
				 v->instance);
	cs_problems_init(&problems, "policy");
	cs_policy_check(p, NULL, &problems);
	rc = cs_problems_check(&problems, e);
	cs_problems_done(&problems);
	if (rc != CS_OK)
		return cs_broken_by(v, "policy", e);
	return CS_OK;
}

static enum cs_rc check_version(struct cs_audit_verifier *v, const struct cs_policy *p,
				struct cs_err *e)
{
	const struct cs_policy *last = v->policy;

	if (!last || p->version > last->version ||
	    (p->version == last->version && cs_sha256_equal(&p->digest, &last->digest)))
		return CS_OK;
	return cs_broken(v, "policy-version", e,
			 "version %lld after version %lld; a changed policy has a higher one",
			 (long long)p->version, (long long)last->version);
}

enum cs_rc cs_check_policy(struct cs_audit_verifier *v, const struct cs_audited *a,
			   struct cs_err *e)
{
	struct cs_sha256 digest = cs_sha256(cs_buf_bytes(&a->d.resolved));
	struct cs_policy *p = NULL;
	enum cs_rc rc;

	v->sum.policies++;
	if (!cs_sha256_equal(&digest, &a->d.digest))
		return cs_broken(v, "policy", e, "digest is not the hash of resolved");
	rc = cs_policy_parse(cs_buf_bytes(&a->d.resolved), &p, e);
	if (rc != CS_OK) {
		rc = cs_broken_by(v, "policy", e);
		goto out;
	}
	rc = check_rules(v, p, a, e);
	if (rc == CS_OK)
		rc = check_version(v, p, e);
	if (rc != CS_OK)
		goto out;
	cs_policy_unref(v->policy);
	v->policy = p;
	p = NULL; /* transferred */
	rc = check_trusted(v, &v->policy->digest, e);
out:
	cs_policy_unref(p);
	return rc;
}
