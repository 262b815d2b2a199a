/* SPDX-License-Identifier: Apache-2.0 */
/*
 * http/ on a fake core, as a program: what tests/flow talk to. Arguments: directory of
 * the test PKI, and the seconds that a handshake, a request and silence may last. SIGHUP reads
 * access and TLS files again, SIGTERM stops.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"
#include "http/http.h"
#include "unit/fake_core.h"

#define STOP_US (5 * CS_SECOND)

static struct cs_access *read_access(const char *directory)
{
	struct cs_access *a = NULL;
	char path[256];
	struct cs_buf text;
	struct cs_err e;

	snprintf(path, sizeof(path), "%s/access", directory);
	cs_buf_init(&text, 65536);
	if (cs_file_read(path, &text, &e) == CS_OK)
		a = fake_access_parse(cs_buf_str(&text));
	cs_buf_done(&text);
	return a;
}

static enum cs_rc start(const char *directory, int64_t patience, struct cs_core *core,
			struct cs_http **hp, struct cs_err *e)
{
	static char paths[4][256];
	static const char *const names[4] = { "server.pem", "server.key", "ca.pem", "crl.pem" };
	struct cs_http_config config = {
		.listen = "127.0.0.1:0",
		.certificate = paths[0],
		.key = paths[1],
		.client_ca = paths[2],
		.threads = 2,
		.workers = 4,
		.connections_max = 256,
		.connections_per_ip = 200,
		.body_max = 65536,
		.handshake_us = patience * CS_SECOND,
		.request_us = patience * CS_SECOND,
		.idle_us = patience * CS_SECOND,
		.long_polls_max = 4,
		.auth_failures = 1000000,
	};

	for (size_t i = 0; i < 4; i++)
		snprintf(paths[i], sizeof(paths[i]), "%s/%s", directory, names[i]);
	if (access(paths[3], F_OK) == 0)
		config.client_crl = paths[3];
	return cs_http_start(&config, core, hp, e);
}

static void reload(const char *directory, struct cs_core *core, struct cs_http *http)
{
	struct cs_access *a = read_access(directory);
	struct cs_err e = { .msg = "access" };

	if (a && cs_http_prepare(http, &e) == CS_OK) {
		fake_core_set_access(core, a);
		cs_http_commit(http);
		printf("reloaded ok\n");
	} else {
		cs_access_unref(a);
		printf("reloaded %s\n", e.msg);
	}
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct cs_core *core;
	struct cs_access *a;
	struct cs_http *http;
	int64_t patience;
	struct cs_err e;
	sigset_t set;
	int got;

	/* before the first thread, so that only this one takes signals */
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	core = fake_core_new();
	if (argc != 3 || !cs_text_to_int(argv[2], 1, 3600, &patience) || !core)
		return 2;
	a = read_access(argv[1]);
	if (a)
		fake_core_set_access(core, a);
	if (start(argv[1], patience, core, &http, &e) != CS_OK) {
		printf("failed %s\n", e.msg);
		fake_core_free(core);
		return 1;
	}
	printf("listening %u\n", cs_http_port(http));
	fflush(stdout);
	while (sigwait(&set, &got) == 0 && got == SIGHUP)
		reload(argv[1], core, http);
	cs_core_drain(core);
	cs_http_stop(http, cs_clock_mono() + STOP_US);
	fake_core_free(core);
	printf("stopped\n");
	return 0;
}
