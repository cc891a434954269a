// SPDX-License-Identifier: BSD-3-Clause
// The test's thread alone.
#include "tests/unit/daemon/functions/tree.h"

#include "tests/lib/unit.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void make_path(struct tree *tree, char ret[PATH_MAX], const char *format, va_list ap)
{
	int used = snprintf(ret, PATH_MAX, "%s/", tree->root);
	assert_true(vsnprintf(ret + used, (size_t)(PATH_MAX - used), format, ap) > 0);
	for (char *slash = strchr(ret + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		assert_true(!mkdir(ret, 0700) || errno == EEXIST);
		*slash = '/';
	}
}

static void write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

void tree_file(struct tree *tree, const char *text, const char *format, ...)
{
	char path[PATH_MAX];
	va_list ap;
	va_start(ap, format);
	make_path(tree, path, format, ap);
	va_end(ap);
	write_text(path, text);
}

void tree_link(struct tree *tree, const char *target, const char *format, ...)
{
	char path[PATH_MAX];
	va_list ap;
	va_start(ap, format);
	make_path(tree, path, format, ap);
	va_end(ap);
	(void)unlink(path); // It may be new.
	assert_int_equal(symlink(target, path), 0);
}

static int remove_one(const char *path, const struct stat *stat, int type, struct FTW *at)
{
	(void)stat;
	(void)type;
	(void)at;
	return remove(path);
}

void tree_remove(struct tree *tree, const char *format, ...)
{
	char path[PATH_MAX];
	va_list ap;
	va_start(ap, format);
	make_path(tree, path, format, ap);
	va_end(ap);
	assert_int_equal(nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

const char *tree_read(struct tree *tree, const char *path)
{
	static char text[64];
	char whole[PATH_MAX];
	(void)snprintf(whole, sizeof(whole), "%s/%s", tree->root, path);
	assert_int_equal(sysfs_read(whole, text, sizeof(text)), 0);
	return text;
}

void tree_bind(struct tree *tree, const char *address, const char *driver)
{
	char target[128];
	(void)snprintf(target, sizeof(target), "../../../bus/pci/drivers/%s", driver);
	tree_link(tree, target, "sys/devices/pci0/%s/driver", address);
}

static bool has(struct tree *tree, const char *format, const char *name)
{
	char path[PATH_MAX];
	int used = snprintf(path, sizeof(path), "%s/", tree->root);
	// NOLINTNEXTLINE(clang-diagnostic-format-nonliteral): the caller's own
	(void)snprintf(path + used, sizeof(path) - (size_t)used, format, name);
	return !access(path, F_OK);
}

static void read_device(struct tree *tree, const char *address, const char *name, char ret[64])
{
	ret[0] = '\0';
	(void)sysfs_device_read(tree->functions, address, name, ret, 64); // Or empty.
}

static void probe(struct tree *tree, const char *address)
{
	char override[64], autoprobe[64] = "1";
	read_device(tree, address, "driver_override", override);
	const char *driver = tree->chosen;
	if (override[0] && strcmp(override, "(null)") != 0)
		driver = override;
	else if (has(tree, "sys/bus/pci/devices/%s/physfn", address))
		read_device(tree, TREE_PF, "sriov_drivers_autoprobe", autoprobe);
	if (driver && !strcmp(autoprobe, "1") &&
	    (!tree->refuses || strcmp(driver, tree->refuses) != 0) &&
	    has(tree, "sys/bus/pci/drivers/%s", driver) &&
	    !has(tree, "sys/bus/pci/devices/%s/driver", address))
		tree_bind(tree, address, driver);
}

// As a kernel: what is written shows when the call returns.
static int act(struct tree *tree, const char *path, const char *device, const char *text)
{
	const char *name = strrchr(path, '/') + 1;
	if (access(path, F_OK) && strcmp(name, "unbind") != 0)
		return -ENOENT;
	if (!strcmp(name, "drivers_probe")) {
		probe(tree, text);
	} else if (!strcmp(name, "unbind")) {
		tree_remove(tree, "sys/devices/pci0/%s/driver", device);
		if (has(tree, "sys/devices/pci0/%s/net", device))
			tree_remove(tree, "sys/devices/pci0/%s/net", device);
	} else if (!strcmp(name, "sriov_numvfs")) {
		long count = strtol(text, NULL, 10);
		if (count &&
		    strcmp(tree_read(tree, "sys/bus/pci/devices/" TREE_PF "/sriov_numvfs"), "0") !=
			    0)
			return -EBUSY; // The kernel's, where there are some.
		char made[16];
		(void
		)snprintf(made, sizeof(made), "%ld\n", count < tree->makes ? count : tree->makes);
		write_text(path, made);
	} else if (strcmp(name, "reset") != 0) {
		write_text(path, text);
	}
	return 0;
}

static int take_write(void *arg, const char *path, const char *text)
{
	struct tree *tree = arg;
	const char *at = path + strlen(tree->functions->sysfs) + 1;
	const char *name = strrchr(path, '/') + 1;
	char device[32] = "";
	size_t used = strlen(tree->log);
	if (!strncmp(at, "bus/pci/devices/", strlen("bus/pci/devices/"))) {
		at += strlen("bus/pci/devices/");
		(void)snprintf(device, sizeof(device), "%.12s", at);
	} else {
		at = name;
	}
	(void)snprintf(
		tree->log + used,
		sizeof(tree->log) - used,
		"%s=%s ",
		at,
		strcmp(text, "\n") != 0 ? text : ""
	);
	if (tree->fails && !strcmp(tree->fails, name) && !tree->fails_after--)
		return tree->error;
	return act(tree, path, device, text);
}

void tree_open(struct tree *tree)
{
	char sys[80], dev[80];
	*tree = (struct tree){.root = "/tmp/ringway-functions-XXXXXX", .makes = 4};
	assert_non_null(mkdtemp(tree->root));
	(void)snprintf(sys, sizeof(sys), "%s/sys", tree->root);
	(void)snprintf(dev, sizeof(dev), "%s/dev", tree->root);
	const struct functions_config config = {.sysfs = sys, .dev = dev};
	assert_int_equal(functions_open(&config, &tree->functions, NULL), 0);
	tree->functions->write = take_write;
	tree->functions->write_arg = tree;
}

void tree_close(struct tree *tree)
{
	functions_close(tree->functions);
	assert_int_equal(nftw(tree->root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}

void tree_add_device(struct tree *tree, const char *address, int group, const char *driver)
{
	char target[128];
	(void)snprintf(target, sizeof(target), "../../../devices/pci0/%s", address);
	tree_link(tree, target, "sys/bus/pci/devices/%s", address);
	tree_file(tree, "0x8086\n", "sys/devices/pci0/%s/vendor", address);
	tree_file(tree, "0x10ca\n", "sys/devices/pci0/%s/device", address);
	tree_file(tree, "-1\n", "sys/devices/pci0/%s/numa_node", address);
	tree_file(tree, "(null)\n", "sys/devices/pci0/%s/driver_override", address);
	tree_file(tree, "", "sys/devices/pci0/%s/reset", address);
	if (driver)
		tree_bind(tree, address, driver);
	if (group < 0)
		return;
	(void)snprintf(target, sizeof(target), "../../../kernel/iommu_groups/%d", group);
	tree_link(tree, target, "sys/devices/pci0/%s/iommu_group", address);
	(void)snprintf(target, sizeof(target), "../../../../devices/pci0/%s", address);
	tree_link(tree, target, "sys/kernel/iommu_groups/%d/devices/%s", group, address);
}

void tree_add_interface(struct tree *tree, const char *address, const char *name)
{
	char target[128];
	tree_file(tree, "7\n", "sys/devices/pci0/%s/net/%s/ifindex", address, name);
	tree_link(tree, "../..", "sys/devices/pci0/%s/net/%s/device", address, name);
	(void)snprintf(target, sizeof(target), "../../devices/pci0/%s/net/%s", address, name);
	tree_link(tree, target, "sys/class/net/%s", name);
}

void tree_add_nic(struct tree *tree)
{
	static const char *const vfs[] = {TREE_VF0, TREE_VF1};
	static const char *const drivers[] = {"igb", "igbvf", "vfio-pci", "e1000"};
	for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
		tree_file(tree, "", "sys/bus/pci/drivers/%s/bind", drivers[i]);
	tree_file(tree, "", "sys/bus/pci/drivers_probe");
	tree_add_device(tree, TREE_PF, 19, "igb");
	tree_add_interface(tree, TREE_PF, "eth9");
	tree_file(tree, "2\n", "sys/devices/pci0/" TREE_PF "/sriov_numvfs");
	tree_file(tree, "4\n", "sys/devices/pci0/" TREE_PF "/sriov_totalvfs");
	tree_file(tree, "1\n", "sys/devices/pci0/" TREE_PF "/sriov_drivers_autoprobe");
	for (int i = 0; i < 2; i++) {
		char target[32];
		tree_add_device(tree, vfs[i], 20 + i, "igbvf");
		(void)snprintf(target, sizeof(target), "../%s", vfs[i]);
		tree_link(tree, target, "sys/devices/pci0/" TREE_PF "/virtfn%d", i);
		tree_link(tree, "../" TREE_PF, "sys/devices/pci0/%s/physfn", vfs[i]);
	}
	tree->chosen = "igbvf";
}
