// SPDX-License-Identifier: BSD-3-Clause
// A port that is a vhost-user front end: its memory (one region), where rings and buffers lie in it, and how it
// is described to the back end. tests/lib/front.h speaks the protocol. Start-up only.
#include "bench/gen/ring.h"
#include "tests/lib/front.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define LINE 64u
#define HUGE_PAGE (2u << 20)
#define REGION_GPA (1ull << 32)
#define FEATURES_TSO                                                                \
	(VHOST_FEATURE_CSUM | VHOST_FEATURE_GUEST_CSUM | VHOST_FEATURE_GUEST_TSO4 | \
	 VHOST_FEATURE_HOST_TSO4)

struct vhost_port {
	struct front *front;
	int fd;
	uint8_t *addr;
	uint64_t size;
	uint64_t used;
	struct vhost_lane lane[FRONT_QUEUES_MAX / 2];
};

static uint64_t round_up(uint64_t size, uint64_t to)
{
	return (size + to - 1) / to * to;
}

// Whole cache lines, an odd number of them: buffers then spread over all sets of a cache.
static uint32_t stride_of(uint32_t data)
{
	uint64_t lines = (GEN_HEADROOM + round_up(data, LINE)) / LINE;
	return (uint32_t)((lines | 1) * LINE);
}

static uint8_t *take_bytes(struct vhost_port *port, uint64_t size)
{
	uint8_t *at = port->addr + port->used;
	port->used += round_up(size, LINE);
	return at;
}

static uint64_t ring_bytes(const struct gen_config *config)
{
	uint64_t n = config->ring_size;
	return round_up(16 * n, LINE) + round_up(6 + 2 * n, LINE) + round_up(6 + 8 * n, LINE);
}

static uint64_t port_bytes(const struct gen_config *config)
{
	uint64_t slots = (uint64_t)stride_of(config->frame_size) + stride_of(config->rx_buffer);
	uint64_t pair = 2 * ring_bytes(config) + slots * config->ring_size;
	return round_up(config->queue_pairs * pair, HUGE_PAGE);
}

// Reserved hugepages are used where there are enough, and transparent ones where the kernel grants them for
// shared memory.
static int map_memory(struct vhost_port *port)
{
	void *addr = MAP_FAILED;

	port->fd = memfd_create("gen", MFD_CLOEXEC | MFD_HUGETLB);
	if (port->fd >= 0 && !ftruncate(port->fd, (off_t)port->size))
		addr = mmap(NULL, port->size, PROT_READ | PROT_WRITE, MAP_SHARED, port->fd, 0);
	if (addr == MAP_FAILED) {
		if (port->fd >= 0)
			(void)close(port->fd); // Nothing is in it.
		port->fd = memfd_create("gen", MFD_CLOEXEC);
		if (port->fd < 0 || ftruncate(port->fd, (off_t)port->size))
			return -errno;
		addr = mmap(NULL, port->size, PROT_READ | PROT_WRITE, MAP_SHARED, port->fd, 0);
	}
	if (addr == MAP_FAILED)
		return -errno;
	(void)madvise(addr, port->size, MADV_HUGEPAGE); // Ordinary pages do as well.
	port->addr = addr;
	return 0;
}

static uint64_t gpa_of(const struct vhost_port *port, const void *addr)
{
	return REGION_GPA + (uint64_t)((const uint8_t *)addr - port->addr);
}

static void init_split(struct vhost_port *port, struct ring *ring, uint32_t header_size)
{
	struct ring_desc *desc = ring->desc;

	for (uint32_t i = 0; i < ring->size; i++) {
		desc[i] = (struct ring_desc){
			.addr = gpa_of(port, ring_data(ring, i)) - header_size,
			.size = ring->buffer_size,
			.flags = ring->is_write ? RING_DESC_WRITE : 0,
		};
		ring->avail->ring[i] = (uint16_t)i;
	}
	ring->avail->flags = RING_NO_INTERRUPT;
	ring->next = ring->is_write ? (uint16_t)ring->size : 0;
	ring->avail->idx = ring->next;
}

