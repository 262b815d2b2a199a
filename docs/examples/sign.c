/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Have a file signed through libcountersign.
 *
 *     cc sign.c $(pkg-config --cflags --libs libcountersign libcrypto) -o sign
 *     ./sign https://sign.example.org ca.pem ci.pem ci.key app-dev image.bin > image.bin.sig
 *
 * The key must be one for SHA-256 digests.
 */
#include <countersign/countersign.h>

#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>

#define WAIT_SECONDS 3600

/* Hash a file; its size, or -1. */
static int64_t hash_file(const char *path, uint8_t digest[32])
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	FILE *in = fopen(path, "rb");
	int64_t size = 0;
	uint8_t piece[8192];
	size_t n;

	if (!ctx || !in || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
		size = -1;
	while (size >= 0 && (n = fread(piece, 1, sizeof(piece), in)) > 0) {
		EVP_DigestUpdate(ctx, piece, n);
		size += (int64_t)n;
	}
	if (size >= 0 && (ferror(in) || EVP_DigestFinal_ex(ctx, digest, NULL) != 1))
		size = -1;
	if (in)
		fclose(in);
	EVP_MD_CTX_free(ctx);
	return size;
}

int main(int argc, char **argv)
{
	static uint8_t signature[COUNTERSIGN_SIGNATURE_MAX];
	struct countersign_request request = { 0 };
	struct countersign_error error = { 0 };
	struct countersign *client = NULL;
	enum countersign_code code;
	uint8_t digest[32];
	size_t len = 0;

	if (argc != 7) {
		fprintf(stderr, "usage: sign URL CA CERTIFICATE KEY-FILE KEY-NAME IMAGE\n");
		return 2;
	}
	const struct countersign_profile profile = {
		.url = argv[1], .ca = argv[2], .certificate = argv[3], .key = argv[4]
	};
	const struct countersign_artifact artifact = { .name = "image",
						       .algorithm = "sha256",
						       .digest = digest,
						       .digest_len = sizeof(digest),
						       .size = hash_file(argv[6], digest),
						       .key = argv[5] };
	const struct countersign_submission submission = { .count = 1,
							   .artifacts = &artifact,
							   .security_version = -1 };

	if (artifact.size < 0) {
		perror(argv[6]);
		return 1;
	}
	code = countersign_open(&profile, &client, &error);
	/* a program that may be run again stores an idempotency key of its own first */
	if (!code)
		code = countersign_submit(client, &submission, NULL, &request, &error);
	if (!code)
		code = countersign_wait(client, request.id, WAIT_SECONDS, &request, &error);
	if (!code && request.is_signed)
		code = countersign_signature(client, request.id, 0, signature, &len, &error);
	if (code)
		fprintf(stderr, "sign: %s\n", error.message);
	else if (!request.is_signed)
		fprintf(stderr, "sign: request %s was %s\n", request.id, request.state);
	else
		fwrite(signature, 1, len, stdout);
	countersign_request_done(&request);
	countersign_close(client);
	return len > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
