/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands and their options, as data.
 * Must not do anything.
 * See command.h for the contract.
 */
#include "base/jcs.h"
#include "cli/command.h"
#include "model/limits.h"

#define PATH_BYTES_MAX 4095
#define RETRY_MAX 86400
#define LIST_MAX 200

#define AT(field) offsetof(struct cs_args, field)
#define FLAG(name, field, doc)                                         \
	{                                                              \
		name, 0, CS_OPT_FLAG, AT(field), 0, 0, NULL, NULL, doc \
	}
#define TEXT(name, field, max, value, doc)                                \
	{                                                                 \
		name, 0, CS_OPT_TEXT, AT(field), 1, max, NULL, value, doc \
	}
#define NAME(name, field, value, doc)                                             \
	{                                                                         \
		name, 0, CS_OPT_NAME, AT(field), 1, CS_NAME_MAX, NULL, value, doc \
	}
#define FILE_OPTION(name, letter, field, value, doc)                                      \
	{                                                                                 \
		name, letter, CS_OPT_PATH, AT(field), 1, PATH_BYTES_MAX, NULL, value, doc \
	}
#define NUMBER(name, field, lo, hi, value, doc)                          \
	{                                                                \
		name, 0, CS_OPT_INT, AT(field), lo, hi, NULL, value, doc \
	}
#define SECONDS(name, field, lo, hi, doc)                                         \
	{                                                                         \
		name, 0, CS_OPT_SECONDS, AT(field), lo, hi, NULL, "DURATION", doc \
	}
#define CHOICE(name, field, choices, value, doc)                             \
	{                                                                    \
		name, 0, CS_OPT_CHOICE, AT(field), 0, 0, choices, value, doc \
	}
#define LIST(name, letter, field, max, value, doc)                             \
	{                                                                      \
		name, letter, CS_OPT_LIST, AT(field), 1, max, NULL, value, doc \
	}
#define TABLE(rows)                                      \
	{                                                \
		(rows), sizeof(rows) / sizeof((rows)[0]) \
	}
#define NO_OPTIONS      \
	{               \
		NULL, 0 \
	}

static const char *const states[] = { "denied",   "pending", "approved",  "signing", "signed",
				      "rejected", "expired", "cancelled", "failed",  NULL };
static const char *const environments[] = { "dev", "prod", NULL };
static const char *const formats[] = { "rsa-pkcs1", "rsa-pss", "ecdsa", "ed25519-digest", NULL };

static const struct cs_option profile_options[] = {
	NAME("profile", profile.name, "NAME", "The profile to use; COUNTERSIGN_PROFILE."),
#define PROFILE_OPTION(field, key, env, option, value, file, doc) \
	TEXT(option, profile.field, CS_PROFILE_TEXT_MAX, value, doc),
	CS_PROFILE_FIELDS(PROFILE_OPTION)
#undef PROFILE_OPTION
		SECONDS("retry", retry, 0, RETRY_MAX,
			"How long to try while the server is away; 60s."),
};
const struct cs_option_table cs_profile_options = TABLE(profile_options);

static const struct cs_option common[] = {
	FLAG("json", json, "Print JSON, errors too."),
	{ "help", 'h', CS_OPT_FLAG, AT(help), 0, 0, NULL, NULL, "Print this." },
};
const struct cs_option_table cs_common_options = TABLE(common);

#define JOB_OPTIONS                                                                                 \
	NAME("key", key, "NAME", "The signing key."),                                               \
		CHOICE("format", format, formats, "FORMAT",                                         \
		       "The signature's format; the key's only one."),                              \
		NAME("name", name, "NAME", "The image's name in the request; its file name."),      \
		FILE_OPTION("manifest", 'm', manifest, "FILE",                                      \
			    "Several images, described in YAML."),                                  \
		TEXT("product", product, CS_TEXT_MAX, "TEXT", "What the image is for."),            \
		TEXT("component", component, CS_TEXT_MAX, "TEXT", "Which part of it."),             \
		TEXT("image-version", image_version, CS_TEXT_MAX, "TEXT", "The image's version."),  \
		NUMBER("security-version", security_version, 0, CS_JCS_INT_MAX, "N",                \
		       "Its anti-rollback counter."),                                               \
		TEXT("repository", repository, CS_TEXT_MAX, "TEXT", "Where it was built from."),    \
		TEXT("commit", commit, CS_TEXT_MAX, "TEXT", "From which commit."),                  \
		TEXT("pipeline", pipeline, CS_TEXT_MAX, "TEXT", "By which pipeline."),              \
		TEXT("comment", comment, CS_COMMENT_MAX, "TEXT", "For the approvers to read."),     \
		FILE_OPTION(                                                                        \
			"state-file", 0, state_file, "FILE",                                        \
			"Keeps the job's idempotency key; one per job below the state directory."), \
		FLAG("again", again, "Make a new request even if this job has one.")

#define TIMEOUT \
	SECONDS("timeout", timeout, 0, CS_MAX_WAIT_MAX, "How long to wait; 1h. Then exit 75.")

