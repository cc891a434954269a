// SPDX-License-Identifier: BSD-3-Clause
// Writes log lines with one write() each, so that threads' lines never mix. Any thread; the level
// and the program's name are set once, before threads start.
#include "base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char *log_program = "ringway";
static enum log_level log_limit = LOG_LEVEL_INFO;
static bool log_journal;

// syslog(3) priorities, which journald reads from the start of a line.
static const char *const log_priority[LOG_LEVEL_COUNT] = {"<3>", "<4>", "<6>", "<7>"};
static const char *const log_name[LOG_LEVEL_COUNT] = {"error", "warning", "info", "debug"};

void log_init(const char *program, enum log_level level)
{
	log_program = program;
	log_limit = level;
	log_journal = getenv("JOURNAL_STREAM") != NULL;
}

static void log_vwrite(enum log_level level, const char *tail, const char *fmt, va_list ap)
{
	char text[1400];
	char line[1500];
	(void)vsnprintf(text, sizeof(text), fmt, ap); // Cut at the buffer's end.
	int size;
	if (log_journal)
		size = snprintf(line, sizeof(line), "%s%s%s\n", log_priority[level], text, tail);
	else
		size = snprintf(
			line,
			sizeof(line),
			"%s: %s: %s%s\n",
			log_program,
			log_name[level],
			text,
			tail
		);
	if (size < 0)
		return;
	if ((size_t)size >= sizeof(line)) {
		size = sizeof(line) - 1;
		line[size - 1] = '\n';
	}
	ssize_t written = write(STDERR_FILENO, line, (size_t)size);
	(void)written; // A full or closed stderr must not stop the program.
}

void log_write(enum log_level level, const char *fmt, ...)
{
	if (level > log_limit)
		return;
	va_list ap;
	va_start(ap, fmt);
	log_vwrite(level, "", fmt, ap);
	va_end(ap);
}

void log_err(const struct rwy_err *err, const char *fmt, ...)
{
	char tail[ERR_MSG_SIZE + ERR_HINT_SIZE + 8];
	(void)snprintf(
		tail,
		sizeof(tail),
		": %s%s%s%s",
		err->msg,
		err->hint[0] ? " (" : "",
		err->hint,
		err->hint[0] ? ")" : ""
	);
	va_list ap;
	va_start(ap, fmt);
	log_vwrite(LOG_LEVEL_ERROR, tail, fmt, ap);
	va_end(ap);
}
