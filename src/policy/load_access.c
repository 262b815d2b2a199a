/* SPDX-License-Identifier: Apache-2.0 */
/*
 * access.yaml: its shape, as tables, from there to the model, and the rules that need no other
 * file. The rules that also need signing.yaml are in check_access.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "policy/load.h"
#include "policy/schema.h"
#include "policy/uses.h"
#include "policy/where.h"

#define WHERE_MAX 64 /* "principals[4095]" */

#define CERTIFICATES_MAX 8
#define URI_MAX 255
#define RATE_DEFAULT 600 /* ten a second: a busy CI, and not a flood */
#define RATE_MAX 10000000
#define READ_RATE_DEFAULT 6000
#define OPEN_DEFAULT 100
#define OPEN_MAX 100000

struct file_yaml {
	const struct cs_yaml *principals;
};

static const struct cs_yaml_field file_fields[] = {
	FIELD(file_yaml, principals, CS_Y_LIST, true, 1, CS_PRINCIPALS_MAX),
};

struct principal_yaml {
	const char *name, *person;
	int role;
	const struct cs_yaml *owners, *certificates, *keys;
	int64_t rate, read_rate, open_requests;
};

static const char *const roles[] = { "agent", "approver", "auditor", "operator", NULL };

static const struct cs_yaml_field principal_fields[] = {
	NAME(principal_yaml, name),
	CHOICE(principal_yaml, role, roles),
	FIELD(principal_yaml, person, CS_Y_NAME, false, 1, CS_NAME_MAX),
	FIELD(principal_yaml, owners, CS_Y_LIST, false, 1, CS_PERSONS_MAX),
	FIELD(principal_yaml, certificates, CS_Y_LIST, true, 1, CERTIFICATES_MAX),
	FIELD(principal_yaml, keys, CS_Y_LIST, false, 1, CS_KEYS_MAX),
	FIELD(principal_yaml, rate, CS_Y_INT, false, 1, RATE_MAX),
	FIELD(principal_yaml, read_rate, CS_Y_INT, false, 1, RATE_MAX),
	FIELD(principal_yaml, open_requests, CS_Y_INT, false, 1, OPEN_MAX),
};

struct certificate_yaml {
	const char *spki_sha256, *ca_spki_sha256, *uri;
};

static const struct cs_yaml_field certificate_fields[] = {
	FIELD(certificate_yaml, spki_sha256, CS_Y_HEX, false, 64, 64),
	FIELD(certificate_yaml, ca_spki_sha256, CS_Y_HEX, false, 64, 64),
	FIELD(certificate_yaml, uri, CS_Y_TEXT, false, 1, URI_MAX),
};

static const struct cs_yaml_field name_item = {
	NULL, CS_Y_NAME, 0, true, 1, CS_NAME_MAX, NULL, NULL
};

typedef char cs_name[CS_NAME_MAX + 1];

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

/** Read a list of different names into out, in ascending order. */
static size_t read_names(const struct cs_yaml *list, const char *where, const char *field,
			 cs_name *out, size_t max, struct cs_problems *p)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count && i < max; i++) {
		char at[WHERE_MAX + 48];
		const char *name;
		size_t seen = 0;

		snprintf(at, sizeof(at), "%s.%s[%zu]", where, field, i);
		if (!cs_yaml_read_value(list->children[i], at, &name_item, &name, p))
			continue;
		while (seen < count && strcmp(out[seen], name) != 0)
			seen++;
		if (seen < count)
			cs_problem_add(p, CS_AT(list->children[i]), "%s: %s is listed twice", at,
				       name);
		else
			snprintf(out[count++], sizeof(*out), "%s", name);
	}
	qsort(out, count, sizeof(*out), compare_names);
	return count;
}

static bool copy_uri(const struct cs_yaml *entry, const char *where, const char *uri,
		     struct cs_cert_match *cert, struct cs_problems *p)
{
	if (!strchr(uri, ':') || strchr(uri, ' ')) {
		cs_problem_add(p, CS_AT(cs_where_field(entry, "uri")),
			       "%s.uri: needs the whole URI of the subject alternative name, such "
			       "as spiffe://example/ci",
			       where);
		return false;
	}
	cert->san_uri = strdup(uri);
	if (!cert->san_uri)
		cs_problem_add(p, 0, 0, "out of memory");
	return cert->san_uri != NULL;
}

