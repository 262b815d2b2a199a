/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load generator: one thread, N kept mTLS connections to this machine, each POST a new request.
 * Counts an answer only if it is 201, of its own request and with a signature; never tries again.
 * See docs/PERFORMANCE.md. Prints "begin" when it starts to measure, then one line of JSON.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"
#include "base/jcs.h"
#include "base/text.h"
#include "bench/histogram.h"
#include "bench/peer.h"

#define CONNECTIONS_MAX 1024
#define STATUS_MAX 600
#define HEAD_MAX 1024
#define BODY_MAX 65536
#define DIGEST "@DIGEST@" /* what the body's template has in its place */
#define DIGEST_LEN 32
#define DIGEST_HEX (2 * DIGEST_LEN)
#define DRAIN_US (10 * CS_SECOND) /* for answers that are under way at the end */

struct options {
	const char *body, *ca, *certificate, *key;
	int64_t port, connections, rate, count, seconds_ms, warmup_ms;
};

/* A connection and the request on it. The request's bytes stay, only its digest changes. */
struct conn {
	struct peer peer;
	struct cs_buf request;
	size_t key_at, digest_at; /* where the digest stands in it: Idempotency-Key, body */
	size_t sent;
	int64_t due; /* when the request should have left */
	bool busy;
};

struct load {
	struct options o;
	int epoll;
	struct conn *conns;
	int64_t idle[CONNECTIONS_MAX]; /* connections without a request */
	int64_t idle_count;
	uint8_t digest[DIGEST_LEN]; /* a random start, and a number in its first bytes */
	int64_t started, answered;
	int64_t begin, end; /* of what is measured */
	int64_t next_due;   /* with a rate: of the next request */
	int64_t signatures; /* within begin and end */
	int64_t cpu_begin;  /* µs that this process had used */
	int64_t statuses[STATUS_MAX];
	int64_t lost; /* answers that are not what was asked for, and broken connections */
	char reason[CS_ERR_MSG_MAX];
	struct histogram latency;
};

/* --- requests --------------------------------------------------------------------------------- */

static enum cs_rc build_request(const struct load *l, struct cs_bytes template, struct conn *c,
				struct cs_err *e)
{
	const char *text = (const char *)template.data;
	const char *mark = memmem(text, template.len, DIGEST, strlen(DIGEST));
	char zeros[DIGEST_HEX + 1];
	size_t before, after;

	if (!mark)
		return CS_FAIL(e, CS_E_CONFIG, "%s: has no %s", l->o.body, DIGEST);
	before = (size_t)(mark - text);
	after = template.len - before - strlen(DIGEST);
	memset(zeros, '0', DIGEST_HEX);
	zeros[DIGEST_HEX] = '\0';
	cs_buf_init(&c->request, HEAD_MAX + BODY_MAX);
	cs_buf_addf(&c->request,
		    "POST /v1/requests HTTP/1.1\r\nHost: 127.0.0.1:%lld\r\n"
		    "Content-Type: application/json\r\nContent-Length: %zu\r\nIdempotency-Key: ",
		    (long long)l->o.port, before + DIGEST_HEX + after);
	c->key_at = c->request.len;
	cs_buf_addf(&c->request, "%s\r\n\r\n", zeros);
	cs_buf_add(&c->request, text, before);
	c->digest_at = c->request.len;
	cs_buf_add_str(&c->request, zeros);
	cs_buf_add(&c->request, mark + strlen(DIGEST), after);
	return cs_buf_ok(&c->request, l->o.body, e);
}

static void next_digest(struct load *l, struct conn *c)
{
	char hex[DIGEST_HEX + 1];

	memcpy(l->digest, &l->started, sizeof(l->started));
	cs_hex_encode(l->digest, DIGEST_LEN, hex);
	memcpy(c->request.data + c->key_at, hex, DIGEST_HEX);
	memcpy(c->request.data + c->digest_at, hex, DIGEST_HEX);
}

static bool has(const char *body, const char *text, size_t len)
{
	return memmem(body, strlen(body), text, len) != NULL;
}

/* The state says that it is signed, the digest that it is the answer to this request. */
static bool is_right(const struct conn *c)
{
	static const char state[] = "\"state\":\"signed\"", signatures[] = "\"signatures\":[\"";
	const char *body = peer_body(&c->peer);

	return has(body, state, strlen(state)) && has(body, signatures, strlen(signatures)) &&
	       has(body, (const char *)c->request.data + c->digest_at, DIGEST_HEX);
}

/* --- the loop --------------------------------------------------------------------------------- */

static void lose(struct load *l, const char *reason)
{
	l->lost++;
	if (l->reason[0] == '\0')
		snprintf(l->reason, sizeof(l->reason), "%s", reason);
}

static void finish(struct load *l, struct conn *c)
{
	const int64_t now = cs_clock_mono();
	const int status = peer_status(&c->peer);

	c->busy = false;
	l->idle[l->idle_count++] = c - l->conns;
	l->answered++;
	l->statuses[status]++;
	if (status != 201 || !is_right(c)) {
		lose(l, peer_body(&c->peer));
	} else if (now >= l->begin && now < l->end) {
		l->signatures++;
		histogram_add(&l->latency, now - c->due);
	}
}

