/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys with a limit of uses: an intent counts, unless the token was not asked. What is counted and
 * its event are of one transaction. The signer counts by itself, too (signer-main/key_uses.c).
 */
#include "core/internal.h"

static const struct cs_key *limited_key(const struct cs_policy *policy, const char *name)
{
	const struct cs_key *key = cs_policy_key(policy, name);

	return key && key->max_uses > 0 ? key : NULL;
}

enum cs_rc cs_key_uses_read(struct cs_core *c, const struct cs_policy *policy,
			    const struct cs_submission *submission,
			    int64_t used[static CS_ARTIFACTS_MAX], struct cs_err *e)
{
	enum cs_rc rc = CS_OK;

	for (size_t i = 0; rc == CS_OK && i < submission->count; i++) {
		const struct cs_key *key = limited_key(policy, submission->artifacts[i].key);
		struct cs_store *s;

		if (!key)
			continue;
		s = cs_reader_get(c);
		rc = cs_store_key_uses(s, cs_pk_spki_sha256(key->pk), &used[i], e);
		cs_reader_put(c, s);
	}
	return rc;
}

/** How many signatures of this key the request still needs. */
static int64_t needed(const struct cs_case *k, const struct cs_key *key)
{
	int64_t count = 0;

	for (size_t i = 0; i < k->doc.count; i++)
		count += k->artifacts[i].state != CS_AS_SIGNED &&
			 cs_policy_key(k->policy, k->doc.artifacts[i].key) == key;
	return count;
}

enum cs_rc cs_key_uses_check(struct cs_store *s, const struct cs_case *k, struct cs_err *e)
{
	for (size_t i = 0; i < k->doc.count; i++) {
		const struct cs_key *key = limited_key(k->policy, k->doc.artifacts[i].key);
		int64_t used = 0;
		enum cs_rc rc;

		if (!key || k->artifacts[i].state == CS_AS_SIGNED)
			continue;
		rc = cs_store_key_uses(s, cs_pk_spki_sha256(key->pk), &used, e);
		if (rc != CS_OK)
			return rc;
		if (used > key->max_uses - needed(k, key))
			return CS_FAIL(e, CS_E_CONFLICT,
				       "key %s has made %lld of the %lld signatures that its "
				       "max_uses allows",
				       key->name, (long long)used, (long long)key->max_uses);
	}
	return CS_OK;
}

enum cs_rc cs_key_uses_count(struct cs_store *s, const struct cs_key *key, int64_t by,
			     struct cs_err *e)
{
	if (key->max_uses == 0)
		return CS_OK;
	return cs_store_key_uses_count(s, cs_pk_spki_sha256(key->pk), by, e);
}
