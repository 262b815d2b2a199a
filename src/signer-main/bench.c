/* SPDX-License-Identifier: Apache-2.0 */
/*
 * N processes that do nothing but C_SignInit and C_Sign, over digests of a counter.
 * Started one by one like the signer's children, measured together.
 */
#include "signer-main/bench.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/der.h"
#include "base/enc.h"
#include "base/jcs.h"
#include "p11/p11.h"

#define WORKERS_MAX 64
#define RAW_MAX 4096

/* What a worker tells: that it is logged in, then how many signatures it made. */
struct note {
	bool ok;
	enum cs_alg alg;
	int64_t signatures;
	char message[CS_ERR_MSG_MAX];
};

struct wanted {
	struct cs_bytes cka_id;
	struct cs_key *key;
	struct cs_err *e;
	enum cs_rc rc;
};

struct work {
	const struct cs_options *o;
	int fd;
	struct cs_p11 *p11;
	struct cs_p11_key *handle;
	struct cs_key key;
};

/* take the public half from the token: here nothing is pinned */
static void pin_listed(void *arg, const struct cs_p11_listed *listed)
{
	struct wanted *w = arg;
	struct cs_bytes id = { listed->cka_id, listed->cka_id_len };

	if (!listed->pk || !cs_bytes_equal(id, w->cka_id))
		return;
	w->key->alg = cs_pk_alg(listed->pk);
	w->rc = cs_pk_from_spki(cs_pk_spki(listed->pk), &w->key->pk, w->e);
}

static enum cs_rc find_key(struct work *w, struct cs_err *e)
{
	struct wanted wanted = { .key = &w->key, .e = e, .rc = CS_E_NOT_FOUND };
	enum cs_rc rc;

	w->key.cka_id_len = strlen(w->o->id) / 2;
	w->key.imported = true; /* measuring it is no use of it */
	if (!cs_hex_decode(w->o->id, w->key.cka_id, w->key.cka_id_len))
		return CS_FAIL(e, CS_E_CONFIG, "--id: not lower-case hexadecimal");
	wanted.cka_id = (struct cs_bytes){ w->key.cka_id, w->key.cka_id_len };
	rc = cs_p11_list(w->p11, pin_listed, &wanted, e);
	if (rc == CS_OK && wanted.rc == CS_E_NOT_FOUND)
		rc = CS_FAIL(e, CS_E_NOT_FOUND, "no key of ours has CKA_ID %s", w->o->id);
	if (rc == CS_OK)
		rc = cs_p11_find(w->p11, &w->key, &w->handle, e);
	return rc;
}

static enum cs_rc open_token(struct work *w, struct cs_err *e)
{
	const struct cs_p11_config config = { w->o->module, w->o->label, w->o->serial,
					      w->o->call_us };
	struct cs_secret *pin = NULL;
	enum cs_rc rc;

	rc = cs_secret_from_file(w->o->pin_file, &pin, e);
	if (rc == CS_OK)
		rc = cs_p11_open(&config, false, &w->p11, e);
	if (rc == CS_OK)
		rc = cs_p11_login(w->p11, pin, e);
	cs_secret_free(pin);
	return rc == CS_OK ? find_key(w, e) : rc;
}

/* what an artifact with this key would have signed */
static enum cs_scheme input(enum cs_alg alg, int64_t n, uint8_t out[static CS_DIGEST_INFO_MAX],
			    size_t *lenp)
{
	enum cs_hash hash = alg == CS_ALG_P384 ? CS_HASH_SHA384 : CS_HASH_SHA256;
	uint8_t digest[CS_HASH_MAX_LEN];

	cs_hash_bytes(hash, (struct cs_bytes){ (const uint8_t *)&n, sizeof(n) }, digest);
	*lenp = cs_hash_len(hash);
	if (cs_alg_is_rsa(alg)) {
		*lenp = cs_der_digest_info(hash, digest, out);
		return CS_SCHEME_RSA_PKCS1;
	}
	memcpy(out, digest, *lenp);
	return alg == CS_ALG_ED25519 ? CS_SCHEME_ED25519 : CS_SCHEME_ECDSA;
}

static enum cs_rc measure(struct work *w, int64_t *countp, struct cs_err *e)
{
	int64_t end = cs_clock_mono() + w->o->seconds * CS_SECOND;
	struct cs_buf raw;
	enum cs_rc rc = CS_OK;
	int64_t n = 0;

