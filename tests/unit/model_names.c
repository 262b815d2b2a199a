/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Closed lists and states: every name there and back, every move against a list written by hand.
 */
#include <string.h>

#include "model/field.h"
#include "model/fits.h"
#include "model/names.h"
#include "model/state.h"
#include "unit/unit_model.h"

/* The lists with their functions taken as int, so that one table covers them. */
#define LIST(list, enumeration)                               \
	static const char *list##_name(int v)                 \
	{                                                     \
		return cs_##list##_name((enum enumeration)v); \
	}                                                     \
	static int list##_find(const char *name)              \
	{                                                     \
		return (int)cs_##list##_from_name(name);      \
	}
LIST(alg, cs_alg)
LIST(hash, cs_hash)
LIST(env, cs_env)
LIST(role, cs_role)
LIST(format, cs_format)
LIST(verdict, cs_verdict_kind)
LIST(method, cs_method)
LIST(state, cs_state)
LIST(artifact_state, cs_artifact_state)

static const struct {
	const char *words; /* in the order of their values, from 1 */
	const char *(*name)(int v);
	int (*find)(const char *name);
} lists[] = {
	{ CS_ENV_WORDS, env_name, env_find },
	{ "agent, approver, auditor, operator", role_name, role_find },
	{ CS_FORMAT_WORDS, format_name, format_find },
	{ CS_VERDICT_WORDS, verdict_name, verdict_find },
	{ "mtls", method_name, method_find },
	{ "denied, pending, approved, signing, signed, rejected, expired, cancelled, failed",
	  state_name, state_find },
	{ "waiting, signing, unknown, signed, failed", artifact_state_name, artifact_state_find },
	/* base/ has these; the words are what the model's errors say */
	{ CS_ALG_WORDS, alg_name, alg_find },
	{ CS_HASH_WORDS, hash_name, hash_find },
};

#define MODEL_LISTS (CS_COUNT(lists) - 2)

START_TEST(names_go_there_and_back)
{
	char rest[256], *word = rest;
	int v = 1;

	ck_assert_uint_lt(strlen(lists[_i].words), sizeof(rest));
	memcpy(rest, lists[_i].words, strlen(lists[_i].words) + 1);
	while (word) {
		char *comma = strstr(word, ", ");

		if (comma)
			*comma = '\0';
		ck_assert_str_eq(lists[_i].name(v), word);
		ck_assert_int_eq(lists[_i].find(word), v);
		word = comma ? comma + 2 : NULL;
		v++;
	}
	if (_i < (int)MODEL_LISTS)
		ck_assert_str_eq(lists[_i].name(v), "none"); /* the list ends here */
}
END_TEST

START_TEST(unknown_names_are_none)
{
	static const char *const unknown[] = { NULL,   "",    "none",  "DEV",    "dev ",
					       " dev", "pro", "prod2", "Pending" };

	for (size_t j = 0; j < CS_COUNT(unknown); j++)
		ck_assert_int_eq(lists[_i].find(unknown[j]), 0);
	ck_assert_str_eq(lists[_i].name(0), "none");
	ck_assert_str_eq(lists[_i].name(1000), "none");
}
END_TEST

/* Every pair that is not here is refused. */
static const struct move {
	const char *from, *to;
} moves[] = {
	{ "pending", "approved" },  { "pending", "rejected" }, { "pending", "expired" },
	{ "pending", "cancelled" }, { "approved", "signing" }, { "approved", "pending" },
	{ "approved", "rejected" }, { "approved", "expired" }, { "approved", "cancelled" },
	{ "signing", "signed" },    { "signing", "approved" }, { "signing", "failed" },
};

static const struct move artifact_moves[] = {
	{ "waiting", "signing" }, { "signing", "signed" }, { "signing", "waiting" },
	{ "signing", "unknown" }, { "signing", "failed" }, { "unknown", "signing" },
	{ "unknown", "failed" },
};

static bool listed(const struct move *list, size_t count, const char *from, const char *to)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(list[i].from, from) == 0 && strcmp(list[i].to, to) == 0)
			return true;
	}
	return false;
}

START_TEST(requests_move_as_listed)
{
	for (int from = CS_ST_NONE; from <= CS_ST__COUNT; from++) {
		for (int to = CS_ST_NONE; to <= CS_ST__COUNT; to++) {
			const char *a = cs_state_name((enum cs_state)from),
				   *b = cs_state_name((enum cs_state)to);

			ck_assert_msg(cs_state_may_move((enum cs_state)from, (enum cs_state)to) ==
					      listed(moves, CS_COUNT(moves), a, b),
				      "%s to %s", a, b);
		}
	}
}
END_TEST

