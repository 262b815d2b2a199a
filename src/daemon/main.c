/* SPDX-License-Identifier: Apache-2.0 */
/*
 * countersignd: the daemon that agents, approvers and auditors talk to. Holds no key.
 * See countersignd(8).
 */
#include <stdio.h>

#include "base/log.h"
#include "daemon/options.h"
#include "daemon/report.h"
#include "daemon/serve.h"

int main(int argc, char **argv)
{
	struct cs_options options;
	struct cs_err e;

	cs_log_set_program("countersignd");
	if (cs_options_parse(argc, argv, &options, &e) != CS_OK) {
		fprintf(stderr, "countersignd: %s\n", e.msg);
		return CS_EXIT_USAGE;
	}
	return options.mode == CS_MODE_SERVE ? cs_serve(&options) : cs_report(&options);
}
