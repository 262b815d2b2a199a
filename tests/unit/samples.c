/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sample policy and requests under it, for tests.
 * See samples.h.
 */
#include "unit/samples.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void copy(char *dst, size_t size, const char *src)
{
	ck_assert_int_lt(snprintf(dst, size, "%s", src), (int)size);
}

static struct cs_pk *public_key(const char *name)
{
	struct softkey k = softkey_load(name);
	struct cs_pk *pk = k.pk;

	k.pk = NULL; /* transferred */
	softkey_done(&k);
	return pk;
}

static void fill_token(struct cs_token *t, const char *name, enum cs_env environment)
{
	copy(t->name, sizeof(t->name), name);
	(void)snprintf(t->serial, sizeof(t->serial), "0123456789ab%.4s", name);
	(void)snprintf(t->label, sizeof(t->label), "%.32s token", name);
	t->environment = environment;
	t->software_token = true;
}

static void fill_key(struct cs_key *k, const char *name, size_t token, enum cs_env environment,
		     const char *file)
{
	copy(k->name, sizeof(k->name), name);
	k->token = token;
	k->environment = environment;
	k->cka_id[0] = 0xa0;
	k->cka_id[1] = (uint8_t)strlen(name);
	k->cka_id_len = 2;
	k->pk = public_key(file);
	k->alg = cs_pk_alg(k->pk);
	k->not_after = INT64_MAX;
	k->max_wait = CS_MAX_WAIT_DEFAULT;
}

static void add_quorum(struct cs_key *k, const char *group, int64_t count)
{
	struct cs_quorum_line *line = &k->quorum.lines[k->quorum.count++];

	copy(line->group, sizeof(line->group), group);
	line->count = count;
}

static void fill_keys(struct cs_policy *p)
{
	p->key_count = 3;
	p->keys = calloc(p->key_count, sizeof(p->keys[0]));
	ck_assert_ptr_nonnull(p->keys);
	fill_key(&p->keys[0], "fw-rsa", 0, CS_ENV_PROD, "rsa-3072");
	p->keys[0].format = CS_FORMAT_RSA_PSS;
	p->keys[0].hash = CS_HASH_SHA256;
	add_quorum(&p->keys[0], "firmware", 2);
	fill_key(&p->keys[1], "fw-prod", 0, CS_ENV_PROD, "p-384");
	p->keys[1].format = CS_FORMAT_ECDSA;
	p->keys[1].hash = CS_HASH_SHA384;
	add_quorum(&p->keys[1], "security", 1);
	add_quorum(&p->keys[1], "firmware", 1);
	fill_key(&p->keys[2], "fw-dev", 1, CS_ENV_DEV, "p-256");
	p->keys[2].format = CS_FORMAT_ECDSA;
	p->keys[2].hash = CS_HASH_SHA256;
}

void sample_enrol(struct cs_policy *p, size_t i, const char *name)
{
	struct cs_approver *a = &p->approvers[i];
	struct softkey k = softkey_load(name);
	struct cs_enrolment en = { .spki = *cs_pk_spki_sha256(k.pk), .time = SAMPLE_TIME };
	struct cs_approval_key *key;
	struct cs_buf payload;

	ck_assert_uint_lt(a->key_count, CS_APPROVAL_KEYS_MAX);
	key = &a->keys[a->key_count++];
	copy(en.instance, sizeof(en.instance), p->instance);
	copy(en.person, sizeof(en.person), a->person);
	cs_buf_init(&payload, CS_DECISION_MAX);
	cs_enrolment_write(&en, &payload);
	cs_buf_init(&key->enrolment, CS_ENVELOPE_MAX);
	softkey_envelope(&k, CS_ENROLMENT_TYPE, cs_buf_bytes(&payload), &key->enrolment);
	cs_buf_done(&payload);
	key->pk = k.pk;
	k.pk = NULL; /* transferred */
	softkey_done(&k);
}

