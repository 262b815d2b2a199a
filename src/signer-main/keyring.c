/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of one token in use. The only caller of cs_p11_sign: each call lies between two journal
 * lines. A self-test signs a value made here; no caller's bytes ever reach one.
 */
#include "signer-main/keyring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/der.h"
#include "base/jcs.h"
#include "base/log.h"
#include "signer-main/key_uses.h"

#define SELFTEST_TYPE "countersign-selftest-v1"
#define RETRY_US (5 * CS_SECOND)       /* a key that is not usable may come back */
#define FIRST_RETRY_US (CS_SECOND / 2) /* one that worked before is likely to */
#define DOUBTS_MAX 3                   /* in a row, without a signature between them */

struct slot {
	const struct cs_key *key;
	struct cs_p11_key *handle;       /* NULL when it was not found as pinned */
	int64_t tested;                  /* µs, wall clock; 0 = never */
	int64_t next;                    /* µs, cs_clock_mono: when to test it again */
	bool usable;                     /* passed its last self-test */
	char problem[CS_REASON_MAX + 1]; /* "" when usable */
};

struct cs_keyring {
	const struct cs_policy *policy;
	struct cs_p11 *p11;
	struct cs_journal *journal;
	int64_t selftest_us;
	struct cs_buf raw;
	size_t count;
	struct slot slots[]; /* ascending by name, as in the policy */
};

enum cs_rc cs_keyring_new(const struct cs_policy *policy, size_t token, struct cs_p11 *p11,
			  struct cs_journal *journal, int64_t selftest_us, struct cs_keyring **krp,
			  struct cs_err *e)
{
	struct cs_keyring *kr;
	size_t i;

	kr = calloc(1, sizeof(*kr) + policy->key_count * sizeof(kr->slots[0]));
	if (!kr)
		return CS_FAIL(e, CS_E_NOMEM, "keys");
	kr->policy = policy;
	kr->p11 = p11;
	kr->journal = journal;
	kr->selftest_us = selftest_us;
	cs_buf_init(&kr->raw, CS_RAW_SIG_MAX);
	for (i = 0; i < policy->key_count; i++) {
		const struct cs_key *key = &policy->keys[i];

		if (key->token == token && !key->disabled)
			kr->slots[kr->count++].key = key;
	}
	*krp = kr;
	return CS_OK;
}

void cs_keyring_free(struct cs_keyring *kr)
{
	size_t i;

	if (!kr)
		return;
	for (i = 0; i < kr->count; i++)
		cs_p11_key_free(kr->slots[i].handle);
	cs_buf_done(&kr->raw);
	free(kr);
}

/* one use of a key, between its two lines in the journal; *codep names what went wrong */
static enum cs_rc use(struct cs_keyring *kr, struct slot *s, const struct cs_tbs *tbs,
		      const struct cs_journal_entry *entry, enum cs_sign_outcome *outcomep,
		      const char **codep, struct cs_err *e)
{
	struct cs_bytes input = { tbs->data, tbs->len };
	struct cs_err unwritten = { 0 };
	bool reached = false;
	enum cs_rc rc;

	*outcomep = CS_SIGN_NOT_TRIED;
	*codep = "uses";
	rc = entry->request ? cs_key_uses_take(cs_journal_state(kr->journal), s->key, e) : CS_OK;
	if (rc == CS_E_DENIED) {
		*outcomep = CS_SIGN_REFUSED;
		*codep = "key-used-up";
	}
	if (rc != CS_OK)
		return rc;
	*codep = "journal";
	rc = cs_journal_begin(kr->journal, entry, e);
	if (rc != CS_OK)
		return rc;
	rc = cs_p11_sign(kr->p11, s->handle, tbs->scheme, tbs->hash, input, &kr->raw, codep,
			 &reached, e);
	/* a missing end reads as "may have been signed", which is true: the result counts all the
	 * same, and the next begin fails if the journal stays broken */
	if (cs_journal_end(kr->journal, entry, *codep, cs_buf_bytes(&kr->raw), &unwritten) != CS_OK)
		cs_log(CS_LOG_ERROR, "journal", "%s", unwritten.msg);
	if (rc == CS_OK)
		*outcomep = CS_SIGN_OK;
	else if (reached)
		*outcomep = CS_SIGN_FAILED;
	return rc;
}

/* SHA-256 of a document that only this function writes; see docs/PROTOCOL.signer, "Self-tests" */
static struct cs_sha256 selftest_value(const struct cs_keyring *kr, const struct cs_key *key)
{
	const struct cs_sha256 *spki = cs_pk_spki_sha256(key->pk);
	char now[CS_TIME_TEXT];
	struct cs_sha256 value;
	struct cs_buf out;
	struct cs_jw w;

