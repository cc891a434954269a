// SPDX-License-Identifier: BSD-3-Clause
// The ring fuzzers' memory, its driver, and what changes behind every read.
#include "ring_world.h"

#include "vring/hook.h"

#include <setjmp.h>
#include <string.h>

struct watch watch;
extern jmp_buf crash;

uint32_t world_random(struct world *world)
{
	world->random = world->random * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(world->random >> 33);
}

struct place world_ahead(const struct world *world, struct place at, uint32_t count)
{
	at.index += count;
	if (!world->config.packed) {
		at.index &= 0xffff;
	} else if (at.index >= world->config.size) {
		at.index -= world->config.size;
		at.wrap = !at.wrap;
	}
	return at;
}

void world_make(struct world *world, bool packed, struct input *in)
{
	uint32_t options = get(in, 2);
	uint32_t size = get(in, 1);

	memset(world, 0, sizeof(*world));
	world->config = (struct vring_config){
		.size = packed ? 1 + size % WORLD_RING_MAX : 2u << size % 5,
		.header_size = options & 1 && !packed ? 10 : 12,
		.packed = packed,
		.mergeable = options & 2,
		.indirect = options & 4,
		.event_idx = options & 8,
		.in_order = options & 16,
		.offloads = options & 32,
		.place = &world->place,
	};
	world->receives = options & 64;
	world->changes = options & 128;
	world->random = options >> 8 | size << 8;
	for (unsigned int i = 0; i < 3; i++)
		world->size[i] = vring_area_size(&world->config, i);
	world->size[PIECE_SLOTS] = SLOT_SIZE * world->config.size;
	world->size[PIECE_SCRATCH] = SCRATCH_SIZE;
	for (unsigned int i = 0; i < PIECE_COUNT; i++) {
		world->piece[i] = calloc(1, world->size[i]);
		insist(world->piece[i]);
	}
	world->mem.count = 2;
	world->mem.region[0] = (struct vring_region
	){.gpa = SLOTS_GPA, .size = world->size[PIECE_SLOTS], .host = world->piece[PIECE_SLOTS]};
	world->mem.region[1] = (struct vring_region
	){.gpa = SCRATCH_GPA, .size = SCRATCH_SIZE, .host = world->piece[PIECE_SCRATCH]};
	world_start(world, in);
}

void world_free(struct world *world)
{
	for (unsigned int i = 0; i < PIECE_COUNT; i++)
		free(world->piece[i]);
}

// Descriptors of which some are good, for tables anywhere.
static void fill_scratch(struct world *world)
{
	for (uint32_t at = 0; at < SCRATCH_SIZE; at += 16) {
		uint32_t r = world_random(world);
		uint16_t last = (uint16_t)(at / 16 + 1);
		struct desc d = {
			.addr = SCRATCH_GPA + r % SCRATCH_SIZE,
			.size = r >> 12 & 63,
			.flags = (uint16_t)((world->receives ? DESC_F_WRITE : 0) | (r >> 20 & 1)),
			.next = r & 0x1000000 ? last : (uint16_t)(r % 8),
		};
		if (world->config.packed) {
			d.next = d.flags;
			d.flags = 0;
		}
		memcpy(world->piece[PIECE_SCRATCH] + at, &d, sizeof(d));
	}
}

void world_start(struct world *world, struct input *in)
{
	uint32_t base = get(in, 2);
	bool wrap = base & 0x8000;

	for (unsigned int i = 0; i < PIECE_COUNT; i++)
		memset(world->piece[i], 0, world->size[i]);
	fill_scratch(world);
	world->next = (struct place){base, false};
	if (world->config.packed)
		world->next = (struct place){(base & 0x7fff) % world->config.size, wrap};
	world->avail = world->used = world->next;
	world->seen = (uint16_t)base;
	world->desc_next = 0;
	world->outstanding = world->chain_count = world->chain_first = 0;
	world->jumped = false;
	world->config.recover = false;
	world->config.base = world->config.packed ? world->next.index | (wrap ? 0x8000u : 0) : base;
	// Base 0 in the lower half of a packed ring is a place like any other.
	if (!world->config.packed) {
		memcpy(world->piece[PIECE_AVAIL] + 2, &world->seen, 2);
		memcpy(world->piece[PIECE_USED] + 2, &world->seen, 2);
	}
	struct vring_areas areas = {
		world->piece[PIECE_DESC], world->piece[PIECE_AVAIL], world->piece[PIECE_USED]};
	insist(vring_init(&world->ring, &areas, &world->config, &world->mem) == 0);
}

