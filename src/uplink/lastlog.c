// SPDX-License-Identifier: BSD-3-Clause
// A stdio stream of DPDK's log, whose lines go on to stderr and the last of which are kept. Any thread may log; the
// stream's lock is around all that is kept.
#include "uplink/lastlog.h"

#include <rte_log.h>

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINES 2
#define LINE_SIZE ((LASTLOG_SIZE - 2 * LINES) / LINES)

static FILE *stream;
static char lines[LINES][LINE_SIZE]; // The oldest first.

// What the EAL adds to the failure of any device.
static bool is_known(const char *line)
{
	return strstr(line, "Driver cannot attach the device") ||
		strstr(line, "Failed to attach device on primary process");
}

// Without the function's or the EAL's name, which say nothing to a user.
static const char *skip_names(const char *line)
{
	const char *call = strstr(line, "(): ");
	if (call && strcspn(line, " ") >= (size_t)(call - line))
		line = call + strlen("(): ");
	if (strncmp(line, "EAL: ", strlen("EAL: ")) == 0)
		line += strlen("EAL: ");
	if (strncmp(line, "FATAL: ", strlen("FATAL: ")) == 0)
		line += strlen("FATAL: ");
	return line + strspn(line, " ");
}

static void keep(const char *line)
{
	char kept[LINE_SIZE];
	(void
	)snprintf(kept, sizeof(kept), "%s", skip_names(line)); // A cut line still says the most.
	for (char *at = kept; *at; at++)
		if (!isprint((unsigned char)*at))
			*at = '?';
	for (size_t size = strlen(kept); size && (kept[size - 1] == '.' || kept[size - 1] == ' ');)
		kept[--size] = '\0';
	if (!kept[0] || is_known(kept) || strcmp(kept, lines[LINES - 1]) == 0)
		return;
	memmove(lines[0], lines[1], sizeof(lines) - sizeof(lines[0]));
	memcpy(lines[LINES - 1], kept, sizeof(kept));
}

// stdio calls it with whole messages, for DPDK flushes after each.
static ssize_t on_write(void *cookie, const char *data, size_t size)
{
	char text[1024];
	char *rest = text;
	const char *line;
	size_t used = size < sizeof(text) ? size : sizeof(text) - 1;
	memcpy(text, data, used);
	text[used] = '\0';
	while ((line = strsep(&rest, "\r\n")))
		if (*line)
			keep(line);
	(void)fwrite(data, 1, size, stderr); // There is nobody to tell.
	return (ssize_t)size;
}

int lastlog_open(void)
{
	stream = fopencookie(NULL, "w", (cookie_io_functions_t){.write = on_write});
	return !stream || rte_openlog_stream(stream) ? -ENOMEM : 0;
}

void lastlog_read(char ret_text[LASTLOG_SIZE])
{
	size_t used = 0;
	ret_text[0] = '\0';
	flockfile(stream);
	for (int i = 0; i < LINES; i++)
		if (lines[i][0])
			used += (size_t)snprintf( // All of them fit.
				ret_text + used,
				LASTLOG_SIZE - used,
				"%s%s",
				used ? "; " : "",
				lines[i]
			);
	funlockfile(stream);
}
