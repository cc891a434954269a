// SPDX-License-Identifier: BSD-3-Clause
// The frame generator: one thread on one CPU that is every station of a network at once. A lane is one
// queue pair of one port; what a lane is made of (a vhost-user front end's rings, a kernel interface) is
// behind struct lane_ops. Frames lie ready in their buffers, so sending is publishing.
#pragma once

#include "bench/gen/cycles.h"

#include <stdbool.h>
#include <stdint.h>

#define GEN_MAC_SIZE 6
#define GEN_FRAME_MIN 64
#define GEN_FRAME_MAX 65536
// A frame's virtio-net header lies right in front of its first byte, which begins a cache line.
#define GEN_HEADROOM 64

// What stamped frames carry, after the UDP header.
#define STAMP_OFFSET 48
#define STAMP_MAGIC 0xb5u
enum stamp_kind {
	STAMP_NONE,
	STAMP_OUT,
	STAMP_BACK
};
struct stamp {
	uint64_t cycles; // When it was sent.
	uint32_t seq;	 // Of its sender.
	uint16_t sender; // Lane.
	uint8_t kind;
	uint8_t magic;
};

enum gen_pattern {
	GEN_PAIRS, // 0 -> 1, 2 -> 3, ..
	GEN_RING,  // Each to the next one.
	GEN_STAR,  // 0 to all others in turn.
	GEN_PATTERN_COUNT
};

struct gen_config {
	const char *ports_path;
	uint32_t frame_size; // Without check sequence.
	uint32_t ring_size;
	uint32_t queue_pairs;
	uint32_t rx_buffer; // Bytes of a frame in one receive buffer.
	uint32_t
		busy; // Ports that exchange frames, the first ones; the others are connected and quiet.
	enum gen_pattern pattern;
	bool both_ways;
	bool packed;
	bool tso;
	bool round_trip;
	bool steps; // Wait for a line on standard input before and after the measurement.
	int cpu;
	double seconds;
	double warm_seconds;
	double rate;	     // Frames/s of all senders together.
	uint32_t read_every; // Paced: which received frames are looked at.
	uint32_t wakes;	     // Idle: single frames.
	uint32_t flooder;    // Its frames go to everybody: the number of a port, from 1. 0: none.
	double gap_ms;	     // Idle: rest before each.
};

struct lane;

// Called with a received frame's first bytes before its buffer goes back.
typedef void lane_visit(void *ctx, struct lane *lane, const uint8_t *data);

struct lane_ops {
	// Takes back what was sent; how many frames may be sent now.
	uint32_t (*room)(struct lane *lane);
	// The bytes of the frame that is to be sent `ahead` frames from now.
	uint8_t *(*slot)(struct lane *lane, uint32_t ahead);
	// Sends the next frames, at most room(). Returns how many went.
	uint32_t (*send)(struct lane *lane, uint32_t count);
	// Takes all that was received and gives the buffers back; counts in lane->received. visit may be NULL.
	// Returns the number of frames.
	uint32_t (*receive)(struct lane *lane, lane_visit *visit, void *ctx);
};

struct lane {
	const struct lane_ops *ops;
	void *impl;
	uint32_t index;
	uint32_t port;
	uint32_t peer;	// Port that it sends to first.
	uint32_t burst; // Frames that are worth a turn.
	// Frames.
	uint64_t sent;
	uint64_t accepted; // Sent, and taken by the switch.
	uint64_t received;
	uint64_t received_bytes;
	uint64_t kicks;
	// Paced.
	uint64_t offered; // Due so far.
	uint64_t missed;  // Due when the ring had no room.
	uint32_t seq;
	uint32_t seq_seen; // Of the peer.
	uint64_t disorder; // Frames with a number that is not above the one before.
	uint32_t pending_count;
	struct stamp *pending; // To be sent back.
};

struct port {
	char path[108]; // Of the socket, or the interface's name.
	bool is_kernel;
	uint8_t mac[GEN_MAC_SIZE];
	void *impl;
};

struct gen {
	struct gen_config config;
	double hz;
	uint32_t port_count;
	struct port *port;
	uint32_t lane_count; // Of the busy ports: queue_pairs each.
	struct lane *lane;
	uint32_t sender_count;
	struct lane **sender;
	uint32_t header_size; // Negotiated with the last port; 0: kernel interfaces.
	uint64_t features;
	uint64_t turns;
	uint64_t spare_cycles; // Spent waiting on purpose: what the generator had left.
};

// frame.c: fills a frame in: Ethernet, IPv4, and UDP or, for segmentation, TCP. `flow` goes into the source port.
void frame_fill(uint8_t *frame, const struct gen *gen, uint32_t from, uint32_t to, uint16_t flow);
// Which port the frame in this slot goes to.
uint32_t frame_peer(const struct gen *gen, uint32_t from, uint32_t slot);
// The virtio-net header of a frame (10 bytes), as the configuration asks for it.
void frame_header(uint8_t *header, const struct gen *gen);

// ports.c: the list of ports, lanes, who sends. Each: 0, or a negative errno after saying why.
int ports_read(struct gen *gen);
int ports_open(struct gen *gen);
void ports_close(struct gen *gen);

// vhost_port.c: connects, negotiates and starts a port; fills in its lanes unless that is NULL.
int vhost_port_open(struct gen *gen, uint32_t index, struct lane *lanes);
void vhost_port_close(struct port *port);
// vhost_lane.c, packed_lane.c
extern const struct lane_ops split_ops;
extern const struct lane_ops packed_ops;

// kernel_port.c: the same over an AF_PACKET socket.
int kernel_port_open(struct gen *gen, uint32_t index, struct lane *lanes);
void kernel_port_close(struct port *port);

// run.c: what all modes begin with: every busy port is heard once, so that addresses are known.
int run_hello(struct gen *gen);
// Says that a step is reached and waits for a line, meanwhile calling turn(). No-op without --steps.
void run_step(struct gen *gen, const char *event, void (*turn)(struct gen *gen));
void run_print_common(const struct gen *gen, const char *mode);

// The modes. 0 or a negative errno after saying why.
int mode_throughput(struct gen *gen);
int mode_paced(struct gen *gen);
int mode_idle(struct gen *gen);

// Says on standard error what went wrong; returns code.
int gen_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
