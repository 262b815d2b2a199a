/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts of a policy as people read them.
 * Must not be read back by a program: canonical JSON is for that.
 */
#include "policy/words.h"

void cs_words_quorum(const struct cs_quorum_list *quorum, struct cs_buf *out)
{
	if (quorum->count == 0)
		cs_buf_add_str(out, "none");
	for (size_t i = 0; i < quorum->count; i++)
		cs_buf_addf(out, "%s%lld of %s", i == 0 ? "" : ", ",
			    (long long)quorum->lines[i].count, quorum->lines[i].group);
}

void cs_words_duration(int64_t seconds, struct cs_buf *out)
{
	if (seconds % 3600 == 0)
		cs_buf_addf(out, "%lldh", (long long)(seconds / 3600));
	else if (seconds % 60 == 0)
		cs_buf_addf(out, "%lldm", (long long)(seconds / 60));
	else
		cs_buf_addf(out, "%llds", (long long)seconds);
}

void cs_words_limit(int64_t limit, struct cs_buf *out)
{
	if (limit > 0)
		cs_buf_addf(out, "%lld", (long long)limit);
	else
		cs_buf_add_str(out, "open");
}
