// SPDX-License-Identifier: BSD-3-Clause
// When a virtqueue runs (vhost-user, "Ring states"), and where its areas lie. Owns the queue's eventfds.
// Control thread.
#include "vhost/queue.h"

#include "base/cleanup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

void queue_init(struct queue *queue, bool transmit, struct vring_place *place)
{
	memset(queue, 0, sizeof(*queue));
	queue->transmit = transmit;
	queue->place = place;
	queue->pub.kick_fd = -1;
	queue->pub.call_fd = -1;
	queue->pub.err_fd = -1;
}

void queue_fini(struct queue *queue)
{
	fd_close(&queue->pub.kick_fd);
	fd_close(&queue->pub.call_fd);
	fd_close(&queue->pub.err_fd);
	queue_init(queue, queue->transmit, queue->place);
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

// An eventfd is an anonymous inode, which has no type; the file system of anything else is not
// asked (statx takes what is cached). Other anonymous inodes (epoll, timerfd, pidfd, ..) take no write, of which 0 changes
// nothing in an eventfd and never waits, whatever its counter. They are refused because waiting for one of them may be up
// to its maker: an epoll set asks all that is in it, for instance the file of a FUSE server that never answers.
int queue_check_eventfd(int fd, struct rwy_err *err)
{
	const uint64_t nothing = 0;
	struct statx stat;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || (flags & O_PATH) || (flags & O_ACCMODE) != O_RDWR ||
	    statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_TYPE, &stat) ||
	    stat.stx_mode & S_IFMT)
		return err_set(err, -EPROTO, "the descriptor is not an eventfd");
	if (!(flags & O_NONBLOCK) && fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return err_set(err, -errno, "cannot prepare an eventfd: %s", strerror(errno));
	if (write(fd, &nothing, sizeof(nothing)) != sizeof(nothing))
		return err_set(err, -EPROTO, "the descriptor is not an eventfd");
	return 0;
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
		.place = queue->place,
	};
}

// A split ring that another process goes on with is found where its used index says (virtio 1.1, 2.6.8: the second
// 16-bit word). A front end that says that its ring stands elsewhere must find that there before anything else: after the
// first frame it would anyway.
static void show_place(const struct vring *ring, const struct vring_areas *areas)
{
	uint16_t *used = (uint16_t *)areas->used + 1;
	uint16_t base = (uint16_t)vring_base(ring);

	if (__atomic_load_n(used, __ATOMIC_RELAXED) != base)
		__atomic_store_n(used, base, __ATOMIC_RELEASE);
}

int queue_update(
	struct queue *queue,
	const struct memory *memory,
	uint64_t features,
	bool recover,
	struct rwy_err *err
)
{
	struct vhost_queue *pub = &queue->pub;
	struct vring_config config = make_config(queue, features);
	struct vring_areas areas;

	config.recover = recover;
	int r = queue_check(queue, features, err);
	if (!r)
		r = find_areas(queue, memory, &config, &areas, err);
	if (r)
		return r;
	r = vring_init(&pub->ring, &areas, &config, &memory->mem);
	if (r)
		return err_set(err, r, "ring of %u entries: %s", queue->size, strerror(-r));
	if (!recover && !queue->has_place && queue->base == 0)
		vring_adopt_used(&pub->ring);
	if (queue->place && !config.packed)
		show_place(&pub->ring, &areas);
	queue->has_place = true;
	pub->live = true;
	return 0;
}

void queue_save(const struct queue *queue, struct vhost_state_queue *ret_saved)
{
	const struct vhost_queue *pub = &queue->pub;

	*ret_saved = (struct vhost_state_queue){
		.desc = queue->desc,
		.avail = queue->avail,
		.used = queue->used,
		.size = queue->size,
		.base = queue->base,
		.kick_id = queue->kick_id,
		.call_id = queue->call_id,
		.err_id = queue->err_id,
		.order = (uint8_t)queue->order,
		.started = pub->started,
		.live = pub->live,
		.has_base = queue->has_base,
		.has_place = queue->has_place,
		.has_addr = queue->has_addr,
	};
}

// What queue_save() left is sound in this: the process that left it may have broken it before it ended.
int queue_restore(
	struct queue *queue,
	const struct vhost_state_queue *saved,
	uint64_t features,
	bool has_features,
	struct rwy_err *err
)
{
	uint8_t flags =
		saved->started | saved->live | saved->has_base | saved->has_place | saved->has_addr;
	bool packed = !has_features || features & VHOST_FEATURE_RING_PACKED;

	if (flags > 1 || saved->order >= QUEUE_ORDER_COUNT)
		return err_set(err, -EPROTO, "flags that no ring has");
	int r = saved->size ? queue_check_size(saved->size, packed, err) : 0;
	if (r)
		return r;
	queue->size = saved->size;
	queue->base = saved->base;
	queue->has_base = saved->has_base;
	queue->has_place = saved->has_place;
	queue->has_addr = saved->has_addr;
	queue->order = (enum queue_order)saved->order;
	queue->desc = saved->desc;
	queue->avail = saved->avail;
	queue->used = saved->used;
	queue->pub.started = saved->started;
	queue->recover = saved->live;
	return 0;
}
