/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the auditor knows from elsewhere: heads of the log, digests of policies.
 * Must not take a head of another log for one of this.
 * See docs/PROTOCOL.log, "Verdicts".
 */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "verify/state.h"

struct cs_known_head {
	struct cs_log_ref ref;
	bool has_id;
};

enum cs_rc cs_audit_know_head(struct cs_audit_verifier *v, const struct cs_log_ref *head,
			      bool has_id, struct cs_err *e)
{
	struct cs_known_head *more;

	if (head->size < 1)
		return CS_FAIL(e, CS_E_INVALID, "known head: a size of %lld; logs begin with 1",
			       (long long)head->size);
	more = cs_more(v->heads, v->head_count, sizeof(*more));
	if (!more)
		return CS_FAIL(e, CS_E_NOMEM, "known heads");
	v->heads = more;
	v->heads[v->head_count++] = (struct cs_known_head){ *head, has_id };
	return CS_OK;
}

static bool parse_head(const char *text, struct cs_log_ref *out)
{
	const char *colon = strchr(text, ':');
	char size[24];

	if (!colon || (size_t)(colon - text) >= sizeof(size))
		return false;
	memcpy(size, text, (size_t)(colon - text));
	size[colon - text] = '\0';
	return cs_text_to_int(size, 1, CS_JCS_INT_MAX, &out->size) &&
	       cs_sha256_from_hex(colon + 1, &out->head);
}

enum cs_rc cs_audit_know_head_text(struct cs_audit_verifier *v, const char *text, struct cs_err *e)
{
	struct cs_log_ref ref = { 0 };

	if (!parse_head(text, &ref))
		return CS_FAIL(e, CS_E_INVALID,
			       "known head \"%s\": write SIZE:HASH, the hash as 64 lower-case "
			       "hexadecimal digits",
			       text);
	return cs_audit_know_head(v, &ref, false, e);
}

enum cs_rc cs_audit_know_head_line(struct cs_audit_verifier *v, const char *line, struct cs_err *e)
{
	const struct cs_bytes bytes = { (const uint8_t *)line, strlen(line) };
	struct cs_log_ref ref;

	if (line[0] == '\0' || line[0] == '#')
		return CS_OK;
	if (cs_head_line_read(bytes, &ref))
		return cs_audit_know_head(v, &ref, true, e);
	return CS_FAIL(e, CS_E_INVALID,
		       "heads file: \"%s\": a line is the log's id, a size and the head, with one "
		       "space between",
		       line);
}

enum cs_rc cs_audit_trust_policy(struct cs_audit_verifier *v, const struct cs_sha256 *digest,
				 struct cs_err *e)
{
	struct cs_sha256 *more = cs_more(v->trusted, v->trusted_count, sizeof(*more));

	if (!more)
		return CS_FAIL(e, CS_E_NOMEM, "trusted policies");
	v->trusted = more;
	v->trusted[v->trusted_count++] = *digest;
	return CS_OK;
}

static void check_head(struct cs_audit_verifier *v, const struct cs_log_ref *known)
{
	struct cs_err e;

	if (known->size > v->lines) {
		cs_err_set(&e, CS_E_INVALID,
			   "the log has %lld events, but a head of size %lld is known: its end is "
			   "missing",
			   (long long)v->lines, (long long)known->size);
		cs_report(v, 0, "head", e.msg);
	} else if (!cs_sha256_equal(&known->head, &v->hashes[known->size - 1])) {
		cs_report(v, known->size, "head", "the known head of this size is another");
	} else if (known->size > v->sum.anchored_size) {
		v->sum.anchored_size = known->size;
	}
}

void cs_check_heads(struct cs_audit_verifier *v)
{
	size_t others = 0;

	for (size_t i = 0; i < v->head_count; i++) {
		const struct cs_known_head *known = &v->heads[i];

		if (known->has_id && !cs_sha256_equal(&known->ref.id, &v->sum.last.id))
			others++;
		else
			check_head(v, &known->ref);
	}
	if (others > 0 && others == v->head_count)
		cs_report(v, 0, "head", "all known heads are of other logs");
}
