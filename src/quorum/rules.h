/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of quorum/ share. Internal; quorum/quorum.h is the contract.
 */
#ifndef CS_QUORUM_RULES_H
#define CS_QUORUM_RULES_H

#include "quorum/quorum.h"

/** Is this person the requester, or one of the owners of the robot that asked? */
bool cs_quorum_is_requester(const struct cs_request *doc, const char *person);
/**
 * Is every key of the document still the key that it names, with its environment, format and hash?
 *
 * @return CS_OK, or CS_E_CONFLICT with *rulep naming the rule
 */
enum cs_rc cs_quorum_check_keys(const struct cs_policy *policy, const struct cs_request *doc,
				const char **rulep, struct cs_err *e) CS_MUST_CHECK;

#endif