// A descriptor of slot `slot`. `how`: what is wrong with it, if anything.
static struct desc make_desc(struct world *world, uint32_t slot, struct input *in)
{
	uint32_t how = get(in, 1);
	uint32_t size = get(in, 1) << (how & 1);
	uint32_t at = SLOT_SIZE * slot + (how >> 1 & 31);
	struct desc d = {.addr = SLOTS_GPA + at, .flags = world->receives ? DESC_F_WRITE : 0};

	if (size > SLOT_BUFFER - 31)
		size = SLOT_BUFFER - 31;
	d.size = size;
	if (how < 0xc0)
		return d;
	switch (how >> 1 & 15) {
	case 0:
		d.flags ^= DESC_F_WRITE;
		break;
	case 1:
		d.addr = (uint64_t)get(in, 4) << 32 | d.addr;
		break;
	case 2:
		d.size = 0x80000000u | size;
		break;
	case 3:
	case 4:
	case 5:
		d.addr = SCRATCH_GPA + get(in, 2) % SCRATCH_SIZE;
		d.size = get(in, 2) % (SCRATCH_SIZE + 64);
		break;
	case 6: // Tables in the scratch memory.
	case 7:
		d.addr = SCRATCH_GPA + get(in, 2) % (SCRATCH_SIZE / 2);
		d.size = get(in, 1) * 16u + (how & 1 ? size & 15 : 0);
		d.flags |= DESC_F_INDIRECT;
		break;
	case 8:
		d.size = 0;
		d.addr = get(in, 2);
		break;
	case 9: // Slots of others: only where nothing changes.
		if (!world->changes)
			d.addr = SLOTS_GPA + get(in, 2) % world->size[PIECE_SLOTS];
		break;
	default:
		d.size = size & 31;
	}
	return d;
}

static void write_desc(const struct world *world, uint8_t *to, struct desc d)
{
	// In a packed descriptor the id (here: next) comes before the flags.
	if (world->config.packed) {
		uint16_t flags = d.flags;
		d.flags = d.next;
		d.next = flags;
	}
	memcpy(to, &d, sizeof(d));
}

// Turns the descriptor into an indirect one of the slot's table.
static struct desc make_table(struct world *world, uint32_t slot, struct input *in)
{
	uint32_t count = 1 + get(in, 1) % SLOT_TABLE_MAX;
	uint32_t at = SLOT_SIZE * slot + SLOT_BUFFER;

	for (uint32_t i = 0; i < count; i++) {
		struct desc d = make_desc(world, slot, in);
		// Parts of the slot's buffer, which do not overlap.
		if (d.addr - SLOTS_GPA < world->size[PIECE_SLOTS] && d.size <= SLOT_BUFFER) {
			d.addr = SLOTS_GPA + SLOT_SIZE * slot + i * (SLOT_BUFFER / SLOT_TABLE_MAX);
			d.size %= SLOT_BUFFER / SLOT_TABLE_MAX + 1;
		}
		if (i + 1 < count)
			d.flags |= DESC_F_NEXT;
		d.next = (uint16_t)(i + 1);
		if (!world->changes && world_random(world) % 32 == 0)
			d.next = (uint16_t)get(in, 1);
		write_desc(world, world->piece[PIECE_SLOTS] + at + 16ul * i, d);
	}
	return (struct desc){.addr = SLOTS_GPA + at, .size = 16 * count, .flags = DESC_F_INDIRECT};
}

