/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fills a new database with a valid log of so many events: requests for the keys of a policy in
 * turn, approved where they must be, signed, by the store's own code. Test only: how a database of
 * a million events comes to be without a million requests.
 *
 * fill_log DATABASE SIGNING.YAML EVENTS
 *
 * The private key of a signing key is tests/keys/ALGORITHM.pem, those of approvers
 * tests/keys/PERSON.pem. A failure ends the program.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "audit/detail.h"
#include "base/file.h"
#include "base/text.h"
#include "format/format.h"
#include "policy/load.h"
#include "store/store.h"
#include "unit/softkey.h"

#define BEGIN (INT64_C(1769860800) * CS_SECOND) /* 2026-01-31T12:00:00Z: the first event's time */
#define STEP CS_SECOND                          /* and the time between two */
#define PER_COMMIT 50000
#define LONGEST 16 /* events of one request at most, and of the end */

struct fill {
	struct cs_store *store;
	struct cs_policy *policy;
	struct cs_buf yaml, detail;
	int64_t size; /* events so far */
	int64_t time;
	struct softkey *keys, *approvers; /* as the policy has them */
	int64_t requests;
};

static struct cs_err e;

static void must(enum cs_rc rc)
{
	if (rc == CS_OK)
		return;
	fprintf(stderr, "fill_log: %s\n", e.msg);
	exit(1);
}

static void text(char *out, size_t size, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(out, size, fmt, ap) >= (int)size)
		abort();
	va_end(ap);
}

/** Append an event with the detail that f->detail holds. */
static void add(struct fill *f, enum cs_event_kind kind, const char *actor, const char *request)
{
	struct cs_event ev = { .time = f->time, .kind = kind };

	text(ev.actor, sizeof(ev.actor), "%s", actor);
	text(ev.request, sizeof(ev.request), "%s", request);
	must(cs_buf_ok(&f->detail, "detail", &e));
	ev.detail = cs_buf_bytes(&f->detail);
	must(cs_store_append(f->store, &ev, NULL, &e));
	f->size = ev.seq;
	cs_buf_reset(&f->detail);
	f->time += STEP;
}

static void begin(struct fill *f)
{
	const struct cs_sha256 access = cs_sha256(cs_bytes_of("access"));

	must(cs_store_begin(f->store, &e));
	cs_detail_log_created(&f->detail, f->policy->instance);
	add(f, CS_EV_LOG_CREATED, "daemon", "");
	cs_detail_started(&f->detail, PACKAGE_VERSION, getpid());
	add(f, CS_EV_START, "daemon", "");
	cs_detail_policy(&f->detail, &f->policy->digest, cs_buf_bytes(&f->policy->json),
			 f->policy->version, cs_buf_bytes(&f->yaml));
	add(f, CS_EV_POLICY, "daemon", "");
	must(cs_store_mark_set(f->store, CS_MARK_POLICY_SEQ, f->size, &e));
	cs_detail_access(&f->detail, &access, 4);
	add(f, CS_EV_ACCESS, "daemon", "");
}

/** A document for one artifact of this key. Nothing in it is random, so two runs are alike. */
static void make_document(const struct fill *f, const struct cs_key *k, struct cs_request *r)
{
	struct cs_artifact *a = &r->artifacts[0];
	char seed[32];

	memset(r, 0, sizeof(*r));
	text(r->id, sizeof(r->id), "019aa5e7-3c1f-7a3e-9d55-%012llx", (long long)f->requests);
	text(r->instance, sizeof(r->instance), "%s", f->policy->instance);
	r->environment = k->environment;
	text(r->principal, sizeof(r->principal), "ci");
	text(r->persons[0], sizeof(r->persons[0]), "developer1");
	r->person_count = 1;
	r->method = CS_METHOD_MTLS;
	r->created = f->time;
	r->expires = f->time + k->max_wait * CS_SECOND;
	r->quorum = k->quorum;
	r->count = 1;
	text(a->name, sizeof(a->name), "app-%lld", (long long)f->requests);
	text(seed, sizeof(seed), "image %lld", (long long)f->requests);
	a->digest.hash = k->hash;
	cs_hash_bytes(k->hash, cs_bytes_of(seed), a->digest.value);
	a->size = 1048576;
	text(a->key, sizeof(a->key), "%s", k->name);
	a->format = k->format;
	a->key_alg = k->alg;
	a->key_hash = k->hash;
	a->key_spki = *cs_pk_spki_sha256(k->pk);
	text(r->release.product, sizeof(r->release.product), "thermostat");
	text(r->release.version, sizeof(r->release.version), "1.%lld", (long long)f->requests);
	r->release.security_version = -1;
	text(r->build.commit, sizeof(r->build.commit), "%040llx", (long long)f->requests);
	r->policy_version = f->policy->version;
	r->policy_digest = f->policy->digest;
}

