/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads the detail object of each kind of event by one closed table.
 * Must not judge: whether an event may stand where it stands is the verifier's question.
 * See detail.h for the contract; docs/PROTOCOL.log prints the same table.
 */
#include "audit/detail.h"

#include <stddef.h>
#include <string.h>

#include "base/enc.h"
#include "base/json.h"
#include "base/yaml.h"

#define MEMBERS_MAX 8 /* of one kind */

enum member_type {
	M_NAME,       /* const char * */
	M_TEXT,       /* const char *, free text */
	M_INT,        /* int64_t */
	M_BOOL,       /* bool */
	M_HASH,       /* struct cs_sha256, from hex */
	M_STATE,      /* enum cs_state, from its name */
	M_BYTES,      /* struct cs_buf, from base64 */
	M_SIGNATURES, /* signatures and signature_count, from a list of base64 */
	M__COUNT
};

struct member {
	enum cs_event_kind kind;
	const char *name;
	enum member_type type;
	int64_t min, max; /* value, or bytes before base64 */
	size_t offset;
};

#define AT(member) offsetof(struct cs_detail, member)
#define NAME(kind, name, field)                               \
	{                                                     \
		kind, name, M_NAME, 1, CS_NAME_MAX, AT(field) \
	}
#define TEXT(kind, name, max, field)                  \
	{                                             \
		kind, name, M_TEXT, 0, max, AT(field) \
	}
#define INT(kind, name, min, max, field)               \
	{                                              \
		kind, name, M_INT, min, max, AT(field) \
	}
#define BOOL(kind, name, field)                     \
	{                                           \
		kind, name, M_BOOL, 0, 1, AT(field) \
	}
#define HASH(kind, name, field)                     \
	{                                           \
		kind, name, M_HASH, 0, 0, AT(field) \
	}
#define STATE(kind)                                               \
	{                                                         \
		kind, "state", M_STATE, 1, CS_NAME_MAX, AT(state) \
	}
#define BYTES(kind, name, max, field)                  \
	{                                              \
		kind, name, M_BYTES, 0, max, AT(field) \
	}
#define ATTEMPT(kind)                                             \
	INT(kind, "artifact", 0, CS_ARTIFACTS_MAX - 1, artifact), \
		INT(kind, "attempt", 1, CS_JCS_INT_MAX, attempt)
#define NOT_DONE(kind)                                         \
	ATTEMPT(kind), TEXT(kind, "code", CS_NAME_MAX, code),  \
		TEXT(kind, "message", CS_REASON_MAX, message), \
		BOOL(kind, "reached_hsm", reached_hsm)

