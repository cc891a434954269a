// SPDX-License-Identifier: BSD-3-Clause
// A running port for the tests of what outlives its process. One thread.
#include "tests/unit/vhost/life.h"

#include "tests/lib/unit.h"

#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

static struct vhost_state *new_state(void)
{
	void *state =
		mmap(NULL,
		     sizeof(struct vhost_state),
		     PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS,
		     -1,
		     0);
	assert_true(state != MAP_FAILED);
	return state;
}

// The system calls are there to die at.
void life_move_frames(struct rig *rig)
{
	static struct frame_burst burst;
	struct vhost_queue *rx = vhost_conn_queue(rig->conn, 0);
	struct vhost_queue *tx = vhost_conn_queue(rig->conn, 1);
	uint64_t drops[VRING_DROP_COUNT] = {0};
	uint32_t count;

	if (!rx->live || !tx->live)
		return;
	while ((count = vring_take(&tx->ring, &burst, LIFE_BURST, drops))) {
		const struct frame *frames[LIFE_BURST];
		enum vring_drop drop;
		for (uint32_t i = 0; i < count; i++)
			frames[i] = &burst.frame[i];
		assert_int_equal(vring_deliver(&rx->ring, frames, count, &drop), count);
		(void)getppid();
		vring_show(&rx->ring);
		(void)getppid();
		vring_complete(&tx->ring);
		(void)getppid();
	}
	assert_int_equal(rx->ring.fault, VRING_FAULT_NONE);
	assert_int_equal(tx->ring.fault, VRING_FAULT_NONE);
}

void life_pump(struct life *life)
{
	assert_int_equal(rig_pump(&life->rig), 0);
	keeper_drain(&life->keeper);
}

static void send_frames(struct life *life, uint32_t first, uint32_t count)
{
	uint8_t frame[100] = {0};

	for (uint32_t i = first; i < first + count; i++) {
		frame[20] = (uint8_t)i;
		assert_int_equal(front_send(life->rig.front, 0, frame, sizeof(frame)), 0);
	}
}

void life_init(struct life *life, const struct scene *scene, uint64_t features)
{
	struct front_config front = {
		.features = features,
		.protocol_features = LIFE_PROTOCOLS,
		.ring_size = 32,
		.regions = 2,
		.with_calls = true,
	};

	memset(life, 0, sizeof(*life));
	life->fds_before = count_fds();
	life->state = new_state();
	life->config = (struct vhost_conn_config){.queue_pairs = 1, .state = life->state};
	keeper_init(&life->keeper);
	life->extra_fd = eventfd(0, EFD_CLOEXEC);
	rig_init(&life->rig, &life->config, &front);
	life->rig.keeper = &life->keeper;
	life->fd = dup(vhost_conn_fd(life->rig.conn));
	rig_start(&life->rig);
	keeper_drain(&life->keeper);
	// Rings do not stand at their beginning.
	uint8_t got[2048];
	send_frames(life, 0, 7);
	life_move_frames(&life->rig);
	for (int i = 0; i < 7; i++)
		assert_int_equal(front_receive(life->rig.front, 0, got, sizeof(got)), 100);
	assert_int_equal(front_receive(life->rig.front, 0, got, sizeof(got)), 0);
	if (scene->prepare)
		scene->prepare(life);
	life->rig.on_resume = life_move_frames;
	if (scene->frames)
		send_frames(life, 0, LIFE_FRAMES);
}

void life_fini(struct life *life)
{
	close(life->fd);
	close(life->extra_fd);
	rig_drop(&life->rig);
	keeper_fini(&life->keeper);
	front_free(life->rig.front);
	munmap(life->state, sizeof(*life->state));
	assert_int_equal(count_fds(), life->fds_before);
	assert_int_equal(count_shared_maps(), life->rig.maps_before);
}
