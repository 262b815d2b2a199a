/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every limit on what others send, in one place. Lengths are bytes without a final NUL.
 * docs/PROTOCOL.decision and the OpenAPI document repeat them; the tests compare.
 */
#ifndef CS_MODEL_LIMITS_H
#define CS_MODEL_LIMITS_H

/* names of keys, artifacts, principals, persons, groups, tokens, the instance */
#define CS_NAME_MAX 64
#define CS_TEXT_MAX 256     /* free text of one line: product, version, repository, pipeline … */
#define CS_COMMENT_MAX 1000 /* comments of requests and decisions */
#define CS_REASON_MAX 256   /* why a request was denied, failed or cancelled */
#define CS_ARTIFACTS_MAX 16 /* per request */
#define CS_PERSONS_MAX 8    /* owners of a robot */
#define CS_QUORUM_LINES_MAX 8
#define CS_QUORUM_COUNT_MAX 16
#define CS_APPROVAL_KEYS_MAX 4 /* per person */
#define CS_APPROVERS_MAX 128
#define CS_KEYS_MAX 256
#define CS_TOKENS_MAX 16
#define CS_PRINCIPALS_MAX 4096
#define CS_DECISIONS_MAX 64 /* per request, all persons and all n together */
#define CS_N_MAX 16         /* decisions of one person on one request */
#define CS_CKA_ID_MAX 64
#define CS_IDEMPOTENCY_KEY_MAX 128

#define CS_BODY_MAX 65536     /* request bodies */
#define CS_DOCUMENT_MAX 32768 /* request document */
#define CS_DECISION_MAX 8192  /* decision payload */
#define CS_ENVELOPE_MAX 16384 /* decision envelope */
#define CS_POLICY_JSON_MAX (4U << 20)
#define CS_EVENT_MAX (12U << 20) /* one event; only policy.loaded is large */

#define CS_SIZE_MAX INT64_C(1099511627776) /* of an image: 1 TiB */
#define CS_MAX_WAIT_DEFAULT (72 * 3600)    /* seconds a request may wait for approvals */
#define CS_MAX_WAIT_MAX (30 * 86400)
#define CS_MAX_USES_MAX INT64_C(1000000000) /* signatures; a signer keeps a byte for each */
#define CS_QUORUM_PROD_MIN 2                /* no prod key with a smaller quorum */

#endif
