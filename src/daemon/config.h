/* SPDX-License-Identifier: Apache-2.0 */
/*
 * countersignd.conf: sockets, paths, TLS, limits and where the signers are. No policy: that is in
 * signing.yaml and access.yaml. The lists below are the only place that knows a key: struct,
 * parser, defaults, --print-config and the manual page come from them.
 */
#ifndef CS_DAEMON_CONFIG_H
#define CS_DAEMON_CONFIG_H

#include "base/log.h"
#include "base/yaml.h"
#include "model/limits.h"
#include "model/policy.h"

#define CS_KIB INT64_C(1024)
#define CS_MIB (INT64_C(1024) * CS_KIB)

/**
 * STR(field, key, type, required, default or NULL, doc)
 * NUM(field, key, type, least, most, default, doc)
 * CHOICE(field, key, choices, default, doc)
 * LIST(field, key, most, doc): read by a table of its own
 */
#define CS_CONFIG(STR, NUM, CHOICE, LIST)                                                          \
	STR(listen, "listen", CS_Y_TEXT, false, "[::1]:8443",                                      \
	    "Address and port to serve, as host:port or [IPv6 address]:port; port 0 takes any "    \
	    "free one.")                                                                           \
	STR(tls_certificate, "tls-certificate", CS_Y_PATH, true, NULL,                             \
	    "The server's certificate in PEM, followed by those of the CAs between it and the "    \
	    "root.")                                                                               \
	STR(tls_key, "tls-key", CS_Y_PATH, true, NULL,                                             \
	    "Its private key in PEM. A file: the daemon uses no PKCS#11.")                         \
	STR(client_ca, "client-ca", CS_Y_PATH, true, NULL,                                         \
	    "Certificates in PEM of the CAs that issue client certificates.")                      \
	STR(client_crl, "client-crl", CS_Y_PATH, false, NULL,                                      \
	    "Certificate revocation list of that CA in PEM. Without it nothing is revoked; when "  \
	    "it is out of date, every client is refused.")                                         \
	STR(database, "database", CS_Y_PATH, true, NULL,                                           \
	    "The SQLite file with requests and the log; made at the first start.")                 \
	STR(signing_policy, "signing-policy", CS_Y_PATH, false, "signing.yaml",                    \
	    "Tokens, keys and approvers: countersign-signing.yaml(5).")                            \
	STR(access, "access", CS_Y_PATH, false, "access.yaml",                                     \
	    "Who may talk to the daemon: countersign-access.yaml(5).")                             \
	LIST(signers, "signers", CS_TOKENS_MAX, "The signer of each token.")                       \
	NUM(workers, "workers", CS_Y_INT, 1, 1024, 16,                                             \
	    "Threads that work on requests other than submissions, which hold none.")              \
	NUM(http_threads, "http-threads", CS_Y_INT, 1, 64, 2,                                      \
	    "Threads that read and write connections.")                                            \
	NUM(connections_max, "connections-max", CS_Y_INT, 1, 65536, 1024,                          \
	    "Connections open at the same time.")                                                  \
	NUM(connections_per_ip, "connections-per-ip", CS_Y_INT, 1, 65536, 256,                     \
	    "Of these, from one address.")                                                         \
	NUM(handshake_timeout, "handshake-timeout", CS_Y_SECONDS, 1, 600, 8,                       \
	    "A TLS handshake that takes longer is cut off.")                                       \
	NUM(request_timeout, "request-timeout", CS_Y_SECONDS, 1, 600, 20,                          \
	    "A request that takes longer to arrive is cut off; the first one of a connection, "    \
	    "if it has not arrived this long after the handshake.")                                \
	NUM(idle_timeout, "idle-timeout", CS_Y_SECONDS, 1, 3600, 20,                               \
	    "A connection is closed when it has not sent the next whole request line after this "  \
	    "time.")                                                                               \
	NUM(body_max, "body-max", CS_Y_BYTES, CS_KIB, CS_BODY_MAX, CS_BODY_MAX,                    \
	    "Largest request body.")                                                               \
	NUM(long_polls_max, "long-polls-max", CS_Y_INT, 1, 10000, 1000,                            \
	    "Clients that wait for a change at the same time; more are told to come back.")        \
	NUM(long_polls_per_principal, "long-polls-per-principal", CS_Y_INT, 1, 10000, 250,         \
	    "Of these, of one principal.")                                                         \
	NUM(auth_failures, "auth-failures", CS_Y_INT, 1, 1000000, 300,                             \
	    "Connections of one address (of one /64 network with IPv6) that may fail to "          \
	    "authenticate in a minute; more are closed before the handshake. Raise it where many " \
	    "clients share an address.")                                                           \
	NUM(disk_watermark, "disk-watermark", CS_Y_BYTES, CS_MIB, CS_SIZE_MAX, 256 * CS_MIB,       \
	    "With less free space beside the database, new requests are refused and waiting ones " \
	    "still finish.")                                                                       \
	NUM(signer_timeout, "signer-timeout", CS_Y_SECONDS, 1, 30, 4,                              \
	    "A signer that takes longer to answer counts as lost; a POST that waits for it is "    \
	    "answered with 202 then.")                                                             \
	STR(metrics_listen, "metrics-listen", CS_Y_TEXT, false, NULL,                              \
	    "Address and port of this machine at which GET /metrics answers Prometheus, without "  \
	    "TLS: 127.0.0.1:port or [::1]:port. Without it there are no metrics.")                 \
	NUM(log_check_period, "log-check-period", CS_Y_SECONDS, 1, 86400, 50,                      \
	    "The daemon reads its log again and again and raises an alarm when an event is not "   \
	    "what was written. All of it is read within this time, as far as log-check-share "     \
	    "allows.")                                                                             \
	NUM(log_check_share, "log-check-share", CS_Y_INT, 1, 100, 5,                               \
	    "Percent of one processor that this may take. Of a log that is too large for it, the " \
	    "newest part is read within log-check-period and the rest as time allows.")            \
	CHOICE(log_level, "log-level", cs_config_log_levels, CS_LOG_INFO,                          \
	       "Least important line that is written to standard error.")

