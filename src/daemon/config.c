/* SPDX-License-Identifier: Apache-2.0 */
/*
 * countersignd.conf to struct cs_config. Strings in the file's tree are copied, so that the tree
 * can go; paths become absolute on the way. The lists of keys are in config.h.
 */
#include "daemon/config.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/file.h"
#include "base/text.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define FILE_MAX 65536
#define TEXT_MAX 255
#define PATH_LEN_MAX 4095
#define SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

const char *const cs_config_log_levels[] = {
	[CS_LOG_ERROR] = "error", [CS_LOG_WARN] = "warning", [CS_LOG_INFO] = "info",
	[CS_LOG_DEBUG] = "debug", [CS_LOG_DEBUG + 1] = NULL,
};

/* What the schema writes: the same fields, with strings borrowed from the tree. */
#define Y_STR(field, key, type, required, def, doc) const char *field;
#define Y_NUM(field, key, type, lo, hi, def, doc) int64_t field;
#define Y_CHOICE(field, key, choices, def, doc) int field;
#define Y_LIST(field, key, max, doc) const struct cs_yaml *field;

struct config_yaml {
	CS_CONFIG(Y_STR, Y_NUM, Y_CHOICE, Y_LIST)
};

struct signer_yaml {
	CS_CONFIG_SIGNER(Y_STR, Y_NUM)
};

#define D_STR(field, key, type, required, def, doc) .field = (def),
#define D_NUM(field, key, type, lo, hi, def, doc) .field = (def),
#define D_CHOICE(field, key, choices, def, doc) .field = (def),
#define D_LIST(field, key, max, doc) .field = NULL,

static const struct config_yaml config_defaults = { CS_CONFIG(D_STR, D_NUM, D_CHOICE, D_LIST) };
static const struct signer_yaml signer_defaults = { CS_CONFIG_SIGNER(D_STR, D_NUM) };

#define STR_MAX(type) \
	((type) == CS_Y_PATH ? PATH_LEN_MAX : (type) == CS_Y_NAME ? CS_NAME_MAX : TEXT_MAX)

#define F_STR(field, key, type, required, def, doc)                                          \
	{                                                                                    \
		(key), (type), offsetof(struct TARGET, field), (required), 1, STR_MAX(type), \
		NULL,  (doc)                                                                 \
	},
#define F_NUM(field, key, type, lo, hi, def, doc) \
	{ (key), (type), offsetof(struct TARGET, field), false, (lo), (hi), NULL, (doc) },
#define F_CHOICE(field, key, choices, def, doc) \
	{ (key), CS_Y_ENUM, offsetof(struct TARGET, field), false, 0, 0, (choices), (doc) },
#define F_LIST(field, key, max, doc) \
	{ (key), CS_Y_LIST, offsetof(struct TARGET, field), true, 1, (max), NULL, (doc) },

#define TARGET config_yaml
static const struct cs_yaml_field config_fields[] = { CS_CONFIG(F_STR, F_NUM, F_CHOICE, F_LIST) };
#undef TARGET
#define TARGET signer_yaml
static const struct cs_yaml_field signer_fields[] = { CS_CONFIG_SIGNER(F_STR, F_NUM) };
#undef TARGET

/** A copy of text; of a relative path, behind the directory. NULL for NULL and without memory. */
static char *copy(enum cs_yaml_type type, const char *text, const char *directory)
{
	char *out = NULL;

	if (!text)
		return NULL;
	if (type != CS_Y_PATH || text[0] == '/')
		return strdup(text);
	if (asprintf(&out, "%s/%s", strcmp(directory, "/") == 0 ? "" : directory, text) < 0)
		return NULL;
	return out;
}

#define C_STR(field, key, type, required, def, doc)       \
	to->field = copy((type), from->field, directory); \
	complete = complete && (!from->field || to->field);
#define C_NUM(field, key, type, lo, hi, def, doc) to->field = from->field;
#define C_CHOICE(field, key, choices, def, doc) to->field = from->field;
#define C_LIST(field, key, max, doc)