	cs_time_text(cs_clock_now(), now);
	cs_buf_init(&out, 1024);
	cs_jw_init(&w, &out);
	cs_jw_object(&w, NULL);
	cs_jw_str(&w, "instance", kr->policy->instance);
	cs_jw_hex(&w, "spki_sha256", spki->b, sizeof(spki->b));
	cs_jw_str(&w, "time", now);
	cs_jw_str(&w, "type", SELFTEST_TYPE);
	cs_jw_end_object(&w);
	value = cs_sha256(cs_buf_bytes(&out));
	cs_buf_done(&out);
	return value;
}

/* a request document of one artifact, so that the self-test takes the very path of a signature */
static void selftest_document(const struct cs_keyring *kr, const struct cs_key *key,
			      struct cs_request *doc)
{
	struct cs_sha256 value = selftest_value(kr, key);
	struct cs_artifact *a = &doc->artifacts[0];

	doc->count = 1;
	snprintf(a->key, sizeof(a->key), "%s", key->name);
	a->format = key->format;
	a->key_alg = key->alg;
	a->key_hash = key->hash;
	a->key_spki = *cs_pk_spki_sha256(key->pk);
	a->digest.hash = key->hash;
	cs_hash_bytes(key->hash, (struct cs_bytes){ value.b, sizeof(value.b) }, a->digest.value);
}

static enum cs_rc selftest(struct cs_keyring *kr, struct slot *s, struct cs_request *doc,
			   struct cs_buf *sig, struct cs_err *e)
{
	struct cs_journal_entry entry = { .spki = cs_pk_spki_sha256(s->key->pk) };
	enum cs_sign_outcome outcome;
	struct cs_tbs tbs;
	const char *code;
	enum cs_rc rc = CS_OK;

	if (!s->handle)
		rc = cs_p11_find(kr->p11, s->key, &s->handle, e);
	if (rc != CS_OK)
		return rc;
	selftest_document(kr, s->key, doc);
	rc = cs_format_prepare(doc, 0, &tbs, e);
	if (rc != CS_OK)
		return rc;
	entry.tbs = cs_tbs_sha256(&tbs);
	rc = use(kr, s, &tbs, &entry, &outcome, &code, e);
	if (rc == CS_OK)
		rc = cs_format_finish(doc, 0, cs_buf_bytes(&kr->raw), sig, e);
	if (rc == CS_OK)
		rc = cs_format_verify(doc, 0, s->key->pk, cs_buf_bytes(sig), e);
	if (rc != CS_OK)
		cs_err_prefix(e, "key %s: self-test", s->key->name);
	return rc;
}

int64_t cs_keyring_next(const struct cs_keyring *kr)
{
	int64_t next = INT64_MAX;
	size_t i;

	for (i = 0; i < kr->count; i++)
		if (kr->slots[i].next < next)
			next = kr->slots[i].next;
	return next;
}

static struct slot *due(struct cs_keyring *kr, int64_t now)
{
	struct slot *found = NULL;
	size_t i;

	for (i = 0; i < kr->count; i++) {
		struct slot *s = &kr->slots[i];

		if (s->next <= now && (!found || s->next < found->next))
			found = s;
	}
	return found;
}

/* the usable key whose self-test is longest ago; NULL when none is usable */
static struct slot *witness(struct cs_keyring *kr)
{
	struct slot *found = NULL;
	size_t i;

	for (i = 0; i < kr->count; i++) {
		struct slot *s = &kr->slots[i];

		if (s->usable && (!found || s->tested < found->tested))
			found = s;
	}
	return found;
}

/*
 * A key failed in a way that may be its own or the token's. Where it had worked before, another key
 * is tested at once: a signature settles the doubt, and without any key left it is the token. Where
 * it had not, its failure is no news while another key works.
 */
static void weigh(struct cs_keyring *kr, bool worked, unsigned doubts_before)
{
	struct slot *other = witness(kr);

	if (!other || cs_p11_doubts(kr->p11) == doubts_before)
		return;
	if (worked)
		other->next = cs_clock_mono();
	else
		cs_p11_set_doubts(kr->p11, doubts_before);
}

/* until the next self-test of a key that worked before this one, and works now */
static int64_t pause_after(const struct cs_keyring *kr, bool worked, bool works)
{
	int64_t pause = works ? kr->selftest_us : worked ? FIRST_RETRY_US : RETRY_US;

	return pause < kr->selftest_us ? pause : kr->selftest_us;
}

