// SPDX-License-Identifier: BSD-3-Clause
// What the tests of TAPs share: a switch with two front ends and a TAP of two queues, which are socket pairs. They keep frames
// apart as a TAP does; their other ends are the kernel's part. One thread.
#pragma once

#include "switch/trunk.h"
#include "tests/unit/packet/maker.h"
#include "tests/unit/packet/oracle.h"
#include "tests/unit/switch/rig.h"

#define HEADER 12
#define ROOM (HEADER + FRAME_SIZE_MAX + 2)

static const uint8_t mac_a[MAC_SIZE] = {2, 0, 0, 0, 0, 0xa};
static const uint8_t mac_b[MAC_SIZE] = {2, 0, 0, 0, 0, 0xb};
static const uint8_t mac_k[MAC_SIZE] = {2, 0, 0, 0, 1, 1};

// a and b, and a TAP with two queues behind which k and l are. a can send large frames with requests.
struct tap_scene {
	struct rig *rig;
	struct rig_end *a, *b;
	struct drv_ring *from;
	struct vring back;
	struct port *trunk;
	int peer[2];
};

// Every frame is a call of its own from now on, as where there is no io_uring.
extern bool tap_without_batches;

// A cmocka set-up. The TAP accepts all requests, or none.
int tap_set_up(void **state);
int tap_set_up_plain(void **state);
int tap_tear_down(void **state);

// A frame of 60 bytes whose tag rig_receive() returns.
void tap_make_plain(uint8_t *frame, const uint8_t *to, const uint8_t *from, uint8_t tag);
// A TCP frame, with a segmentation request where gso_size is not 0. The caller's.
struct made *tap_make_tcp(
	const uint8_t *to,
	const uint8_t *from,
	uint16_t gso_size,
	uint32_t payload
);

// Sends from a, through the switch.
void tap_send(
	struct tap_scene *s,
	const struct frame_offload *offload,
	const uint8_t *frame,
	uint32_t size
);
void tap_send_plain(struct tap_scene *s, const uint8_t *to, uint8_t tag);

// Puts a frame into a queue as the kernel would.
void tap_put(
	struct tap_scene *s,
	int queue,
	const struct frame_offload *offload,
	const uint8_t *frame,
	uint32_t size
);
void tap_put_plain(
	struct tap_scene *s,
	int queue,
	const uint8_t *to,
	const uint8_t *from,
	uint8_t tag
);
// One burst from a queue through the switch, long after the last look at it.
uint32_t tap_forward(struct tap_scene *s, int queue);

// The next frame that the kernel got in a queue: its size, and 0 when there is none. Room for ROOM bytes.
uint32_t tap_get(
	struct tap_scene *s,
	int queue,
	struct frame_offload *ret_offload,
	uint8_t *ret_frame
);
// The tag of the next frame in either queue, or -1.
int tap_get_tag(struct tap_scene *s);

static inline uint64_t tap_drops(const struct port *port, enum drop_reason reason)
{
	return port->counters[0].drops[reason];
}
