/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads profiles.yaml, the environment and the options.
 * Must not look at any file that a profile names.
 * See profile.h for the contract.
 */
#include "cli/profile.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/text.h"
#include "base/yaml.h"
#include "model/limits.h"

#define PROFILES_MAX 64

/** One profile as it stands in the file; strings are the tree's. */
struct read_profile {
#define READ_FIELD(field, key, env, option, value, file, doc) const char *field;
	CS_PROFILE_FIELDS(READ_FIELD)
#undef READ_FIELD
};

static const struct cs_yaml_field profile_fields[] = {
#define READ_ROW(f, key, env, option, value, file, doc)                                      \
	{ (key), CS_Y_TEXT, offsetof(struct read_profile, f), false, 1, CS_PROFILE_TEXT_MAX, \
	  NULL,  (doc) },
	CS_PROFILE_FIELDS(READ_ROW)
#undef READ_ROW
};

struct read_file {
	const char *standard; /* the profile to take when none is named */
	const struct cs_yaml *profiles;
};

static const struct cs_yaml_field file_fields[] = {
	{ "default", CS_Y_NAME, offsetof(struct read_file, standard), false, 1, CS_NAME_MAX, NULL,
	  NULL },
	{ "profiles", CS_Y_MAP, offsetof(struct read_file, profiles), true, 1, PROFILES_MAX, NULL,
	  NULL },
};

/** Where each value of a profile lies, in the three structs. */
static const struct {
	const char *env;
	size_t arg, read, out;
	bool is_file; /* relative to the file that names it */
} values[] = {
#define VALUE(f, key, env, option, value, file, doc)                                    \
	{ (env), offsetof(struct cs_profile_args, f), offsetof(struct read_profile, f), \
	  offsetof(struct cs_profile, f), (file) },
	CS_PROFILE_FIELDS(VALUE)
#undef VALUE
};
#define VALUE_COUNT (sizeof(values) / sizeof(values[0]))

static const char *read_at(const void *base, size_t offset)
{
	return *(const char *const *)(const void *)((const char *)base + offset);
}

static char **slot_at(struct cs_profile *p, size_t offset)
{
	return (char **)(void *)((char *)p + offset);
}

/** "$ENV/below", else "$HOME/home_below/below"; NULL without a home or memory. Caller frees. */
static char *below_home(const char *env, const char *home_below, const char *below)
{
	const char *base = getenv(env);
	char *path = NULL;

	if (base && base[0] == '/')
		return asprintf(&path, "%s/%s", base, below) < 0 ? NULL : path;
	base = getenv("HOME");
	if (!base || base[0] != '/')
		return NULL;
	return asprintf(&path, "%s/%s/%s", base, home_below, below) < 0 ? NULL : path;
}

static char *profiles_path(void)
{
	const char *given = getenv("COUNTERSIGN_PROFILES");

	if (given && given[0])
		return strdup(given);
	return below_home("XDG_CONFIG_HOME", ".config", "countersign/profiles.yaml");
}

/** A file's name as it stands in `from`, made relative to that file's directory. Caller frees. */
static char *resolve(const char *from, const char *value, bool is_file)
{
	const char *slash = strrchr(from, '/');
	char *path = NULL;

	if (!is_file || value[0] == '/' || strncmp(value, "pkcs11:", 7) == 0 || !slash)
		return strdup(value);
	return asprintf(&path, "%.*s/%s", (int)(slash - from), from, value) < 0 ? NULL : path;
}

/** Find the profile by name and read it; *found stays empty when none is asked for. */
static enum cs_rc pick(const struct cs_yaml *root, const char *name, struct read_profile *found,
		       struct cs_problems *p, struct cs_err *e)
{
	struct read_file file = { 0 };
	const struct cs_yaml *map;
	char where[CS_NAME_MAX + 16];
	enum cs_rc rc;

	cs_yaml_read(root, "", file_fields, sizeof(file_fields) / sizeof(file_fields[0]), &file, p);
	rc = cs_problems_check(p, e);
	if (rc)
		return rc;
	if (!name)
		name = file.standard;
	if (!name && file.profiles->count == 1)
		name = file.profiles->keys[0];
	if (!name)
		return CS_OK;
	map = cs_yaml_get(file.profiles, name);
	if (!map)
		return CS_FAIL(e, CS_E_CONFIG, "%s: there is no profile %.64s in it", p->file,
			       name);
	snprintf(where, sizeof(where), "profiles.%.64s", name);
	cs_yaml_read(map, where, profile_fields, VALUE_COUNT, found, p);
	return cs_problems_check(p, e);
}

