/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events of the audit log and the chain they form: canonical JSON, hash = SHA-256(0x00 ‖ bytes),
 * `prev` = hash before. The kinds are a closed list; docs/PROTOCOL.log has the detail of each.
 */
#ifndef CS_AUDIT_EVENT_H
#define CS_AUDIT_EVENT_H

#include "base/jcs.h"
#include "base/json.h"
#include "model/decision.h"

#define CS_EVENT_TYPE "application/vnd.countersign.event+json"
/** The longest actor: "signer:" and a token's name. */
#define CS_ACTOR_MAX (CS_NAME_MAX + 7)

#define CS_EVENT_KINDS(X)                               \
	X(CS_EV_LOG_CREATED, "log.created")             \
	X(CS_EV_START, "daemon.started")                \
	X(CS_EV_STOP, "daemon.stopped")                 \
	X(CS_EV_UNCLEAN, "daemon.unclean-stop")         \
	X(CS_EV_POLICY, "policy.loaded")                \
	X(CS_EV_ACCESS, "access.loaded")                \
	X(CS_EV_AUTH_REFUSED, "auth.refused")           \
	X(CS_EV_ACCESS_REFUSED, "access.refused")       \
	X(CS_EV_REQUEST_DENIED, "request.denied")       \
	X(CS_EV_REQUEST_CREATED, "request.created")     \
	X(CS_EV_REQUEST_DECISION, "request.decision")   \
	X(CS_EV_REQUEST_REJUDGED, "request.rejudged")   \
	X(CS_EV_REQUEST_CANCELLED, "request.cancelled") \
	X(CS_EV_REQUEST_EXPIRED, "request.expired")     \
	X(CS_EV_REQUEST_SIGNED, "request.signed")       \
	X(CS_EV_REQUEST_FAILED, "request.failed")       \
	X(CS_EV_SIGN_INTENT, "sign.intent")             \
	X(CS_EV_SIGN_DONE, "sign.done")                 \
	X(CS_EV_SIGN_FAILED, "sign.failed")             \
	X(CS_EV_SIGN_UNKNOWN, "sign.unknown")           \
	X(CS_EV_EXPORT, "log.exported")                 \
	X(CS_EV_RESTORED, "log.restored")               \
	X(CS_EV_SIGNER_LOST, "signer.lost")             \
	X(CS_EV_SIGNER_BACK, "signer.back")             \
	X(CS_EV_SELFTEST, "signer.selftest")            \
	X(CS_EV_CLOCK_JUMP, "clock.jump")               \
	X(CS_EV_DISK_LOW, "disk.low")                   \
	X(CS_EV_DISK_BACK, "disk.back")                 \
	X(CS_EV_LOG_DAMAGED, "log.damaged")

#define CS_EVENT_ENUM(code, name) code,
enum cs_event_kind { CS_EV_NONE, CS_EVENT_KINDS(CS_EVENT_ENUM) CS_EV__COUNT };
#undef CS_EVENT_ENUM

const char *cs_event_kind_name(enum cs_event_kind k);
enum cs_event_kind cs_event_kind_from_name(const char *name);

/** {"actor":…,"detail":{…},"kind":…,"prev":…,"request":…,"seq":…,"time":…,"type":…,"v":1} */
struct cs_event {
	int64_t seq;  /* from 1, no gaps */
	int64_t time; /* µs */
	enum cs_event_kind kind;
	char actor[CS_ACTOR_MAX + 1]; /* principal, "daemon" or "signer:TOKEN" */
	char request[CS_UUID_TEXT];   /* "" when none */
	struct cs_sha256 prev;        /* 32 zero bytes in event 1 */
	struct cs_bytes detail;       /* canonical JSON object; borrowed */
};

/** Append the canonical bytes of the event. */
void cs_event_write(const struct cs_event *ev, struct cs_buf *out);
/** The event's hash, which the next one carries as prev. */
struct cs_sha256 cs_event_hash(struct cs_bytes event);
/**
 * Parse canonical bytes. The detail is not interpreted here: audit/detail.h reads it.
 *
 * @param rootp  the parsed tree, set on success only; the caller frees it; ev->detail is left
 *               empty, use cs_json_get(root, "detail")
 * @return CS_E_INVALID for bytes that are not canonical, and for a member that is unknown, missing
 *         or out of range; CS_E_TOO_LARGE above CS_EVENT_MAX
 */
enum cs_rc cs_event_parse(struct cs_bytes bytes, struct cs_event *ev, struct cs_json **rootp,
			  struct cs_err *e) CS_MUST_CHECK;

#endif
