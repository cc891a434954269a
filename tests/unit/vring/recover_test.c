// SPDX-License-Identifier: BSD-3-Clause
// A back end is lost behind each machine instruction of showing a burst, and another one goes on. The driver may
// have taken back what it saw by then, and made its descriptors available again. Whatever the moment: the ring goes on where
// the driver is, the burst was shown whole or not at all, no frame is lost, none is corrupted.
#include "tests/lib/unit.h"
#include "tests/unit/vring/bench.h"
#include "tests/unit/vring/steps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_SIZE 100
#define NEVER UINT32_MAX

struct scene {
	struct vring_config config;
	bool receives;
	uint32_t descs;	  // Of a chain.
	uint32_t buffers; // Chains that a frame takes.
	uint32_t burst;	  // Frames.
	uint32_t act_at;  // The step at which the driver acts,
	uint32_t collect; // takes so many frames back at most,
	uint32_t post;	  // and makes so many chains available at most.
	struct bench *bench;
};

static struct drv_layout chain_layout(const struct scene *scene)
{
	uint32_t header = scene->config.header_size;
	uint32_t all = header + FRAME_SIZE;
	uint32_t size = scene->receives ? (all + scene->buffers - 1) / scene->buffers : all;
	struct drv_layout layout = {.count = scene->descs, .direct = scene->descs};

	for (uint32_t i = 0; i < scene->descs; i++) {
		layout.size[i] = i + 1 < scene->descs ? size / scene->descs : size;
		size -= layout.size[i];
	}
	if (scene->config.indirect)
		layout.direct = 0;
	return layout;
}

// Chain n is tagged n; sent, it holds frame n.
static void post(const struct scene *scene, uint32_t most)
{
	struct drv_ring *front = scene->bench->front;
	struct drv_layout layout = chain_layout(scene);
	uint8_t bytes[12 + FRAME_SIZE] = {0};

	for (; most; most--) {
		bench_fill(bytes + scene->config.header_size, FRAME_SIZE, front->posted);
		if (!drv_ring_post(front, &layout, scene->receives ? NULL : bytes, front->posted))
			return;
	}
}

// Takes a frame's chains back; its number is theirs.
static void collect_frame(const struct scene *scene)
{
	struct bench *bench = scene->bench;
	uint64_t first = bench->front->collected;
	uint8_t found[2 * (12 + FRAME_SIZE)];
	uint32_t at = 0;

	for (uint32_t i = 0; i < scene->buffers; i++) {
		assert_true(drv_ring_collect(bench->front, &bench->used));
		assert_int_equal(bench->used.tag, first + i);
		assert_true(at + bench->used.size <= sizeof(found));
		memcpy(found + at, bench->space, bench->used.size);
		at += bench->used.size;
	}
	if (!scene->receives) {
		assert_int_equal(at, 0);
		return;
	}
	assert_int_equal(at, scene->config.header_size + FRAME_SIZE);
	if (scene->config.header_size == 12)
		assert_int_equal(found[10], scene->buffers);
	bench_expect(found + scene->config.header_size, FRAME_SIZE, first / scene->buffers);
}

static uint32_t frames_shown(const struct scene *scene)
{
	(void)drv_ring_base(scene->bench->front); // Sees what is used.
	assert_int_equal(scene->bench->front->shown % scene->buffers, 0);
	return (uint32_t)(scene->bench->front->shown / scene->buffers);
}

static uint32_t frames_to_collect(const struct scene *scene)
{
	return frames_shown(scene) - (uint32_t)(scene->bench->front->collected / scene->buffers);
}

// What the back end does up to showing.
static uint32_t work(const struct scene *scene, uint32_t most)
{
	struct bench *bench = scene->bench;
	uint32_t first = frames_shown(scene);
	uint32_t ready = (uint32_t)(bench->front->posted / scene->buffers) - first;
	uint32_t count = ready < most ? ready : most;

	if (scene->receives) {
		assert_int_equal(
			bench_deliver(bench, FRAME_SIZE, first, count, VRING_DROP_NONE), count
		);
		return count;
	}
	bench_take(bench, count, count, count);
	for (uint32_t i = 0; i < count; i++)
		bench_expect_taken(bench, i, FRAME_SIZE, first + i);
	return count;
}

