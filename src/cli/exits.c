/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Errors to exit codes, in one table; countersign(1), "EXIT STATUS", says the same.
 * Must not print.
 * See cli.h for the contract.
 */
#include "cli/cli.h"

static const unsigned char exits[CS_RC__COUNT] = {
	[CS_OK] = CS_EXIT_OK,
	[CS_E_INVALID] = CS_EXIT_DATA,
	[CS_E_TOO_LARGE] = CS_EXIT_DATA,
	[CS_E_NOT_FOUND] = CS_EXIT_NO_INPUT,
	[CS_E_FORBIDDEN] = CS_EXIT_REFUSED,
	[CS_E_UNAUTHENTICATED] = CS_EXIT_REFUSED,
	[CS_E_CONFLICT] = CS_EXIT_FAILED,
	[CS_E_MISMATCH] = CS_EXIT_FAILED,
	[CS_E_DENIED] = CS_EXIT_REFUSED,
	[CS_E_SIGNATURE] = CS_EXIT_FAILED,
	[CS_E_EXPIRED] = CS_EXIT_FAILED,
	[CS_E_PENDING] = CS_EXIT_PENDING,
	[CS_E_RATE] = CS_EXIT_UNAVAILABLE,
	[CS_E_BUSY] = CS_EXIT_UNAVAILABLE,
	[CS_E_UNAVAILABLE] = CS_EXIT_UNAVAILABLE,
	[CS_E_TIMEOUT] = CS_EXIT_UNAVAILABLE,
	[CS_E_CLOSED] = CS_EXIT_UNAVAILABLE,
	[CS_E_IO] = CS_EXIT_IO,
	[CS_E_NO_SPACE] = CS_EXIT_IO,
	[CS_E_NOMEM] = CS_EXIT_INTERNAL,
	[CS_E_CORRUPT] = CS_EXIT_FAILED,
	[CS_E_VERSION] = CS_EXIT_PROTOCOL,
	[CS_E_CONFIG] = CS_EXIT_CONFIG,
	[CS_E_HSM] = CS_EXIT_UNAVAILABLE,
	[CS_E_PIN] = CS_EXIT_REFUSED,
	[CS_E_UNSUPPORTED] = CS_EXIT_DATA,
	[CS_E_INTERNAL] = CS_EXIT_INTERNAL,
};

int cs_exit_of(enum cs_rc rc)
{
	return exits[rc];
}

enum cs_rc cs_cli_usage(struct cs_cli *cli, struct cs_err *e, const char *fmt, ...)
{
	va_list ap;

	cli->exit = CS_EXIT_USAGE;
	va_start(ap, fmt);
	cs_err_vset(e, CS_E_INVALID, fmt, ap);
	va_end(ap);
	return CS_E_INVALID;
}
