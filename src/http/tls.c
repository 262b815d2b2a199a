/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loading of certificate, key, client CAs and CRLs into a generation of credentials.
 * Must not resolve URIs: GnuTLS is given bytes that were read here, and a key never comes from a
 * token. See tls.h for the contract, peer.c for the check of clients.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <gnutls/pkcs11.h>

#include "base/clock.h"
#include "base/file.h"
#include "http/tls_internal.h"

#define PEM_MAX (4U << 20)

enum cs_rc cs_tls_global_init(struct cs_err *e)
{
	int error = gnutls_pkcs11_init(GNUTLS_PKCS11_FLAG_MANUAL, NULL);

	if (error < 0)
		return CS_FAIL(e, CS_E_INTERNAL, "GnuTLS: %s", gnutls_strerror(error));
	return CS_OK;
}

static gnutls_datum_t datum_of(const struct cs_buf *b)
{
	return (gnutls_datum_t){ .data = b->data, .size = (unsigned)b->len };
}

static enum cs_rc read_pem(const char *path, struct cs_buf *out, struct cs_err *e)
{
	struct cs_err cause;

	if (strncmp(path, "pkcs11:", strlen("pkcs11:")) == 0)
		return CS_FAIL(e, CS_E_CONFIG,
			       "%s: TLS keys of the daemon are files; it loads no PKCS#11 module",
			       path);
	if (cs_file_read(path, out, &cause) != CS_OK)
		return CS_FAIL(e, CS_E_CONFIG, "%s", cause.msg);
	return CS_OK;
}

static enum cs_rc check_key_mode(const char *path, struct cs_err *e)
{
	struct stat st;

	if (stat(path, &st) == 0 && (st.st_mode & (S_IROTH | S_IWOTH)) != 0)
		return CS_FAIL(e, CS_E_CONFIG,
			       "%s: the private key is open to everybody; chmod o= it", path);
	return CS_OK;
}

static enum cs_rc load_server(struct cs_tls *t, const struct cs_tls_files *files, struct cs_err *e)
{
	struct cs_buf certificate, key;
	gnutls_datum_t certificate_datum, key_datum;
	enum cs_rc rc;
	int error;

	cs_buf_init(&certificate, PEM_MAX);
	cs_buf_init(&key, PEM_MAX);
	rc = check_key_mode(files->key, e);
	if (rc == CS_OK)
		rc = read_pem(files->certificate, &certificate, e);
	if (rc == CS_OK)
		rc = read_pem(files->key, &key, e);
	if (rc != CS_OK)
		goto out;
	certificate_datum = datum_of(&certificate);
	error = gnutls_x509_crt_init(&t->certificate);
	if (error == 0)
		error = gnutls_x509_crt_import(t->certificate, &certificate_datum,
					       GNUTLS_X509_FMT_PEM);
	key_datum = datum_of(&key);
	if (error == 0)
		error = gnutls_certificate_allocate_credentials(&t->server);
	if (error == 0)
		error = gnutls_certificate_set_x509_key_mem2(
			t->server, &certificate_datum, &key_datum, GNUTLS_X509_FMT_PEM, NULL, 0);
	if (error < 0)
		rc = CS_FAIL(e, CS_E_CONFIG, "%s with %s: %s", files->certificate, files->key,
			     gnutls_strerror(error));
out:
	cs_buf_done(&certificate);
	cs_buf_wipe(&key);
	return rc;
}

static enum cs_rc check_anchor(gnutls_x509_crt_t crt, const char *path, unsigned index,
			       struct cs_err *e)
{
	const char *weakness = cs_tls_weakness(crt);
	unsigned critical;

	if (weakness)
		return CS_FAIL(e, CS_E_CONFIG, "%s: certificate %u: %s", path, index + 1, weakness);
	if (gnutls_x509_crt_get_ca_status(crt, &critical) <= 0)
		return CS_FAIL(e, CS_E_CONFIG,
			       "%s: certificate %u is not a CA (basicConstraints CA:TRUE)", path,
			       index + 1);
	return CS_OK;
}

