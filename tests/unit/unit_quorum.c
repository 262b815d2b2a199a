/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of quorum/: forged and misdirected decisions, how decisions count, and which documents may
 * be signed. The cases are what somebody in control of the daemon could try.
 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "quorum/quorum.h"
#include "unit/samples.h"

static const char *const prod[] = { "fw-prod", NULL };
static const char *const both[] = { "fw-prod", "fw-rsa", NULL };
static const char *const dev[] = { "fw-dev", NULL };

/* An envelope of a key of tests/keys over a decision. */
static struct cs_buf sign(const char *key, const struct cs_decision *d)
{
	struct softkey k = softkey_load(key);
	struct cs_buf payload, envelope;

	cs_buf_init(&payload, CS_DECISION_MAX);
	cs_buf_init(&envelope, CS_ENVELOPE_MAX);
	cs_decision_write(d, &payload);
	softkey_envelope(&k, CS_DECISION_TYPE, cs_buf_bytes(&payload), &envelope);
	cs_buf_done(&payload);
	softkey_done(&k);
	return envelope;
}

static enum cs_rc verify(const struct cs_policy *p, const struct cs_request *r,
			 struct cs_bytes envelope, struct cs_vote *v, struct cs_err *e)
{
	struct cs_sha256 hash = sample_request_sha256(r);

	return cs_vote_verify(p, r, &hash, envelope, v, e);
}

/* ---- votes ---- */

START_TEST(votes_of_every_kind_of_key_verify)
{
	static const char *const keys[] = { "approver1", "approver1-second", "approver2",
					    "approver3", "approver5" };
	struct cs_policy *p = sample_policy();
	static struct cs_request r;
	struct cs_err e = { 0 };

	sample_request(p, prod, &r);
	for (size_t i = 0; i < CS_COUNT(keys); i++) {
		struct cs_decision d = sample_decision(&r, 3, CS_VERDICT_APPROVE);
		struct cs_buf envelope = sign(keys[i], &d);
		struct cs_vote v;

		ck_assert_msg(verify(p, &r, cs_buf_bytes(&envelope), &v, &e) == CS_OK, "%s: %s",
			      keys[i], e.msg);
		ck_assert_int_eq(strncmp(v.approver->person, keys[i], strlen("approverN")), 0);
		ck_assert_mem_eq(&v.decision, &d, sizeof(d));
		cs_buf_done(&envelope);
	}
	cs_policy_unref(p);
}
END_TEST

/* What happens to a good decision of approver1 before it is verified. */
struct attack {
	struct cs_policy *policy;
	struct cs_request request;
	struct cs_decision decision;
	const char *key;          /* signs */
	const char *keyid;        /* NULL: of key */
	const char *payload_type; /* what the PAE and the envelope say */
};

static void another_request(struct attack *a)
{
	a->request.artifacts[0].digest.value[0] ^= 1;
}

static void another_instance(struct attack *a)
{
	(void)snprintf(a->request.instance, sizeof(a->request.instance), "acme2");
}

static void another_hash(struct attack *a)
{
	a->request.artifacts[0].size++;
}

static void unknown_key(struct attack *a)
{
	a->key = "stranger";
}

static void removed_approver(struct attack *a)
{
	(void)snprintf(a->policy->approvers[0].person, sizeof(a->policy->approvers[0].person),
		       "approver9");
	for (size_t i = 0; i < a->policy->approvers[0].key_count; i++) {
		cs_pk_free(a->policy->approvers[0].keys[i].pk);
		cs_buf_done(&a->policy->approvers[0].keys[i].enrolment);
	}
	a->policy->approvers[0].key_count = 0;
	memset(a->policy->approvers[0].keys, 0, sizeof(a->policy->approvers[0].keys));
	sample_enrol(a->policy, 0, "stranger");
}

static void signing_key(struct attack *a)
{
	a->key = "p-384";
}

static void forged_for_approver1(struct attack *a)
{
	a->key = "approver4";
	a->keyid = "approver1";
}

static void keyid_of_second_key(struct attack *a)
{
	a->keyid = "approver1-second";
}

static void other_payload_type(struct attack *a)
{
	a->payload_type = CS_ENROLMENT_TYPE;
}

static void requesters_person(struct attack *a)
{
	(void)snprintf(a->request.persons[0], sizeof(a->request.persons[0]), "approver1");
	a->decision = sample_decision(&a->request, 1, CS_VERDICT_APPROVE);
}

