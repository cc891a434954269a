// SPDX-License-Identifier: BSD-3-Clause
// A vhost-user connection from the inside: what its handlers change. Control thread.
#pragma once

#include "vhost/channel.h"
#include "vhost/memory.h"
#include "vhost/queue.h"
#include "vhost/vhost.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct vhost_conn {
	struct channel channel;
	struct vhost_conn_config config;
	const struct vhost_conn_ops *ops;
	void *ctx;
	uint64_t features;
	uint64_t protocol_features;
	bool has_features; // SET_FEATURES came.
	bool quiesced;	   // By the message at hand.
	bool grown;	   // A ring came alive by the message at hand.
	atomic_bool memory_lost;
	struct memory *memory; // NULL: none yet.
	unsigned int queue_count;
	struct queue queue[]; // [queue_count]
};
