// SPDX-License-Identifier: BSD-3-Clause
// PCI devices as sysfs has them, and whose they are by ringwayd's word. One thread.
#pragma once

#include "cli/doctor_read.h"

#define PCI_NAME_SIZE 64

struct pci_device {
	char address[PCI_NAME_SIZE];
	char driver[PCI_NAME_SIZE];    // Empty: none.
	char interface[PCI_NAME_SIZE]; // In this network namespace; empty: none.
	char group[PCI_NAME_SIZE];     // The IOMMU's; empty: none.
	char parent[PCI_NAME_SIZE];    // Of a virtual function; empty: it is none.
	bool network;		       // A network card, by its class.
	long long vfs, vfs_max;	       // 0 and 0: no SR-IOV.
};

void doctor_pci_get(const struct doctor *d, const char *address, struct pci_device *ret);
// Bound to a driver that hands a device to a process.
bool doctor_pci_is_given(const struct pci_device *device);
// The function's entry and its network's name in what ringwayd said; NULL: no network has it.
json_t *doctor_pci_owner(const struct doctor *d, const char *address, const char **ret_network);
// The node of the device's IOMMU group, whether it is there or not.
void doctor_pci_node(
	const struct doctor *d,
	const struct pci_device *device,
	char ret[PCI_NAME_SIZE]
);
