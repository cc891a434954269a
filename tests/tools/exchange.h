// SPDX-License-Identifier: BSD-3-Clause
// What the exchange program was asked to do, and the Ethernet port it does it with.
#pragma once

#include "tests/tools/frame.h"

#include <stdbool.h>
#include <stdint.h>

enum exchange_mode {
	MODE_SEND,
	MODE_RECV,
	MODE_BOTH,
	MODE_LISTEN,
	MODE_COUNT
};

struct exchange_options {
	enum exchange_mode mode;
	uint8_t peer[6];
	bool has_peer;
	bool handshake;
	uint64_t frames;
	uint32_t size;
	uint32_t burst;
	uint64_t rate;	 // Frames a second; 0: as fast as the ring takes them.
	uint64_t window; // Frames in the air; 0: any number.
	uint32_t idle_s; // Ends after so long without progress.
	uint32_t wait_s; // And after so long without a peer.
	uint32_t
		linger_s; // Keeps the port for so long after the result, or until it is told to end.
	uint16_t port;
	uint16_t ports; // listen: that many, from port on.
	uint16_t queues;
};

// argc and argv as rte_eal_init() left them. Returns 0 or -EINVAL after a message on stderr.
int exchange_parse(int argc, char **argv, struct exchange_options *ret_options);

#define LINK_BURST 64
#define LINKS_MAX 32

struct rte_mbuf;
struct rte_mempool;

// One transmit queue. Frames wait in pending while the ring is full.
struct link_queue {
	struct rte_mbuf *pending[LINK_BURST];
	uint16_t pending_count;
};

// One DPDK port. With several queue pairs data frames take turns among them, each queue's a flow of its own.
struct link_port {
	uint16_t port;
	uint8_t mac[6];
	struct rte_mempool *pool;
	uint16_t queues;
	struct link_queue queue[TALLY_LANES_MAX];
	uint64_t sent;			    // Frames that the rings took.
	uint64_t received[TALLY_LANES_MAX]; // By queue.
};

// Starts the port. Returns 0 or a negative errno after a message on stderr.
int link_open(struct link_port *link, uint16_t port, const struct exchange_options *options);
void link_close(struct link_port *link);

// Room for this many frames more, whatever their queue.
uint16_t link_room(const struct link_port *link);
// Puts one frame in the queue; false when there is no room or no buffer.
bool link_queue(struct link_port *link, const struct frame_head *head, uint32_t size);
// Whether nothing waits.
bool link_is_empty(const struct link_port *link);
// Offers what is queued to the rings. Returns how many they took.
uint16_t link_flush(struct link_port *link);

// Calls visit with each received frame of one burst of each queue. Returns how many there were.
typedef void link_visit(void *arg, const uint8_t *bytes, uint32_t size);
uint16_t link_receive(struct link_port *link, link_visit *visit, void *arg);