	cs_buf_init(&raw, RAW_MAX);
	while (rc == CS_OK && cs_clock_mono() < end) {
		uint8_t tbs[CS_DIGEST_INFO_MAX];
		const char *rv;
		bool reached;
		size_t len;
		enum cs_scheme scheme = input(w->key.alg, n, tbs, &len);

		rc = cs_p11_sign(w->p11, w->handle, scheme, CS_HASH_SHA256,
				 (struct cs_bytes){ tbs, len }, &raw, &rv, &reached, e);
		n++;
	}
	cs_buf_done(&raw);
	*countp = n;
	return rc;
}

static void tell(const struct work *w, enum cs_rc rc, int64_t count, const struct cs_err *e)
{
	struct note note = { .ok = rc == CS_OK, .alg = w->key.alg, .signatures = count };

	memcpy(note.message, e->msg, sizeof(note.message));
	/* a parent that is gone needs no answer */
	(void)!write(w->fd, &note, sizeof(note));
}

static _Noreturn void run_worker(const struct cs_options *o, int fd)
{
	struct work w = { .o = o, .fd = fd };
	struct cs_err e = { 0 };
	int64_t count = 0;
	enum cs_rc rc;
	char go;

	rc = open_token(&w, &e);
	tell(&w, rc, 0, &e);
	if (rc == CS_OK && read(fd, &go, 1) == 1) {
		rc = measure(&w, &count, &e);
		tell(&w, rc, count, &e);
	}
	cs_p11_close(w.p11);
	_exit(rc == CS_OK ? 0 : 1);
}

static enum cs_rc hear(int fd, struct note *note, struct cs_err *e)
{
	if (read(fd, note, sizeof(*note)) != (ssize_t)sizeof(*note))
		return CS_FAIL(e, CS_E_HSM, "a process of the benchmark died");
	note->message[sizeof(note->message) - 1] = '\0';
	if (!note->ok)
		return CS_FAIL(e, CS_E_HSM, "%s", note->message);
	return CS_OK;
}

static enum cs_rc start_worker(const struct cs_options *o, int *fdp, struct note *note,
			       struct cs_err *e)
{
	int fds[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
		return CS_FAIL(e, CS_E_IO, "socketpair: %s", strerror(errno));
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		run_worker(o, fds[1]);
	}
	close(fds[1]);
	*fdp = fds[0];
	if (pid < 0)
		return CS_FAIL(e, CS_E_IO, "fork: %s", strerror(errno));
	return hear(fds[0], note, e); /* logged in: the next may start */
}

static void print(const struct cs_options *o, enum cs_alg alg, int64_t total, struct cs_buf *out)
{
	struct cs_jw w;

	cs_jw_init(&w, out);
	cs_jw_object(&w, NULL);
	cs_jw_str(&w, "algorithm", cs_alg_name(alg));
	cs_jw_str(&w, "bench", "token");
	cs_jw_int(&w, "per_second", total / o->seconds);
	cs_jw_int(&w, "processes", o->children);
	cs_jw_int(&w, "seconds", o->seconds);
	cs_jw_int(&w, "signatures", total);
	cs_jw_end_object(&w);
	cs_buf_add_char(out, '\n');
}

enum cs_rc cs_bench(const struct cs_options *o, struct cs_buf *out, struct cs_err *e)
{
	struct note note = { 0 };
	int fds[WORKERS_MAX];
	enum cs_rc rc = CS_OK;
	int64_t total = 0;
	size_t started = 0;
	size_t i;

	while (rc == CS_OK && started < (size_t)o->children) {
		fds[started] = -1;
		rc = start_worker(o, &fds[started], &note, e);
		started++;
	}
	for (i = 0; rc == CS_OK && i < started; i++)
		if (write(fds[i], "g", 1) != 1)
			rc = CS_FAIL(e, CS_E_IO, "benchmark: %s", strerror(errno));
	for (i = 0; rc == CS_OK && i < started; i++) {
		rc = hear(fds[i], &note, e);
		total += note.signatures;
	}
	for (i = 0; i < started; i++)
		if (fds[i] >= 0)
			close(fds[i]); /* ends a worker that waits */
	while (wait(NULL) > 0)
		;
	if (rc == CS_OK)
		print(o, note.alg, total, out);
	return rc;
}