static void init_packed(struct vhost_port *port, struct ring *ring, uint32_t header_size)
{
	struct ring_packed_desc *desc = ring->desc;

	ring->next_wrap = true;
	ring->seen_wrap = true;
	ring->driver_event->flags = RING_EVENT_DISABLE;
	for (uint32_t i = 0; i < ring->size; i++) {
		desc[i] = (struct ring_packed_desc){
			.addr = gpa_of(port, ring_data(ring, i)) - header_size,
			.size = ring->buffer_size,
			.id = (uint16_t)i,
		};
		if (ring->is_write)
			desc[i].flags = RING_DESC_WRITE | RING_PACKED_AVAIL;
	}
	// All were made available once: the next lap begins.
	if (ring->is_write)
		ring->next_wrap = false;
}

static void init_ring(
	struct vhost_port *port,
	const struct gen *gen,
	struct ring *ring,
	uint32_t data
)
{
	uint64_t size = gen->config.ring_size;
	uint32_t header_size = port->front->header_size;

	ring->size = gen->config.ring_size;
	ring->stride = stride_of(data);
	ring->buffer_size = header_size + data;
	ring->desc = take_bytes(port, 16 * size);
	ring->avail = (void *)take_bytes(port, 6 + 2 * size);
	ring->used = (void *)take_bytes(port, 6 + 8 * size);
	ring->buffers = take_bytes(port, (uint64_t)ring->stride * size);
	ring->room = ring->is_write ? 0 : ring->size;
	if (port->front->features & VHOST_FEATURE_RING_PACKED)
		init_packed(port, ring, header_size);
	else
		init_split(port, ring, header_size);
}

static void fill_frames(
	const struct gen *gen,
	const struct vhost_lane *v,
	uint32_t port,
	uint32_t pair
)
{
	for (uint32_t i = 0; i < v->tx.size; i++) {
		uint8_t *data = ring_data(&v->tx, i);
		frame_fill(data, gen, port, frame_peer(gen, port, i), (uint16_t)pair);
		frame_header(data - v->header_size, gen);
	}
}

static void init_pair(struct gen *gen, uint32_t index, uint32_t pair, struct lane *lane)
{
	struct vhost_port *port = gen->port[index].impl;
	const struct gen_config *config = &gen->config;
	struct vhost_lane *v = &port->lane[pair];

	v->header_size = port->front->header_size;
	v->frame_size = config->frame_size;
	v->read_every = config->read_every;
	v->mergeable = port->front->features & VHOST_FEATURE_MRG_RXBUF;
	v->whole = config->frame_size <= config->rx_buffer;
	v->rx.is_write = true;
	v->rx.kick_fd = port->front->queue[(size_t)2 * pair].kick_fd;
	v->tx.kick_fd = port->front->queue[(size_t)2 * pair + 1].kick_fd;
	init_ring(port, gen, &v->rx, config->rx_buffer);
	init_ring(port, gen, &v->tx, config->frame_size);
	if (!lane)
		return;
	fill_frames(gen, v, index, pair);
	v->check = true;
	lane->impl = v;
	lane->ops = port->front->features & VHOST_FEATURE_RING_PACKED ? &packed_ops : &split_ops;
	lane->burst = config->ring_size / 4 < 32 ? config->ring_size / 4 : 32;
}

static int check_features(const struct gen_config *config, uint64_t features)
{
	if (config->packed && !(features & VHOST_FEATURE_RING_PACKED))
		return gen_fail(-ENOTSUP, "unsupported: no packed rings are offered");
	if (config->tso && (features & FEATURES_TSO) != FEATURES_TSO)
		return gen_fail(-ENOTSUP, "unsupported: no segmentation is offered");
	if (config->frame_size > config->rx_buffer && !(features & VHOST_FEATURE_MRG_RXBUF))
		return gen_fail(-ENOTSUP, "unsupported: no mergeable buffers are offered");
	if (config->queue_pairs > 1 && !(features & VHOST_FEATURE_MQ))
		return gen_fail(-ENOTSUP, "unsupported: one queue pair only is offered");
	return 0;
}

static int share_memory(const struct vhost_port *port)
{
	struct message_regions table = {
		.count = 1,
		.region[0] =
			{
				.gpa = REGION_GPA,
				.size = port->size,
				.user = (uintptr_t)port->addr,
			},
	};
	return front_request_fd(
		port->front,
		MESSAGE_SET_MEM_TABLE,
		&table,
		(uint32_t)(offsetof(struct message_regions, region[1])),
		port->fd
	);
}

