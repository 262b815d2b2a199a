/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows, the live line, questions.
 * Must not print anything to standard error that is not a terminal; errors are main.c's.
 * See term.h for the contract.
 */
#include "cli/term.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/text.h"

#define LINE_BYTES_MAX 2048
#define TEXT_BYTES_MAX 65536
#define LABEL_WIDTH 18
#define COLUMNS_UNKNOWN 80

void cs_term_text(FILE *out, const char *text)
{
	struct cs_buf shown;

	cs_buf_init(&shown, 4 * TEXT_BYTES_MAX);
	cs_text_show(text, &shown);
	fputs(cs_buf_str(&shown), out);
	cs_buf_done(&shown);
}

void cs_term_row(FILE *out, const char *label, const char *value)
{
	if (!value || !value[0])
		return;
	fprintf(out, "%s:%*s", label, LABEL_WIDTH - 1 - (int)strlen(label), "");
	cs_term_text(out, value);
	fputc('\n', out);
}

void cs_term_rowf(FILE *out, const char *label, const char *fmt, ...)
{
	struct cs_buf line;
	va_list ap;

	cs_buf_init(&line, LINE_BYTES_MAX);
	va_start(ap, fmt);
	cs_buf_vaddf(&line, fmt, ap);
	va_end(ap);
	cs_term_row(out, label, cs_buf_str(&line));
	cs_buf_done(&line);
}

void cs_term_cut(struct cs_buf *text, size_t columns)
{
	size_t shown = 0, end = 0;
	struct cs_buf cut;

	for (size_t i = 0; i < text->len && shown <= columns; i++) {
		if ((text->data[i] & 0xc0) == 0x80)
			continue; /* inside a character */
		shown++;
		if (shown == columns)
			end = i; /* here the mark would go */
	}
	if (shown <= columns)
		return;
	cs_buf_init(&cut, text->max);
	cs_buf_add(&cut, text->data, end);
	cs_buf_add_str(&cut, "…");
	cs_buf_done(text);
	*text = cut;
}

static size_t columns(void)
{
	struct winsize size;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 20)
		return COLUMNS_UNKNOWN;
	return size.ws_col;
}

void cs_term_live(struct cs_cli *cli, const char *fmt, ...)
{
	struct cs_buf raw, line;
	va_list ap;

	if (!cli->tty)
		return;
	cs_buf_init(&raw, LINE_BYTES_MAX);
	cs_buf_init(&line, 4 * LINE_BYTES_MAX);
	va_start(ap, fmt);
	cs_buf_vaddf(&raw, fmt, ap);
	va_end(ap);
	cs_text_show(cs_buf_str(&raw), &line);
	cs_term_cut(&line, columns() - 1);
	fprintf(stderr, "\r\033[K%s", cs_buf_str(&line));
	fflush(stderr);
	cli->live = true;
	cs_buf_done(&raw);
	cs_buf_done(&line);
}

void cs_term_live_end(struct cs_cli *cli)
{
	if (!cli->live)
		return;
	fputs("\r\033[K", stderr);
	fflush(stderr);
	cli->live = false;
}

void cs_term_note(struct cs_cli *cli, const char *fmt, ...)
{
	struct cs_buf raw;
	va_list ap;

	if (!cli->tty)
		return;
	cs_term_live_end(cli);
	cs_buf_init(&raw, LINE_BYTES_MAX);
	va_start(ap, fmt);
	cs_buf_vaddf(&raw, fmt, ap);
	va_end(ap);
	cs_term_text(stderr, cs_buf_str(&raw));
	fputc('\n', stderr);
	cs_buf_done(&raw);
}

enum cs_rc cs_term_ask(struct cs_cli *cli, const char *question, struct cs_err *e)
{
	char answer[16];

	if (!cli->tty || !isatty(STDIN_FILENO))
		return CS_FAIL(e, CS_E_INVALID,
			       "there is no terminal to ask on: say --yes to go ahead");
	fprintf(stderr, "%s [y/N] ", question);
	fflush(stderr);
	if (fgets(answer, sizeof(answer), stdin) &&
	    (strcmp(answer, "y\n") == 0 || strcmp(answer, "Y\n") == 0 ||
	     strcmp(answer, "yes\n") == 0))
		return CS_OK;
	return CS_FAIL(e, CS_E_DENIED, "not done: the answer was not y");
}

/** Read a line of at most size bytes from a terminal; its length, or -1. */
static int read_line(int fd, char *buf, size_t size)
{
	size_t len = 0;
	char c;

	while (read(fd, &c, 1) == 1 && c != '\n') {
		if (len == size)
			return -1;
		buf[len++] = c;
	}
	return (int)len;
}

int cs_term_secret(void *arg, const char *what, char *buf, size_t size)
{
	struct termios before, silent;
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	int len = -1;

	(void)arg;
	if (fd < 0)
		return -1;
	if (tcgetattr(fd, &before) == 0) {
		silent = before;
		silent.c_lflag &= ~(tcflag_t)ECHO;
		if (tcsetattr(fd, TCSAFLUSH, &silent) == 0) {
			dprintf(fd, "Pass phrase or PIN for %.200s: ", what);
			len = read_line(fd, buf, size);
			tcsetattr(fd, TCSAFLUSH, &before);
			dprintf(fd, "\n");
		}
	}
	close(fd);
	return len;
}

void cs_term_progress(const char *what, uint64_t done, uint64_t size, struct cs_buf *out)
{
	static const char *const units[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	double shown = (double)size;
	size_t unit = 0;

	while (shown >= 1024 && unit < sizeof(units) / sizeof(units[0]) - 1) {
		shown /= 1024;
		unit++;
	}
	cs_buf_addf(out, "%s  %d %% of %.*f %s", what,
		    size > 0 ? (int)((double)done * 100 / (double)size) : 100, unit > 0 ? 1 : 0,
		    shown, units[unit]);
}

void cs_term_duration(int64_t seconds, char out[static 64])
{
	long long s = seconds;

	if (s <= 0)
		snprintf(out, 64, "now");
	else if (s >= 2 * 86400)
		snprintf(out, 64, "%lld days %lld h", s / 86400, s % 86400 / 3600);
	else if (s >= 3600)
		snprintf(out, 64, "%lld h %lld min", s / 3600, s % 3600 / 60);
	else if (s >= 60)
		snprintf(out, 64, "%lld min", s / 60);
	else
		snprintf(out, 64, "%lld s", s);
}
