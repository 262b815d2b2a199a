/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The resolved signing policy: signing.yaml with every default filled in and full SPKIs.
 * Immutable once built and shared between threads by reference count. policy/ builds it from YAML
 * and judges by it; its canonical bytes are what the policy digest covers and what an auditor reads
 * back.
 */
#ifndef CS_MODEL_POLICY_H
#define CS_MODEL_POLICY_H

#include "model/decision.h"

#define CS_POLICY_TYPE "application/vnd.countersign.policy+json"

struct cs_token {
	char name[CS_NAME_MAX + 1];   /* names the signer: countersign-signer@NAME */
	char label[CS_NAME_MAX + 1];  /* CK_TOKEN_INFO label without padding */
	char serial[CS_NAME_MAX + 1]; /* CK_TOKEN_INFO serialNumber without padding */
	enum cs_env environment;
	bool software_token; /* prod keys on a software token need this, and it is announced */
};

struct cs_key {
	char name[CS_NAME_MAX + 1];
	size_t token; /* index into tokens; the environment is the token's */
	enum cs_env environment;
	uint8_t cka_id[CS_CKA_ID_MAX];
	size_t cka_id_len;
	enum cs_alg alg;
	enum cs_hash hash;
	enum cs_format format;
	struct cs_pk *pk; /* owned by the policy */
	struct cs_quorum_list quorum;
	int64_t not_before, not_after; /* µs; 0 and INT64_MAX when open */
	int64_t max_uses;              /* signatures that it makes at most; 0 = no limit */
	int64_t max_wait;              /* seconds: expires − created of its requests at most */
	bool disabled;
	bool imported; /* CKA_LOCAL may be false (restored to a second HSM) */
};

struct cs_approval_key {
	struct cs_pk *pk;        /* owned by the policy */
	struct cs_buf enrolment; /* DSSE envelope signed by this very key */
};

struct cs_approver {
	char person[CS_NAME_MAX + 1];
	char group[CS_NAME_MAX + 1];
	size_t key_count;
	struct cs_approval_key keys[CS_APPROVAL_KEYS_MAX];
};

struct cs_policy {
	char instance[CS_NAME_MAX + 1];
	int64_t version; /* 1..2^53−1, only grows */
	size_t token_count, key_count, approver_count;
	struct cs_token *tokens;       /* owned; ascending by name, like the others */
	struct cs_key *keys;           /* owned */
	struct cs_approver *approvers; /* owned */
	struct cs_buf json;            /* canonical bytes */
	struct cs_sha256 digest;       /* of them */
	int refs;                      /* atomic */
};

/** An empty policy with one reference, for a builder to fill; cs_policy_seal() completes it. NULL
 * without memory. */
struct cs_policy *cs_policy_new(void);
/** Sort, write the canonical bytes and the digest. CS_E_INVALID when a name is there twice. */
enum cs_rc cs_policy_seal(struct cs_policy *p, struct cs_err *e) CS_MUST_CHECK;
/** Append the canonical bytes of a policy whose arrays are in order; cs_policy_seal() does it for
 * the policy itself. */
void cs_policy_write(const struct cs_policy *p, struct cs_buf *out);
/** Read canonical bytes back. Structure only; policy/check.h has the rules. */
enum cs_rc cs_policy_parse(struct cs_bytes json, struct cs_policy **pp,
			   struct cs_err *e) CS_MUST_CHECK;
struct cs_policy *cs_policy_ref(struct cs_policy *p);
void cs_policy_unref(struct cs_policy *p);

/** All borrowed; NULL when there is none. */
const struct cs_key *cs_policy_key(const struct cs_policy *p, const char *name);
const struct cs_key *cs_policy_key_by_spki(const struct cs_policy *p, const struct cs_sha256 *spki);
const struct cs_token *cs_policy_token(const struct cs_policy *p, const char *name);
const struct cs_approver *cs_policy_approver(const struct cs_policy *p, const char *person);
/** The approver whose enrolled key has this SPKI hash; *pkp is set to the key. */
const struct cs_approver *cs_policy_approver_by_key(const struct cs_policy *p,
						    const struct cs_sha256 *spki,
						    const struct cs_pk **pkp);

#endif
