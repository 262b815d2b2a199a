/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The register. Most lines of a long log are not about the key: of these only the end is looked at.
 * Must not believe such a glance where it matters: events that are used are parsed as a whole.
 * See register.h for the contract.
 */
#include "verify/register.h"

#include <stdlib.h>
#include <string.h>

#include "audit/detail.h"
#include "base/dsse.h"
#include "base/text.h"
#include "model/policy.h"
#include "verify/map.h"

#define TAIL_MAX 512 /* what follows the detail: fixed words, two hashes, times, a kind */

/** One attempt. */
struct use {
	size_t artifact;
	int64_t attempt, seq, time;
	enum cs_use_outcome outcome;
	struct cs_sha256 signature;
};

struct person {
	char name[CS_NAME_MAX + 1];
	bool agrees;
};

/** A request that names the key and has not ended. */
struct live {
	struct cs_request doc;
	size_t use_count, person_count;
	struct use *uses;       /* owned */
	struct person *persons; /* owned */
};

struct cs_register {
	struct cs_register_query q;
	bool by_spki;
	struct cs_sha256 spki;
	cs_register_fn *fn;
	void *arg;
	struct cs_map requests; /* id → struct live, NULL once ended; those that name the key */
	struct cs_register_summary sum;
};

static const char *const outcome_names[] = {
	[CS_USE_RELEASED] = "released", [CS_USE_WITHHELD] = "withheld",
	[CS_USE_UNKNOWN] = "unknown",   [CS_USE_FAILED] = "failed",
	[CS_USE_OPEN] = "open",
};

const char *cs_use_outcome_name(enum cs_use_outcome o)
{
	return outcome_names[o];
}

enum cs_rc cs_register_new(const struct cs_register_query *q, cs_register_fn *fn, void *arg,
			   struct cs_register **rp, struct cs_err *e)
{
	struct cs_register *r = calloc(1, sizeof(*r));

	if (!r)
		return CS_FAIL(e, CS_E_NOMEM, "the register");
	r->q = *q;
	r->by_spki = cs_sha256_from_hex(q->key, &r->spki);
	r->fn = fn;
	r->arg = arg;
	*rp = r;
	return CS_OK;
}

static void live_free(struct live *l)
{
	if (!l)
		return;
	free(l->uses);
	free(l->persons);
	free(l);
}

void cs_register_free(struct cs_register *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->requests.cap; i++)
		live_free(r->requests.slots[i].value);
	cs_map_done(&r->requests);
	free(r);
}

const struct cs_register_summary *cs_register_so_far(const struct cs_register *r)
{
	return &r->sum;
}

static bool is_asked(const struct cs_register *r, const char *name, const struct cs_sha256 *spki)
{
	return r->by_spki ? cs_sha256_equal(&r->spki, spki) : strcmp(r->q.key, name) == 0;
}

/* --- rows --- */

static enum cs_rc give(struct cs_register *r, const struct live *l, const struct use *u,
		       const char (*approvers)[CS_NAME_MAX + 1], size_t count, struct cs_err *e)
{
	const struct cs_register_row row = {
		.outcome = u->outcome,
		.seq = u->seq,
		.time = u->time,
		.doc = &l->doc,
		.artifact = &l->doc.artifacts[u->artifact],
		.signature = u->signature,
		.approver_count = count,
		.approvers = approvers,
	};

	if (u->time < r->q.from || u->time >= r->q.to)
		return CS_OK;
	r->sum.uses++;
	return r->fn(r->arg, &row, e);
}

/** Every use of a request, once nothing can be added to it. */
static enum cs_rc give_all(struct cs_register *r, const struct live *l, struct cs_err *e)
{
	char(*approvers)[CS_NAME_MAX + 1] = calloc(l->person_count + 1, sizeof(*approvers));
	enum cs_rc rc = CS_OK;
	size_t count = 0;

	if (!approvers)
		return CS_FAIL(e, CS_E_NOMEM, "the register");
	for (size_t i = 0; i < l->person_count; i++)
		if (l->persons[i].agrees)
			memcpy(approvers[count++], l->persons[i].name, CS_NAME_MAX + 1);
	for (size_t i = 0; rc == CS_OK && i < l->use_count; i++)
		rc = give(r, l, &l->uses[i], approvers, count, e);
	free(approvers);
	return rc;
}

