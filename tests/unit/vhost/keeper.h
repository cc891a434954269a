// SPDX-License-Identifier: BSD-3-Clause
// Stands for ringwayd: keeps copies of a connection's descriptors, which reach it by a socket, so that what a process sent
// before it died still comes. One thread.
#pragma once

#include "vhost/vhost.h"

struct keeper {
	int sock[2]; // The connection's end, and the keeper's.
	uint32_t count;
	struct vhost_kept kept[VHOST_KEPT_MAX];
};

void keeper_init(struct keeper *keeper);
void keeper_fini(struct keeper *keeper);

// What the connection's ops do. 0 or -EAGAIN.
int keeper_keep(const struct keeper *keeper, const struct vhost_kept *kept, uint32_t count);
void keeper_drop(const struct keeper *keeper, const uint32_t *ids, uint32_t count);

// Takes what was sent. Fails the test for a number that is kept twice, or dropped and not kept.
void keeper_drain(struct keeper *keeper);
// Copies of all, which are the caller's.
uint32_t keeper_copy(const struct keeper *keeper, struct vhost_kept *ret_kept);
