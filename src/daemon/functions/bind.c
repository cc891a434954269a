// SPDX-License-Identifier: BSD-3-Clause
// Drivers of functions: taken from one, given to another, reset. Any thread, one at a time for a function. A driver is asked for by
// driver_override, which no other driver's probe gets past.
#include "base/cleanup.h"
#include "daemon/functions/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int write_override(
	const struct functions *functions,
	const char *address,
	const char *driver
)
{
	// An empty line clears it.
	return sysfs_device_write(
		functions, address, "driver_override", driver && driver[0] ? driver : "\n"
	);
}

static int read_driver(
	const struct functions *functions,
	const char *address,
	char ret[FUNCTION_DRIVER_SIZE]
)
{
	char path[PATH_MAX];
	int r = sysfs_device_path(functions, path, address, "driver");
	if (!r)
		r = sysfs_read_link(path, ret, FUNCTION_DRIVER_SIZE);
	if (r)
		ret[0] = '\0';
	return r == -ENOENT ? 0 : r;
}

static int probe(const struct functions *functions, const char *address)
{
	char path[PATH_MAX];
	int r = sysfs_path(functions, path, "bus/pci/drivers_probe");
	return r ? r : sysfs_write(functions, path, address);
}

// A parent whose virtual functions are to have no driver by themselves: the kernel then finds none for one that has no
// driver_override, so that is suspended for the moment.
static int probe_any(struct functions *functions, const struct function_info *info)
{
	long wanted = 1;
	if (!info->is_virtual)
		return probe(functions, info->address);
	(void)pthread_mutex_lock(&functions->autoprobe); // It cannot fail.
	(void)sysfs_device_read_number(			 // An old kernel has none: it probes.
		functions,
		info->parent,
		"sriov_drivers_autoprobe",
		&wanted
	);
	int r = 0;
	if (!wanted)
		r = sysfs_device_write(functions, info->parent, "sriov_drivers_autoprobe", "1");
	if (!r)
		r = probe(functions, info->address);
	if (!wanted) {
		int back =
			sysfs_device_write(functions, info->parent, "sriov_drivers_autoprobe", "0");
		r = r ? r : back;
	}
	(void)pthread_mutex_unlock(&functions->autoprobe); // It is ours.
	return r;
}

static int tell_open(
	const struct function_info *info,
	const struct opened_nodes *nodes,
	const char *who,
	struct rwy_err *err
)
{
	(void)err_set(
		err,
		-EBUSY,
		"cannot take function %s from %s: %s has %s open",
		info->address,
		FUNCTION_VFIO,
		who,
		nodes->path[0]
	);
	(void)err_hint(err, "end that process");
	return -EBUSY;
}

// An unbind waits in the kernel until the last user closes it, so nobody may have it open, nor open it meanwhile.
static int unbind(
	struct functions *functions,
	const struct function_info *info,
	struct rwy_err *err
)
{
	struct opened_nodes nodes;
	char who[OPENED_TEXT_SIZE] = "somebody";
	_cleanup_close_ int keep_out = -1;
	if (!info->driver[0])
		return 0;
	if (vfio_nodes(functions, info, &nodes) &&
	    (opened_by(&nodes, who) || opened_keep_out(&nodes, &keep_out)))
		return tell_open(info, &nodes, who, err);
	int r = sysfs_device_write(functions, info->address, "driver/unbind", info->address);
	char driver[FUNCTION_DRIVER_SIZE];
	// Somebody may have done it first.
	if ((!r || r == -ENODEV || r == -ENOENT) &&
	    !read_driver(functions, info->address, driver) && !driver[0])
		return 0;
	r = r ? r : -EIO;
	return err_set(
		err,
		r,
		"cannot take function %s from driver '%s': %s",
		info->address,
		info->driver,
		strerror(-r)
	);
}

static int find_driver(
	const struct functions *functions,
	const char *address,
	const char *driver,
	struct rwy_err *err
)
{
	char path[PATH_MAX];
	if (strlen(driver) >= FUNCTION_DRIVER_SIZE || strpbrk(driver, "/ \n") || driver[0] == '.')
		return err_set(
			err, -EINVAL, "cannot bind function %s: '%s' is no driver", address, driver
		);
	int r = sysfs_path(functions, path, "bus/pci/drivers/%s", driver);
	if (!r && sysfs_is_there(path))
		return 0;
	(void)err_set(
		err,
		-ENOENT,
		"cannot bind function %s: the kernel has no driver '%s'",
		address,
		driver
	);
	(void)err_hint(err, "load it: modprobe %s", driver);
	return -ENOENT;
}

// Gives an unbound function to a driver, or to the one that the kernel chooses.
static int give(
	struct functions *functions,
	const struct function_info *info,
	const char *driver,
	char ret_driver[FUNCTION_DRIVER_SIZE]
)
{
	int r = write_override(functions, info->address, driver);
	if (!r)
		r = driver[0] ? probe(functions, info->address) : probe_any(functions, info);
	// One that stays set keeps every other driver away from a function that is somebody's.
	if (driver[0] && strcmp(driver, FUNCTION_VFIO) != 0)
		(void)write_override(functions, info->address, NULL); // It is bound or not.
	int found = read_driver(functions, info->address, ret_driver);
	return r ? r : found;
}

