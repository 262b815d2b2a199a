/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shapes of bodies, as the OpenAPI document shows them.
 * Must not repeat a limit as a number: they are those of model/limits.h.
 * See schema.h for the contract.
 */
#include "http/schema.h"

#include "base/enc.h"
#include "base/jcs.h"
#include "model/names.h"
#include "model/request.h"
#include "model/state.h"

#define OPTIONAL true
#define REQUIRED false
#define NONE 0, 0, NULL, NULL

/* clang-format off */
#define STRICT true /* what is sent */
#define OPEN false  /* what is answered: later releases add fields */
#define SCHEMA(id, title, strict, text, table) \
	const struct cs_schema id = { title, strict, text, sizeof(table) / sizeof((table)[0]), table }
#define PART(id, title, strict, text, table) static SCHEMA(id, title, strict, text, table)

static const char *state_value(int v)	 { return cs_state_name((enum cs_state)v); }
static const char *artifact_state(int v) { return cs_artifact_state_name((enum cs_artifact_state)v); }
static const char *env_value(int v)	 { return cs_env_name((enum cs_env)v); }
static const char *format_value(int v)	 { return cs_format_name((enum cs_format)v); }
static const char *hash_value(int v)	 { return cs_hash_name((enum cs_hash)v); }
static const char *alg_value(int v)	 { return cs_alg_name((enum cs_alg)v); }
static const char *verdict_value(int v)	 { return cs_verdict_name((enum cs_verdict_kind)v); }

#define STATES CS_ST_NONE + 1, CS_ST__COUNT - 1, state_value, NULL
#define ARTIFACT_STATES CS_AS_NONE + 1, CS_AS__COUNT - 1, artifact_state, NULL
#define ENVIRONMENTS CS_ENV_DEV, CS_ENV_PROD, env_value, NULL
#define FORMATS CS_FORMAT_NONE + 1, CS_FORMAT__COUNT - 1, format_value, NULL
#define HASHES CS_HASH_SHA256, CS_HASH_SHA512, hash_value, NULL
#define ALGORITHMS CS_ALG_RSA_3072, CS_ALG_ED25519, alg_value, NULL
#define VERDICTS CS_VERDICT_APPROVE, CS_VERDICT_WITHDRAW, verdict_value, NULL
#define NAME 1, CS_NAME_MAX, NULL, NULL
#define LINE 1, CS_TEXT_MAX, NULL, NULL
#define SHA256_HEX 2 * CS_SHA256_LEN, 2 * CS_SHA256_LEN, NULL, NULL
#define COUNTER 0, CS_JCS_INT_MAX, NULL, NULL

/* --- what is sent --- */

static const struct cs_schema_field digest_fields[] = {
	{ "algorithm", CS_S_ENUM, REQUIRED, HASHES, "The key's hash." },
	{ "value", CS_S_HEX, REQUIRED, 64, 128, NULL, NULL, "As long as the algorithm's digests are." },
};
PART(digest, "Digest", STRICT, "The digest of an image.", digest_fields);

static const struct cs_schema_field artifact_fields[] = {
	{ "digest", CS_S_OBJECT, REQUIRED, 0, 0, NULL, &digest, NULL },
	{ "format", CS_S_ENUM, OPTIONAL, FORMATS, "The key's format; stated, it is compared." },
	{ "key", CS_S_NAME, REQUIRED, NAME, "Name of the signing key." },
	{ "name", CS_S_NAME, REQUIRED, NAME, "Unique in the request." },
	{ "size", CS_S_INT, REQUIRED, 1, CS_SIZE_MAX, NULL, NULL, "Bytes of the image." },
};
PART(artifact, "Artifact", STRICT, "One image.", artifact_fields);

static const struct cs_schema_field release_fields[] = {
	{ "component", CS_S_TEXT, OPTIONAL, LINE, NULL },
	{ "product", CS_S_TEXT, OPTIONAL, LINE, NULL },
	{ "security_version", CS_S_INT, OPTIONAL, COUNTER, NULL },
	{ "version", CS_S_TEXT, OPTIONAL, LINE, NULL },
};
PART(release, "Release", STRICT, "What the images are.", release_fields);