static void requesters_person_rejects(struct attack *a)
{
	(void)snprintf(a->request.persons[0], sizeof(a->request.persons[0]), "approver1");
	a->decision = sample_decision(&a->request, 1, CS_VERDICT_REJECT);
}

static void second_owner(struct attack *a)
{
	(void)snprintf(a->request.persons[0], sizeof(a->request.persons[0]), "aaa");
	(void)snprintf(a->request.persons[1], sizeof(a->request.persons[1]), "approver1");
	a->request.person_count = 2;
	a->decision = sample_decision(&a->request, 1, CS_VERDICT_APPROVE);
}

static void unknown_image(struct attack *a)
{
	(void)snprintf(a->decision.checked[0], sizeof(a->decision.checked[0]), "image9");
}

static void no_decision_at_all(struct attack *a)
{
	a->decision.verdict = CS_VERDICT_NONE;
}

static const struct {
	const char *name;
	void (*make)(struct attack *a);
	enum cs_rc rc;
	const char *message;
} attacks[] = {
	{ "another request", another_request, CS_E_CONFLICT, "another request document" },
	{ "another instance", another_instance, CS_E_CONFLICT, "another request document" },
	{ "another size", another_hash, CS_E_CONFLICT, "another request document" },
	{ "key of nobody", unknown_key, CS_E_FORBIDDEN, "not enrolled" },
	{ "removed approver", removed_approver, CS_E_FORBIDDEN, "not enrolled" },
	{ "key of the token", signing_key, CS_E_FORBIDDEN, "not enrolled" },
	{ "forged keyid", forged_for_approver1, CS_E_SIGNATURE, "" },
	{ "keyid of her other key", keyid_of_second_key, CS_E_SIGNATURE, "" },
	{ "another payload type", other_payload_type, CS_E_INVALID, "" },
	{ "requester's person", requesters_person, CS_E_FORBIDDEN, "behind this request" },
	{ "requester's rejection", requesters_person_rejects, CS_E_FORBIDDEN,
	  "behind this request" },
	{ "second owner of the robot", second_owner, CS_E_FORBIDDEN, "behind this request" },
	{ "image the request has not", unknown_image, CS_E_INVALID, "image9" },
	{ "no decision", no_decision_at_all, CS_E_INVALID, "decision" },
};

START_TEST(attacks_are_no_votes)
{
	static struct attack a;
	struct cs_buf payload, envelope;
	struct softkey k, claimed;
	struct cs_err e = { 0 };
	struct cs_vote v;
	enum cs_rc rc;

	memset(&a, 0, sizeof(a));
	a.policy = sample_policy();
	a.key = "approver1";
	a.payload_type = CS_DECISION_TYPE;
	sample_request(a.policy, prod, &a.request);
	a.decision = sample_decision(&a.request, 1, CS_VERDICT_APPROVE);
	attacks[_i].make(&a);
	k = softkey_load(a.key);
	claimed = softkey_load(a.keyid ? a.keyid : a.key);
	cs_buf_init(&payload, CS_DECISION_MAX);
	cs_buf_init(&envelope, CS_ENVELOPE_MAX);
	cs_decision_write(&a.decision, &payload);
	softkey_envelope_as(&k, cs_pk_spki_sha256(claimed.pk), a.payload_type,
			    cs_buf_bytes(&payload), &envelope);
	rc = verify(a.policy, &a.request, cs_buf_bytes(&envelope), &v, &e);
	ck_assert_msg(rc == attacks[_i].rc, "%s: %s: %s", attacks[_i].name, cs_rc_name(rc),
		      rc ? e.msg : "accepted");
	ck_assert_msg(strstr(e.msg, attacks[_i].message) != NULL, "%s: %s", attacks[_i].name,
		      e.msg);
	cs_buf_done(&payload);
	cs_buf_done(&envelope);
	softkey_done(&k);
	softkey_done(&claimed);
	cs_policy_unref(a.policy);
}
END_TEST

