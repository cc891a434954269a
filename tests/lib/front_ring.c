// SPDX-License-Identifier: BSD-3-Clause
// The test front end's frames, out and in, over rings of either form (front_split.c, front_packed.c). A slot is a frame's
// place: its descriptors and its buffer; slots lie in the regions in turn.
#include "base/cleanup.h"
#include "tests/lib/front_form.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#define CHAIN_LENGTH 4
// An indirect table in front of each buffer.
#define TABLE_SIZE (CHAIN_LENGTH * sizeof(struct front_desc))
#define HEADER_SIZE_MAX 12
#define EVENT_SIZE 2
#define ALIGN 64

static uint64_t align_up(uint64_t size)
{
	return (size + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
}

// Three areas, for either form: a packed ring's event structures are smaller than any split ring's areas.
static uint64_t desc_bytes(uint32_t size)
{
	return 16ull * size;
}

static uint64_t avail_bytes(uint32_t size)
{
	return 4 + 2ull * size + EVENT_SIZE;
}

static uint64_t used_bytes(uint32_t size)
{
	return 4 + 8ull * size + EVENT_SIZE;
}

static uint64_t ring_bytes(uint32_t size)
{
	return align_up(desc_bytes(size)) + align_up(avail_bytes(size)) +
		align_up(used_bytes(size));
}

static uint64_t buffer_bytes(const struct front_config *config, bool tx)
{
	uint64_t data = tx ? HEADER_SIZE_MAX + config->frame_size_max : config->rx_buffer_size;
	return align_up(TABLE_SIZE + data);
}

uint64_t front_region_size(const struct front_config *config)
{
	uint64_t per_region = (config->ring_size + config->regions - 1) / config->regions;
	uint64_t buffers = per_region * (buffer_bytes(config, true) + buffer_bytes(config, false));
	uint64_t size = config->queue_pairs * (2 * ring_bytes(config->ring_size) + buffers);
	return (size + 4095) & ~4095ull;
}

// Bytes of a region, for good.
static struct front_buffer take_bytes(struct front *front, uint32_t region, uint64_t size)
{
	struct front_region *r = &front->region[region];
	struct front_buffer buffer = {r->addr + r->used, r->gpa + r->used};
	r->used += align_up(size);
	return buffer;
}

int front_queue_init(struct front *front, uint32_t index)
{
	const struct front_config *config = &front->config;
	struct front_queue *queue = &front->queue[index];
	uint32_t size = config->ring_size;
	bool tx = index % 2;
	static const uint32_t strides[FRONT_LAYOUT_COUNT] = {1, 2, CHAIN_LENGTH, 1};

	queue->size = size;
	queue->stride = tx ? strides[config->layout] : 1;
	queue->slots = size / queue->stride;
	if (!queue->slots)
		return -EINVAL;
	queue->desc = (void *)take_bytes(front, 0, desc_bytes(size)).addr;
	queue->avail = (void *)take_bytes(front, 0, avail_bytes(size)).addr;
	queue->used = (void *)take_bytes(front, 0, used_bytes(size)).addr;
	queue->buffer = calloc(queue->slots, sizeof(*queue->buffer));
	queue->is_out = calloc(queue->slots, sizeof(*queue->is_out));
	queue->free_slot = calloc(queue->slots, sizeof(*queue->free_slot));
	queue->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	queue->call_fd = config->with_calls ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
	if (!queue->buffer || !queue->is_out || !queue->free_slot || queue->kick_fd < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < queue->slots; i++)
		queue->buffer[i] = take_bytes(front, i % config->regions, buffer_bytes(config, tx));
	return 0;
}

void front_queue_fini(struct front_queue *queue)
{
	free(queue->buffer);
	free(queue->is_out);
	free(queue->free_slot);
	fd_close(&queue->kick_fd);
	fd_close(&queue->call_fd);
}

// The slot to send from; there must be a free one. In order each has its turn (2.6.9, 2.7.9); else the last that came
// back, so that heads are not in order.
static uint32_t next_slot(const struct front_queue *queue)
{
	return queue->in_order ? queue->next_slot : queue->free_slot[queue->free_count - 1];
}

static uint32_t take_slot(struct front_queue *queue)
{
	uint32_t slot = next_slot(queue);

	queue->free_count--;
	if (queue->in_order)
		queue->next_slot = (slot + 1) % queue->slots;
	return slot;
}

static void give_slot(struct front_queue *queue, uint32_t slot)
{
	queue->free_slot[queue->free_count++] = (uint16_t)slot;
}

static void post(
	struct front_queue *queue,
	uint32_t slot,
	const struct front_desc *chain,
	uint32_t count
)
{
	queue->is_out[slot] = true;
	if (queue->packed)
		front_packed_post(queue, slot, chain, count);
	else
		front_split_post(queue, slot, chain, count);
}

static void post_buffer(struct front *front, struct front_queue *queue, uint32_t slot)
{
	const struct front_desc desc = {
		.addr = queue->buffer[slot].gpa + TABLE_SIZE,
		.size = front->config.rx_buffer_size,
		.flags = FRONT_DESC_WRITE,
	};
	post(queue, slot, &desc, 1);
}

static void ask(struct front_queue *queue)
{
	if (queue->packed)
		front_packed_ask(queue);
	else
		front_split_ask(queue);
}

void front_queue_reset(struct front *front, uint32_t index)
{
	struct front_queue *queue = &front->queue[index];
	bool tx = index % 2;

	queue->packed = front->features & VHOST_FEATURE_RING_PACKED;
	queue->event_idx = front->features & VHOST_FEATURE_RING_EVENT_IDX;
	queue->in_order = front->features & VHOST_FEATURE_IN_ORDER;
	queue->next_slot = queue->oldest_slot = queue->batch_left = 0;
	queue->fresh = 0;
	queue->broken = false;
	queue->has_held = false;
	if (queue->packed)
		front_packed_reset(queue);
	else
		front_split_reset(queue);
	queue->wants_calls = queue->call_fd >= 0;
	ask(queue);
	queue->free_count = 0;
	for (uint32_t i = queue->slots; i--;) {
		queue->is_out[i] = false;
		give_slot(queue, i);
	}
	while (!tx && queue->free_count)
		post_buffer(front, queue, take_slot(queue));
}

void front_kick(struct front *front, uint32_t index)
{
	struct front_queue *queue = &front->queue[index];
	uint64_t one = 1;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	bool wanted =
		queue->packed ? front_packed_wants_kick(queue) : front_split_wants_kick(queue);
	queue->fresh = 0;
	if (!wanted)
		return;
	front->kicks++;
	// A full counter is a kick as well.
	(void)!write(queue->kick_fd, &one, sizeof(one));
}

bool front_arm(struct front *front, uint32_t index)
{
	struct front_queue *queue = &front->queue[index];

	queue->wants_calls = true;
	ask(queue);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return !(queue->packed ? front_packed_has_used(queue) : front_split_has_used(queue));
}

void front_disarm(struct front *front, uint32_t index)
{
	front->queue[index].wants_calls = false;
	ask(&front->queue[index]);
}

int front_take_in_order(struct front_queue *queue, uint32_t slot, uint32_t *ret_size)
{
	if (queue->batch_left) {
		queue->batch_left--;
		*ret_size = 0;
		return 0;
	}
	if (slot >= queue->slots)
		return -EPROTO;
	uint32_t ahead = (slot + queue->slots - queue->oldest_slot) % queue->slots;
	if (ahead >= queue->slots - queue->free_count)
		return -EPROTO;
	queue->batch_left = ahead;
	if (ahead)
		*ret_size = 0;
	return 0;
}

// The next slot that came back, which is ours from then on. 1, 0 when there is none, -EPROTO.
static int take_used(struct front_queue *queue, uint32_t *ret_slot, uint32_t *ret_size)
{
	uint32_t slot = 0;

	if (queue->broken)
		return -EPROTO;
	int r = queue->packed ? front_packed_used(queue, &slot, ret_size)
			      : front_split_used(queue, &slot, ret_size);
	if (r == 0)
		return 0;
	if (r < 0 || !queue->is_out[slot]) {
		queue->broken = true;
		return -EPROTO;
	}
	queue->is_out[slot] = false;
	queue->oldest_slot = (slot + 1) % queue->slots;
	give_slot(queue, slot);
	*ret_slot = slot;
	return 1;
}

static int reap(struct front_queue *queue)
{
	uint32_t slot, size;
	int r;

	do {
		r = take_used(queue, &slot, &size);
	} while (r > 0);
	return r;
}

uint32_t front_in_flight(struct front *front, uint32_t pair)
{
	struct front_queue *queue = &front->queue[(size_t)2 * pair + 1];
	(void)reap(queue); // A broken ring keeps what it has.
	return queue->slots - queue->free_count;
}

// Header and data as they lie from `gpa` on. Returns the number of descriptors.
static uint32_t describe(
	const struct front *front,
	uint64_t gpa,
	uint32_t size,
	struct front_desc *ret_chain
)
{
	uint32_t header = front->header_size;
	uint32_t third = size / 3;
	uint32_t parts[FRONT_LAYOUT_COUNT][CHAIN_LENGTH] = {
		[FRONT_INLINE] = {header + size},
		[FRONT_APART] = {header, size},
		[FRONT_CHAIN] = {header, third, third, size - 2 * third},
		[FRONT_INDIRECT] = {header, third, third, size - 2 * third},
	};
	static const uint32_t counts[FRONT_LAYOUT_COUNT] = {1, 2, CHAIN_LENGTH, CHAIN_LENGTH};
	uint32_t count = counts[front->config.layout];

	for (uint32_t i = 0; i < count; i++) {
		uint32_t part = parts[front->config.layout][i];
		ret_chain[i] = (struct front_desc){.addr = gpa, .size = part};
		gpa += part;
	}
	return count;
}

// 2.6.5.3 and 2.7.7: a split ring's table is linked; a packed ring's is not, and its flags say nothing.
static struct front_desc make_indirect(
	const struct front_queue *queue,
	const struct front_buffer *buffer,
	const struct front_desc *chain,
	uint32_t count
)
{
	struct front_desc *table = (void *)buffer->addr;

	for (uint32_t i = 0; i < count; i++) {
		table[i] = chain[i];
		if (!queue->packed && i + 1 < count) {
			table[i].flags |= FRONT_DESC_NEXT;
			table[i].next = (uint16_t)(i + 1);
		}
	}
	return (struct front_desc){
		.addr = buffer->gpa,
		.size = count * (uint32_t)sizeof(*table),
		.flags = FRONT_DESC_INDIRECT,
	};
}

int front_send_place(struct front *front, uint32_t pair, uint8_t **ret_frame)
{
	struct front_queue *queue = &front->queue[(size_t)2 * pair + 1];

	if (!queue->free_count && reap(queue) < 0)
		return -EPROTO;
	if (!queue->free_count)
		return -EAGAIN;
	uint32_t slot = next_slot(queue);
	*ret_frame = queue->buffer[slot].addr + TABLE_SIZE + front->header_size;
	return 0;
}

int front_send_placed(
	struct front *front,
	uint32_t pair,
	const struct frame_offload *offload,
	uint32_t size
)
{
	struct front_queue *queue = &front->queue[(size_t)2 * pair + 1];
	struct front_desc chain[CHAIN_LENGTH];

	if (size > front->config.frame_size_max)
		return -EMSGSIZE;
	if (!queue->free_count)
		return -EAGAIN;
	uint32_t slot = take_slot(queue);
	struct front_buffer *buffer = &queue->buffer[slot];
	uint8_t *to = buffer->addr + TABLE_SIZE;
	memset(to, 0, front->header_size);
	if (offload)
		memcpy(to, offload, sizeof(*offload));
	uint32_t count = describe(front, buffer->gpa + TABLE_SIZE, size, chain);
	if (front->config.layout == FRONT_INDIRECT) {
		chain[0] = make_indirect(queue, buffer, chain, count);
		count = 1;
	}
	post(queue, slot, chain, count);
	return 0;
}

int front_send_offload(
	struct front *front,
	uint32_t pair,
	const struct frame_offload *offload,
	const void *frame,
	uint32_t size
)
{
	uint8_t *to;

	if (size > front->config.frame_size_max)
		return -EMSGSIZE;
	int r = front_send_place(front, pair, &to);
	if (r)
		return r;
	memcpy(to, frame, size);
	return front_send_placed(front, pair, offload, size);
}

int front_send(struct front *front, uint32_t pair, const void *frame, uint32_t size)
{
	return front_send_offload(front, pair, NULL, frame, size);
}

// A frame as it is put together from its buffers.
struct inbound {
	uint8_t *frame;
	uint32_t room;
	uint32_t size;
	bool fits;
};

// Takes `size` bytes of a buffer behind the first `skip`, and gives the buffer back.
static void take_part(
	struct front *front,
	struct front_queue *queue,
	struct inbound *in,
	uint32_t slot,
	uint32_t skip,
	uint32_t size
)
{
	in->fits = in->fits && size <= in->room - in->size;
	if (in->fits) {
		memcpy(in->frame + in->size, queue->buffer[slot].addr + TABLE_SIZE + skip, size);
		in->size += size;
	}
	(void)take_slot(queue); // The one that just came back, in either order.
	post_buffer(front, queue, slot);
}

// The next buffer with something in it: 1, 0 or -EPROTO.
static int take_buffer(
	const struct front *front,
	struct front_queue *queue,
	uint32_t *ret_slot,
	uint32_t *ret_size
)
{
	int r = take_used(queue, ret_slot, ret_size);
	return r > 0 && *ret_size > front->config.rx_buffer_size ? -EPROTO : r;
}

// Gives back the buffer that front_receive_place() showed.
static void give_held(struct front *front, struct front_queue *queue)
{
	if (queue->has_held)
		post_buffer(front, queue, queue->held_slot);
	queue->has_held = false;
}

// The first buffer of the next frame, and how many it has: 1, 0 when there is none, -EPROTO.
static int take_first(
	struct front *front,
	struct front_queue *queue,
	uint32_t *ret_slot,
	uint32_t *ret_size,
	uint16_t *ret_count
)
{
	give_held(front, queue);
	int r = take_buffer(front, queue, ret_slot, ret_size);
	if (r <= 0)
		return r;
	if (*ret_size < front->header_size)
		return -EPROTO;
	const uint8_t *from = queue->buffer[*ret_slot].addr + TABLE_SIZE;
	*ret_count = 1;
	if (front->header_size == HEADER_SIZE_MAX)
		memcpy(ret_count, from + sizeof(struct frame_offload), 2); // num_buffers
	return *ret_count ? 1 : -EPROTO;
}

// 5.1.6.4: a frame's buffers come back all at once.
static int take_others(
	struct front *front,
	struct front_queue *queue,
	struct inbound *in,
	uint16_t count
)
{
	uint32_t slot, size;

	while (count--) {
		if (take_buffer(front, queue, &slot, &size) <= 0)
			return -EPROTO;
		take_part(front, queue, in, slot, 0, size);
	}
	return in->fits ? (int)in->size : -EMSGSIZE;
}

int front_receive_offload(
	struct front *front,
	uint32_t pair,
	struct frame_offload *ret_offload,
	void *ret_frame,
	uint32_t room
)
{
	struct front_queue *queue = &front->queue[(size_t)2 * pair];
	struct inbound in = {.frame = ret_frame, .room = room, .fits = true};
	uint32_t header = front->header_size;
	uint32_t slot, size;
	uint16_t count;

	int r = take_first(front, queue, &slot, &size, &count);
	if (r <= 0)
		return r;
	if (ret_offload)
		memcpy(ret_offload, queue->buffer[slot].addr + TABLE_SIZE, sizeof(*ret_offload));
	take_part(front, queue, &in, slot, header, size - header);
	return take_others(front, queue, &in, (uint16_t)(count - 1));
}

int front_receive_place(
	struct front *front,
	uint32_t pair,
	struct frame_offload *ret_offload,
	const uint8_t **ret_frame
)
{
	struct front_queue *queue = &front->queue[(size_t)2 * pair];
	struct inbound in = {0};
	uint32_t slot, size;
	uint16_t count;

	int r = take_first(front, queue, &slot, &size, &count);
	if (r <= 0)
		return r;
	if (count > 1) {
		take_part(front, queue, &in, slot, 0, size);
		return take_others(front, queue, &in, (uint16_t)(count - 1));
	}
	const uint8_t *from = queue->buffer[slot].addr + TABLE_SIZE;
	memcpy(ret_offload, from, sizeof(*ret_offload));
	*ret_frame = from + front->header_size;
	queue->held_slot = take_slot(queue); // The one that just came back, in either order.
	queue->has_held = true;
	return (int)(size - front->header_size);
}

int front_receive(struct front *front, uint32_t pair, void *ret_frame, uint32_t room)
{
	return front_receive_offload(front, pair, NULL, ret_frame, room);
}
