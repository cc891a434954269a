// SPDX-License-Identifier: BSD-3-Clause
// Physical functions: the one that a user means, its virtual ones, and how many there are. Any thread, one at a time for a
// parent.
#include "base/cleanup.h"
#include "daemon/functions/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_interface_name(const char *text)
{
	return text[0] && strlen(text) < FUNCTION_IFNAME_SIZE && !strpbrk(text, "/: \t\n") &&
		strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

// The PCI function whose driver made the interface, perhaps by a bus of its own in between (virtio).
static int find_of_interface(
	const struct functions *functions,
	const char *name,
	char ret[FUNCTION_ADDRESS_SIZE],
	struct rwy_err *err
)
{
	char path[PATH_MAX];
	int r = sysfs_path(functions, path, "class/net/%s", name);
	if (r || !sysfs_is_there(path))
		return err_set(err, -ENODEV, "there is no interface '%s'", name);
	r = sysfs_path(functions, path, "class/net/%s/device", name);
	_cleanup_free_ char *real = r ? NULL : realpath(path, NULL);
	for (char *slash = real ? strrchr(real, '/') : NULL; slash; slash = strrchr(real, '/')) {
		if (!address_parse(slash + 1, ret))
			return 0;
		*slash = '\0';
	}
	return err_set(err, -EINVAL, "interface '%s' belongs to no PCI function", name);
}

static int judge_parent(const struct function_info *info, const char *text, struct rwy_err *err)
{
	if (info->is_virtual) {
		(void)err_set(
			err,
			-EINVAL,
			"'%s' is a virtual function (number %u of %s), which has none of its own",
			text,
			info->number,
			info->parent
		);
		(void)err_hint(err, "give its parent, %s", info->parent);
		return -EINVAL;
	}
	if (info->vfs_max)
		return 0;
	(void)err_set(
		err,
		-EINVAL,
		"'%s' (%s, driver '%s') cannot have virtual functions: it has no SR-IOV",
		text,
		info->address,
		info->driver[0] ? info->driver : "none"
	);
	(void)err_hint(
		err, "give another NIC, or turn SR-IOV on in the firmware's and the NIC's settings"
	);
	return -EINVAL;
}

int functions_find_parent(
	struct functions *functions,
	const char *text,
	struct function_info *ret,
	struct rwy_err *err
)
{
	char address[FUNCTION_ADDRESS_SIZE];
	struct function_info info;
	if (address_parse(text, address)) {
		if (!is_interface_name(text)) {
			(void)err_set(
				err, -ENODEV, "'%s' is neither an interface nor a PCI address", text
			);
			(void)err_hint(err, "give one such as eth2 or 0000:03:00.0");
			return -ENODEV;
		}
		int found = find_of_interface(functions, text, address, err);
		if (found) {
			(void)err_hint(
				err,
				"`ip link` and `lspci -D` show what there is, or give its PCI address"
			);
			return found;
		}
	}
	int r = functions_get(functions, address, &info, err);
	if (!r)
		r = judge_parent(&info, text, err);
	if (!r)
		*ret = info;
	return r;
}

int functions_list_vfs(
	struct functions *functions,
	const char *parent,
	char (*ret)[FUNCTION_ADDRESS_SIZE],
	size_t *ret_count,
	struct rwy_err *err
)
{
	char path[PATH_MAX], name[32];
	size_t count = 0;
	int r = sysfs_device_path(functions, path, parent, "vendor");
	if (r || !sysfs_is_there(path))
		return err_set(err, -ENODEV, "there is no PCI function '%s'", parent);
	for (; count < FUNCTION_VFS_MAX; count++) {
		(void)snprintf(name, sizeof(name), "virtfn%zu", count); // It fits.
		r = sysfs_device_path(functions, path, parent, name);
		if (r || sysfs_read_link(path, ret[count], FUNCTION_ADDRESS_SIZE))
			break;
	}
	*ret_count = count;
	return 0;
}

static int check_vfs(
	struct functions *functions,
	const struct function_info *info,
	struct rwy_err *err
)
{
	char vfs[FUNCTION_VFS_MAX][FUNCTION_ADDRESS_SIZE];
	size_t count = 0;
	int r = functions_list_vfs(functions, info->address, vfs, &count, err);
	for (size_t i = 0; !r && i < count; i++) {
		r = functions_check_free(functions, vfs[i], false, false, err);
		if (r == -ENODEV)
			r = 0;
		if (r && err)
			(void)err_prefix(
				err, "cannot change how many functions %s has: ", info->address
			);
	}
	return r;
}

static int read_count(struct functions *functions, const char *parent, long *ret)
{
	return sysfs_device_read_number(functions, parent, "sriov_numvfs", ret);
}

// The kernel's way from one count to another is by way of 0.
static int write_count(struct functions *functions, const char *parent, uint16_t count)
{
	char text[16];
	long now = 0;
	int r = read_count(functions, parent, &now);
	if (r || now == count)
		return r;
	if (now)
		r = sysfs_device_write(functions, parent, "sriov_numvfs", "0");
	(void)snprintf(text, sizeof(text), "%u", count); // It fits.
	if (!r && count)
		r = sysfs_device_write(functions, parent, "sriov_numvfs", text);
	if (!r)
		r = read_count(functions, parent, &now);
	// Some drivers make fewer and say nothing.
	return r || now == count ? r : -ERANGE;
}

static int tell_count(const struct function_info *info, uint16_t count, int r, struct rwy_err *err)
{
	(void)err_set(
		err,
		r,
		"cannot set the number of virtual functions of %s to %u: %s",
		info->address,
		count,
		r == -ERANGE ? "its driver made another number" : strerror(-r)
	);
	if (r == -ENOENT)
		(void)err_hint(
			err,
			"its driver, '%s', makes none: bind the NIC's own",
			info->driver[0] ? info->driver : "none"
		);
	else if (r == -EBUSY)
		(void)err_hint(err, "some are in use, perhaps by a virtual machine");
	else if (r == -ENOMEM || r == -ENOSPC)
		(void
		)err_hint(err, "the firmware left too little room for them: pci=realloc may help");
	return r;
}

int functions_set_count(
	struct functions *functions,
	const char *parent,
	uint16_t count,
	struct rwy_err *err
)
{
	struct function_info info;
	int r = functions_get(functions, parent, &info, err);
	if (!r)
		r = judge_parent(&info, parent, err);
	if (r || info.vfs == count)
		return r;
	if (count > info.vfs_max || count > FUNCTION_VFS_MAX) {
		unsigned int max =
			info.vfs_max < FUNCTION_VFS_MAX ? info.vfs_max : FUNCTION_VFS_MAX;
		(void
		)err_set(err, -EINVAL, "%s cannot have %u virtual functions", info.address, count);
		(void)err_hint(err, "it can have %u at most", max);
		return -EINVAL;
	}
	if (info.vfs) {
		r = check_vfs(functions, &info, err);
		if (r)
			return r;
	}
	r = write_count(functions, info.address, count);
	if (!r)
		return 0;
	// What the kernel does not let be put back, the count tells.
	(void)write_count(functions, info.address, info.vfs);
	return tell_count(&info, count, r, err);
}
