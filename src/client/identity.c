/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads and checks the client's certificate and private keys.
 * Must not ask for a pass phrase on its own: OpenSSL's prompt would hang a CI job.
 * See identity.h for the contract.
 */
#include "client/identity.h"

#include <assert.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/buf.h"
#include "base/file.h"

#define PEM_FILE_MAX 65536
#define PASSPHRASE_MAX 256

/** What OpenSSL's pass phrase callback gets and leaves. */
struct asked {
	cs_passphrase_fn *fn;
	void *arg;
	const char *path;
	bool needed;
};

static int ask(char *buf, int size, int rwflag, void *arg)
{
	struct asked *a = arg;
	int len;

	(void)rwflag;
	a->needed = true;
	if (!a->fn || size <= 0)
		return -1;
	len = a->fn(a->arg, a->path, buf, size > PASSPHRASE_MAX ? PASSPHRASE_MAX : (size_t)size);
	return len > size ? -1 : len;
}

static enum cs_rc open_pem(const char *path, struct cs_buf *text, BIO **biop, struct cs_err *e)
{
	enum cs_rc rc = cs_file_read(path, text, e);

	if (rc)
		return rc;
	*biop = BIO_new_mem_buf(text->data, (int)text->len);
	return *biop ? CS_OK : CS_FAIL(e, CS_E_NOMEM, "%s", path);
}

enum cs_rc cs_identity_key(const char *path, const char *what, cs_passphrase_fn *fn, void *arg,
			   EVP_PKEY **keyp, struct cs_err *e)
{
	struct asked asked = { fn, arg, path, false };
	struct cs_buf text;
	BIO *bio = NULL;
	EVP_PKEY *key;
	enum cs_rc rc;

	cs_buf_init(&text, PEM_FILE_MAX);
	rc = open_pem(path, &text, &bio, e);
	if (rc) {
		cs_err_prefix(e, "%s", what);
		goto out;
	}
	key = PEM_read_bio_PrivateKey(bio, NULL, ask, &asked);
	if (!key) {
		rc = CS_FAIL(e, CS_E_CONFIG, "%s %s: %s", what, path,
			     !asked.needed ? "no private key in PEM form in it"
			     : fn          ? "wrong pass phrase, or the file is damaged"
					   : "it is encrypted, and there is nobody to ask for "
					     "its pass phrase");
		goto out;
	}
	*keyp = key;
out:
	ERR_clear_error();
	BIO_free(bio);
	cs_buf_wipe(&text);
	return rc;
}

static enum cs_rc load_certificates(const char *path, struct cs_identity *id, struct cs_err *e)
{
	struct cs_buf text;
	BIO *bio = NULL;
	X509 *next;
	enum cs_rc rc;

	cs_buf_init(&text, PEM_FILE_MAX);
	rc = open_pem(path, &text, &bio, e);
	if (rc) {
		cs_err_prefix(e, "client certificate");
		goto out;
	}
	id->cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	id->chain = sk_X509_new_null();
	if (!id->cert || !id->chain) {
		rc = CS_FAIL(e, CS_E_CONFIG, "client certificate %s: no certificate in PEM form",
			     path);
		goto out;
	}
	while ((next = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
		if (!sk_X509_push(id->chain, next)) {
			X509_free(next);
			rc = CS_FAIL(e, CS_E_NOMEM, "%s", path);
			goto out;
		}
	}
out:
	ERR_clear_error();
	BIO_free(bio);
	cs_buf_done(&text);
	return rc;
}

/** A date as OpenSSL writes it ("Nov 21 11:02:29 2026 GMT"). */
static void date_text(const ASN1_TIME *t, char out[static 40])
{
	BIO *bio = BIO_new(BIO_s_mem());
	int len = bio && ASN1_TIME_print(bio, t) ? BIO_read(bio, out, 39) : 0;

	out[len > 0 ? len : 0] = '\0';
	BIO_free(bio);
}

static enum cs_rc check_certificate(const struct cs_identity *id, const char *path,
				    struct cs_err *e)
{
	uint32_t purposes;
	char date[40];

	if (X509_cmp_current_time(X509_get0_notBefore(id->cert)) >= 0) {
		date_text(X509_get0_notBefore(id->cert), date);
		return CS_FAIL(e, CS_E_CONFIG,
			       "client certificate %s is not valid before %s: check the clock "
			       "of this machine",
			       path, date);
	}
	if (X509_cmp_current_time(X509_get0_notAfter(id->cert)) <= 0) {
		date_text(X509_get0_notAfter(id->cert), date);
		return CS_FAIL(e, CS_E_CONFIG,
			       "client certificate %s expired on %s: ask the operator for a "
			       "new one",
			       path, date);
	}
	purposes = X509_get_extended_key_usage(id->cert);
	if (purposes == UINT32_MAX || !(purposes & XKU_SSL_CLIENT) ||
	    X509_check_purpose(id->cert, X509_PURPOSE_SSL_CLIENT, 0) != 1)
		return CS_FAIL(e, CS_E_CONFIG,
			       "client certificate %s is not for TLS clients: it needs the "
			       "extended key usage clientAuth",
			       path);
	if (X509_check_private_key(id->cert, id->key) != 1)
		return CS_FAIL(e, CS_E_CONFIG,
			       "client certificate %s does not belong to the client key given",
			       path);
	return CS_OK;
}

enum cs_rc cs_identity_load(const struct cs_identity_source *source, struct cs_identity *out,
			    struct cs_err *e)
{
	struct cs_identity id = { 0 };
	enum cs_rc rc;

	assert(source->certificate && (source->key || source->pkey));

	rc = load_certificates(source->certificate, &id, e);
	if (rc)
		goto out;
	if (source->pkey) {
		EVP_PKEY_up_ref(source->pkey);
		id.key = source->pkey;
	} else {
		rc = cs_identity_key(source->key, "client key", source->passphrase,
				     source->passphrase_arg, &id.key, e);
		if (rc)
			goto out;
	}
	rc = check_certificate(&id, source->certificate, e);
	if (rc)
		goto out;
	*out = id;
	id = (struct cs_identity){ 0 }; /* transferred */
out:
	ERR_clear_error();
	cs_identity_done(&id);
	/* whatever is wrong with the files, it is the profile that names them */
	if (rc == CS_E_NOT_FOUND || rc == CS_E_TOO_LARGE || rc == CS_E_IO)
		rc = e ? (e->rc = CS_E_CONFIG) : CS_E_CONFIG;
	return rc;
}

void cs_identity_done(struct cs_identity *id)
{
	X509_free(id->cert);
	sk_X509_pop_free(id->chain, X509_free);
	EVP_PKEY_free(id->key);
	*id = (struct cs_identity){ 0 };
}
