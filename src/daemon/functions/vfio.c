// SPDX-License-Identifier: BSD-3-Clause
// The device nodes that VFIO gives a function's user. A node is never followed anywhere else: it is looked at, and changed, by one
// descriptor. Any thread.
#include "base/cleanup.h"
#include "daemon/functions/internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NODE_WAIT_MS 1000
#define NODE_TURN_MS 10

static int write_path(
	const struct functions *functions,
	const struct function_info *info,
	char *ret,
	size_t size
)
{
	int length = snprintf(
		ret,
		size,
		"%s/vfio/%s%d",
		functions->dev,
		info->noiommu ? "noiommu-" : "",
		info->iommu_group
	);
	return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

// The node of the function alone, where the kernel has those.
static void find_own_node(
	const struct functions *functions,
	const char *address,
	char ret[PATH_MAX]
)
{
	char path[PATH_MAX];
	ret[0] = '\0';
	DIR *dir = sysfs_device_path(functions, path, address, "vfio-dev") ? NULL : opendir(path);
	if (!dir)
		return;
	for (const struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
		if (strncmp(entry->d_name, "vfio", strlen("vfio")) != 0)
			continue;
		int length = snprintf(
			ret, PATH_MAX, "%s/vfio/devices/%s", functions->dev, entry->d_name
		);
		if (length < 0 || length >= PATH_MAX)
			ret[0] = '\0';
	}
	(void)closedir(dir); // Only read.
}

bool vfio_nodes(
	const struct functions *functions,
	const struct function_info *info,
	struct opened_nodes *ret
)
{
	ret->path[0][0] = ret->path[1][0] = '\0';
	if (strcmp(info->driver, FUNCTION_VFIO) != 0)
		return false;
	if (info->iommu_group >= 0 &&
	    write_path(functions, info, ret->path[0], sizeof(ret->path[0])))
		ret->path[0][0] = '\0';
	find_own_node(functions, info->address, ret->path[1]);
	return ret->path[0][0] || ret->path[1][0];
}

bool vfio_allows_noiommu(const struct functions *functions)
{
	char path[PATH_MAX], value[8];
	return !sysfs_path(functions, path, "module/vfio/parameters/enable_unsafe_noiommu_mode") &&
		!sysfs_read(path, value, sizeof(value)) && (value[0] == 'Y' || value[0] == '1');
}

int functions_vfio_path(
	struct functions *functions,
	const char *address,
	char ret_path[FUNCTION_PATH_SIZE],
	struct rwy_err *err
)
{
	struct function_info info;
	int r = functions_get(functions, address, &info, err);
	if (r)
		return r;
	if (info.iommu_group < 0) {
		(void)err_set(
			err,
			-ENOTSUP,
			"function %s has no IOMMU group, so VFIO has no device for it",
			info.address
		);
		(void
		)err_hint(err, "turn the host's IOMMU on, or bind it to " FUNCTION_VFIO " first");
		return -ENOTSUP;
	}
	r = write_path(functions, &info, ret_path, FUNCTION_PATH_SIZE);
	return r ? err_set(err, r, "the path of function %s's device is too long", info.address)
		 : 0;
}

static int open_node(const char *path)
{
	for (int waited = 0;; waited += NODE_TURN_MS) {
		int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0 || errno != ENOENT || waited >= NODE_WAIT_MS)
			return fd < 0 ? -errno : fd;
		(void)usleep(NODE_TURN_MS * 1000); // A shorter wait does no harm.
	}
}

// Nobody but the owner, before there is another one.
static int own_node(int fd, uid_t uid, gid_t gid)
{
	struct stat stat;
	char path[64];
	if (fstat(fd, &stat))
		return -errno;
	if (!S_ISCHR(stat.st_mode))
		return -ENOTTY;
	// fchmod() takes no descriptor of this kind.
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd); // It fits.
	if (chmod(path, 0600))
		return -errno;
	return fchownat(fd, "", uid, gid, AT_EMPTY_PATH) ? -errno : 0;
}

int functions_vfio_own(
	struct functions *functions,
	const char *address,
	uid_t uid,
	gid_t gid,
	struct rwy_err *err
)
{
	char path[FUNCTION_PATH_SIZE];
	int r = functions_vfio_path(functions, address, path, err);
	if (r)
		return r;
	_cleanup_close_ int fd = open_node(path);
	r = fd < 0 ? fd : own_node(fd, uid, gid);
	if (!r)
		return 0;
	(void)err_set(
		err,
		r,
		"cannot give '%s' of function %s to user %u: %s",
		path,
		address,
		(unsigned int)uid,
		r == -ENOTTY ? "it is no device" : strerror(-r)
	);
	if (r == -ENOENT)
		(void)err_hint(err, "is the function bound to " FUNCTION_VFIO "?");
	return r;
}

bool functions_vfio_is_open(struct functions *functions, const char *address)
{
	struct function_info info;
	struct opened_nodes nodes;
	char who[OPENED_TEXT_SIZE];
	return !functions_get(functions, address, &info, NULL) &&
		vfio_nodes(functions, &info, &nodes) && opened_by(&nodes, who);
}