/* Send and receive as far as it goes without waiting. A broken connection is not used again. */
static void go_on(struct load *l, struct conn *c)
{
	struct cs_err e = { 0 };
	bool done = false;
	enum cs_rc rc = CS_OK;

	if (!c->busy)
		return;
	if (c->sent < c->request.len)
		rc = peer_send(&c->peer, cs_buf_bytes(&c->request), &c->sent, &e);
	if (rc == CS_OK && c->sent == c->request.len)
		rc = peer_receive(&c->peer, &done, &e);
	if (rc != CS_OK) {
		c->busy = false;
		lose(l, e.msg);
	} else if (done) {
		finish(l, c);
	}
}

static void start(struct load *l, int64_t due)
{
	struct conn *c = &l->conns[l->idle[--l->idle_count]];

	l->started++;
	next_digest(l, c);
	peer_reset(&c->peer);
	c->sent = 0;
	c->due = due;
	c->busy = true;
	go_on(l, c);
}

static bool may_start(const struct load *l, int64_t now)
{
	return l->idle_count > 0 && l->lost == 0 && now < l->end &&
	       (l->o.count == 0 || l->started < l->o.count);
}

/* Every connection its next request; with a rate, one each time that it is due: latency then counts
 * from there, also when no connection was free. */
static void start_due(struct load *l)
{
	int64_t now = cs_clock_mono();

	while (may_start(l, now) && (l->o.rate == 0 || l->next_due <= now)) {
		start(l, l->o.rate == 0 ? now : l->next_due);
		if (l->o.rate > 0)
			l->next_due += CS_SECOND / l->o.rate;
		now = cs_clock_mono();
	}
}

static bool is_over(const struct load *l)
{
	const int64_t now = cs_clock_mono();

	if (l->started == l->answered + l->lost || now >= l->end + DRAIN_US)
		return now >= l->end || l->lost > 0 || (l->o.count > 0 && l->started >= l->o.count);
	return false;
}

static enum cs_rc wait_for_events(struct load *l, struct cs_err *e)
{
	struct epoll_event events[64];
	struct timespec ts = { .tv_nsec = 100 * 1000000 };
	const int64_t left = l->next_due - cs_clock_mono();
	int n;

	if (l->o.rate > 0 && l->idle_count > 0 && left < CS_SECOND / 10)
		ts.tv_nsec = left > 0 ? left * 1000 : 0;
	n = epoll_pwait2(l->epoll, events, 64, &ts, NULL);
	if (n < 0 && errno != EINTR)
		return CS_FAIL(e, CS_E_IO, "epoll: %s", strerror(errno));
	for (int i = 0; i < n; i++)
		go_on(l, &l->conns[events[i].data.u64]);
	return CS_OK;
}

static int64_t cpu_us(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * CS_SECOND + u.ru_utime.tv_usec +
	       u.ru_stime.tv_usec;
}

/* From here on the caller looks at the other processes, and we at ourselves. */
static void say_begin(struct load *l)
{
	l->cpu_begin = cpu_us();
	printf("begin %lld\n", (long long)l->answered);
	fflush(stdout);
}

static enum cs_rc run(struct load *l, struct cs_err *e)
{
	enum cs_rc rc = CS_OK;
	bool begun = false;

	l->next_due = cs_clock_mono();
	l->begin = l->next_due + l->o.warmup_ms * 1000;
	l->end = l->begin + l->o.seconds_ms * 1000;
	while (rc == CS_OK && !is_over(l)) {
		start_due(l);
		rc = wait_for_events(l, e);
		if (!begun && cs_clock_mono() >= l->begin) {
			begun = true;
			say_begin(l);
		}
	}
	return rc;
}

/* --- start and end ---------------------------------------------------------------------------- */

static enum cs_rc add_connection(struct load *l, struct peer_tls *tls, struct cs_bytes template,
				 int64_t i, struct cs_err *e)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET,
				     .data.u64 = (uint64_t)i };
	struct conn *c = &l->conns[i];
	enum cs_rc rc = build_request(l, template, c, e);

	if (rc == CS_OK)
		rc = peer_open(&c->peer, tls, (uint16_t)l->o.port, e);
	if (rc == CS_OK && epoll_ctl(l->epoll, EPOLL_CTL_ADD, peer_fd(&c->peer), &event) != 0)
		rc = CS_FAIL(e, CS_E_IO, "epoll: %s", strerror(errno));
	l->idle[l->idle_count++] = i;
	return rc;
}

static enum cs_rc connect_all(struct load *l, struct peer_tls *tls, struct cs_err *e)
{
	struct cs_buf template;
	enum cs_rc rc;

