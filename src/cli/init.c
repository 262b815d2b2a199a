/* SPDX-License-Identifier: Apache-2.0 */
/*
 * init: a complete development instance in a new directory.
 * Must not overwrite anything, nor make users.
 * See countersign(1), "init".
 */
#include "cli/init.h"
#include "cli/child.h"

#include <dirent.h>
#include <errno.h>
#include <fts.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "base/file.h"
#include "cli/command.h"
#include "cli/templates.h"

#define INSTANCE "development"
#define SOCKET_PATH_MAX 107 /* sockaddr_un, without the NUL */
#define SOCKET_TAIL "/prod/signer"
/* of users without a name, in the range that Debian policy leaves to nobody (§9.2.2) */
#define DAEMON_UID 64101U
#define DEV_UID 64102U
#define PROD_UID 64103U

static const char *const modules[] = {
	"/usr/lib/softhsm/libsofthsm2.so",
	"/usr/lib64/softhsm/libsofthsm2.so",
	"/usr/lib64/pkcs11/libsofthsm2.so",
	"/usr/local/lib/softhsm/libsofthsm2.so",
};

static const struct {
	const char *name, *template;
	unsigned mode;
} files[] = {
	{ "signing.yaml", template_signing_yaml, 0644 },
	{ "access.yaml", template_access_yaml, 0644 },
	{ "countersignd.conf", template_countersignd_conf, 0644 },
	{ "profiles.yaml", template_profiles_yaml, 0644 },
	{ "run", template_run, 0755 },
};

static const struct {
	const char *name;
	unsigned mode;
} directories[] = {
	{ "log", 0755 },       { "state", 0755 },      { "state/daemon", 0700 },
	{ "state/dev", 0700 }, { "state/prod", 0700 },
};

/** Who owns what when processes are separated; everything else stays root's. */
static const struct {
	const char *path;
	uid_t uid;
} owners[] = {
	{ "state/daemon", DAEMON_UID }, { "pki/server.key", DAEMON_UID },
	{ "state/dev", DEV_UID },       { "tokens/dev", DEV_UID },
	{ "state/prod", PROD_UID },     { "tokens/prod", PROD_UID },
};

/* --- the directory ----------------------------------------------------------------------- */

static bool is_empty(const char *path)
{
	DIR *d = opendir(path);
	const struct dirent *entry;
	bool empty = d != NULL;

	while (d && (entry = readdir(d)) != NULL)
		empty = empty &&
			(strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
	if (d)
		closedir(d);
	return empty;
}

/** Make the directory, or take an empty one. */
static enum cs_rc make_dir(const char *path, char **dirp, struct cs_err *e)
{
	if (mkdir(path, 0755) < 0) {
		if (errno != EEXIST)
			return CS_FAIL(e, CS_E_IO, "%s: %s", path, strerror(errno));
		if (!is_empty(path))
			return CS_FAIL(e, CS_E_CONFLICT,
				       "%s: exists and is not an empty directory; nothing was "
				       "changed: name a new one",
				       path);
	}
	*dirp = realpath(path, NULL);
	if (!*dirp)
		return CS_FAIL(e, CS_E_IO, "%s: %s", path, strerror(errno));
	/* it stands in shell, YAML and SoftHSM files */
	for (const char *c = *dirp; *c; c++) {
		if (*c <= ' ' || *c > '~' || strchr("'\"\\$`#:", *c))
			return CS_FAIL(e, CS_E_INVALID,
				       "%s: the path must be of printable ASCII without space, "
				       "quotes and \\ $ ` # :",
				       *dirp);
	}
	return CS_OK;
}

static enum cs_rc find_module(const struct cs_args *args, const char **out, struct cs_err *e)
{
	if (args->module) {
		*out = args->module;
		return access(args->module, R_OK) == 0 && args->module[0] == '/'
			       ? CS_OK
			       : CS_FAIL(e, CS_E_NOT_FOUND,
					 "--module %s: must be the absolute path of SoftHSM's module",
					 args->module);
	}
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		if (access(modules[i], R_OK) == 0) {
			*out = modules[i];
			return CS_OK;
		}
	}
	return CS_FAIL(e, CS_E_NOT_FOUND,
		       "SoftHSM's module libsofthsm2.so was not found: install softhsm2, or say "
		       "where it is with --module");
}

/* --- words and files --------------------------------------------------------------------- */

enum cs_rc cs_init_word(struct cs_init *in, const char *name, struct cs_err *e, const char *fmt,
			...)
{
	struct cs_words *w = &in->words;
	char *value = NULL;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&value, fmt, ap);
	va_end(ap);
	if (len < 0 || w->count == CS_INIT_WORDS_MAX)
		return CS_FAIL(e, CS_E_NOMEM, "%s", name);
	snprintf(w->list[w->count].name, sizeof(w->list[0].name), "%s", name);
	w->list[w->count++].value = value;
	return CS_OK;
}

