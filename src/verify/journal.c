/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signers' journals: what the tokens did, reconciled with what the log says.
 * Must not ask of a journal what its missing older files may hold.
 * See docs/PROTOCOL.log, "Journals", and docs/PROTOCOL.signer for the lines.
 */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "verify/state.h"

#define LINE_MAX_LEN 4096

enum { SIGN = 1, KEY = 2, END = 4, NOTE = 8 };

/* The events, and the groups of members that their lines have. */
static const struct {
	const char *name;
	unsigned has;
} kinds[] = {
	{ "sign-begin", SIGN | KEY },
	{ "sign-end", SIGN | KEY | END },
	{ "selftest-begin", KEY },
	{ "selftest-end", KEY | END },
	{ "note", NOTE },
};

/* One line, read. */
struct line {
	unsigned has;
	int64_t artifact, attempt, child, seq, time;
	char request[CS_UUID_TEXT];
	char token[CS_NAME_MAX + 1];
	struct cs_sha256 spki, tbs, raw;
	bool ok;  /* an end with CKR_OK */
	bool cut; /* a note that says that the line before was cut */
};

/* The lines of one child of one token. */
struct stream {
	int64_t first_seq, first_time;
	struct line last;
};

/* One use of a key for a request. */
struct use {
	char token[CS_NAME_MAX + 1];
	struct cs_sha256 spki, tbs, raw;
	int64_t time; /* of its begin; of its end when the begin is in an older file */
	bool ok, matched;
};

struct cs_journal {
	struct stream *streams; /* owned */
	size_t stream_count;
	struct cs_map uses; /* request, artifact, attempt → struct use, owned */
	bool unreadable;    /* the line before; excused by a note */
};

void cs_journal_free(struct cs_journal *j)
{
	if (!j)
		return;
	for (size_t i = 0; i < j->uses.cap; i++)
		free(j->uses.slots[i].value);
	cs_map_done(&j->uses);
	free(j->streams);
	free(j);
}

/* --- lines */

/* The members as they stand in the JSON; strings are borrowed from the tree. */
struct members {
	const char *event, *message, *raw, *rc, *request, *spki, *tbs, *time, *token;
	int64_t artifact, attempt, child, seq;
};

static enum cs_rc read_members(const struct cs_json *root, struct members *m, struct cs_err *e)
{
	const struct cs_json_field fields[] = {
		CS_JSON_INT_FIELD("artifact", true, 0, CS_ARTIFACTS_MAX - 1, &m->artifact),
		CS_JSON_INT_FIELD("attempt", true, 1, CS_JCS_INT_MAX, &m->attempt),
		CS_JSON_INT_FIELD("child", false, 0, CS_JCS_INT_MAX, &m->child),
		CS_JSON_STR_FIELD("event", false, CS_TEXT_NAME, 1, CS_NAME_MAX, &m->event),
		CS_JSON_STR_FIELD("message", true, CS_TEXT_FREE, 0, CS_REASON_MAX, &m->message),
		CS_JSON_STR_FIELD("raw_sha256", true, CS_TEXT_HEX, 64, 64, &m->raw),
		CS_JSON_STR_FIELD("rc", true, CS_TEXT_NAME, 1, CS_NAME_MAX, &m->rc),
		CS_JSON_STR_FIELD("request", true, CS_TEXT_ANY, 36, 36, &m->request),
		CS_JSON_INT_FIELD("seq", false, 1, CS_JCS_INT_MAX, &m->seq),
		CS_JSON_STR_FIELD("spki_sha256", true, CS_TEXT_HEX, 64, 64, &m->spki),
		CS_JSON_STR_FIELD("tbs_sha256", true, CS_TEXT_HEX, 64, 64, &m->tbs),
		CS_JSON_STR_FIELD("time", false, CS_TEXT_ANY, CS_TIME_TEXT - 1, CS_TIME_TEXT - 1,
				  &m->time),
		CS_JSON_STR_FIELD("token", false, CS_TEXT_NAME, 1, CS_NAME_MAX, &m->token),
	};

	return cs_json_read(root, "", fields, sizeof(fields) / sizeof(fields[0]), e);
}

/* Exactly the members of its event? */
static bool has_its_members(const struct members *m, unsigned has)
{
	bool ok = m->rc && strcmp(m->rc, "CKR_OK") == 0;
	const struct {
		bool is, should;
	} groups[] = {
		{ m->artifact >= 0, has & SIGN },
		{ m->attempt > 0, has & SIGN },
		{ m->request, has & SIGN },
		{ m->spki, has & KEY },
		{ m->tbs, has & KEY },
		{ m->rc, has & END },
		{ m->raw, has & END && ok },
		{ m->message, has & NOTE },
	};

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		if (groups[i].is != groups[i].should)
			return false;
	}
	return !m->request || cs_text_is_uuid(m->request);
}

