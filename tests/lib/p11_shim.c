/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PKCS#11 module in front of another one, for tests: keeps count of signatures and goes wrong on
 * request. Controlled by files, so that a test can change its mind while processes run:
 *   CS_SHIM_MODULE  the module behind it
 *   CS_SHIM_RULES   one rule a line, read at every call (below); need not exist
 *   CS_SHIM_CALLS   gets a line "PID FUNCTION RV" (RV decimal) after each call
 *   CS_SHIM_SIGNS   gets a line "PID SHA256" of the bytes before each C_Sign, synced: what the
 *                   token was asked to sign, whatever becomes of the process
 *
 * A rule is "FUNCTION ACTION [NUMBER [WHEN]]"; FUNCTION "*" is each of them. Actions:
 *   return RV    the answer; the module is not asked (for C_Sign it is, and its answer discarded)
 *   hang MS      sleeps before it goes on
 *   deaf MS      the same, after it has blocked, ignored and handled every signal it can
 *   crash 0      dies of SIGSEGV
 *   flip BIT     C_Sign: flips a bit of the signature, counted from its first byte
 *   twice 0      C_Sign: signs the same bytes once more, for itself
 *   sessions N   C_GetTokenInfo: the most sessions that the token says it has
 * WHEN is CALL, the CALL-th of each process; all:CALL, the CALL-th of all processes together; or
 * id:HEX, when the key has that CKA_ID (C_SignInit, C_Sign). Without it the rule always holds.
 *
 * "token lost" takes the token away; "token plugged N" puts it in for the N-th time, and a session
 * that is older than that is not valid any more.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <p11-kit/pkcs11.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/enc.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"

#define RULES_MAX 65536
#define WORDS_MAX 4
#define SIGNATURE_MAX 1024
#define ID_MAX 64
#define PATH_LEN 4096

enum function {
	INITIALIZE,
	GET_SLOT_LIST,
	GET_TOKEN_INFO,
	OPEN_SESSION,
	LOGIN,
	FIND_OBJECTS_INIT,
	FIND_OBJECTS,
	GET_ATTRIBUTE_VALUE,
	SIGN_INIT,
	SIGN,
	FINALIZE
};

/* What a lost token answers, and what it answers when it is back to who still has an old session.
 */
static const struct {
	const char *name;
	CK_RV lost, stale;
} functions[] = {
	[INITIALIZE] = { "C_Initialize", CKR_OK, CKR_OK },
	[GET_SLOT_LIST] = { "C_GetSlotList", CKR_OK, CKR_OK },
	[GET_TOKEN_INFO] = { "C_GetTokenInfo", CKR_TOKEN_NOT_PRESENT, CKR_OK },
	[OPEN_SESSION] = { "C_OpenSession", CKR_TOKEN_NOT_PRESENT, CKR_OK },
	[LOGIN] = { "C_Login", CKR_DEVICE_REMOVED, CKR_SESSION_HANDLE_INVALID },
	[FIND_OBJECTS_INIT] = { "C_FindObjectsInit", CKR_DEVICE_REMOVED,
				CKR_SESSION_HANDLE_INVALID },
	[FIND_OBJECTS] = { "C_FindObjects", CKR_DEVICE_REMOVED, CKR_SESSION_HANDLE_INVALID },
	[GET_ATTRIBUTE_VALUE] = { "C_GetAttributeValue", CKR_DEVICE_REMOVED,
				  CKR_SESSION_HANDLE_INVALID },
	[SIGN_INIT] = { "C_SignInit", CKR_DEVICE_REMOVED, CKR_SESSION_HANDLE_INVALID },
	[SIGN] = { "C_Sign", CKR_DEVICE_REMOVED, CKR_SESSION_HANDLE_INVALID },
	[FINALIZE] = { "C_Finalize", CKR_OK, CKR_OK },
};

/* What happens in one call. */
struct plan {
	bool returns, flips, twice, lost;
	CK_RV rv;
	CK_ULONG bit;
	CK_ULONG sessions; /* 0: as the module says */
	int64_t plugged;
};

static CK_FUNCTION_LIST_PTR behind;
static int64_t calls[sizeof(functions) / sizeof(functions[0])];
static int64_t session_plugged;

/* The operation that C_SignInit began. */
static struct {
	CK_SESSION_HANDLE session;
	CK_OBJECT_HANDLE key;
	CK_MECHANISM mechanism;
	CK_RSA_PKCS_PSS_PARAMS pss;
} operation;

