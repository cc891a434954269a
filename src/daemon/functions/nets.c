// SPDX-License-Identifier: BSD-3-Clause
// The interfaces of a function: below net/ of its directory, or of its virtio device's. sysfs shows those of the namespace that it was
// mounted in, so an empty net/ is one whose interface is elsewhere. No state.
#include "daemon/functions/internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

// Where net/ of the function is. -ENOENT.
static int find_dir(const struct functions *functions, const char *address, char ret[PATH_MAX])
{
	char device[PATH_MAX];
	int r = sysfs_device_path(functions, ret, address, "net");
	if (r || sysfs_is_there(ret))
		return r;
	r = sysfs_device_path(functions, device, address, "");
	DIR *dir = r ? NULL : opendir(device);
	if (!dir)
		return r ? r : -errno;
	r = -ENOENT;
	for (const struct dirent *entry = readdir(dir); r && entry; entry = readdir(dir)) {
		if (strncmp(entry->d_name, "virtio", strlen("virtio")) != 0)
			continue;
		int length = snprintf(ret, PATH_MAX, "%s%s/net", device, entry->d_name);
		if (length > 0 && length < PATH_MAX && sysfs_is_there(ret))
			r = 0;
	}
	(void)closedir(dir); // Only read.
	return r;
}

int nets_each(const struct functions *functions, const char *address, nets_visit *visit, void *arg)
{
	char path[PATH_MAX];
	int r = find_dir(functions, address, path);
	if (r)
		return r;
	DIR *dir = opendir(path);
	if (!dir)
		return -errno;
	for (const struct dirent *entry = readdir(dir); !r && entry; entry = readdir(dir)) {
		if (entry->d_name[0] != '.' && strlen(entry->d_name) < FUNCTION_IFNAME_SIZE)
			r = visit(arg, path, entry->d_name);
	}
	(void)closedir(dir); // Only read.
	return r;
}

static int read_attribute(const char *dir, const char *name, const char *attribute, char ret[32])
{
	char path[PATH_MAX];
	int length = snprintf(path, sizeof(path), "%s/%s/%s", dir, name, attribute);
	return length < 0 || (size_t)length >= sizeof(path) ? -ENAMETOOLONG
							    : sysfs_read(path, ret, 32);
}

// The physical function's side of a virtual one or of a sub-function, "pf0vf3", "c1pf0sf2": kernel's documentation,
// networking/representors.
static bool is_representor(const char *dir, const char *name)
{
	char port[32];
	if (read_attribute(dir, name, "phys_port_name", port))
		return false; // A driver without such names fails with EOPNOTSUPP.
	const char *pf = strstr(port, "pf");
	if (!pf || !isdigit((unsigned char)pf[2]))
		return false;
	pf += 2 + strspn(pf + 2, "0123456789");
	return !strncmp(pf, "vf", 2) || !strncmp(pf, "sf", 2);
}

static unsigned long read_order(const char *dir, const char *name, const char *attribute)
{
	char text[32];
	return read_attribute(dir, name, attribute, text) ? 0 : strtoul(text, NULL, 0);
}

struct first {
	char *name;
	unsigned long port, ifindex;
};

static int choose(void *arg, const char *dir, const char *name)
{
	struct first *first = arg;
	if (is_representor(dir, name))
		return 0;
	unsigned long port = read_order(dir, name, "dev_port");
	unsigned long ifindex = read_order(dir, name, "ifindex");
	if (first->name[0] &&
	    (port > first->port || (port == first->port && ifindex >= first->ifindex)))
		return 0;
	(void)snprintf(first->name, FUNCTION_IFNAME_SIZE, "%s", name); // nets_each() has looked.
	first->port = port;
	first->ifindex = ifindex;
	return 0;
}

int nets_find(
	const struct functions *functions,
	const char *address,
	char ret[FUNCTION_IFNAME_SIZE]
)
{
	char name[FUNCTION_IFNAME_SIZE] = "";
	struct first first = {.name = name};
	int r = nets_each(functions, address, choose, &first);
	if (r || !name[0])
		return r ? r : -ENOENT;
	memcpy(ret, name, sizeof(name));
	return 0;
}
