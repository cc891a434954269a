// SPDX-License-Identifier: BSD-3-Clause
// Whether a function may be taken: nobody has it, and nobody gets more with it than it. What is true now may not be in a moment:
// who takes it asks again by taking. Any thread.
#include "daemon/functions/internal.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

struct look {
	struct functions *functions;
	const struct function_info *info;
	struct nl_sock *socket;
	size_t interfaces;
	struct rwy_err *err;
};

// What stands on an interface (VLAN, macvlan, ..) is linked as upper_NAME, masters too.
static int check_uppers(struct look *look, const char *dir, const char *name)
{
	char path[PATH_MAX];
	int r = 0;
	int length = snprintf(path, sizeof(path), "%s/%s", dir, name);
	DIR *links = length > 0 && (size_t)length < sizeof(path) ? opendir(path) : NULL;
	if (!links)
		return 0; // It went, which the next question tells.
	for (const struct dirent *entry = readdir(links); !r && entry; entry = readdir(links)) {
		if (strncmp(entry->d_name, "upper_", strlen("upper_")) != 0)
			continue;
		r =
			err_set(look->err,
				-EBUSY,
				"function %s is in use: '%s' is built on its interface '%s'",
				look->info->address,
				entry->d_name + strlen("upper_"),
				name);
		(void)err_hint(look->err, "remove it first, or give another function");
	}
	(void)closedir(links); // Only read.
	return r;
}

static int check_interface(void *arg, const char *dir, const char *name)
{
	struct look *look = arg;
	look->interfaces++;
	int r = uses_check_interface(look->socket, look->info->address, name, look->err);
	return r ? r : check_uppers(look, dir, name);
}

static int check_interfaces(struct look *look)
{
	const struct function_info *info = look->info;
	look->socket = netlink_open(-1, -1, look->err);
	if (!look->socket)
		return look->err ? look->err->code : -EIO;
	int r = nets_each(look->functions, info->address, check_interface, look);
	nl_socket_free(look->socket);
	if (r == -ENOENT) {
		(void)err_set(
			look->err,
			-EBUSY,
			"function %s is in use: driver '%s' has it, which makes no interface",
			info->address,
			info->driver
		);
		(void
		)err_hint(look->err, "unbind it from that driver first, or give another function");
		return -EBUSY;
	}
	if (r || look->interfaces)
		return r;
	return err_set(
		look->err,
		-EBUSY,
		"function %s is in use: its interface is in another network namespace",
		info->address
	);
}

static int check_opened(struct look *look)
{
	struct opened_nodes nodes;
	char who[OPENED_TEXT_SIZE];
	if (!vfio_nodes(look->functions, look->info, &nodes) || !opened_by(&nodes, who))
		return 0;
	(void)err_set(
		look->err,
		-EBUSY,
		"function %s is in use: %s has %s open",
		look->info->address,
		who,
		nodes.path[0]
	);
	(void)err_hint(look->err, "end that process, or give another function");
	return -EBUSY;
}

static int check_driver(struct look *look)
{
	const struct function_info *info = look->info;
	if (!info->driver[0])
		return 0;
	if (!strcmp(info->driver, FUNCTION_VFIO))
		return check_opened(look);
	int r = check_interfaces(look);
	if (r || !info->vfs)
		return r;
	(void)err_set(
		look->err,
		-EBUSY,
		"function %s is in use: it has %u virtual functions, which go with its driver",
		info->address,
		info->vfs
	);
	(void)err_hint(look->err, "give one of those");
	return -EBUSY;
}

