// SPDX-License-Identifier: BSD-3-Clause
// The readers of `ringway doctor`, below a root. What cannot be read is not there, for a check; the few that have to know why are
// told. One thread.
#include "cli/doctor_read.h"

#include "base/cleanup.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FILE_SIZE_MAX (4u << 20)

static char *path_of(const struct doctor *d, const char *fmt, va_list ap)
{
	_cleanup_free_ char *inner = NULL;
	char *path = NULL;
	if (vasprintf(&inner, fmt, ap) < 0) {
		inner = NULL;
		return NULL;
	}
	if (asprintf(&path, "%s%s", d->root, inner) < 0)
		return NULL;
	return path;
}

// Declares `path`.
#define MAKE_PATH(d, fmt)                                \
	va_list ap;                                      \
	va_start(ap, fmt);                               \
	_cleanup_free_ char *path = path_of(d, fmt, ap); \
	va_end(ap)

char *doctor_path(const struct doctor *d, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *path = path_of(d, fmt, ap);
	va_end(ap);
	return path;
}

// Up to size - 1 bytes, ended by NUL. How many, or a negative errno.
static ssize_t read_bytes(const char *path, char *ret, size_t size)
{
	size_t used = 0;
	// Never waits: a tree may hold what a pipe or a device is.
	_cleanup_close_ int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	ret[0] = '\0';
	if (fd < 0)
		return path ? -errno : -ENOMEM;
	while (used < size - 1) {
		ssize_t n = read(fd, ret + used, size - 1 - used);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		used += (size_t)n;
		ret[used] = '\0';
	}
	return (ssize_t)used;
}

int doctor_read(const struct doctor *d, char *ret, size_t size, const char *fmt, ...)
{
	MAKE_PATH(d, fmt);
	ssize_t n = read_bytes(path, ret, size);
	if (n < 0) {
		ret[0] = '\0';
		return (int)n;
	}
	while (n > 0 && ret[n - 1] == '\n')
		ret[--n] = '\0';
	return 0;
}

char *doctor_read_all(const struct doctor *d, const char *fmt, ...)
{
	MAKE_PATH(d, fmt);
	char *text = malloc(FILE_SIZE_MAX);
	ssize_t n = text ? read_bytes(path, text, FILE_SIZE_MAX) : -ENOMEM;
	if (n < 0) {
		free(text);
		return NULL;
	}
	char *fitted = realloc(text, (size_t)n + 1);
	return fitted ? fitted : text;
}

long long doctor_read_number(const struct doctor *d, long long otherwise, const char *fmt, ...)
{
	MAKE_PATH(d, fmt);
	char text[64];
	char *end = NULL;
	if (read_bytes(path, text, sizeof(text)) <= 0)
		return otherwise;
	long long number = strtoll(text, &end, 10);
	return end == text ? otherwise : number;
}

bool doctor_exists(const struct doctor *d, const char *fmt, ...)
{
	MAKE_PATH(d, fmt);
	struct stat st;
	return path && lstat(path, &st) == 0;
}

int doctor_stat(const struct doctor *d, struct stat *ret, const char *fmt, ...)
{
	MAKE_PATH(d, fmt);
	struct stat st;
	if (!path || lstat(path, &st))
		return path ? -errno : -ENOMEM;
	*ret = st;
	return 0;
}

void doctor_read_link(const struct doctor *d, char *ret, size_t size, const char *fmt, ...)
{
	MAKE_PATH(d, fmt);
	char target[512];
	ret[0] = '\0';
	ssize_t n = path ? readlink(path, target, sizeof(target) - 1) : -1;
	if (n <= 0)
		return;
	target[n] = '\0';
	const char *slash = strrchr(target, '/');
	(void)snprintf(ret, size, "%s", slash ? slash + 1 : target); // Names of the kernel fit.
}

