/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a new policy changes. Every part is shown as a few named texts, by tables; two parts of one
 * name differ where their texts do. So what can be shown can be compared, and the other way round.
 */
#include <stdio.h>
#include <string.h>

#include "policy/explain.h"
#include "policy/words.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define TEXT_MAX 4096

/** One line of a part: how it is called and how it is shown. */
struct show {
	const char *what;
	void (*text)(const struct cs_policy *policy, const void *part, struct cs_buf *out);
};

/** A list of parts, each with its name as first member, in ascending order. */
struct section {
	const char *what;
	size_t size; /* of an element */
	const void *(*list)(const struct cs_policy *policy, size_t *count);
	const struct show *shows;
	size_t show_count;
};

static void show_flag(bool on, struct cs_buf *out)
{
	cs_buf_add_str(out, on ? "true" : "false");
}

static void show_time(int64_t us, struct cs_buf *out)
{
	char time[CS_TIME_TEXT];

	if (us == 0 || us == INT64_MAX) {
		cs_buf_add_str(out, "open");
		return;
	}
	cs_time_text(us, time);
	cs_buf_add_str(out, time);
}

static void show_pk(const struct cs_pk *pk, struct cs_buf *out)
{
	cs_buf_add_hex(out, cs_pk_spki_sha256(pk)->b, CS_SHA256_LEN);
}

/* Parts are const void * to fit one table; each function knows its own. */

#define SHOW(name, type, statement)                                                            \
	static void name(const struct cs_policy *policy, const void *part, struct cs_buf *out) \
	{                                                                                      \
		const struct type *it = part;                                                  \
		(void)policy;                                                                  \
		statement;                                                                     \
	}

SHOW(token_label, cs_token, cs_buf_add_str(out, it->label))
SHOW(token_serial, cs_token, cs_buf_add_str(out, it->serial))
SHOW(token_environment, cs_token, cs_buf_add_str(out, cs_env_name(it->environment)))
SHOW(token_software, cs_token, show_flag(it->software_token, out))

SHOW(key_token, cs_key, cs_buf_add_str(out, policy->tokens[it->token].name))
SHOW(key_cka_id, cs_key, cs_buf_add_hex(out, it->cka_id, it->cka_id_len))
SHOW(key_algorithm, cs_key, cs_buf_add_str(out, cs_alg_name(it->alg)))
SHOW(key_hash, cs_key, cs_buf_add_str(out, cs_hash_name(it->hash)))
SHOW(key_format, cs_key, cs_buf_add_str(out, cs_format_name(it->format)))
SHOW(key_pk, cs_key, show_pk(it->pk, out))
SHOW(key_quorum, cs_key, cs_words_quorum(&it->quorum, out))
SHOW(key_not_before, cs_key, show_time(it->not_before, out))
SHOW(key_not_after, cs_key, show_time(it->not_after, out))
SHOW(key_max_uses, cs_key, cs_words_limit(it->max_uses, out))
SHOW(key_max_wait, cs_key, cs_words_duration(it->max_wait, out))
SHOW(key_disabled, cs_key, show_flag(it->disabled, out))
SHOW(key_imported, cs_key, show_flag(it->imported, out))

SHOW(approver_group, cs_approver, cs_buf_add_str(out, it->group))

static void approver_keys(const struct cs_policy *policy, const void *part, struct cs_buf *out)
{
	const struct cs_approver *a = part;

	(void)policy;
	for (size_t i = 0; i < a->key_count; i++) {
		cs_buf_add_str(out, i == 0 ? "" : ", ");
		show_pk(a->keys[i].pk, out);
	}
}

static const struct show token_shows[] = {
	{ "label", token_label },
	{ "serial", token_serial },
	{ "environment", token_environment },
	{ "software_token", token_software },
};