/* One changed byte anywhere in an envelope: not one of them is a vote. */
START_TEST(no_changed_byte_passes)
{
	struct cs_policy *p = sample_policy();
	static struct cs_request r;
	struct cs_decision d;
	struct cs_buf envelope;
	struct cs_err e;
	struct cs_vote v;

	sample_request(p, prod, &r);
	d = sample_decision(&r, 1, CS_VERDICT_APPROVE);
	envelope = sign("approver2", &d);
	ck_assert_int_eq(verify(p, &r, cs_buf_bytes(&envelope), &v, &e), CS_OK);
	for (size_t i = 0; i < envelope.len; i++) {
		envelope.data[i] ^= 1;
		ck_assert_msg(verify(p, &r, cs_buf_bytes(&envelope), &v, &e) != CS_OK, "byte %zu",
			      i);
		envelope.data[i] ^= 1;
	}
	for (size_t len = 0; len < envelope.len; len++)
		ck_assert_int_ne(verify(p, &r, (struct cs_bytes){ envelope.data, len }, &v, &e),
				 CS_OK);
	cs_buf_done(&envelope);
	cs_policy_unref(p);
}
END_TEST

START_TEST(envelope_over_the_limit_is_refused)
{
	static uint8_t big[CS_ENVELOPE_MAX + 1];
	struct cs_policy *p = sample_policy();
	static struct cs_request r;
	struct cs_err e;
	struct cs_vote v;

	sample_request(p, prod, &r);
	memset(big, ' ', sizeof(big));
	ck_assert_int_eq(verify(p, &r, (struct cs_bytes){ big, sizeof(big) }, &v, &e),
			 CS_E_TOO_LARGE);
	cs_policy_unref(p);
}
END_TEST

/* ---- counting ---- */

static enum cs_verdict_kind kind_of(char letter)
{
	return letter == 'a'   ? CS_VERDICT_APPROVE
	       : letter == 'r' ? CS_VERDICT_REJECT
			       : CS_VERDICT_WITHDRAW;
}

/* "1a1 2w3": approver1 approves as n 1, approver2 withdraws as n 3. 6 is approver1 with her second
 * key. */
static size_t votes_of(const char *text, const struct cs_policy *p, const struct cs_request *r,
		       struct cs_vote *votes)
{
	size_t count = 0;

	for (; *text; text += text[3] ? 4 : 3) {
		size_t person = text[0] == '6' ? 0 : (size_t)(text[0] - '1');
		const struct cs_approver *a = &p->approvers[person];

		votes[count].approver = a;
		votes[count].key_spki = *cs_pk_spki_sha256(a->keys[text[0] == '6'].pk);
		votes[count].decision = sample_decision(r, text[2] - '0', kind_of(text[1]));
		count++;
	}
	return count;
}

/* fw-prod needs one of firmware (1, 3) and one of security (2, 4); fw-rsa two of firmware. */
static const struct {
	const char *name;
	const char *const *keys;
	const char *votes;
	bool met, rejected;
	int64_t missing;
} counts[] = {
	{ "nobody yet", prod, "", false, false, 2 },
	{ "one is not enough", prod, "1a1", false, false, 1 },
	{ "two of two groups", prod, "1a1 2a1", true, false, 0 },
	{ "in another order", prod, "2a1 1a1", true, false, 0 },
	{ "two of one group", prod, "1a1 3a1", false, false, 1 },
	{ "a person of no group that counts", prod, "1a1 5a1", false, false, 1 },
	{ "the same person twice", both, "1a1 1a2 2a1", false, false, 1 },
	{ "the same decision twice", both, "1a1 1a1 2a1", false, false, 1 },
	{ "the same person with her second key", both, "1a1 6a2 2a1", false, false, 1 },
	{ "the second key with the same n", both, "1a1 6a1 2a1", false, false, 1 },
	{ "the second key alone", prod, "6a1 2a1", true, false, 0 },
	{ "both quorums of two keys", both, "1a1 3a1 2a1", true, false, 0 },
	{ "withdrawn", prod, "1a1 2a1 1w2", false, false, 1 },
	{ "withdrawn, sent first", prod, "1w2 1a1 2a1", false, false, 1 },
	{ "withdrawn with the second key", prod, "1a1 2a1 6w2", false, false, 1 },
	{ "withdrawn and approved again", prod, "1a1 1w2 1a3 2a1", true, false, 0 },
	{ "a lower n comes later", prod, "1w2 2a1 1a1", false, false, 1 },
	{ "the same n says both", prod, "1a1 1w1 2a1", false, false, 1 },
	{ "the same n says both, other order", prod, "1w1 1a1 2a1", false, false, 1 },
	{ "rejected", prod, "1r1", false, true, 2 },
	{ "rejected in spite of a quorum", prod, "1a1 2a1 4r1", false, true, 0 },
	{ "rejected by a group that does not count", prod, "1a1 2a1 5r1", false, true, 0 },
	{ "rejected, then approved by herself", prod, "1r1 1a2 2a1", false, true, 0 },
	{ "more than enough", prod, "1a1 3a1 2a1 4a1", true, false, 0 },
	{ "withdrawal of nothing", prod, "1w1", false, false, 2 },
	{ "no quorum needed", dev, "", true, false, 0 },
	{ "rejected where none is needed", dev, "1r1", false, true, 0 },
};

