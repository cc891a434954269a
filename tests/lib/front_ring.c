// SPDX-License-Identifier: BSD-3-Clause
// The test front end's rings (virtio 1.1, 2.6): the driver's side of a split ring. A slot is a frame's
// place: its descriptors, linked once, and its buffer; slots lie in the regions in turn.
#include "base/cleanup.h"
#include "tests/lib/front.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#define CHAIN_LENGTH 4
// An indirect table in front of each buffer.
#define TABLE_SIZE (CHAIN_LENGTH * sizeof(struct front_desc))
#define HEADER_SIZE_MAX 12
#define ALIGN 64

static uint64_t align_up(uint64_t size)
{
	return (size + ALIGN - 1) & ~(uint64_t)(ALIGN - 1);
}

static uint64_t ring_bytes(uint32_t size)
{
	return align_up(16ull * size) + align_up(6 + 2ull * size) + align_up(6 + 8ull * size);
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
	queue->desc = (void *)take_bytes(front, 0, 16ull * size).addr;
	queue->avail = (void *)take_bytes(front, 0, 6 + 2ull * size).addr;
	queue->used = (void *)take_bytes(front, 0, 6 + 8ull * size).addr;
	queue->buffer = calloc(queue->slots, sizeof(*queue->buffer));
	queue->free_slot = calloc(queue->slots, sizeof(*queue->free_slot));
	queue->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	queue->call_fd = config->with_calls ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
	if (!queue->buffer || !queue->free_slot || queue->kick_fd < 0)
		return -ENOMEM;
	for (uint32_t i = 0; i < queue->slots; i++)
		queue->buffer[i] = take_bytes(front, i % config->regions, buffer_bytes(config, tx));
	return 0;
}

void front_queue_fini(struct front_queue *queue)
{
	free(queue->buffer);
	free(queue->free_slot);
	fd_close(&queue->kick_fd);
	fd_close(&queue->call_fd);
}

static void post(struct front_queue *queue, uint16_t head)
{
	queue->avail->ring[queue->avail_idx & (queue->size - 1)] = head;
	queue->avail_idx++;
	__atomic_store_n(&queue->avail->idx, queue->avail_idx, __ATOMIC_RELEASE);
}

void front_queue_reset(struct front *front, uint32_t index)
{
	struct front_queue *queue = &front->queue[index];
	bool tx = index % 2;

	memset(queue->desc, 0, 16ull * queue->size);
	memset(queue->avail, 0, 6 + 2ull * queue->size);
	memset(queue->used, 0, 6 + 8ull * queue->size);
	queue->avail_idx = 0;
	queue->used_seen = 0;
	// Without calls wanted, none come (2.6.7).
	queue->avail->flags = queue->call_fd < 0;
	queue->free_count = tx ? queue->slots : 0;
	for (uint32_t i = 0; i < queue->slots; i++) {
		queue->free_slot[i] = (uint16_t)(queue->slots - 1 - i);
		if (tx)
			continue;
		queue->desc[i] = (struct front_desc){
			.addr = queue->buffer[i].gpa + TABLE_SIZE,
			.size = front->config.rx_buffer_size,
			.flags = FRONT_DESC_WRITE,
		};
		post(queue, (uint16_t)i);
	}
}

void front_kick(struct front *front, uint32_t index)
{
	struct front_queue *queue = &front->queue[index];
	uint64_t one = 1;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (__atomic_load_n(&queue->used->flags, __ATOMIC_RELAXED) & 1)
		return;
	front->kicks++;
	// A full counter is a kick as well.
	(void)!write(queue->kick_fd, &one, sizeof(one));
}

static void reap(struct front_queue *queue)
{
	uint16_t used = __atomic_load_n(&queue->used->idx, __ATOMIC_ACQUIRE);

	while (queue->used_seen != used && queue->free_count < queue->slots) {
		uint32_t id = queue->used->ring[queue->used_seen & (queue->size - 1)].id;
		queue->free_slot[queue->free_count++] =
			(uint16_t)((id / queue->stride) % queue->slots);
		queue->used_seen++;
	}
}

uint32_t front_in_flight(struct front *front, uint32_t pair)
{
	struct front_queue *queue = &front->queue[(size_t)2 * pair + 1];
	reap(queue);
	return queue->slots - queue->free_count;
}

