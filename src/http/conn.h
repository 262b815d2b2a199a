/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's state and one connection's: what server.c, conn.c and reaper.c share.
 * A connection belongs to one thread at a time: its event loop, or, while suspended, the worker or
 * the core's list of waiters that holds it. The reaper only looks at `deadline` and the socket.
 */
#ifndef CS_HTTP_CONN_H
#define CS_HTTP_CONN_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/queue.h"
#include "http/guard.h"
#include "http/http.h"
#include "http/metrics.h"
#include "http/problem.h"
#include "http/route.h"
#include "http/sources.h"
#include "http/tls.h"

struct cs_conn;

/** A thread that runs what a queue brings. */
struct cs_worker {
	struct cs_http *http;
	struct cs_queue *queue; /* borrowed */
	pthread_t thread;
};

struct cs_http {
	struct cs_core *core;
	struct cs_http_config config; /* strings owned */
	struct MHD_Daemon *daemon;
	unsigned port;
	struct cs_metrics_listener *metrics; /* NULL without */
	struct cs_http_counters counters;
	/* of connections with something to do; never full. Reads have threads of their own, so that
	 * nobody who reads keeps others from signing */
	struct cs_queue *writes, *reads;
	size_t worker_count;
	struct cs_worker *workers;
	struct cs_sources *sources; /* who failed to authenticate */
	pthread_t reaper;
	bool has_reaper;
	pthread_mutex_t lock; /* conns, tls; wake for the reaper */
	pthread_cond_t wake;
	bool ending;             /* tells the reaper to end; under lock */
	struct cs_conn *conns;   /* all that are open */
	struct cs_tls *tls;      /* in force for new connections */
	struct cs_tls *prepared; /* by cs_http_prepare; the main thread's */
	atomic_uint generation;  /* counts loads of tls */
	atomic_bool stopping;    /* nothing new is accepted, replies close */
	atomic_llong in_flight;  /* requests begun and not yet answered */
	atomic_llong resuming;   /* threads that hand a connection back at this moment */
	atomic_llong long_polls; /* parked */
};

/** How far the request of a connection is. */
enum cs_step {
	CS_STEP_HEAD,  /* the target was seen, headers come */
	CS_STEP_BODY,  /* admitted; the body comes */
	CS_STEP_WORK,  /* suspended: queued, with a worker, or parked */
	CS_STEP_REPLY, /* response made, to be queued by the event loop */
};

struct cs_conn {
	struct cs_http *http;
	struct MHD_Connection *mhd;
	int fd;
	struct cs_conn *next, *prev; /* under http->lock */
	atomic_llong deadline;       /* cs_clock_mono; the reaper ends the connection then */
	char source[48];             /* address of the client */
	uint64_t source_key;         /* the same in http->sources */

	/* who; set in the handshake, renewed by cs_conn_authenticate */
	struct cs_tls *tls; /* of the handshake; the session borrows its credentials */
	bool met;           /* a client certificate was seen */
	bool proven;        /* and that the client has its key */
	bool refused;       /* the core knows why */
	bool served;        /* a request has ended */
	struct cs_chain chain;
	struct cs_peer peer;
	unsigned checked;         /* generation that the chain was checked under */
	struct cs_access *access; /* that principal was found in; NULL: nobody yet */
	const struct cs_principal *principal;

	/* the request */
	enum cs_step step;
	int64_t queued;              /* cs_clock_mono: when it was given to the workers */
	char target[CS_URI_MAX + 2]; /* one more than allowed, so that too long shows */
	struct cs_uri uri;
	const struct cs_route *route;
	struct cs_call call;
	struct cs_job job; /* on the core's pool, and its answer: for a starter */
	struct cs_answer answer;
	struct cs_submission *submission; /* owned; kept for the next one */
	struct cs_buf body;
	bool body_too_large;
	int64_t discarded;   /* bytes of a body that is too large */
	int64_t retry_after; /* seconds, with CS_E_RATE of a read */
	bool close;          /* answer with Connection: close */
	bool woken;          /* was parked, and has been woken */
	bool late;           /* it began after the stop did */
	char idempotency_key[CS_IDEMPOTENCY_KEY_MAX + 1];

	/* the response */
	struct MHD_Response *response;
	size_t response_len;
	unsigned status;
};

/* --- conn.c: a connection and who is behind it --- */

/** An address as text, for people. @param out  struct cs_conn's source */
void cs_conn_name_source(const struct sockaddr *address, char out[static 48]);
/** NULL without memory. The caller links it into http->conns. */
struct cs_conn *cs_conn_new(struct cs_http *h, struct MHD_Connection *mhd);
void cs_conn_free(struct cs_conn *c);
/** The client is not let in, for one of cs_tls_reason: count it, tell the core, and let its address
 * wait if that happens often. */
void cs_conn_refused(struct cs_conn *c, const char *reason);
/** Forget the request that ended; the body's storage stays. */
void cs_conn_reset(struct cs_conn *c);
/**
 * Who is it, by the access list, the CRLs and the clock as they are now? What did not change since
 * the last request is not computed again. Refusals are told to the core.
 */
enum cs_rc cs_conn_authenticate(struct cs_conn *c, struct cs_err *e) CS_MUST_CHECK;

/* --- admit.c: from the head of a request to its row --- */

/**
 * Guard, who, row, role, query, length and type of the body, in this order. Fills route and call,
 * and `close` when the connection must end.
 *
 * @param allow  filled with CS_REFUSE_METHOD
 * @return CS_OK, another enum cs_rc or an enum cs_http_refusal
 */
unsigned cs_conn_admit(struct cs_conn *c, const char *method, const char *version,
		       struct cs_buf *allow, struct cs_err *e) CS_MUST_CHECK;

/* --- work.c: what the worker threads do --- */

/** Body of a worker thread; arg is its struct cs_worker. */
void *cs_http_work(void *arg);
/** Hand a suspended connection over: to a worker, or, for a starter, to the core's pool. False when
 * there is no place or no memory for it. */
bool cs_http_begin(struct cs_conn *c);

/* --- reply.c: responses; without memory c->response stays NULL and the connection ends --- */

/** From an answer, whose body is taken. */
void cs_reply_answer(struct cs_conn *c, struct cs_answer *a);
/**
 * A problem document; incidents are logged.
 *
 * @param code   enum cs_rc or enum cs_http_refusal
 * @param a      rule, id and retry_after are used; may be NULL
 * @param allow  with CS_REFUSE_METHOD, else NULL
 */
void cs_reply_problem(struct cs_conn *c, unsigned code, const char *detail,
		      const struct cs_answer *a, const char *allow);

/* --- reaper.c: ends connections that are over their deadline, watches the CRLs --- */

/** Body of the reaper's thread; arg is the struct cs_http. */
void *cs_http_reap(void *arg);

/* --- listen.c --- */

/** A listening socket for "host:port" or "[v6]:port". */
enum cs_rc cs_http_listen(const char *where, int *fdp, unsigned *portp,
			  struct cs_err *e) CS_MUST_CHECK;
/** Is a socket bound to a loopback address? */
bool cs_http_is_loopback(int fd);

#endif
