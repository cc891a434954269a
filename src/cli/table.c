// SPDX-License-Identifier: BSD-3-Clause
// Tables and numbers for people. No state; any thread.
#include "cli/table.h"

#include "cli/strv.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define GAP 2

struct table {
	const char *const *titles;
	size_t columns;
	struct strv cells;
};

struct table *table_new(const char *const *titles)
{
	struct table *table = calloc(1, sizeof(*table));
	if (!table)
		return NULL;
	table->titles = titles;
	while (titles[table->columns])
		table->columns++;
	return table;
}

void table_free(struct table *table)
{
	if (!table)
		return;
	strv_fini(&table->cells);
	free(table);
}

static void clean_last_cell(struct strv *cells)
{
	if (cells->count == 0)
		return;
	for (char *c = cells->items[cells->count - 1]; *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '?';
}

void table_add(struct table *table, const char *text)
{
	strv_add(&table->cells, text && text[0] ? text : "-");
	clean_last_cell(&table->cells);
}

void table_addf(struct table *table, const char *fmt, ...)
{
	char text[512]; // Longer cells are cut.
	va_list ap;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	table_add(table, text);
}

static size_t column_width(const struct table *table, size_t column)
{
	size_t width = strlen(table->titles[column] + (table->titles[column][0] == '>'));
	for (size_t i = column; i < table->cells.count; i += table->columns) {
		size_t length = strlen(table->cells.items[i]);
		if (length > width)
			width = length;
	}
	return width;
}

static void print_cell(const struct table *table, size_t column, const char *text, FILE *out)
{
	int width = (int)column_width(table, column);
	if (table->titles[column][0] == '>')
		(void)fprintf(out, "%*s", width, text);
	else if (column + 1 < table->columns)
		(void)fprintf(out, "%-*s", width, text);
	else
		(void)fputs(text, out);
	if (column + 1 < table->columns)
		(void)fprintf(out, "%*s", GAP, "");
	else
		(void)fputc('\n', out);
}

int table_print(const struct table *table, FILE *out)
{
	if (table->cells.failed || table->columns == 0)
		return -ENOMEM;
	for (size_t i = 0; i < table->columns; i++)
		print_cell(table, i, table->titles[i] + (table->titles[i][0] == '>'), out);
	size_t complete = table->cells.count - table->cells.count % table->columns;
	for (size_t i = 0; i < complete; i++)
		print_cell(table, i % table->columns, table->cells.items[i], out);
	return 0;
}

void human_number(double number, char ret_text[HUMAN_SIZE])
{
	static const char units[] = "kMGTPE";
	size_t unit = 0;
	// The limits are where rounding to the digits shown would need one more.
	if (number < 9999.5) {
		(void)snprintf(ret_text, HUMAN_SIZE, "%.0f", number);
		return;
	}
	number /= 1000;
	for (; number >= 999.5 && units[unit + 1]; unit++)
		number /= 1000;
	int digits = 0;
	if (number < 9.995)
		digits = 2;
	else if (number < 99.95)
		digits = 1;
	(void)snprintf(ret_text, HUMAN_SIZE, "%.*f%c", digits, number, units[unit]);
}
