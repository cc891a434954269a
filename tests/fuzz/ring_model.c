// SPDX-License-Identifier: BSD-3-Clause
// What a back end has to make of a ring, one chain after the other, written from the specification (virtio 1.1, 2.6, 2.7 and
// 5.1.6) and from vring.h's limits. It reads nothing but what the back end read, and calls nothing of src/vring/.
#include "ring_world.h"

#include <stddef.h>
#include <string.h>

struct walk {
	uint32_t budget; // Descriptors.
	uint32_t looked;
	uint16_t direction;
	uint32_t ring_descs;
	uint32_t ring_descs_max; // Packed.
	uint16_t id;
	bool ended;    // Packed: the last descriptor of the ring was seen.
	bool too_many; // The budget was not enough.
	enum vring_fault fault;
	uint64_t size;
	uint32_t seg_count;
	struct model_seg seg[FRAME_SEGS_MAX]; // Last: it is large, and nothing before it was added.
};

static void begin(struct walk *walk, uint32_t budget, uint16_t direction)
{
	memset(walk, 0, offsetof(struct walk, seg));
	walk->budget = budget;
	walk->direction = direction;
}

// What a deliverer writes changes what it reads later only where nothing else changes, or in the scratch memory.
static const uint8_t *bytes_at(const struct world *world, enum piece piece, uint32_t at)
{
	bool written = piece == PIECE_SCRATCH || (piece == PIECE_SLOTS && !world->changes);
	struct image *image = written && world->receives ? &watch.due : &watch.seen;
	return image_piece(image, piece) + at;
}

static bool translate(
	const struct world *world,
	uint64_t gpa,
	uint64_t size,
	enum piece *ret_piece,
	uint32_t *ret_at
)
{
	static const struct {
		uint64_t gpa;
		enum piece piece;
	} regions[] = {{SLOTS_GPA, PIECE_SLOTS}, {SCRATCH_GPA, PIECE_SCRATCH}};

	for (int i = 0; i < 2; i++) {
		uint64_t most = world->size[regions[i].piece];
		if (gpa < regions[i].gpa || gpa >= regions[i].gpa + most ||
		    size > regions[i].gpa + most - gpa)
			continue;
		*ret_piece = regions[i].piece;
		*ret_at = (uint32_t)(gpa - regions[i].gpa);
		return true;
	}
	return false;
}

static struct desc read_at(const struct world *world, enum piece piece, uint32_t at)
{
	struct desc d;
	memcpy(&d, bytes_at(world, piece, at), sizeof(d));
	if (world->config.packed) {
		uint16_t id = d.flags;
		d.flags = d.next;
		d.next = id;
	}
	return d;
}

// False: the walk is over.
static bool add(const struct world *world, struct walk *walk, struct desc d)
{
	struct model_seg *seg = &walk->seg[walk->seg_count];

	if (walk->looked == walk->budget) {
		walk->too_many = true;
		return false;
	}
	walk->looked++;
	if ((d.flags & DESC_F_WRITE) != walk->direction) {
		walk->fault = VRING_FAULT_DIRECTION;
		return false;
	}
	if (!d.size)
		return true;
	if (!translate(world, d.addr, d.size, &seg->piece, &seg->at)) {
		walk->fault = VRING_FAULT_ADDRESS;
		return false;
	}
	seg->size = d.size;
	walk->size += d.size;
	walk->seg_count++;
	return true;
}

static bool fail(struct walk *walk, enum vring_fault fault)
{
	walk->fault = fault;
	return false;
}

static bool find_table(
	const struct world *world,
	struct walk *walk,
	struct desc d,
	enum piece *ret_piece,
	uint32_t *ret_at
)
{
	if (!world->config.indirect || (d.flags & DESC_F_NEXT) || !d.size || d.size % 16 ||
	    d.size / 16 > VRING_SIZE_MAX)
		return fail(walk, VRING_FAULT_INDIRECT);
	if (!translate(world, d.addr, d.size, ret_piece, ret_at))
		return fail(walk, VRING_FAULT_ADDRESS);
	return true;
}

