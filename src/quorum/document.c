/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May the keys of a request document be used now? Rules as tables; the first that says no is named.
 * Pure: the caller gives the time. Nothing here counts approvals.
 * See docs/PROTOCOL.decision, "Before a signature".
 */
#include <assert.h>
#include <string.h>

#include "quorum/rules.h"

/* What a rule looks at; artifact and key are set for the rules on keys. */
struct subject {
	const struct cs_policy *policy;
	const struct cs_request *doc;
	int64_t now;
	const struct cs_artifact *artifact;
	const struct cs_key *key;
};

struct rule {
	const char *name;
	enum cs_rc (*check)(const struct subject *s, struct cs_err *e);
};

static enum cs_rc same_instance(const struct subject *s, struct cs_err *e)
{
	if (strcmp(s->doc->instance, s->policy->instance) != 0)
		return CS_FAIL(e, CS_E_DENIED, "the request is for instance \"%s\", this is \"%s\"",
			       s->doc->instance, s->policy->instance);
	return CS_OK;
}

static enum cs_rc known_policy(const struct subject *s, struct cs_err *e)
{
	if (s->doc->policy_version > s->policy->version)
		return CS_FAIL(e, CS_E_DENIED,
			       "the request was made under policy version %lld, here is %lld; load "
			       "the newer signing.yaml",
			       (long long)s->doc->policy_version, (long long)s->policy->version);
	return CS_OK;
}

static enum cs_rc created_before_now(const struct subject *s, struct cs_err *e)
{
	char created[CS_TIME_TEXT], now[CS_TIME_TEXT];

	if (s->doc->created <= s->now)
		return CS_OK;
	cs_time_text(s->doc->created, created);
	cs_time_text(s->now, now);
	return CS_FAIL(e, CS_E_DENIED,
		       "the request was created at %s, here it is %s; set the clock", created, now);
}

static enum cs_rc not_expired(const struct subject *s, struct cs_err *e)
{
	char expires[CS_TIME_TEXT];

	if (s->now < s->doc->expires)
		return CS_OK;
	cs_time_text(s->doc->expires, expires);
	return CS_FAIL(e, CS_E_EXPIRED, "the request expired at %s; submit it again", expires);
}

static enum cs_rc key_known(const struct subject *s, struct cs_err *e)
{
	if (!s->key)
		return CS_FAIL(e, CS_E_CONFLICT, "key \"%s\" is gone from the policy",
			       s->artifact->key);
	return CS_OK;
}

static enum cs_rc key_same(const struct subject *s, struct cs_err *e)
{
	if (!cs_sha256_equal(cs_pk_spki_sha256(s->key->pk), &s->artifact->key_spki) ||
	    s->key->alg != s->artifact->key_alg)
		return CS_FAIL(e, CS_E_CONFLICT,
			       "key \"%s\" is another key now than when the request was made",
			       s->artifact->key);
	return CS_OK;
}

static enum cs_rc key_environment(const struct subject *s, struct cs_err *e)
{
	if (s->key->environment != s->doc->environment)
		return CS_FAIL(e, CS_E_CONFLICT, "key \"%s\" is for %s, the request is for %s",
			       s->artifact->key, cs_env_name(s->key->environment),
			       cs_env_name(s->doc->environment));
	return CS_OK;
}

static enum cs_rc key_format(const struct subject *s, struct cs_err *e)
{
	if (s->key->format != s->artifact->format)
		return CS_FAIL(e, CS_E_CONFLICT, "key \"%s\" makes %s, the request wants %s",
			       s->artifact->key, cs_format_name(s->key->format),
			       cs_format_name(s->artifact->format));
	return CS_OK;
}

static enum cs_rc key_hash(const struct subject *s, struct cs_err *e)
{
	if (s->key->hash != s->artifact->key_hash || s->key->hash != s->artifact->digest.hash)
		return CS_FAIL(e, CS_E_CONFLICT, "key \"%s\" signs %s, the request has %s",
			       s->artifact->key, cs_hash_name(s->key->hash),
			       cs_hash_name(s->artifact->digest.hash));
	return CS_OK;
}

