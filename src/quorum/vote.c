/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From an envelope to a vote: is this decision signed by an approver, on this request?
 * The person comes from the key alone. Whether the vote counts is count.c's question.
 * See docs/PROTOCOL.decision, "How a decision counts".
 */
#include <string.h>

#include "quorum/rules.h"

bool cs_quorum_is_requester(const struct cs_request *doc, const char *person)
{
	for (size_t i = 0; i < doc->person_count; i++) {
		if (strcmp(doc->persons[i], person) == 0)
			return true;
	}
	return false;
}

static bool has_artifact(const struct cs_request *doc, const char *name)
{
	for (size_t i = 0; i < doc->count; i++) {
		if (strcmp(doc->artifacts[i].name, name) == 0)
			return true;
	}
	return false;
}

/* Does a genuine decision of this person belong to this document? */
static enum cs_rc check_payload(const struct cs_request *doc, const struct cs_sha256 *doc_sha256,
				const struct cs_vote *v, struct cs_err *e)
{
	const struct cs_decision *d = &v->decision;

	if (!cs_sha256_equal(&d->request_sha256, doc_sha256))
		return CS_FAIL(
			e, CS_E_CONFLICT,
			"request_sha256: the decision of \"%s\" is on another request document",
			v->approver->person);
	if (cs_quorum_is_requester(doc, v->approver->person))
		return CS_FAIL(
			e, CS_E_FORBIDDEN,
			"\"%s\" is behind this request and may not decide on it; somebody else "
			"must",
			v->approver->person);
	for (size_t i = 0; i < d->checked_count; i++) {
		if (!has_artifact(doc, d->checked[i]))
			return CS_FAIL(e, CS_E_INVALID,
				       "images_checked[%zu]: the request has no artifact \"%s\"", i,
				       d->checked[i]);
	}
	return CS_OK;
}

enum cs_rc cs_vote_verify(const struct cs_policy *policy, const struct cs_request *doc,
			  const struct cs_sha256 *doc_sha256, struct cs_bytes envelope,
			  struct cs_vote *out, struct cs_err *e)
{
	struct cs_vote v = { 0 };
	struct cs_dsse d = { 0 };
	const struct cs_pk *pk = NULL;
	enum cs_rc rc;

	if (envelope.len > CS_ENVELOPE_MAX)
		return CS_FAIL(e, CS_E_TOO_LARGE,
			       "decision envelope of %zu bytes, at most %d are allowed",
			       envelope.len, CS_ENVELOPE_MAX);
	rc = cs_dsse_parse(envelope, &d, e);
	if (rc)
		goto out;
	v.approver = cs_policy_approver_by_key(policy, &d.keyid, &pk);
	if (!v.approver) {
		rc = CS_FAIL(
			e, CS_E_FORBIDDEN,
			"the decision's key is not enrolled for any approver; see approvers in "
			"signing.yaml");
		goto out;
	}
	v.key_spki = d.keyid;
	rc = cs_dsse_verify(&d, CS_DECISION_TYPE, pk, e);
	if (!rc)
		rc = cs_decision_parse(cs_buf_bytes(&d.payload), &v.decision, e);
	if (!rc)
		rc = check_payload(doc, doc_sha256, &v, e);
	if (!rc)
		*out = v;
out:
	cs_dsse_done(&d);
	return rc;
}