// 2.6.5: by `next`, at most as many as the table has.
static void walk_split(const struct world *world, struct walk *walk, uint16_t head)
{
	enum piece piece = PIECE_DESC;
	uint32_t start = 0;
	uint32_t count = world->config.size;
	uint32_t steps = 1;
	bool inside = false;
	struct desc d = read_at(world, piece, 16u * head);

	for (;; steps++) {
		if (d.flags & DESC_F_INDIRECT) {
			if (inside) {
				(void)fail(walk, VRING_FAULT_INDIRECT);
				return;
			}
			if (!find_table(world, walk, d, &piece, &start))
				return;
			inside = true;
			count = d.size / 16;
			steps = 1;
			d = read_at(world, piece, start);
			if (d.flags & DESC_F_INDIRECT) {
				(void)fail(walk, VRING_FAULT_INDIRECT);
				return;
			}
		}
		if (!add(world, walk, d) || !(d.flags & DESC_F_NEXT))
			return;
		if (d.next >= count || steps == count) {
			(void)fail(walk, d.next >= count ? VRING_FAULT_HEAD : VRING_FAULT_LOOP);
			return;
		}
		d = read_at(world, piece, start + 16u * d.next);
	}
}

// 2.7.6 and 2.7.7: along the ring; or one table, whose entries follow each other.
static void walk_packed(const struct world *world, struct walk *walk, struct place at)
{
	struct desc d = read_at(world, PIECE_DESC, 16 * at.index);
	enum piece piece;
	uint32_t table;

	walk->ring_descs = 1;
	walk->id = d.next;
	walk->ended = !(d.flags & DESC_F_NEXT);
	if (d.flags & DESC_F_INDIRECT) {
		bool found = find_table(world, walk, d, &piece, &table);
		for (uint32_t i = 0; found && i < d.size / 16; i++) {
			struct desc entry = read_at(world, piece, table + 16 * i);
			entry.flags &= walk->direction; // In a table that is read it means nothing.
			found = add(world, walk, entry);
		}
		return;
	}
	while (add(world, walk, d) && !walk->ended) {
		if (walk->ring_descs == walk->ring_descs_max) {
			(void)fail(walk, VRING_FAULT_LOOP);
			return;
		}
		at = world_ahead(world, at, 1);
		d = read_at(world, PIECE_DESC, 16 * at.index);
		walk->ring_descs++;
		walk->id = d.next;
		walk->ended = !(d.flags & DESC_F_NEXT);
		if (d.flags & DESC_F_INDIRECT) {
			(void)fail(walk, VRING_FAULT_INDIRECT);
			return;
		}
	}
}

// The end of a chain of which too much was seen.
static void finish_packed(const struct world *world, struct walk *walk, struct place at)
{
	at = world_ahead(world, at, walk->ring_descs - 1);
	while (!walk->ended) {
		if (walk->ring_descs == walk->ring_descs_max) {
			(void)fail(walk, VRING_FAULT_LOOP);
			return;
		}
		at = world_ahead(world, at, 1);
		struct desc d = read_at(world, PIECE_DESC, 16 * at.index);
		walk->ring_descs++;
		walk->id = d.next;
		walk->ended = !(d.flags & DESC_F_NEXT);
	}
}

// How many chains of a split ring are there, if the back end wants to know of `want`.
static uint32_t count_available(struct world *world, uint32_t want, enum vring_fault *ret_fault)
{
	uint16_t known = (uint16_t)(world->seen - world->avail.index);
	uint16_t index;

	if (known >= want)
		return known;
	memcpy(&index, bytes_at(world, PIECE_AVAIL, 2), 2);
	known = (uint16_t)(index - world->avail.index);
	if (known > world->config.size) {
		*ret_fault = VRING_FAULT_AVAIL_JUMP;
		return 0;
	}
	world->seen = index;
	return known;
}

// Walks the chain that is `ahead` entries (split) or begins at `at` (packed). False: none is there.
static bool walk_next(
	struct world *world,
	struct walk *walk,
	uint32_t ahead,
	struct place at,
	bool *ret_bad_head
)
{
	*ret_bad_head = false;
	if (world->config.packed) {
		struct desc d = read_at(world, PIECE_DESC, 16 * at.index);
		uint16_t both = PACKED_F_AVAIL | PACKED_F_USED;
		if ((d.flags & both) != (at.wrap ? PACKED_F_AVAIL : PACKED_F_USED))
			return false;
		walk_packed(world, walk, at);
		return true;
	}
	uint32_t entry = (world->avail.index + ahead) % world->config.size;
	memcpy(&walk->id, bytes_at(world, PIECE_AVAIL, 4 + 2 * entry), 2);
	walk->ring_descs = 1; // An entry.
	*ret_bad_head = walk->id >= world->config.size;
	if (!*ret_bad_head)
		walk_split(world, walk, walk->id);
	return true;
}