static void sleep_ms(int64_t ms)
{
	const int64_t until = cs_clock_mono() + ms * 1000;
	int64_t left;

	/* signals end a sleep, not the hang */
	while ((left = until - cs_clock_mono()) > 0)
		nanosleep(&(struct timespec){ .tv_sec = left / CS_SECOND,
					      .tv_nsec = left % CS_SECOND * 1000 },
			  NULL);
}

static void swallow(int number)
{
	(void)number;
}

/* As modules do that run threads, timers and helper processes of their own. */
static void hear_nothing(void)
{
	const struct itimerval often = { { 0, 50000 }, { 0, 50000 } };
	struct sigaction action = { .sa_handler = swallow };
	sigset_t all;
	int number;

	for (number = 1; number < NSIG; number++)
		(void)sigaction(number, &action, NULL); /* two of them refuse */
	(void)setitimer(ITIMER_REAL, &often, NULL);
	sigfillset(&all);
	sigdelset(&all, SIGALRM);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
}

static void act(const char *action, int64_t number, struct plan *plan)
{
	if (strcmp(action, "return") == 0) {
		plan->returns = true;
		plan->rv = (CK_RV)number;
	} else if (strcmp(action, "hang") == 0) {
		sleep_ms(number);
	} else if (strcmp(action, "deaf") == 0) {
		hear_nothing();
		sleep_ms(number);
	} else if (strcmp(action, "flip") == 0) {
		plan->flips = true;
		plan->bit = (CK_ULONG)number;
	} else if (strcmp(action, "twice") == 0) {
		plan->twice = true;
	} else if (strcmp(action, "sessions") == 0) {
		plan->sessions = (CK_ULONG)number;
	} else if (strcmp(action, "crash") == 0) {
		raise(SIGSEGV);
	}
}