static enum cs_rc load_anchors(struct cs_tls *t, const char *path, struct cs_err *e)
{
	struct cs_buf pem;
	gnutls_datum_t datum;
	enum cs_rc rc;
	int error;

	cs_buf_init(&pem, PEM_MAX);
	rc = read_pem(path, &pem, e);
	if (rc != CS_OK)
		goto out;
	datum = datum_of(&pem);
	error = gnutls_x509_crt_list_import2(&t->anchors, &t->anchor_count, &datum,
					     GNUTLS_X509_FMT_PEM, 0);
	if (error < 0) {
		rc = CS_FAIL(e, CS_E_CONFIG, "%s: no CA certificates in PEM: %s", path,
			     gnutls_strerror(error));
		goto out;
	}
	for (unsigned i = 0; i < t->anchor_count && rc == CS_OK; i++)
		rc = check_anchor(t->anchors[i], path, i, e);
	if (rc != CS_OK)
		goto out;
	error = gnutls_x509_trust_list_init(&t->trust, 0);
	if (error == 0 && gnutls_x509_trust_list_add_cas(t->trust, t->anchors, t->anchor_count,
							 GNUTLS_TL_NO_DUPLICATES) < 1)
		error = GNUTLS_E_INTERNAL_ERROR;
	if (error == 0)
		error = gnutls_certificate_set_x509_trust(t->server, t->anchors,
							  (int)t->anchor_count);
	if (error < 0)
		rc = CS_FAIL(e, CS_E_CONFIG, "%s: %s", path, gnutls_strerror(error));
out:
	cs_buf_done(&pem);
	return rc;
}

/* A critical extension that we do not know may say that the list is not the whole one. */
static enum cs_rc check_crl_extensions(gnutls_x509_crl_t crl, const char *path, struct cs_err *e)
{
	for (unsigned i = 0;; i++) {
		char oid[128];
		size_t size = sizeof(oid);
		unsigned critical = 0;
		int error = gnutls_x509_crl_get_extension_info(crl, i, oid, &size, &critical);

		if (error == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			return CS_OK;
		if (error < 0)
			return CS_FAIL(e, CS_E_CONFIG, "%s: %s", path, gnutls_strerror(error));
		if (critical)
			return CS_FAIL(e, CS_E_CONFIG,
				       "%s: critical extension %s is not supported: give complete "
				       "CRLs, each signed by its CA",
				       path, oid);
	}
}

/* GnuTLS 3.7 silently ignores a CRL that is outdated or not signed by a CA it trusts. */
static enum cs_rc check_crl(struct cs_tls *t, gnutls_x509_crl_t crl, const char *path, int64_t now,
			    struct cs_err *e)
{
	time_t issued = gnutls_x509_crl_get_this_update(crl);
	time_t next = gnutls_x509_crl_get_next_update(crl);
	char text[CS_TIME_TEXT];
	unsigned status = 0;

	if (issued == (time_t)-1 || next == (time_t)-1)
		return CS_FAIL(e, CS_E_CONFIG, "%s: a CRL has no thisUpdate or no nextUpdate",
			       path);
	if ((int64_t)issued * CS_SECOND > now) {
		cs_time_text((int64_t)issued * CS_SECOND, text);
		return CS_FAIL(e, CS_E_CONFIG, "%s: a CRL is of the future (%s)", path, text);
	}
	if ((int64_t)next * CS_SECOND <= now) {
		cs_time_text((int64_t)next * CS_SECOND, text);
		return CS_FAIL(e, CS_E_CONFIG, "%s: a CRL is outdated since %s; fetch a new one",
			       path, text);
	}
	if (gnutls_x509_crl_verify(crl, t->anchors, t->anchor_count, 0, &status) < 0 || status != 0)
		return CS_FAIL(e, CS_E_CONFIG,
			       "%s: a CRL is not signed by a CA of the client CAs' file, or by a "
			       "weak algorithm",
			       path);
	if ((int64_t)next * CS_SECOND < t->crl_until)
		t->crl_until = (int64_t)next * CS_SECOND;
	return check_crl_extensions(crl, path, e);
}

static enum cs_rc load_crls(struct cs_tls *t, const char *path, int64_t now, struct cs_err *e)
{
	struct cs_buf pem;
	gnutls_datum_t datum;
	enum cs_rc rc;
	int error;

