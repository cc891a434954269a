// SPDX-License-Identifier: BSD-3-Clause
// Checks of NICs with SR-IOV: how many functions there are, who drives each, whose it is. One thread.
#include "cli/doctor_pci.h"

#include "base/cleanup.h"
#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

#define PCI_DIR "/sys/bus/pci/devices"

void doctor_pci_get(const struct doctor *d, const char *address, struct pci_device *ret)
{
	_cleanup_strv_ struct strv interfaces = {0};
	char class[READ_LINE_SIZE];
	*ret = (struct pci_device){0};
	(void
	)snprintf(ret->address, sizeof(ret->address), "%s", address); // The kernel's are short.
	doctor_read_link(d, ret->driver, sizeof(ret->driver), PCI_DIR "/%s/driver", address);
	doctor_read_link(d, ret->group, sizeof(ret->group), PCI_DIR "/%s/iommu_group", address);
	doctor_read_link(d, ret->parent, sizeof(ret->parent), PCI_DIR "/%s/physfn", address);
	(void
	)doctor_list(d, &interfaces, PCI_DIR "/%s/net", address); // None without a network driver.
	if (interfaces.count)
		(void)snprintf(ret->interface, sizeof(ret->interface), "%s", interfaces.items[0]);
	(void)doctor_read(d, class, sizeof(class), PCI_DIR "/%s/class", address);
	ret->network = strncmp(class, "0x02", 4) == 0;
	ret->vfs_max = doctor_read_number(d, 0, PCI_DIR "/%s/sriov_totalvfs", address);
	ret->vfs = doctor_read_number(d, 0, PCI_DIR "/%s/sriov_numvfs", address);
}

bool doctor_pci_is_given(const struct pci_device *device)
{
	return strcmp(device->driver, "vfio-pci") == 0 || strncmp(device->driver, "uio_", 4) == 0 ||
		strcmp(device->driver, "igb_uio") == 0;
}

json_t *doctor_pci_owner(const struct doctor *d, const char *address, const char **ret_network)
{
	size_t i, j;
	json_t *network, *function;
	json_array_foreach(d->daemon.networks, i, network)
	{
		json_t *functions = json_object_get(network, "functions");
		json_array_foreach(functions, j, function)
		{
			if (strcmp(cli_member(function, "address"), address) != 0)
				continue;
			*ret_network = cli_member(network, "name");
			return function;
		}
		// An uplink names its device, with or without the domain and arguments.
		const char *uplink = cli_member(network, "uplink");
		const char *short_address =
			strncmp(address, "0000:", 5) == 0 ? address + 5 : address;
		size_t length = strcspn(uplink, ",");
		if (length &&
		    ((strlen(address) == length && strncmp(uplink, address, length) == 0) ||
		     (strlen(short_address) == length && strncmp(uplink, short_address, length) == 0
		     ))) {
			*ret_network = cli_member(network, "name");
			return network;
		}
	}
	return NULL;
}

void doctor_pci_node(
	const struct doctor *d,
	const struct pci_device *device,
	char ret[PCI_NAME_SIZE]
)
{
	bool unsafe = doctor_exists(d, "/dev/vfio/noiommu-%s", device->group);
	(void)snprintf(
		ret, PCI_NAME_SIZE, "/dev/vfio/%s%.20s", unsafe ? "noiommu-" : "", device->group
	); // Numbers fit.
}

static void say_function(
	const struct doctor *d,
	const struct pci_device *vf,
	long long number,
	struct doctor_result *result
)
{
	const char *network = "";
	json_t *owner = doctor_pci_owner(d, vf->address, &network);
	const char *port = cli_member(owner, "port");
	doctor_detail(
		result,
		"%s function %lld: %s%s%s%s%s, %s%s%s%s",
		vf->address,
		number,
		vf->driver[0] ? vf->driver : "no driver",
		vf->interface[0] ? " " : "",
		vf->interface,
		vf->group[0] ? ", group " : "",
		vf->group,
		owner			     ? "network "
			: d->daemon.networks ? "no network's"
					     : "whose is not known",
		network,
		port[0] ? ", port " : "",
		port
	);
}

static void say_parent(
	const struct doctor *d,
	const struct pci_device *pf,
	struct doctor_result *result
)
{
	size_t bound = 0;
	for (long long i = 0; i < pf->vfs; i++) {
		char address[PCI_NAME_SIZE];
		struct pci_device vf;
		doctor_read_link(
			d, address, sizeof(address), PCI_DIR "/%s/virtfn%lld", pf->address, i
		);
		if (!address[0])
			continue;
		doctor_pci_get(d, address, &vf);
		bound += doctor_pci_is_given(&vf);
		say_function(d, &vf, i, result);
	}
	doctor_saw(
		result,
		DOCTOR_OK,
		"%s (%s%s%s): %lld of %lld functions, %zu of them for a process",
		pf->address,
		pf->interface[0] ? pf->interface : "no interface here",
		pf->driver[0] ? ", " : "",
		pf->driver,
		pf->vfs,
		pf->vfs_max,
		bound
	);
	if (pf->interface[0] || pf->driver[0])
		return;
	doctor_saw(
		result,
		DOCTOR_WARNING,
		"%s has no driver, and without one no functions",
		pf->address
	);
	doctor_advise(result, "let the kernel choose one:");
	doctor_command(result, "echo %s > /sys/bus/pci/drivers_probe", pf->address);
}

static void judge_none(const struct doctor *d, size_t cards, struct doctor_result *result)
{
	doctor_saw(
		result,
		doctor_lack(d, DOCTOR_SRIOV),
		"%zu network card%s, none with SR-IOV",
		cards,
		cards == 1 ? "" : "s"
	);
	if (d->uses & DOCTOR_SRIOV)
		doctor_advise(
			result,
			"turn SR-IOV on in the firmware and in the card's own settings, or use another card; a virtual machine: QEMU's -device igb, or sockets instead of functions"
		);
}

static void check_sriov(const struct doctor *d, struct doctor_result *result)
{
	_cleanup_strv_ struct strv addresses = {0};
	size_t cards = 0, parents = 0;
	(void)doctor_list(d, &addresses, PCI_DIR); // No PCI: no card.
	for (size_t i = 0; i < addresses.count; i++) {
		struct pci_device device;
		doctor_pci_get(d, addresses.items[i], &device);
		cards += device.network && !device.parent[0];
		if (device.vfs_max <= 0)
			continue;
		parents++;
		say_parent(d, &device, result);
	}
	if (parents == 0)
		judge_none(d, cards, result);
}

const struct doctor_check doctor_pci_checks[] = {
	{"sriov", "NICs with SR-IOV, and their functions", true, false, DOCTOR_ALL, check_sriov},
	{0},
};
