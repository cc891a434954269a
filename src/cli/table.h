// SPDX-License-Identifier: BSD-3-Clause
// Tables with aligned columns, as wide as their content, and numbers for people. No state; any thread.
#pragma once

#include <stdint.h>
#include <stdio.h>

#define HUMAN_SIZE 32

struct table;

// `titles` ends with NULL and has to outlive the table. A title that begins with '>' names a column
// that is aligned to the right. NULL with errno on failure.
struct table *table_new(const char *const *titles);
void table_free(struct table *table); // Accepts NULL.

// Adds the next cell, row by row. A text that is NULL or empty shows as "-", control characters as
// '?'.
void table_add(struct table *table, const char *text);
void table_addf(struct table *table, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

// Writes titles and rows. 0, or -ENOMEM when a cell was lost. A row that is not complete is left out.
int table_print(const struct table *table, FILE *out);

// "9999", "12.3k", "4.56M": exact below ten thousand, three digits above.
void human_number(double number, char ret_text[HUMAN_SIZE]);

static inline void cleanup_table(struct table **table)
{
	table_free(*table);
}

#define _cleanup_table_ __attribute__((cleanup(cleanup_table)))
