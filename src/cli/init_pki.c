/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PKI of a development instance, by OpenSSL: everything P-256, valid for two years.
 * Must not be used for anything else: the CA's key lies beside its certificates.
 * See init.h for the contract.
 */
#include <stdio.h>
#include <string.h>

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "base/pk.h"
#include "cli/init.h"

#define VALID_SECONDS (2L * 365 * 86400)
#define CLOCK_SLACK_SECONDS 300L /* other machines' clocks */

struct authority {
	X509 *cert;
	EVP_PKEY *key;
};

/** What each kind of certificate says. */
enum kind { KIND_CA, KIND_SERVER, KIND_CLIENT };

static const struct {
	int nid;
	const char *values[3]; /* by kind; NULL: without it */
} extensions[] = {
	{ NID_basic_constraints,
	  { "critical,CA:TRUE,pathlen:0", "critical,CA:FALSE", "critical,CA:FALSE" } },
	{ NID_key_usage,
	  { "critical,keyCertSign,cRLSign", "critical,digitalSignature",
	    "critical,digitalSignature" } },
	{ NID_ext_key_usage, { NULL, "serverAuth", "clientAuth" } },
	{ NID_subject_key_identifier, { "hash", "hash", "hash" } },
	{ NID_authority_key_identifier, { NULL, "keyid:always", "keyid:always" } },
	{ NID_subject_alt_name, { NULL, "DNS:localhost,IP:127.0.0.1,IP:::1", NULL } },
};

/** The clients, who they are in access.yaml, and the word for their certificate's SPKI hash. */
static const struct {
	const char *name, *word;
} clients[] = {
	{ "agent", "AGENT_SPKI" },         { "approver1", "APPROVER1_SPKI" },
	{ "approver2", "APPROVER2_SPKI" }, { "owner1", "OWNER1_SPKI" },
	{ "auditor", "AUDITOR_SPKI" },     { "operator", "OPERATOR_SPKI" },
};

static enum cs_rc crypto_failed(const char *what, struct cs_err *e)
{
	return CS_FAIL(e, CS_E_INTERNAL, "%s: OpenSSL could not make it", what);
}

static bool set_name(X509_NAME *name, const char *common_name)
{
	return X509_NAME_add_entry_by_txt(name, "O", MBSTRING_UTF8,
					  (const unsigned char *)"countersign development", -1, -1,
					  0) == 1 &&
	       X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8,
					  (const unsigned char *)common_name, -1, -1, 0) == 1;
}

static bool set_serial(X509 *cert)
{
	unsigned char bytes[16];
	BIGNUM *n = NULL;
	bool ok = RAND_bytes(bytes, sizeof(bytes)) == 1;

	bytes[0] &= 0x7f; /* positive (RFC 5280 §4.1.2.2) */
	n = ok ? BN_bin2bn(bytes, sizeof(bytes), NULL) : NULL;
	ok = n && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;
	BN_free(n);
	return ok;
}

static bool add_extensions(X509 *cert, X509 *issuer, enum kind kind)
{
	X509V3_CTX ctx = { 0 }; /* no database of names */

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	for (size_t i = 0; i < sizeof(extensions) / sizeof(extensions[0]); i++) {
		const char *value = extensions[i].values[kind];
		X509_EXTENSION *ext;
		bool ok;

		if (!value)
			continue;
		ext = X509V3_EXT_conf_nid(NULL, &ctx, extensions[i].nid, value);
		ok = ext && X509_add_ext(cert, ext, -1) == 1;
		X509_EXTENSION_free(ext);
		if (!ok)
			return false;
	}
	return true;
}

/** A certificate for a new key; ca NULL: signed by itself. The caller owns both outputs. */
static enum cs_rc issue(const char *name, enum kind kind, const struct authority *ca,
			struct authority *out, struct cs_err *e)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509 *issuer = ca ? ca->cert : cert;

	if (key && cert && X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
	    set_name(X509_get_subject_name(cert), name) &&
	    X509_set_issuer_name(cert, X509_get_subject_name(issuer)) == 1 &&
	    X509_gmtime_adj(X509_getm_notBefore(cert), -CLOCK_SLACK_SECONDS) &&
	    X509_gmtime_adj(X509_getm_notAfter(cert), VALID_SECONDS) &&
	    X509_set_pubkey(cert, key) == 1 && add_extensions(cert, issuer, kind) &&
	    X509_sign(cert, ca ? ca->key : key, EVP_sha256()) > 0) {
		out->cert = cert;
		out->key = key;
		return CS_OK;
	}
	X509_free(cert);
	EVP_PKEY_free(key);
	return crypto_failed(name, e);
}

static void authority_done(struct authority *a)
{
	X509_free(a->cert);
	EVP_PKEY_free(a->key);
	*a = (struct authority){ 0 };
}

static enum cs_rc write_bio(const struct cs_init *in, const char *name, BIO *bio, struct cs_err *e)
{
	char *data = NULL;
	long len = BIO_get_mem_data(bio, &data);