/* Kinds without a row have an empty detail. */
static const struct member members[] = {
	NAME(CS_EV_LOG_CREATED, "instance", instance),
	INT(CS_EV_START, "pid", 1, CS_JCS_INT_MAX, pid),
	TEXT(CS_EV_START, "version", CS_NAME_MAX, program),
	INT(CS_EV_UNCLEAN, "last_seq", 1, CS_JCS_INT_MAX, last_seq),
	HASH(CS_EV_POLICY, "digest", digest),
	BYTES(CS_EV_POLICY, "resolved", CS_POLICY_JSON_MAX, resolved),
	INT(CS_EV_POLICY, "version", 1, CS_JCS_INT_MAX, version),
	BYTES(CS_EV_POLICY, "yaml", CS_YAML_MAX, yaml),
	HASH(CS_EV_ACCESS, "digest", digest),
	INT(CS_EV_ACCESS, "principals", 0, CS_PRINCIPALS_MAX, principals),
	INT(CS_EV_AUTH_REFUSED, "count", 1, CS_JCS_INT_MAX, count),
	TEXT(CS_EV_AUTH_REFUSED, "reason", CS_REASON_MAX, reason),
	TEXT(CS_EV_AUTH_REFUSED, "source", CS_REASON_MAX, source),
	INT(CS_EV_ACCESS_REFUSED, "count", 1, CS_JCS_INT_MAX, count),
	TEXT(CS_EV_ACCESS_REFUSED, "method", CS_NAME_MAX, method),
	TEXT(CS_EV_ACCESS_REFUSED, "path", CS_EVENT_PATH_MAX, path),
	TEXT(CS_EV_ACCESS_REFUSED, "role", CS_NAME_MAX, role),
	HASH(CS_EV_REQUEST_DENIED, "fingerprint", fingerprint),
	TEXT(CS_EV_REQUEST_DENIED, "reason", CS_REASON_MAX, reason),
	TEXT(CS_EV_REQUEST_DENIED, "rule", CS_NAME_MAX, rule),
	BYTES(CS_EV_REQUEST_CREATED, "document", CS_DOCUMENT_MAX, document),
	STATE(CS_EV_REQUEST_CREATED),
	BYTES(CS_EV_REQUEST_DECISION, "envelope", CS_ENVELOPE_MAX, envelope),
	NAME(CS_EV_REQUEST_DECISION, "person", person),
	STATE(CS_EV_REQUEST_DECISION),
	TEXT(CS_EV_REQUEST_REJUDGED, "reason", CS_REASON_MAX, reason),
	STATE(CS_EV_REQUEST_REJUDGED),
	TEXT(CS_EV_REQUEST_CANCELLED, "reason", CS_REASON_MAX, reason),
	{ CS_EV_REQUEST_SIGNED, "signatures", M_SIGNATURES, 1, CS_ARTIFACTS_MAX, AT(signatures) },
	TEXT(CS_EV_REQUEST_FAILED, "reason", CS_REASON_MAX, reason),
	ATTEMPT(CS_EV_SIGN_INTENT),
	HASH(CS_EV_SIGN_INTENT, "spki_sha256", spki),
	HASH(CS_EV_SIGN_INTENT, "tbs_sha256", tbs),
	NAME(CS_EV_SIGN_INTENT, "token", token),
	ATTEMPT(CS_EV_SIGN_DONE),
	HASH(CS_EV_SIGN_DONE, "raw_sha256", raw),
	HASH(CS_EV_SIGN_DONE, "signature_sha256", signature),
	NOT_DONE(CS_EV_SIGN_FAILED),
	NOT_DONE(CS_EV_SIGN_UNKNOWN),
	INT(CS_EV_EXPORT, "from", 1, CS_JCS_INT_MAX, from),
	INT(CS_EV_EXPORT, "to", 1, CS_JCS_INT_MAX, to),
	HASH(CS_EV_RESTORED, "head", found.head),
	HASH(CS_EV_RESTORED, "id", found.id),
	HASH(CS_EV_RESTORED, "kept_head", kept.head),
	HASH(CS_EV_RESTORED, "kept_id", kept.id),
	INT(CS_EV_RESTORED, "kept_size", 1, CS_JCS_INT_MAX, kept.size),
	INT(CS_EV_RESTORED, "size", 0, CS_JCS_INT_MAX, found.size),
	TEXT(CS_EV_SIGNER_LOST, "message", CS_REASON_MAX, message),
	NAME(CS_EV_SIGNER_LOST, "token", token),
	TEXT(CS_EV_SIGNER_BACK, "message", CS_REASON_MAX, message),
	NAME(CS_EV_SIGNER_BACK, "token", token),
	INT(CS_EV_SELFTEST, "failed", 0, CS_KEYS_MAX, failed),
	INT(CS_EV_SELFTEST, "keys", 0, CS_KEYS_MAX, keys),
	BOOL(CS_EV_SELFTEST, "ok", ok),
	NAME(CS_EV_SELFTEST, "token", token),
	INT(CS_EV_CLOCK_JUMP, "jump_us", -CS_JCS_INT_MAX, CS_JCS_INT_MAX, jump_us),
	INT(CS_EV_DISK_LOW, "free_bytes", 0, CS_JCS_INT_MAX, free_bytes),
	INT(CS_EV_DISK_LOW, "watermark_bytes", 0, CS_JCS_INT_MAX, watermark_bytes),
	INT(CS_EV_DISK_BACK, "free_bytes", 0, CS_JCS_INT_MAX, free_bytes),
	INT(CS_EV_DISK_BACK, "watermark_bytes", 0, CS_JCS_INT_MAX, watermark_bytes),
	TEXT(CS_EV_LOG_DAMAGED, "message", CS_REASON_MAX, message),
	INT(CS_EV_LOG_DAMAGED, "seq", 1, CS_JCS_INT_MAX, seq),
};

/* A member whose text is on its way from JSON to its type. */
struct pending {
	const struct member *member;
	const char *text;
	const struct cs_json *list;
};

static enum cs_rc decode(const char *text, int64_t max, struct cs_buf *out, const char *name,
			 struct cs_err *e)
{
	cs_buf_init(out, (size_t)max);
	return cs_base64_decode(text, strlen(text), out, name, e);
}

