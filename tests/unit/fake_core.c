/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fake core. What it is told (refusals, checks) goes to standard output, one line each, so that
 * tests read it there.
 */
#include "unit/fake_core.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/jcs.h"

#define WAITERS_MAX 64
#define TICK_NS 5000000
#define ANSWER_MAX (8U << 20)

struct waiter {
	int64_t revision, deadline;
	cs_core_wake_fn *fn;
	void *arg;
};

struct cs_core {
	pthread_mutex_t lock;
	pthread_t ticker;
	struct cs_pool *pool;
	bool ending, draining, cancelled;
	struct cs_access *access;
	int64_t revision;
	size_t waiter_count;
	struct waiter waiters[WAITERS_MAX];
};

static void tell(const char *what, const char *text, const char *more)
{
	printf("%s %s %s\n", what, text, more);
	fflush(stdout);
}

/* Wake those whose time has come, outside the lock: they may call in again at once. */
static void wake_due(struct cs_core *c)
{
	struct waiter due[WAITERS_MAX];
	size_t count = 0, kept = 0;

	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < c->waiter_count; i++) {
		struct waiter *w = &c->waiters[i];

		if (c->draining || w->revision != c->revision || cs_clock_mono() >= w->deadline)
			due[count++] = *w;
		else
			c->waiters[kept++] = *w;
	}
	c->waiter_count = kept;
	pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < count; i++)
		due[i].fn(due[i].arg);
}

static void *tick(void *arg)
{
	struct cs_core *c = arg;
	bool ending = false;

	while (!ending) {
		nanosleep(&(struct timespec){ .tv_nsec = TICK_NS }, NULL);
		wake_due(c);
		pthread_mutex_lock(&c->lock);
		ending = c->ending;
		pthread_mutex_unlock(&c->lock);
	}
	return NULL;
}

struct cs_core *fake_core_new(void)
{
	struct cs_core *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	pthread_mutex_init(&c->lock, NULL);
	c->revision = 1;
	c->access = cs_access_new();
	if (c->access && cs_pool_new(2, &c->pool, NULL) == CS_OK &&
	    pthread_create(&c->ticker, NULL, tick, c) == 0)
		return c;
	cs_pool_free(c->pool);
	cs_access_unref(c->access);
	free(c);
	return NULL;
}