static void show(void *ctx)
{
	struct scene *scene = ctx;

	if (scene->receives)
		vring_show(&scene->bench->back);
	else
		vring_complete(&scene->bench->back);
}

static void check_recovery(void *ctx)
{
	struct scene *scene = ctx;
	struct bench *bench = scene->bench;
	uint32_t before = frames_shown(scene);

	drv_ring_forgive(bench->front);
	bench->back = drv_ring_recover(bench->front);
	uint32_t shown = frames_shown(scene);
	assert_true(shown == before || before == 0);
	assert_true(shown == 0 || shown == scene->burst);
	assert_int_equal(vring_base(&bench->back), drv_ring_base(bench->front));
	// What is there, then two laps more.
	for (uint32_t i = 0; i < 2 * scene->config.size + 2; i++) {
		while (work(scene, FRAME_BURST_MAX))
			show(scene);
		while (frames_to_collect(scene))
			collect_frame(scene);
		bench_collect_none(bench);
		assert_int_equal(vring_base(&bench->back), drv_ring_base(bench->front));
		post(scene, scene->buffers * 2);
	}
	drv_ring_check(bench->front);
	drv_memory_check(bench->memory);
}

static void seen(void *ctx, uint32_t step)
{
	struct scene *scene = ctx;

	if (step == scene->act_at) {
		for (uint32_t i = 0; i < scene->collect && frames_to_collect(scene); i++)
			collect_frame(scene);
		post(scene, scene->post);
	}
	// What comes before the driver acts was seen when it never did.
	if (scene->act_at != NEVER && step < scene->act_at)
		return;
	if (!steps_check(check_recovery, scene))
		fail_msg(
			"%s ring of %u, %s, base %x, %u frames of %u chains of %u, driver at %u: lost at step %u",
			scene->config.packed ? "packed" : "split",
			scene->config.size,
			scene->receives ? "receive" : "transmit",
			scene->config.base,
			scene->burst,
			scene->buffers,
			scene->descs,
			scene->act_at,
			step
		);
}

static void watch_piece(struct steps *steps, void *at, size_t size)
{
	steps->piece[steps->piece_count].at = at;
	steps->piece[steps->piece_count].size = size;
	steps->piece_count++;
}

// Returns the last step.
static uint32_t play(struct scene *scene)
{
	struct bench *bench = scene->bench = bench_new_config(&scene->config);
	struct steps steps = {.act = show, .seen = seen, .ctx = scene};
	struct vring_areas *areas = &bench->front->areas;

	post(scene, scene->burst * scene->buffers);
	assert_int_equal(work(scene, scene->burst), scene->burst);
	watch_piece(&steps, areas->desc, vring_area_size(&scene->config, VRING_AREA_DESC));
	watch_piece(&steps, areas->avail, vring_area_size(&scene->config, VRING_AREA_AVAIL));
	watch_piece(&steps, areas->used, vring_area_size(&scene->config, VRING_AREA_USED));
	watch_piece(&steps, &bench->front->kept, sizeof(bench->front->kept));
	int last = steps_run(&steps);
	if (last == -ENOSYS) {
		print_message("processes cannot be traced here\n");
		skip();
	}
	assert_true(last > 0);
	// The burst was shown after all.
	while (frames_to_collect(scene))
		collect_frame(scene);
	assert_int_equal(bench->front->collected, scene->burst * scene->buffers);
	bench_free(bench);
	return (uint32_t)last;
}