/** Keys of an entry of signers. */
#define CS_CONFIG_SIGNER(STR, NUM)                                                              \
	STR(token, "token", CS_Y_NAME, true, NULL, "Name of the token in signing.yaml.")        \
	STR(socket, "socket", CS_Y_PATH, true, NULL, "The signer's Unix socket.")               \
	STR(user, "user", CS_Y_NAME, false, NULL,                                               \
	    "User that the signer must run as, by name or number; without it any is accepted.") \
	NUM(connections, "connections", CS_Y_INT, 1, 64, 1,                                     \
	    "Connections to it: as many as it has processes.")

#define CS_CONFIG_STR(field, key, type, required, def, doc) char *field;
#define CS_CONFIG_NUM(field, key, type, lo, hi, def, doc) int64_t field;
#define CS_CONFIG_CHOICE(field, key, choices, def, doc) int field;
#define CS_CONFIG_LIST(field, key, max, doc)

struct cs_config_signer {
	CS_CONFIG_SIGNER(CS_CONFIG_STR, CS_CONFIG_NUM)
	size_t line, column; /* of the entry */
};

/** Strings are owned by it, paths are absolute, times are seconds; absent strings are NULL. */
struct cs_config {
	CS_CONFIG(CS_CONFIG_STR, CS_CONFIG_NUM, CS_CONFIG_CHOICE, CS_CONFIG_LIST)
	size_t signer_count;
	struct cs_config_signer signers[CS_TOKENS_MAX];
};

#undef CS_CONFIG_STR
#undef CS_CONFIG_NUM
#undef CS_CONFIG_CHOICE
#undef CS_CONFIG_LIST

/** "error", "warning", "info", "debug", NULL: in the order of enum cs_log_level. */
extern const char *const cs_config_log_levels[];

/** Append the bytes of any of the three files. Why it cannot be read becomes a problem in p, which
 * carries the file's name. */
void cs_config_read(const char *path, struct cs_buf *out, struct cs_problems *p);
/** Read a file. NULL when it added problems to p, whose name for the file is the caller's. */
struct cs_config *cs_config_load(const char *path, struct cs_problems *p);
/**
 * Read its text.
 *
 * @param directory  absolute; what relative paths start from
 */
struct cs_config *cs_config_parse(struct cs_bytes yaml, const char *directory,
				  struct cs_problems *p);
void cs_config_free(struct cs_config *c);

/** Every token has a signer and every signer a token. */
void cs_config_check_signers(const struct cs_config *c, const struct cs_policy *policy,
			     struct cs_problems *p);

/** Every key with its value in force, as a file that can be read back: --print-config. */
void cs_config_print(const struct cs_config *c, struct cs_buf *out);
/** The list of keys of countersignd.conf(5), in mdoc. */
void cs_config_describe(struct cs_buf *out);

#endif