static void decide(struct fill *f, const struct cs_request *r, const struct cs_request_row *row,
		   size_t approver, bool last)
{
	const enum cs_state after = last ? CS_ST_APPROVED : CS_ST_PENDING;
	const char *person = f->policy->approvers[approver].person;
	struct cs_decision d = {
		.request_sha256 = row->document_sha256,
		.n = 1,
		.verdict = CS_VERDICT_APPROVE,
		.time = f->time,
	};
	struct cs_decision_row decision = { .n = 1, .verdict = CS_VERDICT_APPROVE, .comment = "" };
	struct cs_buf payload, envelope;

	cs_buf_init(&payload, CS_DECISION_MAX);
	cs_buf_init(&envelope, CS_ENVELOPE_MAX);
	must(cs_store_log(f->store, &d.log, &e));
	cs_decision_write(&d, &payload);
	softkey_envelope(&f->approvers[approver], CS_DECISION_TYPE, cs_buf_bytes(&payload),
			 &envelope);
	cs_detail_decision(&f->detail, cs_buf_bytes(&envelope), person, after);
	add(f, CS_EV_REQUEST_DECISION, person, r->id);
	text(decision.person, sizeof(decision.person), "%s", person);
	decision.spki = *cs_pk_spki_sha256(f->approvers[approver].pk);
	decision.envelope = cs_buf_bytes(&envelope);
	decision.seq = f->size;
	must(cs_store_decision_insert(f->store, row->num, &decision, &e));
	cs_buf_done(&payload);
	cs_buf_done(&envelope);
}

static bool is_asked(const struct cs_key *k, const char *group)
{
	for (size_t i = 0; i < k->quorum.count; i++)
		if (strcmp(k->quorum.lines[i].group, group) == 0)
			return true;
	return false;
}

/** One approval of each group that is asked, which must be enough. */
static void approve(struct fill *f, const struct cs_key *k, const struct cs_request *r,
		    const struct cs_request_row *row)
{
	size_t left = k->quorum.count;

	for (size_t i = 0; left > 0 && i < f->policy->approver_count; i++) {
		const char *group = f->policy->approvers[i].group;
		bool first = is_asked(k, group);

		for (size_t j = 0; j < i; j++)
			first = first && strcmp(f->policy->approvers[j].group, group) != 0;
		if (first)
			decide(f, r, row, i, --left == 0);
	}
}

static void sign(struct fill *f, size_t key, const struct cs_request *r, int64_t num)
{
	struct cs_sha256 raw_hash, hash;
	struct cs_buf raw, signature;
	struct cs_intent intent;
	struct cs_bytes released;
	struct cs_tbs tbs;

	cs_buf_init(&raw, CS_SIG_MAX);
	cs_buf_init(&signature, CS_SIG_MAX);
	must(cs_format_prepare(r, 0, &tbs, &e));
	softkey_sign(&f->keys[key], tbs.scheme, tbs.hash, (struct cs_bytes){ tbs.data, tbs.len },
		     &raw);
	must(cs_format_finish(r, 0, cs_buf_bytes(&raw), &signature, &e));
	released = cs_buf_bytes(&signature);
	raw_hash = cs_sha256(cs_buf_bytes(&raw));
	hash = cs_sha256(released);
	intent = (struct cs_intent){ .artifact = 0,
				     .attempt = 1,
				     .spki = r->artifacts[0].key_spki,
				     .tbs = cs_tbs_sha256(&tbs) };
	intent.token = f->policy->tokens[f->policy->keys[key].token].name;
	cs_detail_intent(&f->detail, &intent);
	add(f, CS_EV_SIGN_INTENT, "daemon", r->id);
	must(cs_store_artifact_move(f->store, num, 0, CS_AS_WAITING, CS_AS_SIGNING, &e));
	cs_detail_done(&f->detail, 0, 1, &raw_hash, &hash);
	add(f, CS_EV_SIGN_DONE, "daemon", r->id);
	must(cs_store_artifact_move(f->store, num, 0, CS_AS_SIGNING, CS_AS_SIGNED, &e));
	must(cs_store_signature_insert(f->store, num, 0, released, &e));
	cs_detail_signed(&f->detail, &released, 1);
	add(f, CS_EV_REQUEST_SIGNED, "daemon", r->id);
	cs_buf_done(&raw);
	cs_buf_done(&signature);
}