START_TEST(votes_count)
{
	static struct cs_vote votes[CS_DECISIONS_MAX];
	struct cs_policy *p = sample_policy();
	struct cs_quorum_status st;
	static struct cs_request r;
	struct cs_err e = { 0 };
	size_t count;

	sample_request(p, counts[_i].keys, &r);
	count = votes_of(counts[_i].votes, p, &r, votes);
	ck_assert_msg(cs_quorum_count(p, &r, votes, count, &st, &e) == CS_OK, "%s", e.msg);
	ck_assert_msg(st.met == counts[_i].met, "%s: met %d", counts[_i].name, st.met);
	ck_assert_msg(st.rejected == counts[_i].rejected, "%s: rejected %d", counts[_i].name,
		      st.rejected);
	ck_assert_msg(st.missing == counts[_i].missing, "%s: missing %lld", counts[_i].name,
		      (long long)st.missing);
	ck_assert_int_eq(st.rejected, st.rejected_by[0] != '\0');
	cs_policy_unref(p);
}
END_TEST

START_TEST(status_tells_who_is_missing)
{
	static struct cs_vote votes[CS_DECISIONS_MAX];
	struct cs_policy *p = sample_policy();
	struct cs_quorum_status st;
	static struct cs_request r;
	struct cs_err e = { 0 };

	sample_request(p, both, &r);
	ck_assert_int_eq(cs_quorum_count(p, &r, votes, votes_of("1a1 4r1", p, &r, votes), &st, &e),
			 CS_OK);
	ck_assert_uint_eq(st.count, 2);
	ck_assert_str_eq(st.lines[0].group, "firmware");
	ck_assert_int_eq(st.lines[0].need, 2);
	ck_assert_int_eq(st.lines[0].have, 1);
	ck_assert_str_eq(st.lines[1].group, "security");
	ck_assert_int_eq(st.lines[1].need, 1);
	ck_assert_int_eq(st.lines[1].have, 0);
	ck_assert_str_eq(st.rejected_by, "approver4");
	cs_policy_unref(p);
}
END_TEST

/* Changes of the policy or the document after the votes were cast. */
static void policy_asks_more(struct cs_policy *p, struct cs_request *r)
{
	(void)r;
	p->keys[1].quorum.lines[0].count = 2;
}

static void policy_asks_another_group(struct cs_policy *p, struct cs_request *r)
{
	(void)r;
	(void)snprintf(p->keys[1].quorum.lines[1].group, CS_NAME_MAX + 1, "release");
}

static void policy_asks_nothing(struct cs_policy *p, struct cs_request *r)
{
	(void)r;
	p->keys[1].quorum.count = 0;
}

static void document_asks_nothing(struct cs_policy *p, struct cs_request *r)
{
	(void)p;
	r->quorum.count = 0;
}

static void document_asks_more(struct cs_policy *p, struct cs_request *r)
{
	(void)p;
	r->quorum.lines[1].count = 2;
}

static void approver_moves(struct cs_policy *p, struct cs_request *r)
{
	(void)r;
	(void)snprintf(p->approvers[1].group, CS_NAME_MAX + 1, "firmware");
}

static void approver_owns_the_robot(struct cs_policy *p, struct cs_request *r)
{
	(void)p;
	(void)snprintf(r->persons[0], sizeof(r->persons[0]), "approver1");
}

static void approver_changes_her_key(struct cs_policy *p, struct cs_request *r)
{
	struct softkey k = softkey_load("stranger");

	(void)r;
	cs_pk_free(p->approvers[1].keys[0].pk);
	p->approvers[1].keys[0].pk = k.pk;
	k.pk = NULL; /* transferred */
	softkey_done(&k);
}

static const struct {
	const char *name;
	void (*change)(struct cs_policy *p, struct cs_request *r);
	bool met;
	int64_t missing;
} changes[] = {
	{ "policy asks more", policy_asks_more, false, 1 },
	{ "policy asks another group", policy_asks_another_group, false, 1 },
	{ "policy asks nothing", policy_asks_nothing, true, 0 },
	{ "document asks nothing", document_asks_nothing, true, 0 },
	{ "document asks more", document_asks_more, false, 1 },
	{ "approver moves to another group", approver_moves, false, 1 },
	{ "approver owns the robot", approver_owns_the_robot, false, 1 },
	{ "approver changes her key", approver_changes_her_key, false, 1 },
};

