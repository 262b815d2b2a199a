/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of `countersign init` share: the directory that is being made, and the words that
 * the templates get.
 */
#ifndef CS_CLI_INIT_H
#define CS_CLI_INIT_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "base/dsse.h"
#include "cli/cli.h"

#define CS_INIT_WORDS_MAX 96
#define CS_INIT_PATH_MAX 4096

/** Values for @NAME@ in templates. */
struct cs_words {
	size_t count;
	struct {
		char name[40];
		char *value; /* owned */
	} list[CS_INIT_WORDS_MAX];
};

struct cs_init {
	char *dir;    /* absolute; owned */
	char *daemon; /* paths of the programs; owned */
	char *signer;
	const char *module; /* SoftHSM's */
	bool separated;     /* each process gets a user of its own */
	const char *instance;
	struct cs_words words;
};

/** Add a word; the value is formatted. CS_E_NOMEM only. */
enum cs_rc cs_init_word(struct cs_init *in, const char *name, struct cs_err *e, const char *fmt,
			...) CS_MUST_CHECK CS_PRINTF(4, 5);
/** Replace every @NAME@ of a template. An unknown name is CS_E_INTERNAL. */
enum cs_rc cs_init_fill(const struct cs_words *words, const char *template, struct cs_buf *out,
			struct cs_err *e) CS_MUST_CHECK;
/** Write a new file below the directory. */
enum cs_rc cs_init_write(const struct cs_init *in, const char *name, struct cs_bytes content,
			 unsigned mode, struct cs_err *e) CS_MUST_CHECK;
/** Make a directory below the directory. */
enum cs_rc cs_init_mkdir(const struct cs_init *in, const char *name, unsigned mode,
			 struct cs_err *e) CS_MUST_CHECK;
/** Write a private key in PEM, 0600. */
enum cs_rc cs_init_write_key(const struct cs_init *in, const char *name, EVP_PKEY *key,
			     struct cs_err *e) CS_MUST_CHECK;
/** Run a program to its end, with SOFTHSM2_CONF set; what it prints goes to out. */
enum cs_rc cs_init_spawn(const char *const *argv, const char *softhsm_conf, struct cs_buf *out,
			 struct cs_err *e) CS_MUST_CHECK;

/** A CA, the server's certificate, one for each client, and an empty CRL, below pki/. */
enum cs_rc cs_init_pki(struct cs_init *in, struct cs_err *e) CS_MUST_CHECK;
/** Two SoftHSM tokens with keys made on them, below tokens/. */
enum cs_rc cs_init_tokens(struct cs_init *in, struct cs_err *e) CS_MUST_CHECK;
/** Approval keys with their enrolments, below approvers/. */
enum cs_rc cs_init_approvers(struct cs_init *in, struct cs_err *e) CS_MUST_CHECK;

/** An enrolment record in base64: "this key is mine", signed by the key. enroll.c. */
enum cs_rc cs_enroll_record(const char *instance, const char *person, EVP_PKEY *key,
			    struct cs_pk **pkp, struct cs_buf *out, struct cs_err *e) CS_MUST_CHECK;

#endif