static int check_iommu(struct look *look, bool noiommu)
{
	const struct function_info *info = look->info;
	if (info->iommu_group >= 0 && !info->noiommu)
		return 0;
	if (noiommu && (info->noiommu || vfio_allows_noiommu(look->functions)))
		return 0;
	(void)err_set(
		look->err,
		-ENOTSUP,
		"function %s cannot be given to a process: the host has no IOMMU for it%s",
		info->address,
		noiommu ? ", nor does its VFIO run in no-IOMMU mode" : ""
	);
	if (noiommu)
		(void)err_hint(
			look->err,
			"turn the IOMMU on, or: echo 1 >"
			" /sys/module/vfio/parameters/enable_unsafe_noiommu_mode"
		);
	else
		(void)err_hint(
			look->err,
			"turn it on in the firmware and by intel_iommu=on on the kernel's command line;"
			" use vf-kernel; or see --allow-unsafe-noiommu"
		);
	return -ENOTSUP;
}

// Bridges' drivers do no DMA of their own, and VFIO lets them be (vfio.rst, IOMMU groups).
static bool is_harmless(const char *driver)
{
	static const char *const harmless[] = {"", FUNCTION_VFIO, "pcieport", "pci-stub", "shpchp"};
	for (size_t i = 0; i < sizeof(harmless) / sizeof(harmless[0]); i++)
		if (!strcmp(driver, harmless[i]))
			return true;
	return false;
}

static int check_peer(struct look *look, const char *address)
{
	char path[PATH_MAX], driver[FUNCTION_DRIVER_SIZE] = "";
	if (!strcmp(address, look->info->address))
		return 0;
	int r = sysfs_path(
		look->functions,
		path,
		"kernel/iommu_groups/%d/devices/%s/driver",
		look->info->iommu_group,
		address
	);
	if (r || sysfs_read_link(path, driver, sizeof(driver)) || is_harmless(driver))
		return 0;
	(void)err_set(
		look->err,
		-EXDEV,
		"function %s cannot be given away alone: its IOMMU group %d has %s too, which driver '%s'"
		" has",
		look->info->address,
		look->info->iommu_group,
		address,
		driver
	);
	(void
	)err_hint(look->err, "unbind that one, use a slot with isolation (ACS), or use vf-kernel");
	return -EXDEV;
}

static int check_group(struct look *look)
{
	char path[PATH_MAX];
	if (look->info->iommu_group < 0 || look->info->noiommu)
		return 0;
	int r = sysfs_path(
		look->functions, path, "kernel/iommu_groups/%d/devices", look->info->iommu_group
	);
	DIR *dir = r ? NULL : opendir(path);
	if (!dir)
		return 0; // The function has gone, or its group has: taking it will tell.
	for (const struct dirent *entry = readdir(dir); !r && entry; entry = readdir(dir)) {
		if (entry->d_name[0] != '.')
			r = check_peer(look, entry->d_name);
	}
	(void)closedir(dir); // Only read.
	return r;
}

// Of a group one process has all, so one that has another function of it has this one too.
static int check_group_opened(struct look *look)
{
	struct opened_nodes nodes;
	char who[OPENED_TEXT_SIZE];
	struct function_info as_bound = *look->info;
	(void)snprintf(as_bound.driver, sizeof(as_bound.driver), "%s", FUNCTION_VFIO); // It fits.
	if (as_bound.iommu_group < 0 || !vfio_nodes(look->functions, &as_bound, &nodes) ||
	    !opened_by(&nodes, who))
		return 0;
	(void)err_set(
		look->err,
		-EXDEV,
		"function %s cannot be given away alone: %s has another function of its IOMMU group %d",
		look->info->address,
		who,
		look->info->iommu_group
	);
	(void)err_hint(look->err, "end that process, or use a slot with isolation (ACS)");
	return -EXDEV;
}

int functions_check_free(
	struct functions *functions,
	const char *address,
	bool for_vfio,
	bool noiommu,
	struct rwy_err *err
)
{
	struct function_info info;
	struct look look = {.functions = functions, .info = &info, .err = err};
	int r = functions_get(functions, address, &info, err);
	if (!r)
		r = check_driver(&look);
	if (r || !for_vfio)
		return r;
	r = check_iommu(&look, noiommu);
	if (!r)
		r = check_group(&look);
	return r ? r : check_group_opened(&look);
}
