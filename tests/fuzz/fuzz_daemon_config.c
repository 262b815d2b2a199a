/* SPDX-License-Identifier: Apache-2.0 */
/*
 * countersignd.conf (daemon/config.h): what --print-config prints is read back as the same.
 */
#include "daemon/config.h"

#include "fuzz/fuzz.h"

#define TEXT_MAX (1U << 20)

static void print(struct cs_bytes in, struct cs_buf *out)
{
	struct cs_problems problems;
	struct cs_config *config;

	cs_buf_init(out, TEXT_MAX);
	cs_problems_init(&problems, "countersignd.conf");
	config = cs_config_parse(in, "/etc/countersign", &problems);
	fuzz_holds((config != NULL) == (problems.count == 0));
	if (config)
		cs_config_print(config, out);
	cs_config_free(config);
	cs_problems_done(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cs_buf first, second;

	print((struct cs_bytes){ data, size }, &first);
	if (first.len > 0) {
		print(cs_buf_bytes(&first), &second);
		fuzz_same(cs_buf_bytes(&first), &second);
	}
	cs_buf_done(&first);
	return 0;
}
