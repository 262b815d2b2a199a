/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The PIN marker: a small canonical JSON file in the state directory.
 * Never holds the PIN or anything computed from it.
 */
#include "signer-main/marker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/jcs.h"
#include "base/json.h"

#define MARKER_MAX 1024
#define STATE_TRYING "trying"
#define STATE_REFUSED "refused"

static enum cs_rc set_path(char *path, size_t size, const char *state, struct cs_err *e)
{
	if (snprintf(path, size, "%s/%s", state, CS_MARKER_FILE) >= (int)size)
		return CS_FAIL(e, CS_E_CONFIG, "state directory's path is too long");
	return CS_OK;
}

enum cs_rc cs_marker_init(struct cs_marker *m, const char *state, const char *serial,
			  const char *pin_origin, struct cs_err *e)
{
	struct stat st;
	enum cs_rc rc = set_path(m->path, sizeof(m->path), state, e);

	if (rc != CS_OK)
		return rc;
	if (stat(pin_origin, &st) != 0)
		return CS_FAIL(e, CS_E_CONFIG, "PIN file %s: %s", pin_origin, strerror(errno));
	snprintf(m->serial, sizeof(m->serial), "%s", serial);
	/* as text: JSON numbers end at 2^53 */
	snprintf(m->device, sizeof(m->device), "%ju", (uintmax_t)st.st_dev);
	snprintf(m->inode, sizeof(m->inode), "%ju", (uintmax_t)st.st_ino);
	snprintf(m->mtime_ns, sizeof(m->mtime_ns), "%jd%09ld", (intmax_t)st.st_mtim.tv_sec,
		 st.st_mtim.tv_nsec);
	return CS_OK;
}

static enum cs_rc write_marker(const struct cs_marker *m, const char *state, struct cs_err *e)
{
	struct cs_buf out;
	struct cs_jw w;
	enum cs_rc rc;

	cs_buf_init(&out, MARKER_MAX);
	cs_jw_init(&w, &out);
	cs_jw_object(&w, NULL);
	cs_jw_str(&w, "pin_device", m->device);
	cs_jw_str(&w, "pin_inode", m->inode);
	cs_jw_str(&w, "pin_mtime_ns", m->mtime_ns);
	cs_jw_str(&w, "serial", m->serial);
	cs_jw_str(&w, "state", state);
	cs_jw_end_object(&w);
	rc = cs_buf_ok(&out, "PIN marker", e);
	if (rc == CS_OK)
		rc = cs_file_replace(m->path, cs_buf_bytes(&out), 0600, e);
	cs_buf_done(&out);
	return rc;
}

enum cs_rc cs_marker_trying(const struct cs_marker *m, struct cs_err *e)
{
	return write_marker(m, STATE_TRYING, e);
}

enum cs_rc cs_marker_refused(const struct cs_marker *m, struct cs_err *e)
{
	return write_marker(m, STATE_REFUSED, e);
}

enum cs_rc cs_marker_clear(const char *state, struct cs_err *e)
{
	char path[CS_MARKER_PATH_MAX];
	enum cs_rc rc = set_path(path, sizeof(path), state, e);

	if (rc == CS_OK && unlink(path) != 0 && errno != ENOENT)
		rc = CS_FAIL(e, CS_E_IO, "%s: %s", path, strerror(errno));
	return rc;
}

/* what the marker says of this very PIN: "" when it speaks of another */
static enum cs_rc judge(const struct cs_marker *m, const struct cs_json *root,
			const struct cs_p11_token_info *token, struct cs_err *e)
{
	const char *device = "", *inode = "", *mtime_ns = "", *serial = "", *state = "";
	const struct cs_json_field fields[] = {
		CS_JSON_STR_FIELD("pin_device", false, CS_TEXT_NAME, 1, CS_NAME_MAX, &device),
		CS_JSON_STR_FIELD("pin_inode", false, CS_TEXT_NAME, 1, CS_NAME_MAX, &inode),
		CS_JSON_STR_FIELD("pin_mtime_ns", false, CS_TEXT_NAME, 1, CS_NAME_MAX, &mtime_ns),
		CS_JSON_STR_FIELD("serial", false, CS_TEXT_FREE, 1, CS_NAME_MAX, &serial),
		CS_JSON_STR_FIELD("state", false, CS_TEXT_NAME, 1, CS_NAME_MAX, &state),
	};
	enum cs_rc rc;

	rc = cs_json_read(root, "", fields, sizeof(fields) / sizeof(fields[0]), e);
	if (rc != CS_OK)
		return rc;
	if (strcmp(device, m->device) != 0 || strcmp(inode, m->inode) != 0 ||
	    strcmp(mtime_ns, m->mtime_ns) != 0 || strcmp(serial, m->serial) != 0)
		return CS_OK;
	if (strcmp(state, STATE_TRYING) != 0)
		return CS_FAIL(
			e, CS_E_PIN,
			"the token refused this PIN before and it is not tried again; put the "
			"right one into its file, or run countersign-signer "
			"--clear-pin-refusal");
	if (token->pin_count_low || token->pin_final_try)
		return CS_FAIL(e, CS_E_PIN,
			       "an earlier login ended unknown and the token has few tries left; "
			       "check the PIN, then run countersign-signer --clear-pin-refusal");
	return CS_OK;
}

enum cs_rc cs_marker_check(const struct cs_marker *m, const struct cs_p11_token_info *token,
			   struct cs_err *e)
{
	struct cs_json *root = NULL;
	struct cs_buf in;
	enum cs_rc rc;

	if (token->pin_locked)
		return CS_FAIL(e, CS_E_PIN,
			       "the token has locked its user PIN; unlock it with the "
			       "security officer's");
	cs_buf_init(&in, MARKER_MAX);
	rc = cs_file_read(m->path, &in, e);
	if (rc == CS_E_NOT_FOUND) {
		rc = CS_OK;
		goto out;
	}
	if (rc == CS_OK)
		rc = cs_jcs_parse(cs_buf_bytes(&in), MARKER_MAX, "PIN marker", &root, e);
	if (rc == CS_OK)
		rc = judge(m, root, token, e);
	/* an unreadable marker may hide a refusal */
	if (rc != CS_OK && rc != CS_E_PIN)
		rc = CS_FAIL(e, CS_E_PIN,
			     "%s cannot be read; check the PIN, then run countersign-signer "
			     "--clear-pin-refusal",
			     m->path);
out:
	cs_json_free(root);
	cs_buf_done(&in);
	return rc;
}
