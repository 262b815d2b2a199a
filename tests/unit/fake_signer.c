/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A signer in a thread, for tests of core/.
 * See fake_signer.h.
 */
#include "unit/fake_signer.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "format/format.h"
#include "signer/protocol.h"
#include "unit/softkey.h"

struct fake_signer {
	char path[108], token[CS_NAME_MAX + 1];
	_Atomic(const struct cs_policy *) policy;
	int fd;
	pthread_t thread;
	atomic_bool stop;
	atomic_int mode, times, count;
	atomic_llong selftests[2], restarts;
	unsigned asked; /* STATUS frames so far */
};

static bool wait_readable(struct fake_signer *f, int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	while (!atomic_load(&f->stop))
		if (poll(&p, 1, 20) > 0)
			return true;
	return false;
}

static enum cs_rc send_hello(struct fake_signer *f, int fd)
{
	const struct cs_policy *policy = atomic_load(&f->policy);
	struct cs_signer_hello hello = {
		.protocol = CS_SIGNER_PROTOCOL,
		.environment = strcmp(f->token, "dev") == 0 ? CS_ENV_DEV : CS_ENV_PROD,
		.policy_version = policy->version,
		.policy_digest = policy->digest,
	};
	struct cs_buf body;
	enum cs_rc rc;

	snprintf(hello.instance, sizeof(hello.instance), "%s", policy->instance);
	snprintf(hello.token, sizeof(hello.token), "%s", f->token);
	snprintf(hello.serial, sizeof(hello.serial), "0123456789abcdef");
	cs_buf_init(&body, CS_FRAME_MAX);
	cs_signer_hello_write(&hello, &body);
	rc = cs_frame_send(fd, CS_MSG_HELLO, cs_buf_bytes(&body), INT64_MAX, NULL);
	cs_buf_done(&body);
	return rc;
}

/* The software key of tests/keys that stands behind a key of the sample policy. */
static struct softkey key_of(const char *name)
{
	static const char *const map[][2] = {
		{ "fw-rsa", "rsa-3072" },
		{ "fw-prod", "p-384" },
		{ "fw-dev", "p-256" },
	};

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if (strcmp(map[i][0], name) == 0)
			return softkey_load(map[i][1]);
	ck_abort_msg("no software key for %s", name);
}

static void sign_one(struct fake_signer *f, const struct cs_request *doc, uint32_t index,
		     enum fake_mode mode, struct cs_signer_result *r, struct cs_buf *raw)
{
	struct cs_tbs tbs;
	struct softkey k;

	if (mode == FAKE_REFUSE || mode == FAKE_NOT_TRIED) {
		r->outcome = mode == FAKE_REFUSE ? CS_SIGN_REFUSED : CS_SIGN_NOT_TRIED;
		snprintf(r->code, sizeof(r->code), "%s",
			 mode == FAKE_REFUSE ? "quorum" : "CKR_SESSION_HANDLE_INVALID");
		snprintf(r->message, sizeof(r->message), "as the test wants it");
		return;
	}
	ck_assert_int_eq(cs_format_prepare(doc, index, &tbs, NULL), CS_OK);
	k = key_of(doc->artifacts[index].key);
	softkey_sign(&k, tbs.scheme, tbs.hash, (struct cs_bytes){ tbs.data, tbs.len }, raw);
	softkey_done(&k);
	if (mode == FAKE_FLIP)
		raw->data[raw->len / 2] ^= 1;
	r->raw = cs_buf_bytes(raw);
	atomic_fetch_add(&f->count, 1);
}

static enum fake_mode take_mode(struct fake_signer *f)
{
	const enum fake_mode mode = (enum fake_mode)atomic_load(&f->mode);

	if (atomic_load(&f->times) == 0)
		return FAKE_SIGN;
	if (atomic_load(&f->times) > 0)
		atomic_fetch_sub(&f->times, 1);
	return mode;
}