static bool copy_config(const struct config_yaml *from, const char *directory, struct cs_config *to)
{
	bool complete = true;

	CS_CONFIG(C_STR, C_NUM, C_CHOICE, C_LIST)
	return complete;
}

static bool copy_signer(const struct signer_yaml *from, const char *directory,
			struct cs_config_signer *to)
{
	bool complete = true;

	CS_CONFIG_SIGNER(C_STR, C_NUM)
	return complete;
}

/** The node of a key, for the place of a problem with its value. */
static const struct cs_yaml *at(const struct cs_yaml *map, const char *key)
{
	const struct cs_yaml *value = map->kind == CS_YAML_MAP ? cs_yaml_get(map, key) : NULL;

	return value ? value : map;
}

static bool is_address(const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t host = colon ? (size_t)(colon - text) : 0;
	bool bracketed = host > 2 && text[0] == '[' && text[host - 1] == ']';
	int64_t port;

	if (host == 0 || !cs_text_to_int(colon + 1, 0, 65535, &port))
		return false;
	return bracketed || (text[0] != '[' && !memchr(text, ':', host));
}

/** Rules that go beyond one value's type and range. */
static void check_values(const struct cs_yaml *root, const struct config_yaml *y,
			 struct cs_problems *p)
{
	const struct cs_yaml *node = at(root, "listen");

	if (!is_address(y->listen))
		cs_problem_add(p, node->line, node->column,
			       "listen: needs host:port, or [address]:port for IPv6; port is 0 to "
			       "65535");
	node = at(root, "metrics-listen");
	if (y->metrics_listen && !is_address(y->metrics_listen))
		cs_problem_add(p, node->line, node->column,
			       "metrics-listen: needs 127.0.0.1:port or [::1]:port; port is 0 to "
			       "65535");
	node = at(root, "tls-key");
	if (y->tls_key && strncmp(y->tls_key, "pkcs11:", strlen("pkcs11:")) == 0)
		cs_problem_add(p, node->line, node->column,
			       "tls-key: the daemon uses no PKCS#11; give a PEM file");
	node = at(root, "connections-per-ip");
	if (y->connections_per_ip > y->connections_max)
		cs_problem_add(p, node->line, node->column,
			       "connections-per-ip: %lld is more than connections-max, %lld",
			       (long long)y->connections_per_ip, (long long)y->connections_max);
	node = at(root, "signer-timeout");
	if (y->signer_timeout >= y->request_timeout)
		cs_problem_add(p, node->line, node->column,
			       "signer-timeout: must be shorter than request-timeout, %llds",
			       (long long)y->request_timeout);
}

static void check_signer(const struct cs_config *c, size_t i, const char *where,
			 struct cs_problems *p)
{
	const struct cs_config_signer *s = &c->signers[i];

	if (s->socket && strlen(s->socket) > SOCKET_PATH_MAX)
		cs_problem_add(p, s->line, s->column,
			       "%s.socket: %s has %zu bytes, a socket's path at most %zu", where,
			       s->socket, strlen(s->socket), SOCKET_PATH_MAX);
	for (size_t j = 0; j < i; j++) {
		if (s->token && c->signers[j].token && strcmp(c->signers[j].token, s->token) == 0)
			cs_problem_add(p, s->line, s->column,
				       "%s.token: %s has a signer already; a token has one", where,
				       s->token);
		if (s->socket && c->signers[j].socket &&
		    strcmp(c->signers[j].socket, s->socket) == 0)
			cs_problem_add(p, s->line, s->column,
				       "%s.socket: signers[%zu] has the same; tokens never share "
				       "a signer",
				       where, j);
	}
}

static void read_signers(const struct cs_yaml *list, const char *directory, struct cs_config *c,
			 struct cs_problems *p)
{
	size_t count = list ? list->count : 0;

	for (size_t i = 0; i < count && i < COUNT(c->signers); i++) {
		struct signer_yaml y = signer_defaults;
		struct cs_config_signer *s = &c->signers[c->signer_count++];
		char where[32];

		snprintf(where, sizeof(where), "signers[%zu]", i);
		s->line = list->children[i]->line;
		s->column = list->children[i]->column;
		cs_yaml_read(list->children[i], where, signer_fields, COUNT(signer_fields), &y, p);
		if (!copy_signer(&y, directory, s))
			cs_problem_add(p, 0, 0, "out of memory");
		check_signer(c, i, where, p);
	}
}

