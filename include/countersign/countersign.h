/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libcountersign: submit digests to a countersign server, wait for approvals, fetch signatures.
 * Build with `pkg-config --cflags --libs libcountersign`. docs/examples/sign.c is a whole program.
 *
 * A client is for one thread at a time. It keeps its connection and, when the server cannot be
 * reached or is busy, tries again with growing pauses until its patience ends; that is safe, since
 * everything sent again is either a question or carries an idempotency key.
 *
 * Strings are UTF-8 and NUL-terminated. Functions return COUNTERSIGN_OK or why not, and then fill
 * the error, if one is given. Outputs are written on success only.
 */
#ifndef COUNTERSIGN_COUNTERSIGN_H
#define COUNTERSIGN_COUNTERSIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define COUNTERSIGN_API __attribute__((visibility("default")))

#define COUNTERSIGN_ARTIFACTS_MAX 16
#define COUNTERSIGN_VOTES_MAX 64
#define COUNTERSIGN_QUORUM_MAX 16
#define COUNTERSIGN_NAME_SIZE 65 /* names and person names, with the NUL */
#define COUNTERSIGN_ID_SIZE 37
#define COUNTERSIGN_DIGEST_MAX 64
#define COUNTERSIGN_SIGNATURE_MAX 65536

/** What a call came to. Values are stable. */
enum countersign_code {
	COUNTERSIGN_OK = 0,
	COUNTERSIGN_PROFILE = 1,     /* the profile or its files are wrong; nothing was sent */
	COUNTERSIGN_INVALID = 2,     /* what was asked is malformed or over a limit */
	COUNTERSIGN_REFUSED = 3,     /* by the policy, or the certificate may not */
	COUNTERSIGN_NOT_FOUND = 4,   /* or not yours */
	COUNTERSIGN_CONFLICT = 5,    /* the state moved on, or another body under the same key */
	COUNTERSIGN_PENDING = 6,     /* not yet: ask again later */
	COUNTERSIGN_UNAVAILABLE = 7, /* no answer, or the server is busy or not ready */
	COUNTERSIGN_TRUST = 8,       /* the server did not prove who it is, or refused us in TLS */
	COUNTERSIGN_PROTOCOL = 9,    /* the answer was not understood */
	COUNTERSIGN_SYSTEM = 10,     /* out of memory and the like */
};

struct countersign_error {
	enum countersign_code code;
	int http_status;   /* 0 when no answer came */
	char rule[65];     /* the policy's rule that said no, or "" */
	char message[512]; /* one line, says what to do */
};

/**
 * Whom to talk to and as whom. Borrowed during countersign_open only.
 * Initialise with {0}; url, ca and certificate are required, and one of key and pkey.
 */
struct countersign_profile {
	const char *url;         /* "https://host[:port]" */
	const char *ca;          /* PEM file: the CA of the server's certificate */
	const char *certificate; /* PEM file: the client's certificate, then its chain */
	const char *key;         /* PEM file: its private key */
	void *pkey;              /* EVP_PKEY of OpenSSL instead of `key`, e.g. on a token */
	/**
	 * Asked for the pass phrase of an encrypted key: write at most size bytes, return the
	 * length, or -1. NULL: encrypted keys are refused.
	 */
	int (*passphrase)(void *arg, const char *path, char *buf, size_t size);
	void *passphrase_arg;
};

struct countersign;

/**
 * Check the profile and the certificate (dates, purpose, key) and prepare a client. Connects at the
 * first call. The caller closes *cp.
 */
COUNTERSIGN_API enum countersign_code countersign_open(const struct countersign_profile *profile,
						       struct countersign **cp,
						       struct countersign_error *e);
COUNTERSIGN_API void countersign_close(struct countersign *c);

/** How long calls keep trying while the server is away; 60 s unless set. 0: try once. */
COUNTERSIGN_API void countersign_set_patience(struct countersign *c, unsigned seconds);
/** Told before each pause: why, and how long it will be. */
typedef void countersign_retry_fn(void *arg, const char *why, unsigned milliseconds);
COUNTERSIGN_API void countersign_on_retry(struct countersign *c, countersign_retry_fn *fn,
					  void *arg);

/** One image. */
struct countersign_artifact {
	const char *name;      /* [A-Za-z0-9._+/@:-], 1..64 */
	const char *algorithm; /* "sha256", "sha384", "sha512": the key's */
	const uint8_t *digest; /* as long as the algorithm's */
	size_t digest_len;
	int64_t size;       /* bytes of the image */
	const char *key;    /* the name of the signing key */
	const char *format; /* NULL: the key's only one */
};

