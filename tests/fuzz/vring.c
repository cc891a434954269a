// SPDX-License-Identifier: BSD-3-Clause
// Two front ends that write what they like into their memory and rings, split or packed, and the back end between
// them (vring_guest.c). The input is a list of commands.
#include "vring/hook.h"
#include "vring_guest.h"

#include <string.h>

#define MOVES_MAX \
	64 // In one input: what a command costs is limited by the ring, not by its length.
#define CHECKED_MOVES_MAX 8 // Those whose every byte is looked at.
#define TABLE_MAX 2048
// Of a packed descriptor (virtio 1.1, 2.7.1).
#define PACKED_AVAIL (1u << 7)
#define PACKED_USED (1u << 15)

// Whose memory changes behind the back end's reads: nothing is known of what a call does then, but it must stay in
// bounds. ring_split.c and ring_packed.c have a model for it.
static struct guest *changing[2];
static uint64_t chaos;

static uint32_t next_random(void)
{
	chaos = chaos * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(chaos >> 33);
}

void vring_fetched(const volatile void *at, size_t size)
{
	for (int i = 0; i < 2; i++)
		if (changing[i] && guest_owns(changing[i], (uintptr_t)at) && next_random() % 8 == 0)
			((volatile uint8_t *)at)[next_random() % size] ^=
				(uint8_t)(1u << next_random() % 8);
}

void vring_storing(void)
{
}

static void fill(struct guest *guest, struct input *in)
{
	const struct vring_region *r = &guest->mem.region[get(in, 1) % REGIONS];
	uint32_t offset = get(in, 2) % r->size;
	uint32_t size = get(in, 1);

	for (uint32_t i = 0; i < size && offset + i < r->size && in->left; i++)
		r->host[offset + i] = (uint8_t)get(in, 1);
}

// virtio 1.1, 2.6.5 and 2.7.13: in a packed descriptor the id (here: next) comes before the flags.
static void write_desc(const struct guest *guest, uint8_t *to, struct desc d)
{
	if (guest->config.packed) {
		uint16_t flags = d.flags;
		d.flags = d.next;
		d.next = flags;
	}
	memcpy(to, &d, sizeof(d));
}

static void put_desc(struct guest *guest, struct input *in)
{
	const struct vring_region *r = &guest->mem.region[get(in, 1) % REGIONS];
	uint32_t how = get(in, 1);
	struct desc d = {.addr = r->gpa + get(in, 2), .size = get(in, 2)};
	uint8_t *table = guest->areas.desc;
	uint32_t i = get(in, 1);

	d.flags = how & 7;
	if (how & 128)
		d.flags |= (uint16_t)(get(in, 2) << 7);
	if (how & 8)
		d.addr |= (uint64_t)get(in, 4) << 32;
	if (how & 16)
		d.size |= get(in, 2) << 16;
	d.next = (uint16_t)get(in, how & 32 ? 2 : 1);
	if (how & 64) { // Into what may be an indirect table.
		table = guest->mem.region[2].host;
		i %= 16;
	} else {
		i %= guest->config.size;
	}
	write_desc(guest, table + 16ull * i, d);
}

// A long chain in what may be an indirect table: many descriptors at the price of a few bytes.
static void put_table(struct guest *guest, struct input *in)
{
	const struct vring_region *r = &guest->mem.region[3];
	uint32_t count = 1 + get(in, 2) % TABLE_MAX;
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
		write_desc(guest, r->host + sizeof(d) * i, d);
	}
}

static void put_avail(struct guest *guest, uint16_t head)
{
	struct vring_avail_ring *avail = guest->areas.avail;
	avail->ring[avail->idx & (guest->config.size - 1)] = head;
	avail->idx++;
}

static void next_place(struct guest *guest)
{
	guest->place++;
	if (guest->place < guest->config.size)
		return;
	guest->place = 0;
	guest->wrap = !guest->wrap;
}

