// SPDX-License-Identifier: BSD-3-Clause
// vhost-user on the wire (QEMU's docs/interop/vhost-user.rst), as far as it is spoken here. Fields are in
// the host's byte order; every struct has the layout of the protocol without padding of its own.
#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

// SET_MEM_TABLE's limit, and so that of descriptors with one message.
#define MESSAGE_REGIONS_MAX 8
#define MESSAGE_FDS_MAX MESSAGE_REGIONS_MAX

// "Header": the flags' lower two bits are the version.
#define MESSAGE_VERSION 1u
#define MESSAGE_VERSION_MASK 3u
#define MESSAGE_REPLY (1u << 2)
#define MESSAGE_NEED_REPLY (1u << 3)

// SET_VRING_KICK, _CALL, _ERR: the ring's index, and that no descriptor comes along.
#define MESSAGE_RING_MASK 0xffull
#define MESSAGE_RING_NOFD (1ull << 8)

// "Front-end message types". Those that are missing here are not implemented.
enum message_request {
	MESSAGE_GET_FEATURES = 1,
	MESSAGE_SET_FEATURES = 2,
	MESSAGE_SET_OWNER = 3,
	MESSAGE_RESET_OWNER = 4,
	MESSAGE_SET_MEM_TABLE = 5,
	MESSAGE_SET_VRING_NUM = 8,
	MESSAGE_SET_VRING_ADDR = 9,
	MESSAGE_SET_VRING_BASE = 10,
	MESSAGE_GET_VRING_BASE = 11,
	MESSAGE_SET_VRING_KICK = 12,
	MESSAGE_SET_VRING_CALL = 13,
	MESSAGE_SET_VRING_ERR = 14,
	MESSAGE_GET_PROTOCOL_FEATURES = 15,
	MESSAGE_SET_PROTOCOL_FEATURES = 16,
	MESSAGE_GET_QUEUE_NUM = 17,
	MESSAGE_SET_VRING_ENABLE = 18,
	MESSAGE_SEND_RARP = 19,
	MESSAGE_NET_SET_MTU = 20,
	MESSAGE_RESET_DEVICE = 34,
	MESSAGE_GET_MAX_MEM_SLOTS = 36,
	MESSAGE_ADD_MEM_REG = 37,
	MESSAGE_REM_MEM_REG = 38,
	MESSAGE_REQUEST_COUNT
};

// "Protocol features".
#define PROTOCOL_MQ (1ull << 0)
#define PROTOCOL_RARP (1ull << 2)
#define PROTOCOL_REPLY_ACK (1ull << 3)
#define PROTOCOL_NET_MTU (1ull << 4)
#define PROTOCOL_RESET_DEVICE (1ull << 13)
#define PROTOCOL_CONFIGURE_MEM_SLOTS (1ull << 15)

struct message_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size; // Of the payload that follows.
};

// "Memory region description".
struct message_region {
	uint64_t gpa;
	uint64_t size;
	uint64_t user;
	uint64_t offset; // Where in its file it begins.
};

// "Multiple memory regions description".
struct message_regions {
	uint32_t count;
	uint32_t padding;
	struct message_region region[MESSAGE_REGIONS_MAX];
};

// "Single memory region description".
struct message_slot {
	uint64_t padding;
	struct message_region region;
};

// "A vring state description".
struct message_ring_state {
	uint32_t index;
	uint32_t num;
};

// "A vring address description". All addresses are user addresses.
struct message_ring_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc;
	uint64_t used;
	uint64_t avail;
	uint64_t log;
};

union message_body {
	uint64_t u64;
	struct message_ring_state state;
	struct message_ring_addr addr;
	struct message_regions regions;
	struct message_slot slot;
};

static_assert(sizeof(struct message_header) == 12, "vhost-user header");
static_assert(sizeof(struct message_region) == 32, "memory region description");
static_assert(sizeof(struct message_regions) == 8 + 8 * 32, "multiple memory regions description");
static_assert(offsetof(struct message_regions, region) == 8, "multiple memory regions description");
static_assert(sizeof(struct message_slot) == 40, "single memory region description");
static_assert(sizeof(struct message_ring_state) == 8, "vring state description");
static_assert(sizeof(struct message_ring_addr) == 40, "vring address description");
static_assert(offsetof(struct message_ring_addr, avail) == 24, "vring address description");

#define MESSAGE_SIZE_MAX (sizeof(struct message_header) + sizeof(union message_body))

// A whole message with its descriptors. A reply is made in place: the handler leaves it in body.
struct message {
	struct message_header header;
	union message_body body;
	size_t fd_count;
	int fds[MESSAGE_FDS_MAX];      // Owned; -1 where a handler took one.
	uint32_t ids[MESSAGE_FDS_MAX]; // Their numbers (struct vhost_kept).
};
