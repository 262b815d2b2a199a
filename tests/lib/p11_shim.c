/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PKCS#11 module in front of another one, for tests: counts calls and goes wrong on request.
 * Controlled by files, so that a test can change its mind while processes run:
 *   CS_SHIM_MODULE  the module behind it
 *   CS_SHIM_RULES   one rule a line, read at every call (below); need not exist
 *   CS_SHIM_CALLS   gets a line "PID FUNCTION RV" (RV decimal) per call, synced for C_Sign
 *
 * A rule is "FUNCTION ACTION [NUMBER [CALL]]"; it holds for every call, or for the CALL-th of a
 * process: C_Sign return 48 3   the third C_Sign returns CKR_DEVICE_ERROR (48) without reaching the
 * module C_Sign hang 60000    sleeps so many milliseconds before it goes on C_Sign flip 0 flips a
 * bit of the signature C_Sign crash 0       the process dies of SIGSEGV
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/text.h"

#define RULES_MAX 65536
#define WORDS_MAX 4
#define SIGNATURE_MAX 1024

enum function {
	INITIALIZE,
	GET_TOKEN_INFO,
	OPEN_SESSION,
	LOGIN,
	FIND_OBJECTS_INIT,
	SIGN_INIT,
	SIGN,
	FINALIZE
};

static const char *const names[] = {
	[INITIALIZE] = "C_Initialize",
	[GET_TOKEN_INFO] = "C_GetTokenInfo",
	[OPEN_SESSION] = "C_OpenSession",
	[LOGIN] = "C_Login",
	[FIND_OBJECTS_INIT] = "C_FindObjectsInit",
	[SIGN_INIT] = "C_SignInit",
	[SIGN] = "C_Sign",
	[FINALIZE] = "C_Finalize",
};

/* What happens in one call. */
struct plan {
	bool returns, flips;
	CK_RV rv;
	CK_ULONG sessions; /* 0: as the module says */
};

static CK_FUNCTION_LIST_PTR behind;
static int64_t calls[sizeof(names) / sizeof(names[0])];

static void act(const char *action, int64_t number, struct plan *plan)
{
	if (strcmp(action, "return") == 0) {
		plan->returns = true;
		plan->rv = (CK_RV)number;
	} else if (strcmp(action, "hang") == 0) {
		struct timespec ts = { number / 1000, number % 1000 * 1000000 };

		nanosleep(&ts, NULL);
	} else if (strcmp(action, "flip") == 0) {
		plan->flips = true;
	} else if (strcmp(action, "sessions") == 0) {
		plan->sessions = (CK_ULONG)number;
	} else if (strcmp(action, "crash") == 0) {
		raise(SIGSEGV);
	}
}

/* split at spaces, in place */
static size_t split(char *line, char *words[static WORDS_MAX])
{
	size_t count = 0;

	while (*line != '\0' && count < WORDS_MAX) {
		words[count++] = line;
		line += strcspn(line, " ");
		if (*line != '\0')
			*line++ = '\0';
	}
	return count;
}

static void apply_rule(char *line, enum function f, struct plan *plan)
{
	int64_t number = 0;
	int64_t call = 0;
	char *words[WORDS_MAX];
	size_t count = split(line, words);

	if (count < 2 || strcmp(words[0], names[f]) != 0)
		return;
	if (count > 2 && !cs_text_to_int(words[2], 0, INT64_MAX, &number))
		return;
	if (count > 3 && (!cs_text_to_int(words[3], 1, INT64_MAX, &call) || call != calls[f]))
		return;
	act(words[1], number, plan);
}

static struct plan before(enum function f)
{
	const char *path = getenv("CS_SHIM_RULES");
	struct plan plan = { 0 };
	struct cs_buf rules;
	char *line;

	calls[f]++;
	cs_buf_init(&rules, RULES_MAX);
	if (path && cs_file_read(path, &rules, NULL) == CS_OK && rules.len > 0) {
		for (line = (char *)rules.data; line && *line != '\0';) {
			char *end = strchr(line, '\n');

			if (end)
				*end = '\0';
			apply_rule(line, f, &plan);
			line = end ? end + 1 : NULL;
		}
	}
	cs_buf_done(&rules);
	return plan;
}

