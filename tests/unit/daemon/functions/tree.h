// SPDX-License-Identifier: BSD-3-Clause
// A tree like sysfs's in a temporary directory, and what a kernel does when somebody writes to it. The test's thread alone. What
// is wrong with the tree itself ends the test at once.
#pragma once

#include "daemon/functions/internal.h"

#define TREE_LOG_SIZE 2048

struct tree {
	char root[64]; // Below it sys/ and dev/.
	struct functions *functions;
	char log[TREE_LOG_SIZE]; // What was written, in order: "FILE=TEXT " each, "DEVICE/FILE" for a device's.
	const char *chosen;	  // The driver that the kernel has for any function; NULL: none.
	const char *refuses;	  // A driver that takes no function.
	const char *fails;	  // A file whose writing fails, by its last part, ..
	int error;		  // .. with this negative errno ..
	unsigned int fails_after; // .. after so many times that it did not.
	long makes;		  // The most virtual functions that the kernel makes.
};

void tree_open(struct tree *tree);
void tree_close(struct tree *tree);
// The path is one below the tree's root. Directories on the way are made.
void tree_file(struct tree *tree, const char *text, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void tree_link(struct tree *tree, const char *target, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void tree_remove(struct tree *tree, const char *format, ...) __attribute__((format(printf, 2, 3)));
// The text of a file.
const char *tree_read(struct tree *tree, const char *path);

#define TREE_PF "0000:03:00.0"
#define TREE_VF0 "0000:03:10.0"
#define TREE_VF1 "0000:03:10.1"

// A physical function, driver "igb", interface "eth9", up to 4 virtual ones, of which there are two: driver "igbvf", IOMMU
// groups 20 and 21. Drivers igb, igbvf, vfio-pci and e1000 are there, and `chosen` is igbvf.
void tree_add_nic(struct tree *tree);
// Another device, in an IOMMU group (-1: none), with a driver (NULL: none).
void tree_add_device(struct tree *tree, const char *address, int group, const char *driver);
// Names below DEVICE/net/.
void tree_add_interface(struct tree *tree, const char *address, const char *name);
void tree_bind(struct tree *tree, const char *address, const char *driver);