// A chain as a front end makes it, but for where it points.
static void post(struct guest *guest, struct input *in)
{
	uint32_t how = get(in, 1);
	uint32_t count = 1 + (how & 3);
	uint32_t head = guest->place;
	uint8_t *table = guest->areas.desc;

	for (uint32_t i = 0; i < count; i++) {
		const struct vring_region *r = &guest->mem.region[get(in, 1) % REGIONS];
		struct desc d = {.addr = r->gpa + get(in, 2), .size = get(in, 1) << (how >> 4 & 7)};
		uint32_t at = guest->place;
		uint32_t mark = guest->wrap ? PACKED_AVAIL : PACKED_USED;
		next_place(guest);
		d.flags = (uint16_t
		)((how & 4 ? DESC_F_WRITE : 0) | (i + 1 < count ? DESC_F_NEXT : 0));
		if (how & 8 && i + 1 == count)
			d.flags |= DESC_F_INDIRECT;
		if (guest->config.packed)
			d.flags |= (uint16_t)mark;
		d.next = (uint16_t)guest->place;
		write_desc(guest, table + 16ull * at, d);
	}
	if (!guest->config.packed)
		put_avail(guest, (uint16_t)head);
}

static void check_burst(const struct guest *guest, const struct frame_burst *burst)
{
	static const struct frame_offload none;

	insist(burst->count <= guest->ring.taken_count);
	insist(guest->ring.taken_count <= FRAME_BURST_MAX && burst->seg_count <= FRAME_SEGS_MAX);
	for (uint32_t i = 0; i < burst->count; i++) {
		const struct frame *frame = &burst->frame[i];
		uint64_t size = 0;
		insist(frame->size >= FRAME_SIZE_MIN && frame->size <= FRAME_SIZE_MAX);
		insist(frame->head_size ==
		       (frame->size < FRAME_HEAD_SIZE ? frame->size : FRAME_HEAD_SIZE));
		insist(guest->config.offloads || !memcmp(&frame->offload, &none, sizeof(none)));
		for (uint32_t k = 0; k < frame->seg_count; k++) {
			insist(guest_holds(guest, &frame->segs[k]));
			size += frame->segs[k].size;
		}
		insist(size == frame->size);
	}
}

static void deliver_all(struct guest *to, const struct frame *const *frames, uint32_t count)
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

static void deliver(
	struct guest *to,
	const struct frame *const *frames,
	uint32_t count,
	struct input *in
)
{
	static struct image before;
	static struct claims claims;
	bool checked = count && in->moves <= CHECKED_MOVES_MAX && !changing[0];

	if (checked) {
		image_take(to, &before);
		checked = claims_make(to, &before, &claims);
	}
	deliver_all(to, frames, count);
	if (checked)
		claims_insist(to, &before, &claims);
}

// A whole turn of a worker. The front ends write into their memory while the frames are in the air.
static void move(struct guest *from, struct guest *to, struct input *in)
{
	static struct frame_burst burst;
	static struct image before;
	const struct frame *frames[FRAME_BURST_MAX];
	uint64_t drops[VRING_DROP_COUNT] = {0};
	uint32_t how = get(in, 1);
	bool broken = from->ring.fault != VRING_FAULT_NONE;
	uint32_t base = vring_base(&from->ring);

	if (in->moves++ >= MOVES_MAX)
		return;
	image_take(from, &before);
	vring_take(&from->ring, &burst, how & 63, drops);
	if (!changing[0])
		image_insist_same(from, &before);
	insist(!broken || (burst.count == 0 && from->ring.taken_count == 0));
	insist(burst.count + drops[VRING_DROP_SHORT] + drops[VRING_DROP_LONG] ==
	       from->ring.taken_count);
	check_burst(from, &burst);
	for (uint32_t i = 0; i < burst.count; i++)
		frames[i] = &burst.frame[i];
	if (how & 64)
		fill(from, in);
	deliver(to, frames, burst.count, in);
	if (how & 128)
		put_desc(how & 1 ? from : to, in);
	vring_show(&to->ring);
	uint32_t taken = from->ring.taken_count;
	vring_complete(&from->ring);
	insist(taken || vring_base(&from->ring) == base);
	insist(from->config.packed || vring_base(&from->ring) == (uint16_t)(base + taken));
	(void)vring_wants_call(&to->ring); // Only that they read nothing else.
	(void)vring_wants_call(&from->ring);
}