static enum cs_rc key_enabled(const struct subject *s, struct cs_err *e)
{
	if (s->key->disabled)
		return CS_FAIL(e, CS_E_DENIED, "key \"%s\" is disabled in the policy",
			       s->artifact->key);
	return CS_OK;
}

static enum cs_rc key_begun(const struct subject *s, struct cs_err *e)
{
	char text[CS_TIME_TEXT];

	if (s->now >= s->key->not_before)
		return CS_OK;
	cs_time_text(s->key->not_before, text);
	return CS_FAIL(e, CS_E_DENIED, "key \"%s\" may not be used before %s", s->artifact->key,
		       text);
}

static enum cs_rc key_not_ended(const struct subject *s, struct cs_err *e)
{
	char text[CS_TIME_TEXT];

	if (s->now <= s->key->not_after)
		return CS_OK;
	cs_time_text(s->key->not_after, text);
	return CS_FAIL(e, CS_E_DENIED, "key \"%s\" may not be used after %s", s->artifact->key,
		       text);
}

static enum cs_rc key_max_wait(const struct subject *s, struct cs_err *e)
{
	if (s->doc->expires - s->doc->created > s->key->max_wait * CS_SECOND)
		return CS_FAIL(e, CS_E_DENIED,
			       "the request may wait longer than the %lld seconds that key \"%s\" "
			       "allows; submit it again",
			       (long long)s->key->max_wait, s->artifact->key);
	return CS_OK;
}

static const struct rule document_rules[] = {
	{ "instance", same_instance },
	{ "policy-version", known_policy },
	{ "created-in-future", created_before_now },
	{ "expired", not_expired },
};

/* The key is the one that the approvers saw. */
static const struct rule identity_rules[] = {
	{ "key-unknown", key_known },
	{ "key-replaced", key_same },
	{ "key-environment", key_environment },
	{ "key-format", key_format },
	{ "key-hash", key_hash },
};

/* The key may be used at this moment. */
static const struct rule use_rules[] = {
	{ "key-disabled", key_enabled },
	{ "key-not-yet-valid", key_begun },
	{ "key-expired", key_not_ended },
	{ "max-wait", key_max_wait },
};

static enum cs_rc apply(const struct rule *rules, size_t count, const struct subject *s,
			const char **rulep, struct cs_err *e)
{
	for (size_t i = 0; i < count; i++) {
		enum cs_rc rc = rules[i].check(s, e);

		if (rc) {
			*rulep = rules[i].name;
			return rc;
		}
	}
	return CS_OK;
}

enum cs_rc cs_quorum_check_keys(const struct cs_policy *policy, const struct cs_request *doc,
				const char **rulep, struct cs_err *e)
{
	struct subject s = { .policy = policy, .doc = doc };
	enum cs_rc rc = CS_OK;

	for (size_t i = 0; !rc && i < doc->count; i++) {
		s.artifact = &doc->artifacts[i];
		s.key = cs_policy_key(policy, s.artifact->key);
		rc = apply(identity_rules, CS_COUNT(identity_rules), &s, rulep, e);
	}
	return rc;
}

enum cs_rc cs_quorum_check_document(const struct cs_policy *policy, const struct cs_request *doc,
				    int64_t now, const char **rulep, struct cs_err *e)
{
	struct subject s = { .policy = policy, .doc = doc, .now = now };
	enum cs_rc rc;

	assert(rulep);
	rc = apply(document_rules, CS_COUNT(document_rules), &s, rulep, e);
	if (!rc)
		rc = cs_quorum_check_keys(policy, doc, rulep, e);
	for (size_t i = 0; !rc && i < doc->count; i++) {
		s.artifact = &doc->artifacts[i];
		s.key = cs_policy_key(policy, s.artifact->key);
		rc = apply(use_rules, CS_COUNT(use_rules), &s, rulep, e);
	}
	return rc;
}
