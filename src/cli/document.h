/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Request documents as approvers and auditors get them: fetched, parsed, written again and
 * compared, shown in words.
 */
#ifndef CS_CLI_DOCUMENT_H
#define CS_CLI_DOCUMENT_H

#include "cli/cli.h"
#include "model/request.h"

struct cs_document {
	struct cs_buf bytes; /* exact, as the server stores them */
	struct cs_sha256 sha256;
	struct cs_request *request; /* owned */
};

/**
 * GET …/document. CS_E_VERSION when the bytes are not canonical or not for this id: then nothing
 * about them can be trusted.
 */
enum cs_rc cs_document_fetch(struct cs_cli *cli, const char *id, struct cs_document *out,
			     struct cs_err *e) CS_MUST_CHECK;
void cs_document_done(struct cs_document *d);

/**
 * Print it in words, without control characters.
 *
 * @param view  the server's view of the request, for the comment: shown when its hash is the
 * document's
 */
void cs_document_show(const struct cs_document *d, const struct countersign_request *view,
		      int64_t now);

/**
 * Is the signature of artifact `index` one that this document asks for, under this key?
 *
 * @param pem  the public key as the server gives it; its hash must be the document's
 */
enum cs_rc cs_document_verify(const struct cs_document *d, size_t index, const char *pem,
			      struct cs_bytes sig, struct cs_err *e) CS_MUST_CHECK;

#endif
