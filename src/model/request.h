/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an agent submits, and the request document that approvers sign.
 * Plain data without pointers: copy, store, compare freely. Bytes in docs/PROTOCOL.decision.
 */
#ifndef CS_MODEL_REQUEST_H
#define CS_MODEL_REQUEST_H

#include "base/buf.h"
#include "base/clock.h"
#include "base/pk.h"
#include "base/uuid.h"
#include "model/limits.h"
#include "model/names.h"

#define CS_REQUEST_TYPE "application/vnd.countersign.request+json"

struct cs_digest {
	enum cs_hash hash;
	uint8_t value[CS_HASH_MAX_LEN]; /* cs_hash_len(hash) bytes are used */
};

/** One image. The agent gives name, digest, size, key and perhaps format; the server resolves the
 * rest. */
struct cs_artifact {
	char name[CS_NAME_MAX + 1];
	struct cs_digest digest;
	int64_t size; /* bytes of the image, as declared */
	char key[CS_NAME_MAX + 1];
	enum cs_format format; /* CS_FORMAT_NONE in a submission: the key's */
	/* resolved, in documents only */
	enum cs_alg key_alg;
	enum cs_hash key_hash;
	struct cs_sha256 key_spki;
};

/** All optional, "" when absent; security_version −1 when absent. */
struct cs_release {
	char product[CS_TEXT_MAX + 1];
	char component[CS_TEXT_MAX + 1];
	char version[CS_TEXT_MAX + 1];
	int64_t security_version;
};

struct cs_build {
	char repository[CS_TEXT_MAX + 1];
	char commit[CS_TEXT_MAX + 1];
	char pipeline[CS_TEXT_MAX + 1];
};

/** Body of POST /v1/requests. */
struct cs_submission {
	size_t count;
	struct cs_artifact artifacts[CS_ARTIFACTS_MAX];
	struct cs_release release;
	struct cs_build build;
	char comment[CS_COMMENT_MAX + 1]; /* "" when absent */
};

struct cs_quorum_line {
	char group[CS_NAME_MAX + 1];
	int64_t count;
};

struct cs_quorum_list {
	size_t count;                                     /* 0: no approval needed */
	struct cs_quorum_line lines[CS_QUORUM_LINES_MAX]; /* ascending by group */
};

/** The request document. */
struct cs_request {
	char id[CS_UUID_TEXT];
	char instance[CS_NAME_MAX + 1];
	enum cs_env environment;
	char principal[CS_NAME_MAX + 1];
	size_t person_count;
	char persons[CS_PERSONS_MAX][CS_NAME_MAX + 1]; /* ascending; none of them may approve */
	enum cs_method method;
	int64_t created, expires; /* µs since 1970 */
	struct cs_quorum_list quorum;
	size_t count;
	struct cs_artifact artifacts[CS_ARTIFACTS_MAX];
	struct cs_release release;
	struct cs_build build;
	bool has_comment;
	struct cs_sha256 comment_sha256;
	int64_t policy_version;
	struct cs_sha256 policy_digest;
};

/** Read a submission: unknown fields, duplicate artifact names, wrong digest lengths … are errors
 * with the field's path. */
enum cs_rc cs_submission_parse(struct cs_bytes body, struct cs_submission *out,
			       struct cs_err *e) CS_MUST_CHECK;
/** Hash of the parsed, canonical form: the same for bodies that differ in white space or order
 * only. */
enum cs_rc cs_submission_fingerprint(const struct cs_submission *s, struct cs_sha256 *out,
				     struct cs_err *e) CS_MUST_CHECK;
/** Hash of what makes two requests equal: artifacts, release and the build's commit. */
enum cs_rc cs_submission_equality(const struct cs_submission *s, struct cs_sha256 *out,
				  struct cs_err *e) CS_MUST_CHECK;

/** Append the canonical bytes. */
void cs_request_write(const struct cs_request *r, struct cs_buf *out);
/** Parse canonical bytes; everything is checked that can be checked without a policy. */
enum cs_rc cs_request_parse(struct cs_bytes document, struct cs_request *out,
			    struct cs_err *e) CS_MUST_CHECK;

/** Merge src into dst: per group the larger count. CS_E_INVALID when there would be too many lines.
 */
enum cs_rc cs_quorum_list_merge(struct cs_quorum_list *dst, const struct cs_quorum_list *src,
				struct cs_err *e) CS_MUST_CHECK;
/** Sum of the counts. */
int64_t cs_quorum_list_total(const struct cs_quorum_list *q);

#endif