static const struct cs_schema_field build_fields[] = {
	{ "commit", CS_S_TEXT, OPTIONAL, LINE, NULL },
	{ "pipeline", CS_S_TEXT, OPTIONAL, LINE, NULL },
	{ "repository", CS_S_TEXT, OPTIONAL, LINE, NULL },
};
PART(build, "Build", STRICT, "Where the images come from.", build_fields);

static const struct cs_schema_field submission_fields[] = {
	{ "artifacts", CS_S_LIST, REQUIRED, 1, CS_ARTIFACTS_MAX, NULL, &artifact, "All of one environment." },
	{ "build", CS_S_OBJECT, OPTIONAL, 0, 0, NULL, &build, NULL },
	{ "comment", CS_S_TEXT, OPTIONAL, 1, CS_COMMENT_MAX, NULL, NULL, "For the approvers." },
	{ "release", CS_S_OBJECT, OPTIONAL, 0, 0, NULL, &release, NULL },
};
SCHEMA(cs_schema_submission, "Submission", STRICT, "A request for signatures.", submission_fields);

static const struct cs_schema_field decision_post_fields[] = {
	{ "comment", CS_S_TEXT, OPTIONAL, 1, CS_COMMENT_MAX, NULL, NULL, "The text whose hash the decision holds." },
	{ "envelope", CS_S_BASE64, REQUIRED, 1, CS_BASE64_LEN(CS_ENVELOPE_MAX), NULL, NULL,
	  "DSSE envelope of a decision, see docs/PROTOCOL.decision." },
};
SCHEMA(cs_schema_decision_post, "DecisionPost", STRICT, "A signed decision.", decision_post_fields);

/* --- what is answered --- */

static const struct cs_schema_field artifact_view_fields[] = {
	{ "digest", CS_S_OBJECT, REQUIRED, 0, 0, NULL, &digest, NULL },
	{ "format", CS_S_ENUM, REQUIRED, FORMATS, NULL },
	{ "key", CS_S_NAME, REQUIRED, NAME, NULL },
	{ "name", CS_S_NAME, REQUIRED, NAME, NULL },
	{ "size", CS_S_INT, REQUIRED, COUNTER, NULL },
	{ "state", CS_S_ENUM, REQUIRED, ARTIFACT_STATES, NULL },
};
PART(artifact_view, "ArtifactView", OPEN, "One image of a request, and how far it is.", artifact_view_fields);

static const struct cs_schema_field quorum_line_fields[] = {
	{ "group", CS_S_NAME, REQUIRED, NAME, NULL },
	{ "have", CS_S_INT, REQUIRED, COUNTER, "Approvals that count." },
	{ "need", CS_S_INT, REQUIRED, COUNTER, "Approvals needed." },
};
PART(quorum_line, "QuorumLine", OPEN, "How many of a group must approve.", quorum_line_fields);

static const struct cs_schema_field vote_fields[] = {
	{ "decision", CS_S_ENUM, REQUIRED, VERDICTS, NULL },
	{ "group", CS_S_NAME, REQUIRED, NAME, NULL },
	{ "n", CS_S_INT, REQUIRED, 1, CS_N_MAX, NULL, NULL, "Counts the person's decisions on this request." },
	{ "person", CS_S_NAME, REQUIRED, NAME, NULL },
};
PART(vote, "Vote", OPEN, "A decision whose signature counts now.", vote_fields);

