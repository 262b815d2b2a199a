/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages between countersignd and countersign-signer, both directions, as structs and bytes.
 * Shared by signer/client.c and signer-main/. docs/PROTOCOL.signer is the text.
 */
#ifndef CS_SIGNER_PROTOCOL_H
#define CS_SIGNER_PROTOCOL_H

#include "base/frame.h"
#include "model/request.h"

#define CS_SIGNER_PROTOCOL 1 /* a daemon talks to signers of this version and the one before */
#define CS_SIGNER_PROTOCOL_OLDEST 1
#define CS_RAW_SIG_MAX CS_SIG_MAX

/** Frame types. */
enum cs_signer_msg {
	CS_MSG_HELLO = 1,  /* signer → daemon, first frame of a connection */
	CS_MSG_SIGN = 2,   /* daemon → signer: one request, its decisions, some artifacts */
	CS_MSG_RESULT = 3, /* signer → daemon: one artifact's outcome, as each is done */
	CS_MSG_DONE = 4,   /* signer → daemon: no more results for this SIGN or STATUS */
	CS_MSG_STATUS = 5, /* daemon → signer: how are you; answered by CS_MSG_HEALTH, then DONE */
	CS_MSG_HEALTH = 6,
	CS_MSG_ERROR = 7, /* signer → daemon: not understood; text follows, the connection closes */
};

struct cs_signer_hello {
	int64_t protocol;
	char instance[CS_NAME_MAX + 1];
	char token[CS_NAME_MAX + 1];
	enum cs_env environment;
	char serial[CS_NAME_MAX + 1];
	bool software_token; /* the keys are not in hardware, and the policy allows it */
	int64_t policy_version;
	struct cs_sha256 policy_digest;
};

/** Borrowed bytes; one SIGN frame. No artifact twice. */
struct cs_signer_sign {
	struct cs_bytes document;
	size_t decision_count;
	struct cs_bytes decisions[CS_DECISIONS_MAX]; /* envelopes */
	size_t artifact_count;
	struct {
		uint32_t index;   /* into the document's artifacts */
		uint32_t attempt; /* from 1; for the journal */
	} artifacts[CS_ARTIFACTS_MAX];
};

/** Where an attempt ended. */
enum cs_sign_outcome {
	CS_SIGN_OK = 0,
	CS_SIGN_REFUSED = 1,   /* the signer's own rules said no; nothing reached the HSM */
	CS_SIGN_NOT_TRIED = 2, /* the HSM could not be asked (no session, C_SignInit failed); may be
				  tried again */
	CS_SIGN_FAILED = 3,    /* C_Sign itself failed; may be tried again */
};

struct cs_signer_result {
	uint32_t index;
	enum cs_sign_outcome outcome;
	char code[CS_NAME_MAX + 1];      /* rule name or CKR_… name; "" when ok */
	char message[CS_REASON_MAX + 1]; /* "" when ok */
	struct cs_bytes raw;             /* the token's output; borrowed; empty unless ok */
};

struct cs_signer_health {
	bool ready;                      /* keys found and last self-test passed */
	int64_t selftest_time;           /* µs; 0 = never */
	int64_t keys, failed;            /* keys of this token in the policy; of them not usable */
	int64_t restarts;                /* children that ended unasked since the signer's start */
	char message[CS_REASON_MAX + 1]; /* first thing that is wrong; "" when ready */
};

/**
 * Write the body of a message (appended), or read one. Reading is strict: ranges are checked, and
 * bytes that are left over are CS_E_INVALID. Bytes in what was read are borrowed from the input.
 */
void cs_signer_hello_write(const struct cs_signer_hello *m, struct cs_buf *out);
/** CS_E_VERSION for a protocol that this program does not speak. */
enum cs_rc cs_signer_hello_parse(struct cs_bytes in, struct cs_signer_hello *m,
				 struct cs_err *e) CS_MUST_CHECK;
void cs_signer_sign_write(const struct cs_signer_sign *m, struct cs_buf *out);
enum cs_rc cs_signer_sign_parse(struct cs_bytes in, struct cs_signer_sign *m,
				struct cs_err *e) CS_MUST_CHECK;
void cs_signer_result_write(const struct cs_signer_result *m, struct cs_buf *out);
enum cs_rc cs_signer_result_parse(struct cs_bytes in, struct cs_signer_result *m,
				  struct cs_err *e) CS_MUST_CHECK;
void cs_signer_health_write(const struct cs_signer_health *m, struct cs_buf *out);
enum cs_rc cs_signer_health_parse(struct cs_bytes in, struct cs_signer_health *m,
				  struct cs_err *e) CS_MUST_CHECK;

#endif