START_TEST(document_and_policy_both_ask)
{
	static struct cs_vote votes[CS_DECISIONS_MAX];
	struct cs_policy *p = sample_policy();
	struct cs_quorum_status st;
	static struct cs_request r;
	struct cs_err e = { 0 };
	size_t count;

	sample_request(p, prod, &r);
	count = votes_of("1a1 2a1", p, &r, votes);
	changes[_i].change(p, &r);
	ck_assert_msg(cs_quorum_count(p, &r, votes, count, &st, &e) == CS_OK, "%s", e.msg);
	ck_assert_msg(st.met == changes[_i].met && st.missing == changes[_i].missing,
		      "%s: met %d, missing %lld", changes[_i].name, st.met, (long long)st.missing);
	cs_policy_unref(p);
}
END_TEST

START_TEST(too_many_groups_and_votes_are_refused)
{
	static struct cs_vote votes[CS_DECISIONS_MAX + 1];
	struct cs_policy *p = sample_policy();
	struct cs_quorum_status st;
	static struct cs_request r;
	struct cs_err e = { 0 };

	sample_request(p, both, &r);
	ck_assert_int_eq(cs_quorum_count(p, &r, votes, CS_DECISIONS_MAX + 1, &st, &e),
			 CS_E_INVALID);
	ck_assert_int_eq(cs_quorum_count(p, &r, votes, CS_DECISIONS_MAX, &st, &e), CS_OK);
	for (size_t k = 1; k <= 2; k++) {
		p->keys[k].quorum.count = CS_QUORUM_LINES_MAX;
		for (size_t i = 0; i < CS_QUORUM_LINES_MAX; i++) {
			(void)snprintf(p->keys[k].quorum.lines[i].group, CS_NAME_MAX + 1, "%zu-%zu",
				       k, i);
			p->keys[k].quorum.lines[i].count = 1;
		}
	}
	ck_assert_int_eq(cs_quorum_count(p, &r, votes, 0, &st, &e), CS_E_CONFLICT);
	ck_assert_ptr_nonnull(strstr(e.msg, "separate requests"));
	cs_policy_unref(p);
}
END_TEST

/* ---- documents ---- */

/* keys[1] is fw-prod. */
static void good(struct cs_policy *p, struct cs_request *r)
{
	(void)p;
	(void)r;
}

static void other_instance(struct cs_policy *p, struct cs_request *r)
{
	(void)p;
	(void)snprintf(r->instance, sizeof(r->instance), "acme2");
}

static void newer_policy(struct cs_policy *p, struct cs_request *r)
{
	r->policy_version = p->version + 1;
}

static void older_policy(struct cs_policy *p, struct cs_request *r)
{
	r->policy_version = p->version - 1;
}

static void made_later(struct cs_policy *p, struct cs_request *r)
{
	(void)p;
	r->created = SAMPLE_TIME + 61 * CS_SECOND;
}

static void ran_out(struct cs_policy *p, struct cs_request *r)
{
	(void)p;
	r->created -= 1;
	r->expires = SAMPLE_TIME + 60 * CS_SECOND;
}

static void key_gone(struct cs_policy *p, struct cs_request *r)
{
	(void)p;
	(void)snprintf(r->artifacts[0].key, sizeof(r->artifacts[0].key), "fw-old");
}

static void key_replaced(struct cs_policy *p, struct cs_request *r)
{
	(void)p;
	r->artifacts[0].key_spki.b[0] ^= 1;
}

static void key_of_other_algorithm(struct cs_policy *p, struct cs_request *r)
{
	(void)p;
	r->artifacts[0].key_alg = CS_ALG_P256;
}

static void key_of_other_environment(struct cs_policy *p, struct cs_request *r)
{
	(void)p;
	r->environment = CS_ENV_DEV;
}

static void key_of_other_format(struct cs_policy *p, struct cs_request *r)
{
	(void)p;
	r->artifacts[0].format = CS_FORMAT_RSA_PSS;
}

static void key_of_other_hash(struct cs_policy *p, struct cs_request *r)
{
	(void)p;
	r->artifacts[0].key_hash = CS_HASH_SHA512;
}

