// SPDX-License-Identifier: BSD-3-Clause
// When a virtqueue runs (vhost-user, "Ring states"), and where its areas lie. Owns the queue's eventfds.
// Control thread.
#include "vhost/queue.h"

#include "base/cleanup.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

// Half a packed ring's place (vring_config's base).
#define PLACE_INDEX_MASK 0x7fffu
#define PLACE_WRAP 0x8000u

// One of a ring's three areas.
struct area {
	const char *name;
	uint64_t user;
	uint64_t size;
	uint32_t align;
	void *host;
};

void queue_init(struct queue *queue, bool transmit)
{
	memset(queue, 0, sizeof(*queue));
	queue->transmit = transmit;
	queue->pub.kick_fd = -1;
	queue->pub.call_fd = -1;
	queue->pub.err_fd = -1;
}

void queue_fini(struct queue *queue)
{
	fd_close(&queue->pub.kick_fd);
	fd_close(&queue->pub.call_fd);
	fd_close(&queue->pub.err_fd);
	queue_init(queue, queue->transmit);
}

void queue_suspend(struct queue *queue)
{
	if (!queue->pub.live)
		return;
	queue->base = vring_base(&queue->pub.ring);
	queue->has_base = true;
	queue->pub.live = false;
}

int queue_check_size(uint32_t size, bool packed, struct rwy_err *err)
{
	if (vring_size_is_valid(packed, size))
		return 0;
	if (packed) // virtio 1.1, 2.7: any number.
		return err_set(err, -EPROTO, "%u entries, not from 1 to %u", size, VRING_SIZE_MAX);
	return err_set(
		err,
		-EPROTO,
		"%u entries, not a power of two from %u to %u",
		size,
		VRING_SPLIT_SIZE_MIN,
		VRING_SIZE_MAX
	);
}

// vhost-user, "SET_VRING_BASE": of a packed ring each half has an index below a wrap counter. An upper half of
// zeros is none.
int queue_check(const struct queue *queue, uint64_t features, struct rwy_err *err)
{
	bool packed = features & VHOST_FEATURE_RING_PACKED;
	uint32_t base = queue_base(queue, features);
	int r = queue_check_size(queue->size, packed, err);

	if (r)
		return r;
	uint32_t avail = packed ? base & PLACE_INDEX_MASK : base;
	uint32_t used = packed ? base >> 16 & PLACE_INDEX_MASK : 0;
	uint32_t index = avail > used ? avail : used;
	if (packed ? index >= queue->size : index > UINT16_MAX)
		return err_set(err, -EPROTO, "%u entries, at index %u", queue->size, index);
	return 0;
}

// virtio 1.1, 2.7.1: both wrap counters of a packed ring begin with 1.
uint32_t queue_base(const struct queue *queue, uint64_t features)
{
	if (queue->has_base || !(features & VHOST_FEATURE_RING_PACKED))
		return queue->base;
	return PLACE_WRAP | PLACE_WRAP << 16;
}

static int find_area(const struct memory *memory, struct area *area, struct rwy_err *err)
{
	area->host = memory_find_user(memory, area->user, area->size);
	if (!area->host)
		return err_set(
			err,
			-EINVAL,
			"%s at 0x%" PRIx64 " lies outside of the shared memory",
			area->name,
			area->user
		);
	if ((uintptr_t)area->host % area->align)
		return err_set(
			err, -EINVAL, "%s at 0x%" PRIx64 " is misaligned", area->name, area->user
		);
	return 0;
}

static bool areas_overlap(const struct area *a, const struct area *b)
{
	return a->user < b->user + b->size && b->user < a->user + a->size;
}

// All three areas are judged together, each time: they depend on the memory and on the size.
static int find_areas(
	const struct queue *queue,
	const struct memory *memory,
	const struct vring_config *config,
	struct vring_areas *ret_areas,
	struct rwy_err *err
)
{
	static const char *const names[2][VRING_AREA_COUNT] = {
		{"descriptor table", "available ring", "used ring"},
		{"descriptor ring", "driver event area", "device event area"}, // virtio 1.1, 2.7
	};
	struct area areas[VRING_AREA_COUNT] = {
		[VRING_AREA_DESC] = {.user = queue->desc},
		[VRING_AREA_AVAIL] = {.user = queue->avail},
		[VRING_AREA_USED] = {.user = queue->used},
	};

	for (int i = 0; i < VRING_AREA_COUNT; i++) {
		areas[i].name = names[config->packed][i];
		areas[i].size = vring_area_size(config, i);
		areas[i].align = vring_area_align(config, i);
	}
	for (int i = 0; i < VRING_AREA_COUNT; i++) {
		int r = find_area(memory, &areas[i], err);
		if (r)
			return r;
	}
	for (int i = 0; i < VRING_AREA_COUNT; i++) {
		const struct area *other = &areas[(i + 1) % VRING_AREA_COUNT];
		if (areas_overlap(&areas[i], other))
			return err_set(
				err, -EINVAL, "%s and %s overlap", areas[i].name, other->name
			);
	}
	ret_areas->desc = areas[VRING_AREA_DESC].host;
	ret_areas->avail = areas[VRING_AREA_AVAIL].host;
	ret_areas->used = areas[VRING_AREA_USED].host;
	return 0;
}

bool queue_is_due(struct queue *queue, const struct memory *memory, uint64_t features)
{
	struct vhost_queue *pub = &queue->pub;

	// "Ring states": enabled from the start where protocol features were not negotiated.
	pub->enabled = queue->order == QUEUE_ORDER_NONE
		? !(features & VHOST_FEATURE_PROTOCOL_FEATURES)
		: queue->order == QUEUE_ORDER_ENABLE;
	return pub->started && pub->enabled && queue->size && queue->has_addr && memory &&
		memory->mem.count;
}

static struct vring_config make_config(const struct queue *queue, uint64_t features)
{
	return (struct vring_config){
		.size = queue->size,
		.base = queue_base(queue, features),
		// virtio 1.1, 5.1.6.1: without either feature the header has no num_buffers.
		.header_size =
			features & (VHOST_FEATURE_VERSION_1 | VHOST_FEATURE_MRG_RXBUF) ? 12 : 10,
		.mergeable = features & VHOST_FEATURE_MRG_RXBUF,
		.packed = features & VHOST_FEATURE_RING_PACKED,
		.indirect = features & VHOST_FEATURE_RING_INDIRECT_DESC,
		.event_idx = features & VHOST_FEATURE_RING_EVENT_IDX,
		.in_order = features & VHOST_FEATURE_IN_ORDER,
		.offloads = queue->transmit && features & VHOST_FEATURES_HOST,
	};
}

int queue_update(
	struct queue *queue,
	const struct memory *memory,
	uint64_t features,
	struct rwy_err *err
)
{
	struct vhost_queue *pub = &queue->pub;
	struct vring_config config = make_config(queue, features);
	struct vring_areas areas;

	int r = queue_check(queue, features, err);
	if (!r)
		r = find_areas(queue, memory, &config, &areas, err);
	if (r)
		return r;
	r = vring_init(&pub->ring, &areas, &config, &memory->mem);
	if (r)
		return err_set(err, r, "ring of %u entries: %s", queue->size, strerror(-r));
	if (!queue->has_place && queue->base == 0)
		vring_adopt_used(&pub->ring);
	queue->has_place = true;
	pub->live = true;
	return 0;
}
