/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Payloads of decisions and enrolments: writer and parser of each, inverse to each other.
 * Says nothing about whose signature counts; that is quorum/.
 * See docs/PROTOCOL.decision, "Decision" and "Enrolment".
 */
#include "model/decision.h"

#include "model/field.h"

void cs_decision_write(const struct cs_decision *d, struct cs_buf *out)
{
	struct cs_jw w;

	cs_jw_init(&w, out);
	cs_jw_object(&w, NULL);
	if (d->has_comment)
		cs_field_write_sha256(&w, "comment_sha256", &d->comment_sha256);
	cs_jw_str(&w, "decision", cs_verdict_name(d->verdict));
	cs_field_write_names(&w, "images_checked", d->checked, d->checked_count);
	cs_jw_object(&w, "log");
	cs_field_write_sha256(&w, "head", &d->log.head);
	cs_field_write_sha256(&w, "id", &d->log.id);
	cs_jw_int(&w, "size", d->log.size);
	cs_jw_end_object(&w);
	cs_jw_int(&w, "n", d->n);
	cs_field_write_sha256(&w, "request_sha256", &d->request_sha256);
	cs_field_write_time(&w, "time", d->time);
	cs_jw_str(&w, "type", CS_DECISION_TYPE);
	cs_jw_int(&w, "v", 1);
	cs_jw_end_object(&w);
}

static enum cs_rc read_log(const struct cs_json *object, struct cs_log_ref *out, struct cs_err *e)
{
	const char *head = NULL, *id = NULL;
	const struct cs_json_field fields[] = {
		CS_FIELD_SHA256("head", false, &head),
		CS_FIELD_SHA256("id", false, &id),
		CS_JSON_INT_FIELD("size", false, 1, CS_JCS_INT_MAX, &out->size),
	};
	enum cs_rc rc = cs_json_read(object, "log", fields, CS_COUNT(fields), e);

	if (!rc)
		rc = cs_field_sha256(head, "log.head", &out->head, e);
	if (!rc)
		rc = cs_field_sha256(id, "log.id", &out->id, e);
	return rc;
}

/* `checked` and `log` are borrowed from root. */
static enum cs_rc read_decision(const struct cs_json *root, const struct cs_json **checked,
				const struct cs_json **log, struct cs_decision *d, struct cs_err *e)
{
	const char *comment = NULL, *verdict = NULL, *request = NULL, *time = NULL, *type = NULL;
	int64_t v;
	const struct cs_json_field fields[] = {
		CS_FIELD_SHA256("comment_sha256", true, &comment),
		CS_FIELD_WORD("decision", &verdict),
		CS_JSON_ARRAY_FIELD("images_checked", false, 0, CS_ARTIFACTS_MAX, checked),
		CS_JSON_OBJECT_FIELD("log", false, log),
		CS_JSON_INT_FIELD("n", false, 1, CS_N_MAX, &d->n),
		CS_FIELD_SHA256("request_sha256", false, &request),
		CS_FIELD_WORD("time", &time),
		CS_FIELD_TYPE("type", &type),
		CS_JSON_INT_FIELD("v", false, 1, 1, &v),
	};
	enum cs_rc rc = cs_json_read(root, "", fields, CS_COUNT(fields), e);

	if (!rc && comment)
		rc = cs_field_sha256(comment, "comment_sha256", &d->comment_sha256, e);
	if (!rc)
		rc = cs_field_sha256(request, "request_sha256", &d->request_sha256, e);
	if (!rc)
		rc = cs_field_time(time, "time", &d->time, e);
	if (rc)
		return rc;
	d->has_comment = comment != NULL;
	d->verdict = cs_verdict_from_name(verdict);
	if (d->verdict == CS_VERDICT_NONE)
		return cs_field_bad_word("decision", verdict, CS_VERDICT_WORDS, e);
	return CS_OK;
}

enum cs_rc cs_decision_parse(struct cs_bytes payload, struct cs_decision *out, struct cs_err *e)
{
	struct cs_decision d = { 0 };
	const struct cs_json *checked = NULL, *log = NULL;
	struct cs_json *root = NULL;
	enum cs_rc rc;

	rc = cs_jcs_parse(payload, CS_DECISION_MAX, "decision", &root, e);
	if (!rc)
		rc = cs_field_head(root, CS_DECISION_TYPE, e);
	if (!rc)
		rc = read_decision(root, &checked, &log, &d, e);
	if (!rc)
		rc = cs_field_name_set(checked, "images_checked", d.checked, &d.checked_count, e);
	if (!rc)
		rc = read_log(log, &d.log, e);
	if (!rc)
		*out = d;
	cs_json_free(root);
	return rc;
}

void cs_enrolment_write(const struct cs_enrolment *en, struct cs_buf *out)
{
	struct cs_jw w;

	cs_jw_init(&w, out);
	cs_jw_object(&w, NULL);
	cs_jw_str(&w, "instance", en->instance);
	cs_jw_str(&w, "person", en->person);
	cs_field_write_sha256(&w, "spki_sha256", &en->spki);
	cs_field_write_time(&w, "time", en->time);
	cs_jw_str(&w, "type", CS_ENROLMENT_TYPE);
	cs_jw_int(&w, "v", 1);
	cs_jw_end_object(&w);
}

static enum cs_rc read_enrolment(const struct cs_json *root, struct cs_enrolment *en,
				 struct cs_err *e)
{
	const char *instance = NULL, *person = NULL, *spki = NULL, *time = NULL, *type = NULL;
	int64_t v;
	const struct cs_json_field fields[] = {
		CS_FIELD_NAME("instance", &instance),
		CS_FIELD_NAME("person", &person),
		CS_FIELD_SHA256("spki_sha256", false, &spki),
		CS_FIELD_WORD("time", &time),
		CS_FIELD_TYPE("type", &type),
		CS_JSON_INT_FIELD("v", false, 1, 1, &v),
	};
	enum cs_rc rc = cs_json_read(root, "", fields, CS_COUNT(fields), e);

	if (!rc)
		rc = cs_field_sha256(spki, "spki_sha256", &en->spki, e);
	if (!rc)
		rc = cs_field_time(time, "time", &en->time, e);
	if (rc)
		return rc;
	cs_field_copy(en->instance, sizeof(en->instance), instance);
	cs_field_copy(en->person, sizeof(en->person), person);
	return CS_OK;
}

enum cs_rc cs_enrolment_parse(struct cs_bytes payload, struct cs_enrolment *out, struct cs_err *e)
{
	struct cs_enrolment en = { 0 };
	struct cs_json *root = NULL;
	enum cs_rc rc;

	rc = cs_jcs_parse(payload, CS_DECISION_MAX, "enrolment", &root, e);
	if (!rc)
		rc = cs_field_head(root, CS_ENROLMENT_TYPE, e);
	if (!rc)
		rc = read_enrolment(root, &en, e);
	if (!rc)
		*out = en;
	cs_json_free(root);
	return rc;
}
