// SPDX-License-Identifier: BSD-3-Clause
// What a check says: its worst status, what was seen, what to do. Texts hold names that others chose (files, interfaces,
// networks): they are made harmless for a terminal and valid for JSON here. One thread.
#include "cli/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *const doctor_use_names[DOCTOR_USE_COUNT] = {"vhost", "kernel", "sriov", "uplink"};

const char *const doctor_status_names[DOCTOR_STATUS_COUNT] = {
	[DOCTOR_OK] = "ok",
	[DOCTOR_NOTE] = "note",
	[DOCTOR_UNKNOWN] = "unknown",
	[DOCTOR_WARNING] = "warning",
	[DOCTOR_MISSING] = "missing",
};

// Writes behind what is there, cut at the end, ASCII without control characters.
static void add_text(char *text, size_t size, const char *fmt, va_list ap)
{
	size_t used = strlen(text);
	(void)vsnprintf(text + used, size - used, fmt, ap); // A cut text is what there is room for.
	for (char *c = text + used; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

void doctor_saw(struct doctor_result *result, enum doctor_status status, const char *fmt, ...)
{
	va_list ap;
	if (status > result->status)
		result->status = status;
	size_t used = strlen(result->seen);
	if (used && used + 3 < sizeof(result->seen))
		(void)stpcpy(result->seen + used, "; ");
	va_start(ap, fmt);
	add_text(result->seen, sizeof(result->seen), fmt, ap);
	va_end(ap);
}

void doctor_detail(struct doctor_result *result, const char *fmt, ...)
{
	char line[512] = "";
	va_list ap;
	va_start(ap, fmt);
	add_text(line, sizeof(line), fmt, ap);
	va_end(ap);
	strv_add(&result->details, line);
}

void doctor_advise(struct doctor_result *result, const char *fmt, ...)
{
	va_list ap;
	if (result->advice_count == DOCTOR_ADVICE_MAX)
		return; // What comes first matters most.
	struct doctor_advice *advice = &result->advice[result->advice_count++];
	va_start(ap, fmt);
	add_text(advice->text, sizeof(advice->text), fmt, ap);
	va_end(ap);
}

void doctor_command(struct doctor_result *result, const char *fmt, ...)
{
	va_list ap;
	if (result->advice_count == 0)
		return;
	struct doctor_advice *advice = &result->advice[result->advice_count - 1];
	va_start(ap, fmt);
	int size = vsnprintf(advice->command, sizeof(advice->command), fmt, ap);
	va_end(ap);
	// Half a command, or another one than was meant, is worse than none.
	bool whole = size > 0 && (size_t)size < sizeof(advice->command);
	for (const char *c = advice->command; whole && *c; c++)
		whole = *c >= ' ' && *c <= '~';
	if (!whole)
		advice->command[0] = '\0';
}

void doctor_result_fini(struct doctor_result *result)
{
	strv_fini(&result->details);
}

enum doctor_status doctor_lack(const struct doctor *d, unsigned int uses)
{
	return d->uses & uses ? DOCTOR_MISSING : DOCTOR_NOTE;
}
