/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The YAML subset of configuration files (base/yaml.h).
 */
#include "base/yaml.h"

#include "fuzz/fuzz.h"

static void walk(const struct cs_yaml *node, size_t depth)
{
	fuzz_holds(depth <= CS_YAML_DEPTH_MAX + 1);
	fuzz_holds(node->line > 0 && node->column > 0);
	fuzz_holds(node->kind != CS_YAML_SCALAR || (node->scalar && node->count == 0));
	for (size_t i = 0; i < node->count; i++) {
		fuzz_holds(node->kind != CS_YAML_MAP || node->keys[i]);
		walk(node->children[i], depth + 1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct cs_problems problems;
	struct cs_yaml *tree;
	struct cs_buf text;
	struct cs_err e = { 0 };

	cs_problems_init(&problems, "input.yaml");
	tree = cs_yaml_parse((struct cs_bytes){ data, size }, &problems);
	fuzz_holds(tree || problems.count > 0);
	if (tree)
		walk(tree, 0);
	cs_buf_init(&text, 1U << 20);
	cs_problems_print(&problems, &text);
	fuzz_holds(text.failed == CS_OK && (problems.count > 0) == (text.len > 0));
	if (problems.count > 0)
		fuzz_refused(cs_problems_check(&problems, &e), &e);
	cs_buf_done(&text);
	cs_yaml_free(tree);
	cs_problems_done(&problems);
	return 0;
}
