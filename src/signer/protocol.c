/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of the messages between daemon and signer: fixed fields in a fixed order, big-endian.
 * Checks shape and ranges only; what a message means is its receiver's business.
 * See docs/PROTOCOL.signer.
 */
#include <string.h>

#include "base/text.h"
#include "signer/protocol.h"

#define ATTEMPT_MAX 1000000 /* far above what core/ allows; keeps journal lines short */

static void add_text(struct cs_buf *out, const char *s)
{
	cs_buf_add_string(out, s, strlen(s));
}

static void add_bytes(struct cs_buf *out, struct cs_bytes b)
{
	cs_buf_add_string(out, b.data, b.len);
}

/* text for people, from error messages: cut back to a clean prefix, so that the reader takes it */
static void add_message(struct cs_buf *out, const char *s)
{
	char text[CS_REASON_MAX + 1];
	size_t len = strnlen(s, CS_REASON_MAX);

	memcpy(text, s, len);
	text[len] = '\0';
	while (!cs_text_is_free(text, CS_REASON_MAX))
		text[--len] = '\0';
	add_text(out, text);
}

/* false when the bytes do not fit a C string; out is "" then */
static bool copy_text(struct cs_bytes in, char *out)
{
	out[0] = '\0';
	if (in.len == 0)
		return true;
	if (memchr(in.data, '\0', in.len))
		return false;
	memcpy(out, in.data, in.len);
	out[in.len] = '\0';
	return true;
}

/* a name; a failed read is "" and thus refused here too */
static bool read_name(struct cs_reader *r, char out[static CS_NAME_MAX + 1])
{
	return copy_text(cs_read_string(r, CS_NAME_MAX), out) && cs_text_is_name(out, CS_NAME_MAX);
}

/* free text or "" */
static bool read_text(struct cs_reader *r, char *out, size_t max)
{
	return copy_text(cs_read_string(r, max), out) && cs_text_is_free(out, max);
}

static bool read_bool(struct cs_reader *r, bool *out)
{
	uint8_t v = cs_read_u8(r);

	*out = v == 1;
	return v <= 1;
}

static bool read_int(struct cs_reader *r, int64_t *out)
{
	uint64_t v = cs_read_u64(r);

	*out = (int64_t)v;
	return v <= INT64_MAX;
}

static bool read_sha256(struct cs_reader *r, struct cs_sha256 *out)
{
	struct cs_bytes in = cs_read_string(r, CS_SHA256_LEN);

	if (in.len != CS_SHA256_LEN)
		return false;
	memcpy(out->b, in.data, in.len);
	return true;
}

/* a serial number is what the token says: any printable text */
static bool read_serial(struct cs_reader *r, char out[static CS_NAME_MAX + 1])
{
	return read_text(r, out, CS_NAME_MAX) && out[0] != '\0';
}

static enum cs_rc malformed(const struct cs_reader *r, const char *message, const char *field,
			    struct cs_err *e)
{
	if (r->failed)
		return CS_FAIL(e, CS_E_INVALID, "%s frame: %s is cut short or too long", message,
			       field);
	return CS_FAIL(e, CS_E_INVALID, "%s frame: %s is out of range", message, field);
}

static enum cs_rc check_end(const struct cs_reader *r, const char *message, struct cs_err *e)
{
	if (!cs_reader_done(r))
		return CS_FAIL(e, CS_E_INVALID, "%s frame: %zu bytes after its last field", message,
			       r->left);
	return CS_OK;
}

void cs_signer_hello_write(const struct cs_signer_hello *m, struct cs_buf *out)
{
	cs_buf_add_u32(out, (uint32_t)m->protocol);
	add_text(out, m->instance);
	add_text(out, m->token);
	add_text(out, cs_env_name(m->environment));
	add_text(out, m->serial);
	cs_buf_add_u8(out, m->software_token);
	cs_buf_add_u64(out, (uint64_t)m->policy_version);
	cs_buf_add_string(out, m->policy_digest.b, sizeof(m->policy_digest.b));
}

/* the first field that is wrong, or NULL */
static const char *read_hello(struct cs_reader *r, struct cs_signer_hello *m)
{
	char environment[CS_NAME_MAX + 1];

	if (!read_name(r, m->instance))
		return "instance";
	if (!read_name(r, m->token))
		return "token";
	if (!read_name(r, environment))
		return "environment";
	m->environment = cs_env_from_name(environment);
	if (m->environment == CS_ENV_NONE)
		return "environment";
	if (!read_serial(r, m->serial))
		return "serial";
	if (!read_bool(r, &m->software_token))
		return "software_token";
	if (!read_int(r, &m->policy_version))
		return "policy_version";
	if (!read_sha256(r, &m->policy_digest))
		return "policy_digest";
	return NULL;
}

enum cs_rc cs_signer_hello_parse(struct cs_bytes in, struct cs_signer_hello *m, struct cs_err *e)
{
	struct cs_signer_hello hello = { 0 };
	struct cs_reader r;
	const char *wrong;
	enum cs_rc rc;

	cs_reader_init(&r, in);
	hello.protocol = cs_read_u32(&r);
	if (r.failed)
		return malformed(&r, "HELLO", "protocol", e);
	if (hello.protocol > CS_SIGNER_PROTOCOL || hello.protocol < CS_SIGNER_PROTOCOL_OLDEST)
		return CS_FAIL(e, CS_E_VERSION,
			       "the signer speaks protocol %lld, this program %d to %d; "
			       "install daemon and signer of the same release",
			       (long long)hello.protocol, CS_SIGNER_PROTOCOL_OLDEST,
			       CS_SIGNER_PROTOCOL);
	wrong = read_hello(&r, &hello);
	if (wrong)
		return malformed(&r, "HELLO", wrong, e);
	rc = check_end(&r, "HELLO", e);
	if (rc == CS_OK)
		*m = hello;
	return rc;
}