/** The value of the word that stands between two @, of len bytes; NULL when there is none. */
static const char *word_of(const struct cs_words *words, const char *name, size_t len)
{
	for (size_t i = 0; i < words->count; i++) {
		if (strlen(words->list[i].name) == len &&
		    memcmp(words->list[i].name, name, len) == 0)
			return words->list[i].value;
	}
	return NULL;
}

enum cs_rc cs_init_fill(const struct cs_words *words, const char *template, struct cs_buf *out,
			struct cs_err *e)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789";
	const char *p = template;

	while (*p) {
		size_t plain = strcspn(p, "@");
		size_t len;
		const char *value;

		cs_buf_add(out, p, plain);
		p += plain;
		if (*p == '\0')
			break;
		len = strspn(p + 1, letters);
		if (len == 0 || p[len + 1] != '@') { /* an @ of the text, such as "$@" */
			cs_buf_add_char(out, *p++);
			continue;
		}
		value = word_of(words, p + 1, len);
		if (!value)
			return CS_FAIL(e, CS_E_INTERNAL, "template: no value for %.*s", (int)len,
				       p + 1);
		cs_buf_add_str(out, value);
		p += len + 2;
	}
	return cs_buf_ok(out, "template", e);
}

enum cs_rc cs_init_write(const struct cs_init *in, const char *name, struct cs_bytes content,
			 unsigned mode, struct cs_err *e)
{
	char *path = NULL;
	enum cs_rc rc;

	if (asprintf(&path, "%s/%s", in->dir, name) < 0)
		return CS_FAIL(e, CS_E_NOMEM, "%s", name);
	rc = cs_file_create(path, content, mode, e);
	free(path);
	return rc;
}

enum cs_rc cs_init_mkdir(const struct cs_init *in, const char *name, unsigned mode,
			 struct cs_err *e)
{
	char *path = NULL;
	enum cs_rc rc = CS_OK;

	if (asprintf(&path, "%s/%s", in->dir, name) < 0)
		return CS_FAIL(e, CS_E_NOMEM, "%s", name);
	if (mkdir(path, mode) < 0 || chmod(path, mode) < 0)
		rc = CS_FAIL(e, CS_E_IO, "%s: %s", path, strerror(errno));
	free(path);
	return rc;
}

enum cs_rc cs_init_write_key(const struct cs_init *in, const char *name, EVP_PKEY *key,
			     struct cs_err *e)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *data = NULL;
	enum cs_rc rc;
	long len;

	if (!bio || PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1) {
		BIO_free(bio);
		return CS_FAIL(e, CS_E_INTERNAL, "%s: OpenSSL could not write it", name);
	}
	len = BIO_get_mem_data(bio, &data);
	rc = cs_init_write(in, name, (struct cs_bytes){ (const uint8_t *)data, (size_t)len }, 0600,
			   e);
	explicit_bzero(data, (size_t)len);
	BIO_free(bio);
	return rc;
}

/** A place for sockets that sockaddr_un can hold; `run` makes it. */
static enum cs_rc choose_sockets(struct cs_init *in, struct cs_err *e)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	struct cs_sha256 hash = cs_sha256(cs_bytes_of(in->dir));
	char hex[CS_SHA256_HEX];

	if (strlen(in->dir) + strlen("/sockets" SOCKET_TAIL) <= SOCKET_PATH_MAX)
		return cs_init_word(in, "SOCKETS", e, "%s/sockets", in->dir);
	cs_sha256_hex(&hash, hex);
	if (in->separated || !runtime || runtime[0] != '/' || strlen(runtime) > 40)
		runtime = "/tmp";
	return cs_init_word(in, "SOCKETS", e, "%s/countersign-%.12s", runtime, hex);
}

static enum cs_rc add_words(const struct cs_cli *cli, struct cs_init *in, struct cs_err *e)
{
	char own[CS_INIT_PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", own, sizeof(own) - 1);
	enum cs_rc rc;

	own[len > 0 ? len : 0] = '\0';
	rc = choose_sockets(in, e);
	rc = rc ? rc : cs_init_word(in, "DIR", e, "%s", in->dir);
	rc = rc ? rc : cs_init_word(in, "PORT", e, "%lld", (long long)cli->args.port);
	rc = rc ? rc : cs_init_word(in, "INSTANCE", e, "%s", in->instance);
	rc = rc ? rc : cs_init_word(in, "PROGRAM", e, "%s", own);
	rc = rc ? rc : cs_init_word(in, "DAEMON", e, "%s", in->daemon);
	rc = rc ? rc : cs_init_word(in, "SIGNER", e, "%s", in->signer);
	rc = rc ? rc : cs_init_word(in, "MODULE", e, "%s", in->module);
	rc = rc ? rc : cs_init_word(in, "SEPARATED", e, "%s", in->separated ? "yes" : "no");
	rc = rc ? rc : cs_init_word(in, "DAEMON_UID", e, "%u", DAEMON_UID);
	rc = rc ? rc : cs_init_word(in, "DEV_UID", e, "%u", DEV_UID);
	rc = rc ? rc : cs_init_word(in, "PROD_UID", e, "%u", PROD_UID);
	rc = rc ? rc
		: cs_init_word(in, "DEV_USER", e, in->separated ? "\n    user: \"%u\"" : "%.0u",
			       in->separated ? DEV_UID : 0U);
	return rc ? rc
		  : cs_init_word(in, "PROD_USER", e, in->separated ? "\n    user: \"%u\"" : "%.0u",
				 in->separated ? PROD_UID : 0U);
}

static enum cs_rc write_templates(const struct cs_init *in, struct cs_err *e)
{
	enum cs_rc rc = CS_OK;