void fake_core_free(struct cs_core *c)
{
	pthread_mutex_lock(&c->lock);
	c->ending = true;
	pthread_mutex_unlock(&c->lock);
	pthread_join(c->ticker, NULL);
	cs_pool_free(c->pool);
	cs_access_unref(c->access);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

void cs_core_drain(struct cs_core *c)
{
	pthread_mutex_lock(&c->lock);
	c->draining = true;
	pthread_mutex_unlock(&c->lock);
}

/* --- access --- */

/* The next word of a line into out; false when there is none or it is too long. */
static bool take_word(const char **line, char *out, size_t size)
{
	size_t len = strcspn(*line, " \n");

	if (len == 0 || len >= size)
		return false;
	memcpy(out, *line, len);
	out[len] = '\0';
	*line += len + ((*line)[len] == ' ');
	return true;
}

static bool parse_principal(const char *line, struct cs_principal *p)
{
	char role[16], spki[CS_SHA256_HEX];

	if (!take_word(&line, p->name, sizeof(p->name)) || !take_word(&line, role, sizeof(role)) ||
	    !take_word(&line, spki, sizeof(spki)))
		return false;
	p->certs = calloc(1, sizeof(*p->certs));
	if (!p->certs)
		return false;
	p->cert_count = 1;
	p->certs[0].by_spki = true;
	p->role = cs_role_from_name(role);
	return p->role != CS_ROLE_NONE && cs_sha256_from_hex(spki, &p->certs[0].spki);
}

struct cs_access *fake_access_parse(const char *text)
{
	struct cs_access *a = cs_access_new();

	for (const char *line = text; a && *line;
	     line += strcspn(line, "\n"), line += *line == '\n') {
		struct cs_principal *more = realloc(a->principals, (a->count + 1) * sizeof(*more));

		if (!more)
			break;
		a->principals = more;
		memset(&more[a->count], 0, sizeof(*more));
		a->count++;
		if (!parse_principal(line, &more[a->count - 1])) {
			cs_access_unref(a);
			a = NULL;
		}
	}
	return a;
}

void fake_core_set_access(struct cs_core *c, struct cs_access *access)
{
	struct cs_access *old;

	pthread_mutex_lock(&c->lock);
	old = c->access;
	c->access = access;
	pthread_mutex_unlock(&c->lock);
	cs_access_unref(old);
}

struct cs_access *cs_core_access(struct cs_core *c)
{
	struct cs_access *a;

	pthread_mutex_lock(&c->lock);
	a = cs_access_ref(c->access);
	pthread_mutex_unlock(&c->lock);
	return a;
}

/* --- answers --- */

void cs_answer_init(struct cs_answer *a)
{
	memset(a, 0, sizeof(*a));
	cs_buf_init(&a->body, ANSWER_MAX);
}

void cs_answer_done(struct cs_answer *a)
{
	cs_buf_done(&a->body);
}

static void view(struct cs_core *c, const char *id, enum cs_state state, struct cs_answer *a)
{
	struct cs_jw w;

	pthread_mutex_lock(&c->lock);
	a->revision = c->revision;
	pthread_mutex_unlock(&c->lock);
	a->state = state;
	memcpy(a->id, id, strlen(id) + 1);
	cs_jw_init(&w, &a->body);
	cs_jw_object(&w, NULL);
	cs_jw_str(&w, "id", id);
	cs_jw_int(&w, "revision", a->revision);
	cs_jw_str(&w, "state", cs_state_name(state));
	cs_jw_end_object(&w);
}

static enum cs_state state_now(struct cs_core *c, const char *id)
{
	bool cancelled;

	pthread_mutex_lock(&c->lock);
	cancelled = c->cancelled;
	pthread_mutex_unlock(&c->lock);
	if (strcmp(id, FAKE_SIGNED) == 0)
		return CS_ST_SIGNED;
	return cancelled ? CS_ST_CANCELLED : CS_ST_PENDING;
}

static bool is_known(const char *id)
{
	return strcmp(id, FAKE_ID) == 0 || strcmp(id, FAKE_SIGNED) == 0;
}

static enum cs_rc not_found(struct cs_err *e)
{
	return CS_FAIL(e, CS_E_NOT_FOUND, "there is no such request");
}

/* The comment is the name of a code, "pending", "replay", or anything else for a signature at once.
 */
static enum cs_rc submit(struct cs_core *c, const char *comment, const char *idempotency_key,
			 struct cs_answer *a, struct cs_err *e)
{
	for (enum cs_rc rc = CS_OK + 1; rc < CS_RC__COUNT; rc++) {
		if (strcmp(comment, cs_rc_name(rc)) != 0 || rc == CS_E_PENDING)
			continue;
		a->rule = rc == CS_E_DENIED ? "key-not-allowed" : NULL;
		a->retry_after = rc == CS_E_RATE ? 7 : 0;
		cs_err_set(e, rc, "told to answer %s", comment);
		return rc;
	}
	a->replay = idempotency_key && strcmp(idempotency_key, "again") == 0;
	if (strcmp(comment, "pending") == 0)
		view(c, FAKE_ID, CS_ST_PENDING, a);
	else
		view(c, FAKE_SIGNED, CS_ST_SIGNED, a);
	return CS_OK;
}

void cs_core_submit(struct cs_core *c, const struct cs_caller *who,
		    const struct cs_submission *submission, const char *idempotency_key,
		    struct cs_answer *a, cs_core_submitted_fn *done, void *arg)
{
	struct cs_err e = { 0 };

	(void)who;
	done(arg, submit(c, submission->comment, idempotency_key, a, &e), &e);
}

void cs_core_run(struct cs_core *c, struct cs_job *job)
{
	cs_pool_put(c->pool, job);
}

enum cs_rc cs_core_request(struct cs_core *c, const struct cs_caller *who, const char *id,
			   struct cs_answer *a, struct cs_err *e)
{
	(void)who;
	if (!is_known(id))
		return not_found(e);
	view(c, id, state_now(c, id), a);
	return CS_OK;
}

enum cs_rc cs_core_requests(struct cs_core *c, const struct cs_caller *who,
			    const struct cs_list_filter *filter, struct cs_answer *a,
			    struct cs_err *e)
{
	(void)who;
	if (filter->after && !is_known(filter->after))
		return CS_FAIL(e, CS_E_INVALID, "query: after is a stale cursor; start again");
	pthread_mutex_lock(&c->lock);
	a->revision = c->revision;
	pthread_mutex_unlock(&c->lock);
	cs_buf_addf(&a->body, "{\"limit\":%lld,\"requests\":[],\"revision\":%lld}",
		    (long long)filter->limit, (long long)a->revision);
	return CS_OK;
}

enum cs_rc cs_core_document(struct cs_core *c, const struct cs_caller *who, const char *id,
			    struct cs_answer *a, struct cs_err *e)
{
	(void)c;
	(void)who;
	if (!is_known(id))
		return not_found(e);
	cs_buf_add_str(&a->body, "{}");
	return CS_OK;
}

enum cs_rc cs_core_decisions(struct cs_core *c, const struct cs_caller *who, const char *id,
			     struct cs_answer *a, struct cs_err *e)
{
	(void)c;
	(void)who;
	if (!is_known(id))
		return not_found(e);
	cs_buf_add_str(&a->body, "{\"decisions\":[]}");
	return CS_OK;
}

enum cs_rc cs_core_decide(struct cs_core *c, const struct cs_caller *who, const char *id,
			  struct cs_bytes envelope, const char *comment, struct cs_answer *a,
			  struct cs_err *e)
{
	(void)who;
	(void)comment;
	if (!is_known(id))
		return not_found(e);
	if (!cs_bytes_equal(envelope, cs_bytes_of("envelope")))
		return CS_FAIL(e, CS_E_SIGNATURE, "the envelope is no \"envelope\"");
	view(c, id, state_now(c, id), a);
	return CS_OK;
}

enum cs_rc cs_core_cancel(struct cs_core *c, const struct cs_caller *who, const char *id,
			  struct cs_answer *a, struct cs_err *e)
{
	(void)who;
	if (strcmp(id, FAKE_ID) != 0)
		return not_found(e);
	pthread_mutex_lock(&c->lock);
	c->cancelled = true;
	c->revision++;
	pthread_mutex_unlock(&c->lock);
	view(c, id, CS_ST_CANCELLED, a);
	return CS_OK;
}

enum cs_rc cs_core_signature(struct cs_core *c, const struct cs_caller *who, const char *id,
			     int64_t index, struct cs_answer *a, struct cs_err *e)
{
	static const uint8_t signature[] = { 0x30, 0x00, 0xff, 0x0a };

	(void)c;
	(void)who;
	if (!is_known(id) || index > 0)
		return not_found(e);
	if (strcmp(id, FAKE_SIGNED) != 0)
		return CS_FAIL(e, CS_E_PENDING, "not signed yet");
	cs_buf_add(&a->body, signature, sizeof(signature));
	return CS_OK;
}

enum cs_rc cs_core_keys(struct cs_core *c, const struct cs_caller *who, struct cs_answer *a,
			struct cs_err *e)
{
	(void)c;
	(void)who;
	(void)e;
	cs_buf_add_str(&a->body, "{\"keys\":[]}");
	return CS_OK;
}

enum cs_rc cs_core_key(struct cs_core *c, const struct cs_caller *who, const char *name,
		       struct cs_answer *a, struct cs_err *e)
{
	(void)c;
	(void)who;
	(void)e;
	cs_buf_addf(&a->body, "{\"name\":\"%s\"}", name);
	return CS_OK;
}

enum cs_rc cs_core_events(struct cs_core *c, const struct cs_caller *who, int64_t from, bool first,
			  struct cs_answer *a, struct cs_err *e)
{
	(void)c;
	(void)who;
	(void)e;
	cs_buf_addf(&a->body, "{\"first\":%s,\"from\":%lld}\n", first ? "true" : "false",
		    (long long)from);
	return CS_OK;
}

enum cs_rc cs_core_head(struct cs_core *c, int64_t size, struct cs_answer *a, struct cs_err *e)
{
	(void)c;
	if (size > 9)
		return CS_FAIL(e, CS_E_NOT_FOUND, "the log has 9 events");
	cs_buf_addf(&a->body, "{\"size\":%lld}", (long long)(size ? size : 9));
	return CS_OK;
}

enum cs_rc cs_core_health(struct cs_core *c, struct cs_answer *a, struct cs_err *e)
{
	(void)c;
	(void)e;
	cs_buf_add_str(&a->body, "{\"status\":\"ok\"}");
	return CS_OK;
}

enum cs_rc cs_core_ready(struct cs_core *c, struct cs_answer *a, struct cs_err *e)
{
	bool cancelled;

	pthread_mutex_lock(&c->lock);
	cancelled = c->cancelled;
	pthread_mutex_unlock(&c->lock);
	cs_buf_addf(&a->body, "{\"checks\":[],\"ready\":%s}", cancelled ? "false" : "true");
	return cancelled ? CS_FAIL(e, CS_E_UNAVAILABLE, "not ready") : CS_OK;
}

void cs_core_set_check(struct cs_core *c, const char *name, const char *message)
{
	(void)c;
	tell("check", name, message);
}

/* "operator2" has read enough. */
enum cs_rc cs_core_admit_read(struct cs_core *c, const struct cs_caller *who, int64_t cost,
			      int64_t *retry_after, struct cs_err *e)
{
	(void)c;
	(void)cost;
	if (strcmp(who->principal->name, "operator2") != 0)
		return CS_OK;
	*retry_after = 9;
	return CS_FAIL(e, CS_E_RATE, "operator2 has read enough");
}

enum cs_rc cs_core_metrics(struct cs_core *c, struct cs_buf *out, struct cs_err *e)
{
	(void)c;
	cs_buf_add_str(out, "# the core's\n");
	return cs_buf_ok(out, "metrics", e);
}

void cs_core_auth_refused(struct cs_core *c, const char *source, const char *reason)
{
	(void)c;
	tell("auth-refused", source, reason);
}

void cs_core_access_refused(struct cs_core *c, const struct cs_caller *who, const char *method,
			    const char *path, const char *role)
{
	(void)c;
	(void)method;
	(void)role;
	tell("access-refused", who->principal->name, path);
}

enum cs_rc cs_core_wait(struct cs_core *c, const struct cs_caller *who, const char *id,
			int64_t revision, int64_t deadline, cs_core_wake_fn *fn, void *arg,
			struct cs_err *e)
{
	enum cs_rc rc = CS_OK;

	pthread_mutex_lock(&c->lock);
	if (c->waiter_count == WAITERS_MAX)
		rc = CS_FAIL(e, CS_E_BUSY, "too many wait");
	else
		c->waiters[c->waiter_count++] = (struct waiter){ revision, deadline, fn, arg };
	pthread_mutex_unlock(&c->lock);
	if (rc == CS_OK)
		tell("waits", who->principal->name, id ? id : "");
	return rc;
}
