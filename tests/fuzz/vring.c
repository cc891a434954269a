// SPDX-License-Identifier: BSD-3-Clause
// Two front ends that write what they like into their memory and rings, and the back end between them.
// Every region is an allocation of its own, so that a byte touched outside of one is an error to the
// address sanitizer. The input is a list of commands.
#include "vring/vring.h"

#include "vring/layout.h"

#include <stdlib.h>
#include <string.h>

#define REGIONS 4
#define MOVES_MAX \
	64 // In one input: what a command costs is limited by the ring, not by its length.

struct guest {
	struct vring_mem mem;
	struct vring_areas areas;
	uint32_t size;
	bool apart; // The ring lies outside of the regions, and is just as large as it must be.
	struct vring ring;
};

struct input {
	const uint8_t *at;
	size_t left;
	uint32_t moves;
};

static void insist(bool holds)
{
	if (!holds)
		abort();
}

static uint32_t get(struct input *in, uint32_t bytes)
{
	uint32_t value = 0;
	for (uint32_t i = 0; i < bytes && in->left; i++, in->left--)
		value |= (uint32_t)*in->at++ << (8 * i);
	return value;
}

static uint64_t area_size(uint32_t size, enum vring_area area)
{
	return vring_area_size(&(struct vring_config){.size = size}, area);
}

static void guest_start(struct guest *guest, uint32_t options, uint16_t base)
{
	struct vring_config config = {
		.size = guest->size,
		.base = base,
		.mergeable = options & 1,
		.indirect = options & 2,
		.header_size = options & 4 ? 10 : 12,
	};
	insist(vring_init(&guest->ring, &guest->areas, &config, &guest->mem) == 0);
}

// The second region follows the first in the guest only, the fourth follows the third in both.
static void guest_make(struct guest *guest, struct input *in)
{
	static const uint64_t gpa[REGIONS] = {0x10000, 0x12000, 0x20000, 0x20400};
	static const uint32_t size[REGIONS] = {0x2000, 0x1000, 0x400, 0x8000};
	uint32_t options = get(in, 1);
	uint8_t *joined = calloc(1, size[2] + size[3]);

	insist(joined);
	guest->mem.count = REGIONS;
	for (uint32_t i = 0; i < REGIONS; i++) {
		uint8_t *host = i < 2 ? calloc(1, size[i]) : joined + (i == 3 ? size[2] : 0);
		insist(host);
		guest->mem.region[i] =
			(struct vring_region){.gpa = gpa[i], .size = size[i], .host = host};
	}
	guest->size = 2u << (options >> 4) % 7;
	guest->apart = options & 8;
	if (guest->apart)
		guest->areas = (struct vring_areas
		){calloc(1, area_size(guest->size, VRING_AREA_DESC)),
		  calloc(1, area_size(guest->size, VRING_AREA_AVAIL)),
		  calloc(1, area_size(guest->size, VRING_AREA_USED))};
	else
		guest->areas = (struct vring_areas
		){guest->mem.region[0].host,
		  guest->mem.region[0].host + 0x800,
		  guest->mem.region[0].host + 0xa00};
	insist(guest->areas.desc && guest->areas.avail && guest->areas.used);
	guest_start(guest, options, 0);
}

static void guest_free(struct guest *guest)
{
	for (uint32_t i = 0; i < 3; i++) // The fourth lies in the allocation of the third.
		free(guest->mem.region[i].host);
	if (!guest->apart)
		return;
	free(guest->areas.desc);
	free(guest->areas.avail);
	free(guest->areas.used);
}

static bool guest_holds(const struct guest *guest, const struct frame_seg *seg)
{
	for (uint32_t i = 0; i < REGIONS; i++) {
		const struct vring_region *r = &guest->mem.region[i];
		uint64_t room = i == 2 ? r->size + guest->mem.region[3].size : r->size;
		uint64_t offset = (uintptr_t)seg->addr - (uintptr_t)r->host;
		if (seg->addr >= r->host && offset < room && seg->size <= room - offset)
			return true;
	}
	return false;
}

static void fill(struct guest *guest, struct input *in)
{
	const struct vring_region *r = &guest->mem.region[get(in, 1) % REGIONS];
	uint32_t offset = get(in, 2) % r->size;
	uint32_t size = get(in, 1);

	for (uint32_t i = 0; i < size && offset + i < r->size && in->left; i++)
		r->host[offset + i] = (uint8_t)get(in, 1);
}

static void put_desc(struct guest *guest, struct input *in)
{
	const struct vring_region *r = &guest->mem.region[get(in, 1) % REGIONS];
	uint32_t how = get(in, 1);
	struct desc d = {.addr = r->gpa + get(in, 2), .size = get(in, 2)};
	uint8_t *table = guest->areas.desc;
	uint32_t i = get(in, 1);

	d.flags = how & 7;
	if (how & 8)
		d.addr |= (uint64_t)get(in, 4) << 32;
	if (how & 16)
		d.size |= get(in, 2) << 16;
	d.next = (uint16_t)get(in, how & 32 ? 2 : 1);
	if (how & 64) { // Into what may be an indirect table.
		table = guest->mem.region[2].host;
		i %= 16;
	} else {
		i %= guest->size;
	}
	memcpy(table + 16ull * i, &d, sizeof(d));
}

// A long chain in what may be an indirect table: many descriptors at the price of a few bytes.
static void put_table(struct guest *guest, struct input *in)
{
	const struct vring_region *r = &guest->mem.region[3];
	uint32_t count = 1 + get(in, 2) % (uint32_t)(r->size / sizeof(struct desc));
	uint32_t size = get(in, 1);
	uint32_t how = get(in, 1);

	for (uint32_t i = 0; i < count; i++) {
		struct desc d = {
			.addr = guest->mem.region[1].gpa + i,
			.size = i % (1 + (how >> 2)) ? 0 : size,
			.flags = (uint16_t
			)((how & DESC_F_WRITE) | (i + 1 < count ? DESC_F_NEXT : how & 1)),
			.next = (uint16_t)(i + 1),
		};
		memcpy(r->host + sizeof(d) * i, &d, sizeof(d));
	}
}

