// SPDX-License-Identifier: BSD-3-Clause
// Lists of strings and their quoting for shells and comma-separated values. No state; any thread.
#include "cli/strv.h"

#include "base/cleanup.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void add_taken(struct strv *v, char *text)
{
	char **grown = text ? reallocarray(v->items, v->count + 2, sizeof(*grown)) : NULL;
	if (!grown) {
		free(text);
		v->failed = true;
		return;
	}
	v->items = grown;
	v->items[v->count++] = text;
	v->items[v->count] = NULL;
}

void strv_add(struct strv *v, const char *text)
{
	add_taken(v, strdup(text));
}

void strv_addf(struct strv *v, const char *fmt, ...)
{
	char *text = NULL;
	va_list ap;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	add_taken(v, text);
}

void strv_add_all(struct strv *v, const struct strv *other)
{
	for (size_t i = 0; i < other->count; i++)
		strv_add(v, other->items[i]);
	v->failed |= other->failed;
}

void strv_append(struct strv *v, const char *text)
{
	char *joined = NULL;
	if (v->count == 0) {
		strv_add(v, text);
		return;
	}
	if (asprintf(&joined, "%s%s", v->items[v->count - 1], text) < 0) {
		v->failed = true;
		return;
	}
	free(v->items[v->count - 1]);
	v->items[v->count - 1] = joined;
}

void strv_fini(struct strv *v)
{
	for (size_t i = 0; i < v->count; i++)
		free(v->items[i]);
	free(v->items);
	*v = (struct strv){0};
}

static void write_for_shell(FILE *out, const char *text)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/:=,@%+";
	// The first '=' of a word that comes first would make it an assignment; no command has one.
	if (text[0] && text[strspn(text, plain)] == '\0') {
		(void)fputs(text, out);
		return;
	}
	(void)fputc('\'', out);
	for (; *text; text++) {
		if (*text == '\'')
			(void)fputs("'\\''", out);
		else
			(void)fputc(*text, out);
	}
	(void)fputc('\'', out);
}

static void write_for_csv(FILE *out, const char *text)
{
	if (!strpbrk(text, ",\"\r\n") && text[0] != ' ') {
		(void)fputs(text, out);
		return;
	}
	(void)fputc('"', out);
	for (; *text; text++) {
		if (*text == '"')
			(void)fputc('"', out);
		(void)fputc(*text, out);
	}
	(void)fputc('"', out);
}

static char *join(const struct strv *v, char separator, void (*write)(FILE *, const char *))
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	if (!out)
		return NULL;
	// Failures are kept in the stream and come out of fclose().
	for (size_t i = 0; i < v->count; i++) {
		if (i > 0)
			(void)fputc(separator, out);
		write(out, v->items[i]);
	}
	if (fclose(out) != 0 || v->failed) {
		free(text);
		errno = ENOMEM;
		return NULL;
	}
	return text;
}

char *strv_quote(const struct strv *v)
{
	return join(v, ' ', write_for_shell);
}

char *strv_csv(const struct strv *v)
{
	return join(v, ',', write_for_csv);
}