static const struct cs_schema_field request_fields[] = {
	{ "artifacts", CS_S_LIST, REQUIRED, 1, CS_ARTIFACTS_MAX, NULL, &artifact_view, NULL },
	{ "build", CS_S_OBJECT, OPTIONAL, 0, 0, NULL, &build, NULL },
	{ "comment", CS_S_TEXT, OPTIONAL, 1, CS_COMMENT_MAX, NULL, NULL, NULL },
	{ "created", CS_S_TIME, REQUIRED, NONE, NULL },
	{ "document_sha256", CS_S_HEX, REQUIRED, SHA256_HEX, "Of the bytes that approvers sign." },
	{ "environment", CS_S_ENUM, REQUIRED, ENVIRONMENTS, NULL },
	{ "expires", CS_S_TIME, REQUIRED, NONE, NULL },
	{ "id", CS_S_UUID, REQUIRED, NONE, NULL },
	{ "missing", CS_S_INT, REQUIRED, COUNTER, "Approvals still needed." },
	{ "principal", CS_S_NAME, REQUIRED, NAME, "Who asked." },
	{ "quorum", CS_S_LIST, REQUIRED, 0, 2 * CS_QUORUM_LINES_MAX, NULL, &quorum_line, NULL },
	{ "reason", CS_S_TEXT, OPTIONAL, 1, CS_REASON_MAX, NULL, NULL, "Why it ended as it did." },
	{ "release", CS_S_OBJECT, OPTIONAL, 0, 0, NULL, &release, NULL },
	{ "revision", CS_S_INT, REQUIRED, COUNTER, "Grows with every change; for long polls." },
	{ "signatures", CS_S_LIST, OPTIONAL, 1, CS_ARTIFACTS_MAX, NULL, NULL,
	  "Base64, in the order of the artifacts; for agents and auditors, when signed." },
	{ "state", CS_S_ENUM, REQUIRED, STATES, NULL },
	{ "votes", CS_S_LIST, REQUIRED, 0, CS_DECISIONS_MAX, NULL, &vote, NULL },
	{ "waits_for_me", CS_S_BOOL, OPTIONAL, NONE, "For approvers: pending, and their approval would count." },
};
SCHEMA(cs_schema_request, "Request", OPEN, "The view of a request. Later releases add fields.", request_fields);

static const struct cs_schema_field request_list_fields[] = {
	{ "next", CS_S_UUID, OPTIONAL, NONE, "Cursor of the next page; absent on the last one." },
	{ "requests", CS_S_LIST, REQUIRED, 0, 200, NULL, &cs_schema_request, NULL },
	{ "revision", CS_S_INT, REQUIRED, COUNTER, NULL },
};
SCHEMA(cs_schema_request_list, "RequestList", OPEN, "Requests, newest first.", request_list_fields);

static const struct cs_schema_field decision_fields[] = {
	{ "comment", CS_S_TEXT, OPTIONAL, 1, CS_COMMENT_MAX, NULL, NULL, NULL },
	{ "decision", CS_S_ENUM, REQUIRED, VERDICTS, NULL },
	{ "envelope", CS_S_BASE64, REQUIRED, 1, CS_BASE64_LEN(CS_ENVELOPE_MAX), NULL, NULL, NULL },
	{ "group", CS_S_NAME, REQUIRED, NAME, NULL },
	{ "n", CS_S_INT, REQUIRED, 1, CS_N_MAX, NULL, NULL, "Counts the person's decisions on this request." },
	{ "person", CS_S_NAME, REQUIRED, NAME, NULL },
	{ "seq", CS_S_INT, REQUIRED, COUNTER, "The event that holds it." },
};
PART(decision, "Decision", OPEN, "A signed decision as it was posted.", decision_fields);

static const struct cs_schema_field decision_list_fields[] = {
	{ "decisions", CS_S_LIST, REQUIRED, 0, CS_DECISIONS_MAX, NULL, &decision, NULL },
};
SCHEMA(cs_schema_decision_list, "DecisionList", OPEN, "In the order of the log.", decision_list_fields);

static const struct cs_schema_field quorum_rule_fields[] = {
	{ "count", CS_S_INT, REQUIRED, 1, CS_QUORUM_COUNT_MAX, NULL, NULL, NULL },
	{ "group", CS_S_NAME, REQUIRED, NAME, NULL },
};
PART(quorum_rule, "QuorumRule", OPEN, "How many of a group must approve.", quorum_rule_fields);

