/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Prints rows of the register as a table, as JSON objects, or as cells for spreadsheets.
 * Must not leave out a row that it was given.
 * See register.h for the contract.
 */
#include "cli/register.h"

#include <stdlib.h>
#include <string.h>

#include "base/enc.h"
#include "cli/csv.h"
#include "cli/remote.h"
#include "cli/term.h"

#define CELL_MAX 4096
#define ROW_MAX (32U * CELL_MAX)

/** The columns of csv and the members of ndjson, in their order. */
enum column {
	C_TIME,
	C_SEQ,
	C_OUTCOME,
	C_KEY,
	C_SPKI,
	C_FORMAT,
	C_ENVIRONMENT,
	C_ARTIFACT,
	C_DIGEST_ALGORITHM,
	C_DIGEST,
	C_SIZE,
	C_REQUEST,
	C_PRINCIPAL,
	C_PERSONS,
	C_APPROVERS,
	C_PRODUCT,
	C_COMPONENT,
	C_VERSION,
	C_COMMIT,
	C_SIGNATURE,
	C__COUNT
};

static const char *const names[C__COUNT] = {
	[C_TIME] = "time",
	[C_SEQ] = "seq",
	[C_OUTCOME] = "outcome",
	[C_KEY] = "key",
	[C_SPKI] = "spki_sha256",
	[C_FORMAT] = "format",
	[C_ENVIRONMENT] = "environment",
	[C_ARTIFACT] = "artifact",
	[C_DIGEST_ALGORITHM] = "digest_algorithm",
	[C_DIGEST] = "digest",
	[C_SIZE] = "size",
	[C_REQUEST] = "request",
	[C_PRINCIPAL] = "principal",
	[C_PERSONS] = "persons",
	[C_APPROVERS] = "approvers",
	[C_PRODUCT] = "product",
	[C_COMPONENT] = "component",
	[C_VERSION] = "version",
	[C_COMMIT] = "commit",
	[C_SIGNATURE] = "signature_sha256",
};

struct cs_register_out cs_register_out(const struct cs_cli *cli)
{
	const char *how = cli->args.encoding;
	struct cs_register_out out = { .how = CS_OUT_TABLE };

	if (how ? strcmp(how, "ndjson") == 0 : cli->args.json)
		out.how = CS_OUT_NDJSON;
	else if (how && strcmp(how, "csv") == 0)
		out.how = CS_OUT_CSV;
	return out;
}

static void add_hash(struct cs_buf *out, const struct cs_sha256 *h)
{
	cs_buf_add_hex(out, h->b, sizeof(h->b));
}

static void add_names(struct cs_buf *out, const char (*list)[CS_NAME_MAX + 1], size_t count)
{
	for (size_t i = 0; i < count; i++)
		cs_buf_addf(out, "%s%s", i ? " " : "", list[i]);
}

/** The text of one column; nothing for what a document does not say. */
static void add_cell(struct cs_buf *out, const struct cs_register_row *row, enum column c)
{
	const struct cs_request *doc = row->doc;
	const struct cs_artifact *a = row->artifact;
	char time[CS_TIME_TEXT];

	switch (c) {
	case C_TIME:
		cs_time_text(row->time, time);
		cs_buf_add_str(out, time);
		break;
	case C_SEQ: cs_buf_addf(out, "%lld", (long long)row->seq); break;
	case C_OUTCOME: cs_buf_add_str(out, cs_use_outcome_name(row->outcome)); break;
	case C_KEY: cs_buf_add_str(out, a->key); break;
	case C_SPKI: add_hash(out, &a->key_spki); break;
	case C_FORMAT: cs_buf_add_str(out, cs_format_name(a->format)); break;
	case C_ENVIRONMENT: cs_buf_add_str(out, cs_env_name(doc->environment)); break;
	case C_ARTIFACT: cs_buf_add_str(out, a->name); break;
	case C_DIGEST_ALGORITHM: cs_buf_add_str(out, cs_hash_name(a->digest.hash)); break;
	case C_DIGEST: cs_buf_add_hex(out, a->digest.value, cs_hash_len(a->digest.hash)); break;
	case C_SIZE: cs_buf_addf(out, "%lld", (long long)a->size); break;
	case C_REQUEST: cs_buf_add_str(out, doc->id); break;
	case C_PRINCIPAL: cs_buf_add_str(out, doc->principal); break;
	case C_PERSONS: add_names(out, doc->persons, doc->person_count); break;
	case C_APPROVERS: add_names(out, row->approvers, row->approver_count); break;
	case C_PRODUCT: cs_buf_add_str(out, doc->release.product); break;
	case C_COMPONENT: cs_buf_add_str(out, doc->release.component); break;
	case C_VERSION: cs_buf_add_str(out, doc->release.version); break;
	case C_COMMIT: cs_buf_add_str(out, doc->build.commit); break;
	case C_SIGNATURE:
		if (row->outcome == CS_USE_RELEASED || row->outcome == CS_USE_WITHHELD)
			add_hash(out, &row->signature);
		break;
	case C__COUNT: break;
	}
}

