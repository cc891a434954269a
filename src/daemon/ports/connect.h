// SPDX-License-Identifier: BSD-3-Clause
// Sockets of others, that ports connect to. Any thread.
#pragma once

// Connects to the stream socket at `path`, an absolute one without symbolic links: whoever may write a directory on the way must not lead
// us to another socket than was asked for, as we may open all of them. Never waits. A non-blocking descriptor, -ELOOP for
// a link on the way, or another negative errno.
int socket_connect(const char *path);
