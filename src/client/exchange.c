/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTPS connection by libcurl and OpenSSL, with the client's certificate.
 * Must not follow redirects, use proxies or speak anything but HTTPS.
 * See exchange.h for the contract.
 */
#include "client/exchange.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>
#include <openssl/ssl.h>

#include "base/text.h"

#define CONNECT_SECONDS 10L
#define URL_MAX 512

struct cs_exchange {
	CURL *curl;
	char *url; /* without a slash at the end */
	char *ca;
	struct cs_identity id;
	int alert; /* the last TLS alert received (RFC 8446 §6), or -1 */
	char detail[CURL_ERROR_SIZE];
};

/** TLS alerts in words; the number is RFC 8446's. */
static const struct {
	int alert;
	const char *words;
} alerts[] = {
	{ SSL_AD_HANDSHAKE_FAILURE, "the server and this client share no TLS parameters" },
	{ SSL_AD_BAD_CERTIFICATE, "the server refuses our certificate as bad" },
	{ SSL_AD_UNSUPPORTED_CERTIFICATE, "the server refuses the kind of our certificate" },
	{ SSL_AD_CERTIFICATE_REVOKED,
	  "our certificate was revoked: ask the operator for a new one" },
	{ SSL_AD_CERTIFICATE_EXPIRED, "the server says that our certificate has expired" },
	{ SSL_AD_CERTIFICATE_UNKNOWN, "the server does not accept our certificate" },
	{ SSL_AD_UNKNOWN_CA, "the server does not know the CA of our certificate" },
	{ SSL_AD_ACCESS_DENIED, "the server denies access to our certificate" },
	{ SSL_AD_DECRYPT_ERROR, "the server could not verify that we hold our certificate's key" },
	{ SSL_AD_PROTOCOL_VERSION, "the server refuses our TLS version" },
	{ 116, "the server demands a client certificate and got none" }, /* certificate_required */
};

/** libcurl's errors that have a better code than "lost"; the rest are CS_E_CLOSED. */
static const struct {
	CURLcode code;
	enum cs_rc rc;
	const char *words;
} failures[] = {
	{ CURLE_COULDNT_RESOLVE_HOST, CS_E_UNAVAILABLE, "the host name is not known" },
	{ CURLE_COULDNT_CONNECT, CS_E_UNAVAILABLE, "nobody answers" },
	{ CURLE_OPERATION_TIMEDOUT, CS_E_TIMEOUT, "no answer in time" },
	{ CURLE_PEER_FAILED_VERIFICATION, CS_E_SIGNATURE,
	  "the server's certificate is not trusted: check `ca` and the host name of the profile" },
	{ CURLE_SSL_CACERT_BADFILE, CS_E_CONFIG, "the CA file of the profile cannot be used" },
	{ CURLE_SSL_CERTPROBLEM, CS_E_CONFIG, "the client certificate cannot be used" },
	{ CURLE_OUT_OF_MEMORY, CS_E_NOMEM, "out of memory" },
	{ CURLE_UNSUPPORTED_PROTOCOL, CS_E_CONFIG, "only https is spoken" },
};

