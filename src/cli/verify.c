/* SPDX-License-Identifier: Apache-2.0 */
/*
 * verify: a signature over an image, on this machine.
 * Must not send the image or the signature anywhere: with --key it asks for a public key only.
 * See countersign(1).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/image.h"
#include "cli/remote.h"
#include "cli/term.h"
#include "format/format.h"

/** The key and what it makes. */
struct verifier {
	struct cs_pk *pk; /* owned */
	enum cs_hash hash;
	enum cs_format format;
};

/** What a key makes when nobody says otherwise; RSA keys need --format. */
static const struct {
	enum cs_alg alg;
	enum cs_hash hash;
	enum cs_format format;
} defaults[] = {
	{ CS_ALG_P256, CS_HASH_SHA256, CS_FORMAT_ECDSA },
	{ CS_ALG_P384, CS_HASH_SHA384, CS_FORMAT_ECDSA },
	{ CS_ALG_ED25519, CS_HASH_SHA256, CS_FORMAT_ED25519_DIGEST },
	{ CS_ALG_RSA_3072, CS_HASH_SHA256, CS_FORMAT_NONE },
	{ CS_ALG_RSA_4096, CS_HASH_SHA256, CS_FORMAT_NONE },
};

static enum cs_rc from_pem(const char *path, struct verifier *v, struct cs_err *e)
{
	struct cs_buf pem;
	enum cs_rc rc;

	cs_buf_init(&pem, 65536);
	rc = cs_file_read(path, &pem, e);
	if (!rc) {
		rc = cs_pk_from_pem(cs_buf_bytes(&pem), &v->pk, e);
		if (rc)
			cs_err_prefix(e, "%s", path);
	}
	cs_buf_done(&pem);
	for (size_t i = 0; !rc && i < sizeof(defaults) / sizeof(defaults[0]); i++) {
		if (defaults[i].alg == cs_pk_alg(v->pk)) {
			v->hash = defaults[i].hash;
			v->format = defaults[i].format;
		}
	}
	return rc;
}

static enum cs_rc from_server(struct cs_cli *cli, const char *name, struct verifier *v,
			      struct cs_err *e)
{
	const json_t *key;
	json_t *root = NULL;
	enum cs_rc rc = cs_remote_get_json(cli, "/v1/keys", 0, &root, e);
	size_t i;

	if (rc)
		return rc;
	rc = CS_FAIL(e, CS_E_NOT_FOUND, "key %s: the server has no such key for us", name);
	json_array_foreach (json_object_get(root, "keys"), i, key) {
		if (strcmp(cs_remote_str(key, "name"), name) != 0)
			continue;
		v->hash = cs_hash_from_name(cs_remote_str(key, "hash"));
		v->format = cs_format_from_name(cs_remote_str(key, "format"));
		rc = cs_pk_from_pem(cs_bytes_of(cs_remote_str(key, "public_key")), &v->pk, e);
		break;
	}
	json_decref(root);
	return rc;
}

static enum cs_rc find_verifier(struct cs_cli *cli, struct verifier *v, struct cs_err *e)
{
	const struct cs_args *a = &cli->args;
	enum cs_rc rc;

	if (!a->pem == !a->key)
		return cs_cli_usage(cli, e,
				    "say --pem FILE for a public key at hand, or --key NAME for "
				    "one of the server's");
	rc = a->pem ? from_pem(a->pem, v, e) : from_server(cli, a->key, v, e);
	if (rc)
		return rc;
	if (a->hash)
		v->hash = cs_hash_from_name(a->hash);
	if (a->format)
		v->format = cs_format_from_name(a->format);
	if (v->format == CS_FORMAT_NONE)
		return cs_cli_usage(cli, e,
				    "--format: an RSA key makes two: say rsa-pkcs1 or rsa-pss");
	return CS_OK;
}

/** Verify by the same code that the daemon and the signer use, over a document made for it. */
static enum cs_rc check(const struct verifier *v, const struct cs_digest *digest, int64_t size,
			struct cs_bytes sig, struct cs_err *e)
{
	struct cs_request *doc = calloc(1, sizeof(*doc));
	struct cs_artifact *a;
	enum cs_rc rc;

	if (!doc)
		return CS_FAIL(e, CS_E_NOMEM, "signature");
	doc->count = 1;
	a = &doc->artifacts[0];
	snprintf(a->name, sizeof(a->name), "image");
	snprintf(a->key, sizeof(a->key), "key");
	a->digest = *digest;
	a->size = size;
	a->format = v->format;
	a->key_alg = cs_pk_alg(v->pk);
	a->key_hash = v->hash;
	a->key_spki = *cs_pk_spki_sha256(v->pk);
	rc = cs_format_verify(doc, 0, v->pk, sig, e);
	free(doc);
	return rc;
}

enum cs_rc cs_cmd_verify(struct cs_cli *cli, struct cs_err *e)
{
	const char *image = cli->operands[0];
	struct verifier v = { 0 };
	struct cs_digest digest;
	struct cs_buf sig;
	char *path = NULL;
	int64_t size = 0;
	enum cs_rc rc;

	cs_buf_init(&sig, CS_SIG_MAX);
	if (asprintf(&path, "%s%s", cli->operand_count > 1 ? cli->operands[1] : image,
		     cli->operand_count > 1 ? "" : ".sig") < 0) {
		path = NULL;
		rc = CS_FAIL(e, CS_E_NOMEM, "signature");
		goto out;
	}
	rc = find_verifier(cli, &v, e);
	rc = rc ? rc : cs_file_read(path, &sig, e);
	rc = rc ? rc : cs_image_hash(cli, image, v.hash, &digest, &size, e);
	rc = rc ? rc : check(&v, &digest, size, cs_buf_bytes(&sig), e);
	if (!rc && cli->args.json)
		printf("{\"verified\":true}\n");
	else if (!rc)
		printf("%s: good %s signature of %s\n", path, cs_format_name(v.format), image);
out:
	cs_pk_free(v.pk);
	cs_buf_done(&sig);
	free(path);
	return rc;
}
