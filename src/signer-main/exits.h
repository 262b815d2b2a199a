/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exit statuses of countersign-signer and of its children, after sysexits.h.
 * systemd/countersign-signer@.service lists those after which a restart cannot help.
 */
#ifndef CS_SIGNER_MAIN_EXITS_H
#define CS_SIGNER_MAIN_EXITS_H

enum cs_exit {
	CS_EXIT_OK = 0,
	CS_EXIT_FAILED = 1,  /* a subcommand did not do what it was asked */
	CS_EXIT_USAGE = 64,  /* wrong options */
	CS_EXIT_IO = 74,     /* state directory or journal not usable */
	CS_EXIT_TOKEN = 75,  /* token not there, lost, or the module failed; try again */
	CS_EXIT_PIN = 77,    /* the PIN was refused; never try it again */
	CS_EXIT_CONFIG = 78, /* policy or arguments do not allow to start */
};

#endif
