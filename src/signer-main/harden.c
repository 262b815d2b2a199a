/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every command does before it may see a PIN: no core dumps, no debugger, no new privileges.
 */
#include "signer-main/harden.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

enum cs_rc cs_harden(struct cs_err *e)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	const struct rlimit none = { 0, 0 };

	umask(077);
	/* a full quota and a peer that left are errors of the call, here and in the children */
	sigaction(SIGXFSZ, &ignore, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_DUMPABLE, 0) != 0 ||
	    setrlimit(RLIMIT_CORE, &none) != 0)
		return CS_FAIL(e, CS_E_INTERNAL, "hardening of the process: %s", strerror(errno));
	return CS_OK;
}