static void note_alert(const SSL *ssl, int where, int ret)
{
	struct cs_exchange *x = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (x && (where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT &&
	    (ret & 0xff) != SSL_AD_CLOSE_NOTIFY)
		x->alert = ret & 0xff;
}

/** libcurl made a context for a new connection: give it our identity. */
static CURLcode prepare_tls(CURL *curl, void *sslctx, void *arg)
{
	struct cs_exchange *x = arg;
	SSL_CTX *ctx = sslctx;

	(void)curl;
	if (SSL_CTX_set_app_data(ctx, x) != 1 ||
	    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_use_cert_and_key(ctx, x->id.cert, x->id.key, x->id.chain, 1) != 1)
		return CURLE_SSL_CERTPROBLEM;
	SSL_CTX_set_info_callback(ctx, note_alert);
	return CURLE_OK;
}

static size_t take_body(char *data, size_t size, size_t n, void *arg)
{
	struct cs_exchange_reply *r = arg;

	cs_buf_add(&r->body, data, size * n);
	return r->body.failed ? 0 : size * n;
}

/** The value of a header line when it has this name; its length in *lenp. */
static const char *header_value(const char *line, size_t len, const char *name, size_t *lenp)
{
	size_t n = strlen(name);

	if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
		return NULL;
	line += n + 1;
	len -= n + 1;
	while (len > 0 && (*line == ' ' || *line == '\t')) {
		line++;
		len--;
	}
	while (len > 0 && strchr(" \t\r\n", line[len - 1]))
		len--;
	*lenp = len;
	return line;
}

static size_t take_header(char *data, size_t size, size_t n, void *arg)
{
	struct cs_exchange_reply *r = arg;
	const char *value;
	char text[16];
	size_t len;

	value = header_value(data, size * n, "Idempotent-Replay", &len);
	if (value)
		r->replay = len == 4 && memcmp(value, "true", 4) == 0;
	value = header_value(data, size * n, "Retry-After", &len);
	if (value && len < sizeof(text)) {
		memcpy(text, value, len);
		text[len] = '\0';
		if (!cs_text_to_int(text, 0, 86400, &r->retry_after))
			r->retry_after = 0;
	}
	return size * n;
}

/** Scheme https, a host, perhaps a port, and nothing else. */
static enum cs_rc check_url(const char *url, struct cs_err *e)
{
	static const CURLUPart absent[] = { CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_QUERY,
					    CURLUPART_FRAGMENT };
	CURLU *u = curl_url();
	char *path = NULL;
	bool ok = u && strlen(url) <= URL_MAX && strncmp(url, "https://", 8) == 0 &&
		  curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
		  curl_url_get(u, CURLUPART_PATH, &path, 0) == CURLUE_OK && strcmp(path, "/") == 0;

	for (size_t i = 0; ok && i < sizeof(absent) / sizeof(absent[0]); i++) {
		char *part = NULL;

		ok = curl_url_get(u, absent[i], &part, 0) != CURLUE_OK;
		curl_free(part);
	}
	curl_free(path);
	curl_url_cleanup(u);
	return ok ? CS_OK
		  : CS_FAIL(e, CS_E_CONFIG, "server URL %.100s: must be https://HOST[:PORT]", url);
}

static bool set_options(struct cs_exchange *x)
{
	CURL *c = x->curl;

	return !curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https") &&
	       !curl_easy_setopt(c, CURLOPT_NOPROXY, "*") &&
	       !curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) &&
	       !curl_easy_setopt(c, CURLOPT_TCP_NODELAY, 1L) &&
	       !curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L) &&
	       !curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) &&
	       !curl_easy_setopt(c, CURLOPT_USERAGENT, "countersign/" PACKAGE_VERSION) &&
	       !curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS) &&
	       !curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) &&
	       !curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) &&
	       !curl_easy_setopt(c, CURLOPT_CAINFO, x->ca) &&
	       !curl_easy_setopt(c, CURLOPT_CAPATH, NULL) &&
	       !curl_easy_setopt(c, CURLOPT_SSL_CTX_FUNCTION, prepare_tls) &&
	       !curl_easy_setopt(c, CURLOPT_SSL_CTX_DATA, x) &&
	       !curl_easy_setopt(c, CURLOPT_ERRORBUFFER, x->detail) &&
	       !curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body) &&
	       !curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
}

enum cs_rc cs_exchange_open(const char *url, const char *ca, struct cs_identity *id,
			    struct cs_exchange **xp, struct cs_err *e)
{
	struct cs_exchange *x = NULL;
	enum cs_rc rc;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return CS_FAIL(e, CS_E_INTERNAL, "libcurl cannot be initialised");
	rc = check_url(url, e);
	if (rc)
		goto out;
	x = calloc(1, sizeof(*x));
	if (x) {
		x->curl = curl_easy_init();
		x->url = strdup(url);
		x->ca = strdup(ca);
		x->alert = -1;
	}
	if (!x || !x->curl || !x->url || !x->ca || !set_options(x)) {
		rc = CS_FAIL(e, CS_E_NOMEM, "HTTPS client");
		goto out;
	}
	for (size_t len = strlen(x->url); len > 0 && x->url[len - 1] == '/'; len--)
		x->url[len - 1] = '\0';
	x->id = *id;
	*id = (struct cs_identity){ 0 }; /* transferred */
	*xp = x;
	x = NULL; /* transferred */
out:
	cs_exchange_close(x);
	return rc;
}

void cs_exchange_close(struct cs_exchange *x)
{
	if (!x)
		return;
	curl_easy_cleanup(x->curl);
	cs_identity_done(&x->id);
	free(x->url);
	free(x->ca);
	free(x);
}

void cs_exchange_reply_init(struct cs_exchange_reply *r)
{
	*r = (struct cs_exchange_reply){ 0 };
	cs_buf_init(&r->body, CS_REPLY_MAX);
}

void cs_exchange_reply_done(struct cs_exchange_reply *r)
{
	cs_buf_done(&r->body);
}