/* @return false when the connection is to be closed */
static bool answer_sign(struct fake_signer *f, int fd, struct cs_bytes in)
{
	struct cs_signer_sign *m = calloc(1, sizeof(*m));
	struct cs_request *doc = calloc(1, sizeof(*doc));
	const enum fake_mode mode = take_mode(f);
	bool ok = mode != FAKE_SILENT;

	ck_assert(m && doc);
	ck_assert_int_eq(cs_signer_sign_parse(in, m, NULL), CS_OK);
	ck_assert_int_eq(cs_request_parse(m->document, doc, NULL), CS_OK);
	for (size_t i = 0; ok && i < m->artifact_count; i++) {
		struct cs_signer_result r = { .index = m->artifacts[i].index };
		struct cs_buf raw, body;

		cs_buf_init(&raw, CS_SIG_MAX);
		cs_buf_init(&body, CS_FRAME_MAX);
		sign_one(f, doc, r.index, mode, &r, &raw);
		cs_signer_result_write(&r, &body);
		ok = cs_frame_send(fd, CS_MSG_RESULT, cs_buf_bytes(&body), INT64_MAX, NULL) ==
		     CS_OK;
		cs_buf_done(&raw);
		cs_buf_done(&body);
	}
	if (ok)
		ok = cs_frame_send(fd, CS_MSG_DONE, (struct cs_bytes){ NULL, 0 }, INT64_MAX,
				   NULL) == CS_OK;
	free(m);
	free(doc);
	return ok;
}

static bool answer_status(struct fake_signer *f, int fd)
{
	const struct cs_signer_health health = {
		.ready = true,
		.selftest_time = atomic_load(&f->selftests[f->asked++ % 2]),
		.keys = 2,
		.restarts = atomic_load(&f->restarts),
	};
	struct cs_buf body;
	bool ok;

	cs_buf_init(&body, CS_FRAME_MAX);
	cs_signer_health_write(&health, &body);
	ok = cs_frame_send(fd, CS_MSG_HEALTH, cs_buf_bytes(&body), INT64_MAX, NULL) == CS_OK &&
	     cs_frame_send(fd, CS_MSG_DONE, (struct cs_bytes){ NULL, 0 }, INT64_MAX, NULL) == CS_OK;
	cs_buf_done(&body);
	return ok;
}

/* One connection after the other: as a signer with one child. */
static void serve(struct fake_signer *f, int fd)
{
	struct cs_buf body;
	uint8_t type = 0;

	cs_buf_init(&body, CS_FRAME_MAX);
	if (send_hello(f, fd) == CS_OK)
		while (wait_readable(f, fd) &&
		       cs_frame_recv(fd, &type, &body, INT64_MAX, NULL) == CS_OK)
			if (!(type == CS_MSG_SIGN ? answer_sign(f, fd, cs_buf_bytes(&body))
						  : answer_status(f, fd)))
				break;
	cs_buf_done(&body);
	close(fd);
}

static void *signer_main(void *arg)
{
	struct fake_signer *f = arg;

	while (wait_readable(f, f->fd)) {
		int fd = accept(f->fd, NULL, NULL);

		if (fd >= 0)
			serve(f, fd);
	}
	return NULL;
}

struct fake_signer *fake_signer_start(const char *dir, const char *token,
				      const struct cs_policy *policy)
{
	struct fake_signer *f = calloc(1, sizeof(*f));

	ck_assert_ptr_nonnull(f);
	snprintf(f->path, sizeof(f->path), "%s/%s.sock", dir, token);
	snprintf(f->token, sizeof(f->token), "%s", token);
	atomic_store(&f->policy, policy);
	fake_signer_selftests(f, 1, 1);
	ck_assert_int_eq(cs_unix_listen(f->path, 0600, &f->fd, NULL), CS_OK);
	ck_assert_int_eq(pthread_create(&f->thread, NULL, signer_main, f), 0);
	return f;
}

void fake_signer_set(struct fake_signer *f, enum fake_mode mode, int times)
{
	atomic_store(&f->mode, (int)mode);
	atomic_store(&f->times, times);
}

void fake_signer_policy(struct fake_signer *f, const struct cs_policy *policy)
{
	atomic_store(&f->policy, policy);
}

void fake_signer_selftests(struct fake_signer *f, int64_t one, int64_t other)
{
	atomic_store(&f->selftests[0], one);
	atomic_store(&f->selftests[1], other);
}

void fake_signer_restarts(struct fake_signer *f, int64_t count)
{
	atomic_store(&f->restarts, count);
}

int fake_signer_count(struct fake_signer *f)
{
	return atomic_load(&f->count);
}

void fake_signer_stop(struct fake_signer *f)
{
	atomic_store(&f->stop, true);
	pthread_join(f->thread, NULL);
	close(f->fd);
	unlink(f->path);
	free(f);
}