static int start_ring(struct vhost_port *port, uint32_t index, const struct ring *ring)
{
	struct front *front = port->front;
	struct message_ring_state num = {index, ring->size};
	// virtio 1.1, 2.7.1: a packed ring begins at place 0 of lap 1, the highest bit of each half.
	struct message_ring_state base = {
		index, front->features & VHOST_FEATURE_RING_PACKED ? 0x80008000u : 0};
	struct message_ring_addr addr = {
		.index = index,
		.desc = (uintptr_t)ring->desc,
		.avail = (uintptr_t)ring->avail,
		.used = (uintptr_t)ring->used,
	};
	uint64_t value = index;
	int r = front_request(front, MESSAGE_SET_VRING_NUM, &num, sizeof(num));

	if (!r)
		r = front_request(front, MESSAGE_SET_VRING_BASE, &base, sizeof(base));
	if (!r)
		r = front_request(front, MESSAGE_SET_VRING_ADDR, &addr, sizeof(addr));
	if (!r)
		r = front_request_fd(
			front,
			MESSAGE_SET_VRING_CALL,
			&value,
			sizeof(value),
			front->queue[index].call_fd
		);
	if (!r)
		r = front_request_fd(
			front, MESSAGE_SET_VRING_KICK, &value, sizeof(value), ring->kick_fd
		);
	return r;
}

static int start_port(struct gen *gen, uint32_t index)
{
	struct vhost_port *port = gen->port[index].impl;
	uint32_t pairs = gen->config.queue_pairs;
	int r = share_memory(port);

	for (uint32_t i = 0; i < 2 * pairs && !r; i++) {
		struct vhost_lane *v = &port->lane[i / 2];
		r = start_ring(port, i, i % 2 ? &v->tx : &v->rx);
	}
	if (!(port->front->features & VHOST_FEATURE_PROTOCOL_FEATURES))
		return r;
	for (uint32_t i = 0; i < 2 * pairs && !r; i++)
		r = front_enable_queue(port->front, i, true);
	return r ? r : front_sync(port->front);
}

static struct front *new_front(const struct gen_config *config)
{
	// Only its control side is used: its own rings are as small as they can be.
	struct front_config wanted = {
		.features = VHOST_FEATURE_VERSION_1 | VHOST_FEATURE_MRG_RXBUF |
			VHOST_FEATURE_PROTOCOL_FEATURES |
			(config->packed ? VHOST_FEATURE_RING_PACKED : 0) |
			(config->tso ? FEATURES_TSO : 0) |
			(config->queue_pairs > 1 ? VHOST_FEATURE_MQ : 0),
		.protocol_features =
			PROTOCOL_REPLY_ACK | (config->queue_pairs > 1 ? PROTOCOL_MQ : 0),
		.queue_pairs = config->queue_pairs,
		.ring_size = 2,
		.rx_buffer_size = LINE,
		.frame_size_max = LINE,
		.with_calls = true,
	};
	return front_new(&wanted);
}

int vhost_port_open(struct gen *gen, uint32_t index, struct lane *lanes)
{
	struct port *port = &gen->port[index];
	struct vhost_port *v = calloc(1, sizeof(*v));

	if (!v)
		return gen_fail(-ENOMEM, "no memory for port %s", port->path);
	port->impl = v;
	v->fd = -1;
	v->size = port_bytes(&gen->config);
	v->front = new_front(&gen->config);
	int r = v->front ? map_memory(v) : -errno;
	if (!r)
		r = front_connect(v->front, port->path);
	if (!r)
		r = front_negotiate(v->front);
	if (r)
		return gen_fail(r, "cannot connect to %s: %s", port->path, strerror(-r));
	r = check_features(&gen->config, v->front->features);
	if (r)
		return r;
	gen->features = v->front->features;
	gen->header_size = v->front->header_size;
	for (uint32_t i = 0; i < gen->config.queue_pairs; i++)
		init_pair(gen, index, i, lanes ? &lanes[i] : NULL);
	r = start_port(gen, index);
	return r ? gen_fail(r, "cannot start the rings of %s: %s", port->path, strerror(-r)) : 0;
}

void vhost_port_close(struct port *port)
{
	struct vhost_port *v = port->impl;

	if (!v)
		return;
	front_free(v->front);
	if (v->addr)
		(void)munmap(v->addr, v->size); // Ours.
	if (v->fd >= 0)
		(void)close(v->fd); // Nothing to do about a failing close here.
	free(v);
	port->impl = NULL;
}
