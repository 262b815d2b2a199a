/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The problems of a file, collected.
 * Must not stop at the first one, and must not lose count when memory or the limit ends.
 * See yaml.h for the contract.
 */
#include "base/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

void cs_problems_init(struct cs_problems *p, const char *file)
{
	*p = (struct cs_problems){ .file = file };
}

void cs_problems_done(struct cs_problems *p)
{
	free(p->list);
	*p = (struct cs_problems){ .file = p->file };
}

/* How many of the problems have been kept. */
static size_t kept(const struct cs_problems *p)
{
	if (!p->list)
		return 0;
	return p->count < CS_YAML_PROBLEMS_MAX ? p->count : CS_YAML_PROBLEMS_MAX;
}

void cs_problem_add(struct cs_problems *p, size_t line, size_t column, const char *fmt, ...)
{
	char text[2 * sizeof(p->list->text)];
	struct cs_problem *problem;
	struct cs_buf shown;
	va_list ap;

	if (!p->list && p->count == 0)
		p->list = calloc(CS_YAML_PROBLEMS_MAX, sizeof(*p->list));
	p->count++;
	if (!p->list || p->count > CS_YAML_PROBLEMS_MAX)
		return;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	problem = &p->list[p->count - 1];
	problem->line = line;
	problem->column = column;
	cs_buf_init(&shown, sizeof(problem->text) - 1);
	cs_text_show(text, &shown); /* what does not fit is cut between two characters */
	memcpy(problem->text, cs_buf_str(&shown), shown.len + 1);
	cs_buf_done(&shown);
}

void cs_problems_print(const struct cs_problems *p, struct cs_buf *out)
{
	for (size_t i = 0; i < kept(p); i++) {
		const struct cs_problem *problem = &p->list[i];

		cs_buf_add_str(out, p->file);
		if (problem->line)
			cs_buf_addf(out, ":%zu:%zu", problem->line, problem->column);
		cs_buf_addf(out, ": %s\n", problem->text);
	}
	if (p->count > kept(p))
		cs_buf_addf(out, "%s: %zu more problems\n", p->file, p->count - kept(p));
}

enum cs_rc cs_problems_check(const struct cs_problems *p, struct cs_err *e)
{
	const struct cs_problem *first = p->list;
	char position[48] = "", others[48] = "";

	if (p->count == 0)
		return CS_OK;
	if (!first)
		return CS_FAIL(e, CS_E_CONFIG, "%s: %zu problems", p->file, p->count);
	if (first->line)
		snprintf(position, sizeof(position), ":%zu:%zu", first->line, first->column);
	if (p->count > 1)
		snprintf(others, sizeof(others), " (and %zu more)", p->count - 1);
	return CS_FAIL(e, CS_E_CONFIG, "%s%s: %s%s", p->file, position, first->text, others);
}
