/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The detail object of each kind of event: one writer per kind, and one reader that knows them all,
 * so that who writes the log and who verifies it cannot disagree. Byte strings are base64, hashes
 * hex; free text is cut to its limit and shown with \xNN where it must not stand as it is.
 * docs/PROTOCOL.log has the list.
 */
#ifndef CS_AUDIT_DETAIL_H
#define CS_AUDIT_DETAIL_H

#include "audit/event.h"
#include "model/state.h"

/** The longest pieces of free text; the rest of a reason, source or message is CS_REASON_MAX. */
#define CS_EVENT_PATH_MAX 256

/** {"instance"} */
void cs_detail_log_created(struct cs_buf *out, const char *instance);
/** {"version","pid"} */
void cs_detail_started(struct cs_buf *out, const char *version, int64_t pid);
/** {}: daemon.stopped, request.expired */
void cs_detail_empty(struct cs_buf *out);
/** {"last_seq"}: the last event before the unclean stop */
void cs_detail_unclean(struct cs_buf *out, int64_t last_seq);
/** {"digest","resolved" (base64),"version","yaml" (base64)} */
void cs_detail_policy(struct cs_buf *out, const struct cs_sha256 *digest, struct cs_bytes resolved,
		      int64_t version, struct cs_bytes yaml);
/** {"digest","principals"}: digest of the YAML bytes, number of principals */
void cs_detail_access(struct cs_buf *out, const struct cs_sha256 *digest, int64_t principals);
/** {"count","reason","source"}: refusals of one source in one minute */
void cs_detail_auth_refused(struct cs_buf *out, int64_t count, const char *reason,
			    const char *source);
/** {"count","method","path","role"}: refusals of one principal on one path in one minute */
void cs_detail_access_refused(struct cs_buf *out, int64_t count, const char *method,
			      const char *path, const char *role);
/** {"fingerprint","reason","rule"} */
void cs_detail_denied(struct cs_buf *out, const struct cs_sha256 *fingerprint, const char *reason,
		      const char *rule);
/** {"document" (base64),"state"} */
void cs_detail_created(struct cs_buf *out, struct cs_bytes document, enum cs_state state);
/** {"envelope" (base64),"person","state"}: state after the decision */
void cs_detail_decision(struct cs_buf *out, struct cs_bytes envelope, const char *person,
			enum cs_state state);
/** {"reason","state"}: judged again after a reload */
void cs_detail_rejudged(struct cs_buf *out, const char *reason, enum cs_state state);
/** {"reason"}: request.cancelled, request.failed */
void cs_detail_reason(struct cs_buf *out, const char *reason);
/** {"artifact","attempt","spki_sha256","tbs_sha256","token"} */
struct cs_intent {
	int64_t artifact, attempt; /* index from 0; number from 1 */
	struct cs_sha256 spki, tbs;
	const char *token;
};
void cs_detail_intent(struct cs_buf *out, const struct cs_intent *i);
/**
 * {"artifact","attempt","raw_sha256","signature_sha256"}
 *
 * @param raw        hash of the bytes that the token returned, as the signer's journal has it
 * @param signature  hash of what is released
 */
void cs_detail_done(struct cs_buf *out, int64_t artifact, int64_t attempt,
		    const struct cs_sha256 *raw, const struct cs_sha256 *signature);
/** {"artifact","attempt","code","message","reached_hsm"}; for failed and unknown */
void cs_detail_not_done(struct cs_buf *out, int64_t artifact, int64_t attempt, const char *code,
			const char *message, bool reached_hsm);
/** {"signatures" [base64 …]}, in the order of the artifacts */
void cs_detail_signed(struct cs_buf *out, const struct cs_bytes *signatures, size_t count);
/** {"from","to"} */
void cs_detail_export(struct cs_buf *out, int64_t from, int64_t to);
/** {"head","id","kept_head","kept_id","kept_size","size"}: the log as it was opened, and the one
 * that was served last */
void cs_detail_restored(struct cs_buf *out, const struct cs_log_ref *found,
			const struct cs_log_ref *kept);
/** {"message","token"}: signer.lost, signer.back */
void cs_detail_signer(struct cs_buf *out, const char *message, const char *token);
/** {"failed","keys","ok","token"}: numbers of keys tested and failed */
void cs_detail_selftest(struct cs_buf *out, int64_t failed, int64_t keys, bool ok,
			const char *token);
/** {"jump_us"}: positive = forwards */
void cs_detail_clock_jump(struct cs_buf *out, int64_t jump_us);
/** {"free_bytes","watermark_bytes"}: disk.low, disk.back */
void cs_detail_disk(struct cs_buf *out, int64_t free_bytes, int64_t watermark_bytes);
/** {"message","seq"}: an event of the log was found changed; what is wrong with it */
void cs_detail_damaged(struct cs_buf *out, const char *message, int64_t seq);

/** The members of one detail; those that its kind does not have are zero. */
struct cs_detail {
	/* text, borrowed from the parsed event */
	const char *instance, *program; /* program: "version" of daemon.started */
	const char *reason, *source, *method, *path, *role, *rule, *code, *message;
	const char *person, *token;
	/* numbers */
	int64_t pid, version, last_seq, principals, count, artifact, attempt, from, to;
	int64_t failed, keys, jump_us, free_bytes, watermark_bytes, seq;
	struct cs_log_ref found, kept; /* of log.restored */
	bool ok, reached_hsm;
	enum cs_state state;
	struct cs_sha256 digest, fingerprint, spki, tbs, raw, signature;
	/* bytes, owned */
	struct cs_buf resolved, yaml, document, envelope;
	size_t signature_count;
	struct cs_buf signatures[CS_ARTIFACTS_MAX];
};

/**
 * Read a detail strictly by the closed list of its kind.
 *
 * @param json  the "detail" member of a parsed event; must outlive *out
 * @param out   set on success only; end it with cs_detail_free()
 * @return CS_E_INVALID with the member's name
 */
enum cs_rc cs_detail_read(enum cs_event_kind kind, const struct cs_json *json,
			  struct cs_detail *out, struct cs_err *e) CS_MUST_CHECK;
/** Free what the detail owns. Safe on a zeroed struct. */
void cs_detail_free(struct cs_detail *d);

#endif
