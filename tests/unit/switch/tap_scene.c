// SPDX-License-Identifier: BSD-3-Clause
// The kernel's part is played by hand. One thread.
#include "tests/unit/switch/tap_scene.h"

#include "switch/tapbatch.h"
#include "tests/lib/unit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OFFLOADS                                                                        \
	(WIRE_OFFLOAD_CSUM | WIRE_OFFLOAD_TSO4 | WIRE_OFFLOAD_TSO6 | WIRE_OFFLOAD_ECN | \
	 WIRE_OFFLOAD_USO)

bool tap_without_batches;

static const uint8_t mac_l[MAC_SIZE] = {2, 0, 0, 0, 1, 2};

static int set_up_with(void **state, uint32_t offloads)
{
	static struct tap_scene s;
	const struct vring_config config = {
		.size = RIG_RING, .header_size = HEADER, .indirect = true, .offloads = true};
	struct rig *rig = rig_new();

	s = (struct tap_scene){
		.rig = rig,
		.a = rig_live(rig, 1, mac_a, false),
		.b = rig_live(rig, 1, mac_b, false),
	};
	s.from = drv_ring_new(s.a->memory, &config);
	s.back = drv_ring_attach(s.from, 0);
	s.a->path.rx[0].ring = &s.back;
	s.a->path.asks = ORACLE_ALL;
	rig_refill(s.b, RIG_RING);
	if (tap_without_batches) {
		tap_batch_free(rig->worker->batch);
		rig->worker->batch = NULL;
	}
	s.trunk = rig_trunk(rig, 1, 2, offloads, s.peer);
	assert_int_equal(rig_station(rig, s.trunk, mac_k, 1, NULL, NULL), 0);
	assert_int_equal(rig_station(rig, s.trunk, mac_l, 1, NULL, NULL), 0);
	*state = &s;
	return 0;
}

int tap_set_up(void **state)
{
	return set_up_with(state, OFFLOADS);
}

int tap_set_up_plain(void **state)
{
	return set_up_with(state, 0);
}

int tap_tear_down(void **state)
{
	struct tap_scene *s = *state;
	static uint8_t bytes[DRV_USED_MAX];
	struct drv_used used = {.bytes = bytes};

	// What no test asked for, so that the driver knows of all that was written.
	for (uint32_t i = 0; i < s->rig->end_count; i++)
		while (drv_ring_collect(s->rig->end[i].to, &used))
			;
	close(s->peer[0]);
	close(s->peer[1]);
	drv_ring_check(s->from);
	drv_ring_free(s->from);
	rig_free(s->rig);
	return 0;
}

void tap_send(
	struct tap_scene *s,
	const struct frame_offload *offload,
	const uint8_t *frame,
	uint32_t size
)
{
	struct drv_layout layout = drv_layout_one(HEADER + size);
	uint8_t *bytes = calloc(1, HEADER + size);

	assert_non_null(bytes);
	if (offload)
		memcpy(bytes, offload, sizeof(*offload));
	memcpy(bytes + HEADER, frame, size);
	assert_true(drv_ring_post(s->from, &layout, bytes, 0));
	assert_int_equal(rig_forward(s->rig, s->a), 1);
	struct drv_used used = {.bytes = bytes};
	assert_true(drv_ring_collect(s->from, &used)); // Given back.
	free(bytes);
}

void tap_make_plain(uint8_t *frame, const uint8_t *to, const uint8_t *from, uint8_t tag)
{
	memset(frame, 0, 60);
	memcpy(frame, to, MAC_SIZE);
	memcpy(frame + MAC_SIZE, from, MAC_SIZE);
	memcpy(frame + 12, (uint8_t[]){0x08, 0, tag}, 3);
}

void tap_send_plain(struct tap_scene *s, const uint8_t *to, uint8_t tag)
{
	uint8_t frame[60];

	tap_make_plain(frame, to, mac_a, tag);
	tap_send(s, NULL, frame, sizeof(frame));
}

void tap_put(
	struct tap_scene *s,
	int queue,
	const struct frame_offload *offload,
	const uint8_t *frame,
	uint32_t size
)
{
	static uint8_t bytes[ROOM];

	memset(bytes, 0, HEADER);
	if (offload)
		memcpy(bytes, offload, sizeof(*offload));
	memcpy(bytes + HEADER, frame, size);
	assert_int_equal(write(s->peer[queue], bytes, HEADER + size), HEADER + size);
}

void tap_put_plain(
	struct tap_scene *s,
	int queue,
	const uint8_t *to,
	const uint8_t *from,
	uint8_t tag
)
{
	uint8_t frame[60];

	tap_make_plain(frame, to, from, tag);
	tap_put(s, queue, NULL, frame, sizeof(frame));
}

uint32_t tap_forward(struct tap_scene *s, int queue)
{
	struct worker *worker = s->rig->worker;

	fdb_cache_refresh(s->rig->fdb, &worker->cache);
	worker->now += worker->tsc_hz;
	return forward_queue(worker, &s->trunk->path->rx[queue], FRAME_BURST_MAX);
}

uint32_t tap_get(
	struct tap_scene *s,
	int queue,
	struct frame_offload *ret_offload,
	uint8_t *ret_frame
)
{
	static uint8_t bytes[ROOM];
	ssize_t size = read(s->peer[queue], bytes, sizeof(bytes));

	if (size < 0)
		return 0;
	assert_true(size > HEADER);
	memcpy(ret_offload, bytes, sizeof(*ret_offload));
	assert_memory_equal(bytes + 10, "\0\0", 2); // num_buffers says nothing to a TAP.
	memcpy(ret_frame, bytes + HEADER, (size_t)size - HEADER);
	return (uint32_t)size - HEADER;
}

int tap_get_tag(struct tap_scene *s)
{
	static uint8_t frame[ROOM];
	struct frame_offload offload;

	for (int queue = 0; queue < 2; queue++)
		if (tap_get(s, queue, &offload, frame))
			return frame[14];
	return -1;
}

struct made *tap_make_tcp(
	const uint8_t *to,
	const uint8_t *from,
	uint16_t gso_size,
	uint32_t payload
)
{
	struct recipe recipe = {
		.version = 4,
		.tcp_option_words = 3,
		.tcp_flags = 0x18,
		.payload = payload,
		.gso_type = gso_size ? FRAME_GSO_TCPV4 : FRAME_GSO_NONE,
		.gso_size = gso_size,
	};
	struct made *made = maker_make(&recipe);

	memcpy(made->data, to, MAC_SIZE);
	memcpy(made->data + MAC_SIZE, from, MAC_SIZE);
	maker_cut(made);
	return made;
}
