// SPDX-License-Identifier: BSD-3-Clause
// What a PCI function is, read anew each time. Whatever of it goes while it is read shows as missing. Any thread.
#include "base/cleanup.h"
#include "daemon/functions/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define THREAD_NETNS "/proc/thread-self/ns/net"

static int write_file(void *arg, const char *path, const char *text)
{
	(void)arg;
	_cleanup_close_ int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	// The kernel takes one write for one value.
	ssize_t written = write(fd, text, strlen(text));
	if (written < 0)
		return -errno;
	return (size_t)written == strlen(text) ? 0 : -EIO;
}

static int copy_path(char ret[PATH_MAX], const char *path, struct rwy_err *err)
{
	int length = snprintf(ret, PATH_MAX, "%s", path);
	if (length > 0 && length < PATH_MAX && path[0] == '/')
		return 0;
	return err_set(err, -EINVAL, "cannot use '%s': it is no absolute path", path);
}

int functions_open(
	const struct functions_config *config,
	struct functions **ret,
	struct rwy_err *err
)
{
	struct functions *functions = calloc(1, sizeof(*functions));
	if (!functions)
		return err_set(err, -ENOMEM, "cannot open the host's functions: no memory");
	functions->home_netns = -1;
	(void)pthread_mutex_init(&functions->autoprobe, NULL); // It cannot fail.
	int r = copy_path(functions->sysfs, config->sysfs, err);
	if (!r)
		r = copy_path(functions->dev, config->dev, err);
	functions->write = write_file;
	if (!r)
		functions->home_netns = open(THREAD_NETNS, O_RDONLY | O_CLOEXEC);
	if (!r && functions->home_netns < 0)
		r = err_set(err, -errno, "cannot open '%s': %s", THREAD_NETNS, strerror(errno));
	if (r) {
		functions_close(functions);
		return r;
	}
	*ret = functions;
	return 0;
}

void functions_close(struct functions *functions)
{
	if (!functions)
		return;
	fd_close(&functions->home_netns);
	(void)pthread_mutex_destroy(&functions->autoprobe); // Nobody holds it.
	free(functions);
}

static int read_link(
	const struct functions *functions,
	const char *address,
	const char *name,
	char *ret,
	size_t size
)
{
	char path[PATH_MAX];
	int r = sysfs_device_path(functions, path, address, name);
	return r ? r : sysfs_read_link(path, ret, size);
}

static void read_group(
	const struct functions *functions,
	const char *address,
	struct function_info *info
)
{
	char group[16], path[PATH_MAX], name[32];
	char *end;
	info->iommu_group = -1;
	if (read_link(functions, address, "iommu_group", group, sizeof(group)))
		return;
	unsigned long number = strtoul(group, &end, 10);
	if (*end || number > INT32_MAX)
		return;
	info->iommu_group = (int)number;
	// The kernel's VFIO makes a group of its own where there is no IOMMU, and names it.
	info->noiommu = !sysfs_path(functions, path, "kernel/iommu_groups/%s/name", group) &&
		!sysfs_read(path, name, sizeof(name)) && !strcmp(name, "vfio-noiommu");
}

static bool is_vf(
	const struct functions *functions,
	const char *parent,
	unsigned int number,
	const char *address
)
{
	char name[32], target[FUNCTION_ADDRESS_SIZE];
	(void)snprintf(name, sizeof(name), "virtfn%u", number); // It fits.
	return !read_link(functions, parent, name, target, sizeof(target)) &&
		!strcmp(target, address);
}

static void read_parent(
	const struct functions *functions,
	const char *address,
	struct function_info *info
)
{
	if (read_link(functions, address, "physfn", info->parent, sizeof(info->parent)))
		return;
	for (unsigned int i = 0; i < FUNCTION_VFS_MAX; i++) {
		if (!is_vf(functions, info->parent, i, address))
			continue;
		info->is_virtual = true;
		info->number = (uint16_t)i;
		return;
	}
	// It is going: a number that is not its own would be another function's.
	info->parent[0] = '\0';
}

static void read_counts(
	const struct functions *functions,
	const char *address,
	struct function_info *info
)
{
	long count, max;
	if (sysfs_device_read_number(functions, address, "sriov_totalvfs", &max) ||
	    sysfs_device_read_number(functions, address, "sriov_numvfs", &count) || max < 0 ||
	    max > UINT16_MAX || count < 0 || count > max)
		return;
	info->vfs = (uint16_t)count;
	info->vfs_max = (uint16_t)max;
}

static uint16_t read_id(const struct functions *functions, const char *address, const char *name)
{
	long id;
	if (sysfs_device_read_number(functions, address, name, &id) || id < 0 || id > UINT16_MAX)
		return 0;
	return (uint16_t)id;
}

static void read_override(
	const struct functions *functions,
	const char *address,
	struct function_info *info
)
{
	char override[FUNCTION_DRIVER_SIZE];
	int r = sysfs_device_read(
		functions, address, "driver_override", override, sizeof(override)
	);
	info->overridden = !r && override[0] && strcmp(override, "(null)") != 0;
}

// The RDMA device is the function's child, or says which interface it belongs to.
static void read_rdma(struct functions *functions, const char *address, struct function_info *info)
{
	if (rdma_find(functions, address, info->interface, info->rdma))
		info->rdma[0] = '\0';
}

int functions_get(
	struct functions *functions,
	const char *address,
	struct function_info *ret,
	struct rwy_err *err
)
{
	struct function_info info = {0};
	char path[PATH_MAX];
	long node;
	int r = address_parse(address, info.address);
	if (r)
		return err_set(err, r, "'%s' is no PCI address, such as 0000:03:10.2", address);
	address = info.address;
	info.vendor = read_id(functions, address, "vendor");
	info.device = read_id(functions, address, "device");
	read_parent(functions, address, &info);
	read_counts(functions, address, &info);
	if (read_link(functions, address, "driver", info.driver, sizeof(info.driver)))
		info.driver[0] = '\0';
	read_override(functions, address, &info);
	read_group(functions, address, &info);
	r = sysfs_device_read_number(functions, address, "numa_node", &node);
	info.numa_node = r || node < 0 || node > INT32_MAX ? -1 : (int)node;
	if (nets_find(functions, address, info.interface))
		info.interface[0] = '\0';
	read_rdma(functions, address, &info);
	info.can_reset =
		!sysfs_device_path(functions, path, address, "reset") && sysfs_is_there(path);
	// Last, so that one that went meanwhile is not taken for one that has little.
	if (sysfs_device_path(functions, path, address, "vendor") || !sysfs_is_there(path))
		return err_set(err, -ENODEV, "there is no PCI function '%s'", address);
	*ret = info;
	return 0;
}
