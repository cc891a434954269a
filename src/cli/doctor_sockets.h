// SPDX-License-Identifier: BSD-3-Clause
// Which sockets below a directory somebody listens on, by the kernel's list of sockets. Connecting would tell too, but would be
// taken for a front end. One thread.
#pragma once

#include "cli/doctor_read.h"

struct doctor_sockets {
	size_t all;
	size_t ours;	   // Listened on, with a name that begins with "ringway".
	char first[64];	   // Of those, without ".sock".
	struct strv stale; // Paths, without the root, of those that nobody listens on.
	bool listed;	   // The kernel's list could be read.
};

// At most four directories deep. 0; -ENOENT: no such directory; -EACCES: not for this user, all or a part of it. The caller
// ends *ret with doctor_sockets_fini().
int doctor_find_sockets(const struct doctor *d, const char *dir, struct doctor_sockets *ret);
// Whether somebody in this network namespace listens on the socket that was bound under this name.
bool doctor_is_listened(const struct doctor *d, const char *path);
void doctor_sockets_fini(struct doctor_sockets *sockets);
