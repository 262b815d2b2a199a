/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands' way to the server.
 * Must not know routes: the commands do.
 * See remote.h for the contract.
 */
#include "cli/remote.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "cli/term.h"
#include "cli/token.h"

/** The library's codes as ours. */
static const enum cs_rc rcs[] = {
	[COUNTERSIGN_OK] = CS_OK,
	[COUNTERSIGN_PROFILE] = CS_E_CONFIG,
	[COUNTERSIGN_INVALID] = CS_E_INVALID,
	[COUNTERSIGN_REFUSED] = CS_E_DENIED,
	[COUNTERSIGN_NOT_FOUND] = CS_E_NOT_FOUND,
	[COUNTERSIGN_CONFLICT] = CS_E_CONFLICT,
	[COUNTERSIGN_PENDING] = CS_E_PENDING,
	[COUNTERSIGN_UNAVAILABLE] = CS_E_UNAVAILABLE,
	[COUNTERSIGN_TRUST] = CS_E_UNAUTHENTICATED,
	[COUNTERSIGN_PROTOCOL] = CS_E_VERSION,
	[COUNTERSIGN_SYSTEM] = CS_E_INTERNAL,
};

enum cs_rc cs_remote_check(struct cs_cli *cli, enum countersign_code code,
			   const struct countersign_error *from, struct cs_err *e)
{
	if (!code)
		return CS_OK;
	memcpy(cli->rule, from->rule, sizeof(cli->rule));
	return CS_FAIL(e, rcs[code], "%s", from->message);
}

static void show_retry(void *arg, const char *why, unsigned milliseconds)
{
	cs_term_live(arg, "%s; again in %u s", why, (milliseconds + 999) / 1000);
}

enum cs_rc cs_remote_open(struct cs_cli *cli, struct cs_err *e)
{
	const struct cs_profile *p = &cli->profile;
	const struct {
		const char *value, *name;
	} required[] = { { p->url, "url" },
			 { p->ca, "ca" },
			 { p->certificate, "certificate" },
			 { p->client_key, "key" } };
	struct countersign_profile to = { 0 };
	struct countersign_error err;
	enum cs_rc rc;

	if (cli->client)
		return CS_OK;
	for (size_t i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
		if (!required[i].value)
			return CS_FAIL(e, CS_E_CONFIG,
				       "no %s: name a profile with --profile, or see "
				       "countersign-profiles(5)",
				       required[i].name);
	}
	to.url = p->url;
	to.ca = p->ca;
	to.certificate = p->certificate;
	to.passphrase = cs_term_secret;
	if (cs_token_is_uri(p->client_key)) {
		EVP_PKEY *key;

		rc = cs_token_key(p->client_key, p->pkcs11_module, "client key", &key, e);
		if (rc)
			return rc;
		to.pkey = key;
	} else {
		to.key = p->client_key;
	}
	rc = cs_remote_check(cli, countersign_open(&to, &cli->client, &err), &err, e);
	EVP_PKEY_free(to.pkey);
	if (rc)
		return rc;
	countersign_set_patience(cli->client, (unsigned)cli->args.retry);
	countersign_on_retry(cli->client, show_retry, cli);
	return CS_OK;
}

enum cs_rc cs_remote_get(struct cs_cli *cli, const char *path, unsigned seconds,
			 struct countersign_reply *out, struct cs_err *e)
{
	struct countersign_call call = { .method = "GET", .path = path, .seconds = seconds };
	struct countersign_error err;
	enum cs_rc rc = cs_remote_open(cli, e);

	if (rc)
		return rc;
	rc = cs_remote_check(cli, countersign_call(cli->client, &call, out, &err), &err, e);
	if (rc)
		countersign_reply_done(out);
	return rc;
}

enum cs_rc cs_remote_get_json(struct cs_cli *cli, const char *path, unsigned seconds,
			      json_t **rootp, struct cs_err *e)
{
	struct countersign_reply reply;
	enum cs_rc rc = cs_remote_get(cli, path, seconds, &reply, e);

	if (rc)
		return rc;
	rc = cs_json_load((struct cs_bytes){ (const uint8_t *)reply.data, reply.len }, reply.len,
			  "the server's answer", rootp, e);
	countersign_reply_done(&reply);
	return rc ? (e->rc = CS_E_VERSION) : CS_OK;
}

const char *cs_remote_str(const json_t *object, const char *key)
{
	const char *value = json_string_value(json_object_get(object, key));

	return value ? value : "";
}

int64_t cs_remote_int(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

void cs_remote_print(const json_t *value)
{
	/* ASCII: no control character of others reaches a terminal this way either */
	json_dumpf(value, stdout, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
	putchar('\n');
}

enum cs_rc cs_remote_id(struct cs_cli *cli, const char **idp, struct cs_err *e)
{
	const char *id = cli->operands[0];

	if (!cs_text_is_uuid(id))
		return cs_cli_usage(cli, e,
				    "request id %.80s: must be a UUID, as `countersign requests` "
				    "shows it",
				    id);
	*idp = id;
	return CS_OK;
}
