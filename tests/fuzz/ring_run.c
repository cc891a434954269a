// SPDX-License-Identifier: BSD-3-Clause
// A back end on one ring beside its model: each command's outcome and every byte of the front end's memory are compared.
// The input is a list of commands; some end the back end in the middle of showing a burst, and another one goes on.
#include "ring_run.h"

#include <setjmp.h>
#include <string.h>

#define COMMANDS_MAX 256
#define BYTES_MAX 2560 // Of the largest frame that is delivered.

jmp_buf crash;
static struct model_result model; // Large.

static void insist_frame(
	const struct world *world,
	const struct frame *frame,
	const struct model_frame *due
)
{
	insist(frame->size == due->size && frame->seg_count == due->seg_count);
	insist(frame->head_size == (due->size < FRAME_HEAD_SIZE ? due->size : FRAME_HEAD_SIZE));
	insist(!memcmp(frame->head, due->head, frame->head_size));
	insist(!memcmp(&frame->offload, due->header, sizeof(frame->offload)));
	for (uint32_t i = 0; i < due->seg_count; i++) {
		const struct model_seg *seg = &due->seg[i];
		insist(frame->segs[i].addr == world->piece[seg->piece] + seg->at);
		insist(frame->segs[i].size == seg->size);
	}
}

// Returns the number of chains.
static uint32_t take(struct world *world, uint32_t max)
{
	static struct frame_burst burst; // Large.
	uint64_t drops[VRING_DROP_COUNT] = {0};

	watch_start(world, true, -1);
	uint32_t count = vring_take(&world->ring, &burst, max, drops);
	watch_stop();
	model_take(world, max, &model);
	insist(world->ring.fault == model.fault);
	insist(count == model.frame_count && world->ring.taken_count == model.used_count);
	for (int i = VRING_DROP_NONE + 1; i < VRING_DROP_COUNT; i++)
		insist(drops[i] == model.drops[i]);
	for (uint32_t i = 0; i < count; i++)
		insist_frame(world, &burst.frame[i], &model.frame[i]);
	watch_insist(world);
	return model.used_count;
}

static uint32_t deliver(struct world *world, struct input *in)
{
	static uint8_t bytes[BYTES_MAX];
	static struct frame frame[FRAME_BURST_MAX];
	struct frame_seg seg[FRAME_BURST_MAX][2];
	const struct frame *frames[FRAME_BURST_MAX];
	uint32_t sizes[FRAME_BURST_MAX];
	uint32_t how = get(in, 1);
	uint32_t count = world->jumped ? FRAME_BURST_MAX : how % FRAME_BURST_MAX;
	enum vring_drop drop;

	memset(bytes, (int)(world_random(world) | 1), BYTES_MAX);
	for (uint32_t i = 0; i < BYTES_MAX; i += 61) // Shifts show.
		bytes[i] = (uint8_t)(world_random(world) | 1);
	for (uint32_t i = 0; i < count; i++) {
		uint32_t size = FRAME_SIZE_MIN + (i < 8 ? get(in, 1) : 40) * (how & 128 ? 8 : 1);
		uint32_t cut = size / 3 * (how >> 6 & 1);
		sizes[i] = size;
		seg[i][0] = (struct frame_seg){bytes, cut ? cut : size};
		seg[i][1] = (struct frame_seg){bytes + cut, size - cut};
		frame[i] = (struct frame){
			.head = bytes,
			.segs = seg[i],
			.size = size,
			.head_size = (uint16_t)(size < FRAME_HEAD_SIZE ? size : FRAME_HEAD_SIZE),
			.seg_count = cut ? 2 : 1,
		};
		frames[i] = &frame[i];
	}
	watch_start(world, false, -1);
	uint32_t done = vring_deliver(&world->ring, frames, count, &drop);
	watch_stop();
	model_deliver(world, sizes, bytes, count, &model);
	insist(world->ring.fault == model.fault);
	insist(done == model.frame_count && drop == model.drop);
	if (world->config.packed) // Split: the used entries are there, unseen.
		watch_insist(world);
	return model.used_count;
}

