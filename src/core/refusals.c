/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refusals are counted per source and minute, so that whoever knocks cannot fill the log. Recording
 * never blocks.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "core/internal.h"

#define ENTRIES_MAX 256 /* different refusals a minute; the rest is counted in one entry */
#define TEXT_SIZE 128

/** One kind of refusal within the minute. */
struct refusal {
	bool authenticated;   /* access.refused, else auth.refused */
	char who[TEXT_SIZE];  /* principal, or address */
	char what[TEXT_SIZE]; /* reason, or method */
	char path[TEXT_SIZE];
	char role[TEXT_SIZE];
	int64_t count;
};

struct cs_refusals {
	pthread_mutex_t lock;
	size_t count;
	struct refusal entries[ENTRIES_MAX];
};

enum cs_rc cs_refusals_new(struct cs_refusals **rp, struct cs_err *e)
{
	struct cs_refusals *r = calloc(1, sizeof(*r));

	if (!r)
		return CS_FAIL(e, CS_E_NOMEM, "the table of refusals");
	pthread_mutex_init(&r->lock, NULL);
	*rp = r;
	return CS_OK;
}

void cs_refusals_free(struct cs_refusals *r)
{
	if (!r)
		return;
	pthread_mutex_destroy(&r->lock);
	free(r);
}

/** Text from others, cut to its place and made free of what an event may not hold. */
static void copy_text(char out[static TEXT_SIZE], const char *text)
{
	size_t i;

	for (i = 0; text[i] && i < TEXT_SIZE - 1; i++)
		out[i] = text[i] >= 0x20 && text[i] < 0x7f ? text[i] : '?';
	memset(out + i, 0, TEXT_SIZE - i);
}

static void count(struct cs_refusals *r, const struct refusal *x)
{
	struct refusal *last = &r->entries[ENTRIES_MAX - 1];
	size_t i;

	pthread_mutex_lock(&r->lock);
	for (i = 0; i < r->count; i++) {
		struct refusal *y = &r->entries[i];

		if (y->authenticated == x->authenticated && strcmp(y->who, x->who) == 0 &&
		    strcmp(y->what, x->what) == 0 && strcmp(y->path, x->path) == 0)
			break;
	}
	if (i == r->count && r->count < ENTRIES_MAX - 1) {
		r->entries[r->count++] = *x;
	} else if (i == r->count) {
		if (r->count < ENTRIES_MAX) {
			memset(last, 0, sizeof(*last));
			copy_text(last->who, "others");
			copy_text(last->what, "more refusals than are listed");
			r->count++;
		}
		last->count++;
	} else {
		r->entries[i].count++;
	}
	pthread_mutex_unlock(&r->lock);
}

void cs_core_auth_refused(struct cs_core *c, const char *source, const char *reason)
{
	struct refusal x = { .authenticated = false, .count = 1 };

	copy_text(x.who, source);
	copy_text(x.what, reason);
	count(c->refusals, &x);
}

void cs_core_access_refused(struct cs_core *c, const struct cs_caller *who, const char *method,
			    const char *path, const char *role)
{
	struct refusal x = { .authenticated = true, .count = 1 };

	copy_text(x.who, who->principal->name);
	copy_text(x.what, method);
	copy_text(x.path, path);
	copy_text(x.role, role);
	count(c->refusals, &x);
}

static enum cs_rc write_events(struct cs_core *c, struct cs_store *s, void *arg, struct cs_err *e)
{
	const struct cs_refusals *r = arg;
	struct cs_buf detail;
	enum cs_rc rc = CS_OK;

	cs_buf_init(&detail, 4096);
	for (size_t i = 0; rc == CS_OK && i < r->count; i++) {
		const struct refusal *x = &r->entries[i];

		cs_buf_reset(&detail);
		if (x->authenticated)
			cs_detail_access_refused(&detail, x->count, x->what, x->path, x->role);
		else
			cs_detail_auth_refused(&detail, x->count, x->what, x->who);
		rc = cs_core_note(c, s,
				  x->authenticated ? CS_EV_ACCESS_REFUSED : CS_EV_AUTH_REFUSED,
				  x->authenticated ? x->who : "daemon", "", &detail, e);
	}
	cs_buf_done(&detail);
	return rc;
}

void cs_refusals_flush(struct cs_core *c)
{
	struct cs_refusals *copy = malloc(sizeof(*copy));
	struct cs_err e = { 0 };

	if (!copy)
		return; /* they stay for the next minute */
	pthread_mutex_lock(&c->refusals->lock);
	memcpy(copy->entries, c->refusals->entries, sizeof(copy->entries));
	copy->count = c->refusals->count;
	c->refusals->count = 0;
	pthread_mutex_unlock(&c->refusals->lock);
	if (copy->count > 0 && cs_writer_run(c, write_events, copy, &e) != CS_OK)
		cs_log(CS_LOG_ERROR, "refusals", "%zu are not recorded: %s", copy->count, e.msg);
	free(copy);
}