static enum cs_rc explain(const struct cs_exchange *x, CURLcode code,
			  const struct cs_exchange_reply *reply, struct cs_err *e)
{
	for (size_t i = 0; x->alert >= 0 && i < sizeof(alerts) / sizeof(alerts[0]); i++) {
		if (alerts[i].alert == x->alert)
			return CS_FAIL(e, CS_E_UNAUTHENTICATED, "%s: %s", x->url, alerts[i].words);
	}
	if (x->alert >= 0)
		return CS_FAIL(e, CS_E_UNAUTHENTICATED, "%s: TLS alert %d from the server", x->url,
			       x->alert);
	if (reply->body.failed)
		return CS_FAIL(e, CS_E_TOO_LARGE, "%s: an answer of more than %u bytes", x->url,
			       CS_REPLY_MAX);
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		if (failures[i].code == code)
			return CS_FAIL(e, failures[i].rc, "%s: %s (%s)", x->url, failures[i].words,
				       x->detail[0] ? x->detail : curl_easy_strerror(code));
	}
	return CS_FAIL(e, CS_E_CLOSED, "%s: the connection was lost (%s)", x->url,
		       x->detail[0] ? x->detail : curl_easy_strerror(code));
}

/** Append a header line unless an earlier one failed. */
static void add_header(struct curl_slist **list, const char *line, bool *ok)
{
	struct curl_slist *longer = *ok ? curl_slist_append(*list, line) : NULL;

	*ok = longer != NULL;
	if (longer)
		*list = longer;
}

static enum cs_rc add_headers(const struct cs_exchange_request *req, bool post,
			      struct curl_slist **list, struct cs_err *e)
{
	struct cs_buf line;
	bool ok = true;

	cs_buf_init(&line, 256);
	add_header(list, "Accept: application/json, application/problem+json, */*", &ok);
	add_header(list, "Expect:", &ok); /* no 100-continue */
	if (post)
		add_header(list, "Content-Type: application/json", &ok);
	if (req->idempotency_key) {
		cs_buf_addf(&line, "Idempotency-Key: %s", req->idempotency_key);
		add_header(list, cs_buf_str(&line), &ok);
	}
	if (line.failed)
		ok = false;
	cs_buf_done(&line);
	return ok ? CS_OK : CS_FAIL(e, CS_E_NOMEM, "HTTPS request");
}

static bool set_request(CURL *curl, const struct cs_exchange_request *req, bool post)
{
	if (curl_easy_setopt(curl, CURLOPT_TIMEOUT, req->seconds) ||
	    curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L))
		return false;
	return !post ||
	       (!curl_easy_setopt(curl, CURLOPT_POST, 1L) &&
		!curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)req->body.len) &&
		!curl_easy_setopt(curl, CURLOPT_POSTFIELDS,
				  req->body.len > 0 ? (const char *)req->body.data : ""));
}

enum cs_rc cs_exchange_call(struct cs_exchange *x, const struct cs_exchange_request *req,
			    struct cs_exchange_reply *reply, struct cs_err *e)
{
	bool post = strcmp(req->method, "POST") == 0;
	struct curl_slist *headers = NULL;
	struct cs_buf url;
	CURLcode code;
	enum cs_rc rc;

	assert(req->path[0] == '/' && (post || strcmp(req->method, "GET") == 0));

	cs_buf_init(&url, 4096);
	cs_buf_addf(&url, "%s%s", x->url, req->path);
	rc = cs_buf_ok(&url, "URL", e);
	rc = rc ? rc : add_headers(req, post, &headers, e);
	if (rc)
		goto out;
	if (!set_request(x->curl, req, post) ||
	    curl_easy_setopt(x->curl, CURLOPT_URL, cs_buf_str(&url)) ||
	    curl_easy_setopt(x->curl, CURLOPT_HTTPHEADER, headers) ||
	    curl_easy_setopt(x->curl, CURLOPT_WRITEDATA, reply) ||
	    curl_easy_setopt(x->curl, CURLOPT_HEADERDATA, reply)) {
		rc = CS_FAIL(e, CS_E_NOMEM, "HTTPS request");
		goto out;
	}
	x->alert = -1;
	x->detail[0] = '\0';
	code = curl_easy_perform(x->curl);
	if (code != CURLE_OK)
		rc = explain(x, code, reply, e);
	else if (curl_easy_getinfo(x->curl, CURLINFO_RESPONSE_CODE, &reply->status) != CURLE_OK)
		rc = CS_FAIL(e, CS_E_INTERNAL, "%s: no status in the answer", x->url);
out:
	curl_easy_setopt(x->curl, CURLOPT_HTTPHEADER, NULL); /* the list goes now */
	curl_slist_free_all(headers);
	cs_buf_done(&url);
	return rc;
}