// Describes header and data, from `gpa` on, in `count` descriptors that are linked from `first` on.
static void link_frame(
	struct front_desc *desc,
	uint16_t first,
	uint32_t count,
	uint64_t gpa,
	const uint32_t *sizes
)
{
	for (uint32_t i = 0; i < count; i++) {
		desc[i] = (struct front_desc){
			.addr = gpa,
			.size = sizes[i],
			.flags = i + 1 < count ? FRONT_DESC_NEXT : 0,
			.next = (uint16_t)(first + i + 1),
		};
		gpa += sizes[i];
	}
}

static void describe(struct front *front, struct front_queue *queue, uint32_t slot, uint32_t size)
{
	uint32_t header = front->header_size;
	struct front_buffer *buffer = &queue->buffer[slot];
	uint16_t first = (uint16_t)(slot * queue->stride);
	struct front_desc *desc = &queue->desc[first];
	uint64_t gpa = buffer->gpa + TABLE_SIZE;
	uint32_t third = size / 3;
	uint32_t chain[CHAIN_LENGTH] = {header, third, third, size - 2 * third};

	switch (front->config.layout) {
	case FRONT_APART:
		link_frame(desc, first, 2, gpa, (uint32_t[]){header, size});
		return;
	case FRONT_CHAIN:
		link_frame(desc, first, CHAIN_LENGTH, gpa, chain);
		return;
	case FRONT_INDIRECT:
		link_frame((void *)buffer->addr, 0, CHAIN_LENGTH, gpa, chain);
		*desc = (struct front_desc
		){.addr = buffer->gpa, .size = TABLE_SIZE, .flags = FRONT_DESC_INDIRECT};
		return;
	default:
		*desc = (struct front_desc){.addr = gpa, .size = header + size};
	}
}

int front_send(struct front *front, uint32_t pair, const void *frame, uint32_t size)
{
	struct front_queue *queue = &front->queue[(size_t)2 * pair + 1];

	if (size > front->config.frame_size_max)
		return -EMSGSIZE;
	if (!queue->free_count)
		reap(queue);
	if (!queue->free_count)
		return -EAGAIN;
	uint16_t slot = queue->free_slot[--queue->free_count];
	uint8_t *to = queue->buffer[slot].addr + TABLE_SIZE;
	memset(to, 0, front->header_size);
	memcpy(to + front->header_size, frame, size);
	describe(front, queue, slot, size);
	post(queue, (uint16_t)(slot * queue->stride));
	return 0;
}

// A used entry's buffer; NULL when the back end names none of ours or more bytes than it has.
static const uint8_t *used_buffer(
	const struct front *front,
	const struct front_queue *queue,
	uint16_t at,
	struct front_used_entry *ret_entry
)
{
	*ret_entry = queue->used->ring[at & (queue->size - 1)];
	if (ret_entry->id >= queue->slots || ret_entry->size > front->config.rx_buffer_size)
		return NULL;
	return queue->buffer[ret_entry->id].addr + TABLE_SIZE;
}

int front_receive(struct front *front, uint32_t pair, void *ret_frame, uint32_t room)
{
	struct front_queue *queue = &front->queue[(size_t)2 * pair];
	struct front_used_entry entry;
	uint16_t ready = __atomic_load_n(&queue->used->idx, __ATOMIC_ACQUIRE);
	uint16_t count = 1;
	uint32_t size = 0;
	bool fits = true;

	if (ready == queue->used_seen)
		return 0;
	const uint8_t *from = used_buffer(front, queue, queue->used_seen, &entry);
	if (!from || entry.size < front->header_size)
		return -EPROTO;
	if (front->header_size == HEADER_SIZE_MAX)
		memcpy(&count, from + 10, sizeof(count)); // num_buffers
	if (!count || count > (uint16_t)(ready - queue->used_seen))
		return -EPROTO;
	for (uint16_t i = 0; i < count; i++) {
		uint32_t skip = i ? 0 : front->header_size;
		from = used_buffer(front, queue, queue->used_seen++, &entry);
		if (!from)
			return -EPROTO;
		uint32_t part = entry.size - skip;
		fits = fits && part <= room - size;
		if (fits) {
			memcpy((uint8_t *)ret_frame + size, from + skip, part);
			size += part;
		}
		post(queue, (uint16_t)entry.id);
	}
	return fits ? (int)size : -EMSGSIZE;
}
