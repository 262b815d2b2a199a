/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The approval keys of a development instance, each of another kind, with their enrolments.
 * See init.h for the contract.
 */
#include <stdio.h>

#include <openssl/ec.h>

#include "base/pk.h"
#include "cli/init.h"
#include "model/limits.h"

static const struct {
	const char *person;
	bool ed25519; /* else P-256 */
	const char *key_word, *enrolment_word;
} people[] = {
	{ "approver1", false, "APPROVER1_PUBLIC", "APPROVER1_ENROLMENT" },
	{ "approver2", true, "APPROVER2_PUBLIC", "APPROVER2_ENROLMENT" },
	{ "owner1", false, "OWNER1_PUBLIC", "OWNER1_ENROLMENT" },
};

static enum cs_rc enroll(struct cs_init *in, size_t i, EVP_PKEY *key, struct cs_err *e)
{
	struct cs_pk *pk = NULL;
	struct cs_buf enrolment, spki;
	enum cs_rc rc;

	cs_buf_init(&enrolment, 2 * CS_ENVELOPE_MAX);
	cs_buf_init(&spki, 4096);
	rc = cs_enroll_record(in->instance, people[i].person, key, &pk, &enrolment, e);
	if (rc)
		goto out;
	cs_buf_add_base64(&spki, cs_pk_spki(pk).data, cs_pk_spki(pk).len);
	rc = cs_init_word(in, people[i].key_word, e, "%s", cs_buf_str(&spki));
	rc = rc ? rc : cs_init_word(in, people[i].enrolment_word, e, "%s", cs_buf_str(&enrolment));
out:
	cs_pk_free(pk);
	cs_buf_done(&enrolment);
	cs_buf_done(&spki);
	return rc;
}

enum cs_rc cs_init_approvers(struct cs_init *in, struct cs_err *e)
{
	enum cs_rc rc = cs_init_mkdir(in, "approvers", 0700, e);

	for (size_t i = 0; !rc && i < sizeof(people) / sizeof(people[0]); i++) {
		EVP_PKEY *key = people[i].ed25519 ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519")
						  : EVP_EC_gen("P-256");
		char name[64];

		snprintf(name, sizeof(name), "approvers/%s.key", people[i].person);
		if (!key)
			rc = CS_FAIL(e, CS_E_INTERNAL, "%s: OpenSSL could not make it", name);
		rc = rc ? rc : cs_init_write_key(in, name, key, e);
		rc = rc ? rc : enroll(in, i, key, e);
		EVP_PKEY_free(key);
	}
	return rc;
}
