/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signing.yaml and access.yaml for tests.
 * Lines are numbered in comments where tests expect problems on them.
 */
#include "unit/policy_files.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/load.h"
#include "unit/softkey.h"

const char policy_files_signing[] =
	"version: 7\n"
	"instance: example\n"
	"tokens:\n"
	"  - name: dev\n"
	"    label: dev\n"
	"    serial: 0123456789abcdef\n"
	"    environment: dev\n"
	"    software_token: true\n"
	"  - name: prod\n"
	"    label: prod\n" /* 10 */
	"    serial: fedcba9876543210\n"
	"    environment: prod\n"
	"keys:\n"
	"  - name: app-dev\n"
	"    token: dev\n"
	"    cka_id: 01\n"
	"    algorithm: p-256\n"
	"    hash: sha256\n"
	"    format: ecdsa\n"
	"    public_key: {pk:p-256}\n" /* 20 */
	"  - name: app-prod\n"
	"    token: prod\n"
	"    cka_id: 01a2\n"
	"    algorithm: rsa-3072\n"
	"    hash: sha384\n"
	"    format: rsa-pss\n"
	"    public_key: {pk:rsa-3072}\n"
	"    quorum:\n"
	"      - {group: security, count: 1}\n"
	"      - group: release\n" /* 30 */
	"        count: 2\n"
	"    not_before: 2026-01-01\n"
	"    not_after: 2030-01-01T12:00:00Z\n"
	"    max_wait: 24h\n"
	"approvers:\n"
	"  - person: approver1\n"
	"    group: security\n"
	"    keys:\n"
	"      - public_key: {pk:approver1}\n"
	"        enrolment: {enrolment:approver1:approver1:example:approver1}\n" /* 40 */
	"      - public_key: {pk:approver1-second}\n"
	"        enrolment: {enrolment:approver1-second:approver1:example:approver1-second}\n"
	"  - person: approver2\n"
	"    group: release\n"
	"    keys:\n"
	"      - public_key: {pk:approver2}\n"
	"        enrolment: {enrolment:approver2:approver2:example:approver2}\n"
	"  - person: approver3\n"
	"    group: release\n"
	"    keys:\n" /* 50 */
	"      - public_key: {pk:approver3}\n"
	"        enrolment: {enrolment:approver3:approver3:example:approver3}\n";

const char policy_files_access[] = "principals:\n"
				   "  - name: ci-app\n"
				   "    role: agent\n"
				   "    owners: [dev2, dev1]\n"
				   "    certificates:\n"
				   "      - spki_sha256: {sha:stranger}\n"
				   "      - ca_spki_sha256: {sha:ed25519}\n"
				   "        uri: spiffe://example/ci/app\n"
				   "    keys: [app-prod, app-dev]\n"
				   "    rate: 6000\n" /* 10 */
				   "    open_requests: 7\n"
				   "  - name: approver1\n"
				   "    role: approver\n"
				   "    person: approver1\n"
				   "    certificates:\n"
				   "      - {spki_sha256: {sha:approver4}}\n"
				   "  - name: auditor1\n"
				   "    role: auditor\n"
				   "    person: auditor1\n"
				   "    certificates:\n" /* 20 */
				   "      - spki_sha256: {sha:approver5}\n";

static void add_enrolment(const struct softkey *k, char *args, struct cs_buf *out)
{
	char *person = args, *instance = strchr(person, ':'), *other;
	struct cs_enrolment en = { .time = INT64_C(1767225600000000) };
	struct cs_buf payload, envelope;
	struct softkey target;

	ck_assert_ptr_nonnull(instance);
	*instance++ = '\0';
	other = strchr(instance, ':');
	ck_assert_ptr_nonnull(other);
	*other++ = '\0';
	target = softkey_load(other);
	snprintf(en.person, sizeof(en.person), "%s", person);
	snprintf(en.instance, sizeof(en.instance), "%s", instance);
	en.spki = *cs_pk_spki_sha256(target.pk);
	cs_buf_init(&payload, CS_DSSE_PAYLOAD_MAX);
	cs_buf_init(&envelope, CS_ENVELOPE_MAX);
	cs_enrolment_write(&en, &payload);
	softkey_envelope(k, CS_ENROLMENT_TYPE, cs_buf_bytes(&payload), &envelope);
	cs_buf_add_base64(out, envelope.data, envelope.len);
	cs_buf_done(&payload);
	cs_buf_done(&envelope);
	softkey_done(&target);
}

/* Keys take their time to load, so each mark is made once; tests that fork inherit them. */
static struct {
	char *mark, *text;
} made[64];
static size_t made_count;

