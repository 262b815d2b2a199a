/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Return values of PKCS#11: their names, and which of them leave a session usable.
 * PKCS #11 v2.40 §5.1.
 */
#include "p11/internal.h"

/*
 * FINE speaks of the one call's arguments. After LOST no call can succeed any more. DOUBT may be
 * either: one key in disorder, or a token that will not answer again; the other keys decide.
 * What is not in the list is DOUBT.
 */
#define RV_LIST(X)                                  \
	X(CKR_OK, FINE)                             \
	X(CKR_CANCEL, DOUBT)                        \
	X(CKR_HOST_MEMORY, DOUBT)                   \
	X(CKR_SLOT_ID_INVALID, LOST)                \
	X(CKR_GENERAL_ERROR, DOUBT)                 \
	X(CKR_FUNCTION_FAILED, DOUBT)               \
	X(CKR_ARGUMENTS_BAD, FINE)                  \
	X(CKR_ATTRIBUTE_READ_ONLY, FINE)            \
	X(CKR_ATTRIBUTE_SENSITIVE, FINE)            \
	X(CKR_ATTRIBUTE_TYPE_INVALID, FINE)         \
	X(CKR_ATTRIBUTE_VALUE_INVALID, FINE)        \
	X(CKR_ACTION_PROHIBITED, FINE)              \
	X(CKR_DATA_INVALID, FINE)                   \
	X(CKR_DATA_LEN_RANGE, FINE)                 \
	X(CKR_DEVICE_ERROR, DOUBT)                  \
	X(CKR_DEVICE_MEMORY, DOUBT)                 \
	X(CKR_DEVICE_REMOVED, LOST)                 \
	X(CKR_FUNCTION_CANCELED, FINE)              \
	X(CKR_FUNCTION_NOT_SUPPORTED, FINE)         \
	X(CKR_KEY_HANDLE_INVALID, LOST)             \
	X(CKR_KEY_SIZE_RANGE, FINE)                 \
	X(CKR_KEY_TYPE_INCONSISTENT, FINE)          \
	X(CKR_KEY_FUNCTION_NOT_PERMITTED, FINE)     \
	X(CKR_MECHANISM_INVALID, FINE)              \
	X(CKR_MECHANISM_PARAM_INVALID, FINE)        \
	X(CKR_OBJECT_HANDLE_INVALID, LOST)          \
	X(CKR_OPERATION_ACTIVE, LOST)               \
	X(CKR_OPERATION_NOT_INITIALIZED, LOST)      \
	X(CKR_PIN_INCORRECT, LOST)                  \
	X(CKR_PIN_INVALID, LOST)                    \
	X(CKR_PIN_LEN_RANGE, LOST)                  \
	X(CKR_PIN_EXPIRED, LOST)                    \
	X(CKR_PIN_LOCKED, LOST)                     \
	X(CKR_SESSION_CLOSED, LOST)                 \
	X(CKR_SESSION_COUNT, LOST)                  \
	X(CKR_SESSION_HANDLE_INVALID, LOST)         \
	X(CKR_SESSION_READ_ONLY, FINE)              \
	X(CKR_TEMPLATE_INCOMPLETE, FINE)            \
	X(CKR_TEMPLATE_INCONSISTENT, FINE)          \
	X(CKR_TOKEN_NOT_PRESENT, LOST)              \
	X(CKR_TOKEN_NOT_RECOGNIZED, LOST)           \
	X(CKR_TOKEN_WRITE_PROTECTED, FINE)          \
	X(CKR_USER_ALREADY_LOGGED_IN, FINE)         \
	X(CKR_USER_NOT_LOGGED_IN, LOST)             \
	X(CKR_USER_PIN_NOT_INITIALIZED, LOST)       \
	X(CKR_USER_TYPE_INVALID, LOST)              \
	X(CKR_USER_ANOTHER_ALREADY_LOGGED_IN, LOST) \
	X(CKR_USER_TOO_MANY_TYPES, LOST)            \
	X(CKR_DOMAIN_PARAMS_INVALID, FINE)          \
	X(CKR_CURVE_NOT_SUPPORTED, FINE)            \
	X(CKR_BUFFER_TOO_SMALL, LOST)               \
	X(CKR_CRYPTOKI_NOT_INITIALIZED, LOST)       \
	X(CKR_CRYPTOKI_ALREADY_INITIALIZED, LOST)   \
	X(CKR_MUTEX_BAD, LOST)                      \
	X(CKR_MUTEX_NOT_LOCKED, LOST)               \
	X(CKR_FIPS_SELF_TEST_FAILED, LOST)          \
	X(CKR_LIBRARY_LOAD_FAILED, LOST)            \
	X(CKR_PUBLIC_KEY_INVALID, FINE)             \
	X(CKR_FUNCTION_REJECTED, FINE)

#define FINE CS_P11_FINE
#define DOUBT CS_P11_DOUBT
#define LOST CS_P11_LOST

static const struct rv_row {
	CK_RV rv;
	const char *name;
	enum cs_p11_effect effect;
} rvs[] = {
#define RV_ROW(rv, effect) { rv, #rv, effect },
	RV_LIST(RV_ROW)
#undef RV_ROW
};

static const struct rv_row *find(CK_RV rv)
{
	size_t i;

	for (i = 0; i < sizeof(rvs) / sizeof(rvs[0]); i++)
		if (rvs[i].rv == rv)
			return &rvs[i];
	return NULL;
}

const char *cs_p11_rv_name(CK_RV rv)
{
	const struct rv_row *row = find(rv);

	if (row)
		return row->name;
	return rv >= CKR_VENDOR_DEFINED ? "CKR_VENDOR_DEFINED" : "CKR_UNKNOWN";
}

enum cs_p11_effect cs_p11_rv_effect(CK_RV rv)
{
	const struct rv_row *row = find(rv);

	return row ? row->effect : DOUBT;
}

enum cs_rc cs_p11_fail(struct cs_err *e, CK_RV rv, const char *what)
{
	return CS_FAIL(e, CS_E_HSM, "%s: the token answered %s (0x%lx)", what, cs_p11_rv_name(rv),
		       rv);
}