// As it was: the same driver, or none, and the same driver_override, which the host has set to that driver's name if at all.
static void put_back(struct functions *functions, const struct function_info *info)
{
	char driver[FUNCTION_DRIVER_SIZE];
	// What cannot be put back is told by the failure that it follows.
	if (info->driver[0])
		(void)give(functions, info, info->driver, driver);
	(void)write_override(functions, info->address, info->overridden ? info->driver : NULL);
}

static int tell_refusal(
	const struct function_info *info,
	const char *driver,
	int r,
	struct rwy_err *err
)
{
	if (driver[0])
		(void)err_set(
			err,
			r,
			"cannot bind function %s: driver '%s' does not take it%s%s",
			info->address,
			driver,
			r == -ENODEV ? "" : ": ",
			r == -ENODEV ? "" : strerror(-r)
		);
	else
		(void)err_set(
			err,
			r,
			"cannot bind function %s: no driver of the kernel takes it",
			info->address
		);
	if (!strcmp(driver, FUNCTION_VFIO) && info->iommu_group < 0)
		(void)err_hint(err, "the host has no IOMMU for it");
	else
		(void)err_hint(err, "the kernel's log (dmesg) says why");
	return r;
}

int functions_bind(
	struct functions *functions,
	const char *address,
	const char *driver,
	struct rwy_err *err
)
{
	struct function_info info;
	char now[FUNCTION_DRIVER_SIZE] = "";
	driver = driver ? driver : "";
	int r = functions_get(functions, address, &info, err);
	if (r)
		return r;
	if (driver[0] && !strcmp(info.driver, driver))
		return 0;
	if (!driver[0] && info.driver[0] && strcmp(info.driver, FUNCTION_VFIO) != 0)
		return 0;
	r = driver[0] ? find_driver(functions, info.address, driver, err) : 0;
	if (!r)
		r = unbind(functions, &info, err);
	if (r)
		return r;
	r = give(functions, &info, driver, now);
	if (!r && (driver[0] ? !strcmp(now, driver) : now[0] != '\0'))
		return 0;
	r = r ? r : -ENODEV;
	put_back(functions, &info);
	return tell_refusal(&info, driver, r, err);
}

int functions_set_override(
	struct functions *functions,
	const char *address,
	const char *driver,
	struct rwy_err *err
)
{
	int r = write_override(functions, address, driver);
	if (!r)
		return 0;
	if (r == -ENOENT)
		return err_set(err, -ENODEV, "there is no PCI function '%s'", address);
	return err_set(
		err, r, "cannot set the driver_override of function %s: %s", address, strerror(-r)
	);
}

int functions_unbind(struct functions *functions, const char *address, struct rwy_err *err)
{
	struct function_info info;
	int r = functions_get(functions, address, &info, err);
	if (!r)
		r = unbind(functions, &info, err);
	if (!r && !strcmp(info.driver, FUNCTION_VFIO))
		(void)write_override(functions, info.address, NULL); // It keeps nobody away now.
	return r;
}

// A driver of the kernel takes part in a reset, and not each comes to an end with it.
static int check_reset(
	struct functions *functions,
	const struct function_info *info,
	struct rwy_err *err
)
{
	struct opened_nodes nodes;
	char who[OPENED_TEXT_SIZE];
	if (!info->can_reset) {
		(void)err_set(
			err, -ENOTSUP, "the kernel has no way to reset function %s", info->address
		);
		(void)err_hint(err, "cat /sys/bus/pci/devices/%s/reset_method", info->address);
		return -ENOTSUP;
	}
	if (info->driver[0] && strcmp(info->driver, FUNCTION_VFIO) != 0) {
		(void)err_set(
			err,
			-EBUSY,
			"cannot reset function %s: driver '%s' has it",
			info->address,
			info->driver
		);
		(void)err_hint(err, "unbind it first");
		return -EBUSY;
	}
	if (!vfio_nodes(functions, info, &nodes) || !opened_by(&nodes, who))
		return 0;
	(void)err_set(
		err,
		-EBUSY,
		"cannot reset function %s: %s has %s open",
		info->address,
		who,
		nodes.path[0]
	);
	(void)err_hint(err, "end that process");
	return -EBUSY;
}

int functions_reset(struct functions *functions, const char *address, struct rwy_err *err)
{
	struct function_info info;
	int r = functions_get(functions, address, &info, err);
	if (!r)
		r = check_reset(functions, &info, err);
	if (r)
		return r;
	r = sysfs_device_write(functions, info.address, "reset", "1");
	if (!r)
		return 0;
	return err_set(err, r, "cannot reset function %s: %s", info.address, strerror(-r));
}
