/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The closed lists of the model and their names on the wire: one table each.
 * "none" is shown for 0 and never accepted: a document with it is refused by its parser.
 * See docs/PROTOCOL.decision.
 */
#include "model/names.h"

#include <string.h>

#include "base/buf.h"
#include "model/list.h"

static const char *const env_names[] = {
	[CS_ENV_DEV] = "dev",
	[CS_ENV_PROD] = "prod",
};

static const char *const role_names[] = {
	[CS_ROLE_AGENT] = "agent",
	[CS_ROLE_APPROVER] = "approver",
	[CS_ROLE_AUDITOR] = "auditor",
	[CS_ROLE_OPERATOR] = "operator",
};

static const char *const format_names[CS_FORMAT__COUNT] = {
	[CS_FORMAT_RSA_PKCS1] = "rsa-pkcs1",
	[CS_FORMAT_RSA_PSS] = "rsa-pss",
	[CS_FORMAT_ECDSA] = "ecdsa",
	[CS_FORMAT_ED25519_DIGEST] = "ed25519-digest",
};

static const char *const verdict_names[] = {
	[CS_VERDICT_APPROVE] = "approve",
	[CS_VERDICT_REJECT] = "reject",
	[CS_VERDICT_WITHDRAW] = "withdraw",
};

static const char *const method_names[] = {
	[CS_METHOD_MTLS] = "mtls",
};

const char *cs_list_name(const char *const *names, size_t count, size_t v)
{
	return v > 0 && v < count ? names[v] : "none";
}

size_t cs_list_find(const char *const *names, size_t count, const char *name)
{
	if (!name)
		return 0;
	for (size_t v = 1; v < count; v++) {
		if (strcmp(names[v], name) == 0)
			return v;
	}
	return 0;
}

const char *cs_env_name(enum cs_env v)
{
	return cs_list_name(env_names, CS_COUNT(env_names), v);
}

enum cs_env cs_env_from_name(const char *name)
{
	return (enum cs_env)cs_list_find(env_names, CS_COUNT(env_names), name);
}

const char *cs_role_name(enum cs_role v)
{
	return cs_list_name(role_names, CS_COUNT(role_names), v);
}

enum cs_role cs_role_from_name(const char *name)
{
	return (enum cs_role)cs_list_find(role_names, CS_COUNT(role_names), name);
}

const char *cs_format_name(enum cs_format v)
{
	return cs_list_name(format_names, CS_COUNT(format_names), v);
}

enum cs_format cs_format_from_name(const char *name)
{
	return (enum cs_format)cs_list_find(format_names, CS_COUNT(format_names), name);
}

const char *cs_verdict_name(enum cs_verdict_kind v)
{
	return cs_list_name(verdict_names, CS_COUNT(verdict_names), v);
}

enum cs_verdict_kind cs_verdict_from_name(const char *name)
{
	return (enum cs_verdict_kind)cs_list_find(verdict_names, CS_COUNT(verdict_names), name);
}

const char *cs_method_name(enum cs_method v)
{
	return cs_list_name(method_names, CS_COUNT(method_names), v);
}

enum cs_method cs_method_from_name(const char *name)
{
	return (enum cs_method)cs_list_find(method_names, CS_COUNT(method_names), name);
}