	cs_buf_init(&template, BODY_MAX);
	rc = cs_file_read(l->o.body, &template, e);
	if (rc == CS_OK && getrandom(l->digest, DIGEST_LEN, 0) != DIGEST_LEN)
		rc = CS_FAIL(e, CS_E_INTERNAL, "getrandom: %s", strerror(errno));
	l->conns = calloc((size_t)l->o.connections, sizeof(*l->conns));
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (rc == CS_OK && (!l->conns || l->epoll < 0))
		rc = CS_FAIL(e, CS_E_NOMEM, "connections: %s", strerror(errno));
	for (int64_t i = 0; rc == CS_OK && i < l->o.connections; i++)
		rc = add_connection(l, tls, cs_buf_bytes(&template), i, e);
	cs_buf_done(&template);
	return rc;
}

static void print(const struct load *l)
{
	static const int percents[] = { 50, 90, 99 };
	char name[16];
	struct cs_buf out;
	struct cs_jw w;

	cs_buf_init(&out, 65536);
	cs_jw_init(&w, &out);
	cs_jw_object(&w, NULL);
	cs_jw_int(&w, "answers", l->answered);
	cs_jw_int(&w, "connections", l->o.connections);
	cs_jw_int(&w, "cpu_us", cpu_us() - l->cpu_begin);
	cs_jw_int(&w, "lost", l->lost);
	cs_jw_int(&w, "max_us", l->latency.max);
	for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++) {
		snprintf(name, sizeof(name), "p%d_us", percents[i]);
		cs_jw_int(&w, name, histogram_percentile(&l->latency, percents[i]));
	}
	cs_jw_int(&w, "per_second", l->signatures * 1000 / l->o.seconds_ms);
	cs_jw_str(&w, "reason", l->reason);
	cs_jw_int(&w, "signatures", l->signatures);
	cs_jw_object(&w, "statuses");
	for (int i = 0; i < STATUS_MAX; i++) {
		snprintf(name, sizeof(name), "%03d", i);
		if (l->statuses[i] > 0)
			cs_jw_int(&w, name, l->statuses[i]);
	}
	cs_jw_end_object(&w);
	cs_jw_end_object(&w);
	printf("%s\n", cs_buf_str(&out));
	cs_buf_done(&out);
}

static const struct {
	const char *name;
	size_t offset;
	bool required;
	int64_t lo, hi; /* of a number; 0, 0: text */
} rows[] = {
	{ "--body", offsetof(struct options, body), true, 0, 0 },
	{ "--ca", offsetof(struct options, ca), true, 0, 0 },
	{ "--certificate", offsetof(struct options, certificate), true, 0, 0 },
	{ "--key", offsetof(struct options, key), true, 0, 0 },
	{ "--port", offsetof(struct options, port), true, 1, 65535 },
	{ "--connections", offsetof(struct options, connections), true, 1, CONNECTIONS_MAX },
	{ "--milliseconds", offsetof(struct options, seconds_ms), true, 1, 600000 },
	{ "--warmup", offsetof(struct options, warmup_ms), false, 0, 600000 },
	{ "--rate", offsetof(struct options, rate), false, 1, CS_SECOND },
	{ "--count", offsetof(struct options, count), false, 1, INT64_MAX },
};

static bool read_option(struct options *o, unsigned *seen, const char *name, const char *value)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		void *target = (char *)o + rows[i].offset;

		if (strcmp(name, rows[i].name) != 0)
			continue;
		*seen |= 1U << i;
		if (rows[i].hi > 0)
			return cs_text_to_int(value, rows[i].lo, rows[i].hi, target);
		*(const char **)target = value;
		return true;
	}
	return false;
}

static bool read_options(int argc, char **argv, struct options *o)
{
	unsigned seen = 0;
	bool ok = argc % 2 == 1;

	for (int i = 1; ok && i + 1 < argc; i += 2) {
		ok = read_option(o, &seen, argv[i], argv[i + 1]);
		if (!ok)
			fprintf(stderr, "load: %s %s is no option, or out of range\n", argv[i],
				argv[i + 1]);
	}
	for (size_t i = 0; ok && i < sizeof(rows) / sizeof(rows[0]); i++) {
		ok = !rows[i].required || (seen & (1U << i));
		if (!ok)
			fprintf(stderr, "load: %s is missing\n", rows[i].name);
	}
	return ok;
}

int main(int argc, char **argv)
{
	static struct load l;
	struct peer_tls *tls = NULL;
	struct cs_err e = { 0 };
	enum cs_rc rc;

	l.epoll = -1;
	if (!read_options(argc, argv, &l.o))
		return 2;
	rc = peer_tls_new(l.o.ca, l.o.certificate, l.o.key, &tls, &e);
	if (rc == CS_OK)
		rc = connect_all(&l, tls, &e);
	if (rc == CS_OK)
		rc = run(&l, &e);
	if (rc == CS_OK)
		print(&l);
	else
		fprintf(stderr, "load: %s\n", e.msg);
	for (int64_t i = 0; l.conns && i < l.o.connections; i++) {
		peer_close(&l.conns[i].peer);
		cs_buf_done(&l.conns[i].request);
	}
	free(l.conns);
	if (l.epoll >= 0)
		close(l.epoll);
	peer_tls_free(tls);
	return rc == CS_OK && l.lost == 0 ? 0 : 1;
}
