// SPDX-License-Identifier: BSD-3-Clause
// Reading below a root: files, numbers, links, directories; and what the kernel has, by its configuration and modules. Nothing
// is written. Paths are printf formats of absolute paths. One thread.
#pragma once

#include "cli/doctor.h"

#include <sys/stat.h>

#define READ_LINE_SIZE 256

// "root/path". The caller frees it; NULL without memory.
char *doctor_path(const struct doctor *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

// The first bytes of a file, without the last newline. 0, or a negative errno with "" in ret.
int doctor_read(const struct doctor *d, char *ret, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
// A whole file of at most 4 MiB; NULL: it cannot be read. The caller frees it.
char *doctor_read_all(const struct doctor *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
// The number that a file begins with; `otherwise` where there is none.
long long doctor_read_number(const struct doctor *d, long long otherwise, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
bool doctor_exists(const struct doctor *d, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
// lstat(). 0 or a negative errno.
int doctor_stat(const struct doctor *d, struct stat *ret, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
// The last part of what a symbolic link points to; "" where there is none.
void doctor_read_link(const struct doctor *d, char *ret, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
// The names in a directory, numbers in them in their order, without those that begin with a dot. 0 or a negative errno. The caller
// ends *ret with strv_fini().
int doctor_list(const struct doctor *d, struct strv *ret, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

// The rest of the line of a "Name:<tab>value" file ("/proc/self/status"); "" where there is none.
void doctor_find_line(const char *text, const char *name, char *ret, size_t size);
// Whether this process may do all of `mode` (4: read, 2: write) with what has this owner and mode.
bool doctor_may(const struct doctor *d, const struct stat *st, unsigned int mode);
// Whether a word of the kernel's command line is this, or begins with this where it ends with '='. *ret_value (may be NULL) is
// what follows the '='.
bool doctor_kernel_word(const struct doctor *d, const char *word, char ret_value[READ_LINE_SIZE]);

enum doctor_feature {
	FEATURE_UNKNOWN, // Nothing says so.
	FEATURE_ABSENT,
	FEATURE_LOADABLE,
	FEATURE_LOADED,
	FEATURE_BUILT_IN
};
// Of an option of the kernel's configuration ("CONFIG_VETH") and its module ("veth"; NULL: never one).
enum doctor_feature doctor_feature(const struct doctor *d, const char *option, const char *module);
const char *doctor_feature_name(enum doctor_feature feature);
// The configuration's text, for doctor.kernel_config; NULL: none was found.
char *doctor_read_config(const struct doctor *d);

// Calls each() for each process with its number ("812") until it returns true. False: none did.
bool doctor_each_process(
	const struct doctor *d,
	bool (*each)(const struct doctor *d, const char *pid, void *arg),
	void *arg
);
// Who has files open or mapped. Processes of others hide that from users.
struct doctor_holder {
	char pid[16]; // Empty: nobody was found.
	char name[32];
	size_t hidden; // Processes that could not be looked at.
};
void doctor_who_opened(const struct doctor *d, const char *path, struct doctor_holder *ret);
void doctor_who_mapped(const struct doctor *d, const struct stat *file, struct doctor_holder *ret);