	return cs_init_write(in, name, (struct cs_bytes){ (const uint8_t *)data, (size_t)len },
			     0644, e);
}

/** pki/NAME.pem and pki/NAME.key. */
static enum cs_rc write_pair(const struct cs_init *in, const char *name, const struct authority *a,
			     struct cs_err *e)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char path[80];
	enum cs_rc rc;

	snprintf(path, sizeof(path), "pki/%s.pem", name);
	if (!bio || PEM_write_bio_X509(bio, a->cert) != 1)
		rc = crypto_failed(path, e);
	else
		rc = write_bio(in, path, bio, e);
	BIO_free(bio);
	snprintf(path, sizeof(path), "pki/%s.key", name);
	return rc ? rc : cs_init_write_key(in, path, a->key, e);
}

static bool fill_crl(X509_CRL *crl, const struct authority *ca, ASN1_TIME *last, ASN1_TIME *next)
{
	ASN1_INTEGER *number = ASN1_INTEGER_new();
	X509V3_CTX ctx = { 0 };
	X509_EXTENSION *akid;
	bool ok;

	X509V3_set_ctx(&ctx, ca->cert, NULL, NULL, crl, 0);
	akid = X509V3_EXT_conf_nid(NULL, &ctx, NID_authority_key_identifier, "keyid:always");
	ok = number && akid && ASN1_INTEGER_set(number, 1) == 1 &&
	     X509_CRL_set_version(crl, X509_CRL_VERSION_2) == 1 &&
	     X509_CRL_set_issuer_name(crl, X509_get_subject_name(ca->cert)) == 1 &&
	     X509_CRL_set1_lastUpdate(crl, last) == 1 && X509_CRL_set1_nextUpdate(crl, next) == 1 &&
	     X509_CRL_add_ext(crl, akid, -1) == 1 &&
	     X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0) == 1 &&
	     X509_CRL_sort(crl) == 1 && X509_CRL_sign(crl, ca->key, EVP_sha256()) > 0;
	ASN1_INTEGER_free(number);
	X509_EXTENSION_free(akid);
	return ok;
}

/** An empty list, as valid as the certificates: a stale one would refuse every client. */
static enum cs_rc write_crl(const struct cs_init *in, const struct authority *ca, struct cs_err *e)
{
	ASN1_TIME *last = X509_gmtime_adj(NULL, -CLOCK_SLACK_SECONDS);
	ASN1_TIME *next = X509_gmtime_adj(NULL, VALID_SECONDS);
	X509_CRL *crl = X509_CRL_new();
	BIO *bio = BIO_new(BIO_s_mem());
	enum cs_rc rc;

	if (last && next && crl && bio && fill_crl(crl, ca, last, next) &&
	    PEM_write_bio_X509_CRL(bio, crl) == 1)
		rc = write_bio(in, "pki/crl.pem", bio, e);
	else
		rc = crypto_failed("pki/crl.pem", e);
	BIO_free(bio);
	X509_CRL_free(crl);
	ASN1_TIME_free(last);
	ASN1_TIME_free(next);
	return rc;
}

/** The word that access.yaml names a client's certificate by. */
static enum cs_rc note_spki(struct cs_init *in, const char *word, EVP_PKEY *key, struct cs_err *e)
{
	char hex[CS_SHA256_HEX];
	struct cs_sha256 hash;
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(key, &der);

	if (len < 1)
		return crypto_failed(word, e);
	hash = cs_sha256((struct cs_bytes){ der, (size_t)len });
	OPENSSL_free(der);
	cs_sha256_hex(&hash, hex);
	return cs_init_word(in, word, e, "%s", hex);
}

/** Issue and write one certificate. */
static enum cs_rc make(struct cs_init *in, const char *name, enum kind kind,
		       const struct authority *ca, const char *word, struct cs_err *e)
{
	struct authority a = { 0 };
	enum cs_rc rc = issue(name, kind, ca, &a, e);

	rc = rc ? rc : write_pair(in, name, &a, e);
	if (!rc && word)
		rc = note_spki(in, word, a.key, e);
	authority_done(&a);
	return rc;
}

enum cs_rc cs_init_pki(struct cs_init *in, struct cs_err *e)
{
	struct authority ca = { 0 };
	enum cs_rc rc;

	rc = cs_init_mkdir(in, "pki", 0755, e);
	rc = rc ? rc : issue("CA", KIND_CA, NULL, &ca, e);
	rc = rc ? rc : write_pair(in, "ca", &ca, e);
	rc = rc ? rc : write_crl(in, &ca, e);
	rc = rc ? rc : make(in, "server", KIND_SERVER, &ca, NULL, e);
	for (size_t i = 0; !rc && i < sizeof(clients) / sizeof(clients[0]); i++)
		rc = make(in, clients[i].name, KIND_CLIENT, &ca, clients[i].word, e);
	authority_done(&ca);
	return rc;
}
