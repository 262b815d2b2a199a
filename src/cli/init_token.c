/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tokens of a development instance: SoftHSM by softhsm2-util, keys by countersign-signer.
 * Must not be mistaken for an HSM: everything it makes says software_token.
 * See init.h for the contract.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/enc.h"
#include "base/yaml.h"
#include "cli/init.h"

#define PIN_BYTES 8

static const struct {
	const char *token, *name, *id, *algorithm;
	const char *word; /* its public key */
} keys[] = {
	{ "dev", "app-dev", "01", "p-256", "APP_DEV_PUBLIC" },
	{ "dev", "rsa-dev", "02", "rsa-3072", "RSA_DEV_PUBLIC" },
	{ "prod", "app-prod", "01", "p-256", "APP_PROD_PUBLIC" },
	{ "prod", "rsa-prod", "02", "rsa-3072", "RSA_PROD_PUBLIC" },
};

struct token {
	const char *name;
	const char *serial_word;
	char conf[CS_INIT_PATH_MAX];
	char pin_file[CS_INIT_PATH_MAX];
	char pin[2 * PIN_BYTES + 1];
};

static enum cs_rc write_files(struct cs_init *in, struct token *t, struct cs_err *e)
{
	uint8_t chance[PIN_BYTES];
	char name[64];
	struct cs_buf text;
	enum cs_rc rc;

	snprintf(name, sizeof(name), "tokens/%s", t->name);
	rc = cs_init_mkdir(in, name, 0700, e);
	snprintf(name, sizeof(name), "tokens/%s/softhsm", t->name);
	rc = rc ? rc : cs_init_mkdir(in, name, 0700, e);
	if (rc)
		return rc;
	if (getrandom(chance, sizeof(chance), 0) != (ssize_t)sizeof(chance))
		return CS_FAIL(e, CS_E_INTERNAL, "no random bytes from the kernel");
	cs_hex_encode(chance, sizeof(chance), t->pin);
	cs_buf_init(&text, 8192);
	snprintf(name, sizeof(name), "tokens/%s/softhsm2.conf", t->name);
	cs_buf_addf(&text,
		    "# SoftHSM of token %s\n"
		    "directories.tokendir = %s/tokens/%s/softhsm\n"
		    "objectstore.backend = file\n"
		    "log.level = ERROR\n",
		    t->name, in->dir, t->name);
	rc = cs_init_write(in, name, cs_buf_bytes(&text), 0600, e);
	cs_buf_reset(&text);
	cs_buf_addf(&text, "%s\n", t->pin);
	snprintf(name, sizeof(name), "tokens/%s/pin", t->name);
	rc = rc ? rc : cs_init_write(in, name, cs_buf_bytes(&text), 0600, e);
	cs_buf_wipe(&text);
	return rc;
}

/** Initialise the token. The PIN is an argument, which others can see for a moment: a development
 * instance is no place for a PIN that matters. The SO PIN is thrown away. */
static enum cs_rc initialise(const struct token *t, struct cs_err *e)
{
	const char *const argv[] = { "softhsm2-util", "--init-token", "--free", "--label", t->name,
				     "--so-pin",      t->pin,         "--pin",  t->pin,    NULL };
	struct cs_buf out;
	enum cs_rc rc;

	cs_buf_init(&out, 65536);
	rc = cs_init_spawn(argv, t->conf, &out, e);
	cs_buf_done(&out);
	return rc;
}

/** The scalar at list[0].key of what keygen prints, or NULL. Borrowed from the tree. */
static const char *printed(const struct cs_yaml *root, const char *list, const char *key)
{
	const struct cs_yaml *items = cs_yaml_get(root, list);
	const struct cs_yaml *value = items && items->kind == CS_YAML_LIST && items->count > 0
					      ? cs_yaml_get(items->children[0], key)
					      : NULL;

	return value && value->kind == CS_YAML_SCALAR ? value->scalar : NULL;
}

static enum cs_rc read_keygen(struct cs_init *in, const struct token *t, const char *word,
			      struct cs_bytes text, bool first, struct cs_err *e)
{
	struct cs_problems problems;
	struct cs_yaml *root;
	const char *serial, *public_key;
	enum cs_rc rc;

	cs_problems_init(&problems, "countersign-signer keygen");
	root = cs_yaml_parse(text, &problems);
	serial = root ? printed(root, "tokens", "serial") : NULL;
	public_key = root ? printed(root, "keys", "public_key") : NULL;
	if (!serial || !public_key)
		rc = CS_FAIL(e, CS_E_VERSION,
			     "%s keygen printed no entry for signing.yaml: is it of the same "
			     "version?",
			     in->signer);
	else
		rc = cs_init_word(in, word, e, "%s", public_key);
	if (!rc && first)
		rc = cs_init_word(in, t->serial_word, e, "%s", serial);
	cs_yaml_free(root);
	cs_problems_done(&problems);
	return rc;
}

static enum cs_rc make_key(struct cs_init *in, const struct token *t, size_t i, bool first,
			   struct cs_err *e)
{
	const char *const argv[] = { in->signer, "keygen",     "--module",    in->module,
				     "--label",  t->name,      "--pin-file",  t->pin_file,
				     "--id",     keys[i].id,   "--algorithm", keys[i].algorithm,
				     "--name",   keys[i].name, NULL };
	struct cs_buf out;
	enum cs_rc rc;

	cs_buf_init(&out, 65536);
	rc = cs_init_spawn(argv, t->conf, &out, e);
	rc = rc ? rc : read_keygen(in, t, keys[i].word, cs_buf_bytes(&out), first, e);
	cs_buf_done(&out);
	return rc;
}

static enum cs_rc make_token(struct cs_init *in, const char *name, const char *serial_word,
			     struct cs_err *e)
{
	struct token *t = calloc(1, sizeof(*t));
	bool first = true;
	enum cs_rc rc;

	if (!t)
		return CS_FAIL(e, CS_E_NOMEM, "token");
	t->name = name;
	t->serial_word = serial_word;
	snprintf(t->conf, sizeof(t->conf), "%s/tokens/%s/softhsm2.conf", in->dir, name);
	snprintf(t->pin_file, sizeof(t->pin_file), "%s/tokens/%s/pin", in->dir, name);
	rc = write_files(in, t, e);
	rc = rc ? rc : initialise(t, e);
	for (size_t i = 0; !rc && i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (strcmp(keys[i].token, name) != 0)
			continue;
		rc = make_key(in, t, i, first, e);
		first = false;
	}
	explicit_bzero(t, sizeof(*t));
	free(t);
	return rc;
}

enum cs_rc cs_init_tokens(struct cs_init *in, struct cs_err *e)
{
	enum cs_rc rc = cs_init_mkdir(in, "tokens", 0755, e);

	rc = rc ? rc : make_token(in, "dev", "DEV_SERIAL", e);
	return rc ? rc : make_token(in, "prod", "PROD_SERIAL", e);
}
