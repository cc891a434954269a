// SPDX-License-Identifier: BSD-3-Clause
// A growing list of strings that ends with NULL: a command line under construction, and how a shell
// would have to be told it. No state; any thread.
#pragma once

#include <stdbool.h>
#include <stddef.h>

// Zero-initialise it. Running out of memory is remembered in `failed`, so that callers check once.
struct strv {
	char **items; // NULL while empty, otherwise ends with NULL.
	size_t count;
	bool failed;
};

void strv_add(struct strv *v, const char *text); // Copies text.
void strv_addf(struct strv *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strv_add_all(struct strv *v, const struct strv *other);
// Lengthens the last string; a list that is empty gets its first.
void strv_append(struct strv *v, const char *text);
void strv_fini(struct strv *v);

// The strings in one line that a POSIX shell splits into the same strings again. The caller frees
// it. NULL with errno on failure.
char *strv_quote(const struct strv *v);

// The strings as one record of comma-separated values (RFC 4180), as docker's --mount and --network
// read them. The caller frees it. NULL with errno on failure.
char *strv_csv(const struct strv *v);

#define _cleanup_strv_ __attribute__((cleanup(strv_fini)))