static bool interpret(const struct members *m, struct line *out)
{
	struct line l = {
		.artifact = m->artifact, .attempt = m->attempt, .child = m->child, .seq = m->seq
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].name, m->event) == 0)
			l.has = kinds[i].has;
	}
	if (l.has == 0 || !has_its_members(m, l.has) || !cs_time_parse(m->time, &l.time))
		return false;
	if (m->request)
		memcpy(l.request, m->request, strlen(m->request) + 1);
	memcpy(l.token, m->token, strlen(m->token) + 1);
	l.ok = m->raw != NULL;
	l.cut = m->message && strcmp(m->message, "cut line") == 0;
	*out = l;
	return (!m->spki || cs_sha256_from_hex(m->spki, &out->spki)) &&
	       (!m->tbs || cs_sha256_from_hex(m->tbs, &out->tbs)) &&
	       (!m->raw || cs_sha256_from_hex(m->raw, &out->raw));
}

static enum cs_rc read_line(struct cs_bytes bytes, struct line *out, struct cs_err *e)
{
	struct members m = { .artifact = -1 };
	struct cs_json *root = NULL;
	enum cs_rc rc;

	rc = cs_jcs_parse(bytes, LINE_MAX_LEN, "journal line", &root, e);
	if (rc == CS_OK)
		rc = read_members(root, &m, e);
	if (rc == CS_OK && !interpret(&m, out))
		rc = CS_FAIL(e, CS_E_INVALID, "journal line: not the members of \"%s\"", m.event);
	cs_json_free(root);
	return rc;
}

/* --- order within a child's lines */

static enum cs_rc find_stream(struct cs_journal *j, const struct line *l, struct stream **sp,
			      struct cs_err *e)
{
	struct stream *more;

	for (size_t i = 0; i < j->stream_count; i++) {
		if (j->streams[i].last.child == l->child &&
		    strcmp(j->streams[i].last.token, l->token) == 0) {
			*sp = &j->streams[i];
			return CS_OK;
		}
	}
	more = cs_more(j->streams, j->stream_count, sizeof(*more));
	if (!more)
		return CS_FAIL(e, CS_E_NOMEM, "journals");
	j->streams = more;
	*sp = &j->streams[j->stream_count++];
	**sp = (struct stream){ .first_seq = l->seq, .first_time = l->time };
	return CS_OK;
}

static bool ends(const struct line *begin, const struct line *end)
{
	return (begin->has | END) == end->has && begin->artifact == end->artifact &&
	       begin->attempt == end->attempt && strcmp(begin->request, end->request) == 0 &&
	       cs_sha256_equal(&begin->spki, &end->spki) && cs_sha256_equal(&begin->tbs, &end->tbs);
}

static enum cs_rc check_order(struct cs_audit_verifier *v, struct stream *s, const struct line *l,
			      struct cs_err *e)
{
	struct line last = s->last;

	s->last = *l;
	if (last.seq == 0)
		return CS_OK; /* the first of this child */
	if (l->seq != last.seq + 1)
		return cs_broken(v, "journal-seq", e,
				 "token %s, child %lld: line %lld follows line %lld", l->token,
				 (long long)l->child, (long long)l->seq, (long long)last.seq);
	if ((l->has & END) && !ends(&last, l))
		return cs_broken(v, "journal-order", e,
				 "token %s, child %lld: line %lld is no end of the line before",
				 l->token, (long long)l->child, (long long)l->seq);
	return CS_OK;
}

/* --- uses of keys */

static struct use *find_use(const struct cs_journal *j, const char *request, int64_t artifact,
			    int64_t attempt)
{
	struct cs_map_key key = cs_map_key(request, artifact, attempt);
	struct cs_map_slot *slot = cs_map_find(&j->uses, &key);

	return slot ? slot->value : NULL;
}

static enum cs_rc keep_use(struct cs_audit_verifier *v, const struct line *l, struct cs_err *e)
{
	struct cs_map_key key = cs_map_key(l->request, l->artifact, l->attempt);
	struct use *u = find_use(v->journal, l->request, l->artifact, l->attempt);
	enum cs_rc rc;

	if (u && !(l->has & END))
		return cs_broken(v, "journal-intent", e,
				 "token %s, child %lld, line %lld: a second use of the key for "
				 "request %s, artifact %lld, attempt %lld",
				 l->token, (long long)l->child, (long long)l->seq, l->request,
				 (long long)l->artifact, (long long)l->attempt);
	if (!u) {
		u = calloc(1, sizeof(*u));
		if (!u)
			return CS_FAIL(e, CS_E_NOMEM, "journals");
		rc = cs_map_add(&v->journal->uses, &key, u, e);
		if (rc != CS_OK) {
			free(u);
			return rc;
		}
		memcpy(u->token, l->token, sizeof(u->token));
		u->spki = l->spki;
		u->tbs = l->tbs;
		u->time = l->time;
	}
	u->ok = l->ok;
	u->raw = l->raw;
	return CS_OK;
}

