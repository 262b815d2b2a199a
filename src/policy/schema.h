/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of the tables that describe a YAML file: a key of the file is a field of a struct by the
 * same name. Internal to policy/.
 */
#ifndef CS_POLICY_SCHEMA_H
#define CS_POLICY_SCHEMA_H

#include "base/yaml.h"
#include "model/limits.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

#define FIELD(of, name, type, required, lo, hi)                                              \
	{                                                                                    \
#name, (type), offsetof(struct of, name), (required), (lo), (hi), NULL, NULL \
	}
#define CHOICE(of, name, choices)                                                        \
	{                                                                                \
#name, CS_Y_ENUM, offsetof(struct of, name), true, 0, 0, (choices), NULL \
	}
#define FLAG(of, name) FIELD(of, name, CS_Y_BOOL, false, 0, 0)
#define NAME(of, name) FIELD(of, name, CS_Y_NAME, true, 1, CS_NAME_MAX)

#endif