static const struct show key_shows[] = {
	{ "token", key_token },         { "cka_id", key_cka_id },
	{ "algorithm", key_algorithm }, { "hash", key_hash },
	{ "format", key_format },       { "public key", key_pk },
	{ "quorum", key_quorum },       { "not_before", key_not_before },
	{ "not_after", key_not_after }, { "max_uses", key_max_uses },
	{ "max_wait", key_max_wait },   { "disabled", key_disabled },
	{ "imported", key_imported },
};

static const struct show approver_shows[] = {
	{ "group", approver_group },
	{ "keys", approver_keys },
};

static const void *tokens(const struct cs_policy *policy, size_t *count)
{
	*count = policy->token_count;
	return policy->tokens;
}

static const void *keys(const struct cs_policy *policy, size_t *count)
{
	*count = policy->key_count;
	return policy->keys;
}

static const void *approvers(const struct cs_policy *policy, size_t *count)
{
	*count = policy->approver_count;
	return policy->approvers;
}

static const struct section sections[] = {
	{ "token", sizeof(struct cs_token), tokens, token_shows, COUNT(token_shows) },
	{ "key", sizeof(struct cs_key), keys, key_shows, COUNT(key_shows) },
	{ "approver", sizeof(struct cs_approver), approvers, approver_shows,
	  COUNT(approver_shows) },
};

_Static_assert(offsetof(struct cs_token, name) == 0, "sections compare by the first member");
_Static_assert(offsetof(struct cs_key, name) == 0, "sections compare by the first member");
_Static_assert(offsetof(struct cs_approver, person) == 0, "sections compare by the first member");

/** One part in both policies: a line for each text that differs. */
static void diff_part(const struct section *s, const struct cs_policy *old, const void *old_part,
		      const struct cs_policy *new, const void *new_part, struct cs_buf *out)
{
	struct cs_buf before, after;

	cs_buf_init(&before, TEXT_MAX);
	cs_buf_init(&after, TEXT_MAX);
	for (size_t i = 0; i < s->show_count; i++) {
		cs_buf_reset(&before);
		cs_buf_reset(&after);
		s->shows[i].text(old, old_part, &before);
		s->shows[i].text(new, new_part, &after);
		if (strcmp(cs_buf_str(&before), cs_buf_str(&after)) != 0)
			cs_buf_addf(out, "%s %s: %s: %s -> %s\n", s->what, (const char *)new_part,
				    s->shows[i].what, cs_buf_str(&before), cs_buf_str(&after));
	}
	cs_buf_done(&before);
	cs_buf_done(&after);
}

/** Walk two sorted lists side by side. */
static void diff_section(const struct section *s, const struct cs_policy *old,
			 const struct cs_policy *new, struct cs_buf *out)
{
	size_t old_count, new_count, i = 0, j = 0;
	const char *olds = s->list(old, &old_count);
	const char *news = s->list(new, &new_count);

	while (i < old_count || j < new_count) {
		const char *a = i < old_count ? olds + i * s->size : NULL;
		const char *b = j < new_count ? news + j * s->size : NULL;
		int order = !a ? 1 : !b ? -1 : strcmp(a, b);

		if (order < 0)
			cs_buf_addf(out, "%s %s: removed\n", s->what, a);
		else if (order > 0)
			cs_buf_addf(out, "%s %s: added\n", s->what, b);
		else
			diff_part(s, old, a, new, b, out);
		i += order <= 0;
		j += order >= 0;
	}
}

void cs_policy_diff(const struct cs_policy *old, const struct cs_policy *new, struct cs_buf *out)
{
	if (strcmp(old->instance, new->instance) != 0)
		cs_buf_addf(out, "instance: %s -> %s\n", old->instance, new->instance);
	if (old->version != new->version)
		cs_buf_addf(out, "version: %lld -> %lld\n", (long long)old->version,
			    (long long)new->version);
	for (size_t i = 0; i < COUNT(sections); i++)
		diff_section(&sections[i], old, new, out);
}
