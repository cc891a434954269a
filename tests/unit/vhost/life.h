// SPDX-License-Identifier: BSD-3-Clause
// A port in its life: front end, connection, keeper and saved session, all running, and what a front end may do then. One
// thread.
#pragma once

#include "tests/unit/vhost/rig.h"

#include <stdbool.h>
#include <stdint.h>

#define LIFE_FEATURES                                                                           \
	(VHOST_FEATURE_VERSION_1 | VHOST_FEATURE_MRG_RXBUF | VHOST_FEATURE_RING_INDIRECT_DESC | \
	 VHOST_FEATURE_PROTOCOL_FEATURES)
#define LIFE_PROTOCOLS                                                                     \
	(PROTOCOL_MQ | PROTOCOL_REPLY_ACK | PROTOCOL_CONFIGURE_MEM_SLOTS | PROTOCOL_RARP | \
	 PROTOCOL_NET_MTU | PROTOCOL_RESET_DEVICE)
// Frames that lie in the rings, where a scene has some, and the worker's burst.
#define LIFE_FRAMES 10
#define LIFE_BURST 4

struct life {
	struct rig rig;
	struct keeper keeper;
	struct vhost_conn_config config;
	struct vhost_state *state;
	int fd; // Another descriptor of the connection.
	unsigned int fds_before;
	int extra_fd; // An eventfd to send.
	uint32_t base;
};

// One thing that a front end does, from a running port on.
struct scene {
	const char *name;
	void (*prepare)(struct life *life); // Dealt with before.
	void (*send)(struct life *life);    // What the process dies of.
	void (*finish)(struct life *life);  // Sent when another one has taken over.
	bool frames;			    // Frames lie in the rings meanwhile.
	bool replies;
};

// One for each message, and more.
extern const struct scene scenes[];
extern const unsigned int scene_count;

// A running port, prepared for the scene.
void life_init(struct life *life, const struct scene *scene, uint64_t features);
// Fails the test when descriptors or mappings are left.
void life_fini(struct life *life);

// Lets the connection come to rest, and the keeper take what it sent.
void life_pump(struct life *life);

// The worker: moves every frame that the front end sent back into its receive ring.
void life_move_frames(struct rig *rig);
