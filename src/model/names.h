/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The closed lists of the model: environments, roles, formats, states, decisions, and their names
 * on the wire. 0 is "none" everywhere and has no name.
 */
#ifndef CS_MODEL_NAMES_H
#define CS_MODEL_NAMES_H

#include <stdbool.h>

enum cs_env { CS_ENV_NONE, CS_ENV_DEV, CS_ENV_PROD }; /* "dev", "prod" */

/** A principal has exactly one. */
enum cs_role { CS_ROLE_NONE, CS_ROLE_AGENT, CS_ROLE_APPROVER, CS_ROLE_AUDITOR, CS_ROLE_OPERATOR };

enum cs_format {
	CS_FORMAT_NONE,
	CS_FORMAT_RSA_PKCS1,      /* "rsa-pkcs1" */
	CS_FORMAT_RSA_PSS,        /* "rsa-pss" */
	CS_FORMAT_ECDSA,          /* "ecdsa" */
	CS_FORMAT_ED25519_DIGEST, /* "ed25519-digest" */
	CS_FORMAT__COUNT
};

enum cs_verdict_kind {
	CS_VERDICT_NONE,
	CS_VERDICT_APPROVE,
	CS_VERDICT_REJECT,
	CS_VERDICT_WITHDRAW
};

/** How a requester was authenticated. */
enum cs_method { CS_METHOD_NONE, CS_METHOD_MTLS }; /* "mtls" */

const char *cs_env_name(enum cs_env v);
enum cs_env cs_env_from_name(const char *name);
const char *cs_role_name(enum cs_role v);
enum cs_role cs_role_from_name(const char *name);
const char *cs_format_name(enum cs_format v);
enum cs_format cs_format_from_name(const char *name);
const char *cs_verdict_name(enum cs_verdict_kind v); /* "approve", "reject", "withdraw" */
enum cs_verdict_kind cs_verdict_from_name(const char *name);
const char *cs_method_name(enum cs_method v);
enum cs_method cs_method_from_name(const char *name);

#endif