static enum cs_rc decode_signatures(const struct cs_json *list, struct cs_detail *d,
				    struct cs_err *e)
{
	for (size_t i = 0; i < cs_json_size(list); i++) {
		const char *text = cs_json_string(cs_json_at(list, i));
		enum cs_rc rc;

		if (!text)
			return CS_FAIL(e, CS_E_INVALID, "signatures[%zu]: must be a string", i);
		d->signature_count = i + 1;
		rc = decode(text, CS_SIG_MAX, &d->signatures[i], "signatures", e);
		if (rc != CS_OK)
			return rc;
	}
	return CS_OK;
}

/* From the JSON value to the member's own type, where JSON has none for it. */
static enum cs_rc convert(const struct pending *p, struct cs_detail *d, struct cs_err *e)
{
	const struct member *m = p->member;
	void *out = (char *)d + m->offset;

	switch (m->type) {
	case M_HASH:
		if (!cs_sha256_from_hex(p->text, out))
			return CS_FAIL(e, CS_E_INVALID, "%s: not 64 hexadecimal digits", m->name);
		return CS_OK;
	case M_STATE:
		d->state = cs_state_from_name(p->text);
		if (d->state == CS_ST_NONE)
			return CS_FAIL(e, CS_E_INVALID, "%s: \"%s\" is no state", m->name, p->text);
		return CS_OK;
	case M_BYTES: return decode(p->text, m->max, out, m->name, e);
	case M_SIGNATURES: return decode_signatures(p->list, d, e);
	case M_NAME:
	case M_TEXT: *(const char **)out = p->text; return CS_OK;
	case M_INT:
	case M_BOOL:
	case M__COUNT: break; /* cs_json_read stored them */
	}
	return CS_OK;
}

static struct cs_json_field field_of(const struct member *m, struct pending *p, struct cs_detail *d)
{
	static const struct {
		enum cs_json_kind kind;
		enum cs_json_text text;
	} types[M__COUNT] = {
		[M_NAME] = { CS_JSON_STR, CS_TEXT_NAME },
		[M_TEXT] = { CS_JSON_STR, CS_TEXT_FREE },
		[M_INT] = { CS_JSON_INT, CS_TEXT_ANY },
		[M_BOOL] = { CS_JSON_BOOL, CS_TEXT_ANY },
		[M_HASH] = { CS_JSON_STR, CS_TEXT_HEX },
		[M_STATE] = { CS_JSON_STR, CS_TEXT_NAME },
		[M_BYTES] = { CS_JSON_STR, CS_TEXT_ANY },
		[M_SIGNATURES] = { CS_JSON_ARRAY, CS_TEXT_ANY },
	};
	struct cs_json_field f = {
		.name = m->name,
		.kind = types[m->type].kind,
		.text = types[m->type].text,
		.min = m->min,
		.max = m->max,
	};

	p->member = m;
	if (m->type == M_INT || m->type == M_BOOL)
		f.out = (char *)d + m->offset;
	else if (m->type == M_SIGNATURES)
		f.out = &p->list;
	else
		f.out = &p->text;
	if (m->type == M_HASH)
		f.min = f.max = 2 * CS_SHA256_LEN;
	if (m->type == M_BYTES)
		f.max = (int64_t)CS_BASE64_LEN((size_t)m->max);
	return f;
}

enum cs_rc cs_detail_read(enum cs_event_kind kind, const struct cs_json *json,
			  struct cs_detail *out, struct cs_err *e)
{
	struct cs_json_field fields[MEMBERS_MAX];
	struct pending pending[MEMBERS_MAX] = { { 0 } };
	struct cs_detail d = { 0 };
	size_t count = 0;
	enum cs_rc rc;

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		if (members[i].kind == kind) {
			fields[count] = field_of(&members[i], &pending[count], &d);
			count++;
		}
	}
	rc = cs_json_read(json, "detail", fields, count, e);
	for (size_t i = 0; i < count && rc == CS_OK; i++)
		rc = convert(&pending[i], &d, e);
	if (rc != CS_OK) {
		cs_detail_free(&d);
		return rc;
	}
	*out = d; /* transferred */
	return CS_OK;
}

void cs_detail_free(struct cs_detail *d)
{
	cs_buf_done(&d->resolved);
	cs_buf_done(&d->yaml);
	cs_buf_done(&d->document);
	cs_buf_done(&d->envelope);
	for (size_t i = 0; i < d->signature_count; i++)
		cs_buf_done(&d->signatures[i]);
}