static void request(struct fill *f, size_t key)
{
	const struct cs_key *k = &f->policy->keys[key];
	const enum cs_state state = k->quorum.count > 0 ? CS_ST_PENDING : CS_ST_APPROVED;
	struct cs_request_change change = { .from = state, .to = CS_ST_SIGNED, .revision = -1 };
	struct cs_idempotency key_sent;
	struct cs_request_row row;
	struct cs_request r;
	char sent[32];

	f->requests++;
	make_document(f, k, &r);
	text(sent, sizeof(sent), "build %lld", (long long)f->requests);
	cs_request_row_init(&row);
	cs_request_write(&r, &row.document);
	must(cs_buf_ok(&row.document, "document", &e));
	row.document_sha256 = cs_sha256(cs_buf_bytes(&row.document));
	row.equality = row.document_sha256;
	key_sent = (struct cs_idempotency){ .key = sent, .fingerprint = row.document_sha256 };
	memcpy(row.id, r.id, sizeof(row.id));
	memcpy(row.principal, r.principal, sizeof(row.principal));
	row.environment = r.environment;
	row.state = state;
	row.created = r.created;
	row.expires = r.expires;
	row.revision = f->size + 1;
	must(cs_store_request_insert(f->store, &row, &r, &key_sent, &e));
	cs_detail_created(&f->detail, cs_buf_bytes(&row.document), state);
	add(f, CS_EV_REQUEST_CREATED, r.principal, r.id);
	approve(f, k, &r, &row);
	sign(f, key, &r, row.num);
	change.new_revision = f->size;
	must(cs_store_request_change(f->store, row.num, &change, &e));
	cs_request_row_done(&row);
}

static void load(struct fill *f, const char *database, const char *policy)
{
	struct cs_problems p;

	cs_buf_init(&f->yaml, CS_YAML_MAX);
	cs_buf_init(&f->detail, CS_EVENT_MAX);
	must(cs_file_read(policy, &f->yaml, &e));
	cs_problems_init(&p, policy);
	f->policy = cs_policy_load(cs_buf_bytes(&f->yaml), &p);
	must(cs_problems_check(&p, &e));
	cs_problems_done(&p);
	f->keys = calloc(f->policy->key_count, sizeof(*f->keys));
	f->approvers = calloc(f->policy->approver_count, sizeof(*f->approvers));
	if (!f->keys || !f->approvers)
		abort();
	for (size_t i = 0; i < f->policy->key_count; i++)
		f->keys[i] = softkey_load(cs_alg_name(f->policy->keys[i].alg));
	for (size_t i = 0; i < f->policy->approver_count; i++)
		f->approvers[i] = softkey_load(f->policy->approvers[i].person);
	must(cs_store_open(database, CS_STORE_WRITE, &f->store, &e));
}

static void done(struct fill *f)
{
	cs_store_close(f->store);
	for (size_t i = 0; i < f->policy->key_count; i++)
		softkey_done(&f->keys[i]);
	for (size_t i = 0; i < f->policy->approver_count; i++)
		softkey_done(&f->approvers[i]);
	free(f->keys);
	free(f->approvers);
	cs_policy_unref(f->policy);
	cs_buf_done(&f->yaml);
	cs_buf_done(&f->detail);
}

int main(int argc, char **argv)
{
	struct fill f = { .time = BEGIN };
	int64_t events = 0, committed = 0;

	if (argc != 4 || !cs_text_to_int(argv[3], 2 * LONGEST, INT64_C(100000000), &events)) {
		fprintf(stderr, "usage: fill_log DATABASE SIGNING.YAML EVENTS\n");
		return 2;
	}
	load(&f, argv[1], argv[2]);
	begin(&f);
	while (f.size + LONGEST < events) {
		request(&f, (size_t)f.requests % f.policy->key_count);
		if (f.size - committed < PER_COMMIT)
			continue;
		must(cs_store_commit(f.store, &e));
		must(cs_store_begin(f.store, &e));
		committed = f.size;
	}
	while (f.size < events - 1) {
		cs_detail_export(&f.detail, 1, f.size);
		add(&f, CS_EV_EXPORT, "auditor1", "");
	}
	cs_detail_empty(&f.detail);
	add(&f, CS_EV_STOP, "daemon", "");
	must(cs_store_commit(f.store, &e));
	done(&f);
	return 0;
}