static enum cs_rc check_line(struct cs_audit_verifier *v, const struct line *l, struct cs_err *e)
{
	struct stream *s = NULL;
	enum cs_rc rc, kept = CS_OK;

	rc = find_stream(v->journal, l, &s, e);
	if (rc != CS_OK)
		return rc;
	rc = cs_settle(v, 0, check_order(v, s, l, e), e);
	if (rc == CS_OK && (l->has & SIGN))
		kept = keep_use(v, l, e);
	return rc != CS_OK ? rc : kept;
}

/* The line before was not readable and no note has excused it. */
static void settle_unreadable(struct cs_audit_verifier *v)
{
	if (v->journal->unreadable)
		cs_report(v, 0, "journal", "a line of a journal is not one (PROTOCOL.signer)");
	v->journal->unreadable = false;
}

enum cs_rc cs_audit_journal_line(struct cs_audit_verifier *v, struct cs_bytes bytes,
				 struct cs_err *e)
{
	struct line l = { 0 };
	struct cs_err found = { 0 };
	enum cs_rc rc;

	if (!v->journal)
		v->journal = calloc(1, sizeof(*v->journal));
	if (!v->journal)
		return CS_FAIL(e, CS_E_NOMEM, "journals");
	rc = read_line(bytes, &l, &found);
	if (rc == CS_OK && l.cut)
		v->journal->unreadable = false;
	settle_unreadable(v);
	if (rc == CS_OK)
		rc = cs_settle(v, 0, check_line(v, &l, &found), &found);
	else if (rc != CS_E_NOMEM)
		v->journal->unreadable = true;
	if (rc != CS_E_NOMEM)
		return CS_OK;
	if (e)
		*e = found;
	return rc;
}

/* --- the log's side */

/* The time from which all lines of a token are there; INT64_MAX when it has no journal. */
static int64_t complete_from(const struct cs_journal *j, const char *token)
{
	int64_t from = INT64_MIN;
	bool any = false;

	for (size_t i = 0; i < j->stream_count; i++) {
		const struct stream *s = &j->streams[i];

		if (strcmp(s->last.token, token) != 0)
			continue;
		any = true;
		if (s->first_seq != 1 && s->first_time > from)
			from = s->first_time;
	}
	return any ? from : INT64_MAX;
}

enum cs_rc cs_journal_intent(struct cs_audit_verifier *v, const struct cs_audited *a,
			     struct cs_err *e)
{
	struct use *u = v->journal
				? find_use(v->journal, a->ev.request, a->d.artifact, a->d.attempt)
				: NULL;

	if (!u)
		return CS_OK; /* it may never have reached the token */
	u->matched = true;
	if (strcmp(u->token, a->d.token) != 0 || !cs_sha256_equal(&u->spki, &a->d.spki) ||
	    !cs_sha256_equal(&u->tbs, &a->d.tbs))
		return cs_broken(v, "journal-intent", e,
				 "the journal of token %s has another key or other bytes for this "
				 "attempt",
				 u->token);
	return CS_OK;
}

enum cs_rc cs_journal_outcome(struct cs_audit_verifier *v, const struct cs_audited *a,
			      const struct cs_slot *slot, struct cs_err *e)
{
	const struct use *u;

	if (!v->journal || slot->opened_at < complete_from(v->journal, slot->token))
		return CS_OK;
	u = find_use(v->journal, a->ev.request, a->d.artifact, a->d.attempt);
	if (a->ev.kind == CS_EV_SIGN_DONE) {
		if (!u || !u->ok || !cs_sha256_equal(&u->raw, &a->d.raw))
			return cs_broken(v, "journal-outcome", e, "the journal of token %s %s",
					 slot->token,
					 u && u->ok ? "has another signature for this attempt"
						    : "does not have this signature");
	} else if (u && u->ok && !a->d.reached_hsm) {
		return cs_broken(v, "journal-outcome", e,
				 "the log says that the token was not asked, its journal has a "
				 "signature");
	}
	return CS_OK;
}

void cs_journal_finish(struct cs_audit_verifier *v)
{
	if (!v->journal)
		return;
	settle_unreadable(v);
	for (size_t i = 0; i < v->journal->uses.cap; i++) {
		const struct use *u = v->journal->uses.slots[i].value;
		struct cs_err e;
		char time[CS_TIME_TEXT];

		if (!u || u->matched || u->time > v->time)
			continue;
		cs_time_text(u->time, time);
		cs_err_set(&e, CS_E_INVALID,
			   "token %s used a key at %s, and the log has no such intent", u->token,
			   time);
		cs_report(v, 0, "journal-intent", e.msg);
	}
}
