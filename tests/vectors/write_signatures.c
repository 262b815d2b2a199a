/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes one signature of every format, key and hash into a directory, for check_formats.py.
 * Made by the code that countersign releases signatures with; the key is in software.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "format/format.h"
#include "unit/formats.h"

static bool write_file(const char *dir, const char *name, const char *suffix, struct cs_bytes data)
{
	char path[4096];
	FILE *f;
	bool ok;

	(void)snprintf(path, sizeof(path), "%s/%s.%s", dir, name, suffix);
	f = fopen(path, "wb");
	if (!f)
		return false;
	ok = fwrite(data.data, 1, data.len, f) == data.len;
	return fclose(f) == 0 && ok;
}

static enum cs_rc sign_case(const struct softkey *k, const struct cs_request *doc,
			    struct cs_buf *sig, struct cs_err *e)
{
	struct cs_tbs tbs;
	struct cs_buf raw;
	enum cs_rc rc;

	cs_buf_init(&raw, CS_SIG_MAX);
	rc = cs_format_prepare(doc, 0, &tbs, e);
	if (rc)
		goto out;
	softkey_sign(k, tbs.scheme, tbs.hash, (struct cs_bytes){ tbs.data, tbs.len }, &raw);
	rc = cs_format_finish(doc, 0, cs_buf_bytes(&raw), sig, e);
out:
	cs_buf_done(&raw);
	return rc;
}

static bool write_case(const struct format_case *c, const char *dir)
{
	struct softkey k = softkey_load(c->key);
	const struct cs_digest *digest;
	static struct cs_request doc;
	struct cs_buf pem, sig;
	struct cs_err e = { 0 };
	char name[128];
	bool ok;

	cs_buf_init(&pem, CS_SIG_MAX);
	cs_buf_init(&sig, CS_SIG_MAX);
	format_case_document(c, &k, &doc);
	digest = &doc.artifacts[0].digest;
	(void)snprintf(name, sizeof(name), "%s_%s_%s", cs_format_name(c->format), c->key,
		       cs_hash_name(c->hash));
	cs_pk_to_pem(k.pk, &pem);
	ok = sign_case(&k, &doc, &sig, &e) == CS_OK &&
	     write_file(dir, name, "pub", cs_buf_bytes(&pem)) &&
	     write_file(dir, name, "sig", cs_buf_bytes(&sig)) &&
	     write_file(dir, name, "digest",
			(struct cs_bytes){ digest->value, cs_hash_len(digest->hash) });
	if (!ok)
		fprintf(stderr, "%s: %s\n", name, e.msg);
	cs_buf_done(&pem);
	cs_buf_done(&sig);
	softkey_done(&k);
	return ok;
}

int main(int argc, char **argv)
{
	struct cs_bytes image = { (const uint8_t *)format_case_image, strlen(format_case_image) };
	bool ok;

	if (argc != 2) {
		fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
		return EXIT_FAILURE;
	}
	ok = write_file(argv[1], "image", "bin", image);
	for (size_t i = 0; ok && format_cases[i].key; i++)
		ok = write_case(&format_cases[i], argv[1]);
	return ok ? EXIT_SUCCESS : EXIT_FAILURE;
}
