// SPDX-License-Identifier: BSD-3-Clause
// A host for `ringway doctor` that is a directory: files, links and sockets that a test puts there. Any thread, one at a time.
#pragma once

#include "cli/doctor.h"

struct doctor_tree {
	char *root;
	struct doctor d; // Its root; tests set the rest.
	struct doctor_result result;
};

// An x86 host without anything; processes of root, which may call all that there is.
void tree_make(struct doctor_tree *tree);
void tree_free(struct doctor_tree *tree);

// Make the directories on the way too.
void tree_file(struct doctor_tree *tree, const char *path, const char *text);
void tree_link(struct doctor_tree *tree, const char *path, const char *target);
void tree_socket(struct doctor_tree *tree, const char *path);
void tree_mode(struct doctor_tree *tree, const char *path, unsigned int mode);
void tree_remove(struct doctor_tree *tree, const char *path);
// The kernel's line about a mapping of this file, for /proc/PID/maps.
void tree_map(struct doctor_tree *tree, const char *pid, const char *path);
// A PCI device of this class and driver ("": none).
void tree_pci(struct doctor_tree *tree, const char *address, const char *class, const char *driver);

// Runs a check. Fails the test unless it has this status, `seen` is a part of what was seen or of a detail, and `todo` of an
// advice or its command (NULL: there is no advice).
void tree_expect(
	struct doctor_tree *tree,
	const char *id,
	enum doctor_status status,
	const char *seen,
	const char *todo
);