int doctor_list(const struct doctor *d, struct strv *ret, const char *fmt, ...)
{
	MAKE_PATH(d, fmt);
	struct dirent **entries = NULL;
	int count = path ? scandir(path, &entries, NULL, versionsort) : -1;
	if (count < 0)
		return path ? -errno : -ENOMEM;
	for (int i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.')
			strv_add(ret, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return 0;
}

void doctor_find_line(const char *text, const char *name, char *ret, size_t size)
{
	size_t length = strlen(name);
	ret[0] = '\0';
	while (text && *text) {
		if (strncmp(text, name, length) == 0 && text[length] == ':') {
			text += length + 1;
			text += strspn(text, " \t");
			size_t n = strcspn(text, "\n");
			(void
			)snprintf(ret, size, "%.*s", (int)n, text); // Cut where a line is longer.
			return;
		}
		text = strchr(text, '\n');
		text += text ? 1 : 0;
	}
}

bool doctor_kernel_word(const struct doctor *d, const char *word, char ret_value[READ_LINE_SIZE])
{
	char line[4096];
	char *rest = line;
	size_t length = strlen(word);
	bool is_found = false;
	(void)doctor_read(d, line, sizeof(line), "/proc/cmdline"); // Empty where it cannot be read.
	for (char *at = strsep(&rest, " "); at; at = strsep(&rest, " ")) {
		bool takes = word[length - 1] == '=';
		if (takes ? strncmp(at, word, length) != 0 : strcmp(at, word) != 0)
			continue;
		is_found = true; // The kernel takes the last one.
		if (ret_value)
			(void)snprintf(ret_value, READ_LINE_SIZE, "%s", takes ? at + length : "");
	}
	return is_found;
}

struct opened {
	const char *path;
	struct doctor_holder *holder;
};

static void note_holder(const struct doctor *d, const char *pid, struct doctor_holder *holder)
{
	(void)snprintf(holder->pid, sizeof(holder->pid), "%s", pid); // Numbers of processes fit.
	(void)doctor_read(d, holder->name, sizeof(holder->name), "/proc/%s/comm", pid);
}

// A process that even root may not look at is the system's own, and no DPDK application.
static void forgive_root(const struct doctor *d, struct doctor_holder *holder)
{
	if (d->process.uid == 0)
		holder->hidden = 0;
}

static bool has_opened(const struct doctor *d, const char *pid, void *arg)
{
	const struct opened *opened = arg;
	_cleanup_strv_ struct strv fds = {0};
	int r = doctor_list(d, &fds, "/proc/%s/fd", pid);
	if (r == -EACCES || r == -EPERM)
		opened->holder->hidden++;
	for (size_t i = 0; i < fds.count; i++) {
		char target[512];
		_cleanup_free_ char *path = doctor_path(d, "/proc/%s/fd/%s", pid, fds.items[i]);
		ssize_t n = path ? readlink(path, target, sizeof(target) - 1) : -1;
		if (n <= 0)
			continue;
		target[n] = '\0';
		if (strcmp(target, opened->path) != 0)
			continue;
		note_holder(d, pid, opened->holder);
		return true;
	}
	return false;
}

bool doctor_each_process(
	const struct doctor *d,
	bool (*each)(const struct doctor *d, const char *pid, void *arg),
	void *arg
)
{
	_cleanup_strv_ struct strv pids = {0};
	(void)doctor_list(d, &pids, "/proc"); // Without it there is nobody.
	for (size_t i = 0; i < pids.count; i++)
		if (isdigit((unsigned char)pids.items[i][0]) && each(d, pids.items[i], arg))
			return true;
	return false;
}

void doctor_who_opened(const struct doctor *d, const char *path, struct doctor_holder *ret)
{
	struct opened opened = {path, ret};
	*ret = (struct doctor_holder){0};
	(void)doctor_each_process(d, has_opened, &opened);
	forgive_root(d, ret);
}

struct mapped {
	const struct stat *file;
	struct doctor_holder *holder;
};

// Lines of proc(5)'s maps: "7f..-7f.. rw-s 00000000 00:2a 1234    /dev/hugepages/rtemap_0".
static bool has_mapped(const struct doctor *d, const char *pid, void *arg)
{
	const struct mapped *mapped = arg;
	_cleanup_free_ char *path = doctor_path(d, "/proc/%s/maps", pid);
	_cleanup_free_ char *line = NULL;
	size_t size = 0;
	bool is_found = false;
	FILE *maps = path ? fopen(path, "re") : NULL;
	if (!maps) {
		mapped->holder->hidden += errno == EACCES || errno == EPERM;
		return false;
	}
	while (!is_found && getline(&line, &size, maps) > 0) {
		unsigned int major = 0, minor = 0;
		unsigned long long inode = 0;
		// NOLINTNEXTLINE(cert-err34-c): the kernel's own numbers.
		if (sscanf(line, "%*s %*s %*s %x:%x %llu", &major, &minor, &inode) != 3)
			continue;
		is_found = inode == mapped->file->st_ino &&
			makedev(major, minor) == mapped->file->st_dev;
	}
	// Opening works for all; what others may not see shows as an error of the first read.
	mapped->holder->hidden += !is_found && ferror(maps);
	(void)fclose(maps); // Only read.
	if (is_found)
		note_holder(d, pid, mapped->holder);
	return is_found;
}

// proc(5)'s locks: "1: POSIX  ADVISORY  WRITE 812 00:2a:1234 0 EOF". EAL locks what it maps, and everybody may read of it.
static bool find_locker(
	const struct doctor *d,
	const struct stat *file,
	struct doctor_holder *holder
)
{
	_cleanup_free_ char *locks = doctor_read_all(d, "/proc/locks");
	char *rest = locks;
	for (char *line = locks ? strsep(&rest, "\n") : NULL; line; line = strsep(&rest, "\n")) {
		unsigned int major = 0, minor = 0;
		unsigned long long inode = 0;
		char pid[16];
		// NOLINTNEXTLINE(cert-err34-c): the kernel's own numbers.
		if (sscanf(line, "%*s %*s %*s %*s %15s %x:%x:%llu", pid, &major, &minor, &inode) !=
		    4)
			continue;
		if (inode != file->st_ino || makedev(major, minor) != file->st_dev)
			continue;
		note_holder(d, pid, holder);
		return true;
	}
	return false;
}

void doctor_who_mapped(const struct doctor *d, const struct stat *file, struct doctor_holder *ret)
{
	struct mapped mapped = {file, ret};
	*ret = (struct doctor_holder){0};
	if (!find_locker(d, file, ret))
		(void)doctor_each_process(d, has_mapped, &mapped);
	forgive_root(d, ret);
}

bool doctor_may(const struct doctor *d, const struct stat *st, unsigned int mode)
{
	char line[64];
	_cleanup_free_ char *status = doctor_read_all(d, "/proc/self/status");
	doctor_find_line(status, "CapEff", line, sizeof(line));
	if (strtoull(line, NULL, 16) >> CAP_DAC_OVERRIDE & 1)
		return true;
	unsigned int shift = st->st_uid == d->process.uid ? 6
		: st->st_gid == d->process.gid		  ? 3
							  : 0;
	return (st->st_mode >> shift & mode) == mode;
}