// Shows the burst. `stores`: the process ends before this store, if there are so many. Returns whether it ended.
static bool show(struct world *world, int32_t stores)
{
	bool ended = setjmp(crash) != 0;

	if (!ended) {
		// What the delivery wrote is in watch.due already.
		watch.world = world;
		watch.stores_left = stores;
		if (world->receives)
			vring_show(&world->ring);
		else
			vring_complete(&world->ring);
	}
	watch_stop();
	return ended;
}

// Where another back end goes on, told nothing but what the last one left.
static void recover(struct world *world)
{
	struct vring_config config = world->config;
	struct vring_areas areas = {
		world->piece[PIECE_DESC], world->piece[PIECE_AVAIL], world->piece[PIECE_USED]};

	config.recover = true;
	config.base = world_random(world);
	insist(vring_init(&world->ring, &areas, &config, &world->mem) == 0);
	uint32_t base = world->used.index;
	if (config.packed) {
		base |= world->used.wrap ? 0x8000u : 0;
		base |= base << 16;
	}
	insist(vring_base(&world->ring) == base);
	world->avail = world->used;
	world->seen = (uint16_t)base;
}

// The driver has back what was used.
static void give_back(struct world *world)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < model.used_count; i++)
		count += model.used[i].descs;
	world_give_back(world, count);
}

// Whether the driver's descriptor still stands at a place.
static bool is_available(const struct world *world, struct place at)
{
	uint16_t flags;
	memcpy(&flags, world->piece[PIECE_DESC] + 16ul * at.index + 14, sizeof(flags));
	flags &= PACKED_F_AVAIL | PACKED_F_USED;
	return flags == (at.wrap ? PACKED_F_AVAIL : PACKED_F_USED);
}

// What is in memory now has to stay.
static void keep_all(struct world *world)
{
	watch_start(world, false, -1);
	watch_stop();
}

static void turn(struct world *world, struct input *in)
{
	uint32_t how = get(in, 1);
	uint32_t used = world->receives ? deliver(world, in) : take(world, how & 63);
	int32_t stores = how & 64 ? (int32_t)(get(in, 1) % (used + 4)) : -1;
	bool broken = world->ring.fault != VRING_FAULT_NONE;

	bool ended = show(world, stores);
	bool shown = used && (!ended || (world->config.packed && stores > 0));
	struct place base = world->used;
	model_show(world, &model, shown);
	if (!ended)
		watch_insist(world);
	if (broken && !ended) {
		world_start(world, in);
		return;
	}
	// The driver sees the first of a packed burst when all are stored, and may act before the place says so.
	uint32_t stored = world->config.in_order && !world->receives ? 1 : used;
	bool seen = shown && (!ended || stores > (int32_t)stored);
	if (seen && ended)
		watch_insist(world);
	if (seen)
		give_back(world);
	if (!ended)
		return;
	if (seen)
		world_post(world, in);
	// A driver that took its first descriptor back before it was used has to live with what is there.
	if (seen || (shown && !is_available(world, base)))
		keep_all(world);
	recover(world);
	watch_insist(world);
	if (shown && !seen)
		give_back(world);
}

static void command(struct world *world, struct input *in)
{
	uint32_t op = get(in, 1);

	switch (op % 8) {
	case 0:
	case 1:
		turn(world, in);
		break;
	case 2:
		if (op == 0xfa) {
			world_start(world, in);
		} else if (op == 0xf2 && !world->config.packed && !world->jumped &&
			   world->seen == world->avail.index) {
			world->piece[PIECE_AVAIL][3] ^= 0x40;
			world->jumped = true;
		} else {
			vring_set_notify(&world->ring, op & 64);
			(void)vring_wants_call(&world->ring); // It reads what it may, no more.
			(void)vring_has_work(&world->ring);
		}
		break;
	default:
		world_post(world, in);
	}
}

int ring_run(bool packed, const uint8_t *data, size_t size)
{
	static struct world world; // Large.
	struct input in = {data, size};

	world_make(&world, packed, &in);
	for (int i = 0; i < COMMANDS_MAX && in.left; i++)
		command(&world, &in);
	world_free(&world);
	return 0;
}