static const struct cs_option submit_options[] = { JOB_OPTIONS };
static const struct cs_option wait_options[] = { TIMEOUT };
static const struct cs_option sign_options[] = {
	JOB_OPTIONS,
	TIMEOUT,
	FILE_OPTION("output", 'o', output, "FILE", "Where the signature goes; IMAGE.sig."),
};
static const struct cs_option fetch_options[] = {
	FILE_OPTION("output", 'o', output, "FILE", "Where the one signature goes."),
	FILE_OPTION("output-dir", 0, output_dir, "DIR", "Where NAME.sig goes; here."),
};

#define LIST_OPTIONS \
	CHOICE("environment", environment, environments, "ENV", "Only requests for it.")

static const struct cs_option requests_options[] = {
	CHOICE("state", state, states, "STATE", "Only requests in it."),
	LIST_OPTIONS,
	FLAG("waits-for-me", waits_for_me, "Only requests that our approval would help."),
	NAME("after", after, "ID", "Older than this one."),
	NUMBER("limit", limit, 1, LIST_MAX, "N", "At most so many; 50."),
};
static const struct cs_option show_options[] = {
	FLAG("document", document, "Print the exact bytes that approvers sign."),
};

#define DECISION_OPTIONS                                                                       \
	LIST("image", 'i', images, PATH_BYTES_MAX, "[NAME=]FILE",                              \
	     "Compare an artifact with this image; repeatable."),                              \
		TEXT("comment", comment, CS_COMMENT_MAX, "TEXT", "Kept beside the decision."), \
		FLAG("new-log", new_log, "Accept a log that was not seen before, this once."), \
		FLAG("yes", yes, "Do not ask; for scripts.")

static const struct cs_option approve_options[] = {
	DECISION_OPTIONS,
	FLAG("no-image", no_image, "Approve artifacts that were not compared."),
};
static const struct cs_option reject_options[] = { DECISION_OPTIONS };
static const struct cs_option keys_options[] = {
	NAME("pem", pem, "NAME", "Print the public key of this one."),
};

static const char *const hash_names[] = { "sha256", "sha384", "sha512", NULL };
static const struct cs_option verify_options[] = {
	FILE_OPTION("pem", 0, pem, "FILE", "The public key, or a certificate."),
	NAME("key", key, "NAME", "The public key of the server's key called so."),
	CHOICE("format", format, formats, "FORMAT", "For RSA keys: rsa-pkcs1 or rsa-pss."),
	CHOICE("hash", hash, hash_names, "HASH", "The digest's; else what the key usually takes."),
};
static const struct cs_option watch_options[] = {
	LIST_OPTIONS,
	TEXT("exec", exec, CS_COMMENT_MAX, "COMMAND",
	     "Run it by the shell for each, with the id in COUNTERSIGN_REQUEST."),
	FLAG("once", once, "End after the first."),
};

static const char *const encodings[] = { "ndjson", "csv", NULL };
#define FROM NUMBER("from", from, 1, CS_JCS_INT_MAX, "SEQ", "The first event.")
static const struct cs_option export_options[] = {
	FILE_OPTION("output", 'o', output, "FILE", "A new file; standard output."),
	CHOICE("encoding", encoding, encodings, "HOW",
	       "ndjson, the exact bytes of every event, or csv for spreadsheets."),
	FROM,
};
static const struct cs_option tail_options[] = {
	FROM,
	FLAG("once", once, "End at the end of the log."),
};
static const struct cs_option audit_verify_options[] = {
	LIST("head", 0, known_heads, 100, "SIZE:HASH", "A head that somebody kept; repeatable."),
	LIST("heads", 0, head_files, PATH_BYTES_MAX, "FILE",
	     "Heads that an approver kept; repeatable."),
	LIST("journal", 0, journals, PATH_BYTES_MAX, "FILE",
	     "A signer's journal; repeatable, each child's files in order."),
	LIST("policy", 0, policies, 64, "SHA256", "The digest of a policy to trust; repeatable."),
};

static const char *const register_encodings[] = { "table", "ndjson", "csv", NULL };
static const struct cs_option register_options[] = {
	NAME("key", key, "KEY", "The key: its name, or the SHA-256 of its public key."),
	TEXT("from", since, CS_NAME_MAX, "TIME",
	     "Uses at this time or later; RFC 3339, or a date."),
	TEXT("to", until, CS_NAME_MAX, "TIME", "Uses before this time."),
	CHOICE("encoding", encoding, register_encodings, "HOW",
	       "table, ndjson (one object a line) or csv; table."),
};

static const struct cs_option key_disable_options[] = {
	TEXT("reason", reason, CS_REASON_MAX, "TEXT", "Kept in signing.yaml, and so in the log."),
	FLAG("dry-run", dry_run, "Say what would change, and change nothing."),
	FILE_OPTION("config", 0, config, "FILE",
		    "The daemon's configuration; /etc/countersign/countersignd.conf."),
	FILE_OPTION("program-dir", 0, program_dir, "DIR", "Where countersignd is."),
	TEXT("reload", reload, CS_COMMENT_MAX, "COMMAND",
	     "Run by the shell when the file is in place, instead of systemctl."),
	CHOICE("encoding", encoding, register_encodings, "HOW",
	       "Of the list of uses: table, ndjson or csv; table."),
};

