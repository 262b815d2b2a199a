/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One private key through libp11: load, enumerate, log in, use; the process ends with _exit.
 * Must not be used twice in a process, and must not try a PIN twice.
 * See token.h for the contract.
 */
#include "cli/token.h"

#include <stdlib.h>
#include <string.h>

#include <libp11.h>
#include <openssl/err.h>

#include "base/secret.h"
#include "cli/term.h"

#define VALUE_MAX 256
#define ID_MAX 64

/** The attributes of a URI that we know; "" when absent. */
struct uri {
	char token[VALUE_MAX], serial[VALUE_MAX], object[VALUE_MAX], type[VALUE_MAX];
	char module[VALUE_MAX], pin_source[VALUE_MAX];
	char id[VALUE_MAX];
	size_t id_len;
};

static const struct {
	const char *name;
	size_t offset;
} attributes[] = {
	{ "token", offsetof(struct uri, token) },
	{ "serial", offsetof(struct uri, serial) },
	{ "object", offsetof(struct uri, object) },
	{ "type", offsetof(struct uri, type) },
	{ "id", offsetof(struct uri, id) },
	{ "module-path", offsetof(struct uri, module) },
	{ "pin-source", offsetof(struct uri, pin_source) },
};

bool cs_token_is_uri(const char *name)
{
	return strncmp(name, "pkcs11:", 7) == 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/** Percent-decode len bytes into out (VALUE_MAX with a NUL); the length, or -1. */
static int decode(const char *in, size_t len, char *out)
{
	int used = 0;

	for (size_t i = 0; i < len; i++) {
		char c = in[i];

		if (c == '%') {
			int hi = i + 1 < len ? hex_digit(in[i + 1]) : -1;
			int lo = i + 2 < len ? hex_digit(in[i + 2]) : -1;

			if (hi < 0 || lo < 0)
				return -1;
			c = (char)(hi * 16 + lo);
			i += 2;
		}
		if (used == VALUE_MAX - 1)
			return -1;
		out[used++] = c;
	}
	out[used] = '\0';
	return used;
}

static enum cs_rc parse_attribute(const char *text, size_t len, struct uri *u, const char *what,
				  struct cs_err *e)
{
	const char *equals = memchr(text, '=', len);
	size_t name_len = equals ? (size_t)(equals - text) : len;

	for (size_t i = 0; equals && i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		int got;

		if (strlen(attributes[i].name) != name_len ||
		    memcmp(attributes[i].name, text, name_len) != 0)
			continue;
		got = decode(equals + 1, len - name_len - 1, (char *)u + attributes[i].offset);
		if (got < 0)
			return CS_FAIL(e, CS_E_CONFIG, "%s: pkcs11: URI: %s is malformed", what,
				       attributes[i].name);
		if (attributes[i].offset == offsetof(struct uri, id))
			u->id_len = (size_t)got;
		return CS_OK;
	}
	return CS_FAIL(e, CS_E_CONFIG,
		       "%s: pkcs11: URI: %.*s is not one of token, serial, object, type, id, "
		       "module-path, pin-source",
		       what, (int)(name_len < 40 ? name_len : 40), text);
}

static enum cs_rc parse_uri(const char *text, struct uri *u, const char *what, struct cs_err *e)
{
	text += strlen("pkcs11:");
	while (*text) {
		size_t len = strcspn(text, ";?&");
		enum cs_rc rc = len > 0 ? parse_attribute(text, len, u, what, e) : CS_OK;

		if (rc)
			return rc;
		text += len;
		text += *text != '\0';
	}
	if (u->type[0] && strcmp(u->type, "private") != 0)
		return CS_FAIL(e, CS_E_CONFIG, "%s: pkcs11: URI: type must be private", what);
	if (u->id_len > ID_MAX)
		return CS_FAIL(e, CS_E_CONFIG, "%s: pkcs11: URI: id is over %d bytes", what,
			       ID_MAX);
	if (!u->object[0] && u->id_len == 0)
		return CS_FAIL(e, CS_E_CONFIG, "%s: pkcs11: URI: name the key by object or id",
			       what);
	return CS_OK;
}

static bool is_slot(const PKCS11_SLOT *slot, const struct uri *u)
{
	const PKCS11_TOKEN *t = slot->token;

	return t && t->initialized &&
	       (!u->token[0] || (t->label && strcmp(t->label, u->token) == 0)) &&
	       (!u->serial[0] || (t->serialnr && strcmp(t->serialnr, u->serial) == 0));
}

/** The one token that the URI names. */
static enum cs_rc find_slot(PKCS11_CTX *ctx, const struct uri *u, const char *what,
			    PKCS11_SLOT **slotp, struct cs_err *e)
{
	PKCS11_SLOT *slots = NULL, *found = NULL;
	unsigned count = 0, matches = 0;

	if (PKCS11_enumerate_slots(ctx, &slots, &count) < 0)
		return CS_FAIL(e, CS_E_HSM, "%s: the PKCS#11 module lists no slots", what);
	for (unsigned i = 0; i < count; i++) {
		if (is_slot(&slots[i], u)) {
			found = &slots[i];
			matches++;
		}
	}
	if (matches != 1)
		return CS_FAIL(e, matches ? CS_E_CONFIG : CS_E_HSM,
			       "%s: %u tokens are what the pkcs11: URI names (token=%s serial=%s); "
			       "it must be one: insert it, or name it exactly",
			       what, matches, u->token, u->serial);
	*slotp = found; /* the list stays until the process ends, like the module */
	return CS_OK;
}

static enum cs_rc read_pin(const struct uri *u, const char *what, struct cs_secret **pinp,
			   struct cs_err *e)
{
	const char *file = u->pin_source;
	char typed[VALUE_MAX];
	enum cs_rc rc;
	int len;

	if (strncmp(file, "file:", 5) == 0)
		file += 5;
	if (file[0])
		return cs_secret_from_file(file, pinp, e);
	len = cs_term_secret(NULL, u->token[0] ? u->token : what, typed, sizeof(typed));
	if (len < 1)
		return CS_FAIL(e, CS_E_CONFIG,
			       "%s: no PIN: add pin-source=file:PATH to the pkcs11: URI, or run "
			       "on a terminal",
			       what);
	rc = cs_secret_from_bytes((struct cs_bytes){ (const uint8_t *)typed, (size_t)len }, pinp,
				  e);
	explicit_bzero(typed, sizeof(typed));
	return rc;
}

static enum cs_rc log_in(PKCS11_SLOT *slot, const struct uri *u, const char *what, struct cs_err *e)
{
	struct cs_secret *pin = NULL;
	char text[VALUE_MAX + 1] = "";
	struct cs_bytes bytes;
	enum cs_rc rc = CS_OK;

	if (!slot->token->loginRequired)
		return CS_OK;
	if (slot->token->userPinLocked)
		return CS_FAIL(e, CS_E_PIN, "%s: the token's PIN is locked", what);
	if (slot->token->userPinFinalTry)
		return CS_FAIL(e, CS_E_PIN,
			       "%s: only one try is left before the token locks: check the PIN "
			       "with the token's own tool first",
			       what);
	rc = read_pin(u, what, &pin, e);
	if (rc)
		return rc;
	bytes = cs_secret_bytes(pin);
	if (bytes.len > VALUE_MAX) {
		rc = CS_FAIL(e, CS_E_PIN, "%s: the PIN is over %d bytes", what, VALUE_MAX);
		goto out;
	}
	memcpy(text, bytes.data, bytes.len); /* libp11 wants a NUL behind it */
	if (PKCS11_login(slot, 0, text) < 0)
		rc = CS_FAIL(e, CS_E_PIN, "%s: the token refused the PIN (%s)", what,
			     ERR_reason_error_string(ERR_peek_last_error()));
out:
	explicit_bzero(text, sizeof(text));
	cs_secret_free(pin);
	return rc;
}

static bool is_key(const PKCS11_KEY *k, const struct uri *u)
{
	return (!u->object[0] || (k->label && strcmp(k->label, u->object) == 0)) &&
	       (u->id_len == 0 || (k->id_len == u->id_len && memcmp(k->id, u->id, u->id_len) == 0));
}

static enum cs_rc find_key(PKCS11_SLOT *slot, const struct uri *u, const char *what,
			   EVP_PKEY **keyp, struct cs_err *e)
{
	PKCS11_KEY *keys = NULL, *found = NULL;
	unsigned count = 0, matches = 0;
	EVP_PKEY *key;

	if (PKCS11_enumerate_keys(slot->token, &keys, &count) < 0)
		return CS_FAIL(
			e, CS_E_UNSUPPORTED,
			"%s: the keys of token %s cannot be listed: libp11 does that when "
			"an Ed25519 key is among them; use a token with EC and RSA keys only",
			what, slot->token->label);
	for (unsigned i = 0; i < count; i++) {
		if (is_key(&keys[i], u)) {
			found = &keys[i];
			matches++;
		}
	}
	if (matches != 1)
		return CS_FAIL(e, matches ? CS_E_CONFIG : CS_E_NOT_FOUND,
			       "%s: %u private keys on token %s are what the pkcs11: URI names; it "
			       "must be one",
			       what, matches, slot->token->label);
	key = PKCS11_get_private_key(found);
	if (!key)
		return CS_FAIL(e, CS_E_UNSUPPORTED, "%s: the key on token %s cannot be used", what,
			       slot->token->label);
	*keyp = key;
	return CS_OK;
}

enum cs_rc cs_token_key(const char *uri, const char *module, const char *what, EVP_PKEY **keyp,
			struct cs_err *e)
{
	struct uri u = { 0 };
	PKCS11_SLOT *slot;
	PKCS11_CTX *ctx;
	enum cs_rc rc = parse_uri(uri, &u, what, e);

	if (rc)
		return rc;
	if (u.module[0])
		module = u.module;
	if (!module)
		return CS_FAIL(e, CS_E_CONFIG,
			       "%s: no PKCS#11 module: add module-path to the pkcs11: URI, or set "
			       "pkcs11_module in the profile",
			       what);
	ctx = PKCS11_CTX_new();
	if (!ctx)
		return CS_FAIL(e, CS_E_NOMEM, "%s", what);
	if (PKCS11_CTX_load(ctx, module) < 0)
		/* the context leaks on purpose: unloading after a failed load crashes */
		return CS_FAIL(e, CS_E_CONFIG, "%s: PKCS#11 module %s cannot be loaded", what,
			       module);
	rc = find_slot(ctx, &u, what, &slot, e);
	rc = rc ? rc : log_in(slot, &u, what, e);
	rc = rc ? rc : find_key(slot, &u, what, keyp, e);
	ERR_clear_error();
	return rc;
}
