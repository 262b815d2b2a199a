/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health and readiness: what a load balancer and a person ask first.
 */
#include <string.h>

#include "core/internal.h"

enum cs_rc cs_core_health(struct cs_core *c, struct cs_answer *a, struct cs_err *e)
{
	(void)c;
	cs_buf_add_str(&a->body, "{\"status\":\"ok\"}");
	return cs_buf_ok(&a->body, "answer", e);
}

void cs_core_set_check(struct cs_core *c, const char *name, const char *message)
{
	struct cs_core_check *x = NULL;

	pthread_mutex_lock(&c->lock);
	for (size_t i = 0; i < c->check_count; i++)
		if (strcmp(c->checks[i].name, name) == 0)
			x = &c->checks[i];
	if (!x && c->check_count < CS_CHECKS_MAX) {
		x = &c->checks[c->check_count++];
		x->name = name;
	}
	if (x) {
		struct cs_err text = { 0 };

		cs_err_set(&text, CS_E_UNAVAILABLE, "%.*s", CS_REASON_MAX, message);
		memcpy(x->message, text.msg, strlen(text.msg) + 1);
	}
	pthread_mutex_unlock(&c->lock);
}

/** Who is told of the checks, and whether all are met so far. */
struct audience {
	cs_check_fn *fn;
	void *arg;
	bool met;
};

static void tell(struct audience *x, const char *name, const char *message)
{
	if (x->fn)
		x->fn(x->arg, name, message);
	if (message[0])
		x->met = false;
}

static void tell_signers(struct cs_core *c, struct audience *x)
{
	for (size_t i = 0; i < c->signer_count; i++) {
		const struct cs_signer_seen *seen = &c->seen[i];
		struct cs_buf text;

		cs_buf_init(&text, CS_NAME_MAX + 16);
		cs_buf_addf(&text, "signer:%s", c->signer_names[i]);
		tell(x, cs_buf_str(&text),
		     !seen->known ? "not asked yet"
		     : seen->ok   ? ""
				  : seen->message);
		cs_buf_done(&text);
	}
}

bool cs_core_each_check(struct cs_core *c, cs_check_fn *fn, void *arg)
{
	struct audience x = { fn, arg, true };

	tell(&x, "log", atomic_load(&c->log_broken) ? "the log cannot be written" : "");
	tell(&x, "disk", atomic_load(&c->disk_low) ? "less space than disk-watermark is free" : "");
	if (atomic_load(&c->draining))
		tell(&x, "stopping", "the server is stopping");
	pthread_mutex_lock(&c->lock);
	tell_signers(c, &x);
	for (size_t i = 0; i < c->check_count; i++)
		tell(&x, c->checks[i].name, c->checks[i].message);
	pthread_mutex_unlock(&c->lock);
	return x.met;
}

static void write_check(void *arg, const char *name, const char *message)
{
	struct cs_jw *w = arg;

	cs_jw_object(w, NULL);
	cs_jw_str(w, "message", message);
	cs_jw_str(w, "name", name);
	cs_jw_bool(w, "ok", message[0] == '\0');
	cs_jw_end_object(w);
}

enum cs_rc cs_core_ready(struct cs_core *c, struct cs_answer *a, struct cs_err *e)
{
	struct cs_jw w;
	bool ready;
	enum cs_rc rc;

	cs_jw_init(&w, &a->body);
	cs_jw_object(&w, NULL);
	cs_jw_array(&w, "checks");
	ready = cs_core_each_check(c, write_check, &w);
	cs_jw_end_array(&w);
	cs_jw_bool(&w, "ready", ready);
	cs_jw_end_object(&w);
	rc = cs_buf_ok(&a->body, "answer", e);
	if (rc == CS_OK && !ready)
		return CS_FAIL(e, CS_E_UNAVAILABLE, "the server is not ready; see checks");
	return rc;
}