static void copy_out(
	const struct world *world,
	const struct walk *walk,
	uint32_t skip,
	uint8_t *to,
	uint32_t size
)
{
	for (uint32_t i = 0; size; i++) {
		const struct model_seg *seg = &walk->seg[i];
		uint32_t from = skip < seg->size ? skip : seg->size;
		uint32_t part = seg->size - from < size ? seg->size - from : size;
		memcpy(to, bytes_at(world, seg->piece, seg->at + from), part);
		skip -= from;
		to += part;
		size -= part;
	}
}

static enum vring_drop make_frame(
	const struct world *world,
	const struct walk *walk,
	struct model_frame *frame
)
{
	uint32_t header = world->config.header_size;

	if (walk->size < header + FRAME_SIZE_MIN)
		return VRING_DROP_SHORT;
	if (walk->size > header + FRAME_SIZE_MAX)
		return VRING_DROP_LONG;
	frame->size = (uint32_t)walk->size - header;
	memset(frame->header, 0, sizeof(frame->header));
	if (world->config.offloads)
		copy_out(world, walk, 0, frame->header, 10);
	copy_out(
		world,
		walk,
		header,
		frame->head,
		frame->size < FRAME_HEAD_SIZE ? frame->size : FRAME_HEAD_SIZE
	);
	frame->seg_count = 0;
	for (uint32_t i = 0; i < walk->seg_count; i++) {
		struct model_seg seg = walk->seg[i];
		uint32_t cut = header < seg.size ? header : seg.size;
		header -= cut;
		seg.at += cut;
		seg.size -= cut;
		if (seg.size)
			frame->seg[frame->seg_count++] = seg;
	}
	return VRING_DROP_NONE;
}

void model_take(struct world *world, uint32_t max, struct model_result *ret)
{
	static struct walk walk; // Large.
	uint32_t looked = 0;
	uint32_t descs = 0;
	bool packed = world->config.packed;
	uint32_t ready = UINT32_MAX;

	ret->frame_count = ret->used_count = 0;
	ret->fault = VRING_FAULT_NONE;
	memset(ret->drops, 0, sizeof(ret->drops));
	if (max > FRAME_BURST_MAX)
		max = FRAME_BURST_MAX;
	if (!packed)
		ready = count_available(world, max, &ret->fault);
	while (ret->used_count < max && ret->used_count < ready && descs < world->config.size) {
		struct place at = world_ahead(world, world->avail, descs);
		bool bad_head;
		begin(&walk, BUDGET_TAKE - looked, 0);
		walk.ring_descs_max = world->config.size - descs;
		if (!walk_next(world, &walk, ret->used_count, at, &bad_head))
			break;
		if (bad_head)
			walk.fault = VRING_FAULT_HEAD;
		if (walk.too_many && looked)
			break;
		if (walk.too_many && packed)
			finish_packed(world, &walk, at);
		ret->fault = walk.fault;
		if (walk.fault != VRING_FAULT_NONE)
			break;
		enum vring_drop drop = walk.too_many
			? VRING_DROP_LONG
			: make_frame(world, &walk, &ret->frame[ret->frame_count]);
		ret->drops[drop]++;
		ret->frame_count += drop == VRING_DROP_NONE;
		looked += walk.looked;
		descs += walk.ring_descs;
		ret->used[ret->used_count++] =
			(struct model_used){walk.id, 0, packed ? walk.ring_descs : 1};
	}
	world->avail = world_ahead(world, world->avail, descs);
}

// Buffers for one frame.
struct gathered {
	struct walk walk; // All of them as one.
	uint32_t chain_count;
	uint32_t descs;
	struct model_used chain[WORLD_RING_MAX]; // Its size: the room.
};

static enum vring_drop gather(
	struct world *world,
	uint32_t need,
	uint32_t left,
	struct gathered *all,
	enum vring_fault *ret_fault
)
{
	bool packed = world->config.packed;
	struct walk *walk = &all->walk;
	bool bad_head;

	begin(walk, BUDGET_DELIVER, DESC_F_WRITE);
	all->chain_count = all->descs = 0;
	do {
		uint64_t before = walk->size;
		struct place at = world_ahead(world, world->avail, all->descs);
		if (!packed &&
		    count_available(world, all->chain_count + 1, ret_fault) <= all->chain_count)
			return VRING_DROP_FULL;
		if (packed && all->descs == left)
			return VRING_DROP_FULL;
		walk->ring_descs_max = left - all->descs;
		if (!walk_next(world, walk, all->chain_count, at, &bad_head))
			return VRING_DROP_FULL;
		if (bad_head)
			walk->fault = VRING_FAULT_HEAD;
		if (walk->too_many && packed && walk->size >= need)
			finish_packed(world, walk, at);
		*ret_fault = walk->fault;
		if (walk->fault != VRING_FAULT_NONE)
			return VRING_DROP_FULL;
		all->chain[all->chain_count++] = (struct model_used
		){walk->id, (uint32_t)(walk->size - before), packed ? walk->ring_descs : 1};
		all->descs += walk->ring_descs;
	} while (walk->size < need && world->config.mergeable && !walk->too_many);
	return walk->size < need ? VRING_DROP_BUFFER : VRING_DROP_NONE;
}