/** Option before environment before file. */
static enum cs_rc merge(const struct cs_profile_args *args, const struct read_profile *found,
			const char *file, struct cs_profile *out, struct cs_err *e)
{
	for (size_t i = 0; i < VALUE_COUNT; i++) {
		const char *value = read_at(args, values[i].arg);
		const char *env = getenv(values[i].env);
		char **slot = slot_at(out, values[i].out);

		if (!value && env && env[0]) {
			if (!cs_text_is_free(env, CS_PROFILE_TEXT_MAX))
				return CS_FAIL(e, CS_E_CONFIG,
					       "%s: must be text of one line, at most %d bytes",
					       values[i].env, CS_PROFILE_TEXT_MAX);
			value = env;
		}
		if (value)
			*slot = strdup(value);
		else if (read_at(found, values[i].read))
			*slot = resolve(file, read_at(found, values[i].read), values[i].is_file);
		else
			continue;
		if (!*slot)
			return CS_FAIL(e, CS_E_NOMEM, "profile");
	}
	return CS_OK;
}

enum cs_rc cs_profile_load(const struct cs_profile_args *args, struct cs_profile *out,
			   struct cs_err *e)
{
	const char *name = args->name ? args->name : getenv("COUNTERSIGN_PROFILE");
	struct read_profile found = { 0 };
	struct cs_profile profile = { 0 };
	struct cs_yaml *root = NULL;
	struct cs_problems problems;
	struct cs_buf text;
	char *path = profiles_path();
	enum cs_rc rc;

	if (name && !name[0])
		name = NULL;
	cs_problems_init(&problems, path ? path : "profiles.yaml");
	cs_buf_init(&text, CS_YAML_MAX);
	rc = path ? cs_file_read(path, &text, e) : CS_E_NOT_FOUND;
	if (rc == CS_E_NOT_FOUND && !name && !getenv("COUNTERSIGN_PROFILES")) {
		rc = CS_OK; /* options and environment may be enough */
	} else if (rc) {
		rc = CS_FAIL(e, CS_E_CONFIG,
			     "%s cannot be read: set COUNTERSIGN_PROFILES, or write the file "
			     "(countersign-profiles(5))",
			     problems.file);
		goto out;
	} else {
		root = cs_yaml_parse(cs_buf_bytes(&text), &problems);
		rc = root ? pick(root, name, &found, &problems, e)
			  : cs_problems_check(&problems, e);
		if (rc)
			goto out;
	}
	rc = merge(args, &found, problems.file, &profile, e);
	if (rc)
		goto out;
	*out = profile;
	profile = (struct cs_profile){ 0 }; /* transferred */
out:
	cs_profile_done(&profile);
	cs_yaml_free(root);
	cs_buf_done(&text);
	cs_problems_done(&problems);
	free(path);
	return rc;
}

void cs_profile_done(struct cs_profile *p)
{
	for (size_t i = 0; i < VALUE_COUNT; i++)
		free(*slot_at(p, values[i].out));
	*p = (struct cs_profile){ 0 };
}

/** Make every directory above a file, 0700. Writes into path and restores it. */
static int make_parents(char *path)
{
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		int failed;

		*slash = '\0';
		failed = mkdir(path, 0700) < 0 && errno != EEXIST;
		*slash = '/';
		if (failed)
			return -1;
	}
	return 0;
}

enum cs_rc cs_profile_state_path(const char *name, char **pathp, struct cs_err *e)
{
	const char *given = getenv("COUNTERSIGN_STATE");
	char *path = NULL;
	enum cs_rc rc;

	if (given && given[0]) {
		if (asprintf(&path, "%s/%s", given, name) < 0)
			path = NULL;
	} else {
		char below[256];

		snprintf(below, sizeof(below), "countersign/%s", name);
		path = below_home("XDG_STATE_HOME", ".local/state", below);
	}
	if (!path)
		return CS_FAIL(e, CS_E_CONFIG,
			       "no place for state: set HOME or COUNTERSIGN_STATE to a directory");
	if (make_parents(path) < 0) {
		rc = CS_FAIL(e, CS_E_IO, "%s: its directory cannot be made: %s", path,
			     strerror(errno));
		free(path);
		return rc;
	}
	*pathp = path;
	return CS_OK;
}
