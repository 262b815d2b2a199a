/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of a policy as people read them. Internal to policy/.
 */
#ifndef CS_POLICY_WORDS_H
#define CS_POLICY_WORDS_H

#include "model/policy.h"

/** "1 of release, 2 of security"; "none" for an empty list. */
void cs_words_quorum(const struct cs_quorum_list *quorum, struct cs_buf *out);
/** "72h", "90s": the largest unit that divides it. */
void cs_words_duration(int64_t seconds, struct cs_buf *out);
/** "1000", "open" for 0. */
void cs_words_limit(int64_t limit, struct cs_buf *out);

#endif
