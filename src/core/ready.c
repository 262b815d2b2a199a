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

static void write_check(struct cs_jw *w, const char *name, const char *message, bool *readyp)
{
	cs_jw_object(w, NULL);
	cs_jw_str(w, "message", message);
	cs_jw_str(w, "name", name);
	cs_jw_bool(w, "ok", message[0] == '\0');
	cs_jw_end_object(w);
	if (message[0])
		*readyp = false;
}

static void write_signers(struct cs_core *c, struct cs_jw *w, bool *readyp)
{
	char name[CS_NAME_MAX + 16];

	for (size_t i = 0; i < c->signer_count; i++) {
		const struct cs_signer_seen *seen = &c->seen[i];
		struct cs_buf text;

		cs_buf_init(&text, sizeof(name));
		cs_buf_addf(&text, "signer:%s", c->signer_names[i]);
		write_check(w, cs_buf_str(&text),
			    !seen->known ? "not asked yet"
			    : seen->ok   ? ""
					 : seen->message,
			    readyp);
		cs_buf_done(&text);
	}
}

enum cs_rc cs_core_ready(struct cs_core *c, struct cs_answer *a, struct cs_err *e)
{
	bool ready = true;
	struct cs_jw w;
	enum cs_rc rc;

	cs_jw_init(&w, &a->body);
	cs_jw_object(&w, NULL);
	cs_jw_array(&w, "checks");
	write_check(&w, "log", atomic_load(&c->log_broken) ? "the log cannot be written" : "",
		    &ready);
	write_check(&w, "disk",
		    atomic_load(&c->disk_low) ? "less space than disk-watermark is free" : "",
		    &ready);
	if (atomic_load(&c->draining))
		write_check(&w, "stopping", "the server is stopping", &ready);
	pthread_mutex_lock(&c->lock);
	write_signers(c, &w, &ready);
	for (size_t i = 0; i < c->check_count; i++)
		write_check(&w, c->checks[i].name, c->checks[i].message, &ready);
	pthread_mutex_unlock(&c->lock);
	cs_jw_end_array(&w);
	cs_jw_bool(&w, "ready", ready);
	cs_jw_end_object(&w);
	rc = cs_buf_ok(&a->body, "answer", e);
	if (rc == CS_OK && !ready)
		return CS_FAIL(e, CS_E_UNAVAILABLE, "the server is not ready; see checks");
	return rc;
}