	for (size_t i = 0; !rc && i < sizeof(files) / sizeof(files[0]); i++) {
		struct cs_buf text;

		cs_buf_init(&text, 65536);
		rc = cs_init_fill(&in->words, files[i].template, &text, e);
		rc = rc ? rc
			: cs_init_write(in, files[i].name, cs_buf_bytes(&text), files[i].mode, e);
		cs_buf_done(&text);
	}
	return rc;
}

/* --- owners ------------------------------------------------------------------------------ */

static enum cs_rc give(const struct cs_init *in, const char *name, uid_t uid, struct cs_err *e)
{
	char *path = NULL;
	char *roots[2] = { NULL, NULL };
	enum cs_rc rc = CS_OK;
	FTSENT *entry;
	FTS *tree;

	if (asprintf(&path, "%s/%s", in->dir, name) < 0)
		return CS_FAIL(e, CS_E_NOMEM, "%s", name);
	roots[0] = path;
	tree = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	if (!tree)
		rc = CS_FAIL(e, CS_E_IO, "%s: %s", path, strerror(errno));
	while (!rc && (entry = fts_read(tree)) != NULL) {
		if (entry->fts_info != FTS_DP && lchown(entry->fts_path, uid, uid) < 0)
			rc = CS_FAIL(e, CS_E_IO, "%s: %s", entry->fts_path, strerror(errno));
	}
	if (tree)
		fts_close(tree);
	free(path);
	return rc;
}

static enum cs_rc give_all(const struct cs_init *in, struct cs_err *e)
{
	enum cs_rc rc = CS_OK;

	for (size_t i = 0; in->separated && !rc && i < sizeof(owners) / sizeof(owners[0]); i++)
		rc = give(in, owners[i].path, owners[i].uid, e);
	return rc;
}

/* --- the command ------------------------------------------------------------------------- */

static enum cs_rc build(const struct cs_cli *cli, struct cs_init *in, struct cs_err *e)
{
	enum cs_rc rc = add_words(cli, in, e);

	for (size_t i = 0; !rc && i < sizeof(directories) / sizeof(directories[0]); i++)
		rc = cs_init_mkdir(in, directories[i].name, directories[i].mode, e);
	rc = rc ? rc : cs_init_pki(in, e);
	rc = rc ? rc : cs_init_tokens(in, e);
	rc = rc ? rc : cs_init_approvers(in, e);
	rc = rc ? rc : write_templates(in, e);
	return rc ? rc : give_all(in, e);
}

static void print(const struct cs_cli *cli, const struct cs_init *in)
{
	if (cli->args.json) {
		printf("{\"dir\":\"%s\",\"instance\":\"%s\",\"port\":%lld,\"separated\":%s}\n",
		       in->dir, in->instance, (long long)cli->args.port,
		       in->separated ? "true" : "false");
		return;
	}
	printf("A development instance is in %s:\n"
	       "  run                starts signers and daemon\n"
	       "  profiles.yaml      agent, approver1, approver2, owner1, auditor, operator\n"
	       "  signing.yaml       keys app-dev, rsa-dev, app-prod, rsa-prod; who approves\n"
	       "  access.yaml        who may talk to the daemon\n"
	       "  countersignd.conf  the daemon\n",
	       in->dir);
}

static void init_done(struct cs_init *in)
{
	for (size_t i = 0; i < in->words.count; i++)
		free(in->words.list[i].value);
	free(in->dir);
	free(in->daemon);
	free(in->signer);
}

enum cs_rc cs_cmd_init(struct cs_cli *cli, struct cs_err *e)
{
	const char *separation = cli->args.user_separation;
	struct cs_init in = { .instance = INSTANCE };
	enum cs_rc rc;

	in.separated = geteuid() == 0 && (!separation || strcmp(separation, "no") != 0);
	if (separation && strcmp(separation, "yes") == 0 && !in.separated)
		return CS_FAIL(e, CS_E_FORBIDDEN,
			       "--user-separation yes: only root can give processes users of "
			       "their own");
	umask(022);
	rc = find_module(&cli->args, &in.module, e);
	rc = rc ? rc : cs_child_find(cli->args.program_dir, "countersignd", &in.daemon, e);
	rc = rc ? rc : cs_child_find(cli->args.program_dir, "countersign-signer", &in.signer, e);
	rc = rc ? rc : make_dir(cli->operands[0], &in.dir, e);
	rc = rc ? rc : build(cli, &in, e);
	if (!rc)
		print(cli, &in);
	init_done(&in);
	return rc;
}
