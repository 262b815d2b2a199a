/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Return values of PKCS#11: their names, and which of them leave a session usable.
 * PKCS #11 v2.40 §5.1.
 */
#include "p11/internal.h"

/*
 * "yes" is for errors that speak of the one call's arguments. After all others the process starts
 * again with a fresh session: that costs milliseconds, a session that lies costs signatures.
 */
#define RV_LIST(X)                                \
	X(CKR_OK, yes)                            \
	X(CKR_CANCEL, no)                         \
	X(CKR_HOST_MEMORY, no)                    \
	X(CKR_SLOT_ID_INVALID, no)                \
	X(CKR_GENERAL_ERROR, no)                  \
	X(CKR_FUNCTION_FAILED, no)                \
	X(CKR_ARGUMENTS_BAD, yes)                 \
	X(CKR_ATTRIBUTE_READ_ONLY, yes)           \
	X(CKR_ATTRIBUTE_SENSITIVE, yes)           \
	X(CKR_ATTRIBUTE_TYPE_INVALID, yes)        \
	X(CKR_ATTRIBUTE_VALUE_INVALID, yes)       \
	X(CKR_ACTION_PROHIBITED, yes)             \
	X(CKR_DATA_INVALID, yes)                  \
	X(CKR_DATA_LEN_RANGE, yes)                \
	X(CKR_DEVICE_ERROR, no)                   \
	X(CKR_DEVICE_MEMORY, no)                  \
	X(CKR_DEVICE_REMOVED, no)                 \
	X(CKR_FUNCTION_CANCELED, yes)             \
	X(CKR_FUNCTION_NOT_SUPPORTED, yes)        \
	X(CKR_KEY_HANDLE_INVALID, no)             \
	X(CKR_KEY_SIZE_RANGE, yes)                \
	X(CKR_KEY_TYPE_INCONSISTENT, yes)         \
	X(CKR_KEY_FUNCTION_NOT_PERMITTED, yes)    \
	X(CKR_MECHANISM_INVALID, yes)             \
	X(CKR_MECHANISM_PARAM_INVALID, yes)       \
	X(CKR_OBJECT_HANDLE_INVALID, no)          \
	X(CKR_OPERATION_ACTIVE, no)               \
	X(CKR_OPERATION_NOT_INITIALIZED, no)      \
	X(CKR_PIN_INCORRECT, no)                  \
	X(CKR_PIN_INVALID, no)                    \
	X(CKR_PIN_LEN_RANGE, no)                  \
	X(CKR_PIN_EXPIRED, no)                    \
	X(CKR_PIN_LOCKED, no)                     \
	X(CKR_SESSION_CLOSED, no)                 \
	X(CKR_SESSION_COUNT, no)                  \
	X(CKR_SESSION_HANDLE_INVALID, no)         \
	X(CKR_SESSION_READ_ONLY, yes)             \
	X(CKR_TEMPLATE_INCOMPLETE, yes)           \
	X(CKR_TEMPLATE_INCONSISTENT, yes)         \
	X(CKR_TOKEN_NOT_PRESENT, no)              \
	X(CKR_TOKEN_NOT_RECOGNIZED, no)           \
	X(CKR_TOKEN_WRITE_PROTECTED, yes)         \
	X(CKR_USER_ALREADY_LOGGED_IN, yes)        \
	X(CKR_USER_NOT_LOGGED_IN, no)             \
	X(CKR_USER_PIN_NOT_INITIALIZED, no)       \
	X(CKR_USER_TYPE_INVALID, no)              \
	X(CKR_USER_ANOTHER_ALREADY_LOGGED_IN, no) \
	X(CKR_USER_TOO_MANY_TYPES, no)            \
	X(CKR_DOMAIN_PARAMS_INVALID, yes)         \
	X(CKR_CURVE_NOT_SUPPORTED, yes)           \
	X(CKR_BUFFER_TOO_SMALL, no)               \
	X(CKR_CRYPTOKI_NOT_INITIALIZED, no)       \
	X(CKR_CRYPTOKI_ALREADY_INITIALIZED, no)   \
	X(CKR_MUTEX_BAD, no)                      \
	X(CKR_MUTEX_NOT_LOCKED, no)               \
	X(CKR_FIPS_SELF_TEST_FAILED, no)          \
	X(CKR_LIBRARY_LOAD_FAILED, no)            \
	X(CKR_PUBLIC_KEY_INVALID, yes)            \
	X(CKR_FUNCTION_REJECTED, yes)

enum answer { no, yes };

static const struct rv_row {
	CK_RV rv;
	const char *name;
	enum answer harmless;
} rvs[] = {
#define RV_ROW(rv, harmless) { rv, #rv, harmless },
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

bool cs_p11_rv_is_harmless(CK_RV rv)
{
	const struct rv_row *row = find(rv);

	return row && row->harmless == yes;
}

enum cs_rc cs_p11_fail(struct cs_err *e, CK_RV rv, const char *what)
{
	bool pin = rv >= CKR_PIN_INCORRECT && rv <= CKR_PIN_LOCKED;

	return CS_FAIL(e, pin ? CS_E_PIN : CS_E_HSM, "%s: the token answered %s (0x%lx)", what,
		       cs_p11_rv_name(rv), rv);
}
