/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes the detail object of each kind of event.
 * Must not refuse: what people sent is cut and shown harmless, so that a log is always written.
 * See detail.h for the contract, detail_read.c for the other direction.
 */
#include "audit/detail.h"

#include <assert.h>

#include "base/text.h"

static struct cs_jw open_detail(struct cs_buf *out)
{
	struct cs_jw w;

	cs_jw_init(&w, out);
	cs_jw_object(&w, NULL);
	return w;
}

/* Free text as it may stand in a log, cut at max bytes. */
static void put_text(struct cs_jw *w, const char *key, const char *text, size_t max)
{
	struct cs_buf shown;

	cs_buf_init(&shown, max);
	cs_text_show(text, &shown);
	/* too long is what cutting means; without memory the event must not be written */
	if (shown.failed == CS_E_NOMEM)
		cs_buf_fail(w->out, CS_E_NOMEM);
	cs_jw_str(w, key, cs_buf_str(&shown));
	cs_buf_done(&shown);
}

static void put_hash(struct cs_jw *w, const char *key, const struct cs_sha256 *h)
{
	cs_jw_hex(w, key, h->b, sizeof(h->b));
}

static void put_attempt(struct cs_jw *w, int64_t artifact, int64_t attempt)
{
	assert(artifact >= 0 && artifact < CS_ARTIFACTS_MAX && attempt > 0);
	cs_jw_int(w, "artifact", artifact);
	cs_jw_int(w, "attempt", attempt);
}

void cs_detail_log_created(struct cs_buf *out, const char *instance)
{
	struct cs_jw w = open_detail(out);

	cs_jw_str(&w, "instance", instance);
	cs_jw_end_object(&w);
}

void cs_detail_started(struct cs_buf *out, const char *version, int64_t pid)
{
	struct cs_jw w = open_detail(out);

	cs_jw_int(&w, "pid", pid);
	put_text(&w, "version", version, CS_NAME_MAX);
	cs_jw_end_object(&w);
}

void cs_detail_empty(struct cs_buf *out)
{
	struct cs_jw w = open_detail(out);

	cs_jw_end_object(&w);
}

void cs_detail_unclean(struct cs_buf *out, int64_t last_seq)
{
	struct cs_jw w = open_detail(out);

	cs_jw_int(&w, "last_seq", last_seq);
	cs_jw_end_object(&w);
}

void cs_detail_policy(struct cs_buf *out, const struct cs_sha256 *digest, struct cs_bytes resolved,
		      int64_t version, struct cs_bytes yaml)
{
	struct cs_jw w = open_detail(out);

	put_hash(&w, "digest", digest);
	cs_jw_base64(&w, "resolved", resolved);
	cs_jw_int(&w, "version", version);
	cs_jw_base64(&w, "yaml", yaml);
	cs_jw_end_object(&w);
}

void cs_detail_access(struct cs_buf *out, const struct cs_sha256 *digest, int64_t principals)
{
	struct cs_jw w = open_detail(out);

	put_hash(&w, "digest", digest);
	cs_jw_int(&w, "principals", principals);
	cs_jw_end_object(&w);
}

void cs_detail_auth_refused(struct cs_buf *out, int64_t count, const char *reason,
			    const char *source)
{
	struct cs_jw w = open_detail(out);

	cs_jw_int(&w, "count", count);
	put_text(&w, "reason", reason, CS_REASON_MAX);
	put_text(&w, "source", source, CS_REASON_MAX);
	cs_jw_end_object(&w);
}

void cs_detail_access_refused(struct cs_buf *out, int64_t count, const char *method,
			      const char *path, const char *role)
{
	struct cs_jw w = open_detail(out);

	cs_jw_int(&w, "count", count);
	put_text(&w, "method", method, CS_NAME_MAX);
	put_text(&w, "path", path, CS_EVENT_PATH_MAX);
	put_text(&w, "role", role, CS_NAME_MAX);
	cs_jw_end_object(&w);
}

void cs_detail_denied(struct cs_buf *out, const struct cs_sha256 *fingerprint, const char *reason,
		      const char *rule)
{
	struct cs_jw w = open_detail(out);

	put_hash(&w, "fingerprint", fingerprint);
	put_text(&w, "reason", reason, CS_REASON_MAX);
	put_text(&w, "rule", rule, CS_NAME_MAX);
	cs_jw_end_object(&w);
}

void cs_detail_created(struct cs_buf *out, struct cs_bytes document, enum cs_state state)
{
	struct cs_jw w = open_detail(out);

	cs_jw_base64(&w, "document", document);
	cs_jw_str(&w, "state", cs_state_name(state));
	cs_jw_end_object(&w);
}

void cs_detail_decision(struct cs_buf *out, struct cs_bytes envelope, const char *person,
			enum cs_state state)
{
	struct cs_jw w = open_detail(out);

