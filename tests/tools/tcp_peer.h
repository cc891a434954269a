// SPDX-License-Identifier: BSD-3-Clause
// The TCP peer: one station of a network on a vhost-user port, which answers ARP, ICMP echo and TCP over IPv4. One thread.
#pragma once

#include "tests/lib/front.h"
#include "tests/tools/tcp.h"

#include <stdbool.h>
#include <stdint.h>

struct peer_options {
	const char *socket;
	uint8_t mac[6];
	uint32_t ip;
	uint16_t sink_port, source_port;
	uint64_t bytes; // The source's; TCP_ENDLESS without --bytes and --send.
	uint32_t mtu;
	uint32_t window;
	uint32_t ring;
	const char *send_path; // NULL: no matter what.
	const char *save_path; // NULL: nowhere.
	bool no_offloads;
	bool busy;
	bool once;
};

struct peer {
	const struct peer_options *options;
	struct front *front;
	bool asks_csum, asks_tso; // Negotiated.
	struct tcp tcp;
	const uint8_t *content; // What is sent; NULL: whatever lies in the buffers.
	int save_fd;		// -1: nowhere.
	uint64_t now_ns;
	uint16_t ip_id;
	bool is_done; // --once: the connection has ended.
	bool failed;  // And not well.
	// Frames.
	uint64_t received, sent, bad, echoes;
};

// tcp_peer_options.c: 0; prints and returns an exit code above 0 otherwise.
int peer_options_read(int argc, char **argv, struct peer_options *ret_options);

// tcp_peer_net.c: a frame that came. What is not for us, or not sound, is passed over; a wrong checksum counts as bad.
void net_input(
	struct peer *peer,
	const uint8_t *frame,
	uint32_t size,
	const struct frame_offload *offload
);
// struct tcp_ops: puts it into the transmit ring.
bool net_send(void *ctx, const struct tcp_segment *segment);
