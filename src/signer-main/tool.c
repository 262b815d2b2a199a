/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator does with a token besides running a signer: make keys, print their entries,
 * check. Only keygen changes anything on a token.
 */
#include "signer-main/tool.h"

#include <string.h>

#include "base/clock.h"
#include "base/enc.h"
#include "p11/p11.h"
#include "signer-main/child.h"
#include "signer-main/marker.h"

#define TOOL_CALL_US (300 * CS_SECOND) /* a token may take minutes for an RSA key */

/* open the token and log in, as a person would: no marker, one try */
static enum cs_rc open_token(const struct cs_options *o, bool writable, struct cs_p11 **pp,
			     struct cs_err *e)
{
	const struct cs_p11_config config = { o->module, o->label, o->serial, TOOL_CALL_US };
	struct cs_secret *pin = NULL;
	struct cs_p11 *p11 = NULL;
	enum cs_rc rc;

	rc = cs_secret_from_file(o->pin_file, &pin, e);
	if (rc == CS_OK)
		rc = cs_p11_open(&config, writable, &p11, e);
	if (rc == CS_OK)
		rc = cs_p11_login(p11, pin, e);
	cs_secret_free(pin);
	if (rc != CS_OK) {
		cs_p11_close(p11);
		return rc;
	}
	*pp = p11;
	return CS_OK;
}

static void print_token(const struct cs_p11 *p11, struct cs_buf *out)
{
	struct cs_p11_token_info info;

	cs_p11_token_info(p11, &info);
	cs_buf_addf(out, "# %s %s\ntokens:\n", info.manufacturer, info.model);
	cs_buf_addf(out, "  - name: NAME\n    label: \"%s\"\n    serial: \"%s\"\n", info.label,
		    info.serial);
	cs_buf_add_str(out, "    environment: dev|prod\nkeys:\n");
}

/* an entry with the format and hash that fit best; what else fits stands beside it */
static void print_key(const char *name, struct cs_bytes cka_id, const struct cs_pk *pk,
		      struct cs_buf *out)
{
	static const struct {
		const char *hash, *format;
	} rows[] = {
		[CS_ALG_NONE] = { "", "" },
		[CS_ALG_RSA_3072] = { "sha256", "rsa-pss # or rsa-pkcs1; hash sha384 or sha512" },
		[CS_ALG_RSA_4096] = { "sha256", "rsa-pss # or rsa-pkcs1; hash sha384 or sha512" },
		[CS_ALG_P256] = { "sha256", "ecdsa" },
		[CS_ALG_P384] = { "sha384", "ecdsa" },
		[CS_ALG_ED25519] = { "sha256", "ed25519-digest # or hash sha512" },
	};
	enum cs_alg alg = cs_pk_alg(pk);

	cs_buf_addf(out, "  - name: %s\n    token: NAME\n    cka_id: \"", name);
	cs_buf_add_hex(out, cka_id.data, cka_id.len);
	cs_buf_addf(out, "\"\n    algorithm: %s\n    hash: %s\n    format: %s\n", cs_alg_name(alg),
		    rows[alg].hash, rows[alg].format);
	cs_buf_add_str(out, "    public_key: ");
	cs_buf_add_base64(out, cs_pk_spki(pk).data, cs_pk_spki(pk).len);
	cs_buf_add_char(out, '\n');
}

enum cs_rc cs_tool_keygen(const struct cs_options *o, struct cs_buf *out, struct cs_err *e)
{
	uint8_t bytes[CS_CKA_ID_MAX];
	struct cs_bytes cka_id = { bytes, strlen(o->id) / 2 };
	struct cs_p11 *p11 = NULL;
	struct cs_pk *pk = NULL;
	enum cs_rc rc;

	if (!cs_hex_decode(o->id, bytes, cka_id.len))
		return CS_FAIL(e, CS_E_CONFIG, "--id: not lower-case hexadecimal");
	rc = open_token(o, true, &p11, e);
	if (rc == CS_OK)
		rc = cs_p11_keygen(p11, o->algorithm, cka_id, o->name, &pk, e);
	if (rc == CS_OK) {
		print_token(p11, out);
		print_key(o->name, cka_id, pk, out);
	}
	cs_pk_free(pk);
	cs_p11_close(p11);
	return rc;
}

static void print_listed(void *arg, const struct cs_p11_listed *key)
{
	struct cs_bytes cka_id = { key->cka_id, key->cka_id_len };
	struct cs_buf *out = arg;

	if (!key->pk) {
		cs_buf_add_str(out, "  # CKA_ID ");
		cs_buf_add_hex(out, cka_id.data, cka_id.len);
		cs_buf_addf(out, " (%s): not an algorithm of ours, or no public key beside it\n",
			    key->label);
		return;
	}
	print_key(key->label[0] ? key->label : "NAME", cka_id, key->pk, out);
	if (!key->local)
		cs_buf_add_str(out, "    imported: true # it was not made on this token\n");
	if (!key->sensitive || (key->local && !key->never_extractable))
		cs_buf_add_str(out, "    # refused: its value was or is not protected\n");
	if (key->always_authenticate)
		cs_buf_add_str(out, "    # refused: CKA_ALWAYS_AUTHENTICATE\n");
}

enum cs_rc cs_tool_describe(const struct cs_options *o, struct cs_buf *out, struct cs_err *e)
{
	struct cs_p11 *p11 = NULL;
	enum cs_rc rc = open_token(o, false, &p11, e);

	if (rc == CS_OK) {
		print_token(p11, out);
		rc = cs_p11_list(p11, print_listed, out, e);
	}
	cs_p11_close(p11);
	return rc;
}

enum cs_rc cs_tool_check(const struct cs_options *o, struct cs_buf *out, struct cs_err *e)
{
	const struct cs_p11_config config = { o->module, o->label, o->serial, o->call_us };
	struct cs_accepted accepted = { 0 };
	struct cs_p11_token_info info;
	struct cs_p11 *p11 = NULL;
	struct cs_marker marker;
	bool software = false;
	enum cs_rc rc;

	rc = cs_accepted_load(o, &accepted, e);
	if (rc == CS_OK)
		rc = cs_p11_open(&config, false, &p11, e);
	if (rc != CS_OK)
		goto out;
	cs_p11_token_info(p11, &info);
	rc = cs_child_check_token(o, &accepted, &info, &software, e);
	if (rc == CS_OK)
		rc = cs_marker_init(&marker, o->state, info.serial, o->pin_origin, e);
	if (rc == CS_OK)
		rc = cs_marker_check(&marker, &info, e);
	if (rc != CS_OK)
		goto out;
	cs_buf_addf(out, "ok: token %s (%s %s%s), policy version %lld; the PIN was not tried\n",
		    o->token, info.manufacturer, info.model, software ? ", software" : "",
		    (long long)accepted.policy->version);
out:
	cs_p11_close(p11);
	cs_policy_unref(accepted.policy);
	return rc;
}

enum cs_rc cs_tool_clear(const struct cs_options *o, struct cs_buf *out, struct cs_err *e)
{
	enum cs_rc rc = cs_marker_clear(o->state, e);

	if (rc == CS_OK)
		cs_buf_add_str(out, "the PIN may be tried once more\n");
	return rc;
}