	cs_jw_base64(&w, "envelope", envelope);
	cs_jw_str(&w, "person", person);
	cs_jw_str(&w, "state", cs_state_name(state));
	cs_jw_end_object(&w);
}

void cs_detail_rejudged(struct cs_buf *out, const char *reason, enum cs_state state)
{
	struct cs_jw w = open_detail(out);

	put_text(&w, "reason", reason, CS_REASON_MAX);
	cs_jw_str(&w, "state", cs_state_name(state));
	cs_jw_end_object(&w);
}

void cs_detail_reason(struct cs_buf *out, const char *reason)
{
	struct cs_jw w = open_detail(out);

	put_text(&w, "reason", reason, CS_REASON_MAX);
	cs_jw_end_object(&w);
}

void cs_detail_intent(struct cs_buf *out, const struct cs_intent *i)
{
	struct cs_jw w = open_detail(out);

	put_attempt(&w, i->artifact, i->attempt);
	put_hash(&w, "spki_sha256", &i->spki);
	put_hash(&w, "tbs_sha256", &i->tbs);
	cs_jw_str(&w, "token", i->token);
	cs_jw_end_object(&w);
}

void cs_detail_done(struct cs_buf *out, int64_t artifact, int64_t attempt,
		    const struct cs_sha256 *raw, const struct cs_sha256 *signature)
{
	struct cs_jw w = open_detail(out);

	put_attempt(&w, artifact, attempt);
	put_hash(&w, "raw_sha256", raw);
	put_hash(&w, "signature_sha256", signature);
	cs_jw_end_object(&w);
}

void cs_detail_not_done(struct cs_buf *out, int64_t artifact, int64_t attempt, const char *code,
			const char *message, bool reached_hsm)
{
	struct cs_jw w = open_detail(out);

	put_attempt(&w, artifact, attempt);
	put_text(&w, "code", code, CS_NAME_MAX);
	put_text(&w, "message", message, CS_REASON_MAX);
	cs_jw_bool(&w, "reached_hsm", reached_hsm);
	cs_jw_end_object(&w);
}

void cs_detail_signed(struct cs_buf *out, const struct cs_bytes *signatures, size_t count)
{
	struct cs_jw w = open_detail(out);

	assert(count > 0 && count <= CS_ARTIFACTS_MAX);
	cs_jw_array(&w, "signatures");
	for (size_t i = 0; i < count; i++)
		cs_jw_base64(&w, NULL, signatures[i]);
	cs_jw_end_array(&w);
	cs_jw_end_object(&w);
}

void cs_detail_export(struct cs_buf *out, int64_t from, int64_t to)
{
	struct cs_jw w = open_detail(out);

	cs_jw_int(&w, "from", from);
	cs_jw_int(&w, "to", to);
	cs_jw_end_object(&w);
}

void cs_detail_restored(struct cs_buf *out, const struct cs_log_ref *found,
			const struct cs_log_ref *kept)
{
	struct cs_jw w = open_detail(out);

	put_hash(&w, "head", &found->head);
	put_hash(&w, "id", &found->id);
	put_hash(&w, "kept_head", &kept->head);
	put_hash(&w, "kept_id", &kept->id);
	cs_jw_int(&w, "kept_size", kept->size);
	cs_jw_int(&w, "size", found->size);
	cs_jw_end_object(&w);
}

void cs_detail_signer(struct cs_buf *out, const char *message, const char *token)
{
	struct cs_jw w = open_detail(out);

	put_text(&w, "message", message, CS_REASON_MAX);
	cs_jw_str(&w, "token", token);
	cs_jw_end_object(&w);
}

void cs_detail_selftest(struct cs_buf *out, int64_t failed, int64_t keys, bool ok,
			const char *token)
{
	struct cs_jw w = open_detail(out);

	cs_jw_int(&w, "failed", failed);
	cs_jw_int(&w, "keys", keys);
	cs_jw_bool(&w, "ok", ok);
	cs_jw_str(&w, "token", token);
	cs_jw_end_object(&w);
}

void cs_detail_clock_jump(struct cs_buf *out, int64_t jump_us)
{
	struct cs_jw w = open_detail(out);

	cs_jw_int(&w, "jump_us", jump_us);
	cs_jw_end_object(&w);
}

void cs_detail_disk(struct cs_buf *out, int64_t free_bytes, int64_t watermark_bytes)
{
	struct cs_jw w = open_detail(out);

	cs_jw_int(&w, "free_bytes", free_bytes);
	cs_jw_int(&w, "watermark_bytes", watermark_bytes);
	cs_jw_end_object(&w);
}

void cs_detail_damaged(struct cs_buf *out, const char *message, int64_t seq)
{
	struct cs_jw w = open_detail(out);

	put_text(&w, "message", message, CS_REASON_MAX);
	cs_jw_int(&w, "seq", seq);
	cs_jw_end_object(&w);
}