static void read_certificate(const struct cs_yaml *entry, const char *where,
			     struct cs_principal *pr, struct cs_problems *p)
{
	struct certificate_yaml y = { 0 };
	struct cs_cert_match *cert = &pr->certs[pr->cert_count];
	size_t before = p->count;

	cs_yaml_read(entry, where, certificate_fields, COUNT(certificate_fields), &y, p);
	if (p->count != before)
		return;
	cert->by_spki = y.spki_sha256 && !y.ca_spki_sha256 && !y.uri;
	if (!cert->by_spki && (y.spki_sha256 || !y.ca_spki_sha256 || !y.uri)) {
		cs_problem_add(p, CS_AT(entry),
			       "%s: give either spki_sha256, or ca_spki_sha256 and uri", where);
		return;
	}
	/* the schema has checked digits and length */
	if (!cs_sha256_from_hex(cert->by_spki ? y.spki_sha256 : y.ca_spki_sha256, &cert->spki))
		return;
	if (cert->by_spki || copy_uri(entry, where, y.uri, cert, p))
		pr->cert_count++;
}

/** A person is herself; a robot has owners, and only agents may be robots. */
static void read_persons(const struct cs_yaml *entry, const char *where,
			 const struct principal_yaml *y, struct cs_principal *pr,
			 struct cs_problems *p)
{
	pr->robot = y->owners != NULL;
	if (y->owners)
		pr->person_count = read_names(y->owners, where, "owners", pr->persons,
					      CS_PERSONS_MAX, p);
	else if (y->person)
		snprintf(pr->persons[pr->person_count++], sizeof(pr->persons[0]), "%s", y->person);

	if (y->person && y->owners)
		cs_problem_add(p, CS_AT(cs_where_field(entry, "owners")),
			       "%s: give person or owners, not both", where);
	else if (!y->person && !y->owners && pr->role == CS_ROLE_AGENT)
		cs_problem_add(p, CS_AT(entry),
			       "%s: needs person, or owners when it is a machine; none of them may "
			       "approve what it requests",
			       where);
	else if (!y->person && pr->role != CS_ROLE_AGENT)
		cs_problem_add(p, CS_AT(cs_where_field(entry, "owners")),
			       "%s: needs person; only agents can be machines with owners", where);
}

/** Only agents submit requests. */
static void read_keys(const struct cs_yaml *entry, const char *where,
		      const struct principal_yaml *y, struct cs_principal *pr,
		      struct cs_problems *p)
{
	bool agent = pr->role == CS_ROLE_AGENT;
	const struct cs_yaml *open = cs_where_field(entry, "open_requests");

	if (!agent && y->keys)
		cs_problem_add(p, CS_AT(y->keys),
			       "%s.keys: only agents use keys; a principal has one role", where);
	if (!agent && open != entry)
		cs_problem_add(p, CS_AT(open), "%s.open_requests: only agents have requests",
			       where);
	if (agent && !y->keys)
		cs_problem_add(p, CS_AT(entry), "%s: needs keys, those that this agent may use",
			       where);
	if (!agent || !y->keys)
		return;
	pr->keys = calloc(y->keys->count + 1, sizeof(*pr->keys));
	if (!pr->keys)
		cs_problem_add(p, 0, 0, "out of memory");
	else
		pr->key_count = read_names(y->keys, where, "keys", pr->keys, y->keys->count, p);
}

static void read_certificates(const struct cs_yaml *list, const char *where,
			      struct cs_principal *pr, struct cs_problems *p)
{
	if (!list)
		return;
	pr->certs = calloc(list->count + 1, sizeof(*pr->certs));
	if (!pr->certs) {
		cs_problem_add(p, 0, 0, "out of memory");
		return;
	}
	for (size_t i = 0; i < list->count; i++) {
		char at[WHERE_MAX + 48];

		snprintf(at, sizeof(at), "%s.certificates[%zu]", where, i);
		read_certificate(list->children[i], at, pr, p);
	}
}

