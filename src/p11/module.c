/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads a module, finds the one token, opens the session, logs in; and the deadline of each call.
 * Never unloads a module: its threads and exit handlers are not ours to cut off.
 * PKCS #11 v2.40 §5.4 to §5.6.
 */
#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "p11/internal.h"

#define SLOTS_MAX 256
#define PATIENCE 2 /* deadlines that a call before the login may take: modules connect there */

static void set_timer(struct cs_p11 *p, int64_t us)
{
	struct itimerspec spec = { .it_value = { .tv_sec = us / CS_SECOND,
						 .tv_nsec = us % CS_SECOND * 1000 } };
	int rc = timer_settime(p->timer, 0, &spec, NULL);

	assert(rc == 0);
	(void)rc;
}

void cs_p11_arm(struct cs_p11 *p)
{
	set_timer(p, p->logged_in ? p->call_us : PATIENCE * p->call_us);
}

CK_RV cs_p11_disarm(struct cs_p11 *p, CK_RV rv)
{
	set_timer(p, 0);
	if (cs_p11_rv_effect(rv) == CS_P11_DOUBT)
		p->doubts++;
	if (cs_p11_rv_effect(rv) == CS_P11_LOST)
		p->lost = true;
	return rv;
}

bool cs_p11_is_lost(const struct cs_p11 *p)
{
	return p->lost;
}

unsigned cs_p11_doubts(const struct cs_p11 *p)
{
	return p->doubts;
}

void cs_p11_set_doubts(struct cs_p11 *p, unsigned doubts)
{
	p->doubts = doubts;
}

/* SIGKILL, because a module may block, handle or ignore anything else */
static enum cs_rc create_timer(struct cs_p11 *p, struct cs_err *e)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL };

	if (timer_create(CLOCK_MONOTONIC, &event, &p->timer) != 0)
		return CS_FAIL(e, CS_E_INTERNAL, "timer of the PKCS#11 calls: %s", strerror(errno));
	p->has_timer = true;
	return CS_OK;
}

static enum cs_rc load(struct cs_p11 *p, const char *path, struct cs_err *e)
{
	CK_C_GetFunctionList get_list;
	void *symbol;
	CK_RV rv;

	if (path[0] != '/')
		return CS_FAIL(e, CS_E_CONFIG, "module %s: give the absolute path of the library",
			       path);
	p->module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!p->module)
		return CS_FAIL(e, CS_E_CONFIG, "module %s: %s", path, dlerror());
	symbol = dlsym(p->module, "C_GetFunctionList");
	if (!symbol)
		return CS_FAIL(e, CS_E_CONFIG, "module %s is no PKCS#11 module: %s", path,
			       dlerror());
	/* ISO C has no cast from object to function pointers; POSIX promises that the bytes are the
	 * same */
	memcpy(&get_list, &symbol, sizeof(get_list));
	rv = get_list(&p->f);
	if (rv != CKR_OK || !p->f)
		return cs_p11_fail(e, rv, "C_GetFunctionList");
	/* no arguments: one thread only, the module needs no locks */
	rv = P11_CALL(p, C_Initialize, NULL);
	if (rv != CKR_OK)
		return cs_p11_fail(e, rv, "C_Initialize");
	p->initialized = true;
	return CS_OK;
}

/* a field of CK_TOKEN_INFO, without its padding; what is not printable becomes '?' */
static void copy_padded(const unsigned char *in, size_t len, char out[static CS_NAME_MAX + 1])
{
	size_t i;

	while (len > 0 && (in[len - 1] == ' ' || in[len - 1] == '\0'))
		len--;
	for (i = 0; i < len; i++)
		out[i] = in[i] >= 0x20 && in[i] < 0x7f ? (char)in[i] : '?';
	out[len] = '\0';
}

static void copy_info(const CK_TOKEN_INFO *in, struct cs_p11_token_info *out)
{
	CK_ULONG sessions = in->ulMaxSessionCount;

	copy_padded(in->label, sizeof(in->label), out->label);
	copy_padded(in->serialNumber, sizeof(in->serialNumber), out->serial);
	copy_padded(in->manufacturerID, sizeof(in->manufacturerID), out->manufacturer);
	copy_padded(in->model, sizeof(in->model), out->model);
	out->pin_count_low = in->flags & CKF_USER_PIN_COUNT_LOW;
	out->pin_final_try = in->flags & CKF_USER_PIN_FINAL_TRY;
	out->pin_locked = in->flags & CKF_USER_PIN_LOCKED;
	out->login_required = in->flags & CKF_LOGIN_REQUIRED;
	/* CK_EFFECTIVELY_INFINITE is 0 already */
	out->session_max = sessions > INT32_MAX ? 0 : (int64_t)sessions;
}

