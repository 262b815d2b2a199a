/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints the lists that manual pages show, from the tables that the programs use.
 * tests/gates/generated.py compares them with the pages and puts them there.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/config.h"
#include "daemon/options.h"
#include "http/http.h"
#include "policy/judge.h"

static void describe_config(struct cs_buf *out)
{
	cs_buf_add_str(out, ".Bl -tag -width Ds\n");
	cs_config_describe(out);
	cs_buf_add_str(out, ".El\n");
}

static void describe_options(struct cs_buf *out)
{
	cs_buf_add_str(out, ".Bl -tag -width Ds\n");
	cs_options_describe(out);
	cs_buf_add_str(out, ".El\n");
}

#define RULE(id, name, judgement, rc, summary) \
	cs_buf_addf(out, ".It Cm %s\n%s\n", (name), (summary));

static void describe_rules(struct cs_buf *out)
{
	cs_buf_add_str(out, ".Bl -tag -width Ds\n");
	CS_RULES(RULE)
	cs_buf_add_str(out, ".El\n");
}

static void describe_http_metrics(struct cs_buf *out)
{
	size_t count;
	const struct cs_metric *table = cs_http_metric_table(&count);

	cs_metrics_describe(table, count, out);
}

static void describe_core_metrics(struct cs_buf *out)
{
	size_t count;
	const struct cs_metric *table = cs_core_metric_table(&count);

	cs_metrics_describe(table, count, out);
}

static const struct {
	const char *name;
	void (*describe)(struct cs_buf *out);
} lists[] = {
	{ "config", describe_config },
	{ "core_metrics", describe_core_metrics },
	{ "daemon_options", describe_options },
	{ "http_metrics", describe_http_metrics },
	{ "rules", describe_rules },
};

int main(int argc, char **argv)
{
	struct cs_buf text;

	cs_buf_init(&text, 1U << 20);
	for (size_t i = 0; argc == 2 && i < sizeof(lists) / sizeof(lists[0]); i++) {
		if (strcmp(lists[i].name, argv[1]) == 0)
			lists[i].describe(&text);
	}
	if (text.len == 0 || cs_buf_ok(&text, "list", NULL) != CS_OK)
		return EXIT_FAILURE;
	(void)fputs(cs_buf_str(&text), stdout);
	cs_buf_done(&text);
	return EXIT_SUCCESS;
}