// Frames that come from elsewhere: the receive side alone.
static void deliver_own(struct guest *to, struct input *in)
{
	static uint8_t bytes[FRAME_SIZE_MAX];
	const struct frame *frames[64];
	struct frame_seg seg[2] = {{bytes, 0}, {bytes, 0}};
	uint32_t size = get(in, 2);
	uint32_t count = get(in, 1);

	if (in->moves++ >= MOVES_MAX)
		return;
	if (size < FRAME_SIZE_MIN)
		size = FRAME_SIZE_MIN;
	seg[0].size = count & 1 ? size : size / 2;
	seg[1].size = size - seg[0].size;
	memset(bytes, (int)in->left, size);
	struct frame frame = {
		.head = bytes,
		.segs = seg,
		.size = size,
		.head_size = (uint16_t)(size < FRAME_HEAD_SIZE ? size : FRAME_HEAD_SIZE),
		.seg_count = seg[1].size ? 2 : 1,
	};
	for (uint32_t i = 0; i < 64; i++)
		frames[i] = &frame;
	deliver(to, frames, count % 64, in);
	vring_show(&to->ring);
}

// What wakes and what is woken. A ring with a fault never has work.
static void notify(struct guest *guest, struct input *in)
{
	uint32_t how = get(in, 1);

	vring_set_notify(&guest->ring, how & 1);
	if (how & 2)
		((uint16_t *)guest->areas.avail)[how >> 2 & 1] = (uint16_t)get(in, 2);
	if (how & 8 && guest->config.event_idx && !guest->config.packed)
		((struct vring_avail_ring *)guest->areas.avail)->ring[guest->config.size] =
			(uint16_t)get(in, 2);
	insist(guest->ring.fault == VRING_FAULT_NONE || !vring_has_work(&guest->ring));
	(void)vring_wants_call(&guest->ring);
}

// Another back end: at its predecessor's place, where the ring says, or anywhere.
static void restart(struct guest *guest, struct input *in)
{
	uint32_t options = get(in, 1);
	uint32_t place = get(in, 1);

	if (place & 1) {
		uint32_t base = vring_base(&guest->ring);
		guest_start(guest, options, base);
		insist(vring_base(&guest->ring) == base);
	} else {
		guest_start(guest, options, get(in, place & 2 ? 4 : 2));
	}
	if (place & 4)
		vring_adopt_used(&guest->ring);
}

static void command(struct guest *a, struct guest *b, struct input *in)
{
	uint32_t op = get(in, 1);
	struct guest *guest = op & 0x80 ? b : a;

	switch (op % 16) {
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
		if (!guest->config.packed)
			put_avail(guest, (uint16_t)get(in, op & 0x40 ? 2 : 1));
		break;
	case 4:
		if (!guest->config.packed)
			((struct vring_avail_ring *)guest->areas.avail)->idx = (uint16_t)get(in, 2);
		break;
	case 5:
	case 8:
		move(a, b, in);
		break;
	case 6:
		deliver_own(b, in);
		break;
	case 7:
		restart(guest, in);
		break;
	case 9:
		notify(guest, in);
		break;
	default:
		post(guest, in);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct guest a;
	static struct guest b;
	struct input in = {data, size, 0};

	changing[0] = changing[1] = NULL;
	guest_make(&a, &in);
	guest_make(&b, &in);
	if (a.changes) {
		changing[0] = &a;
		changing[1] = &b;
		chaos = size;
	}
	while (in.left)
		command(&a, &b, &in);
	in.moves = 0;
	move(&a, &b, &in);
	changing[0] = changing[1] = NULL;
	guest_free(&a);
	guest_free(&b);
	return 0;
}