/* --- events about a request --- */

static struct cs_map_slot *find(const struct cs_register *r, const char *request)
{
	const struct cs_map_key key = cs_map_key(request, 0, 0);
	struct cs_map_slot *slot = cs_map_find(&r->requests, &key);

	return slot && slot->value ? slot : NULL;
}

static enum cs_rc on_created(struct cs_register *r, const struct cs_event *ev,
			     const struct cs_detail *d, struct cs_err *e)
{
	const struct cs_map_key key = cs_map_key(ev->request, 0, 0);
	struct live *l = NULL;
	bool asked = false;
	enum cs_rc rc;

	l = calloc(1, sizeof(*l));
	if (!l)
		return CS_FAIL(e, CS_E_NOMEM, "the register");
	rc = cs_request_parse(cs_buf_bytes(&d->document), &l->doc, e);
	for (size_t i = 0; rc == CS_OK && i < l->doc.count; i++)
		asked = asked ||
			is_asked(r, l->doc.artifacts[i].key, &l->doc.artifacts[i].key_spki);
	if (rc == CS_OK && asked) {
		rc = cs_map_add(&r->requests, &key, l, e);
		if (rc == CS_OK) {
			l = NULL; /* transferred */
			r->sum.waiting++;
		}
	}
	live_free(l);
	return rc;
}

static enum cs_rc verdict_of(const struct cs_detail *d, enum cs_verdict_kind *out, struct cs_err *e)
{
	struct cs_dsse envelope = { 0 };
	struct cs_decision decision;
	enum cs_rc rc = cs_dsse_parse(cs_buf_bytes(&d->envelope), &envelope, e);

	if (rc == CS_OK)
		rc = cs_decision_parse(cs_buf_bytes(&envelope.payload), &decision, e);
	if (rc == CS_OK)
		*out = decision.verdict;
	cs_dsse_done(&envelope);
	return rc;
}

static enum cs_rc on_decision(struct live *l, const struct cs_detail *d, struct cs_err *e)
{
	enum cs_verdict_kind verdict = CS_VERDICT_NONE;
	struct person *p = NULL;
	enum cs_rc rc = verdict_of(d, &verdict, e);

	if (rc != CS_OK)
		return rc;
	for (size_t i = 0; i < l->person_count && !p; i++)
		if (strcmp(l->persons[i].name, d->person) == 0)
			p = &l->persons[i];
	if (!p) {
		p = reallocarray(l->persons, l->person_count + 1, sizeof(*p));
		if (!p)
			return CS_FAIL(e, CS_E_NOMEM, "the register");
		l->persons = p;
		p = &l->persons[l->person_count++];
		memcpy(p->name, d->person, strlen(d->person) + 1);
	}
	p->agrees = verdict == CS_VERDICT_APPROVE;
	return CS_OK;
}

static enum cs_rc on_intent(struct cs_register *r, struct live *l, const struct cs_event *ev,
			    const struct cs_detail *d, struct cs_err *e)
{
	struct use *u;

	if (d->artifact >= (int64_t)l->doc.count)
		return CS_FAIL(e, CS_E_INVALID, "an intent for an artifact that is not there");
	if (!is_asked(r, l->doc.artifacts[d->artifact].key, &d->spki))
		return CS_OK;
	u = reallocarray(l->uses, l->use_count + 1, sizeof(*u));
	if (!u)
		return CS_FAIL(e, CS_E_NOMEM, "the register");
	l->uses = u;
	l->uses[l->use_count++] = (struct use){
		.artifact = (size_t)d->artifact,
		.attempt = d->attempt,
		.seq = ev->seq,
		.time = ev->time,
		.outcome = CS_USE_OPEN,
	};
	return CS_OK;
}