// AVAIL and USED at a place (virtio 1.1, 2.7.1).
static uint16_t available_flags(struct place at)
{
	return at.wrap ? PACKED_F_AVAIL : PACKED_F_USED;
}

static void make_available(struct world *world, uint16_t head, uint32_t descs)
{
	uint16_t *avail = (void *)world->piece[PIECE_AVAIL];

	if (world->config.packed)
		return;
	avail[2 + world->next.index % world->config.size] = head;
	world->next = world_ahead(world, world->next, 1);
	avail[1] = (uint16_t)world->next.index;
	world->chain_descs[(world->chain_first + world->chain_count++) % WORLD_RING_MAX] =
		(uint8_t)descs;
}

void world_post(struct world *world, struct input *in)
{
	uint32_t how = get(in, 1);
	uint32_t count = how & 0x40 ? 1 : 1 + (how & 3);
	bool packed = world->config.packed;
	uint32_t size = world->config.size;

	if (world->jumped || world->outstanding + count > size)
		return;
	uint32_t head = packed ? world->next.index : world->desc_next;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t slot = packed ? world->next.index : world->desc_next;
		struct desc d =
			how & 0x40 ? make_table(world, slot, in) : make_desc(world, slot, in);
		world->desc_next = (world->desc_next + 1) % size;
		d.next = (uint16_t)(packed ? 1000 + slot : world->desc_next);
		if (i + 1 < count)
			d.flags |= DESC_F_NEXT;
		if (how == 0xbf)
			d.flags |= DESC_F_NEXT; // Beside INDIRECT, or a chain that does not end.
		if (!packed && (d.flags & DESC_F_NEXT) && i + 1 == count && world->changes)
			d.next = (uint16_t)(size + 1);
		if (!packed && !world->changes && (how & 0xb0) == 0xb0)
			d.next = (uint16_t)(get(in, 1) % (size + 1));
		if (packed) {
			d.flags |= available_flags(world->next);
			world->next = world_ahead(world, world->next, 1);
		}
		write_desc(world, world->piece[PIECE_DESC] + 16ul * slot, d);
	}
	world->outstanding += count;
	if (!world->changes && (how & 0xb8) == 0xa8)
		head = get(in, 1) % (size + 2);
	make_available(world, (uint16_t)head, count);
}

void world_give_back(struct world *world, uint32_t count)
{
	if (world->config.packed) {
		if (count <= world->outstanding) {
			world->outstanding -= count;
			return;
		}
		// A chain without an end led the back end past the driver.
		world->outstanding = 0;
		world->next = world->used;
		return;
	}
	for (; count; count--, world->chain_count--) {
		insist(world->chain_count > 0);
		world->outstanding -= world->chain_descs[world->chain_first];
		world->chain_first = (world->chain_first + 1) % WORLD_RING_MAX;
	}
}

// Which piece of the front end's memory this is; false: private memory.
static bool find(const struct world *world, uintptr_t at, enum piece *ret_piece, uint32_t *ret_at)
{
	for (unsigned int i = 0; i < PIECE_COUNT; i++) {
		uintptr_t offset = at - (uintptr_t)world->piece[i];
		if (offset >= world->size[i])
			continue;
		*ret_piece = i;
		*ret_at = (uint32_t)offset;
		return true;
	}
	return false;
}

// Another half of a descriptor: with an address that leads nowhere or into the scratch memory, so that still no two lead to
// one place.
static uint64_t other_half(struct world *world, uint32_t half)
{
	uint32_t r = world_random(world);
	uint64_t size = r & 1 ? r >> 8 & 255 : r >> 4;
	uint64_t flags =
		r >> 24 & (world->config.packed ? DESC_F_KNOWN : DESC_F_WRITE | DESC_F_INDIRECT);

	if (half == 0)
		return r & 1 ? SCRATCH_GPA + r % SCRATCH_SIZE
			     : 1ull << 40 | (uint64_t)r << (r >> 8 & 31);
	if (world->config.packed) {
		flags |= world_random(world) & (PACKED_F_AVAIL | PACKED_F_USED);
		return size | flags << 48 | (uint64_t)(r & 0xffff) << 32;
	}
	if (r & 2)
		flags |= DESC_F_NEXT;
	return size | flags << 32 | (uint64_t)(0x4000 | (r & 0x3fff)) << 48;
}

