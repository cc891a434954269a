// SPDX-License-Identifier: BSD-3-Clause
// The network namespaces of endpoints' containers. After a killed engine no call tells that a container is gone; the
// mount of its namespace does.
#pragma once

#include <stdbool.h>

struct docker;

// Whether a namespace is mounted at path. A cheap system call.
bool sandbox_is_there(const char *path);

// Removes the ports whose namespace was there once and is gone. Without any lock held; sync thread.
void sandbox_check(struct docker *docker);