static void read_principal(const struct cs_yaml *entry, const char *where, struct cs_access *access,
			   struct cs_problems *p)
{
	struct principal_yaml y = {
		.role = -1,
		.rate = RATE_DEFAULT,
		.read_rate = READ_RATE_DEFAULT,
		.open_requests = OPEN_DEFAULT,
	};
	struct cs_principal *pr;

	cs_yaml_read(entry, where, principal_fields, COUNT(principal_fields), &y, p);
	if (!y.name)
		return;
	pr = &access->principals[access->count++];
	snprintf(pr->name, sizeof(pr->name), "%s", y.name);
	pr->rate = y.rate;
	pr->read_rate = y.read_rate;
	pr->open_max = y.open_requests;
	read_certificates(y.certificates, where, pr, p);
	if (y.role < 0)
		return; /* what else it needs depends on the role */
	pr->role = cs_role_from_name(roles[y.role]);
	read_persons(entry, where, &y, pr, p);
	read_keys(entry, where, &y, pr, p);
}

static struct cs_access *read_file(const struct cs_yaml *root, struct cs_problems *p)
{
	struct file_yaml y = { 0 };
	struct cs_access *access = cs_access_new();
	size_t count;

	cs_yaml_read(root, "", file_fields, COUNT(file_fields), &y, p);
	count = y.principals ? y.principals->count : 0;
	if (access)
		access->principals = calloc(count + 1, sizeof(*access->principals));
	if (!access || !access->principals) {
		cs_problem_add(p, 0, 0, "out of memory");
		cs_access_unref(access);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		char where[WHERE_MAX];

		snprintf(where, sizeof(where), "principals[%zu]", i);
		read_principal(y.principals->children[i], where, access, p);
	}
	return access;
}

static int compare_principals(const void *a, const void *b)
{
	return strcmp(((const struct cs_principal *)a)->name,
		      ((const struct cs_principal *)b)->name);
}

static void sort_and_check_names(struct cs_access *access, const struct cs_yaml *root,
				 struct cs_problems *p)
{
	qsort(access->principals, access->count, sizeof(*access->principals), compare_principals);
	for (size_t i = 1; i < access->count; i++) {
		const char *name = access->principals[i].name;

		if (strcmp(access->principals[i - 1].name, name) == 0)
			cs_problem_add(p,
				       CS_AT(cs_where_entry(root, "principals", "name", name, 1)),
				       "principal %s is listed twice; a principal has one entry "
				       "and one role",
				       name);
	}
}

/** A certificate leads to one principal. */
static void certificates_have_one_owner(const struct cs_access *access, const struct cs_yaml *root,
					struct cs_problems *p)
{
	struct cs_use *uses = calloc(access->count * CERTIFICATES_MAX + 1, sizeof(*uses));
	size_t count = 0;

	if (!uses) {
		cs_problem_add(p, 0, 0, "out of memory");
		return;
	}
	for (size_t i = 0; i < access->count; i++) {
		const struct cs_principal *pr = &access->principals[i];
		const struct cs_yaml *entry = cs_where_entry(root, "principals", "name", pr->name,
							     0);

		for (size_t n = 0; n < pr->cert_count; n++) {
			uses[count] = (struct cs_use){
				.spki = &pr->certs[n].spki,
				.uri = pr->certs[n].san_uri,
				.kind = "principal",
				.owner = pr->name,
				.at = cs_where_item(cs_where_field(entry, "certificates"), n),
			};
			uses[count].order = cs_where_line(uses[count].at) * CS_YAML_MAX +
					    cs_where_column(uses[count].at);
			count++;
		}
	}
	cs_uses_check(uses, count, p);
	free(uses);
}

struct cs_access *cs_access_load(struct cs_bytes yaml, const struct cs_policy *policy,
				 struct cs_problems *p)
{
	size_t before = p->count;
	struct cs_yaml *root = cs_yaml_parse(yaml, p);
	struct cs_access *access = NULL;

	if (root)
		access = read_file(root, p);
	if (access) {
		access->digest = cs_sha256(yaml);
		sort_and_check_names(access, root, p);
		certificates_have_one_owner(access, root, p);
		if (policy)
			cs_policy_check_access(policy, access, root, p);
	}
	if (p->count != before) {
		cs_access_unref(access);
		access = NULL;
	}
	cs_yaml_free(root);
	return access;
}