static CK_RV after(enum function f, CK_RV rv)
{
	const char *path = getenv("CS_SHIM_CALLS");
	char line[64];
	int fd;

	if (!path)
		return rv;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return CKR_GENERAL_ERROR;
	snprintf(line, sizeof(line), "%d %s %lu\n", (int)getpid(), names[f], rv);
	if (write(fd, line, strlen(line)) < 0 || (f == SIGN && fsync(fd) != 0))
		rv = CKR_GENERAL_ERROR;
	close(fd);
	return rv;
}

#define FORWARD(f, call)                                                  \
	do {                                                              \
		struct plan plan = before(f);                             \
		return after((f), plan.returns ? plan.rv : behind->call); \
	} while (0)

static CK_RV shim_initialize(void *arguments)
{
	FORWARD(INITIALIZE, C_Initialize(arguments));
}

static CK_RV shim_finalize(void *reserved)
{
	FORWARD(FINALIZE, C_Finalize(reserved));
}

static CK_RV shim_get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info)
{
	struct plan plan = before(GET_TOKEN_INFO);
	CK_RV rv = plan.returns ? plan.rv : behind->C_GetTokenInfo(slot, info);

	if (rv == CKR_OK && plan.sessions > 0)
		info->ulMaxSessionCount = plan.sessions;
	return after(GET_TOKEN_INFO, rv);
}

static CK_RV shim_open_session(CK_SLOT_ID slot, CK_FLAGS flags, void *application, CK_NOTIFY notify,
			       CK_SESSION_HANDLE_PTR session)
{
	FORWARD(OPEN_SESSION, C_OpenSession(slot, flags, application, notify, session));
}

static CK_RV shim_login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin,
			CK_ULONG len)
{
	FORWARD(LOGIN, C_Login(session, user, pin, len));
}

static CK_RV shim_find_objects_init(CK_SESSION_HANDLE session, CK_ATTRIBUTE_PTR template,
				    CK_ULONG count)
{
	FORWARD(FIND_OBJECTS_INIT, C_FindObjectsInit(session, template, count));
}

static CK_RV shim_sign_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
			    CK_OBJECT_HANDLE key)
{
	FORWARD(SIGN_INIT, C_SignInit(session, mechanism, key));
}

static CK_RV shim_sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_len,
		       CK_BYTE_PTR signature, CK_ULONG_PTR len)
{
	struct plan plan = before(SIGN);
	CK_BYTE discarded[SIGNATURE_MAX];
	CK_ULONG discarded_len = sizeof(discarded);
	CK_RV rv;

	if (plan.returns) {
		/* a C_Sign that fails ends the operation: PKCS #11 v2.40 §5.11 */
		(void)behind->C_Sign(session, data, data_len, discarded, &discarded_len);
		return after(SIGN, plan.rv);
	}
	rv = behind->C_Sign(session, data, data_len, signature, len);
	if (rv == CKR_OK && plan.flips && signature && *len > 0)
		signature[*len / 2] ^= 1;
	return after(SIGN, rv);
}

static CK_RV load(void)
{
	const char *path = getenv("CS_SHIM_MODULE");
	void *module = path ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : NULL;
	void *symbol = module ? dlsym(module, "C_GetFunctionList") : NULL;
	CK_C_GetFunctionList get_list;

	if (!symbol)
		return CKR_LIBRARY_LOAD_FAILED;
	memcpy(&get_list, &symbol, sizeof(get_list));
	return get_list(&behind);
}

__attribute__((visibility("default"))) CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list)
{
	static CK_FUNCTION_LIST shim;
	CK_RV rv = load();

	if (rv != CKR_OK)
		return rv;
	shim = *behind;
	shim.C_Initialize = shim_initialize;
	shim.C_Finalize = shim_finalize;
	shim.C_GetTokenInfo = shim_get_token_info;
	shim.C_OpenSession = shim_open_session;
	shim.C_Login = shim_login;
	shim.C_FindObjectsInit = shim_find_objects_init;
	shim.C_SignInit = shim_sign_init;
	shim.C_Sign = shim_sign;
	shim.C_GetFunctionList = C_GetFunctionList;
	*list = &shim;
	return CKR_OK;
}
