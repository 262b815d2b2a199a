/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy and access list in force: readers take references, only the writer's thread replaces them.
 */
#include <string.h>

#include "core/internal.h"

struct cs_policy *cs_core_policy_get(struct cs_core *c)
{
	struct cs_policy *p;

	pthread_mutex_lock(&c->lock);
	p = cs_policy_ref(c->policy);
	pthread_mutex_unlock(&c->lock);
	return p;
}

struct cs_access *cs_core_access(struct cs_core *c)
{
	struct cs_access *a;

	pthread_mutex_lock(&c->lock);
	a = cs_access_ref(c->access);
	pthread_mutex_unlock(&c->lock);
	return a;
}

enum cs_rc cs_core_policy_is(const struct cs_core *c, const struct cs_policy *p, struct cs_err *e)
{
	/* only the writer's thread, which runs this, ever replaces c->policy */
	if (c->policy != p)
		return CS_FAIL(e, CS_E_CONFLICT, "the policy changed under way; try again");
	return CS_OK;
}

enum cs_rc cs_core_may_use(const struct cs_core *c, const struct cs_case *k, struct cs_err *e)
{
	const char *rule = NULL;
	enum cs_rc rc = cs_core_policy_is(c, k->policy, e);

	if (rc == CS_OK)
		rc = cs_quorum_check_document(k->policy, &k->doc, cs_event_clock_now(c), &rule, e);
	return rc;
}

int cs_core_signer_index(const struct cs_core *c, const char *token)
{
	for (size_t i = 0; i < c->signer_count; i++)
		if (strcmp(c->signer_names[i], token) == 0)
			return (int)i;
	return -1;
}
