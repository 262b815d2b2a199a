/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tests of what core/ tells Prometheus about its signers.
 * What the others count is in tests/flow/prometheus_watches.py.
 */
#include <string.h>
#include <time.h>

#include "unit/core_rig.h"

static bool metrics_have(const char *line)
{
	struct cs_err e = { 0 };
	struct cs_buf out;
	bool found;

	cs_buf_init(&out, 1 << 20);
	must(cs_core_metrics(core, &out, &e), &e);
	found = strstr(cs_buf_str(&out), line) != NULL;
	cs_buf_done(&out);
	return found;
}

static void wait_metrics(const char *line)
{
	for (int i = 0; i < 500 && !metrics_have(line); i++)
		nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	ck_assert_msg(metrics_have(line), "no %s", line);
}

/* The number is the signer's own. While it is away the last one stands; a daemon that never heard
 * one shows none, or it would look as if all had come since. */
START_TEST(restarts_of_each_signer_are_shown)
{
	struct cs_err e = { 0 };

	fake_signer_restarts(signers[0], 7);
	wait_metrics("countersign_signer_restarts_total{token=\"prod\"} 7\n");
	wait_metrics("countersign_signer_restarts_total{token=\"dev\"} 0\n");
	fake_signer_stop(signers[0]);
	wait_metrics("countersign_signer_up{token=\"prod\"} 0\n");
	ck_assert(metrics_have("countersign_signer_restarts_total{token=\"prod\"} 7\n"));
	cs_core_close(core);
	must(try_open(&e), &e);
	wait_metrics("countersign_signer_restarts_total{token=\"dev\"} 0\n");
	ck_assert(!metrics_have("countersign_signer_restarts_total{token=\"prod\"}"));
	signers[0] = fake_signer_start(dir, "prod", policy);
	wait_metrics("countersign_signer_restarts_total{token=\"prod\"} 0\n");
}
END_TEST

void add_metrics_tests(TCase *t)
{
	tcase_add_test(t, restarts_of_each_signer_are_shown);
}
