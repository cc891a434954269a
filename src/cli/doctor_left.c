// SPDX-License-Identifier: BSD-3-Clause
// Checks of what ended processes left: sockets, functions bound to vfio-pci, hugepage files and run directories of DPDK
// applications. Nothing is removed here. One thread.
#include "base/cleanup.h"
#include "cli/doctor_engine.h"
#include "cli/doctor_pci.h"
#include "cli/doctor_sockets.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COMMAND_WORDS 6 // Paths in one command.

// "rm -r A B", quoted for a shell, of the first few.
static void advise_removal(
	const struct strv *paths,
	const char *program,
	struct doctor_result *result
)
{
	_cleanup_strv_ struct strv words = {0};
	for (size_t i = 0; i < paths->count && i < COMMAND_WORDS; i++)
		strv_add(&words, paths->items[i]);
	_cleanup_free_ char *quoted = strv_quote(&words);
	doctor_command(result, "%s -- %s", program, quoted ? quoted : "");
}

static void say_paths(const struct strv *paths, struct doctor_result *result)
{
	for (size_t i = 0; i < paths->count; i++)
		doctor_detail(result, "%s", paths->items[i]);
}

static void check_sockets(const struct doctor *d, struct doctor_result *result)
{
	struct doctor_sockets own, plugins;
	int r = doctor_find_sockets(d, d->run_dir, &own);
	// Other plugins' sockets are not ours to judge.
	(void)doctor_find_sockets(d, DOCTOR_PLUGINS, &plugins);
	for (size_t i = 0; i < plugins.stale.count; i++)
		if (strstr(plugins.stale.items[i], "/ringway"))
			strv_add(&own.stale, plugins.stale.items[i]);
	if (!own.listed)
		doctor_saw(result, DOCTOR_UNKNOWN, "/proc/net/unix cannot be read");
	else if (own.stale.count) {
		doctor_saw(
			result,
			DOCTOR_WARNING,
			"nobody listens on %zu socket%s of ringwayd's",
			own.stale.count,
			own.stale.count == 1 ? "" : "s"
		);
		say_paths(&own.stale, result);
		doctor_advise(
			result, "ringwayd replaces its own when it starts; without it remove them:"
		);
		advise_removal(&own.stale, "rm", result);
	} else if (r == -EACCES)
		doctor_saw(
			result,
			DOCTOR_UNKNOWN,
			"not all of %s may be read by this user: run doctor as root",
			d->run_dir
		);
	else
		doctor_saw(
			result,
			DOCTOR_OK,
			"none: somebody listens on each of %zu sockets of %s",
			own.all,
			d->run_dir
		);
	doctor_sockets_fini(&own);
	doctor_sockets_fini(&plugins);
}

// Who has the function's group open; "" for nobody.
static void find_user(
	const struct doctor *d,
	const struct pci_device *device,
	struct doctor_holder *ret
)
{
	char node[PCI_NAME_SIZE];
	*ret = (struct doctor_holder){0};
	if (!device->group[0])
		return;
	doctor_pci_node(d, device, node);
	doctor_who_opened(d, node, ret);
}

struct left_functions {
	size_t given, left, unsure;
	char first[PCI_NAME_SIZE];
};

static void judge_function(
	const struct doctor *d,
	const struct pci_device *device,
	struct left_functions *found,
	struct doctor_result *result
)
{
	struct doctor_holder user;
	const char *network = "";
	found->given++;
	find_user(d, device, &user);
	if (doctor_pci_owner(d, device->address, &network)) {
		doctor_detail(
			result, "%s: %s, network %s", device->address, device->driver, network
		);
		return;
	}
	if (user.pid[0]) {
		doctor_detail(
			result,
			"%s: %s, process %s (%s) has it open",
			device->address,
			device->driver,
			user.pid,
			user.name
		);
		return;
	}
	// Without ringwayd's word a function may be a stopped container's.
	if (!d->daemon.networks || user.hidden) {
		found->unsure++;
		doctor_detail(
			result,
			"%s: %s, %s",
			device->address,
			device->driver,
			d->daemon.networks ? "only root sees who has it open"
					   : "whose it is ringwayd would know"
		);
		return;
	}
	if (found->left++ == 0)
		memcpy(found->first, device->address, sizeof(found->first));
	doctor_detail(
		result, "%s: %s, no network's, nobody has it open", device->address, device->driver
	);
}

static void check_functions(const struct doctor *d, struct doctor_result *result)
{
	_cleanup_strv_ struct strv addresses = {0};
	struct left_functions found = {0};
	(void)doctor_list(d, &addresses, "/sys/bus/pci/devices"); // No PCI: none.
	for (size_t i = 0; i < addresses.count; i++) {
		struct pci_device device;
		doctor_pci_get(d, addresses.items[i], &device);
		if (device.network && doctor_pci_is_given(&device))
			judge_function(d, &device, &found, result);
	}
	if (found.left) {
		doctor_saw(
			result,
			DOCTOR_WARNING,
			"bound to vfio-pci or uio for nobody: %zu of %zu network functions",
			found.left,
			found.given
		);
		doctor_advise(
			result,
			"give each back to the kernel's driver, when no one of yours waits for it:"
		);
		doctor_command(
			result,
			"(cd /sys/bus/pci/devices/%s && echo > driver_override && echo %s > driver/unbind && echo %s > /sys/bus/pci/drivers_probe)",
			found.first,
			found.first,
			found.first
		);
	} else if (found.unsure)
		doctor_saw(
			result,
			DOCTOR_UNKNOWN,
			"%zu network functions are bound to vfio-pci or uio",
			found.unsure
		);
	else
		doctor_saw(
			result,
			DOCTOR_OK,
			found.given ? "none: each of %zu has an owner"
				    : "none is bound to vfio-pci or uio",
			found.given
		);
}