static const struct cs_schema_field key_fields[] = {
	{ "algorithm", CS_S_ENUM, REQUIRED, ALGORITHMS, NULL },
	{ "disabled", CS_S_BOOL, REQUIRED, NONE, NULL },
	{ "environment", CS_S_ENUM, REQUIRED, ENVIRONMENTS, NULL },
	{ "format", CS_S_ENUM, REQUIRED, FORMATS, NULL },
	{ "hash", CS_S_ENUM, REQUIRED, HASHES, NULL },
	{ "imported", CS_S_BOOL, REQUIRED, NONE, "Whether the key was not made on its token." },
	{ "max_uses", CS_S_INT, OPTIONAL, 1, CS_MAX_USES_MAX, NULL, NULL, "Signatures that it makes at most." },
	{ "max_wait", CS_S_INT, REQUIRED, 1, CS_MAX_WAIT_MAX, NULL, NULL, "Seconds that a request may wait for approvals." },
	{ "name", CS_S_NAME, REQUIRED, NAME, NULL },
	{ "not_after", CS_S_TIME, OPTIONAL, NONE, NULL },
	{ "not_before", CS_S_TIME, OPTIONAL, NONE, NULL },
	{ "public_key", CS_S_TEXT, REQUIRED, NONE, "PEM." },
	{ "quorum", CS_S_LIST, REQUIRED, 0, CS_QUORUM_LINES_MAX, NULL, &quorum_rule, NULL },
	{ "software_token", CS_S_BOOL, REQUIRED, NONE, "Whether the key is in no hardware." },
	{ "spki_sha256", CS_S_HEX, REQUIRED, SHA256_HEX, "The key's identity." },
	{ "token", CS_S_NAME, REQUIRED, NAME, NULL },
};
SCHEMA(cs_schema_key, "Key", OPEN, "A signing key.", key_fields);

static const struct cs_schema_field key_list_fields[] = {
	{ "keys", CS_S_LIST, REQUIRED, 0, CS_KEYS_MAX, NULL, &cs_schema_key, NULL },
};
SCHEMA(cs_schema_key_list, "KeyList", OPEN, "Signing keys.", key_list_fields);

static const struct cs_schema_field head_fields[] = {
	{ "head", CS_S_HEX, REQUIRED, SHA256_HEX, "Hash of event `size`." },
	{ "id", CS_S_HEX, REQUIRED, SHA256_HEX, "Hash of event 1." },
	{ "size", CS_S_INT, REQUIRED, COUNTER, "Number of events." },
};
SCHEMA(cs_schema_head, "Head", OPEN, "The log's head.", head_fields);

static const struct cs_schema_field health_fields[] = {
	{ "status", CS_S_NAME, REQUIRED, NAME, "ok" },
};
SCHEMA(cs_schema_health, "Health", OPEN, "The process answers.", health_fields);

static const struct cs_schema_field check_fields[] = {
	{ "message", CS_S_TEXT, REQUIRED, NONE, "What is wrong; empty when ok." },
	{ "name", CS_S_NAME, REQUIRED, NAME, "log, disk, signer:TOKEN, crl, stopping" },
	{ "ok", CS_S_BOOL, REQUIRED, NONE, NULL },
};
PART(check, "Check", OPEN, "One part of readiness.", check_fields);

static const struct cs_schema_field ready_fields[] = {
	{ "checks", CS_S_LIST, REQUIRED, 0, 0, NULL, &check, NULL },
	{ "ready", CS_S_BOOL, REQUIRED, NONE, NULL },
};
SCHEMA(cs_schema_ready, "Ready", OPEN, "Can it sign?", ready_fields);

static const struct cs_schema_field problem_fields[] = {
	{ "detail", CS_S_TEXT, REQUIRED, NONE, "What is wrong, and what to do." },
	{ "request", CS_S_UUID, OPTIONAL, NONE, "The request concerned." },
	{ "rule", CS_S_NAME, OPTIONAL, NAME, "The rule of the policy that said no." },
	{ "status", CS_S_INT, REQUIRED, 400, 599, NULL, NULL, NULL },
	{ "title", CS_S_TEXT, REQUIRED, NONE, NULL },
	{ "type", CS_S_TEXT, REQUIRED, NONE, "Stable: urn:countersign:problem:NAME." },
};
SCHEMA(cs_schema_problem, "Problem", OPEN, "RFC 9457.", problem_fields);
/* clang-format on */

const struct cs_schema *const cs_schemas[] = {
	&artifact,
	&artifact_view,
	&build,
	&check,
	&decision,
	&cs_schema_decision_list,
	&cs_schema_decision_post,
	&digest,
	&cs_schema_head,
	&cs_schema_health,
	&cs_schema_key,
	&cs_schema_key_list,
	&cs_schema_problem,
	&quorum_line,
	&quorum_rule,
	&cs_schema_ready,
	&release,
	&cs_schema_request,
	&cs_schema_request_list,
	&cs_schema_submission,
	&vote,
	NULL,
};