// The driver acts at each step in turn, or never.
static void play_all(struct scene *scene, struct drv_random *random)
{
	scene->act_at = NEVER;
	uint32_t last = play(scene);
	// At the beginning of a burst there is nothing to see yet: those steps are much alike.
	uint32_t stride = 1 + last / 4;

	for (uint32_t at = drv_random_below(random, stride); at <= last; at += stride) {
		scene->act_at = at;
		scene->collect = drv_random_below(random, scene->burst + 1);
		scene->post = drv_random_below(random, scene->config.size + 1);
		(void)play(scene);
	}
	scene->act_at = last; // All that it can do, as late as it can.
	scene->collect = scene->burst;
	scene->post = scene->config.size;
	(void)play(scene);
}

static struct scene make_scene(struct drv_random *random, bool packed, uint32_t size)
{
	struct scene scene = {
		.config =
			{
				.size = size,
				.header_size = 12,
				.packed = packed,
				.in_order = drv_random_below(random, 2),
				.indirect = drv_random_below(random, 4) == 0,
				.event_idx = drv_random_below(random, 2),
			},
		.receives = drv_random_below(random, 2),
		.buffers = 1,
		.descs = 1 + drv_random_below(random, 3) % 3,
	};
	uint32_t each = scene.config.indirect ? 1 : scene.descs;

	if (each > size)
		scene.descs = each = 1;
	if (scene.receives && 3 * each <= size && drv_random_below(random, 2)) {
		scene.buffers = 3;
		scene.config.mergeable = true;
	}
	uint32_t most = size / (each * scene.buffers);
	scene.burst = 1 + drv_random_below(random, most < 5 ? most : 5);
	scene.config.base = drv_random_below(random, size) | drv_random_below(random, 2) << 15;
	return scene;
}

static void test_packed(void **state)
{
	static const uint32_t sizes[] = {1, 2, 3, 5, 6, 7, 13};
	struct drv_random random = drv_random_seeded();

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct scene scene = make_scene(&random, true, sizes[i]);
		play_all(&scene, &random);
	}
}

static void test_split(void **state)
{
	static const uint32_t sizes[] = {2, 8};
	struct drv_random random = drv_random_seeded();

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct scene scene = make_scene(&random, false, sizes[i]);
		play_all(&scene, &random);
	}
}

// A burst that fills the ring from its first to its last descriptor: the place is the same, a lap further.
static void test_whole_lap(void **state)
{
	struct drv_random random = drv_random_seeded();

	for (uint32_t i = 0; i < 4; i++) {
		struct scene scene = {
			.config = {.size = 4, .header_size = 12, .packed = true, .base = 0x8000},
			.receives = i & 1,
			.buffers = 1,
			.descs = 1 + (i >> 1),
			.burst = 4 >> (i >> 1),
		};
		play_all(&scene, &random);
	}
}

// What a ring of 4 that stands at 1 in its first lap has left while it showed three descriptors, each alone.
static const struct vring_place sound = {
	.base = 0x8001,
	.next = 0x0000,
	.count = 3,
	.index = {1, 2, 3},
	.word = {0x8080000100000000, 0x8080000200000000, 0x8082000300000040},
};

static int recover(const struct vring_place *from, bool has_place, uint32_t size)
{
	static struct vring_desc_entry descs[8];
	static uint32_t event[2];
	static const struct vring_mem mem = {.count = 1};
	struct vring_place place = *from;
	struct vring_areas areas = {descs, &event[0], &event[1]};
	struct vring_config config = {
		.size = size,
		.header_size = 12,
		.packed = true,
		.recover = true,
		.place = has_place ? &place : NULL,
		.base = 0x7fff,
	};
	struct vring ring;

	memset(descs, 0, sizeof(descs));
	for (uint32_t i = 1; i < 4; i++)
		descs[i].size_flags_next = (uint64_t)PACKED_F_AVAIL << 48;
	int r = vring_init(&ring, &areas, &config, &mem);
	if (r) {
		for (uint32_t i = 0; i < 8; i++)
			assert_int_equal(
				descs[i].size_flags_next,
				i && i < 4 ? (uint64_t)PACKED_F_AVAIL << 48 : 0
			);
		return r;
	}
	assert_int_equal(place.count, 0);
	assert_int_equal(place.base | place.base << 16, vring_base(&ring));
	return 0;
}

