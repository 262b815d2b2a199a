/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom to talk to and as whom: a value comes from its option, else from the environment, else from
 * the profile chosen. countersign-profiles(5).
 */
#ifndef CS_CLI_PROFILE_H
#define CS_CLI_PROFILE_H

#include "base/err.h"

#define CS_PROFILE_TEXT_MAX 512

/** field, key in the file, environment, option, what --help calls the value, is a file, doc */
#define CS_PROFILE_FIELDS(X)                                                                     \
	X(url, "url", "COUNTERSIGN_URL", "url", "URL", false, "Server, https://HOST[:PORT].")    \
	X(ca, "ca", "COUNTERSIGN_CA", "ca", "FILE", true, "CA of the server's certificate.")     \
	X(certificate, "certificate", "COUNTERSIGN_CERTIFICATE", "certificate", "FILE", true,    \
	  "Our TLS certificate.")                                                                \
	X(client_key, "key", "COUNTERSIGN_CLIENT_KEY", "client-key", "KEY", true,                \
	  "Its private key: PEM file or pkcs11: URI.")                                           \
	X(approval_key, "approval_key", "COUNTERSIGN_APPROVAL_KEY", "approval-key", "KEY", true, \
	  "Key that signs decisions: PEM file or pkcs11: URI.")                                  \
	X(pkcs11_module, "pkcs11_module", "COUNTERSIGN_PKCS11_MODULE", "pkcs11-module", "FILE",  \
	  true, "PKCS#11 module for pkcs11: URIs that name none.")                               \
	X(heads, "heads", "COUNTERSIGN_HEADS", "heads", "FILE", true,                            \
	  "Where the log's heads that were seen are kept.")                                      \
	X(person, "person", "COUNTERSIGN_PERSON", "person", "NAME", false,                       \
	  "Who we are in signing.yaml.")

/** As given on the command line; borrowed. */
struct cs_profile_args {
	const char *name; /* --profile */
#define CS_PROFILE_ARG(field, key, env, option, value, file, doc) const char *field;
	CS_PROFILE_FIELDS(CS_PROFILE_ARG)
#undef CS_PROFILE_ARG
};

/** Resolved; all owned, NULL when not set. */
struct cs_profile {
#define CS_PROFILE_FIELD(field, key, env, option, value, file, doc) char *field;
	CS_PROFILE_FIELDS(CS_PROFILE_FIELD)
#undef CS_PROFILE_FIELD
};

/**
 * Resolve. The file is $COUNTERSIGN_PROFILES, or ~/.config/countersign/profiles.yaml, which may be
 * missing when no profile is named.
 *
 * @return CS_E_CONFIG with the file's problem, or the profile that is not in it
 */
enum cs_rc cs_profile_load(const struct cs_profile_args *args, struct cs_profile *out,
			   struct cs_err *e) CS_MUST_CHECK;
void cs_profile_done(struct cs_profile *p);

/**
 * A path below the user's state directory: $COUNTERSIGN_STATE, or $XDG_STATE_HOME/countersign, or
 * ~/.local/state/countersign, which is made (0700) when absent. The caller frees *pathp.
 */
enum cs_rc cs_profile_state_path(const char *name, char **pathp, struct cs_err *e) CS_MUST_CHECK;

#endif