static void plug(const char *action, int64_t number, struct plan *plan)
{
	if (strcmp(action, "lost") == 0)
		plan->lost = true;
	else
		plan->plugged = number;
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

/* The number of this call among those of all processes since the rules were written: a file that
 * grows by a byte each time. */
static int64_t call_of_all(enum function f)
{
	char path[PATH_LEN];
	off_t size = 0;
	int fd;

	(void)snprintf(path, sizeof(path), "%s.%s", getenv("CS_SHIM_RULES"), functions[f].name);
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (fd >= 0 && write(fd, "+", 1) == 1)
		size = lseek(fd, 0, SEEK_CUR);
	if (fd >= 0)
		close(fd);
	return size;
}

static bool has_id(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE key, const char *hex)
{
	CK_BYTE id[ID_MAX];
	CK_ATTRIBUTE attribute = { CKA_ID, id, sizeof(id) };
	char have[2 * ID_MAX + 1];

	if (behind->C_GetAttributeValue(session, key, &attribute, 1) != CKR_OK)
		return false;
	cs_hex_encode(id, attribute.ulValueLen, have);
	return strcmp(have, hex) == 0;
}

static bool holds(const char *when, enum function f)
{
	int64_t call = 0;

	if (strncmp(when, "id:", 3) == 0)
		return has_id(operation.session, operation.key, when + 3);
	if (strncmp(when, "all:", 4) == 0)
		return cs_text_to_int(when + 4, 1, INT64_MAX, &call) && call == call_of_all(f);
	return cs_text_to_int(when, 1, INT64_MAX, &call) && call == calls[f];
}

static void apply_rule(char *line, enum function f, struct plan *plan)
{
	int64_t number = 0;
	char *words[WORDS_MAX];
	size_t count = split(line, words);

	if (count < 2 || (count > 2 && !cs_text_to_int(words[2], 0, INT64_MAX, &number)))
		return;
	if (strcmp(words[0], "token") == 0)
		plug(words[1], number, plan);
	else if ((strcmp(words[0], "*") == 0 || strcmp(words[0], functions[f].name) == 0) &&
		 (count < 4 || holds(words[3], f)))
		act(words[1], number, plan);
}

static void apply_token(enum function f, struct plan *plan)
{
	CK_RV rv = plan->lost                         ? functions[f].lost
		   : plan->plugged != session_plugged ? functions[f].stale
						      : CKR_OK;

	if (rv != CKR_OK) {
		plan->returns = true;
		plan->rv = rv;
	}
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
	apply_token(f, &plan);
	return plan;
}

/* One line at the end of the file that a variable names; CKR_OK when there is none. */
static CK_RV record(const char *variable, const char *line, bool synced)
{
	const char *path = getenv(variable);
	CK_RV rv = CKR_OK;
	int fd;

	if (!path)
		return rv;
	fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return CKR_GENERAL_ERROR;
	if (write(fd, line, strlen(line)) != (ssize_t)strlen(line) || (synced && fsync(fd) != 0))
		rv = CKR_GENERAL_ERROR;
	close(fd);
	return rv;
}

static CK_RV after(enum function f, CK_RV rv)
{
	char line[64];

	(void)snprintf(line, sizeof(line), "%d %s %lu\n", (int)getpid(), functions[f].name, rv);
	return record("CS_SHIM_CALLS", line, false) == CKR_OK ? rv : CKR_GENERAL_ERROR;
}

static CK_RV record_sign(const CK_BYTE *data, CK_ULONG len)
{
	const struct cs_sha256 hash = cs_sha256((struct cs_bytes){ data, len });
	char hex[CS_SHA256_HEX], line[CS_SHA256_HEX + 32];

	cs_sha256_hex(&hash, hex);
	(void)snprintf(line, sizeof(line), "%d %s\n", (int)getpid(), hex);
	return record("CS_SHIM_SIGNS", line, true);
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

static CK_RV shim_get_slot_list(CK_BBOOL present, CK_SLOT_ID_PTR list, CK_ULONG_PTR count)
{
	struct plan plan = before(GET_SLOT_LIST);
	CK_RV rv = plan.returns ? plan.rv : behind->C_GetSlotList(present, list, count);

	if (rv == CKR_OK && plan.lost)
		*count = 0;
	return after(GET_SLOT_LIST, rv);
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
	struct plan plan = before(OPEN_SESSION);
	CK_RV rv = plan.returns ? plan.rv
				: behind->C_OpenSession(slot, flags, application, notify, session);

	if (rv == CKR_OK)
		session_plugged = plan.plugged;
	return after(OPEN_SESSION, rv);
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

static CK_RV shim_find_objects(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE_PTR objects,
			       CK_ULONG max, CK_ULONG_PTR count)
{
	FORWARD(FIND_OBJECTS, C_FindObjects(session, objects, max, count));
}

static CK_RV shim_get_attribute_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
				      CK_ATTRIBUTE_PTR template, CK_ULONG count)
{
	FORWARD(GET_ATTRIBUTE_VALUE, C_GetAttributeValue(session, object, template, count));
}

static CK_RV shim_sign_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
			    CK_OBJECT_HANDLE key)
{
	operation.session = session;
	operation.key = key;
	operation.mechanism = *mechanism;
	if (mechanism->mechanism == CKM_RSA_PKCS_PSS) {
		memcpy(&operation.pss, mechanism->pParameter, sizeof(operation.pss));
		operation.mechanism.pParameter = &operation.pss;
	}
	FORWARD(SIGN_INIT, C_SignInit(session, mechanism, key));
}

/* The same bytes under the same key, behind the signer's back. */
static CK_RV sign_again(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_len)
{
	CK_BYTE discarded[SIGNATURE_MAX];
	CK_ULONG len = sizeof(discarded);
	CK_RV rv = record_sign(data, data_len);

	if (rv == CKR_OK)
		rv = behind->C_SignInit(session, &operation.mechanism, operation.key);
	return rv == CKR_OK ? behind->C_Sign(session, data, data_len, discarded, &len) : rv;
}

static CK_RV shim_sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_len,
		       CK_BYTE_PTR signature, CK_ULONG_PTR len)
{
	CK_RV rv = record_sign(data, data_len);
	CK_BYTE discarded[SIGNATURE_MAX];
	CK_ULONG discarded_len = sizeof(discarded);
	struct plan plan = before(SIGN);

	if (rv != CKR_OK)
		return after(SIGN, rv);
	if (plan.returns) {
		/* a C_Sign that fails ends the operation: PKCS #11 v2.40 §5.11 */
		(void)behind->C_Sign(session, data, data_len, discarded, &discarded_len);
		return after(SIGN, plan.rv);
	}
	rv = behind->C_Sign(session, data, data_len, signature, len);
	if (rv == CKR_OK && plan.flips && signature && plan.bit / 8 < *len)
		signature[plan.bit / 8] ^= (CK_BYTE)(1 << plan.bit % 8);
	if (rv == CKR_OK && plan.twice)
		rv = sign_again(session, data, data_len);
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
	shim.C_GetSlotList = shim_get_slot_list;
	shim.C_GetTokenInfo = shim_get_token_info;
	shim.C_OpenSession = shim_open_session;
	shim.C_Login = shim_login;
	shim.C_FindObjectsInit = shim_find_objects_init;
	shim.C_FindObjects = shim_find_objects;
	shim.C_GetAttributeValue = shim_get_attribute_value;
	shim.C_SignInit = shim_sign_init;
	shim.C_Sign = shim_sign;
	shim.C_GetFunctionList = C_GetFunctionList;
	*list = &shim;
	return CKR_OK;
}