static void test_slot(struct cs_keyring *kr, struct slot *s)
{
	const unsigned doubts = cs_p11_doubts(kr->p11);
	const bool worked = s->usable;
	struct cs_err e = { 0 };
	struct cs_request *doc;
	struct cs_buf sig;
	enum cs_rc rc;

	cs_buf_init(&sig, CS_SIG_MAX);
	doc = calloc(1, sizeof(*doc));
	rc = doc ? selftest(kr, s, doc, &sig, &e) : CS_FAIL(&e, CS_E_NOMEM, "self-test");
	free(doc);
	cs_buf_done(&sig);
	s->tested = cs_clock_now();
	s->usable = rc == CS_OK;
	s->next = cs_clock_mono() + pause_after(kr, worked, s->usable);
	snprintf(s->problem, sizeof(s->problem), "%.*s", CS_REASON_MAX, e.msg);
	if (rc != CS_OK)
		weigh(kr, worked, doubts);
}

void cs_keyring_selftest(struct cs_keyring *kr)
{
	struct slot *s = due(kr, cs_clock_mono());

	if (s)
		test_slot(kr, s);
}

static const struct cs_hung_key *hung_key(const struct cs_hung_keys *hung, const struct slot *s)
{
	return cs_hung_keys_find(hung, cs_pk_spki_sha256(s->key->pk));
}

/* a key that would cost this child its life, too */
static void set_aside(struct slot *s, const struct cs_hung_key *hung)
{
	s->tested = hung->at;
	s->next = hung->until;
	s->usable = false;
	snprintf(s->problem, sizeof(s->problem),
		 "key %s: its self-test does not return, %u times so far; it is tried again later",
		 s->key->name, hung->times);
}

void cs_keyring_selftest_all(struct cs_keyring *kr, const struct cs_hung_keys *hung)
{
	bool others_work;
	size_t i;

	for (i = 0; i < kr->count && !cs_p11_is_lost(kr->p11); i++)
		if (!hung_key(hung, &kr->slots[i]))
			test_slot(kr, &kr->slots[i]);
	others_work = witness(kr) != NULL;
	for (i = 0; i < kr->count && !cs_p11_is_lost(kr->p11); i++) {
		const struct cs_hung_key *key = hung_key(hung, &kr->slots[i]);

		if (key && others_work)
			set_aside(&kr->slots[i], key);
		else if (key)
			test_slot(kr, &kr->slots[i]);
	}
}

bool cs_keyring_is_lost(struct cs_keyring *kr)
{
	return cs_p11_is_lost(kr->p11) || (!witness(kr) && cs_p11_doubts(kr->p11) >= DOUBTS_MAX);
}

static int64_t oldest(const struct cs_keyring *kr)
{
	int64_t time = INT64_MAX;
	size_t i;

	for (i = 0; i < kr->count; i++)
		if (kr->slots[i].tested < time)
			time = kr->slots[i].tested;
	return kr->count > 0 ? time : 0;
}

void cs_keyring_health(const struct cs_keyring *kr, struct cs_signer_health *out)
{
	const char *first = "";
	size_t i;

	*out = (struct cs_signer_health){ .keys = (int64_t)kr->count, .selftest_time = oldest(kr) };
	for (i = 0; i < kr->count; i++) {
		if (kr->slots[i].usable)
			continue;
		out->failed++;
		if (!first[0])
			first = kr->slots[i].problem;
	}
	out->ready = out->failed == 0;
	snprintf(out->message, sizeof(out->message), "%s", first);
}

static struct slot *find(struct cs_keyring *kr, const char *name)
{
	size_t i;

	for (i = 0; i < kr->count; i++)
		if (strcmp(kr->slots[i].key->name, name) == 0)
			return &kr->slots[i];
	return NULL;
}

static void fill(struct cs_signer_result *r, enum cs_sign_outcome outcome, const char *code,
		 const char *message)
{
	r->outcome = outcome;
	snprintf(r->code, sizeof(r->code), "%s", code);
	snprintf(r->message, sizeof(r->message), "%.*s", CS_REASON_MAX, message);
	r->raw = (struct cs_bytes){ NULL, 0 };
}

void cs_keyring_sign(struct cs_keyring *kr, const char *name, const struct cs_tbs *tbs,
		     const struct cs_journal_entry *entry, struct cs_signer_result *result)
{
	struct slot *s = find(kr, name);
	enum cs_sign_outcome outcome;
	struct cs_err e = { 0 };
	const unsigned doubts = cs_p11_doubts(kr->p11);
	const char *code;

	if (!s || !s->usable) {
		fill(result, CS_SIGN_NOT_TRIED, "key", s ? s->problem : "the key is disabled");
		return;
	}
	if (use(kr, s, tbs, entry, &outcome, &code, &e) != CS_OK) {
		fill(result, outcome, code, e.msg);
		/* was it this once, is it the key, or the token? */
		if (cs_p11_doubts(kr->p11) != doubts)
			s->next = cs_clock_mono();
		return;
	}
	fill(result, CS_SIGN_OK, "", "");
	result->raw = cs_buf_bytes(&kr->raw);
}