/** The outcome of an attempt; what never reached the token was no use. */
static void on_outcome(struct live *l, const struct cs_event *ev, const struct cs_detail *d)
{
	for (size_t i = 0; i < l->use_count; i++) {
		struct use *u = &l->uses[i];

		if (u->artifact != (size_t)d->artifact || u->attempt != d->attempt)
			continue;
		if (ev->kind == CS_EV_SIGN_FAILED && !d->reached_hsm) {
			*u = l->uses[--l->use_count];
			return;
		}
		u->seq = ev->seq;
		u->time = ev->time;
		u->signature = d->signature;
		u->outcome = ev->kind == CS_EV_SIGN_DONE      ? CS_USE_WITHHELD
			     : ev->kind == CS_EV_SIGN_UNKNOWN ? CS_USE_UNKNOWN
							      : CS_USE_FAILED;
		return;
	}
}

static enum cs_rc on_end(struct cs_register *r, struct cs_map_slot *slot, bool is_signed,
			 struct cs_err *e)
{
	struct live *l = slot->value;
	enum cs_rc rc;

	for (size_t i = 0; is_signed && i < l->use_count; i++)
		if (l->uses[i].outcome == CS_USE_WITHHELD)
			l->uses[i].outcome = CS_USE_RELEASED;
	rc = give_all(r, l, e);
	live_free(l);
	slot->value = NULL;
	r->sum.waiting--;
	return rc;
}

static enum cs_rc on_policy(struct cs_register *r, const struct cs_event *ev,
			    const struct cs_detail *d, struct cs_err *e)
{
	struct cs_policy *p = NULL;
	enum cs_rc rc = cs_policy_parse(cs_buf_bytes(&d->resolved), &p, e);

	if (rc != CS_OK)
		return rc;
	for (size_t i = 0; i < p->key_count; i++)
		if (is_asked(r, p->keys[i].name, cs_pk_spki_sha256(p->keys[i].pk)))
			r->sum.known = true;
	r->sum.policy_seq = ev->seq;
	r->sum.policy = d->digest;
	cs_policy_unref(p);
	return CS_OK;
}

static enum cs_rc on_event(struct cs_register *r, const struct cs_event *ev,
			   const struct cs_detail *d, struct cs_err *e)
{
	struct cs_map_slot *slot = ev->request[0] ? find(r, ev->request) : NULL;

	if (ev->kind == CS_EV_POLICY)
		return on_policy(r, ev, d, e);
	if (ev->kind == CS_EV_REQUEST_CREATED)
		return on_created(r, ev, d, e);
	if (!slot)
		return CS_OK;
	if (ev->kind == CS_EV_REQUEST_DECISION) {
		enum cs_rc rc = on_decision(slot->value, d, e);

		return rc == CS_OK && d->state == CS_ST_REJECTED ? on_end(r, slot, false, e) : rc;
	}
	if (ev->kind == CS_EV_SIGN_INTENT)
		return on_intent(r, slot->value, ev, d, e);
	if (ev->kind == CS_EV_SIGN_DONE || ev->kind == CS_EV_SIGN_FAILED ||
	    ev->kind == CS_EV_SIGN_UNKNOWN)
		on_outcome(slot->value, ev, d);
	else if (ev->kind != CS_EV_REQUEST_REJUDGED)
		return on_end(r, slot, ev->kind == CS_EV_REQUEST_SIGNED, e);
	return CS_OK;
}

/* --- lines --- */

/** What stands behind an event's detail. */
struct tail {
	char kind[CS_NAME_MAX + 1];
	char prev[CS_SHA256_HEX];
	char request[CS_UUID_TEXT];
	char seq[24];
};

/** Copy up to a quote or, for a number, a comma, and pass over what must come then. */
static bool take(const char **p, const char *end, const char *word, char *out, size_t size,
		 char stop)
{
	const size_t len = strlen(word);
	const char *close;

	if ((size_t)(end - *p) < len || memcmp(*p, word, len) != 0)
		return false;
	*p += len;
	close = memchr(*p, stop, (size_t)(end - *p));
	if (!close || (size_t)(close - *p) >= size)
		return false;
	memcpy(out, *p, (size_t)(close - *p));
	out[close - *p] = '\0';
	*p = close;
	return true;
}

/**
 * The end of a canonical event, whose members are in order: it must match to the last byte, so
 * nothing inside the detail can look like it. False when it does not; then the event is parsed.
 */