	if (!path)
		return CS_OK;
	cs_buf_init(&pem, PEM_MAX);
	rc = read_pem(path, &pem, e);
	if (rc != CS_OK)
		goto out;
	datum = datum_of(&pem);
	error = gnutls_x509_crl_list_import2(&t->crls, &t->crl_count, &datum, GNUTLS_X509_FMT_PEM,
					     0);
	if (error < 0 || t->crl_count == 0) {
		rc = CS_FAIL(e, CS_E_CONFIG, "%s: no CRLs in PEM: %s", path,
			     gnutls_strerror(error));
		goto out;
	}
	for (unsigned i = 0; i < t->crl_count && rc == CS_OK; i++)
		rc = check_crl(t, t->crls[i], path, now, e);
out:
	cs_buf_done(&pem);
	return rc;
}

enum cs_rc cs_tls_load(const struct cs_tls_files *files, int64_t now, struct cs_tls **tp,
		       struct cs_err *e)
{
	struct cs_tls *t = calloc(1, sizeof(*t));
	enum cs_rc rc;

	if (!t)
		return CS_FAIL(e, CS_E_NOMEM, "TLS credentials");
	t->refs = 1;
	t->crl_until = INT64_MAX;
	rc = load_server(t, files, e);
	if (rc == CS_OK)
		rc = load_anchors(t, files->client_ca, e);
	if (rc == CS_OK)
		rc = load_crls(t, files->client_crl, now, e);
	if (rc != CS_OK)
		goto out;
	*tp = t;
	t = NULL; /* transferred */
out:
	cs_tls_unref(t);
	return rc;
}

struct cs_tls *cs_tls_ref(struct cs_tls *t)
{
	__atomic_add_fetch(&t->refs, 1, __ATOMIC_RELAXED);
	return t;
}

void cs_tls_unref(struct cs_tls *t)
{
	if (!t || __atomic_sub_fetch(&t->refs, 1, __ATOMIC_ACQ_REL) > 0)
		return;
	if (t->trust)
		gnutls_x509_trust_list_deinit(t->trust, 0);
	for (unsigned i = 0; i < t->anchor_count; i++)
		gnutls_x509_crt_deinit(t->anchors[i]);
	gnutls_free(t->anchors);
	for (unsigned i = 0; i < t->crl_count; i++)
		gnutls_x509_crl_deinit(t->crls[i]);
	gnutls_free(t->crls);
	if (t->certificate)
		gnutls_x509_crt_deinit(t->certificate);
	if (t->server)
		gnutls_certificate_free_credentials(t->server);
	free(t);
}

int64_t cs_tls_crl_until(const struct cs_tls *t)
{
	return t->crl_until;
}

static void tell_certificate(gnutls_x509_crt_t crt, const char *kind, cs_certificate_fn *fn,
			     void *arg)
{
	const int64_t to = (int64_t)gnutls_x509_crt_get_expiration_time(crt);
	gnutls_datum_t name = { NULL, 0 };

	if (gnutls_x509_crt_get_dn3(crt, &name, 0) < 0)
		return;
	fn(arg, kind, (const char *)name.data,
	   to >= 0 && to < INT64_MAX / CS_SECOND ? to * CS_SECOND : INT64_MAX);
	gnutls_free(name.data);
}

void cs_tls_each_certificate(const struct cs_tls *t, cs_certificate_fn *fn, void *arg)
{
	tell_certificate(t->certificate, "server", fn, arg);
	for (unsigned i = 0; i < t->anchor_count; i++)
		tell_certificate(t->anchors[i], "client-ca", fn, arg);
}

enum cs_rc cs_tls_attach(struct cs_tls *t, gnutls_session_t session, struct cs_err *e)
{
	int error = gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, t->server);

	if (error < 0)
		return CS_FAIL(e, CS_E_NOMEM, "TLS session: %s", gnutls_strerror(error));
	gnutls_certificate_server_set_request(session, GNUTLS_CERT_REQUIRE);
	return CS_OK;
}