static void write_frame(
	const struct walk *walk,
	const uint8_t *header,
	uint32_t header_size,
	const uint8_t *bytes,
	uint32_t size
)
{
	uint32_t done = 0;

	for (uint32_t i = 0; done < header_size + size; i++) {
		const struct model_seg *seg = &walk->seg[i];
		uint8_t *to = image_piece(&watch.due, seg->piece) + seg->at;
		for (uint32_t k = 0; k < seg->size && done < header_size + size; k++, done++)
			to[k] = done < header_size ? header[done] : bytes[done - header_size];
	}
}

void model_deliver(
	struct world *world,
	const uint32_t *sizes,
	const uint8_t *bytes,
	uint32_t count,
	struct model_result *ret
)
{
	static struct gathered all; // Large.
	uint32_t header_size = world->config.header_size;
	uint32_t left = world->config.size;

	ret->frame_count = ret->used_count = 0;
	ret->fault = VRING_FAULT_NONE;
	ret->drop = VRING_DROP_NONE;
	if (!world->config.packed)
		(void)count_available(world, count, &ret->fault);
	if (ret->fault != VRING_FAULT_NONE)
		ret->drop = VRING_DROP_FULL;
	while (ret->drop == VRING_DROP_NONE && ret->frame_count < count) {
		uint32_t size = sizes[ret->frame_count];
		uint32_t need = header_size + size;
		uint8_t header[12] = {0};
		ret->drop = gather(world, need, left, &all, &ret->fault);
		if (ret->drop != VRING_DROP_NONE)
			break;
		header[10] = (uint8_t)all.chain_count;
		write_frame(&all.walk, header, header_size, bytes, size);
		for (uint32_t i = 0; i < all.chain_count; i++) {
			struct model_used used = all.chain[i];
			used.size = used.size < need ? used.size : need;
			need -= used.size;
			ret->used[ret->used_count++] = used;
		}
		left -= all.descs;
		world->avail = world_ahead(world, world->avail, all.descs);
		ret->frame_count++;
	}
}

// 2.7.4 and 2.7.8: one used descriptor in the place of the chain's first.
static void show_packed(struct world *world, const struct model_used *used)
{
	uint8_t *to = watch.due.desc + 16ul * world->used.index + 8;
	uint16_t flags = (uint16_t
	)((world->used.wrap ? PACKED_F_AVAIL | PACKED_F_USED : 0) | (used->size ? DESC_F_WRITE : 0)
	);
	memcpy(to, &used->size, 4);
	memcpy(to + 4, &used->id, 2);
	memcpy(to + 6, &flags, 2);
}

// 2.6.8.
static void show_split(struct world *world, const struct model_used *used)
{
	uint32_t id = used->id;
	uint8_t *to = watch.due.used + 4 + 8ul * (world->used.index % world->config.size);
	memcpy(to, &id, 4);
	memcpy(to + 4, &used->size, 4);
}

void model_show(struct world *world, const struct model_result *result, bool shown)
{
	// 2.6.9 and 2.7.9: a transmit burst as one, with the id of its last.
	bool batch = world->config.in_order && !world->receives && result->used_count;
	struct place before = world->used;

	if (world->config.packed && !shown)
		return;
	for (uint32_t i = 0; i < result->used_count; i++) {
		struct model_used used = result->used[i];
		if (batch)
			used.id = result->used[result->used_count - 1].id;
		if (!batch || i == 0) {
			if (world->config.packed)
				show_packed(world, &used);
			else
				show_split(world, &used);
		}
		world->used = world_ahead(world, world->used, used.descs);
	}
	if (!shown) {
		world->used = before;
	} else if (!world->config.packed) {
		uint16_t index = (uint16_t)world->used.index;
		memcpy(watch.due.used + 2, &index, 2);
	}
}