struct cs_config *cs_config_parse(struct cs_bytes yaml, const char *directory,
				  struct cs_problems *p)
{
	size_t before = p->count;
	struct cs_yaml *root = cs_yaml_parse(yaml, p);
	struct cs_config *c = calloc(1, sizeof(*c));
	struct config_yaml y = config_defaults;

	if (!c)
		cs_problem_add(p, 0, 0, "out of memory");
	if (root && c) {
		cs_yaml_read(root, "", config_fields, COUNT(config_fields), &y, p);
		check_values(root, &y, p);
		if (!copy_config(&y, directory, c))
			cs_problem_add(p, 0, 0, "out of memory");
		read_signers(y.signers, directory, c, p);
	}
	if (p->count != before) {
		cs_config_free(c);
		c = NULL;
	}
	cs_yaml_free(root);
	return c;
}

/** The directory of a file as an absolute path; NULL with a problem. */
static char *directory_of(const char *path, struct cs_problems *p)
{
	char *text = strdup(path);
	char *directory = text ? realpath(dirname(text), NULL) : NULL;

	if (!directory)
		cs_problem_add(p, 0, 0, "its directory cannot be found");
	free(text);
	return directory;
}

void cs_config_read(const char *path, struct cs_buf *out, struct cs_problems *p)
{
	size_t len = strlen(path);
	struct cs_err e = { 0 };

	if (cs_file_read(path, out, &e) == CS_OK)
		return;
	/* the list of problems names the file already, and so does the error */
	if (strncmp(e.msg, path, len) == 0 && strncmp(e.msg + len, ": ", 2) == 0)
		cs_problem_add(p, 0, 0, "%s", e.msg + len + 2);
	else
		cs_problem_add(p, 0, 0, "%s", e.msg);
}

struct cs_config *cs_config_load(const char *path, struct cs_problems *p)
{
	struct cs_config *c = NULL;
	size_t before = p->count;
	struct cs_buf text;
	char *directory;

	cs_buf_init(&text, FILE_MAX);
	directory = directory_of(path, p);
	if (directory)
		cs_config_read(path, &text, p);
	if (p->count == before)
		c = cs_config_parse(cs_buf_bytes(&text), directory, p);
	free(directory);
	cs_buf_done(&text);
	return c;
}

#define X_STR(field, key, type, required, def, doc) free(of->field);
#define X_OTHER(...)

static void free_signer(struct cs_config_signer *of)
{
	CS_CONFIG_SIGNER(X_STR, X_OTHER)
}

void cs_config_free(struct cs_config *of)
{
	if (!of)
		return;
	for (size_t i = 0; i < of->signer_count; i++)
		free_signer(&of->signers[i]);
	CS_CONFIG(X_STR, X_OTHER, X_OTHER, X_OTHER)
	free(of);
}

static const struct cs_config_signer *signer_of(const struct cs_config *c, const char *token)
{
	for (size_t i = 0; i < c->signer_count; i++) {
		if (strcmp(c->signers[i].token, token) == 0)
			return &c->signers[i];
	}
	return NULL;
}

void cs_config_check_signers(const struct cs_config *c, const struct cs_policy *policy,
			     struct cs_problems *p)
{
	for (size_t i = 0; i < policy->token_count; i++) {
		if (!signer_of(c, policy->tokens[i].name))
			cs_problem_add(p, 0, 0,
				       "signers: none for token %s of the signing policy; add its "
				       "socket",
				       policy->tokens[i].name);
	}
	for (size_t i = 0; i < c->signer_count; i++) {
		const struct cs_config_signer *s = &c->signers[i];

		if (!cs_policy_token(policy, s->token))
			cs_problem_add(p, s->line, s->column,
				       "signers[%zu].token: the signing policy has no token %s", i,
				       s->token);
	}
}
