// SPDX-License-Identifier: BSD-3-Clause
// Small files of sysfs, read and written whole. What they say of a device may be gone at the next moment, so each call
// stands alone. No state.
#include "base/cleanup.h"
#include "daemon/functions/internal.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int sysfs_path(const struct functions *functions, char ret[PATH_MAX], const char *format, ...)
{
	va_list ap;
	int used = snprintf(ret, PATH_MAX, "%s/", functions->sysfs);
	if (used < 0 || used >= PATH_MAX)
		return -ENAMETOOLONG;
	va_start(ap, format);
	int more = vsnprintf(ret + used, (size_t)(PATH_MAX - used), format, ap);
	va_end(ap);
	return more < 0 || more >= PATH_MAX - used ? -ENAMETOOLONG : 0;
}

int sysfs_device_path(
	const struct functions *functions,
	char ret[PATH_MAX],
	const char *address,
	const char *name
)
{
	return sysfs_path(functions, ret, "bus/pci/devices/%s/%s", address, name);
}

int sysfs_read(const char *path, char *ret, size_t size)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	size_t used = 0;
	while (used < size) {
		ssize_t got = read(fd, ret + used, size - used);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	if (used == size)
		return -ENAMETOOLONG;
	while (used && isspace((unsigned char)ret[used - 1]))
		used--;
	ret[used] = '\0';
	return 0;
}

int sysfs_read_number(const char *path, long *ret)
{
	char text[32];
	char *end;
	int r = sysfs_read(path, text, sizeof(text));
	if (r)
		return r;
	errno = 0;
	long value = strtol(text, &end, 0);
	if (errno || end == text || *end)
		return -EINVAL;
	*ret = value;
	return 0;
}

int sysfs_read_link(const char *path, char *ret, size_t size)
{
	char target[PATH_MAX];
	ssize_t length = readlink(path, target, sizeof(target));
	if (length < 0)
		return -errno;
	if ((size_t)length == sizeof(target))
		return -ENAMETOOLONG;
	target[length] = '\0';
	const char *slash = strrchr(target, '/');
	const char *last = slash ? slash + 1 : target;
	if (!last[0])
		return -EINVAL;
	if (strlen(last) >= size)
		return -ENAMETOOLONG;
	memcpy(ret, last, strlen(last) + 1);
	return 0;
}

bool sysfs_is_there(const char *path)
{
	return !access(path, F_OK);
}

int sysfs_write(const struct functions *functions, const char *path, const char *text)
{
	return functions->write(functions->write_arg, path, text);
}

int sysfs_device_read(
	const struct functions *functions,
	const char *address,
	const char *name,
	char *ret,
	size_t size
)
{
	char path[PATH_MAX];
	int r = sysfs_device_path(functions, path, address, name);
	return r ? r : sysfs_read(path, ret, size);
}

int sysfs_device_read_number(
	const struct functions *functions,
	const char *address,
	const char *name,
	long *ret
)
{
	char path[PATH_MAX];
	int r = sysfs_device_path(functions, path, address, name);
	return r ? r : sysfs_read_number(path, ret);
}

int sysfs_device_write(
	const struct functions *functions,
	const char *address,
	const char *name,
	const char *text
)
{
	char path[PATH_MAX];
	int r = sysfs_device_path(functions, path, address, name);
	return r ? r : sysfs_write(functions, path, text);
}
