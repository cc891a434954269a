// SPDX-License-Identifier: BSD-3-Clause
// Raises front ends' call eventfds. The counter is the front end's as well: it can fill it and take O_NONBLOCK away, so a
// write(2) may wait for as long as it likes. A raise by the kernel does not wait: a full counter stays full. Made by
// the control thread at start, used by its worker.
#pragma once

struct call_ring;

// NULL with errno: this system has no asynchronous I/O (io_setup(2)), or no more of it.
struct call_ring *call_ring_new(void);
// Accepts NULL.
void call_ring_free(struct call_ring *ring);

// Raises an eventfd by one, without waiting. 0, -EINVAL: it is none, or another negative errno: not done.
int call_raise(struct call_ring *ring, int fd);
