// SPDX-License-Identifier: BSD-3-Clause
// functions.h without a NIC: one parent, 0000:03:00.0 (eth2), whose functions are 0000:03:10.0 and so on. What was done to them is
// kept over restarts of the instance, as a host keeps it.
#pragma once

#include "daemon/functions/functions.h"

#define FAKE_PF "0000:03:00.0"
#define FAKE_FUNCTIONS_MAX 7
#define FAKE_NIC "0000:05:00.0" // A NIC without SR-IOV.

struct fake_function {
	char driver[FUNCTION_DRIVER_SIZE]; // Empty: none is bound.
	bool overridden;
	char interface[FUNCTION_IFNAME_SIZE]; // In the host's namespace.
	char inside[FUNCTION_IFNAME_SIZE];    // In another one, where it was placed.
	struct function_attributes attributes;
	uid_t owner;	  // Of its node.
	bool open;	  // By a process, by VFIO.
	const char *used; // By somebody else: who. NULL: by nobody.
	int numa_node;
	unsigned int resets, binds;
	bool dirty; // Since the last reset somebody had it.
};

struct fake_functions {
	bool absent;		 // functions_open() fails.
	const char *fail;	 // The function that fails, always.
	bool no_iommu;		 // Nothing is for VFIO.
	uint16_t vfs;		 // Of the parent.
	unsigned int counts_set; // How often their number was.
	unsigned int parent_lookups;
	struct fake_function list[FAKE_FUNCTIONS_MAX];
	struct fake_function nic;
	// Called before anything is changed; false: it fails, and nothing is.
	bool (*before_change)(void);
};

extern struct fake_functions fake_functions;

// As a host has them at first: bound to their driver, with an interface and without attributes.
void fake_functions_reset(uint16_t vfs);
// Whether all are as fake_functions_reset() made them, and were reset since somebody had them.
bool fake_function_is_fresh(unsigned int number);
