/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules on a new request, one function each, in the order of the list in judge.h. The first
 * that says no names itself. Rules fill in the document as far as they have looked.
 */
#include "policy/judge.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "policy/words.h"

struct judge {
	const struct cs_facts *facts;
	struct cs_request *doc;
	const struct cs_key *keys[CS_ARTIFACTS_MAX]; /* of the artifacts, once found */
	struct cs_verdict verdict;
};

struct rule {
	const char *name;
	enum cs_judgement judgement;
	enum cs_rc rc;
	const char *summary;
};

#define RULE_ROW(id, name, judgement, rc, summary) \
	[CS_RULE_##id] = { (name), (judgement), (rc), (summary) },
static const struct rule rules[CS_RULE__COUNT] = { CS_RULES(RULE_ROW) };
#undef RULE_ROW

CS_PRINTF(3, 4)
static void decide(struct judge *j, enum cs_rule rule, const char *fmt, ...)
{
	va_list ap;

	j->verdict.judgement = rules[rule].judgement;
	j->verdict.rc = rules[rule].rc;
	j->verdict.rule = rules[rule].name;
	va_start(ap, fmt);
	vsnprintf(j->verdict.reason, sizeof(j->verdict.reason), fmt, ap);
	va_end(ap);
}

/* Each gives false when it has denied. */

static bool is_agent(struct judge *j)
{
	const struct cs_principal *pr = j->facts->principal;

	if (pr->role == CS_ROLE_AGENT)
		return true;
	decide(j, CS_RULE_ROLE, "%s is no agent; only agents may request signatures", pr->name);
	return false;
}

static bool has_artifacts(struct judge *j)
{
	size_t count = j->facts->submission->count;

	if (count >= 1 && count <= CS_ARTIFACTS_MAX)
		return true;
	decide(j, CS_RULE_NO_ARTIFACTS, "a request has 1 to %d artifacts, this one has %zu",
	       CS_ARTIFACTS_MAX, count);
	return false;
}

static bool keys_are_allowed(struct judge *j)
{
	const struct cs_facts *f = j->facts;

	for (size_t i = 0; i < f->submission->count; i++) {
		const struct cs_artifact *a = &f->submission->artifacts[i];
		const struct cs_key *k = cs_policy_key(f->policy, a->key);

		if (!k || !cs_principal_may_use(f->principal, a->key)) {
			decide(j, CS_RULE_KEY_NOT_ALLOWED,
			       "artifact %s: no such key, or not yours: %s; GET /v1/keys lists "
			       "those you may use",
			       a->name, a->key);
			return false;
		}
		j->keys[i] = k;
	}
	return true;
}

static bool environment_is_one(struct judge *j)
{
	const struct cs_submission *s = j->facts->submission;

	for (size_t i = 1; i < s->count; i++) {
		if (j->keys[i]->environment == j->keys[0]->environment)
			continue;
		decide(j, CS_RULE_ENVIRONMENTS_MIXED,
		       "key %s is %s and key %s is %s; send one request per environment",
		       j->keys[0]->name, cs_env_name(j->keys[0]->environment), j->keys[i]->name,
		       cs_env_name(j->keys[i]->environment));
		return false;
	}
	return true;
}

static bool formats_are_the_keys(struct judge *j)
{
	const struct cs_submission *s = j->facts->submission;

	for (size_t i = 0; i < s->count; i++) {
		enum cs_format wanted = s->artifacts[i].format;

		if (wanted == CS_FORMAT_NONE || wanted == j->keys[i]->format)
			continue;
		decide(j, CS_RULE_FORMAT_MISMATCH, "artifact %s: key %s makes format %s, not %s",
		       s->artifacts[i].name, j->keys[i]->name, cs_format_name(j->keys[i]->format),
		       cs_format_name(wanted));
		return false;
	}
	return true;
}

static bool hashes_are_the_keys(struct judge *j)
{
	const struct cs_submission *s = j->facts->submission;

	for (size_t i = 0; i < s->count; i++) {
		enum cs_hash given = s->artifacts[i].digest.hash;

		if (given == j->keys[i]->hash)
			continue;
		decide(j, CS_RULE_HASH_MISMATCH,
		       "artifact %s: key %s signs %s digests, this one is %s; hash the image with "
		       "%s",
		       s->artifacts[i].name, j->keys[i]->name, cs_hash_name(j->keys[i]->hash),
		       cs_hash_name(given), cs_hash_name(j->keys[i]->hash));
		return false;
	}
	return true;
}

static bool keys_are_in_use(struct judge *j)
{
	int64_t now = j->facts->now;

	for (size_t i = 0; i < j->facts->submission->count; i++) {
		const struct cs_key *k = j->keys[i];
		char time[CS_TIME_TEXT];

		if (k->disabled) {
			decide(j, CS_RULE_KEY_DISABLED,
			       "key %s is disabled in the signing policy; ask its owners", k->name);
			return false;
		}
		if (now < k->not_before) {
			cs_time_text(k->not_before, time);
			decide(j, CS_RULE_KEY_NOT_YET_VALID, "key %s signs from %s on", k->name,
			       time);
			return false;
		}
		if (now > k->not_after) {
			cs_time_text(k->not_after, time);
			decide(j, CS_RULE_KEY_EXPIRED, "key %s signed until %s; use its successor",
			       k->name, time);
			return false;
		}
	}
	return true;
}

static bool keys_are_not_used_up(struct judge *j)
{
	const size_t count = j->facts->submission->count;

	for (size_t i = 0; i < count; i++) {
		const struct cs_key *k = j->keys[i];
		int64_t asked = 0;

		for (size_t n = 0; n < count; n++)
			asked += j->keys[n] == k;
		if (k->max_uses == 0 || j->facts->used[i] <= k->max_uses - asked)
			continue;
		decide(j, CS_RULE_KEY_USED_UP,
		       "key %s has made %lld of the %lld signatures that its max_uses allows; use "
		       "its successor",
		       k->name, (long long)j->facts->used[i], (long long)k->max_uses);
		return false;
	}
	return true;
}

static bool quorum_is_short(struct judge *j)
{
	for (size_t i = 0; i < j->facts->submission->count; i++) {
		if (cs_quorum_list_merge(&j->doc->quorum, &j->keys[i]->quorum, NULL) == CS_OK)
			continue;
		decide(j, CS_RULE_QUORUM_TOO_LONG,
		       "the quorums of the keys up to %s have more than %d groups; send the "
		       "artifacts in several requests",
		       j->keys[i]->name, CS_QUORUM_LINES_MAX);
		return false;
	}
	return true;
}

/** Better told now than after days of waiting. */
static bool quorum_is_reachable(struct judge *j)
{
	const struct cs_policy *policy = j->facts->policy;

	for (size_t i = 0; i < j->doc->quorum.count; i++) {
		const struct cs_quorum_line *line = &j->doc->quorum.lines[i];
		int64_t left = 0;

		for (size_t n = 0; n < policy->approver_count; n++) {
			const struct cs_approver *a = &policy->approvers[n];

			left += strcmp(a->group, line->group) == 0 &&
				!cs_principal_is_person(j->facts->principal, a->person);
		}
		if (left >= line->count)
			continue;
		decide(j, CS_RULE_QUORUM_UNREACHABLE,
		       "the quorum can never be met: %lld of group %s must approve, and without "
		       "the persons behind %s it has %lld",
		       (long long)line->count, line->group, j->facts->principal->name,
		       (long long)left);
		return false;
	}
	return true;
}

static bool (*const checks[])(struct judge *j) = {
	is_agent,
	has_artifacts,
	keys_are_allowed,
	environment_is_one,
	formats_are_the_keys,
	hashes_are_the_keys,
	keys_are_in_use,
	keys_are_not_used_up,
	quorum_is_short,
	quorum_is_reachable,
};

static void fill_artifacts(struct judge *j)
{
	const struct cs_submission *s = j->facts->submission;

	j->doc->count = s->count;
	for (size_t i = 0; i < s->count; i++) {
		struct cs_artifact *a = &j->doc->artifacts[i];

		*a = s->artifacts[i];
		a->format = j->keys[i]->format;
		a->key_alg = j->keys[i]->alg;
		a->key_hash = j->keys[i]->hash;
		a->key_spki = *cs_pk_spki_sha256(j->keys[i]->pk);
	}
}

static int64_t shortest_wait(const struct judge *j)
{
	int64_t wait = CS_MAX_WAIT_MAX;

	for (size_t i = 0; i < j->facts->submission->count; i++) {
		if (j->keys[i]->max_wait < wait)
			wait = j->keys[i]->max_wait;
	}
	return wait;
}

/** All but the quorum, which the rules have merged, and the id. */
static void fill_document(struct judge *j)
{
	const struct cs_facts *f = j->facts;
	struct cs_request *doc = j->doc;
	size_t comment_len = strlen(f->submission->comment);

	memcpy(doc->instance, f->policy->instance, sizeof(doc->instance));
	doc->environment = j->keys[0]->environment;
	memcpy(doc->principal, f->principal->name, sizeof(doc->principal));
	doc->person_count = f->principal->person_count;
	memcpy(doc->persons, f->principal->persons, sizeof(doc->persons));
	doc->method = CS_METHOD_MTLS;
	doc->created = f->now;
	doc->expires = f->now + shortest_wait(j) * CS_SECOND;
	fill_artifacts(j);
	doc->release = f->submission->release;
	doc->build = f->submission->build;
	doc->has_comment = comment_len > 0;
	if (doc->has_comment)
		doc->comment_sha256 = cs_sha256(
			(struct cs_bytes){ (const uint8_t *)f->submission->comment, comment_len });
	doc->policy_version = f->policy->version;
	doc->policy_digest = f->policy->digest;
}

static void say_what_is_needed(struct judge *j)
{
	const struct cs_quorum_list *q = &j->doc->quorum;
	struct cs_buf text;

	if (q->count == 0) {
		decide(j, CS_RULE_NO_QUORUM, "no approval needed");
		return;
	}
	cs_buf_init(&text, CS_QUORUM_LINES_MAX * (CS_NAME_MAX + 32));
	for (size_t i = 0; i < q->count; i++)
		cs_buf_addf(&text, "%s%lld of %s", i == 0 ? "" : ", ", (long long)q->lines[i].count,
			    q->lines[i].group);
	decide(j, CS_RULE_QUORUM, "needs approvals: %s", cs_buf_str(&text));
	cs_buf_done(&text);
}

struct cs_verdict cs_policy_judge(const struct cs_facts *facts, struct cs_request *doc)
{
	struct judge j = { .facts = facts, .doc = doc };

	assert(facts && facts->policy && facts->principal && facts->submission && doc);

	memset(doc, 0, sizeof(*doc));
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		if (!checks[i](&j))
			return j.verdict;
	}
	fill_document(&j);
	say_what_is_needed(&j);
	return j.verdict;
}

const char *cs_rule_summary(const char *rule)
{
	for (size_t i = 0; i < CS_RULE__COUNT; i++) {
		if (strcmp(rules[i].name, rule) == 0)
			return rules[i].summary;
	}
	return NULL;
}
