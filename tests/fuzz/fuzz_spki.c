/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Public keys, as DER and as PEM (base/pk.h).
 */
#include "base/pk.h"

#include "fuzz/fuzz.h"

/* What was accepted is accepted again from its PEM form, as the same key; but OpenSSL looks at an
 * RSA modulus with random numbers, and one that nobody would make does not always pass. */
static void check_key(const struct cs_pk *pk)
{
	struct cs_pk *again = NULL;
	struct cs_err e = { 0 };
	struct cs_buf pem;
	enum cs_rc rc;

	fuzz_holds(cs_pk_alg(pk) != CS_ALG_NONE);
	cs_buf_init(&pem, CS_PEM_MAX);
	cs_pk_to_pem(pk, &pem);
	fuzz_holds(pem.failed == CS_OK);
	rc = cs_pk_from_pem(cs_buf_bytes(&pem), &again, &e);
	if (rc == CS_OK)
		fuzz_holds(cs_bytes_equal(cs_pk_spki(pk), cs_pk_spki(again)));
	else
		fuzz_holds(cs_alg_is_rsa(cs_pk_alg(pk)));
	cs_pk_free(again);
	cs_buf_done(&pem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct cs_bytes in = { data, size };
	struct cs_pk *pk = NULL;
	struct cs_err e = { 0 };
	enum cs_rc rc;

	rc = cs_pk_from_spki(in, &pk, &e);
	if (rc == CS_OK) {
		fuzz_holds(cs_bytes_equal(in, cs_pk_spki(pk)));
		check_key(pk);
		cs_pk_free(pk);
		return 0;
	}
	fuzz_refused(rc, &e);
	rc = cs_pk_from_pem(in, &pk, &e);
	if (rc == CS_OK) {
		check_key(pk);
		cs_pk_free(pk);
		return 0;
	}
	fuzz_refused(rc, &e);
	return 0;
}