static void put_avail(struct guest *guest, uint16_t head)
{
	struct vring_avail_ring *avail = guest->areas.avail;
	avail->ring[avail->idx & (guest->size - 1)] = head;
	avail->idx++;
}

static void check_burst(const struct guest *guest, const struct frame_burst *burst)
{
	insist(burst->count <= guest->ring.taken_count);
	insist(guest->ring.taken_count <= FRAME_BURST_MAX && burst->seg_count <= FRAME_SEGS_MAX);
	for (uint32_t i = 0; i < burst->count; i++) {
		const struct frame *frame = &burst->frame[i];
		uint64_t size = 0;
		insist(frame->size >= FRAME_SIZE_MIN && frame->size <= FRAME_SIZE_MAX);
		insist(frame->head_size ==
		       (frame->size < FRAME_HEAD_SIZE ? frame->size : FRAME_HEAD_SIZE));
		for (uint32_t k = 0; k < frame->seg_count; k++) {
			insist(guest_holds(guest, &frame->segs[k]));
			size += frame->segs[k].size;
		}
		insist(size == frame->size);
	}
}

static void deliver(struct guest *to, const struct frame *const *frames, uint32_t count)
{
	uint32_t done = 0;

	while (done < count) {
		enum vring_drop drop;
		bool broken = to->ring.fault != VRING_FAULT_NONE;
		uint32_t some = vring_deliver(&to->ring, frames + done, count - done, &drop);
		insist(some <= count - done && !(broken && some));
		done += some;
		insist(drop != VRING_DROP_NONE || done == count);
		insist(drop == VRING_DROP_FULL || to->ring.fault == VRING_FAULT_NONE);
		if (drop == VRING_DROP_FULL)
			return;
		done += drop == VRING_DROP_BUFFER;
	}
}

// A whole turn of a worker. The sender writes into its memory while its frames are in the air.
static void move(struct guest *from, struct guest *to, struct input *in)
{
	static struct frame_burst burst;
	const struct frame *frames[FRAME_BURST_MAX];
	uint64_t drops[VRING_DROP_COUNT] = {0};
	uint32_t how = get(in, 1);
	bool broken = from->ring.fault != VRING_FAULT_NONE;

	if (in->moves++ >= MOVES_MAX)
		return;
	vring_take(&from->ring, &burst, how & 63, drops);
	insist(!broken || (burst.count == 0 && from->ring.taken_count == 0));
	insist(burst.count + drops[VRING_DROP_SHORT] + drops[VRING_DROP_LONG] ==
	       from->ring.taken_count);
	check_burst(from, &burst);
	for (uint32_t i = 0; i < burst.count; i++)
		frames[i] = &burst.frame[i];
	if (how & 64)
		fill(from, in);
	deliver(to, frames, burst.count);
	vring_show(&to->ring);
	uint16_t expect = (uint16_t)(from->ring.next_used + from->ring.taken_count);
	vring_complete(&from->ring);
	insist(from->ring.next_used == expect && from->ring.next_avail == expect);
	insist(to->ring.next_used == to->ring.next_avail);
	(void)vring_wants_call(&to->ring); // Only that it reads nothing else.
}

// Frames that come from elsewhere: the receive side alone.
static void deliver_own(struct guest *to, uint32_t size, uint32_t count)
{
	static uint8_t bytes[FRAME_SIZE_MAX];
	const struct frame *frames[64];
	struct frame_seg seg[2] = {{bytes, size}, {bytes, 0}};

	if (size < FRAME_SIZE_MIN)
		size = FRAME_SIZE_MIN;
	seg[0].size = count & 1 ? size : size / 2;
	seg[1].size = size - seg[0].size;
	struct frame frame = {
		.head = bytes,
		.segs = seg,
		.size = size,
		.head_size = (uint16_t)(size < FRAME_HEAD_SIZE ? size : FRAME_HEAD_SIZE),
		.seg_count = seg[1].size ? 2 : 1,
	};
	for (uint32_t i = 0; i < 64; i++)
		frames[i] = &frame;
	deliver(to, frames, count % 64);
	vring_show(&to->ring);
}

static void command(struct guest *a, struct guest *b, struct input *in)
{
	uint32_t op = get(in, 1);
	struct guest *guest = op & 0x80 ? b : a;

	switch (op % 8) {
	case 0:
		fill(guest, in);
		break;
	case 1:
		put_desc(guest, in);
		break;
	case 2:
		put_table(guest, in);
		break;
	case 3:
		put_avail(guest, (uint16_t)get(in, op & 0x40 ? 2 : 1));
		break;
	case 4:
		((struct vring_avail_ring *)guest->areas.avail)->idx = (uint16_t)get(in, 2);
		break;
	case 5:
		move(a, b, in);
		break;
	case 6:
		if (in->moves++ < MOVES_MAX)
			deliver_own(b, get(in, 2), get(in, 1));
		break;
	default: {
		uint32_t options = get(in, 1);
		guest_start(guest, options, (uint16_t)get(in, 2));
	}
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct guest a;
	static struct guest b;
	struct input in = {data, size, 0};

	guest_make(&a, &in);
	guest_make(&b, &in);
	while (in.left)
		command(&a, &b, &in);
	in.moves = 0;
	move(&a, &b, &in);
	guest_free(&a);
	guest_free(&b);
	return 0;
}
