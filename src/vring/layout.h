// SPDX-License-Identifier: BSD-3-Clause
// The rings' shared memory, as the specification lays it out (virtio 1.1, 2.6.5 to 2.6.8 and 2.7.13 to 2.7.14).
// Little endian; this back end runs on little-endian machines only. Inside src/vring/.
#pragma once

#include "vring/hook.h"

#include <stdint.h>

#define DESC_F_NEXT 1
#define DESC_F_WRITE 2
#define DESC_F_INDIRECT 4
#define DESC_F_KNOWN (DESC_F_NEXT | DESC_F_WRITE | DESC_F_INDIRECT)
#define AVAIL_F_NO_INTERRUPT 1
#define USED_F_NO_NOTIFY 1

// virtio 1.1, 2.7.13: struct pvirtq_desc has the buffer id where the split one has its flags, and the flags last.
#define PACKED_F_AVAIL (1u << 7)
#define PACKED_F_USED (1u << 15)
// virtio 1.1, 2.7.14: struct pvirtq_event_suppress, read and written as one word: off_wrap below, flags above.
#define PACKED_EVENT_ENABLE 0
#define PACKED_EVENT_DISABLE 1
#define PACKED_EVENT_DESC 2
#define PACKED_EVENT_MASK 3
// virtio 1.1, 2.7.1: a wrap counter beside its index (2.7.14: off_wrap).
#define PACKED_WRAP (1u << 15)

// virtio 1.1, 2.6.5: struct virtq_desc; 2.7.13: struct pvirtq_desc. The last three members are read as one 64-bit
// word, so that a descriptor is read by two loads, each field once.
struct vring_desc_entry {
	uint64_t addr;
	uint64_t size_flags_next;
};

// virtio 1.1, 2.6.6: struct virtq_avail.
struct vring_avail_ring {
	uint16_t flags;
	uint16_t idx;
	uint16_t ring[];
};

struct vring_used_entry {
	uint32_t id;
	uint32_t size;
};

// virtio 1.1, 2.6.8: struct virtq_used.
struct vring_used_ring {
	uint16_t flags;
	uint16_t idx;
	struct vring_used_entry ring[];
};

_Static_assert(sizeof(struct vring_desc_entry) == 16, "virtio 1.1, 2.6.5");
_Static_assert(sizeof(struct vring_used_entry) == 8, "virtio 1.1, 2.6.8");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "rings are little endian");

// Reads a shared half word once.
static inline uint16_t half_read(const uint16_t *half, int order)
{
	uint16_t value = __atomic_load_n(half, order);
	vring_fetched(half, sizeof(value));
	return value;
}

// A descriptor's private copy.
struct desc {
	uint64_t addr;
	uint32_t size;
	uint16_t flags;
	uint16_t next; // Packed ring: the buffer id.
};

// A word that may lie anywhere.
struct vring_word {
	uint64_t value;
} __attribute__((packed, may_alias));

static inline uint64_t word_read(const uint8_t *word)
{
	uint64_t value = ((const volatile struct vring_word *)word)->value;
	vring_fetched(word, sizeof(value));
	return value;
}

// Reads a shared descriptor once. An indirect table may lie at any address: the specification asks for
// no alignment there (virtio 1.1, 2.6.5.3).
static inline struct desc desc_read(const struct vring_desc_entry *entry)
{
	uint64_t addr = word_read((const uint8_t *)entry);
	uint64_t word = word_read((const uint8_t *)entry + 8);
	return (struct desc){
		.addr = addr,
		.size = (uint32_t)word,
		.flags = (uint16_t)(word >> 32),
		.next = (uint16_t)(word >> 48),
	};
}