static void change_desc(struct world *world, uint8_t *to, uint32_t at, size_t size)
{
	const uint64_t indirect = (uint64_t)DESC_F_INDIRECT << (world->config.packed ? 48 : 32);
	uint64_t word = other_half(world, at % 16);
	uint64_t before;
	uint64_t addr;

	insist(size == 8 && at % 8 == 0);
	memcpy(&before, to, size);
	if (at % 16 == 8) {
		memcpy(&addr, to - 8, sizeof(addr));
		// What leads to a slot goes on to lead to a part of it, as what it was.
		if (addr - SLOTS_GPA < world->size[PIECE_SLOTS]) {
			uint64_t most = (uint32_t)before <= SLOT_BUFFER ? (uint32_t)before : 0;
			word = (word & ~indirect & ~0xffffffffull) | (before & indirect) |
				(uint32_t)word % (most + 1);
		}
	}
	memcpy(to, &word, size);
}

static void change(struct world *world, enum piece piece, uint32_t at, size_t size)
{
	uint8_t *to = world->piece[piece] + at;
	uint32_t table = at % SLOT_SIZE;

	if (piece == PIECE_SCRATCH || piece == PIECE_USED || world_random(world) % 4 == 0)
		return;
	if (piece == PIECE_DESC)
		change_desc(world, to, at, size);
	else if (piece == PIECE_SLOTS && table >= SLOT_BUFFER)
		change_desc(world, to, table - SLOT_BUFFER, size);
	else if (piece == PIECE_SLOTS)
		for (size_t i = 0; i < size; i++)
			to[i] = (uint8_t)world_random(world);
	else if (world->config.packed || at == 0 || (at == 2 && watch.keep_index))
		return;
	else
		to[1] ^=
			0x40; // An index that jumps, a head beyond the ring; or what was there before.
}

void vring_fetched(const volatile void *at, size_t size)
{
	struct world *world = watch.world;
	enum piece piece;
	uint32_t offset;

	if (!world || !find(world, (uintptr_t)at, &piece, &offset))
		return;
	insist(size <= world->size[piece] - offset);
	memcpy(image_piece(&watch.seen, piece) + offset, world->piece[piece] + offset, size);
	if (!world->changes || piece == PIECE_SCRATCH)
		return;
	uint8_t *read = watch.read + (image_piece(&watch.seen, piece) - (uint8_t *)&watch.seen);
	for (size_t i = 0; i < size; i++) {
		insist(!watch.once || !read[offset + i]);
		read[offset + i] = 1;
	}
	change(world, piece, offset, size);
	memcpy(image_piece(&watch.due, piece) + offset, world->piece[piece] + offset, size);
}

void vring_storing(void)
{
	if (!watch.world || watch.stores_left < 0)
		return;
	if (watch.stores_left-- == 0)
		longjmp(crash, 1);
}

void watch_start(struct world *world, bool once, int32_t stores_left)
{
	for (unsigned int i = 0; i < PIECE_COUNT; i++) {
		memcpy(image_piece(&watch.seen, i), world->piece[i], world->size[i]);
		memcpy(image_piece(&watch.due, i), world->piece[i], world->size[i]);
	}
	if (world->changes)
		memset(watch.read, 0, sizeof(watch.read));
	watch.once = once;
	watch.keep_index = world->receives;
	watch.stores_left = stores_left;
	watch.world = world;
}

void watch_stop(void)
{
	watch.world = NULL;
}

void watch_insist(const struct world *world)
{
	for (unsigned int i = 0; i < PIECE_COUNT; i++)
		insist(!memcmp(image_piece(&watch.due, i), world->piece[i], world->size[i]));
}
