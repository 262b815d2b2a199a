/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the model's parsers share: typed fields of JSON objects, ordered sets, the head of a
 * document. Internal to model/. `path` names the field in errors ("artifacts[2].digest.value").
 */
#ifndef CS_MODEL_FIELD_H
#define CS_MODEL_FIELD_H

#include "base/enc.h"
#include "base/hash.h"
#include "base/jcs.h"
#include "base/json.h"
#include "base/text.h"
#include "model/limits.h"
#include "model/request.h"

#define CS_PATH_MAX 128

/** A required name, and a required string with a form of its own that the caller checks (time,
 * digest, closed list). */
#define CS_FIELD_NAME(n, p) CS_JSON_STR_FIELD(n, false, CS_TEXT_NAME, 1, CS_NAME_MAX, p)
#define CS_FIELD_WORD(n, p) CS_JSON_STR_FIELD(n, false, CS_TEXT_ANY, 1, CS_NAME_MAX, p)
#define CS_FIELD_SHA256(n, opt, p) CS_JSON_STR_FIELD(n, opt, CS_TEXT_ANY, 1, CS_TEXT_MAX, p)
#define CS_FIELD_TYPE(n, p) CS_JSON_STR_FIELD(n, false, CS_TEXT_ANY, 1, CS_TEXT_MAX, p)

/* The closed lists as errors show them; a test compares them with the tables. */
#define CS_ALG_WORDS "rsa-3072, rsa-4096, p-256, p-384, ed25519"
#define CS_ENV_WORDS "dev, prod"
#define CS_FORMAT_WORDS "rsa-pkcs1, rsa-pss, ecdsa, ed25519-digest"
#define CS_HASH_WORDS "sha256, sha384, sha512"
#define CS_VERDICT_WORDS "approve, reject, withdraw"

/** Where an element stands: "parent[index]", "parent.name" or both. */
struct cs_path {
	char text[CS_PATH_MAX];
};
struct cs_path cs_path_at(const char *parent, size_t index);
struct cs_path cs_path_of(const char *parent, const char *name);

/** Copy a string that was checked to fit; NULL becomes "". */
void cs_field_copy(char *dst, size_t size, const char *src);
enum cs_rc cs_field_time(const char *text, const char *path, int64_t *usp,
			 struct cs_err *e) CS_MUST_CHECK;
enum cs_rc cs_field_sha256(const char *text, const char *path, struct cs_sha256 *out,
			   struct cs_err *e) CS_MUST_CHECK;
/** A value outside its closed list: an error that names the field, the value and the list. */
enum cs_rc cs_field_bad_word(const char *path, const char *value, const char *allowed,
			     struct cs_err *e);
/**
 * Is this an object of the expected `type` and of `v` 1? Asked before its fields are read, so that
 * a document of a newer version is called that (CS_E_VERSION) and not a document with unknown
 * fields.
 */
enum cs_rc cs_field_head(const struct cs_json *root, const char *expected,
			 struct cs_err *e) CS_MUST_CHECK;
/** An array that is a set: `name` must be greater than `last`, the one before it (NULL for the
 * first). */
enum cs_rc cs_field_ascending(const char *last, const char *name, const char *path,
			      struct cs_err *e) CS_MUST_CHECK;
/** An array of names that is a set. */
enum cs_rc cs_field_name_set(const struct cs_json *array, const char *path,
			     char (*out)[CS_NAME_MAX + 1], size_t *countp,
			     struct cs_err *e) CS_MUST_CHECK;

void cs_field_write_time(struct cs_jw *w, const char *key, int64_t us);
void cs_field_write_sha256(struct cs_jw *w, const char *key, const struct cs_sha256 *h);
void cs_field_write_names(struct cs_jw *w, const char *key, const char (*names)[CS_NAME_MAX + 1],
			  size_t count);

/* Parts that more than one document has; their readers and writers are in parts.c. */
void cs_quorum_list_write(struct cs_jw *w, const char *key, const struct cs_quorum_list *q);
enum cs_rc cs_quorum_list_read(const struct cs_json *array, const char *path,
			       struct cs_quorum_list *out, struct cs_err *e) CS_MUST_CHECK;
void cs_digest_write(struct cs_jw *w, const char *key, const struct cs_digest *d);
enum cs_rc cs_digest_read(const struct cs_json *object, const char *path, struct cs_digest *out,
			  struct cs_err *e) CS_MUST_CHECK;
/** The name of artifact `i` must differ from those before it. */
enum cs_rc cs_artifact_name_is_new(const struct cs_artifact *a, size_t i,
				   struct cs_err *e) CS_MUST_CHECK;
/** Absent members are omitted, and so is the object when all are. An object that is there may not
 * be empty. */
void cs_release_write(struct cs_jw *w, const char *key, const struct cs_release *r);
enum cs_rc cs_release_read(const struct cs_json *object, const char *path, struct cs_release *out,
			   struct cs_err *e) CS_MUST_CHECK;
void cs_build_write(struct cs_jw *w, const char *key, const struct cs_build *b);
enum cs_rc cs_build_read(const struct cs_json *object, const char *path, struct cs_build *out,
			 struct cs_err *e) CS_MUST_CHECK;

#endif
