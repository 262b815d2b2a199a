/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may talk to the daemon: the resolved access.yaml. The signer never reads it.
 * Immutable once built and shared between threads by reference count. policy/access.h builds it,
 * authn/ searches it.
 */
#ifndef CS_MODEL_ACCESS_H
#define CS_MODEL_ACCESS_H

#include "base/hash.h"
#include "model/limits.h"
#include "model/names.h"

/** A certificate is matched by its SPKI hash, or by its issuing CA's SPKI hash and one exact SAN
 * URI. */
struct cs_cert_match {
	bool by_spki;
	struct cs_sha256 spki; /* of the certificate, or of the CA */
	char *san_uri;         /* owned; NULL when by_spki */
};

struct cs_principal {
	char name[CS_NAME_MAX + 1];
	enum cs_role role;
	bool robot;                                    /* persons are owners, not herself */
	size_t person_count;                           /* 1 for a person */
	char persons[CS_PERSONS_MAX][CS_NAME_MAX + 1]; /* ascending */
	size_t cert_count;
	struct cs_cert_match *certs; /* owned */
	size_t key_count;
	char (*keys)[CS_NAME_MAX + 1]; /* owned; agents: the keys they may use */
	int64_t rate;                  /* submissions, decisions, cancellations a minute */
	int64_t read_rate;             /* reads a minute */
	int64_t open_max;              /* requests that wait at the same time */
};

struct cs_access {
	size_t count;
	struct cs_principal *principals; /* owned; ascending by name */
	struct cs_sha256 digest;         /* of the file's bytes */
	int refs;                        /* atomic */
};

struct cs_access *cs_access_new(void);
struct cs_access *cs_access_ref(struct cs_access *a);
void cs_access_unref(struct cs_access *a);

const struct cs_principal *cs_access_principal(const struct cs_access *a, const char *name);
bool cs_principal_may_use(const struct cs_principal *p, const char *key);
/** Is this the principal herself, or one of the robot's owners? */
bool cs_principal_is_person(const struct cs_principal *p, const char *person);

#endif