static enum cs_rc print_csv(struct cs_register_out *out, struct cs_buf cells[static C__COUNT],
			    struct cs_err *e)
{
	const char *texts[C__COUNT];
	struct cs_buf line;
	enum cs_rc rc;

	for (size_t c = 0; c < C__COUNT; c++)
		texts[c] = cs_buf_str(&cells[c]);
	cs_buf_init(&line, ROW_MAX);
	if (!out->begun)
		cs_csv_row(&line, names, C__COUNT);
	cs_csv_row(&line, texts, C__COUNT);
	rc = cs_buf_ok(&line, "row of the register", e);
	if (!rc)
		fwrite(line.data, 1, line.len, stdout);
	cs_buf_done(&line);
	return rc;
}

static json_t *name_list(const char (*list)[CS_NAME_MAX + 1], size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_string(list[i]));
	return array;
}

/** Absent where a cell would be empty; numbers and lists as such. */
static void print_json(const struct cs_register_row *row, struct cs_buf cells[static C__COUNT])
{
	json_t *root = json_object();

	for (size_t c = 0; c < C__COUNT; c++)
		if (cells[c].len > 0)
			json_object_set_new(root, names[c], json_string(cs_buf_str(&cells[c])));
	json_object_set_new(root, names[C_SEQ], json_integer((json_int_t)row->seq));
	json_object_set_new(root, names[C_SIZE], json_integer((json_int_t)row->artifact->size));
	json_object_set_new(root, names[C_PERSONS],
			    name_list(row->doc->persons, row->doc->person_count));
	json_object_set_new(root, names[C_APPROVERS],
			    name_list(row->approvers, row->approver_count));
	cs_remote_print(root);
	json_decref(root);
}

/** A row for people: what to look for and whom to ask. */
static void print_table(struct cs_register_out *out, struct cs_buf cells[static C__COUNT])
{
	static const struct {
		enum column column;
		int width;
	} shown[] = {
		{ C_TIME, 27 },      { C_OUTCOME, 8 },    { C_ARTIFACT, 16 }, { C_VERSION, 8 },
		{ C_PRINCIPAL, 12 }, { C_APPROVERS, 20 }, { C_REQUEST, 36 },  { C_DIGEST, 0 },
	};
	const size_t count = sizeof(shown) / sizeof(shown[0]);

	for (size_t i = 0; !out->begun && i < count; i++)
		printf("%-*s%s", shown[i].width, names[shown[i].column],
		       i + 1 < count ? "  " : "\n");
	for (size_t i = 0; i < count; i++)
		printf("%-*s%s", shown[i].width, cs_buf_str(&cells[shown[i].column]),
		       i + 1 < count ? "  " : "\n");
}

enum cs_rc cs_register_take(void *arg, struct cs_bytes line, struct cs_err *e)
{
	return cs_register_line(arg, line, e);
}

enum cs_rc cs_register_print(void *arg, const struct cs_register_row *row, struct cs_err *e)
{
	struct cs_register_out *out = arg;
	struct cs_buf cells[C__COUNT];
	enum cs_rc rc = CS_OK;

	for (size_t c = 0; c < C__COUNT; c++) {
		cs_buf_init(&cells[c], CELL_MAX);
		add_cell(&cells[c], row, (enum column)c);
		rc = rc ? rc : cs_buf_ok(&cells[c], names[c], e);
	}
	if (!rc && out->how == CS_OUT_CSV)
		rc = print_csv(out, cells, e);
	else if (!rc && out->how == CS_OUT_NDJSON)
		print_json(row, cells);
	else if (!rc)
		print_table(out, cells);
	out->begun = true;
	for (size_t c = 0; c < C__COUNT; c++)
		cs_buf_done(&cells[c]);
	return rc;
}

void cs_register_print_end(const struct cs_register_out *out, const struct cs_register *r)
{
	const struct cs_register_summary *sum = cs_register_so_far(r);
	FILE *to = out->how == CS_OUT_TABLE ? stdout : stderr;
	char head[CS_SHA256_HEX], id[CS_SHA256_HEX];

	cs_sha256_hex(&sum->log.head, head);
	cs_sha256_hex(&sum->log.id, id);
	cs_term_rowf(to, "uses", "%lld", (long long)sum->uses);
	if (sum->waiting > 0)
		cs_term_rowf(to, "waiting", "%lld requests", (long long)sum->waiting);
	cs_term_row(to, "log", id);
	cs_term_rowf(to, "head", "%lld:%s", (long long)sum->log.size, head);
}