/** What to sign. NULL strings and a security_version below 0 are left out. */
struct countersign_submission {
	size_t count; /* 1..COUNTERSIGN_ARTIFACTS_MAX */
	const struct countersign_artifact *artifacts;
	const char *product, *component, *version;
	int64_t security_version;
	const char *repository, *commit, *pipeline;
	const char *comment;
};

/** What a person decided; her latest word. */
struct countersign_vote {
	char person[COUNTERSIGN_NAME_SIZE];
	char group[COUNTERSIGN_NAME_SIZE];
	char decision[16]; /* "approve", "reject", "withdraw" */
};

/** A request as the server shows it. Initialise with {0}, end with countersign_request_done. */
struct countersign_request {
	char id[COUNTERSIGN_ID_SIZE];
	char state[16];                /* "pending", "signed", "rejected" … */
	char environment[8];           /* "dev", "prod" */
	char created[32], expires[32]; /* RFC 3339, UTC */
	char principal[COUNTERSIGN_NAME_SIZE];
	char reason[257]; /* why it ended otherwise, or "" */
	int64_t revision; /* grows with every change */
	int64_t missing;  /* approvals still needed */
	bool is_final;    /* nothing follows */
	bool is_signed;
	size_t artifact_count;
	struct {
		char name[COUNTERSIGN_NAME_SIZE];
		char key[COUNTERSIGN_NAME_SIZE];
		char state[16];
	} artifacts[COUNTERSIGN_ARTIFACTS_MAX];
	size_t quorum_count;
	struct {
		char group[COUNTERSIGN_NAME_SIZE];
		int64_t need, have;
	} quorum[COUNTERSIGN_QUORUM_MAX];
	size_t vote_count;
	struct countersign_vote *votes;
	bool replay; /* an earlier request was returned */
	char *json;  /* the server's own words, whole */
};

COUNTERSIGN_API void countersign_request_done(struct countersign_request *r);

/**
 * Submit. Returns as soon as the server has recorded it, signed or not.
 *
 * @param idempotency_key  1..128 printable ASCII characters, stored by the caller before the call:
 *                         the same key never makes a second request. NULL: one is made up, which
 *                         protects this call only
 */
COUNTERSIGN_API enum countersign_code countersign_submit(
	struct countersign *c, const struct countersign_submission *submission,
	const char *idempotency_key, struct countersign_request *out, struct countersign_error *e);

/** The request as it is now. */
COUNTERSIGN_API enum countersign_code countersign_get(struct countersign *c, const char *id,
						      struct countersign_request *out,
						      struct countersign_error *e);

/**
 * Wait until the request changed, at most `seconds` (0..60), and give it as it is then.
 *
 * @param revision  the one seen last
 */
COUNTERSIGN_API enum countersign_code countersign_poll(struct countersign *c, const char *id,
						       int64_t revision, unsigned seconds,
						       struct countersign_request *out,
						       struct countersign_error *e);

/**
 * Wait until the request is final. COUNTERSIGN_PENDING when it is not after `seconds`; then *out
 * is filled all the same.
 */
COUNTERSIGN_API enum countersign_code countersign_wait(struct countersign *c, const char *id,
						       unsigned seconds,
						       struct countersign_request *out,
						       struct countersign_error *e);

/**
 * The signature of artifact `index`, raw bytes.
 *
 * @param lenp  bytes written to `signature`
 */
COUNTERSIGN_API enum countersign_code countersign_signature(
	struct countersign *c, const char *id, size_t index,
	uint8_t signature[COUNTERSIGN_SIGNATURE_MAX], size_t *lenp, struct countersign_error *e);

/** Any other route of the server's API. */
struct countersign_call {
	const char *method; /* "GET" or "POST" */
	const char *path;   /* "/v1/…" with its query, percent-encoded */
	const void *body;   /* JSON, or NULL */
	size_t body_len;
	const char *idempotency_key; /* or NULL */
	unsigned seconds;            /* for an answer; 0: 30 */
};

struct countersign_reply {
	int http_status; /* 200..299 */
	bool replay;
	char *data; /* NUL-terminated after len bytes; countersign_reply_done frees it */
	size_t len;
};

/**
 * One call. GETs and calls with an idempotency key are repeated while the server is away; others
 * are sent once. Answers of 400 and above are errors; the reply then holds their body.
 */
COUNTERSIGN_API enum countersign_code countersign_call(struct countersign *c,
						       const struct countersign_call *call,
						       struct countersign_reply *out,
						       struct countersign_error *e);
COUNTERSIGN_API void countersign_reply_done(struct countersign_reply *r);

#ifdef __cplusplus
}
#endif

#endif
