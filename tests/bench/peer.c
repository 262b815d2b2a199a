/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS by OpenSSL, HTTP as little as it takes to find the end of an answer.
 * Must not wait in peer_send and peer_receive. See peer.h.
 */
#include "bench/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/text.h"

#define HEAD_END "\r\n\r\n"

struct peer_tls {
	SSL_CTX *ctx;
};

static enum cs_rc tls_failed(const char *what, struct cs_err *e)
{
	const char *reason = ERR_reason_error_string(ERR_get_error());

	return CS_FAIL(e, CS_E_IO, "%s: %s", what, reason ? reason : strerror(errno));
}

enum cs_rc peer_tls_new(const char *ca, const char *certificate, const char *key,
			struct peer_tls **tp, struct cs_err *e)
{
	struct peer_tls *t = calloc(1, sizeof(*t));
	enum cs_rc rc = CS_OK;

	if (!t)
		return CS_FAIL(e, CS_E_NOMEM, "TLS");
	t->ctx = SSL_CTX_new(TLS_client_method());
	if (!t->ctx)
		rc = tls_failed("TLS", e);
	else if (SSL_CTX_load_verify_locations(t->ctx, ca, NULL) != 1)
		rc = tls_failed(ca, e);
	else if (SSL_CTX_use_certificate_chain_file(t->ctx, certificate) != 1)
		rc = tls_failed(certificate, e);
	else if (SSL_CTX_use_PrivateKey_file(t->ctx, key, SSL_FILETYPE_PEM) != 1)
		rc = tls_failed(key, e);
	if (rc != CS_OK) {
		peer_tls_free(t);
		return rc;
	}
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_read_ahead(t->ctx, 1); /* an answer with one call instead of four */
	SSL_CTX_set_mode(t->ctx,
			 SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	*tp = t;
	return CS_OK;
}

void peer_tls_free(struct peer_tls *t)
{
	if (t)
		SSL_CTX_free(t->ctx);
	free(t);
}

static enum cs_rc connect_socket(uint16_t port, int *fdp, struct cs_err *e)
{
	const struct sockaddr_in address = { .sin_family = AF_INET,
					     .sin_port = htons(port),
					     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	const int on = 1;

	*fdp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fdp < 0 || setsockopt(*fdp, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) != 0 ||
	    connect(*fdp, (const struct sockaddr *)&address, sizeof(address)) != 0)
		return CS_FAIL(e, CS_E_IO, "127.0.0.1:%u: %s", port, strerror(errno));
	return CS_OK;
}

enum cs_rc peer_open(struct peer *p, struct peer_tls *t, uint16_t port, struct cs_err *e)
{
	int fd = -1;
	enum cs_rc rc = connect_socket(port, &fd, e);

	if (rc == CS_OK) {
		p->ssl = SSL_new(t->ctx);
		if (!p->ssl || SSL_set_fd(p->ssl, fd) != 1 ||
		    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(p->ssl), "127.0.0.1") != 1)
			rc = tls_failed("TLS", e);
	}
	if (rc != CS_OK) {
		if (fd >= 0 && (!p->ssl || SSL_get_fd(p->ssl) < 0))
			close(fd);
		return rc;
	}
	if (SSL_connect(p->ssl) != 1)
		return tls_failed("TLS handshake", e);
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0)
		return CS_FAIL(e, CS_E_IO, "socket: %s", strerror(errno));
	return CS_OK;
}

void peer_close(struct peer *p)
{
	const int fd = p->ssl ? SSL_get_fd(p->ssl) : -1;

	SSL_free(p->ssl);
	p->ssl = NULL;
	if (fd >= 0)
		close(fd);
}

int peer_fd(const struct peer *p)
{
	return SSL_get_fd(p->ssl);
}

void peer_reset(struct peer *p)
{
	p->len = p->head_len = p->body_len = 0;
	p->status = 0;
}

/* CS_OK when it is only too early */
static enum cs_rc wants_more(struct peer *p, int result, struct cs_err *e)
{
	const int error = SSL_get_error(p->ssl, result);

	if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return CS_OK;
	if (error == SSL_ERROR_ZERO_RETURN)
		return CS_FAIL(e, CS_E_CLOSED, "the server closed the connection");
	return tls_failed("connection", e);
}

enum cs_rc peer_send(struct peer *p, struct cs_bytes data, size_t *sent, struct cs_err *e)
{
	while (*sent < data.len) {
		size_t n = 0;
		int result = SSL_write_ex(p->ssl, data.data + *sent, data.len - *sent, &n);

		if (result != 1)
			return wants_more(p, result, e);
		*sent += n;
	}
	return CS_OK;
}

/* the value of a header line, or NULL */
static const char *header(const struct peer *p, const char *name)
{
	const char *line = p->answer;

	while ((line = strstr(line, "\r\n")) != NULL && line < p->answer + p->head_len) {
		line += 2;
		if (strncasecmp(line, name, strlen(name)) == 0)
			return line + strlen(name);
	}
	return NULL;
}

static enum cs_rc read_number(const char *text, int64_t lo, int64_t hi, int64_t *out,
			      struct cs_err *e)
{
	char digits[12] = "";
	size_t len = text ? strspn(text, "0123456789") : 0;

	if (len < sizeof(digits) && len > 0)
		memcpy(digits, text, len);
	if (!cs_text_to_int(digits, lo, hi, out))
		return CS_FAIL(e, CS_E_INVALID,
			       "an answer without status or Content-Length, or of more than %d "
			       "bytes",
			       PEER_ANSWER_MAX);
	return CS_OK;
}

static enum cs_rc read_head(struct peer *p, struct cs_err *e)
{
	const char *end = strstr(p->answer, HEAD_END);
	int64_t status = 0, length = 0;
	enum cs_rc rc;

	if (!end)
		return CS_OK;
	p->head_len = (size_t)(end - p->answer) + strlen(HEAD_END);
	rc = read_number(p->answer + strlen("HTTP/1.1 "), 100, 599, &status, e);
	if (rc == CS_OK)
		rc = read_number(header(p, "Content-Length: "), 0,
				 (int64_t)(PEER_ANSWER_MAX - p->head_len), &length, e);
	p->status = (int)status;
	p->body_len = (size_t)length;
	return rc;
}

enum cs_rc peer_receive(struct peer *p, bool *done, struct cs_err *e)
{
	enum cs_rc rc = CS_OK;

	*done = false;
	while (rc == CS_OK && !*done) {
		size_t n = 0;
		int result;

		if (p->len == PEER_ANSWER_MAX)
			return CS_FAIL(e, CS_E_TOO_LARGE, "an answer of more than %d bytes",
				       PEER_ANSWER_MAX);
		result = SSL_read_ex(p->ssl, p->answer + p->len, PEER_ANSWER_MAX - p->len, &n);
		if (result != 1)
			return wants_more(p, result, e);
		p->len += n;
		p->answer[p->len] = '\0';
		if (p->head_len == 0)
			rc = read_head(p, e);
		*done = p->head_len > 0 && p->len == p->head_len + p->body_len;
	}
	return rc;
}

int peer_status(const struct peer *p)
{
	return p->status;
}

const char *peer_body(const struct peer *p)
{
	return p->answer + p->head_len;
}