static void digest_of_other_hash(struct cs_policy *p, struct cs_request *r)
{
	(void)p;
	r->artifacts[0].digest.hash = CS_HASH_SHA256;
}

static void key_disabled(struct cs_policy *p, struct cs_request *r)
{
	(void)r;
	p->keys[1].disabled = true;
}

static void key_too_young(struct cs_policy *p, struct cs_request *r)
{
	(void)r;
	p->keys[1].not_before = SAMPLE_TIME + 61 * CS_SECOND;
}

static void key_begins_now(struct cs_policy *p, struct cs_request *r)
{
	(void)r;
	p->keys[1].not_before = SAMPLE_TIME + 60 * CS_SECOND;
}

static void key_too_old(struct cs_policy *p, struct cs_request *r)
{
	(void)r;
	p->keys[1].not_after = SAMPLE_TIME + 59 * CS_SECOND;
}

static void waits_too_long(struct cs_policy *p, struct cs_request *r)
{
	(void)p;
	r->expires += 1;
}

static const struct {
	void (*change)(struct cs_policy *p, struct cs_request *r);
	enum cs_rc rc;
	const char *rule;
} documents[] = {
	{ good, CS_OK, "" },
	{ older_policy, CS_OK, "" },
	{ key_begins_now, CS_OK, "" },
	{ other_instance, CS_E_DENIED, "instance" },
	{ newer_policy, CS_E_DENIED, "policy-version" },
	{ made_later, CS_E_DENIED, "created-in-future" },
	{ ran_out, CS_E_EXPIRED, "expired" },
	{ key_gone, CS_E_CONFLICT, "key-unknown" },
	{ key_replaced, CS_E_CONFLICT, "key-replaced" },
	{ key_of_other_algorithm, CS_E_CONFLICT, "key-replaced" },
	{ key_of_other_environment, CS_E_CONFLICT, "key-environment" },
	{ key_of_other_format, CS_E_CONFLICT, "key-format" },
	{ key_of_other_hash, CS_E_CONFLICT, "key-hash" },
	{ digest_of_other_hash, CS_E_CONFLICT, "key-hash" },
	{ key_disabled, CS_E_DENIED, "key-disabled" },
	{ key_too_young, CS_E_DENIED, "key-not-yet-valid" },
	{ key_too_old, CS_E_DENIED, "key-expired" },
	{ waits_too_long, CS_E_DENIED, "max-wait" },
};

/* The rule stops the document wherever among its artifacts the key stands, and stops counting too.
 */
START_TEST(documents_are_checked)
{
	static const char *const lists[][3] = { { "fw-prod", NULL },
						{ "fw-prod", "fw-rsa", NULL } };
	struct cs_quorum_status st;

	for (size_t i = 0; i < CS_COUNT(lists); i++) {
		struct cs_policy *p = sample_policy();
		static struct cs_request r;
		struct cs_err e = { 0 };
		const char *rule = "";
		enum cs_rc rc;

		sample_request(p, lists[i], &r);
		documents[_i].change(p, &r);
		rc = cs_quorum_check_document(p, &r, SAMPLE_TIME + 60 * CS_SECOND, &rule, &e);
		ck_assert_msg(rc == documents[_i].rc, "%s: %s", documents[_i].rule,
			      rc ? e.msg : "accepted");
		ck_assert_str_eq(rule, documents[_i].rule);
		rc = cs_quorum_count(p, &r, NULL, 0, &st, &e);
		ck_assert_int_eq(rc, documents[_i].rc == CS_E_CONFLICT ? CS_E_CONFLICT : CS_OK);
		cs_policy_unref(p);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("quorum");
	TCase *tc = tcase_create("quorum");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, tc);
	tcase_add_test(tc, votes_of_every_kind_of_key_verify);
	tcase_add_loop_test(tc, attacks_are_no_votes, 0, (int)CS_COUNT(attacks));
	tcase_add_test(tc, no_changed_byte_passes);
	tcase_add_test(tc, envelope_over_the_limit_is_refused);
	tcase_add_loop_test(tc, votes_count, 0, (int)CS_COUNT(counts));
	tcase_add_test(tc, status_tells_who_is_missing);
	tcase_add_loop_test(tc, document_and_policy_both_ask, 0, (int)CS_COUNT(changes));
	tcase_add_test(tc, too_many_groups_and_votes_are_refused);
	tcase_add_loop_test(tc, documents_are_checked, 0, (int)CS_COUNT(documents));
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