// A place that no ring of this kind has left is not followed, and the ring is not written to.
static void test_broken_places(void **state)
{
	struct vring_place p = sound;

	assert_int_equal(recover(&p, true, 4), 0);
	assert_int_equal(recover(&p, false, 4), -EINVAL);
	assert_int_equal(recover(&p, true, 3), -EINVAL); // An index beyond it.
	assert_int_equal(recover(&p, true, 5), 0);	 // It ends at 0 just the same.
#define BREAK(what) (p = sound, what, recover(&p, true, 4))
	assert_int_equal(BREAK(p.base = 0x8004), -EINVAL);
	assert_int_equal(BREAK(p.base = 0x18001), -EINVAL);
	assert_int_equal(BREAK(p.base = 0x0001), -EINVAL); // The words are of the other lap.
	assert_int_equal(BREAK(p.base = 0x8002), -EINVAL); // Not where the first is.
	assert_int_equal(BREAK(p.next = 0x0004), -EINVAL);
	assert_int_equal(BREAK(p.next = 0x80000000), -EINVAL);
	assert_int_equal(BREAK(p.next = 0x8003), -EINVAL); // In front of the last.
	assert_int_equal(BREAK(p.next = 0x0002), -EINVAL); // More than a lap.
	assert_int_equal(BREAK(p.count = VRING_PENDING_MAX + 1), -EINVAL);
	assert_int_equal(BREAK(p.count = UINT32_MAX), -EINVAL);
	assert_int_equal(BREAK(p.count = 4), -EINVAL); // The fourth is not one.
	assert_int_equal(BREAK(p.index[1] = 1), -EINVAL);
	assert_int_equal(BREAK(p.index[1] = 3), -EINVAL);
	assert_int_equal(BREAK(p.index[2] = 4), -EINVAL);
	assert_int_equal(BREAK(p.index[2] = 65535), -EINVAL);
	assert_int_equal(BREAK(p.word[1] = 0), -EINVAL);		  // Of the other lap.
	assert_int_equal(BREAK(p.word[1] = 0x8084000200000000), -EINVAL); // No such flag.
	assert_int_equal(BREAK(p.word[1] = 0x8080000200000001), -EINVAL); // A length, no WRITE.
	// What is not looked at may be anything.
	assert_int_equal(BREAK(p.count = 0), 0);
	assert_int_equal(BREAK((p.count = 0, p.next = 0xffffffff, p.index[0] = 9)), 0);
	assert_int_equal(BREAK((p.next = p.base, p.index[0] = 9)), 0);
#undef BREAK
	memset(&p, 0xff, sizeof(p));
	assert_int_equal(recover(&p, true, 4), -EINVAL);
	memset(&p, 0, sizeof(p));
	assert_int_equal(recover(&p, true, 4), 0);
}

// A ring that begins anew forgets what the last one left.
static void test_new_ring(void **state)
{
	struct bench *bench = bench_new_config(&(struct vring_config
	){.size = 4, .base = 0x8001, .header_size = 12, .packed = true});
	bench->front->kept = sound;
	bench->back = drv_ring_attach(bench->front, 0x8001);
	assert_int_equal(bench->front->kept.count, 0);
	bench->back = drv_ring_recover(bench->front);
	assert_int_equal(vring_base(&bench->back), 0x80018001);
	bench_send(bench, DRV_SHAPE_ONE, FRAME_SIZE, 0);
	bench_take(bench, 32, 1, 1);
	vring_complete(&bench->back);
	assert_int_equal(bench->front->kept.base, 0x8002);
	bench_collect(bench, 0, 0);
	bench_free(bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_whole_lap),
		cmocka_unit_test(test_new_ring),
		cmocka_unit_test(test_broken_places),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
