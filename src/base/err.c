// SPDX-License-Identifier: BSD-3-Clause
// Formats errors into their fixed buffers. No state; any thread.
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

// Peers' words end up in messages: a control character must not forge a second log line.
static void err_one_line(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			*s = ' ';
}

int err_set(struct rwy_err *err, int code, const char *fmt, ...)
{
	if (!err)
		return code;
	char text[ERR_MSG_SIZE]; // The arguments may point into *err.
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); // Cut at the buffer's end.
	va_end(ap);
	err_one_line(text);
	memcpy(err->msg, text, sizeof(err->msg));
	err->hint[0] = '\0';
	err->code = code;
	return code;
}

int err_hint(struct rwy_err *err, const char *fmt, ...)
{
	if (!err)
		return -EINVAL;
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(err->hint, sizeof(err->hint), fmt, ap); // Cut at the buffer's end.
	va_end(ap);
	err_one_line(err->hint);
	return err->code;
}

int err_prefix(struct rwy_err *err, const char *fmt, ...)
{
	if (!err)
		return -EINVAL;
	char text[ERR_MSG_SIZE];
	va_list ap;
	va_start(ap, fmt);
	int used = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (used >= 0 && (size_t)used < sizeof(text))
		(void)snprintf(text + used, sizeof(text) - (size_t)used, "%s", err->msg);
	err_one_line(text);
	memcpy(err->msg, text, sizeof(err->msg));
	return err->code;
}

int err_strip(struct rwy_err *err, const char *fmt, ...)
{
	if (!err)
		return -EINVAL;
	char text[ERR_MSG_SIZE];
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap); // What was cut is no prefix of the message.
	va_end(ap);
	err_one_line(text);
	size_t size = strlen(text);
	if (strncmp(err->msg, text, size) == 0)
		memmove(err->msg, err->msg + size, sizeof(err->msg) - size);
	return err->code;
}