void cs_signer_sign_write(const struct cs_signer_sign *m, struct cs_buf *out)
{
	size_t i;

	add_bytes(out, m->document);
	cs_buf_add_u32(out, (uint32_t)m->decision_count);
	for (i = 0; i < m->decision_count; i++)
		add_bytes(out, m->decisions[i]);
	cs_buf_add_u32(out, (uint32_t)m->artifact_count);
	for (i = 0; i < m->artifact_count; i++) {
		cs_buf_add_u32(out, m->artifacts[i].index);
		cs_buf_add_u32(out, m->artifacts[i].attempt);
	}
}

static const char *read_decisions(struct cs_reader *r, struct cs_signer_sign *m)
{
	size_t i;

	m->decision_count = cs_read_u32(r);
	if (m->decision_count > CS_DECISIONS_MAX)
		return "number of decisions";
	for (i = 0; i < m->decision_count; i++) {
		m->decisions[i] = cs_read_string(r, CS_ENVELOPE_MAX);
		if (m->decisions[i].len == 0)
			return "decision";
	}
	return NULL;
}

static const char *read_artifacts(struct cs_reader *r, struct cs_signer_sign *m)
{
	uint32_t seen = 0;
	size_t i;

	m->artifact_count = cs_read_u32(r);
	if (m->artifact_count == 0 || m->artifact_count > CS_ARTIFACTS_MAX)
		return "number of artifacts";
	for (i = 0; i < m->artifact_count; i++) {
		uint32_t index = cs_read_u32(r);
		uint32_t attempt = cs_read_u32(r);

		if (index >= CS_ARTIFACTS_MAX || (seen & (UINT32_C(1) << index)))
			return "artifact's index";
		if (attempt == 0 || attempt > ATTEMPT_MAX)
			return "artifact's attempt";
		seen |= UINT32_C(1) << index;
		m->artifacts[i].index = index;
		m->artifacts[i].attempt = attempt;
	}
	return NULL;
}

enum cs_rc cs_signer_sign_parse(struct cs_bytes in, struct cs_signer_sign *m, struct cs_err *e)
{
	struct cs_reader r;
	const char *wrong;

	cs_reader_init(&r, in);
	m->document = cs_read_string(&r, CS_DOCUMENT_MAX);
	if (m->document.len == 0)
		return malformed(&r, "SIGN", "document", e);
	wrong = read_decisions(&r, m);
	if (!wrong)
		wrong = read_artifacts(&r, m);
	if (wrong)
		return malformed(&r, "SIGN", wrong, e);
	return check_end(&r, "SIGN", e);
}

void cs_signer_result_write(const struct cs_signer_result *m, struct cs_buf *out)
{
	cs_buf_add_u32(out, m->index);
	cs_buf_add_u8(out, (uint8_t)m->outcome);
	add_text(out, m->code);
	add_message(out, m->message);
	add_bytes(out, m->raw);
}

static const char *read_result(struct cs_reader *r, struct cs_signer_result *m)
{
	uint8_t outcome;

	m->index = cs_read_u32(r);
	if (r->failed || m->index >= CS_ARTIFACTS_MAX)
		return "index";
	outcome = cs_read_u8(r);
	if (r->failed || outcome > CS_SIGN_FAILED)
		return "outcome";
	m->outcome = (enum cs_sign_outcome)outcome;
	if (!read_text(r, m->code, CS_NAME_MAX) || (m->code[0] == '\0') != (outcome == CS_SIGN_OK))
		return "code";
	if (!read_text(r, m->message, CS_REASON_MAX))
		return "message";
	m->raw = cs_read_string(r, CS_RAW_SIG_MAX);
	if ((m->raw.len > 0) != (outcome == CS_SIGN_OK))
		return "signature";
	return NULL;
}

enum cs_rc cs_signer_result_parse(struct cs_bytes in, struct cs_signer_result *m, struct cs_err *e)
{
	struct cs_reader r;
	const char *wrong;

	cs_reader_init(&r, in);
	wrong = read_result(&r, m);
	if (wrong)
		return malformed(&r, "RESULT", wrong, e);
	return check_end(&r, "RESULT", e);
}

void cs_signer_health_write(const struct cs_signer_health *m, struct cs_buf *out)
{
	cs_buf_add_u8(out, m->ready);
	cs_buf_add_u64(out, (uint64_t)m->selftest_time);
	cs_buf_add_u32(out, (uint32_t)m->keys);
	cs_buf_add_u32(out, (uint32_t)m->failed);
	cs_buf_add_u64(out, (uint64_t)m->restarts);
	add_message(out, m->message);
}

static const char *read_health(struct cs_reader *r, struct cs_signer_health *m)
{
	if (!read_bool(r, &m->ready))
		return "ready";
	if (!read_int(r, &m->selftest_time))
		return "selftest_time";
	m->keys = cs_read_u32(r);
	m->failed = cs_read_u32(r);
	if (m->keys > CS_KEYS_MAX || m->failed > m->keys)
		return "number of keys";
	if (!read_int(r, &m->restarts))
		return "restarts";
	if (!read_text(r, m->message, CS_REASON_MAX) || (m->message[0] == '\0') != m->ready)
		return "message";
	return NULL;
}

enum cs_rc cs_signer_health_parse(struct cs_bytes in, struct cs_signer_health *m, struct cs_err *e)
{
	struct cs_reader r;
	const char *wrong;

	cs_reader_init(&r, in);
	wrong = read_health(&r, m);
	if (wrong)
		return malformed(&r, "HEALTH", wrong, e);
	return check_end(&r, "HEALTH", e);
}