static void fill_approvers(struct cs_policy *p)
{
	static const char *const groups[] = { "firmware", "security", "firmware", "security",
					      "release" };

	p->approver_count = sizeof(groups) / sizeof(groups[0]);
	p->approvers = calloc(p->approver_count, sizeof(p->approvers[0]));
	ck_assert_ptr_nonnull(p->approvers);
	for (size_t i = 0; i < p->approver_count; i++) {
		struct cs_approver *a = &p->approvers[i];

		(void)snprintf(a->person, sizeof(a->person), "approver%zu", i + 1);
		copy(a->group, sizeof(a->group), groups[i]);
		sample_enrol(p, i, a->person);
	}
	sample_enrol(p, 0, "approver1-second");
}

struct cs_policy *sample_policy_new(void)
{
	struct cs_policy *p = cs_policy_new();

	ck_assert_ptr_nonnull(p);
	copy(p->instance, sizeof(p->instance), "acme");
	p->version = 7;
	p->token_count = 2;
	p->tokens = calloc(p->token_count, sizeof(p->tokens[0]));
	ck_assert_ptr_nonnull(p->tokens);
	fill_token(&p->tokens[0], "prod", CS_ENV_PROD);
	fill_token(&p->tokens[1], "dev", CS_ENV_DEV);
	fill_keys(p);
	fill_approvers(p);
	return p;
}

struct cs_policy *sample_policy(void)
{
	struct cs_policy *p = sample_policy_new();
	struct cs_err e = { 0 };

	ck_assert_msg(cs_policy_seal(p, &e) == CS_OK, "%s", e.msg);
	return p;
}

static void fill_artifact(struct cs_artifact *a, const struct cs_key *k, size_t i)
{
	(void)snprintf(a->name, sizeof(a->name), "image%zu", i);
	a->digest.hash = k->hash;
	memset(a->digest.value, 0x40 + (int)i, cs_hash_len(k->hash));
	a->size = 4096;
	copy(a->key, sizeof(a->key), k->name);
	a->format = k->format;
	a->key_alg = k->alg;
	a->key_hash = k->hash;
	a->key_spki = *cs_pk_spki_sha256(k->pk);
}

void sample_request(const struct cs_policy *p, const char *const *keys, struct cs_request *r)
{
	memset(r, 0, sizeof(*r));
	copy(r->id, sizeof(r->id), "01890a5d-ac96-774b-bcce-b302099a8057");
	copy(r->instance, sizeof(r->instance), p->instance);
	copy(r->principal, sizeof(r->principal), "ci");
	copy(r->persons[0], sizeof(r->persons[0]), "owner1");
	r->person_count = 1;
	r->method = CS_METHOD_MTLS;
	r->created = SAMPLE_TIME;
	r->expires = SAMPLE_TIME + CS_MAX_WAIT_DEFAULT * CS_SECOND;
	r->release.security_version = -1;
	r->policy_version = p->version;
	r->policy_digest = p->digest;
	for (; keys[r->count]; r->count++) {
		const struct cs_key *k = cs_policy_key(p, keys[r->count]);

		ck_assert_msg(k != NULL, "no key %s", keys[r->count]);
		r->environment = k->environment;
		fill_artifact(&r->artifacts[r->count], k, r->count);
		ck_assert_int_eq(cs_quorum_list_merge(&r->quorum, &k->quorum, NULL), CS_OK);
	}
}

struct cs_sha256 sample_request_sha256(const struct cs_request *r)
{
	struct cs_sha256 hash;
	struct cs_buf out;

	cs_buf_init(&out, CS_DOCUMENT_MAX);
	cs_request_write(r, &out);
	ck_assert_int_eq(cs_buf_ok(&out, "request document", NULL), CS_OK);
	hash = cs_sha256(cs_buf_bytes(&out));
	cs_buf_done(&out);
	return hash;
}

struct cs_decision sample_decision(const struct cs_request *r, int64_t n,
				   enum cs_verdict_kind verdict)
{
	struct cs_decision d = {
		.request_sha256 = sample_request_sha256(r),
		.n = n,
		.verdict = verdict,
		.log = { .size = 12 },
		.time = SAMPLE_TIME + 60 * CS_SECOND,
	};

	d.checked_count = 1;
	copy(d.checked[0], sizeof(d.checked[0]), r->artifacts[0].name);
	return d;
}