static void make_mark(char *mark, struct cs_buf *out)
{
	char *key = strchr(mark, ':'), *rest;
	struct softkey k;

	ck_assert_ptr_nonnull(key);
	*key++ = '\0';
	rest = strchr(key, ':');
	if (rest)
		*rest++ = '\0';
	k = softkey_load(key);
	if (strcmp(mark, "pk") == 0) {
		struct cs_bytes spki = cs_pk_spki(k.pk);

		cs_buf_add_base64(out, spki.data, spki.len);
	} else if (strcmp(mark, "sha") == 0) {
		cs_buf_add_hex(out, cs_pk_spki_sha256(k.pk)->b, CS_SHA256_LEN);
	} else {
		ck_assert_str_eq(mark, "enrolment");
		ck_assert_ptr_nonnull(rest);
		add_enrolment(&k, rest, out);
	}
	softkey_done(&k);
}

/** Fill in one mark, without its braces. */
static void add_mark(const char *mark, struct cs_buf *out)
{
	struct cs_buf text;
	char *copy;
	size_t i = 0, len;

	while (i < made_count && strcmp(made[i].mark, mark) != 0)
		i++;
	if (i == made_count) {
		ck_assert_uint_lt(i, sizeof(made) / sizeof(made[0]));
		cs_buf_init(&text, CS_YAML_MAX);
		copy = strdup(mark);
		made[i].mark = strdup(mark);
		ck_assert(copy && made[i].mark);
		make_mark(copy, &text);
		free(copy);
		made[i].text = (char *)cs_buf_steal(&text, &len);
		made_count++;
	}
	cs_buf_add_str(out, made[i].text);
}

void policy_files_prepare(void)
{
	free(policy_files_text(policy_files_signing, NULL));
	free(policy_files_text(policy_files_access, NULL));
}

void policy_files_forget(void)
{
	while (made_count > 0) {
		made_count--;
		free(made[made_count].mark);
		free(made[made_count].text);
	}
}

static bool is_mark(const char *s)
{
	return strncmp(s, "{pk:", 4) == 0 || strncmp(s, "{sha:", 5) == 0 ||
	       strncmp(s, "{enrolment:", 11) == 0;
}

char *policy_files_text(const char *template, const struct text_edit *edit)
{
	struct cs_buf text, filled;
	const char *s = template;
	size_t len;

	cs_buf_init(&text, CS_YAML_MAX);
	cs_buf_init(&filled, CS_YAML_MAX);
	if (edit && edit->find) {
		const char *at = strstr(template, edit->find);

		ck_assert_msg(at != NULL, "\"%s\" is not in the template", edit->find);
		cs_buf_add(&text, template, (size_t)(at - template));
		cs_buf_add_str(&text, edit->replace);
		s = at + strlen(edit->find);
	}
	cs_buf_add_str(&text, s);
	for (s = cs_buf_str(&text); *s; s++) {
		const char *end = is_mark(s) ? strchr(s, '}') : NULL;
		char *mark;

		if (!end) {
			cs_buf_add_char(&filled, *s);
			continue;
		}
		mark = strndup(s + 1, (size_t)(end - s - 1));
		ck_assert_ptr_nonnull(mark);
		add_mark(mark, &filled);
		free(mark);
		s = end;
	}
	cs_buf_done(&text);
	return (char *)cs_buf_steal(&filled, &len);
}

static void must_be_good(const struct cs_problems *p)
{
	struct cs_buf text;

	cs_buf_init(&text, CS_YAML_MAX);
	cs_problems_print(p, &text);
	ck_assert_msg(p->count == 0, "%s", cs_buf_str(&text));
	cs_buf_done(&text);
}

struct cs_policy *policy_files_policy(const struct text_edit *edit)
{
	char *text = policy_files_text(policy_files_signing, edit);
	struct cs_problems p;
	struct cs_policy *policy;

	cs_problems_init(&p, "signing.yaml");
	policy = cs_policy_load(cs_bytes_of(text), &p);
	must_be_good(&p);
	ck_assert_ptr_nonnull(policy);
	cs_problems_done(&p);
	free(text);
	return policy;
}

struct cs_access *policy_files_access_list(const struct cs_policy *policy,
					   const struct text_edit *edit)
{
	char *text = policy_files_text(policy_files_access, edit);
	struct cs_problems p;
	struct cs_access *access;

	cs_problems_init(&p, "access.yaml");
	access = cs_access_load(cs_bytes_of(text), policy, &p);
	must_be_good(&p);
	ck_assert_ptr_nonnull(access);
	cs_problems_done(&p);
	free(text);
	return access;
}