START_TEST(artifacts_move_as_listed)
{
	for (int from = CS_AS_NONE; from <= CS_AS__COUNT; from++) {
		for (int to = CS_AS_NONE; to <= CS_AS__COUNT; to++) {
			const char *a = cs_artifact_state_name((enum cs_artifact_state)from);
			const char *b = cs_artifact_state_name((enum cs_artifact_state)to);

			ck_assert_msg(
				cs_artifact_state_may_move((enum cs_artifact_state)from,
							   (enum cs_artifact_state)to) ==
					listed(artifact_moves, CS_COUNT(artifact_moves), a, b),
				"%s to %s", a, b);
		}
	}
}
END_TEST

START_TEST(final_states_are_the_ends)
{
	static const char *const ends[] = { "denied",  "signed",    "rejected",
					    "expired", "cancelled", "failed" };
	size_t count = 0;

	for (int s = CS_ST_NONE; s <= CS_ST__COUNT; s++)
		count += cs_state_is_final((enum cs_state)s);
	ck_assert_uint_eq(count, CS_COUNT(ends));
	for (size_t i = 0; i < CS_COUNT(ends); i++)
		ck_assert(cs_state_is_final(cs_state_from_name(ends[i])));
}
END_TEST

/* What design allows, written out once more: format, key, hash. */
static const struct {
	enum cs_format format;
	enum cs_alg alg;
	enum cs_hash hash;
} fitting[] = {
	{ CS_FORMAT_RSA_PKCS1, CS_ALG_RSA_3072, CS_HASH_SHA256 },
	{ CS_FORMAT_RSA_PKCS1, CS_ALG_RSA_3072, CS_HASH_SHA384 },
	{ CS_FORMAT_RSA_PKCS1, CS_ALG_RSA_3072, CS_HASH_SHA512 },
	{ CS_FORMAT_RSA_PKCS1, CS_ALG_RSA_4096, CS_HASH_SHA256 },
	{ CS_FORMAT_RSA_PKCS1, CS_ALG_RSA_4096, CS_HASH_SHA384 },
	{ CS_FORMAT_RSA_PKCS1, CS_ALG_RSA_4096, CS_HASH_SHA512 },
	{ CS_FORMAT_RSA_PSS, CS_ALG_RSA_3072, CS_HASH_SHA256 },
	{ CS_FORMAT_RSA_PSS, CS_ALG_RSA_3072, CS_HASH_SHA384 },
	{ CS_FORMAT_RSA_PSS, CS_ALG_RSA_3072, CS_HASH_SHA512 },
	{ CS_FORMAT_RSA_PSS, CS_ALG_RSA_4096, CS_HASH_SHA256 },
	{ CS_FORMAT_RSA_PSS, CS_ALG_RSA_4096, CS_HASH_SHA384 },
	{ CS_FORMAT_RSA_PSS, CS_ALG_RSA_4096, CS_HASH_SHA512 },
	{ CS_FORMAT_ECDSA, CS_ALG_P256, CS_HASH_SHA256 },
	{ CS_FORMAT_ECDSA, CS_ALG_P384, CS_HASH_SHA384 },
	{ CS_FORMAT_ED25519_DIGEST, CS_ALG_ED25519, CS_HASH_SHA256 },
	{ CS_FORMAT_ED25519_DIGEST, CS_ALG_ED25519, CS_HASH_SHA512 },
};

static bool fits(int format, int alg, int hash)
{
	for (size_t i = 0; i < CS_COUNT(fitting); i++) {
		if ((int)fitting[i].format == format && (int)fitting[i].alg == alg &&
		    (int)fitting[i].hash == hash)
			return true;
	}
	return false;
}

START_TEST(keys_make_the_formats_listed)
{
	for (int f = CS_FORMAT_NONE; f <= CS_FORMAT__COUNT; f++) {
		for (int a = CS_ALG_NONE; a <= CS_ALG_ED25519; a++) {
			for (int h = CS_HASH_NONE; h <= CS_HASH_SHA512; h++) {
				struct cs_err e;
				enum cs_rc rc = cs_fits_check((enum cs_format)f, (enum cs_alg)a,
							      (enum cs_hash)h, &e);

				ck_assert_msg(rc == (fits(f, a, h) ? CS_OK : CS_E_INVALID),
					      "%d %d %d", f, a, h);
			}
		}
	}
}
END_TEST

TCase *tcase_names(void)
{
	TCase *tc = tcase_create("names");

	tcase_add_loop_test(tc, names_go_there_and_back, 0, (int)CS_COUNT(lists));
	tcase_add_loop_test(tc, unknown_names_are_none, 0, (int)MODEL_LISTS);
	tcase_add_test(tc, keys_make_the_formats_listed);
	return tc;
}

TCase *tcase_states(void)
{
	TCase *tc = tcase_create("states");

	tcase_add_test(tc, requests_move_as_listed);
	tcase_add_test(tc, artifacts_move_as_listed);
	tcase_add_test(tc, final_states_are_the_ends);
	return tc;
}