static const char *const separations[] = { "auto", "yes", "no", NULL };

static const struct cs_option enroll_options[] = {
	NAME("instance", instance, "NAME", "The instance of signing.yaml that the record is for."),
};
static const struct cs_option init_options[] = {
	CHOICE("user-separation", user_separation, separations, "HOW",
	       "auto (a user for each process under root), yes or no."),
	NUMBER("port", port, 1, 65535, "PORT", "Of the daemon, on loopback; 8443."),
	FILE_OPTION("module", 0, module, "FILE", "SoftHSM's PKCS#11 module."),
	FILE_OPTION("program-dir", 0, program_dir, "DIR",
		    "Where countersignd and countersign-signer are."),
};

#define MUST(n) (n), (n)
#define ONLINE CS_NEEDS_SERVER
#define OFFLINE CS_NEEDS_NOTHING

/* in the order of --help; names of two words that share the first stand together */
const struct cs_command cs_commands[] = {
	{ "sign", "[IMAGE]", 0, 1, ONLINE, TABLE(sign_options),
	  "Submit an image, wait for its approvals, fetch and verify the signature.", cs_cmd_sign },
	{ "submit", "[IMAGE]", 0, 1, ONLINE, TABLE(submit_options),
	  "Submit an image and return at once.", cs_cmd_submit },
	{ "wait", "ID", MUST(1), ONLINE, TABLE(wait_options),
	  "Wait until a request is signed or ended otherwise.", cs_cmd_wait },
	{ "fetch", "ID", MUST(1), ONLINE, TABLE(fetch_options),
	  "Fetch and verify the signatures of a request.", cs_cmd_fetch },
	{ "requests", "", MUST(0), ONLINE, TABLE(requests_options), "List requests, newest first.",
	  cs_cmd_requests },
	{ "show", "ID", MUST(1), ONLINE, TABLE(show_options),
	  "Show a request, its document in words, and its decisions.", cs_cmd_show },
	{ "approve", "ID", MUST(1), ONLINE, TABLE(approve_options),
	  "Compare the images and approve a request with our signature.", cs_cmd_approve },
	{ "reject", "ID", MUST(1), ONLINE, TABLE(reject_options), "Reject a request for good.",
	  cs_cmd_reject },
	{ "withdraw", "ID", MUST(1), ONLINE, TABLE(reject_options),
	  "Take our approval of a request back.", cs_cmd_withdraw },
	{ "cancel", "ID", MUST(1), ONLINE, NO_OPTIONS, "Cancel a request of ours.", cs_cmd_cancel },
	{ "keys", "", MUST(0), ONLINE, TABLE(keys_options),
	  "List the signing keys that we may see.", cs_cmd_keys },
	{ "status", "", MUST(0), ONLINE, NO_OPTIONS,
	  "Say whether the server is ready, and what is not.", cs_cmd_status },
	{ "verify", "IMAGE [SIGNATURE]", 1, 2, ONLINE, TABLE(verify_options),
	  "Verify a signature over an image; IMAGE.sig unless named.", cs_cmd_verify },
	{ "watch", "", MUST(0), ONLINE, TABLE(watch_options),
	  "Say when a request waits for our approval.", cs_cmd_watch },
	{ "audit export", "", MUST(0), ONLINE, TABLE(export_options),
	  "Write the log as lines, for `audit verify` or a spreadsheet.", cs_cmd_audit_export },
	{ "audit verify", "FILE", MUST(1), OFFLINE, TABLE(audit_verify_options),
	  "Prove an exported log offline: 0 anchored, 3 consistent, 1 failed.",
	  cs_cmd_audit_verify },
	{ "audit tail", "", MUST(0), ONLINE, TABLE(tail_options), "Show events as they come.",
	  cs_cmd_audit_tail },
	{ "audit register", "[FILE]", 0, 1, CS_NEEDS_SERVER_OR_OPERAND, TABLE(register_options),
	  "List what a key signed, for whom and who agreed, from the server or an export.",
	  cs_cmd_audit_register },
	{ "key disable", "NAME", MUST(1), OFFLINE, TABLE(key_disable_options),
	  "Stop a key at once, on the server's machine, and list its uses.", cs_cmd_key_disable },
	{ "enroll", "", MUST(0), ONLINE, TABLE(enroll_options),
	  "Prove that an approval key is ours, for signing.yaml.", cs_cmd_enroll },
	{ "init", "DIR", MUST(1), OFFLINE, TABLE(init_options),
	  "Make a development instance in a new directory.", cs_cmd_init },
	{ "completion", "", MUST(0), OFFLINE, NO_OPTIONS, "Print the bash completion.",
	  cs_cmd_completion },
};
const size_t cs_command_count = sizeof(cs_commands) / sizeof(cs_commands[0]);
