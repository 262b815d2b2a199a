/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listening socket.
 * Must not listen on more addresses than it was told: one name, one address.
 * See conn.h for the contract.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/text.h"
#include "http/conn.h"

#define BACKLOG 511

struct where {
	char host[256];
	const char *service;
};

static enum cs_rc split(const char *text, struct where *w, struct cs_err *e)
{
	const char *colon = strrchr(text, ':');
	const char *host = text;
	size_t len;
	int64_t port;

	if (!colon || !cs_text_to_int(colon + 1, 0, 65535, &port))
		return CS_FAIL(e, CS_E_CONFIG, "listen \"%s\": write HOST:PORT or [IPV6]:PORT",
			       text);
	len = (size_t)(colon - text);
	if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
	} else if (memchr(host, ':', len)) {
		return CS_FAIL(e, CS_E_CONFIG, "listen \"%s\": write an IPv6 address in [brackets]",
			       text);
	}
	if (len == 0 || len >= sizeof(w->host))
		return CS_FAIL(e, CS_E_CONFIG, "listen \"%s\": the host is missing or too long",
			       text);
	memcpy(w->host, host, len);
	w->host[len] = '\0';
	w->service = colon + 1;
	return CS_OK;
}

static int open_socket(const struct addrinfo *ai)
{
	int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, saved;

	if (fd < 0)
		return -1;
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) == 0 &&
	    bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

/* What a socket is bound to. */
static bool own_address(int fd, union address *address)
{
	socklen_t len = sizeof(*address);

	address->any.sa_family = AF_UNSPEC;
	return getsockname(fd, &address->any, &len) == 0;
}

bool cs_http_is_loopback(int fd)
{
	union address address;

	if (!own_address(fd, &address))
		return false;
	if (address.any.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&address.v6.sin6_addr);
	return address.any.sa_family == AF_INET &&
	       ntohl(address.v4.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static unsigned port_of(int fd)
{
	union address address;

	if (!own_address(fd, &address))
		return 0;
	return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port
						       : address.v4.sin_port);
}

enum cs_rc cs_http_listen(const char *where, int *fdp, unsigned *portp, struct cs_err *e)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE };
	struct addrinfo *found = NULL;
	struct where w = { .service = NULL };
	enum cs_rc rc = split(where, &w, e);
	int error, fd;

	if (rc != CS_OK)
		return rc;
	error = getaddrinfo(w.host, w.service, &hints, &found);
	if (error != 0)
		return CS_FAIL(e, CS_E_CONFIG, "listen \"%s\": %s", where, gai_strerror(error));
	fd = open_socket(found);
	freeaddrinfo(found);
	if (fd < 0)
		return CS_FAIL(e, CS_E_CONFIG, "listen \"%s\": %s", where, strerror(errno));
	*fdp = fd;
	*portp = port_of(fd);
	return CS_OK;
}
