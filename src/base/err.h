/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Return codes and error messages, the same in every layer.
 * A message names the operand and the cause, never the function. It must not hold secrets.
 * See HACKING.md, "Errors".
 */
#ifndef CS_BASE_ERR_H
#define CS_BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

#define CS_MUST_CHECK __attribute__((warn_unused_result))
#define CS_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

/** Size of an error message with its final NUL; longer ones are cut. */
#define CS_ERR_MSG_MAX 512

/**
 * What went wrong, by whose fault and what helps. The list is closed; http/ maps it to status codes
 * in one table.
 */
#define CS_RC_LIST(X)                                                             \
	/* code, stable name */                                                   \
	X(CS_OK, "ok")                                                            \
	/* the caller's fault */                                                  \
	X(CS_E_INVALID, "invalid")     /* malformed or out of range */            \
	X(CS_E_TOO_LARGE, "too-large") /* over a stated limit */                  \
	X(CS_E_NOT_FOUND, "not-found") /* or not yours */                         \
	X(CS_E_FORBIDDEN, "forbidden") /* known, but may not */                   \
	X(CS_E_UNAUTHENTICATED, "unauthenticated")                                \
	X(CS_E_CONFLICT, "conflict")       /* state moved on, or a lower n */     \
	X(CS_E_MISMATCH, "mismatch")       /* same idempotency key, other body */ \
	X(CS_E_DENIED, "denied")           /* the policy says no */               \
	X(CS_E_SIGNATURE, "bad-signature") /* does not verify */                  \
	X(CS_E_EXPIRED, "expired")                                                \
	X(CS_E_PENDING, "pending") /* not yet; try again later */                 \
	X(CS_E_RATE, "rate-limited")                                              \
	/* ours, or the environment's */                                          \
	X(CS_E_BUSY, "busy")               /* a bounded queue is full */          \
	X(CS_E_UNAVAILABLE, "unavailable") /* signer or log not usable now */     \
	X(CS_E_TIMEOUT, "timeout")                                                \
	X(CS_E_CLOSED, "closed") /* the peer hung up */                           \
	X(CS_E_IO, "io-error")                                                    \
	X(CS_E_NO_SPACE, "no-space")                                              \
	X(CS_E_NOMEM, "out-of-memory")                                            \
	X(CS_E_CORRUPT, "corrupt") /* stored data contradicts itself */           \
	X(CS_E_VERSION, "version") /* newer than this program */                  \
	X(CS_E_CONFIG, "configuration")                                           \
	X(CS_E_HSM, "hsm-error")                                                  \
	X(CS_E_PIN, "pin-refused")                                                \
	X(CS_E_UNSUPPORTED, "unsupported")                                        \
	X(CS_E_INTERNAL, "internal") /* a bug */

#define CS_RC_ENUM(code, name) code,
enum cs_rc { CS_RC_LIST(CS_RC_ENUM) CS_RC__COUNT };
#undef CS_RC_ENUM

/** An error's code and message. Plain storage, initialise with {0}; nothing to free. */
struct cs_err {
	enum cs_rc rc;
	char msg[CS_ERR_MSG_MAX];
};

/** The stable name of a code ("not-found"), for logs and problem types. Static storage. */
const char *cs_rc_name(enum cs_rc rc);

/**
 * Fill an error and return its code, so that `return CS_FAIL(e, CS_E_INVALID, "…")` reads well.
 * Control characters in the result are replaced by '?', so a message is always one clean line.
 *
 * @param e    may be NULL: then only the code is returned
 * @param rc   any code but CS_OK
 */
enum cs_rc cs_err_set(struct cs_err *e, enum cs_rc rc, const char *fmt, ...) CS_PRINTF(3, 4);
enum cs_rc cs_err_vset(struct cs_err *e, enum cs_rc rc, const char *fmt, va_list ap)
	CS_PRINTF(3, 0);

/**
 * Put "context: " in front of the message of an error that passes through. Returns e->rc.
 *
 * @param e  may be NULL: then nothing happens, and the result is CS_E_INTERNAL; where that can be,
 *           return the code at hand
 */
enum cs_rc cs_err_prefix(struct cs_err *e, const char *fmt, ...) CS_PRINTF(2, 3);

/** The code itself, through a function so that it may also be ignored. */
static inline enum cs_rc cs_err_code(enum cs_rc rc)
{
	return rc;
}

/** `rc` is evaluated twice, so that compilers and analysers see that the result is not CS_OK. */
#define CS_FAIL(e, rc, ...) ((void)cs_err_set((e), (rc), __VA_ARGS__), cs_err_code(rc))

#endif
