/* SPDX-License-Identifier: Apache-2.0 */
/*
 * enroll: proves that we hold an approval key. The record gives no authority: signing.yaml does.
 * See countersign(1) and docs/PROTOCOL.decision.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/approval.h"
#include "cli/command.h"
#include "cli/init.h"
#include "model/decision.h"

/** The record of an opened key, in base64. */
static enum cs_rc record(const char *instance, const char *person, const struct cs_approval *a,
			 struct cs_buf *out, struct cs_err *e)
{
	struct cs_enrolment en = { .spki = *cs_pk_spki_sha256(a->pk), .time = cs_clock_now() };
	struct cs_buf payload, envelope;
	enum cs_rc rc;

	cs_buf_init(&payload, CS_DECISION_MAX);
	cs_buf_init(&envelope, CS_ENVELOPE_MAX);
	snprintf(en.instance, sizeof(en.instance), "%s", instance);
	snprintf(en.person, sizeof(en.person), "%s", person);
	cs_enrolment_write(&en, &payload);
	rc = cs_buf_ok(&payload, "enrolment", e);
	rc = rc ? rc : cs_approval_sign(a, CS_ENROLMENT_TYPE, cs_buf_bytes(&payload), &envelope, e);
	if (!rc) {
		cs_buf_add_base64(out, envelope.data, envelope.len);
		rc = cs_buf_ok(out, "enrolment", e);
	}
	cs_buf_done(&payload);
	cs_buf_done(&envelope);
	return rc;
}

enum cs_rc cs_enroll_record(const char *instance, const char *person, EVP_PKEY *key,
			    struct cs_pk **pkp, struct cs_buf *out, struct cs_err *e)
{
	struct cs_approval a = { 0 };
	enum cs_rc rc = cs_approval_of(key, &a, e);

	rc = rc ? rc : record(instance, person, &a, out, e);
	if (!rc) {
		*pkp = a.pk;
		a.pk = NULL; /* transferred */
	}
	cs_approval_done(&a);
	return rc;
}

static void print(const struct cs_cli *cli, const char *person, const struct cs_pk *pk,
		  const char *enrolment)
{
	struct cs_buf spki;

	cs_buf_init(&spki, 4096);
	cs_buf_add_base64(&spki, cs_pk_spki(pk).data, cs_pk_spki(pk).len);
	if (cli->args.json)
		printf("{\"enrolment\":\"%s\",\"person\":\"%s\",\"public_key\":\"%s\"}\n",
		       enrolment, person, cs_buf_str(&spki));
	else
		printf("# for the approvers of signing.yaml; whoever owns that file gives the "
		       "group\n"
		       "  - person: %s\n"
		       "    group: GROUP\n"
		       "    keys:\n"
		       "      - public_key: %s\n"
		       "        enrolment: %s\n",
		       person, cs_buf_str(&spki), enrolment);
	cs_buf_done(&spki);
}

enum cs_rc cs_cmd_enroll(struct cs_cli *cli, struct cs_err *e)
{
	const char *person = cli->profile.person;
	struct cs_approval a = { 0 };
	struct cs_buf enrolment;
	enum cs_rc rc;

	if (!cli->args.instance)
		return cs_cli_usage(cli, e,
				    "--instance: name the instance of signing.yaml; the record is "
				    "for that one only");
	if (!person || !cs_text_is_name(person, CS_NAME_MAX))
		return cs_cli_usage(cli, e,
				    "--person: must be your name in signing.yaml, 1 to %d of "
				    "A-Z a-z 0-9 . _ + / @ : -",
				    CS_NAME_MAX);
	cs_buf_init(&enrolment, 2 * CS_ENVELOPE_MAX);
	rc = cs_approval_open(cli, &a, e);
	rc = rc ? rc : record(cli->args.instance, person, &a, &enrolment, e);
	if (!rc)
		print(cli, person, a.pk, cs_buf_str(&enrolment));
	cs_approval_done(&a);
	cs_buf_done(&enrolment);
	return rc;
}