static bool read_tail(struct cs_bytes line, struct tail *t)
{
	static const char last[] = "\",\"type\":\"" CS_EVENT_TYPE "\",\"v\":1}";
	const char *all = (const char *)line.data, *end = all + line.len, *p = NULL;
	char time[CS_TIME_TEXT];

	if (line.len < sizeof(last))
		return false;
	for (const char *at = end - sizeof(last); at > all && at > end - TAIL_MAX && !p; at--)
		if (end - at > 10 && memcmp(at, "},\"kind\":\"", 10) == 0)
			p = at;
	return p && take(&p, end, "},\"kind\":\"", t->kind, sizeof(t->kind), '"') &&
	       take(&p, end, "\",\"prev\":\"", t->prev, sizeof(t->prev), '"') &&
	       take(&p, end, "\",\"request\":\"", t->request, sizeof(t->request), '"') &&
	       take(&p, end, "\",\"seq\":", t->seq, sizeof(t->seq), ',') &&
	       take(&p, end, ",\"time\":\"", time, sizeof(time), '"') &&
	       (size_t)(end - p) == sizeof(last) - 1 && memcmp(p, last, sizeof(last) - 1) == 0;
}

/** Need the event be parsed? */
static bool matters(const struct cs_register *r, const struct tail *t)
{
	const enum cs_event_kind kind = cs_event_kind_from_name(t->kind);

	return kind == CS_EV_NONE || kind == CS_EV_POLICY || kind == CS_EV_REQUEST_CREATED ||
	       (t->request[0] && find(r, t->request));
}

static enum cs_rc check_link(const struct cs_register *r, int64_t seq, const struct cs_sha256 *prev,
			     struct cs_err *e)
{
	if (seq != r->sum.log.size + 1 || !cs_sha256_equal(prev, &r->sum.log.head))
		return CS_FAIL(e, CS_E_CORRUPT,
			       "event %lld does not follow event %lld; `audit verify` says more",
			       (long long)seq, (long long)r->sum.log.size);
	return CS_OK;
}

static enum cs_rc parse(struct cs_register *r, struct cs_bytes line, struct cs_err *e)
{
	struct cs_detail d = { 0 };
	struct cs_json *root = NULL;
	struct cs_event ev;
	enum cs_rc rc = cs_event_parse(line, &ev, &root, e);

	if (rc == CS_OK)
		rc = check_link(r, ev.seq, &ev.prev, e);
	if (rc == CS_OK)
		rc = cs_detail_read(ev.kind, cs_json_get(root, "detail"), &d, e);
	if (rc == CS_OK) {
		rc = on_event(r, &ev, &d, e);
		cs_detail_free(&d);
	}
	cs_json_free(root);
	return rc;
}

enum cs_rc cs_register_line(struct cs_register *r, struct cs_bytes line, struct cs_err *e)
{
	const struct cs_sha256 hash = cs_event_hash(line);
	struct cs_sha256 prev;
	struct tail t;
	int64_t seq = 0;
	enum cs_rc rc;

	if (!read_tail(line, &t) || matters(r, &t) || !cs_sha256_from_hex(t.prev, &prev) ||
	    !cs_text_to_int(t.seq, 1, CS_JCS_INT_MAX, &seq))
		rc = parse(r, line, e);
	else
		rc = check_link(r, seq, &prev, e);
	if (rc != CS_OK)
		return rc;
	if (r->sum.log.size == 0)
		r->sum.log.id = hash;
	r->sum.log.size++;
	r->sum.log.head = hash;
	return CS_OK;
}

enum cs_rc cs_register_finish(struct cs_register *r, struct cs_err *e)
{
	enum cs_rc rc = CS_OK;

	for (size_t i = 0; rc == CS_OK && i < r->requests.cap; i++)
		if (r->requests.slots[i].value)
			rc = give_all(r, r->requests.slots[i].value, e);
	return rc;
}

void cs_register_waiting(const struct cs_register *r, cs_register_waiting_fn *fn, void *arg)
{
	for (size_t i = 0; i < r->requests.cap; i++)
		if (r->requests.slots[i].value)
			fn(arg, &((const struct live *)r->requests.slots[i].value)->doc);
}