static bool is_wanted(const struct cs_p11_config *config, const struct cs_p11_token_info *info)
{
	return strcmp(info->label, config->label) == 0 &&
	       (!config->serial || strcmp(info->serial, config->serial) == 0);
}

static enum cs_rc find_token(struct cs_p11 *p, const struct cs_p11_config *config, struct cs_err *e)
{
	CK_SLOT_ID slots[SLOTS_MAX];
	CK_ULONG count = SLOTS_MAX;
	size_t found = 0;
	CK_ULONG i;
	CK_RV rv;

	rv = P11_CALL(p, C_GetSlotList, CK_TRUE, slots, &count);
	if (rv != CKR_OK)
		return cs_p11_fail(e, rv, "C_GetSlotList");
	for (i = 0; i < count; i++) {
		struct cs_p11_token_info info;
		CK_TOKEN_INFO raw;

		/* another slot's trouble is not ours */
		if (P11_CALL(p, C_GetTokenInfo, slots[i], &raw) != CKR_OK)
			continue;
		copy_info(&raw, &info);
		if (!is_wanted(config, &info))
			continue;
		p->slot = slots[i];
		p->info = info;
		found++;
	}
	/* nothing was ours yet */
	p->lost = false;
	p->doubts = 0;
	if (found == 0)
		return CS_FAIL(e, CS_E_NOT_FOUND, "no token is labelled %s%s%s in %lu slots",
			       config->label, config->serial ? " with serial " : "",
			       config->serial ? config->serial : "", count);
	if (found > 1)
		return CS_FAIL(e, CS_E_CONFIG, "%zu tokens are labelled %s; name one by its serial",
			       found, config->label);
	return CS_OK;
}

static enum cs_rc open_session(struct cs_p11 *p, bool writable, struct cs_err *e)
{
	CK_FLAGS flags = CKF_SERIAL_SESSION | (writable ? CKF_RW_SESSION : 0);
	CK_RV rv = P11_CALL(p, C_OpenSession, p->slot, flags, NULL, NULL, &p->session);

	if (rv != CKR_OK)
		return cs_p11_fail(e, rv, "C_OpenSession");
	p->has_session = true;
	return CS_OK;
}

enum cs_rc cs_p11_open(const struct cs_p11_config *config, bool writable, struct cs_p11 **pp,
		       struct cs_err *e)
{
	struct cs_p11 *p;
	enum cs_rc rc;

	assert(config->module && config->label && config->call_us > 0);
	p = calloc(1, sizeof(*p));
	if (!p)
		return CS_FAIL(e, CS_E_NOMEM, "PKCS#11 module");
	p->call_us = config->call_us;
	rc = create_timer(p, e);
	if (rc == CS_OK)
		rc = load(p, config->module, e);
	if (rc == CS_OK)
		rc = find_token(p, config, e);
	if (rc == CS_OK)
		rc = open_session(p, writable, e);
	if (rc != CS_OK) {
		cs_p11_close(p);
		return rc;
	}
	*pp = p;
	return CS_OK;
}

void cs_p11_close(struct cs_p11 *p)
{
	if (!p)
		return;
	if (p->initialized)
		(void)P11_CALL(p, C_Finalize, NULL);
	if (p->has_timer)
		timer_delete(p->timer);
	free(p);
}

void cs_p11_token_info(const struct cs_p11 *p, struct cs_p11_token_info *out)
{
	*out = p->info;
}

enum cs_rc cs_p11_login(struct cs_p11 *p, const struct cs_secret *pin, struct cs_err *e)
{
	struct cs_bytes bytes = cs_secret_bytes(pin);
	CK_RV rv;

	assert(!p->logged_in);
	/* not P11_CALL: software tokens rewrite their file in it and can lose it to a SIGKILL. The
	 * parameter is not const in the standard; modules only read it. */
	rv = p->f->C_Login(p->session, CKU_USER, (CK_UTF8CHAR_PTR)(uintptr_t)bytes.data, bytes.len);
	p->logged_in = rv == CKR_OK || rv == CKR_USER_ALREADY_LOGGED_IN;
	if (p->logged_in)
		return CS_OK;
	if (rv >= CKR_PIN_INCORRECT && rv <= CKR_PIN_LOCKED)
		return CS_FAIL(e, CS_E_PIN, "C_Login: the token answered %s (0x%lx)",
			       cs_p11_rv_name(rv), rv);
	return cs_p11_fail(e, rv, "C_Login");
}