// EAL's names of hugepage files: the prefix, "map_" and a number.
static bool is_map_name(const char *name)
{
	const char *at = strstr(name, "map_");
	size_t digits = at ? strspn(at + 4, "0123456789") : 0;
	return digits && at[4 + digits] == '\0';
}

static void judge_file(
	const struct doctor *d,
	const char *path,
	const struct stat *st,
	struct strv *left,
	size_t *hidden
)
{
	struct doctor_holder user;
	doctor_who_mapped(d, st, &user);
	if (user.pid[0])
		return;
	if (user.hidden)
		*hidden += 1;
	else
		strv_add(left, path);
}

static void look_at_mount(
	const struct doctor *d,
	const char *dir,
	struct strv *left,
	size_t counts[3]
)
{
	_cleanup_strv_ struct strv names = {0};
	if (doctor_list(d, &names, "%s", dir) == -EACCES)
		counts[1]++;
	for (size_t i = 0; i < names.count; i++) {
		struct stat st;
		_cleanup_free_ char *path = NULL;
		if (!is_map_name(names.items[i]) ||
		    asprintf(&path, "%s/%s", dir, names.items[i]) < 0 ||
		    doctor_stat(d, &st, "%s", path))
			continue;
		counts[0]++;
		judge_file(d, path, &st, left, &counts[2]);
	}
}

// Names what is left, if anything, and how to remove it.
static void advise_all(
	const struct strv *left,
	const char *advice,
	const char *program,
	struct doctor_result *result
)
{
	if (!left->count)
		return;
	say_paths(left, result);
	doctor_advise(result, "%s", advice);
	advise_removal(left, program, result);
}

static void check_files(const struct doctor *d, struct doctor_result *result)
{
	_cleanup_strv_ struct strv left = {0};
	size_t counts[3] = {
		0}; // Files, directories that are closed to us, files that are not known.
	_cleanup_free_ char *text = doctor_read_all(d, "/proc/self/mounts");
	char *rest = text;
	for (char *line = text ? strsep(&rest, "\n") : NULL; line; line = strsep(&rest, "\n")) {
		char where[READ_LINE_SIZE], kind[32];
		if (sscanf(line, "%*s %255s %31s", where, kind) == 2 &&
		    strcmp(kind, "hugetlbfs") == 0)
			look_at_mount(d, where, &left, counts);
	}
	if (left.count)
		doctor_saw(
			result,
			DOCTOR_WARNING,
			"nobody maps %zu of %zu hugepage files of DPDK applications: their pages are lost",
			left.count,
			counts[0]
		);
	else if (counts[1] || counts[2])
		doctor_saw(
			result, DOCTOR_UNKNOWN, "only root sees all of hugetlbfs and who maps it"
		);
	else
		doctor_saw(result, DOCTOR_OK, "none, of %zu hugepage files", counts[0]);
	advise_all(&left, "remove what no application of yours shares:", "rm", result);
}

// A running application maps its "config" (EAL's shared configuration).
static void look_at_runtime(
	const struct doctor *d,
	const char *dir,
	struct strv *left,
	size_t counts[3]
)
{
	_cleanup_strv_ struct strv names = {0};
	if (doctor_list(d, &names, "%s", dir) == -EACCES)
		counts[1]++;
	for (size_t i = 0; i < names.count; i++) {
		struct stat st;
		_cleanup_free_ char *path = NULL;
		if (doctor_stat(d, &st, "%s/%s/config", dir, names.items[i]) ||
		    asprintf(&path, "%s/%s", dir, names.items[i]) < 0)
			continue;
		counts[0]++;
		judge_file(d, path, &st, left, &counts[2]);
	}
}

// Where EAL makes run directories: root's, and those of users (XDG_RUNTIME_DIR, or /tmp).
static void check_runtime(const struct doctor *d, struct doctor_result *result)
{
	_cleanup_strv_ struct strv left = {0};
	_cleanup_strv_ struct strv users = {0};
	size_t counts[3] = {0};
	look_at_runtime(d, "/run/dpdk", &left, counts);
	look_at_runtime(d, "/tmp/dpdk", &left, counts);
	(void)doctor_list(d, &users, "/run/user"); // Not everywhere.
	for (size_t i = 0; i < users.count; i++) {
		_cleanup_free_ char *dir = NULL;
		if (asprintf(&dir, "/run/user/%s/dpdk", users.items[i]) >= 0)
			look_at_runtime(d, dir, &left, counts);
	}
	if (left.count)
		doctor_saw(
			result,
			DOCTOR_WARNING,
			"%zu of %zu run directories are of applications that ended",
			left.count,
			counts[0]
		);
	else if (counts[1] || counts[2])
		doctor_saw(
			result,
			DOCTOR_UNKNOWN,
			"only root sees all run directories and who uses them"
		);
	else
		doctor_saw(result, DOCTOR_OK, "none, of %zu run directories", counts[0]);
	advise_all(&left, "they are of no use any more:", "rm -r", result);
}

const struct doctor_check doctor_left_checks[] = {
	{"left-sockets", "sockets that nobody listens on", true, false, DOCTOR_ALL, check_sockets},
	{"left-functions",
	 "functions that are bound to vfio-pci for nobody",
	 true,
	 false,
	 DOCTOR_ALL,
	 check_functions},
	{"left-hugepages",
	 "hugepage files that no process maps",
	 true,
	 true,
	 DOCTOR_ALL,
	 check_files},
	{"left-runtime",
	 "run directories of DPDK applications that ended",
	 true,
	 true,
	 DOCTOR_ALL,
	 check_runtime},
	{0},
};
