/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only user of PKCS#11: one module, one token, one session, single-threaded. Loaded after the
 * fork, never before. Every C_ call but the login runs under a timer that kills the process with
 * SIGKILL, so that a hung module costs one child. PKCS #11 v2.40; facts about modules in
 * docs/PROTOCOL.signer and ARCHITECTURE.md.
 */
#ifndef CS_P11_P11_H
#define CS_P11_P11_H

#include "base/pk.h"
#include "base/secret.h"
#include "model/policy.h"

struct cs_p11;

struct cs_p11_config {
	const char *module; /* absolute path of the shared library */
	const char *label;  /* token label, without padding; both must match */
	const char *serial; /* token serial; NULL = any (keygen, describe) */
	int64_t call_us;    /* deadline of one call, twice as long before the login; the process
			       gets SIGKILL after it */
};

/** Load, C_Initialize, find the slot, open a session. No login. */
enum cs_rc cs_p11_open(const struct cs_p11_config *config, bool writable, struct cs_p11 **pp,
		       struct cs_err *e) CS_MUST_CHECK;
/** C_Finalize; the module stays mapped (end with _exit). */
void cs_p11_close(struct cs_p11 *p);

/** Flags of CK_TOKEN_INFO that matter before a login. */
struct cs_p11_token_info {
	char label[CS_NAME_MAX + 1];
	char serial[CS_NAME_MAX + 1];
	char manufacturer[CS_NAME_MAX + 1];
	char model[CS_NAME_MAX + 1];
	bool pin_count_low, pin_final_try, pin_locked, login_required;
	int64_t session_max; /* 0 = unlimited or unknown */
};
/** As they were when the token was opened. */
void cs_p11_token_info(const struct cs_p11 *p, struct cs_p11_token_info *out);

/** One C_Login, without the timer. CS_E_PIN when the PIN is incorrect or locked: never try
 * that PIN again. */
enum cs_rc cs_p11_login(struct cs_p11 *p, const struct cs_secret *pin,
			struct cs_err *e) CS_MUST_CHECK;

/** A private key that was found, checked (C2) and whose public half is the pinned one. */
struct cs_p11_key;

/** After some errors no call can succeed any more: session or token gone. Then the process must
 * end and a fresh one take its place. */
bool cs_p11_is_lost(const struct cs_p11 *p);
/** Other errors may mean one key or all. How many there were since the last signature; and for who
 * knows better what they mean. */
unsigned cs_p11_doubts(const struct cs_p11 *p);
void cs_p11_set_doubts(struct cs_p11 *p, unsigned doubts);

/** By CKA_ID; compares the token's public key with key->pk. Refuses CKA_ALWAYS_AUTHENTICATE,
 * extractable, … keys. */
enum cs_rc cs_p11_find(struct cs_p11 *p, const struct cs_key *key, struct cs_p11_key **kp,
		       struct cs_err *e) CS_MUST_CHECK;
void cs_p11_key_free(struct cs_p11_key *k);

/**
 * C_SignInit and C_Sign of one scheme over prepared bytes, both under one deadline.
 *
 * @param rvp       name of the CK_RV ("CKR_OK"); static storage; always set
 * @param reachedp  true once C_Sign was called
 */
enum cs_rc cs_p11_sign(struct cs_p11 *p, struct cs_p11_key *k, enum cs_scheme scheme,
		       enum cs_hash hash, struct cs_bytes tbs, struct cs_buf *raw, const char **rvp,
		       bool *reachedp, struct cs_err *e) CS_MUST_CHECK;

/** Make a key pair on the token with the attributes of C2. Refuses a CKA_ID that is taken. */
enum cs_rc cs_p11_keygen(struct cs_p11 *p, enum cs_alg alg, struct cs_bytes cka_id,
			 const char *label, struct cs_pk **pkp, struct cs_err *e) CS_MUST_CHECK;

/** What `describe` prints of each private key. */
struct cs_p11_listed {
	uint8_t cka_id[CS_CKA_ID_MAX];
	size_t cka_id_len;
	char label[CS_NAME_MAX + 1];
	struct cs_pk *pk; /* NULL when not one of ours; valid during the call */
	bool sensitive, never_extractable, local, always_authenticate;
};
typedef void cs_p11_list_fn(void *arg, const struct cs_p11_listed *key);
enum cs_rc cs_p11_list(struct cs_p11 *p, cs_p11_list_fn *fn, void *arg,
		       struct cs_err *e) CS_MUST_CHECK;

#endif
